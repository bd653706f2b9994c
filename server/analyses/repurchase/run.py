"""Repurchase: one question with the whole budget, and what its counts say."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from privacy.analyses.repurchase import CONTRACT
from privacy.analyses.repurchase.cohort_counts import CohortCounts, CohortEstimate
from privacy.analyses.repurchase.options import Cohort, RepurchaseOptions
from privacy.analyses.repurchase.results import CohortFigures, RepurchaseResult, WaitFigures
from privacy.figures.estimates import Z95, Estimate
from privacy.figures.quotient import CLEAR, quotient, share, within
from privacy.protocol.study import Study
from server.analysis import Ask, Planned
from server.analysis.expectation import Expectation

NAME = "repurchase"
TITLE = "second orders"

#: What the forecast takes for the part of a cohort that buys again in time.
_USUAL_RATE = 0.3
#: Cohorts of a usual year, into which the forecast spreads the customers.
_A_YEAR = {"quarter": 4, "month": 12}
#: A rate that is off by more says little (share of a cohort).
_TOO_WIDE = 0.1


def weights(study: Study) -> dict[str, Fraction]:
    """Title of each question to its share of the budget."""
    return {TITLE: Fraction(1)}


def run(study: Study, ask: Ask, planned: Planned) -> RepurchaseResult:
    """The analysis.

    Args:
        study: what was agreed.
        ask: asks a question by its title.
        planned: the noise that a question is planned to have, by its title; not needed here.
    """
    question = study.of(CONTRACT).question(study.as_of)
    release = ask(TITLE, question)
    return figures(study, question, question.decode(release.array, release.deviation))


def figures(study: Study, question: CohortCounts, found: CohortEstimate) -> RepurchaseResult:
    """Every figure of the result from the released counts: post-processing."""
    options = study.of(CONTRACT)
    variance = found.deviations[0] ** 2
    again, never = float(found.waits[:-1].sum()), float(found.waits[-1])
    bins = len(found.waits)
    # The youngest cohort is the first of the question and the last of the report.
    cohorts = zip(options.periods(study.as_of)[::-1], found.sizes, found.in_time, strict=True)
    return RepurchaseResult(
        customers=_count(again + never, math.sqrt(bins) * found.deviations[0]),
        again=share(again, never, ((bins - 1) * variance, variance)),
        waits=tuple(_waits(question, found)),
        cohorts=tuple(_cohort(study, options, *parts, found.deviations) for parts in cohorts)[::-1],
    )


def _count(value: float, deviation: float) -> Estimate:
    return within(Estimate(value=value, margin=Z95 * deviation), 0.0, math.inf)


def _waits(question: CohortCounts, found: CohortEstimate) -> list[WaitFigures]:
    """One figure a bin; shares are of those with a second order."""
    counts, deviation = found.waits[:-1], found.deviations[0]
    total, variance = float(counts.sum()), deviation * deviation
    ends = [None, *question.upper, None]
    listed = []
    for place, count in enumerate(counts.tolist()):
        rest = (len(counts) - 1) * variance
        listed.append(
            WaitFigures(
                above=ends[place],
                upto=ends[place + 1],
                customers=_count(count, deviation),
                share=share(count, total - count, (variance, rest)),
            )
        )
    return listed


def _cohort(
    study: Study,
    options: RepurchaseOptions,
    cohort: Cohort,
    size: float,
    in_time: np.ndarray[tuple[int], np.dtype[np.float64]],
    deviations: tuple[float, float, float],
) -> CohortFigures:
    over = tuple(cohort.is_over(days, study.as_of) for days in options.within_days)
    rates: list[Estimate | None] = []
    for number, (count, is_over) in enumerate(zip(np.cumsum(in_time).tolist(), over, strict=True), start=1):
        rate = quotient(count, size, (number * deviations[2] ** 2, deviations[1] ** 2)) if is_over else None
        rates.append(None if rate is None else within(rate, 0.0, 1.0))
    return CohortFigures(
        first=cohort.first, last=cohort.last, customers=_count(size, deviations[1]), rates=tuple(rates), over=over
    )


def forecast(study: Study, planned: Planned) -> tuple[Expectation, ...]:
    """Expected margin of a cohort's rate, if the year's customers are spread evenly over its cohorts."""
    options = study.of(CONTRACT)
    question = options.question(study.as_of)
    noise = planned(TITLE, question).released_deviation
    deviations = question.decode(np.zeros(question.dim, dtype=np.int64), noise).deviations
    size = study.budget.size_class / _A_YEAR[options.cohort]
    # To first order; where it is too narrow to be true, the rate is not shown at all.
    margin = Z95 / size * math.hypot(deviations[2], _USUAL_RATE * deviations[1])
    hidden = size < CLEAR * deviations[1]
    days, period = options.within_days[0], options.cohort
    return (
        Expectation(
            analysis=NAME,
            code="repurchase_margin",
            value=margin,
            text=f"rate of one {period}'s cohort  off by up to {100 * margin:.1f} points"
            + (" (not shown: too few customers)" if hidden else ""),
            warning=f"The share of a {period}'s new customers that buy again within {days} days will be off by up to "
            f"{100 * margin:.0f} points. Raise epsilon"
            + (', or group them by "quarter".' if period == "month" else ", or ask fewer analyses.")
            if margin > _TOO_WIDE or hidden
            else "",
        ),
    )
