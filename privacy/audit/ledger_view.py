"""A ledger for people: each charge, its price, and the running total. Works on anybody's ledger file."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from privacy.audit.budget import BudgetLeft, budget_left
from privacy.errors import LedgerError
from privacy.ledger import Evidence, Failed, Ledger, Opened, Released, Reserved
from privacy.ledger.entries import Fact
from privacy.ledger.state import Total
from privacy.protocol.asked_studies import studies_of_runs

#: Delta at which a coordinator's ledger, which states none, is shown.
_SHOWN_DELTA = 1e-6


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Charge(_Value):
    """One charge.

    Attributes:
        day: of the charge, UTC, by its writer's clock.
        study, as_of: the study, and the day it looks at the customers; None where its invitation is not kept here.
        k: at how many holders the study counts one person.
        epsilon, total: its own price, and that of all charges so far, for one person; at a holder for one at K holders.
    """

    day: dt.date
    study: str
    as_of: dt.date | None
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
    left: BudgetLeft | None


def view_ledger(path: Path, *, holders: int = 0, now: int | None = None) -> LedgerView:
    """Read a ledger and price it.

    Args:
        holders: of the federation, for a ledger that does not state K.
        now: seconds since 1970, UTC; the clock's if not given.

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
    counted = ledger.state.counted_on(holders) if opened.role == "holder" else None
    charges = tuple(_charges(ledger, facts, delta=delta, counted=counted))
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
        spent_epsilon=charges[-1].total if charges else 0.0,
        charges=charges,
        notes=(f"pairs of contradicting statements kept as evidence: {evidence}",) if evidence else (),
        left=budget_left(ledger, int(time.time()) if now is None else now, holders=holders),
    )


def _charges(ledger: Ledger, facts: Sequence[Fact], *, delta: float, counted: int | None) -> Iterator[Charge]:
    """A ledger's charges, priced, in their order."""
    released = {fact.core for fact in facts if isinstance(fact, Released)}
    failed = {fact.core: fact.reason for fact in facts if isinstance(fact, Failed)}
    days = {run: study.get("as_of") for run, study in studies_of_runs(ledger)}
    total = Total()
    for fact in facts:
        if not isinstance(fact, Reserved):
            continue
        price = Total().plus(fact.event, counted or fact.records)
        total = total.and_also(price)
        if fact.core in released:
            outcome = "released"
        elif fact.core in failed:
            outcome = f"failed: {failed[fact.core]}"
        else:
            outcome = "answered, no release seen"
        as_of = days.get(fact.question.run)
        yield Charge(
            day=dt.datetime.fromtimestamp(fact.time, dt.UTC).date(),
            study=fact.study,
            as_of=None if as_of is None else dt.date.fromisoformat(as_of),
            question=fact.title,
            run=fact.question.run,
            attempt=fact.question.attempt,
            outcome=outcome,
            holders=len(fact.holders),
            k=fact.records,
            epsilon=price.epsilon(delta),
            total=total.epsilon(delta),
        )
