"""A coordinator's studies and members on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from privacy.presentation.terminal import screen, up_or_dash
from server.running.state import CoordinatorState, StudyState

_COLOURS = {"done": "green", "under way": "cyan", "cut off": "yellow"}


def show_studies(studies: Sequence[StudyState]) -> None:
    """Print runs, oldest first."""
    if not studies:
        screen.print("No study was run here yet. `cohortium study new` writes one.")
        return
    table = Table()
    for column in ("study", "as of", "state", "on", "epsilon", "spent", "holders"):
        table.add_column(column, justify="right" if column in ("epsilon", "spent", "holders") else "left")
    for item in studies:
        again = f" (repeat {item.repeat})" if item.repeat else ""
        table.add_row(
            escape(item.study) + again, str(item.as_of), f"[{_COLOURS[item.state]}]{item.state}[/]", str(item.day),
            f"{item.epsilon:g}", up_or_dash(item.spent), str(len(item.holders)),
        )  # fmt: skip
    screen.print(table)
    for item in studies:
        if item.next:
            screen.print(f"{escape(item.study)} as of {item.as_of} goes on with `{escape(item.next)}`", soft_wrap=True)
        if item.missing:
            names = escape(", ".join(item.missing))
            screen.print(f"{escape(item.study)} as of {item.as_of}: dropped out: {names}", soft_wrap=True)
        if item.unconfirmed:
            names = escape(", ".join(item.unconfirmed))
            screen.print(f"{escape(item.study)} as of {item.as_of}: not yet confirmed by {names}", soft_wrap=True)


def show_state(state: CoordinatorState) -> None:
    """Print how a coordinator stands: whether it serves, its members, and its last runs."""
    serving = "[green]serving[/]" if state.serving else "[yellow]not serving[/] (`cohortium coordinator serve`)"
    run = ", a study is being run" if state.run_under_way else ""
    screen.print(f"[bold]{escape(state.federation)}[/], roster version {state.version}: {serving}{run}", soft_wrap=True)
    if state.certificate_days is not None:
        screen.print(f"The server's certificate ends in {state.certificate_days} days.")
    table = Table()
    for column in ("member", "role", "node", "since (UTC)"):
        table.add_column(column)
    words = {True: "[green]online[/]", False: "[yellow]offline[/]", None: "-"}
    for member in state.members:
        since = member.since[:19].replace("T", " ") or ("never connected" if member.online is False else "")
        table.add_row(escape(member.member), member.role, words[member.online], since)
    screen.print(table)
    away = [member.member for member in state.members if member.online is False]
    if away:
        screen.print(f"Waiting for: {escape(', '.join(away))}", soft_wrap=True)
    show_studies(state.studies[-5:])
    if len(state.studies) > 5:
        screen.print(f"{len(state.studies) - 5} earlier ones: `cohortium study list`", style="dim")
