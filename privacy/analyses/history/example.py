"""Small questions of this analysis, and the customers that move them most (``privacy.statistics.examples``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from privacy.analyses.history.day_values import DayValues
from privacy.analyses.history.features import DAY_VALUE, EVEN, ODD
from privacy.analyses.history.history_cells import FACTS, HistoryCells
from privacy.kernel.features import MISSING
from privacy.statistics import Statistic
from privacy.statistics.examples import FAR, Back, Example, features_of

#: What a small study with this analysis says in its table.
OPTIONS: dict[str, Any] = {"window_days": 365, "value_cap": 100}


def _higher_cap(statistic: DayValues, factor: int) -> tuple[Statistic[Any], Back]:
    """A cap so many times as high: spend is a smaller part of it, and a product of two much smaller."""
    back = np.array([1.0, factor, 1.0, factor, factor**2, factor**2, 1.0])
    return statistic.model_copy(update={"cap": statistic.cap * factor}), lambda total: total * back


EXAMPLES = (
    Example(
        statistic=HistoryCells(day=0, window_days=365),
        crowd=features_of(FACTS, [(0, (1, 40, 40)), (0, (3, 12, 200)), (0, (20, 1, 360))]),
        witness=features_of(FACTS, [(0, (2, 10, 300))]),
    ),
    Example(
        statistic=DayValues(day=0, cap=10_000),
        crowd=features_of(
            ("purchase_days", DAY_VALUE, ODD, EVEN),
            [(0, (1, 1_990, 1_990, MISSING)), (0, (3, 4_000, 3_000, 5_500)), (0, (9, 700, 650, 820))],
        ),
        witness=features_of(("purchase_days", DAY_VALUE, ODD, EVEN), [(0, (2, FAR, FAR, FAR))]),
        unclipped=_higher_cap,
    ),
)
