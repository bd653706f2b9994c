"""Repurchase as it is shown: nothing impossible, and no rate of more days below that of fewer."""

from __future__ import annotations

import datetime as dt

import pytest
from possible_kit import MOVES, check_everywhere, noisy
from report_pages import PLAIN

from cohortium.running import texts
from privacy.analyses.repurchase.results import CohortFigures, RepurchaseResult, WaitFigures
from privacy.figures.estimates import Estimate
from privacy.results import StudyResult

SURE = Estimate(value=0.4, margin=0.02)


def result_with_all_figures() -> StudyResult:
    periods = [(dt.date(2024, month, 1), dt.date(2024, month + 2, 28)) for month in (1, 4, 7)]
    many = Estimate(value=900.0, margin=40.0)
    figures = RepurchaseResult(
        customers=Estimate(value=3000.0, margin=60.0),
        again=SURE,
        waits=tuple(
            WaitFigures(above=low, upto=high, customers=many, share=SURE) for low, high in ((None, 30), (30, None))
        ),
        cohorts=tuple(
            CohortFigures(first=first, last=last, customers=many, rates=(SURE,) * 3, over=(True,) * 3)
            for first, last in periods
        ),
    )
    study = PLAIN.study.model_copy(update={"analyses": ("repurchase",)})
    return PLAIN.model_copy(update={"study": study, "rfm": None, "repurchase": figures})


@pytest.mark.parametrize("how", MOVES)
def test_nothing_impossible_is_shown(how: str) -> None:
    check_everywhere(noisy(result_with_all_figures(), "repurchase", how), "repurchase")


def test_no_rate_of_more_days_is_shown_below_that_of_fewer() -> None:
    falling = tuple(Estimate(value=value, margin=0.1) for value in (0.35, 0.25, 0.5))
    result = result_with_all_figures()
    figures = result.repurchase
    cohorts = tuple(cohort.model_copy(update={"rates": falling}) for cohort in figures.cohorts)
    result = result.model_copy(update={"repurchase": figures.model_copy(update={"cohorts": cohorts})})
    for cohort in texts(result)["en"]["repurchase"]["cohorts"]:
        first, second, third = cohort["rates"]
        assert first.startswith("30% (")
        assert second.startswith("30% (")
        assert third.startswith("50")
