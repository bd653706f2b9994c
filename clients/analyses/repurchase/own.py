"""The holder's second orders: exact, from its own rows, beside what the consortium released."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clients.analyses.repurchase.states import Standing, State, standing
from clients.analysis.comparison import Compared, compare, own_share
from clients.data.rows.kinds import OwnRows
from privacy.analyses.repurchase import CONTRACT
from privacy.analyses.repurchase.results import CohortFigures, RepurchaseResult, WaitFigures
from privacy.analyses.repurchase.shown import shown
from privacy.figures.estimates import Estimate
from privacy.kernel.features import MISSING, FeatureTable
from privacy.protocol.study import Study

#: Customers listed for each state that something is to be done about.
LISTED = 10

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A customer, the days since its first order, and those that are left."""

    customer_id: str
    age: int
    days_left: int


@dataclass(frozen=True, kw_only=True)
class Group:
    """Customers in one state; listed are those whose days are over soonest, or were over last."""

    state: State
    customers: int
    listed: tuple[Listed, ...]


@dataclass(frozen=True, kw_only=True)
class WaitLine:
    """Customers by days to the second order; the share is of those with one, None where the holder has none."""

    figures: WaitFigures
    customers: int
    share: Compared | None


@dataclass(frozen=True, kw_only=True)
class CohortLine:
    """A cohort of the holder; for each limit its rate beside the consortium's, None where it is not over."""

    figures: CohortFigures
    customers: int
    rates: tuple[Compared | None, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnRepurchase:
    """Everything that is the same in both languages.

    Attributes:
        customers: of the holder.
        again: share with a second order, compared; None where it has no customers.
        waits, cohorts: in the result's order.
        groups: who is due, and who is late.
        limits: days within which a second order is in time.
        comparisons: how many verdicts there are.
    """

    customers: int
    again: Compared | None
    waits: tuple[WaitLine, ...]
    cohorts: tuple[CohortLine, ...]
    groups: tuple[Group, ...]
    limits: tuple[int, ...]
    comparisons: int

    def __repr__(self) -> str:
        return "OwnRepurchase(<private>)"


def own_repurchase(rows: OwnRows[FeatureTable], study: Study, result: RepurchaseResult) -> OwnRepurchase:
    """Work out a holder's second orders.

    Args:
        rows: its customers as the study's repurchase analysis saw them.
        study: the study.
        result: the analysis' result.
    """
    options = study.of(CONTRACT)
    found = standing(rows.table, options.in_time)
    total = result.customers.value
    weight = min(len(rows.table) / total, 1.0) if total > 0 else 0.0
    comparisons = 1 + len(result.waits) + sum(sum(cohort.over) for cohort in result.cohorts)

    def beside(mask: Mask, everyone: Estimate | None, as_shown: Estimate | None) -> Compared | None:
        if not len(mask):
            return None
        return compare(own_share(mask), everyone, weight=weight, comparisons=comparisons, shown=as_shown)

    again = found.of("again")
    waits = []
    written = shown(result)
    for figures, as_shown in zip(result.waits, (wait.share for wait in written.waits), strict=True):
        inside = _inside(found.wait[again], figures)
        compared = beside(inside, figures.share, as_shown)
        waits.append(WaitLine(figures=figures, customers=int(inside.sum()), share=compared))
    cohorts = []
    for cohort, shown_rates in zip(result.cohorts, (one.rates for one in written.cohorts), strict=True):
        wait = found.wait[_member(found, cohort, study)]
        rates = (
            beside((wait != MISSING) & (wait <= days), rate, as_shown) if over else None
            for days, rate, as_shown, over in zip(
                options.within_days, cohort.rates, shown_rates, cohort.over, strict=True
            )
        )
        cohorts.append(CohortLine(figures=cohort, customers=len(wait), rates=tuple(rates)))
    return OwnRepurchase(
        customers=len(again),
        again=beside(again, result.again, written.again),
        waits=tuple(waits),
        cohorts=tuple(cohorts),
        groups=(_group(rows, found, "due"), _group(rows, found, "late")),
        limits=options.within_days,
        comparisons=comparisons,
    )


def _inside(wait: NDArray[np.int64], figures: WaitFigures) -> Mask:
    least = 0 if figures.above is None else figures.above + 1
    inside: Mask = wait >= least
    return inside if figures.upto is None else inside & (wait <= figures.upto)


def _member(found: Standing, cohort: CohortFigures, study: Study) -> Mask:
    last, first = ((study.as_of - day).days for day in (cohort.first, cohort.last))
    member: Mask = (found.age >= first) & (found.age <= last)
    return member


def _group(rows: OwnRows[FeatureTable], found: Standing, state: State) -> Group:
    places = np.flatnonzero(found.of(state))
    # Who is due: those with the fewest days left; who is late: those whose days were over last. Both are by age.
    order = -found.age[places] if state == "due" else found.age[places]
    first = places[np.argsort(order, kind="stable")][:LISTED]
    listed = (
        Listed(customer_id=str(rows.ids[row]), age=int(found.age[row]), days_left=int(found.days_left[row]))
        for row in first
    )
    return Group(state=state, customers=len(places), listed=tuple(listed))
