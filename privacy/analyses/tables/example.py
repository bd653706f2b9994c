"""A small question of this analysis, and the customer that moves it most (``privacy.statistics.examples``)."""

from __future__ import annotations

from typing import Any

from privacy.analyses.tables.cell_sums import MILLION, CellBlock, CellMeasure, CellSums
from privacy.statistics.examples import FAR, Back, Example, cells_of, times


def _higher_caps(statistic: CellSums, factor: int) -> tuple[CellSums, Back]:
    """Caps so many times as high, so that one full cap is as many times as much."""
    blocks = (
        block.model_copy(
            update={"measures": tuple(one.model_copy(update={"cap": one.cap * factor}) for one in block.measures)}
        )
        for block in statistic.tables
    )
    return statistic.model_copy(update={"tables": tuple(blocks)}), times(factor)


#: What a small study with this analysis says in its table.
OPTIONS: dict[str, Any] = {
    "table": [
        {
            "name": "tenure",
            "by": [{"dimension": "tenure_band", "keys": {"upper": [90]}}],
            "measure": [{"name": "customers"}, {"name": "money", "of": "sum(order.amount)", "cap": 100}],
        }
    ]
}

EXAMPLES = (
    Example(
        statistic=CellSums(
            tables=(
                CellBlock(
                    name="one", cells=2, part=MILLION // 2,
                    measures=(CellMeasure(cap=1, part=MILLION // 2), CellMeasure(cap=10_000, part=MILLION // 2)),
                ),
                CellBlock(
                    name="several", cells=3, usual_cells=1, most_cells=3, part=MILLION // 2, lost=20_000,
                    measures=(CellMeasure(cap=1, part=MILLION),),
                ),
            )
        ),
        crowd=cells_of([[(0, 0, 1, 1_990), (1, 2, 1, 0)], [(0, 1, 1, 12_500)], [(1, 0, 1, 0), (1, 1, 1, 0)]]),
        # In more cells than usual, with more than every cap: scaled down to the ball in both tables.
        witness=cells_of([[(0, 0, FAR, FAR), (0, 1, FAR, FAR), *((1, cell, FAR, 0) for cell in range(3))]]),
        unclipped=_higher_caps,
    ),
)  # fmt: skip
