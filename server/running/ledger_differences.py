"""Whether a holder's ledger and the coordinator's tell the same story of a study; from what the holder signed only."""

from __future__ import annotations

from collections.abc import Iterable

from privacy.ledger import Failed, Released, Reserved
from privacy.ledger.entries import Fact
from privacy.results import LedgerDifference


def differences(
    holder: str, charged: Iterable[str], facts: Iterable[Fact], study_digest: str
) -> list[LedgerDifference]:
    """What one side charged for a study and the other did not.

    Args:
        holder: whose charges these are.
        charged: cores that the holder says it charged for the study.
        facts: the coordinator's ledger.
        study_digest: the study.
    """
    there = set(charged)
    here: dict[str, Reserved] = {}
    ended: dict[str, str] = {}
    for fact in facts:
        if isinstance(fact, Reserved) and fact.study_digest == study_digest and holder in fact.holders:
            here[fact.core] = fact
        elif isinstance(fact, Failed):
            ended[fact.core] = fact.reason
        elif isinstance(fact, Released):
            ended[fact.core] = "released"
    found = [
        LedgerDifference(
            holder=holder,
            core=core,
            question=f"{fact.question.round}.{fact.question.attempt} of run {fact.question.run}",
            charged="coordinator",
            ended=ended.get(core, "cut off"),
        )
        for core, fact in here.items()
        if core not in there
    ]
    found += [
        LedgerDifference(holder=holder, core=core, question="", charged="holder", ended="")
        for core in sorted(there - here.keys())
    ]
    return found
