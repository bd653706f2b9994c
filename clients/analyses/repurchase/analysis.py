"""What halls need of this room: one object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from clients.analyses.repurchase.labels import RepurchaseHistory, RepurchaseSnapshot
from clients.analyses.repurchase.own import OwnRepurchase, own_repurchase
from clients.analyses.repurchase.recipes import RECIPES
from clients.analyses.repurchase.section import CODES, SECTION
from clients.analysis import Earlier, HolderAnalysis, HolderContext
from clients.data.rows.kinds import OwnRows
from clients.labels.export import publish
from privacy.analyses.repurchase.cohort_counts import CohortCounts
from privacy.analyses.repurchase.results import RepurchaseResult
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.features import FeatureTable
from privacy.results import StudyResult
from privacy.statistics import Statistic

NAME = "repurchase"


def _rows(context: HolderContext) -> OwnRows[FeatureTable]:
    return context.rows(context.study.row_requests[NAME])


def _fits(figures: RepurchaseResult, answered: Sequence[Statistic[Any]]) -> bool:
    """Whether the bins and the number of cohorts are those of the question that was answered."""
    upto = tuple(wait.upto for wait in figures.waits)
    return any(
        isinstance(statistic, CohortCounts)
        and upto == (*statistic.upper, None)
        and statistic.cohorts == len(figures.cohorts)
        and all(len(cohort.rates) == len(cohort.over) == len(statistic.within) for cohort in figures.cohorts)
        for statistic in answered
    )


def _own(
    context: HolderContext, figures: RepurchaseResult, result: StudyResult, before: Callable[[], Earlier | None]
) -> OwnRepurchase:
    return own_repurchase(_rows(context), context.study, figures)


def _label(context: HolderContext) -> Sequence[Path]:
    if NAME not in context.study.analyses:
        return ()

    def make() -> RepurchaseSnapshot:
        return RepurchaseSnapshot.of(_rows(context), context.customers(CustomerRequest()), context.study)

    return publish(make, context.history(RepurchaseHistory), context.root)


def _knows(code: str, result: StudyResult) -> bool:
    # Also where a study has no such analysis: its page says nothing of their actions.
    return code in CODES


ANALYSIS: HolderAnalysis[RepurchaseResult, OwnRepurchase] = HolderAnalysis(
    name=NAME,
    fits=_fits,
    own=_own,
    section=SECTION,
    label=_label,
    history=RepurchaseHistory,
    recipes=RECIPES,
    knows=_knows,
)
