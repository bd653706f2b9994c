"""Examples of this analysis for the suites that run over all: statistics, and slow code that says what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from row_kits import COLUMNS, Row, table
from statistic_kit import Reading, ReadingOf

from privacy.analyses.rfm.prefix_sums import FactGrid, PrefixEstimate, PrefixSums, root_coefficients
from privacy.analyses.rfm.segment_totals import AMPLITUDES, SegmentEstimate, SegmentTotals
from privacy.analyses.rfm.segments import CutPoints, SegmentRules, ThresholdRule
from privacy.statistics import Statistic

CUTS = CutPoints(
    recency_days=(10, 30, 90, 365),
    orders=(2, 3, 5, 9),
    money=(1_000, 5_000, 20_000, 100_000),
    recency_high=60,
    orders_high=2,
    money_high=10_000,
)

THRESHOLDS = (
    ThresholdRule(code="vip", when="R<30, F>=5, M>=500", en="Very important", zh="贵宾"),
    ThresholdRule(code="mild_churn", when="R in 30..60 and F>=2"),
    ThresholdRule(code="middle", when="M in 12.50..99.99"),
)

RULES = SegmentRules(cuts=CUTS, thresholds=THRESHOLDS, money_unit=100)


def _read_prefixes(statistic: PrefixSums, values: NDArray[np.int64], deviation: float) -> Reading:
    estimates: tuple[PrefixEstimate, ...] = statistic.decode(values, deviation)
    covariances = []
    start = 0
    for estimate in estimates:
        last = start + estimate.grid.bins - 1
        covariances += [(start + j, last, float(c)) for j, c in enumerate(estimate.total_covariance)]
        start = last + 1
    return Reading(
        values=np.concatenate([e.prefix for e in estimates]),
        deviations=np.concatenate([e.deviation for e in estimates]),
        covariances=tuple(covariances),
    )


def _true_prefixes(statistic: PrefixSums, customers: Sequence[Row]) -> list[int]:
    result = []
    for grid in statistic.grids:
        values = [row[COLUMNS.index(grid.fact)] for row in customers]
        result += [sum(value <= upper for value in values) for upper in grid.upper] + [len(values)]
    return result


def _prefix_tolerance(statistic: PrefixSums, customers: int) -> NDArray[np.float64]:
    # Each integer coefficient is at most half a unit off the exact one.
    parts = [np.cumsum(root_coefficients(grid.bins)) * customers / grid.amplitude / 2 for grid in statistic.grids]
    return np.concatenate(parts) + 1e-6


def _read_totals(statistic: SegmentTotals, total: NDArray[np.int64], noise: float) -> Reading:
    estimates: tuple[SegmentEstimate, ...] = statistic.decode(total, noise)
    values, deviations = [], []
    for e in estimates:
        values += [e.customers, e.orders, e.money]
        deviations += [
            np.full(len(e.customers), deviation)
            for deviation in (e.customers_deviation, e.orders_deviation, e.money_deviation)
        ]
    return Reading(values=np.concatenate(values), deviations=np.concatenate(deviations))


def _true_totals(statistic: SegmentTotals, customers: Sequence[Row]) -> list[int]:
    result: list[int] = []
    for scheme in statistic.schemes:
        cells = len(statistic.rules.segments(scheme))
        totals = [[0] * cells for _ in range(3)]
        for row in customers:
            cell = int(statistic.rules.assign(scheme, table([row]))[0])
            _, orders, money, _ = row
            totals[0][cell] += 1
            totals[1][cell] += max(-statistic.orders_cap, min(orders, statistic.orders_cap))
            totals[2][cell] += max(-statistic.money_cap, min(money, statistic.money_cap))
        result += [value for column in totals for value in column]
    return result


def _totals_tolerance(statistic: SegmentTotals, customers: int) -> NDArray[np.float64]:
    # Half a unit of rounding each; customers are exact.
    orders = customers * statistic.orders_cap / AMPLITUDES[1] / 2
    money = customers * statistic.money_cap / AMPLITUDES[2] / 2
    parts = []
    for scheme in statistic.schemes:
        cells = len(statistic.rules.segments(scheme))
        parts += [np.full(cells, 1e-9), np.full(cells, orders), np.full(cells, money)]
    return np.concatenate(parts) * (1 + 1e-9) + 1e-6


#: Kind to examples: the smallest, an ordinary one, and one at the edges of what its fields allow.
STATISTICS: dict[str, tuple[Statistic[Any], ...]] = {
    "prefix_sums": (
        PrefixSums(grids=(FactGrid(fact="orders", upper=(1,), permille=1000),)),
        PrefixSums(
            grids=(
                FactGrid(fact="recency_days", upper=tuple(range(0, 60, 3)), permille=440),
                FactGrid(fact="money", upper=(-500, 0, 1, 10_000, 1_000_000), permille=380),
                FactGrid(fact="orders", upper=(1, 2, 3, 5, 8), permille=180),
            )
        ),
        PrefixSums(
            grids=(
                FactGrid(fact="tenure_days", upper=(-(1 << 62), -1, (1 << 62) - 1, 1 << 62), permille=1),
                FactGrid(fact="money", upper=tuple(range(-300, 300)), permille=999),
            )
        ),
    ),
    "segment_totals": (
        SegmentTotals(rules=RULES, schemes=("eight",), orders_cap=1, money_cap=1),
        SegmentTotals(rules=RULES, schemes=("rules",), orders_cap=24, money_cap=150_000),
        SegmentTotals(
            rules=RULES, schemes=("ten", "eleven", "eight", "rules"), orders_cap=1_000_000, money_cap=1 << 40
        ),
    ),
}  # fmt: skip

READINGS: dict[str, ReadingOf] = {
    "prefix_sums": ReadingOf(read=_read_prefixes, truth=_true_prefixes, tolerance=_prefix_tolerance),
    "segment_totals": ReadingOf(read=_read_totals, truth=_true_totals, tolerance=_totals_tolerance),
}
