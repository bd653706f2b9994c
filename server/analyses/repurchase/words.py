"""How cohorts and waits are called."""

from __future__ import annotations

from privacy.analyses.repurchase.results import CohortFigures, WaitFigures
from privacy.presentation.texts import Language
from server.analyses.repurchase.texts import text


def cohort_name(cohort: CohortFigures, language: Language) -> str:
    """The period of the first orders: a calendar month, or a quarter."""
    if cohort.first.month == cohort.last.month:
        return text("month", language, year=cohort.first.year, month=f"{cohort.first.month:02}")
    return text("quarter", language, year=cohort.first.year, quarter=(cohort.first.month + 2) // 3)


def wait_name(wait: WaitFigures, language: Language) -> str:
    """The days from the first to the second order."""
    if wait.upto is None:
        return text("wait_beyond", language, days=wait.above)
    if wait.above is None:
        return text("wait_same_day" if wait.upto == 0 else "wait_first", language, days=wait.upto)
    return text("wait_between", language, first=wait.above + 1, last=wait.upto)
