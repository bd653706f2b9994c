"""From releases to the figures that are published: segments with their margins, and distributions for pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from privacy.analyses.rfm.results import Distribution, SchemeFigures, SegmentFigures
from privacy.analyses.rfm.segment_totals import SegmentEstimate
from privacy.analyses.rfm.segments import CutPoints, SegmentRules
from privacy.figures.estimates import Z95, Estimate
from server.analyses.rfm.cut_points import (
    QUINTILES,
    Cumulative,
)
from server.analyses.rfm.plan import ORDERS_SINGLE

#: Bars in the report's pictures.
_DISPLAY_BINS = 40


def scheme_figures(estimate: SegmentEstimate, rules: SegmentRules, *, floor: int, unit: int) -> SchemeFigures:
    """A segmentation's figures with their margins; cells under the floor are suppressed."""
    count_margin = Z95 * estimate.customers_deviation
    orders_margin = Z95 * estimate.orders_deviation
    money_margin = Z95 * estimate.money_deviation / unit
    money = estimate.money / unit
    cells = len(money)
    totals = [float(column.sum()) for column in (estimate.customers, estimate.orders, money)]
    rows = []
    for index, segment in enumerate(rules.segments(estimate.scheme)):
        count = float(estimate.customers[index])
        if count < max(floor, 1):
            rows.append(SegmentFigures(code=segment.code, en=segment.en, zh=segment.zh, suppressed=True))
            continue
        ordered, spent = float(estimate.orders[index]), float(money[index])
        rows.append(
            SegmentFigures(
                code=segment.code,
                en=segment.en,
                zh=segment.zh,
                suppressed=False,
                customers=Estimate(value=count, margin=count_margin),
                orders=Estimate(value=ordered, margin=orders_margin),
                revenue=Estimate(value=spent, margin=money_margin),
                share_of_customers=_share(count, totals[0], count_margin, cells),
                share_of_revenue=_share(spent, totals[2], money_margin, cells),
                orders_per_customer=_ratio(ordered, orders_margin, count, count_margin),
                revenue_per_customer=_ratio(spent, money_margin, count, count_margin),
                revenue_per_order=_ratio(spent, money_margin, ordered, orders_margin),
            )
        )
    spread = math.sqrt(cells)
    return SchemeFigures(
        scheme=estimate.scheme,
        segments=tuple(rows),
        total_customers=Estimate(value=totals[0], margin=count_margin * spread),
        total_orders=Estimate(value=totals[1], margin=orders_margin * spread),
        total_revenue=Estimate(value=totals[2], margin=money_margin * spread),
        orders_per_customer=_ratio(totals[1], orders_margin * spread, totals[0], count_margin * spread),
        revenue_per_customer=_ratio(totals[2], money_margin * spread, totals[0], count_margin * spread),
        revenue_per_order=_ratio(totals[2], money_margin * spread, totals[1], orders_margin * spread),
    )


def _ratio(top: float, top_margin: float, bottom: float, bottom_margin: float) -> Estimate | None:
    """A quotient of two noisy totals; None where the lower total is not clear of zero.

    First order (delta method): ``sd(top / bottom) = hypot(sd(top), value sd(bottom)) / bottom`` for independent noise.
    """
    if bottom <= bottom_margin:
        return None
    value = top / bottom
    return Estimate(value=value, margin=math.hypot(top_margin, value * bottom_margin) / bottom)


def _share(part: float, total: float, margin: float, cells: int) -> Estimate | None:
    """A cell's share of the total of all cells, whose noise contains the cell's own.

    First order (delta method): ``part / total`` moves with the cell's own noise by ``(1 - value) / total`` and with
    that of each other cell by ``-value / total``. None where the total is not clear of its noise.
    """
    if total <= margin * math.sqrt(cells):
        return None
    value = part / total
    spread = math.sqrt(max((1 - value) ** 2 + value**2 * (cells - 1), 0.0))
    return Estimate(value=value, margin=margin * spread / total)


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
