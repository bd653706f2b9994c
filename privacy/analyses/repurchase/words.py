"""How cohorts and waits are called, alike on every page."""

from __future__ import annotations

from privacy.analyses.repurchase.results import CohortFigures, WaitFigures
from privacy.presentation.texts import Language, read_texts, say

#: What pages of both sides say of them.
TEXTS = read_texts("privacy.analyses.repurchase")


def cohort_name(cohort: CohortFigures, language: Language) -> str:
    """The period of the first orders: a calendar month, or a quarter."""
    first = cohort.first
    if first.month == cohort.last.month:
        return say(TEXTS, "month", language, year=first.year, month=f"{first.month:02}")
    return say(TEXTS, "quarter", language, year=first.year, quarter=(first.month + 2) // 3)


def wait_name(wait: WaitFigures, language: Language) -> str:
    """The days from the first to the second order."""
    if wait.upto is None:
        return say(TEXTS, "wait_beyond", language, days=wait.above)
    if wait.above is None:
        return say(TEXTS, "wait_same_day" if wait.upto == 0 else "wait_first", language, days=wait.upto)
    return say(TEXTS, "wait_between", language, first=wait.above + 1, last=wait.upto)
