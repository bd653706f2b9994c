"""Examples of this analysis for the suites that run over all: statistics, and slow code that says what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from row_kits import COLUMNS, Row, table
from statistic_kit import Reading, ReadingOf

from privacy.analyses.rfm.cut_sides import CutSides, FactCuts, SidesEstimate
from privacy.analyses.rfm.prefix_sums import FactGrid, PrefixEstimate, PrefixSums
from privacy.analyses.rfm.segment_totals import SegmentEstimate, SegmentTotals
from privacy.analyses.rfm.segments import CutPoints, SegmentRules, ThresholdRule
from privacy.statistics import Statistic
from privacy.statistics.square_root import root_coefficients

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


def _read_sides(statistic: CutSides, values: NDArray[np.int64], deviation: float) -> Reading:
    estimates: tuple[SidesEstimate, ...] = statistic.decode(values, deviation)
    return Reading(
        values=np.concatenate([e.beyond for e in estimates]),
        deviations=np.concatenate([np.sqrt(np.diag(e.covariance)) for e in estimates]),
        covariances=tuple(
            (4 * number + i, 4 * number + j, float(e.covariance[i, j]))
            for number, e in enumerate(estimates)
            for i in range(4)
            for j in range(4)
        ),
    )


def _true_sides(statistic: CutSides, customers: Sequence[Row]) -> list[float]:
    result = []
    for one in statistic.facts:
        values = [row[COLUMNS.index(one.fact)] for row in customers]
        ranks = zip(one.at, (0.2, 0.4, 0.6, 0.8), strict=True)
        result += [sum(value <= at for value in values) - rank * len(values) for at, rank in ranks]
    return result


def _read_totals(statistic: SegmentTotals, total: NDArray[np.int64], noise: float) -> Reading:
    estimates: tuple[SegmentEstimate, ...] = statistic.decode(total, noise)
    values, deviations = [], []
    covariances: list[tuple[int, int, float]] = []
    start = 0
    for e in estimates:
        cells = len(e.customers)
        values += [e.customers, e.orders, e.money]
        deviations += [np.full(cells, e.customers_deviation), e.orders_deviation, e.money_deviation]
        for cell in range(cells):
            count, orders, money = start + cell, start + cells + cell, start + 2 * cells + cell
            variance = e.customers_deviation**2
            middles = float(e.orders_middle[cell]), float(e.money_middle[cell])
            covariances += [(count, orders, middles[0] * variance), (count, money, middles[1] * variance)]
            covariances.append((orders, money, middles[0] * middles[1] * variance))
        start += 3 * cells
    return Reading(values=np.concatenate(values), deviations=np.concatenate(deviations), covariances=tuple(covariances))


def _slow_range(statistic: SegmentTotals, scheme: str, cell: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """What counts of one customer of ``eight``, ``ten``, ``eleven`` or ``rules``, written out rule by rule."""
    most_orders, most = statistic.orders_cap, statistic.money_cap
    if statistic.form == "capped":
        return (-most_orders, most_orders), (-most, most)
    cuts = statistic.rules.cuts
    most = max(most, cuts.money_high + 1)
    money = (-cuts.money_high if statistic.returns == "net" else 0, most)
    orders = (1, most_orders)

    def clip(pair: tuple[int, int], within: tuple[int, int]) -> tuple[int, int]:
        low = min(max(pair[0], within[0]), within[1])
        return low, max(low, min(max(pair[1], within[0]), within[1]))

    if scheme == "eight":
        money = (cuts.money_high, most) if cell < 4 else (money[0], cuts.money_high)
        wanted = (cuts.orders_high, most_orders) if cell % 2 == 0 else (1, cuts.orders_high - 1)
        return clip(wanted, orders), money
    if scheme in ("ten", "eleven"):
        _, scores = {"ten": TEN, "eleven": ELEVEN}[scheme][cell]
        ends = [1, *cuts.orders, most_orders + 1]
        return clip((ends[scores[0] - 1], most_orders if scores[-1] == 5 else ends[scores[-1]] - 1), orders), money
    own = RULE_RANGES.get(statistic.rules.segments("rules")[cell].code, ((1, 10**9), (-(10**9), 10**15)))
    return clip(own[0], orders), clip(own[1], money)


#: F scores of each segment, in the order of the scheme.
TEN = {
    0: ("champions", (4, 5)), 1: ("loyal", (4, 5)), 2: ("potential", (2, 3)), 3: ("new", (1, 1)),
    4: ("promising", (1, 1)), 5: ("attention", (3, 3)), 6: ("sleep", (1, 2)), 7: ("risk", (3, 4)),
    8: ("cant_lose", (5, 5)), 9: ("hibernating", (1, 2)),
}  # fmt: skip
ELEVEN = TEN | {10: ("lost", (1, 2))}
#: Orders and money, in minor units, that ``THRESHOLDS`` allow.
RULE_RANGES = {
    "vip": ((5, 10**9), (50_000, 10**15)),
    "mild_churn": ((2, 10**9), (-(10**9), 10**15)),
    "middle": ((1, 10**9), (1_250, 9_999)),
}


def _true_totals(statistic: SegmentTotals, customers: Sequence[Row]) -> list[int]:
    result: list[int] = []
    for scheme in statistic.schemes:
        cells = len(statistic.rules.segments(scheme))
        totals = [[0] * cells for _ in range(3)]
        for row in customers:
            cell = int(statistic.rules.assign(scheme, table([row]))[0])
            _, orders, money, _ = row
            counted = _slow_range(statistic, scheme, cell)
            totals[0][cell] += 1
            totals[1][cell] += max(counted[0][0], min(orders, counted[0][1]))
            totals[2][cell] += max(counted[1][0], min(money, counted[1][1]))
        result += [value for column in totals for value in column]
    return result


def _totals_tolerance(statistic: SegmentTotals, customers: int) -> NDArray[np.float64]:
    # Half a unit of rounding each, and what shifting a wide range by 34 bits takes; customers are exact.
    _, often, much = statistic.amplitudes
    orders = customers * statistic.orders_cap / often / 2
    money = customers * (statistic.money_cap + statistic.rules.cuts.money_high) * (1 / much / 2 + 2.0**-33)
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
    "cut_sides": (
        CutSides(facts=(FactCuts(fact="orders", at=(1, 1, 2, 2), permille=1000),)),
        CutSides(
            facts=(
                FactCuts(fact="recency_days", at=(10, 30, 90, 365), permille=500),
                FactCuts(fact="money", at=(-500, 0, 10_000, 20_000), permille=500),
            )
        ),
        CutSides(
            facts=(
                FactCuts(fact="tenure_days", at=(-(1 << 62), -1, (1 << 62) - 1, 1 << 62), permille=1),
                FactCuts(fact="money", at=(-1, 0, 0, 1), permille=999),
            )
        ),
    ),
    "segment_totals": (
        SegmentTotals(rules=RULES, schemes=("eight",), orders_cap=1, money_cap=1),
        SegmentTotals(rules=RULES, schemes=("rules",), orders_cap=24, money_cap=150_000),
        SegmentTotals(
            rules=RULES, schemes=("ten", "eleven", "eight", "rules"), orders_cap=1_000_000, money_cap=1 << 40
        ),
        SegmentTotals(rules=RULES, schemes=("eight",), orders_cap=24, money_cap=150_000, form="centred"),
        SegmentTotals(
            rules=RULES, schemes=("ten", "eleven", "eight", "rules"), orders_cap=1_000_000, money_cap=1 << 40,
            form="centred", returns="net",
        ),
    ),
}  # fmt: skip

READINGS: dict[str, ReadingOf] = {
    "prefix_sums": ReadingOf(read=_read_prefixes, truth=_true_prefixes, tolerance=_prefix_tolerance),
    "cut_sides": ReadingOf(read=_read_sides, truth=_true_sides, tolerance=lambda statistic, customers: 1e-6),
    "segment_totals": ReadingOf(read=_read_totals, truth=_true_totals, tolerance=_totals_tolerance),
}

#: Nouns of this room that no example of the kit has: parts of its statistics are found in those.
NOUNS = (FactCuts(fact="money", at=(1, 2, 2, 9), permille=1000),)
