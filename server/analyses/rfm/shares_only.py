"""What is left of a result when its totals are withheld: proportions and averages on a public grid.

The form depends on the total only through its class (1, 2, 5, 10, ...): two federations of one class whose proportions
and averages agree have the very same form. Every margin is that of the smallest total of the class, and no figure has
digits beyond its margin. What that still tells, and why each step is needed: ``docs/decisions/0012``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from privacy.analyses.rfm.results import Distribution, RfmResult, SchemeFigures, SegmentFigures, TailFigures
from privacy.analyses.rfm.segment_totals import SegmentEstimate, SegmentTotals
from privacy.analyses.rfm.segments import VALUE_ACTIVITY
from privacy.figures.estimates import Z95, Estimate
from privacy.figures.public_grid import FINEST, bound_of, class_of, coarsened, rounded, rounded_up, step_of
from privacy.figures.quotient import CLEAR
from privacy.results import EarlierRun
from server.analyses.rfm.figures import Tails, scheme_figures, value_activity_figures


def shares_only(
    result: RfmResult, estimates: Sequence[SegmentEstimate], question: SegmentTotals, tails: Tails, *, floor: int
) -> RfmResult:
    """The form of a full result that is handed out where the study withholds totals.

    Args:
        result: with all its totals.
        estimates: what was released, one for each of its segmentations.
        question: what was asked.
        tails: what lies above the caps.
        floor: the study's; a segment is shown only where its share of the class would pass it.

    Raises:
        ValueError: if a total is missing: the form is made once, from a full result.
    """
    customers = _there(result.customers).value
    # One class for everything. With a class for each question, two that differ would place the total at their border.
    least = class_of(min([customers, *(_there(scheme.total_customers).value for scheme in result.schemes)]))
    forms = [(estimate, False) for estimate in estimates]
    forms += [(estimate, True) for estimate in estimates if estimate.scheme == "eight"]
    made = [_scheme(estimate, question, tails, (least, floor), put=put) for estimate, put in forms]
    return result.model_copy(
        update={
            "customers": None,
            "distributions": tuple(_distribution(facts, max(customers / least, 1.0)) for facts in result.distributions),
            "schemes": tuple(made[: len(estimates)]),
            "value_activity": made[-1] if len(made) > len(estimates) else None,
            "revenue_above_cap": bound_of(result.revenue_above_cap),
            "orders_tail": _tail(result.orders_tail),
            "money_tail": _tail(result.money_tail),
        }
    )


def _tail(tail: TailFigures | None) -> TailFigures | None:
    """Parts in whole per cents; the most is never made smaller."""
    if tail is None:
        return None
    return TailFigures(likely=rounded(tail.likely, 0.01), most=rounded_up(tail.most, 0.01))


def earlier_shares_only(run: EarlierRun) -> EarlierRun:
    """The form of an earlier run for the report of a study that withholds totals; unchanged where it has that form."""
    if run.customers is None:
        return run
    widening = max(run.customers.value / class_of(run.customers.value), 1.0)

    def coarse(table: dict[str, dict[str, Estimate]]) -> dict[str, dict[str, Estimate]]:
        return {
            scheme: {code: _coarse(share, widening, FINEST) for code, share in shares.items()}
            for scheme, shares in table.items()
        }

    return run.model_copy(
        update={
            "customers": None,
            "shares": coarse(run.shares),
            "revenue_shares": coarse(run.revenue_shares),
        }
    )


def _coarse(figure: Estimate, widening: float, finest: float) -> Estimate:
    """A figure on the grid, its margin that of a total ``widening`` times smaller (margins go with 1/total)."""
    value, margin = coarsened(figure.value, figure.margin * widening, finest=finest)
    return Estimate(value=value, margin=margin)


def _average(figure: Estimate | None, least: float) -> Estimate | None:
    """An average on the grid, its interval cut at the least that it can be."""
    return None if figure is None else _cut(_coarse(figure, 1.0, FINEST * abs(figure.value)), least, math.inf)


def _averages(exact: SchemeFigures | SegmentFigures, *, net: bool) -> dict[str, Estimate | None]:
    least = -math.inf if net else 0.0
    return {
        "orders_per_customer": _average(exact.orders_per_customer, 1.0),
        "revenue_per_customer": _average(exact.revenue_per_customer, least),
        "revenue_per_order": _average(exact.revenue_per_order, least),
    }


def _share(exact: Estimate | None, *, net: bool = False) -> Estimate | None:
    if exact is None:
        return None
    coarse = _coarse(exact, 1.0, FINEST)
    return coarse if net else _cut(coarse, 0.0, 1.0)


def _cut(figure: Estimate, least: float, most: float) -> Estimate:
    """The interval without what cannot be. It follows from value and margin, and so tells no more than they do."""
    low, high = figure.value - figure.margin, figure.value + figure.margin
    return Estimate(
        value=figure.value,
        margin=figure.margin,
        low=least if low < least <= figure.value else None,
        high=most if high > most >= figure.value else None,
    )


def _distribution(facts: Distribution, widening: float) -> Distribution:
    """Bars whose cumulated shares are on the grid; one margin for all cuts."""
    _, margin = coarsened(0.0, max(facts.rank_margin) * widening, finest=FINEST)
    cumulated, ends = 0.0, [0.0]
    for share in facts.share:
        cumulated += share
        ends.append(rounded(cumulated, margin))
    return facts.model_copy(
        update={
            "share": tuple(rounded(high - low, margin) for low, high in pairwise(ends)),
            "rank_margin": (margin,) * 4,
            "concentration": None,  # of finer shares than those on the grid
        }
    )


def _there(total: Estimate | None) -> Estimate:
    if total is None:
        raise ValueError("a total is missing")
    return total


def _scheme(
    estimate: SegmentEstimate, question: SegmentTotals, tails: Tails, limits: tuple[float, int], *, put: bool
) -> SchemeFigures:
    """A segmentation's form; nothing at all where the noise would hide the smallest total of the class.

    All figures are those that the smallest federation of the class would have, alike in everything, under the same
    noise: an interval does not simply go with one over the total below, and whether a quotient is shown depends on that
    total, too.

    Args:
        limits: the class of the number of customer records, and the study's floor.
        put: value by activity, whose figures are sums of unrounded ones, and rounded once.
    """
    least, floor = limits
    total = float(estimate.customers.sum())
    widening = max(total / least, 1.0)
    small = replace(
        estimate,
        customers=estimate.customers / widening,
        orders=estimate.orders / widening,
        money=estimate.money / widening,
    )
    make = value_activity_figures if put else scheme_figures
    exact, net = make(small, question, tails, floor=0), question.returns == "net"
    members = max(len(of) for _, of in VALUE_ACTIVITY) if put else 1  # of the widest margin
    counted = total / widening >= CLEAR * estimate.customers_deviation * math.sqrt(len(estimate.customers))
    margin = Z95 * estimate.customers_deviation * math.sqrt(members)
    least_share = _least_share(margin / least, least, floor) if counted else 1.0
    return exact.model_copy(
        update={
            "segments": tuple(_segment(segment, least_share, net=net) for segment in exact.segments),
            **dict.fromkeys(
                ("total_customers", "total_orders", "total_revenue", "counted_orders", "counted_revenue"), None
            ),
            "least_share": least_share,
            **_averages(exact, net=net),
        }
    )


def _least_share(small: float, least: float, floor: int) -> float:
    """The share that a segment needs to be shown: more than its margin, and the floor in the class's smallest total.

    The unrounded count then passes the floor too: a share is rounded by half a step at most, and the total is not below
    its class. Unlike a floor on the count, this depends on the total by its class only.
    """
    _, margin = coarsened(0.0, small, finest=FINEST)
    step = step_of(margin)
    return min(rounded_up(max(margin + step, max(floor, 1) / least + step / 2), margin), 1.0)


def _segment(exact: SegmentFigures, least_share: float, *, net: bool) -> SegmentFigures:
    """A segment's form, from its figures in the smallest federation of the class."""
    hidden = SegmentFigures(code=exact.code, en=exact.en, zh=exact.zh, suppressed=True)
    share = _share(exact.share_of_customers)
    if share is None or share.value < least_share:
        return hidden
    return hidden.model_copy(
        update={
            "suppressed": False,
            "share_of_customers": share,
            "share_of_revenue": _share(exact.share_of_revenue, net=net),
            **_averages(exact, net=net),
        }
    )
