"""A holder's own ledger, opened with what its caps rest on: the policy's figures and K."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from clients.answering.policy import HolderPolicy
from privacy.errors import LedgerError
from privacy.ledger import Ledger, LedgerState, Opened
from privacy.member_folder import known_holders
from privacy.protocol.charging import holders_of_a_person
from privacy.protocol.identity import Roster


def open_ledger(
    path: Path, *, holder: str, policy: HolderPolicy, roster: Roster | None, earlier: Iterable[Roster] = ()
) -> Ledger:
    """A holder's ledger, made when it is first needed; changed caps and a K that has grown are recorded.

    K never falls here: what people lost at more holders stays lost when a declaration or the roster shrinks.

    Args:
        roster: in force; None before there is one, when nothing can be charged yet.
        earlier: versions that were in force before, for the holders that left since.

    Raises:
        LedgerError: if the ledger is damaged or belongs to another party.
    """
    records = None
    if roster is not None:
        known = known_holders((roster, *earlier))
        records = holders_of_a_person(roster, holder, known=known)
        state = Ledger(path).state if path.exists() else LedgerState()
        if state.opened is not None and state.opened.records is None and state.total.squared_mu > 0:
            records = max(records, state.counted_on(known))  # charged by a rule without K: at all holders
    opened = Opened(
        owner=holder,
        role="holder",
        epsilon=policy.lifetime.epsilon,
        delta=policy.lifetime.delta,
        period=policy.period,
        records=records,
        slots=policy.slots,
    )
    return Ledger.open_or_create(path, opened)


def count_on(ledger: Ledger, holders: int) -> None:
    """Set K by the operator's word; the only thing that lowers it, and auditors see it.

    Raises:
        LedgerError: if the ledger was never opened.
    """
    opened = ledger.state.opened
    if opened is None:
        raise LedgerError("this ledger was never opened for an owner")
    if opened.records != holders:
        ledger.append(opened.model_copy(update={"records": holders}))


def counted_at(state: LedgerState, roster: Roster, holder: str) -> int:
    """K that a charge must keep: as the ledger states it, and never below what the roster in force implies."""
    return max(state.counted_on(len(roster.holders)), holders_of_a_person(roster, holder))
