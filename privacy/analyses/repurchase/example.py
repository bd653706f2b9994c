"""A small question of this analysis, and the customer that moves it most (``privacy.statistics.examples``)."""

from __future__ import annotations

from typing import Any

from privacy.analyses.repurchase.cohort_counts import CohortCounts
from privacy.analyses.repurchase.features import AGE, WAIT
from privacy.kernel.features import MISSING
from privacy.statistics.examples import Example, features_of

#: What a small study with this analysis says in its table.
OPTIONS: dict[str, Any] = {"cohorts": 2}

EXAMPLES = (
    Example(
        statistic=CohortCounts(day=0, upper=(0, 30), within=(30,), edges=(40, 130, 220)),
        crowd=features_of((AGE, WAIT), [(0, (12, MISSING)), (0, (200, 45)), (0, (60, 3))]),
        # In a cohort, and in time: a window with two ends, which no customer at the ends of a table is in.
        witness=features_of((AGE, WAIT), [(0, (40, 0))]),
    ),
)
