"""K on the holder's screen: at how many holders the caps count one customer, and the operator's word for another K."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.markup import escape

from clients.answering.folder import HolderFolder
from clients.answering.ledgers import count_on, counted_at
from privacy.errors import ConfigError
from privacy.ledger import Ledger, LedgerState
from privacy.member_folder import MemberFolder, known_holders
from privacy.presentation.numbers import many
from privacy.presentation.terminal import screen
from privacy.protocol.charging import holders_of_a_person


def set_counted(folder: Path, holders: int | None, *, yes: bool) -> dict[str, int]:
    """Set K where ``holders`` says so, and tell what it is.

    Args:
        holders: the new K; None leaves it.
        yes: lower it without asking.

    Returns:
        ``k`` as it is now and as it was (``before``), what the roster in force implies, and its number of holders.

    Raises:
        ConfigError: if the roster says that a customer may be at more holders.
    """
    holder = HolderFolder(folder)
    roster, ledger, name = holder.roster(), holder.ledger(), holder.member.request().member.id
    implied = holders_of_a_person(roster, name, known=known_holders(holder.member.rosters()))
    before = max(implied, ledger.state.counted_on(implied))
    if holders is not None:
        if holders < implied:
            raise ConfigError(
                f"the roster in force says that a customer of {name} may be at {implied} holders",
                hint="declare fewer first (`cohortium holder declare`), then join the version that carries it",
            )
        if holders < before and not yes:
            screen.print(
                f"From {before} to {holders}: whatever was asked before counts at {holders} holders from now on, too. "
                "People who are at more holders than that lose more than your cap says.",
                soft_wrap=True,
            )
            typer.confirm("Lower it, and have it written into the ledger?", abort=True)
        count_on(ledger, holders)
    counted = ledger.state.counted_on(implied)
    return {"k": counted, "before": before, "implied": implied, "holders": len(roster.holders)}


def show_counted(folder: Path) -> None:
    """Say at how many holders one customer is counted, and how to declare; nothing where there is no roster yet."""
    member = MemberFolder(folder)
    roster = member.roster()
    if roster is None:
        return
    name, path = member.request().member.id, folder / "state" / "ledger.sqlite"
    implied = holders_of_a_person(roster, name, known=known_holders(member.rosters()))
    state = Ledger(path).state if path.exists() else LedgerState()
    counted = max(implied, counted_at(state, roster, name)) if state.opened is not None else implied
    screen.print(
        f"Your caps count one customer at {many(counted, 'holder')} of the federation (K). "
        f"It has {len(roster.holders)}.",
        soft_wrap=True,
    )
    if counted > implied:
        screen.print(
            f"By the roster in force it would be {implied}: `cohortium holder persons {escape(str(folder))} --holders "
            f"{implied}`",
            soft_wrap=True,
        )
    elif counted > 1:
        screen.print(
            "If your customers are at fewer, declare it: `cohortium holder declare --max-holders-per-customer`. "
            "Studies over some of the holders then take less of your caps.",
            soft_wrap=True,
        )
