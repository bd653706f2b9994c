"""Small questions of this analysis, and the customers that move them most (``privacy.statistics.examples``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from privacy.analyses.rfm.cut_sides import CutSides, FactCuts
from privacy.analyses.rfm.prefix_sums import FactGrid, PrefixSums
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.analyses.rfm.segments import CutPoints, SegmentRules, ThresholdRule
from privacy.statistics.base import IntArray, Statistic
from privacy.statistics.examples import FAR, Back, Example, FloatArray, columns_of

_CROWD = columns_of([(12, 1, 1_990, 12), (45, 3, 12_500, 300), (200, 7, 88_000, 640)])
_WITNESS = columns_of([(-FAR, -FAR, -FAR, -FAR)])
#: Rules bound a segment below, caps above: who is beyond the caps is who an encoder must clip.
_WHOLESALER = columns_of([(-FAR, FAR, FAR, -FAR)])

_RULES = SegmentRules(
    cuts=CutPoints(
        recency_days=(10, 30, 90, 365), orders=(2, 3, 5, 9), money=(1_000, 5_000, 20_000, 100_000),
        recency_high=60, orders_high=2, money_high=10_000,
    ),
    thresholds=(ThresholdRule(code="often", when="F>=5"),),
    money_unit=100,
)  # fmt: skip


def _higher_caps(statistic: SegmentTotals, factor: int) -> tuple[Statistic[Any], Back]:
    caps = {"orders_cap": statistic.orders_cap * factor, "money_cap": statistic.money_cap * factor}
    wider = statistic.model_copy(update=caps)

    def back(total: IntArray) -> FloatArray:
        """Sums from the wider ranges, measured from the middles of the ranges of before."""
        cells = []
        for found in wider.decode(total, 0.0):
            ranges = statistic.ranges(found.scheme)
            away = np.stack([found.orders, found.money], axis=1) - ranges.middle * found.customers[:, np.newaxis]
            places = np.divide(away, ranges.half, out=np.zeros_like(away), where=ranges.half > 0)
            cells.append(np.column_stack([found.customers, places]))
        return np.asarray(np.concatenate(cells) * statistic.amplitudes).ravel()

    return wider, back


#: What a small study with this analysis says in its table.
OPTIONS: dict[str, Any] = {}

EXAMPLES = (
    Example(
        statistic=PrefixSums(
            grids=(
                FactGrid(fact="orders", upper=(1, 2, 5), permille=400),
                FactGrid(fact="money", upper=(1_000, 10_000, 100_000), permille=600),
            )
        ),
        crowd=_CROWD,
        witness=_WITNESS,
    ),
    Example(
        statistic=CutSides(
            facts=(
                FactCuts(fact="recency_days", at=(30, 60, 90, 365), permille=500),
                FactCuts(fact="money", at=(2_000, 10_000, 20_000, 50_000), permille=500),
            )
        ),
        crowd=_CROWD,
        witness=_WITNESS,
    ),
    Example(
        statistic=SegmentTotals(
            rules=_RULES, schemes=("rules", "eight"), orders_cap=9, money_cap=40_000, form="centred"
        ),
        crowd=_CROWD,
        witness=_WHOLESALER,
        unclipped=_higher_caps,
    ),
)
