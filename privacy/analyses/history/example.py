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


#: All that both questions look at: one holder's table is of all of an analysis' features.
_NAMES = (*FACTS, DAY_VALUE, ODD, EVEN)
_CROWD = features_of(
    _NAMES,
    [
        (0, (1, 40, 40, 1_990, 1_990, MISSING)),
        (0, (3, 12, 200, 4_000, 3_000, 5_500)),
        (0, (20, 1, 360, 700, 650, 820)),
    ],
)
#: In the window, with two days of purchase, both far beyond the cap.
_WITNESS = features_of(_NAMES, [(0, (2, 10, 300, FAR, FAR, FAR))])

EXAMPLES = (
    Example(statistic=HistoryCells(day=0, window_days=365), crowd=_CROWD, witness=_WITNESS),
    Example(statistic=DayValues(day=0, cap=10_000), crowd=_CROWD, witness=_WITNESS, unclipped=_higher_cap),
)
