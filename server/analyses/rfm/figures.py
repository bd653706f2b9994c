"""From releases to the figures that are published: segments with their margins, and distributions for pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.rfm.results import Concentration, Distribution, SchemeFigures, SegmentFigures
from privacy.analyses.rfm.segment_totals import SegmentEstimate, SegmentTotals
from privacy.analyses.rfm.segments import VALUE_ACTIVITY, CutPoints, SchemeName, Segment
from privacy.figures.estimates import Z95, Estimate
from privacy.figures.quotient import quotient, share, within
from server.analyses.rfm.cut_points import (
    QUINTILES,
    Cumulative,
)
from server.analyses.rfm.plan import ORDERS_SINGLE

FloatArray = NDArray[np.float64]

#: Bars in the report's pictures.
_DISPLAY_BINS = 40


class Limits(NamedTuple):
    """Least and most of one customer as it is counted: orders, and money in major units."""

    orders: tuple[float, float]
    money: tuple[float, float]


class Tail(NamedTuple):
    """What lies above a cap and is not counted, as a part of what is: an estimate, and the most that is allowed for."""

    likely: float
    most: float


class Tails(NamedTuple):
    """Of both facts that are counted up to a cap."""

    orders: Tail
    money: Tail


class Total(NamedTuple):
    """A sum that was released, and the standard deviation of its noise."""

    value: float
    deviation: float

    def estimate(self) -> Estimate:
        """With its 95% interval."""
        return Estimate(value=self.value, margin=Z95 * self.deviation)


class Totals(NamedTuple):
    """Customer records, orders and revenue (major units) of the same customers.

    Attributes:
        customers, orders, revenue: the sums as they are counted.
        covariances: of the noise of orders and customers, of revenue and customers, of revenue and orders.
    """

    customers: Total
    orders: Total
    revenue: Total
    covariances: tuple[float, float, float] = (0.0, 0.0, 0.0)


class Averages(TypedDict):
    """Averages by their names in results."""

    orders_per_customer: Estimate | None
    revenue_per_customer: Estimate | None
    revenue_per_order: Estimate | None


def averages(totals: Totals, limits: Limits) -> Averages:
    """Averages over customers, each None where the noise leaves too little of the total below.

    What a customer cannot have is cut off: less or more than is counted of one. As every customer has an order, an
    order brings no more than the most that a customer can.
    """
    of_orders, of_revenue, of_both = totals.covariances
    least, most = limits.money
    return Averages(
        orders_per_customer=_average(totals.orders, totals.customers, of_orders, limits.orders),
        revenue_per_customer=_average(totals.revenue, totals.customers, of_revenue, limits.money),
        revenue_per_order=_average(totals.revenue, totals.orders, of_both, (min(least, 0.0), most)),
    )


def share_of(part: Total, whole: Total, *, signed: bool = False) -> Estimate | None:
    """A segment's part of the sum of all segments, whose noise contains the segment's own.

    Args:
        part, whole: of the segment and of all.
        signed: a segment's sum may be negative in truth, and its share below 0 or above 1.
    """
    rest = max(whole.deviation**2 - part.deviation**2, 0.0)
    return share(part.value, whole.value - part.value, (part.deviation**2, rest), signed=signed)


def _average(above: Total, below: Total, covariance: float, between: tuple[float, float]) -> Estimate | None:
    found = quotient(above.value, below.value, (above.deviation**2, below.deviation**2), covariance)
    return None if found is None else within(found, *between)


#: How far a segment's part of what lies above a cap may be from the estimated part, beside the noise in that estimate.
_ELSEWHERE = 0.1
#: Segments with fewer records than this are taken to have so many where what lies above a cap is dealt out.
_FEW = 20.0


@dataclass(frozen=True, kw_only=True, eq=False)
class _Above:
    """What lies above a cap, dealt out to the segments whose customers may have more than is counted.

    A segment gets it in proportion to its sum times its mean. The interval allows for the most, for the noise in these
    sums, and for a tenth more of it here or elsewhere.

    Attributes:
        likely, most: of all segments together.
        part: each segment's estimated part, shape ``(segments,)``.
        least, largest: the ends of what a segment's part may be, 0 where it may have none; same shape.
    """

    likely: float
    most: float
    part: FloatArray
    least: FloatArray
    largest: FloatArray

    @classmethod
    def of(
        cls, tail: Tail, sums: FloatArray, deviations: FloatArray, customers: FloatArray, open_: NDArray[np.bool_]
    ) -> _Above:
        """Deal a tail out.

        Args:
            tail: of all segments together.
            sums, deviations, customers: what was released of each, shape ``(segments,)``.
            open_: which segments may have any of it.
        """
        whole = max(float(sums.sum()), 0.0)
        weight = np.where(open_, np.maximum(sums, 0.0) ** 2 / np.maximum(customers, _FEW), 0.0)
        total = float(weight.sum())
        part = weight / total if total > 0 else weight
        likely = tail.likely * whole if total > 0 else 0.0
        away = _spread_of_parts(part, deviations / np.maximum(sums, np.maximum(deviations, 1e-9)))
        least, largest = _odds_moved(part, -away) - _ELSEWHERE, _odds_moved(part, away) + _ELSEWHERE
        return cls(
            likely=likely,
            most=max(tail.most * whole, likely),
            part=part,
            least=np.where(open_, np.maximum(least, 0.0), 0.0),
            largest=np.where(open_, np.minimum(largest, 1.0), 0.0),
        )

    def added_to(self, counted: Total, segments: Sequence[int]) -> Estimate:
        """The whole sum of one or several segments: the released one, and their part of what was not counted."""
        _, most = self._ends(segments)
        return _added(counted, self.likely * self._part(segments), self.most * most)

    def _part(self, segments: Sequence[int]) -> float:
        return float(self.part[list(segments)].sum())

    def _ends(self, segments: Sequence[int]) -> tuple[float, float]:
        """Least and most of what may be theirs together."""
        places = list(segments)
        return min(float(self.least[places].sum()), 1.0), min(float(self.largest[places].sum()), 1.0)

    def added_to_all(self, counted: Total) -> Estimate:
        """The same of all segments together."""
        return _added(counted, self.likely, self.most)

    def share(self, part: Total, whole: Total, segments: Sequence[int], *, signed: bool) -> Estimate | None:
        """The share of everything of segments: the hull of no tail, and of the largest one put here or elsewhere."""
        least, most = self._ends(segments)

        def at(tail: float, weight: float) -> Estimate | None:
            here = Total(part.value + tail * weight, part.deviation)
            return share_of(here, Total(whole.value + tail, whole.deviation), signed=signed)

        counted = share_of(part, whole, signed=signed)  # None: the total that was released is not clear of its noise
        likely = at(self.likely, self._part(segments))
        ends = [found.interval for found in (counted, at(self.most, most), at(self.most, least)) if found is not None]
        if counted is None or likely is None:
            return None
        low, high = min(end[0] for end in ends), max(end[1] for end in ends)
        value = min(max(likely.value, low), high)
        return Estimate.between(low, value, high)


def _spread_of_parts(part: FloatArray, relative: FloatArray) -> FloatArray:
    """Standard deviation of the log odds of each part, to first order, where parts go with the squares of noisy sums.

    ``log(w_i / (1 - w_i)) = log g_i - log sum_(j != i) g_j`` with ``g`` a sum's square, whose logarithm has twice the
    relative deviation of the sum (delta method).

    Args:
        part: the parts w, which add up to 1; shape ``(segments,)``.
        relative: deviation of each sum over the sum, same shape.
    """
    noise = (2 * part * relative) ** 2
    others = (noise.sum() - noise) / np.maximum(1 - part, 1e-9) ** 2
    return np.asarray(np.sqrt(4 * relative**2 + others))


def _odds_moved(part: FloatArray, away: FloatArray) -> FloatArray:
    """Parts whose log odds are moved by so much; 0 and 1 stay."""
    up = part * np.exp(np.clip(away, -50, 50))
    return np.asarray(up / (up + (1 - part)))


def _added(counted: Total, likely: float, most: float) -> Estimate:
    """A sum with what lies above the cap: the value has the estimate of it, the upper end the most."""
    margin = Z95 * counted.deviation
    if most <= 0:
        return counted.estimate()
    value, low, high = counted.value + likely, counted.value - margin, counted.value + math.hypot(margin, most)
    high = max(high, value)
    return Estimate.between(low, value, high)


def scheme_figures(estimate: SegmentEstimate, question: SegmentTotals, tails: Tails, *, floor: int) -> SchemeFigures:
    """A segmentation's figures with their intervals; cells under the floor are suppressed.

    Args:
        estimate: what was released.
        question: what was asked.
        tails: what lies above the caps; it is added to orders and revenue, and to shares of revenue. Averages are of
            what is counted.
        floor: least number of records of a segment that is shown.
    """
    segments = question.rules.segments(estimate.scheme)
    cells = tuple((segment, (place,)) for place, segment in enumerate(segments))
    return _Release(estimate, question, tails).figures(estimate.scheme, cells, floor)


def value_activity_figures(
    estimate: SegmentEstimate, question: SegmentTotals, tails: Tails, *, floor: int
) -> SchemeFigures:
    """Value by activity, from what was released of the eight segments; arguments as in :func:`scheme_figures`."""
    return _Release(estimate, question, tails).figures("value_activity", VALUE_ACTIVITY, floor)


#: A segment of a page, and the places of the released ones that it is put together from.
_Put = tuple[Segment, tuple[int, ...]]


class _Release:
    """Released totals of one segmentation, and what lies above the caps."""

    def __init__(self, estimate: SegmentEstimate, question: SegmentTotals, tails: Tails) -> None:
        unit = question.rules.money_unit
        self._question, self._ranges = question, question.ranges(estimate.scheme)
        self._totals = [_totals(estimate, segment, unit) for segment in range(len(estimate.customers))]
        self._orders = _Above.of(
            tails.orders, estimate.orders, estimate.orders_deviation, estimate.customers, self._ranges.open[:, 0]
        )
        self._money = _Above.of(
            tails.money, estimate.money / unit, estimate.money_deviation / unit, estimate.customers,
            self._ranges.open[:, 1],
        )  # fmt: skip

    def figures(self, scheme: SchemeName, segments: Sequence[_Put], floor: int) -> SchemeFigures:
        """The figures of segments that are put together from released ones, each of which is in one of them."""
        whole, everything = self._sum(range(len(self._totals))), range(len(self._totals))
        return SchemeFigures(
            scheme=scheme,
            segments=tuple(self._segment(segment, members, whole, floor) for segment, members in segments),
            total_customers=whole.customers.estimate(),
            total_orders=self._orders.added_to_all(whole.orders),
            total_revenue=self._money.added_to_all(whole.revenue),
            counted_orders=whole.orders.estimate(),
            counted_revenue=whole.revenue.estimate(),
            **averages(whole, self._limits(everything)),
        )

    def _segment(self, segment: Segment, members: Sequence[int], whole: Totals, floor: int) -> SegmentFigures:
        counted, signed = self._sum(members), self._question.returns == "net"
        if counted.customers.value < max(floor, 1):
            return SegmentFigures(code=segment.code, en=segment.en, zh=segment.zh, suppressed=True)
        return SegmentFigures(
            code=segment.code,
            en=segment.en,
            zh=segment.zh,
            suppressed=False,
            customers=counted.customers.estimate(),
            orders=self._orders.added_to(counted.orders, members),
            revenue=self._money.added_to(counted.revenue, members),
            share_of_customers=share_of(counted.customers, whole.customers),
            share_of_revenue=self._money.share(counted.revenue, whole.revenue, members, signed=signed),
            share_of_counted=share_of(counted.revenue, whole.revenue, signed=signed),
            **averages(counted, self._limits(members)),
        )

    def _sum(self, members: Sequence[int]) -> Totals:
        totals = [self._totals[place] for place in members]
        return Totals(
            _sum([item.customers for item in totals]),
            _sum([item.orders for item in totals]),
            _sum([item.revenue for item in totals]),
            _three(np.sum([item.covariances for item in totals], axis=0)),
        )

    def _limits(self, members: Sequence[int]) -> Limits:
        places = list(members)
        return _limits(self._ranges.low[places].min(axis=0), self._ranges.high[places].max(axis=0), self._question)


def _totals(estimate: SegmentEstimate, segment: int, unit: int) -> Totals:
    variance = estimate.customers_deviation**2
    orders, money = float(estimate.orders_middle[segment]), float(estimate.money_middle[segment]) / unit
    return Totals(
        Total(float(estimate.customers[segment]), estimate.customers_deviation),
        Total(float(estimate.orders[segment]), float(estimate.orders_deviation[segment])),
        Total(float(estimate.money[segment]) / unit, float(estimate.money_deviation[segment]) / unit),
        (orders * variance, money * variance, orders * money * variance),
    )


def _sum(totals: Sequence[Total]) -> Total:
    return Total(sum(total.value for total in totals), math.hypot(*(total.deviation for total in totals)))


def _three(values: FloatArray) -> tuple[float, float, float]:
    a, b, c = (float(value) for value in values)
    return (a, b, c)


def _limits(low: NDArray[np.int64], high: NDArray[np.int64], question: SegmentTotals) -> Limits:
    """Of one segment, or of all; a customer has an order at least, and less than no money net of returns only."""
    unit = question.rules.money_unit
    least = float(low[1]) / unit
    orders = (max(float(low[0]), 1.0), max(float(high[0]), 1.0))
    return Limits(orders=orders, money=(least if question.returns == "net" else max(least, 0.0), float(high[1]) / unit))


def distribution_of(
    feature: Literal["recency_days", "orders", "money"],
    fact: Cumulative,
    cuts: CutPoints,
    unit: int,
    concentration: Concentration | None = None,
) -> Distribution:
    """A distribution coarsened for a picture, with its cuts; of money with what those who spend most bring."""
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
        concentration=concentration,
    )


def _float4(values: Sequence[float]) -> tuple[float, float, float, float]:
    a, b, c, d = (float(value) for value in values)
    return (a, b, c, d)
