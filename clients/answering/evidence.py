"""Two statements of one party that contradict each other, kept by who was shown both, so that anybody can check it."""

from __future__ import annotations

import logging
from typing import Literal

from privacy.ledger import EVIDENCE, Evidence, Ledger
from privacy.protocol.identity import Signed
from privacy.protocol.kept_statements import kept

log = logging.getLogger("cohortium.holder")

#: Contradictions that a ledger keeps; a coordinator cannot fill it with more.
MAX_EVIDENCE = 100


def keep_evidence(ledger: Ledger, what: Literal["equivocation", "result"], first: str, second: Signed) -> None:
    """Write a contradiction into the ledger: the digests as a fact, the texts beside it among the statements.

    Once for each first statement, which stands for the question or the result: who contradicts himself forty times is
    shown once to do so. The size of a statement was checked when it arrived, and its signature when it was opened.

    Args:
        what: which rule the two break together.
        first: the signed statement that was here before, as canonical JSON; empty where it is lost.
        second: the one that contradicts it.
    """
    before = kept(Signed.parse(first), EVIDENCE) if first else None
    after = kept(second, EVIDENCE)
    fact = Evidence(what=what, first=before.digest if before else "", second=after.digest)
    known = ledger.state.evidence
    if (what, fact.first) in known:
        return
    if len(known) >= MAX_EVIDENCE:
        log.error("%d contradictions are recorded: this one is not", MAX_EVIDENCE)
        return
    ledger.append(fact, [statement for statement in (before, after) if statement is not None])
