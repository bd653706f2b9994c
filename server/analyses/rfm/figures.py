"""From releases to the figures that are published: segments with their margins, and distributions for pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypedDict

import numpy as np

from privacy.analyses.rfm.results import Distribution, SchemeFigures, SegmentFigures
from privacy.analyses.rfm.segment_totals import SegmentEstimate
from privacy.analyses.rfm.segments import CutPoints, SegmentRules
from privacy.figures.estimates import Z95, Estimate
from privacy.figures.quotient import quotient, share, within
from server.analyses.rfm.cut_points import (
    QUINTILES,
    Cumulative,
)
from server.analyses.rfm.plan import ORDERS_SINGLE

#: Bars in the report's pictures.
_DISPLAY_BINS = 40


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Between what the counted facts of one customer lie.

    Attributes:
        orders: most of them; the least is one.
        money: least and most, in major units.
    """

    orders: float
    money: tuple[float, float]


class Total(NamedTuple):
    """A sum that was released, and the standard deviation of its noise."""

    value: float
    deviation: float


class Totals(NamedTuple):
    """Customer records, orders and revenue (major units) of the same customers; their noises are independent."""

    customers: Total
    orders: Total
    revenue: Total

    def divided(self, factor: float) -> Totals:
        """What they would be of a smaller number of customers, alike in everything, under the same noise."""
        return Totals(*(Total(total.value / factor, total.deviation) for total in self))


class Averages(TypedDict):
    """Averages by their names in results."""

    orders_per_customer: Estimate | None
    revenue_per_customer: Estimate | None
    revenue_per_order: Estimate | None


def averages(totals: Totals, limits: Limits) -> Averages:
    """Averages over customers, each None where the noise leaves too little of the total below.

    What a customer cannot have is cut off: fewer than one order, or less or more money than is counted of one. As every
    customer has an order, an order brings no more than the most that a customer can.
    """
    least, most = limits.money
    money = (min(least, 0.0), most)
    return Averages(
        orders_per_customer=_average(totals.orders, totals.customers, (1.0, max(limits.orders, 1.0))),
        revenue_per_customer=_average(totals.revenue, totals.customers, money),
        revenue_per_order=_average(totals.revenue, totals.orders, money),
    )


def share_of(part: Total, whole: Total, *, signed: bool = False) -> Estimate | None:
    """A segment's part of the sum of all segments, whose noise contains the segment's own.

    Args:
        part, whole: of the segment and of all.
        signed: a segment's sum may be negative in truth, and its share below 0 or above 1.
    """
    rest = max(whole.deviation**2 - part.deviation**2, 0.0)
    return share(part.value, whole.value - part.value, (part.deviation**2, rest), signed=signed)


def _average(above: Total, below: Total, between: tuple[float, float]) -> Estimate | None:
    found = quotient(above.value, below.value, (above.deviation**2, below.deviation**2))
    return None if found is None else within(found, *between)


def scheme_figures(
    estimate: SegmentEstimate, rules: SegmentRules, limits: Limits, *, floor: int, unit: int
) -> SchemeFigures:
    """A segmentation's figures with their intervals; cells under the floor are suppressed."""
    deviations = (estimate.customers_deviation, estimate.orders_deviation, estimate.money_deviation / unit)
    columns = np.stack([estimate.customers, estimate.orders, estimate.money / unit])
    spread = math.sqrt(columns.shape[1])
    whole = Totals(*(Total(float(c.sum()), d * spread) for c, d in zip(columns, deviations, strict=True)))
    rows = []
    for segment, values in zip(rules.segments(estimate.scheme), columns.T.tolist(), strict=True):
        if values[0] < max(floor, 1):
            rows.append(SegmentFigures(code=segment.code, en=segment.en, zh=segment.zh, suppressed=True))
            continue
        totals = Totals(*(Total(value, deviation) for value, deviation in zip(values, deviations, strict=True)))
        customers, orders, revenue = (_estimate(total) for total in totals)
        rows.append(
            SegmentFigures(
                code=segment.code,
                en=segment.en,
                zh=segment.zh,
                suppressed=False,
                customers=customers,
                orders=orders,
                revenue=revenue,
                share_of_customers=share_of(totals.customers, whole.customers),
                share_of_revenue=share_of(totals.revenue, whole.revenue, signed=limits.money[0] < 0),
                **averages(totals, limits),
            )
        )
    customers, orders, revenue = (_estimate(total) for total in whole)
    return SchemeFigures(
        scheme=estimate.scheme,
        segments=tuple(rows),
        total_customers=customers,
        total_orders=orders,
        total_revenue=revenue,
        **averages(whole, limits),
    )


def _estimate(total: Total) -> Estimate:
    return Estimate(value=total.value, margin=Z95 * total.deviation)


def distribution_of(
    feature: Literal["recency_days", "orders", "money"], fact: Cumulative, cuts: CutPoints, unit: int
) -> Distribution:
    """A distribution coarsened for a picture, with its cuts."""
    quintiles = {"recency_days": cuts.recency_days, "orders": cuts.orders, "money": cuts.money}[feature]
    high = {"recency_days": cuts.recency_high, "orders": cuts.orders_high, "money": cuts.money_high}[feature]
    upper = np.array(fact.grid.upper)
    if feature == "recency_days":
        top = upper[min(fact.first_reaching(0.995), len(upper) - 1)]
        ends = np.unique(np.searchsorted(upper, np.linspace(0, top, _DISPLAY_BINS + 1)[1:]))
    elif feature == "orders":
        ends = np.flatnonzero(upper <= ORDERS_SINGLE)
    else:
        # With next to no customers the noise may leave every share unreached: both ends then are the last bin.
        last = min(fact.first_reaching(0.995), len(upper) - 1)
        first = min(fact.first_reaching(0.005), last)
        ends = np.unique(np.linspace(first, last, _DISPLAY_BINS).round().astype(int))
    share = np.diff(np.concatenate([[0.0], fact.share[ends]]))
    return Distribution(
        feature=feature,
        upper=tuple(float(value) / unit for value in upper[ends]),
        share=tuple(float(max(value, 0.0)) for value in share),
        cuts=_float4([value / unit for value in quintiles]),
        high=high / unit,
        rank_margin=_float4([fact.rank_margin(rank) for rank in QUINTILES]),
    )


def _float4(values: Sequence[float]) -> tuple[float, float, float, float]:
    a, b, c, d = (float(value) for value in values)
    return (a, b, c, d)
