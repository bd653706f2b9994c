"""A ledger for people: each charge, its price, and the running total. Works on anybody's ledger file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from privacy.accounting.events import epsilon_spent
from privacy.errors import LedgerError
from privacy.ledger import Evidence, Failed, Ledger, Opened, Released, Reserved

#: Delta at which a coordinator's ledger, which states none, is shown.
_SHOWN_DELTA = 1e-6


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Charge(_Value):
    """One charge; ``epsilon`` is its own price and ``total`` that of all charges so far, for one person.

    At a holder both are for a person at K holders; ``k`` is what the charge's study counts on.
    """

    study: str
    question: str
    run: str
    attempt: int
    outcome: str
    holders: int
    k: int
    epsilon: float
    total: float


class LedgerView(_Value):
    """A whole ledger. ``cap_epsilon`` and ``counted`` (K) are None for a coordinator, which has no lifetime cap."""

    owner: str
    role: str
    entries: int
    head: str
    delta: float
    cap_epsilon: float | None
    counted: int | None
    spent_epsilon: float
    charges: tuple[Charge, ...]
    notes: tuple[str, ...]


def view_ledger(path: Path, *, holders: int = 0) -> LedgerView:
    """Read a ledger and price it.

    Args:
        holders: of the federation, for a ledger that does not state K.

    Raises:
        LedgerError: if its chain is broken, or it was never opened.
    """
    ledger = Ledger(path)
    facts = list(ledger.facts())
    owners = [fact for fact in facts if isinstance(fact, Opened)]
    if not owners:
        raise LedgerError(f"{path.name} was never opened for an owner")
    opened = owners[-1]
    delta = float(opened.delta) if opened.delta is not None else _SHOWN_DELTA
    released = {fact.core for fact in facts if isinstance(fact, Released)}
    failed = {fact.core: fact.reason for fact in facts if isinstance(fact, Failed)}
    counted = ledger.state.counted_on(holders) if opened.role == "holder" else None
    total = Fraction(0)
    charges = []
    for fact in facts:
        if not isinstance(fact, Reserved):
            continue
        price = fact.event.squared_mu(counted or fact.records)
        total += price
        if fact.core in released:
            outcome = "released"
        elif fact.core in failed:
            outcome = f"failed: {failed[fact.core]}"
        else:
            outcome = "answered, no release seen"
        charges.append(
            Charge(
                study=fact.study,
                question=fact.title,
                run=fact.question.run,
                attempt=fact.question.attempt,
                outcome=outcome,
                holders=len(fact.holders),
                k=fact.records,
                epsilon=epsilon_spent(price, delta),
                total=epsilon_spent(total, delta),
            )
        )
    evidence = sum(isinstance(fact, Evidence) for fact in facts)
    head = ledger.head
    return LedgerView(
        owner=opened.owner,
        role=opened.role,
        entries=head.sequence,
        head=head.hash,
        delta=delta,
        counted=counted,
        cap_epsilon=None if opened.epsilon is None else float(opened.epsilon),
        spent_epsilon=epsilon_spent(total, delta),
        charges=tuple(charges),
        notes=(f"{evidence} pair(s) of contradicting statements are kept as evidence",) if evidence else (),
    )
