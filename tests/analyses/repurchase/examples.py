"""Examples of this analysis for the suites that run over all: statistics, and slow code that says what they mean."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from row_kits import FEATURE_DAYS, FeatureRow
from statistic_kit import Reading, ReadingOf

from privacy.analyses.repurchase.cohort_counts import CohortCounts
from privacy.analyses.repurchase.features import AGE, WAIT
from privacy.analyses.repurchase.options import BINS, RepurchaseOptions
from privacy.kernel.features import MISSING, FeatureTable
from privacy.protocol.study import Study
from privacy.statistics import Statistic

#: The features of a row, in the order of their names.
_NAMES = sorted((AGE, WAIT))

#: Kind to examples: the smallest, an ordinary one, and one at the edges of what its fields allow.
STATISTICS: dict[str, tuple[Statistic[Any], ...]] = {
    "cohort_counts": (
        CohortCounts(day=0, upper=(0,), within=(0,), edges=(0, 1)),
        CohortCounts(day=1, upper=BINS, within=(30, 60, 90), edges=(32, 62, 93, 123, 370)),
        CohortCounts(
            day=FEATURE_DAYS - 1,
            upper=(*range(99), 100_000),
            within=(0, 1, 2, 3, 99_999, 100_000),
            edges=(*range(0, 240, 2), 100_000),
        ),
    ),
}


def _read(statistic: CohortCounts, values: NDArray[np.int64], noise: float) -> Reading:
    found = statistic.decode(values, noise)
    parts = (found.waits, found.sizes, found.in_time.ravel())
    return Reading(
        values=np.concatenate(parts),
        deviations=np.concatenate([np.full(part.size, d) for part, d in zip(parts, found.deviations, strict=True)]),
    )


def _truth(statistic: CohortCounts, customers: Sequence[FeatureRow]) -> list[int]:
    """Customer by customer, by walking along all bins."""
    waits = [0] * (len(statistic.upper) + 2)
    sizes = [0] * statistic.cohorts
    in_time = [[0] * len(statistic.within) for _ in sizes]
    for row in customers:
        eligible, _, values = row[statistic.day]
        if eligible != 1:
            continue
        age, wait = values[_NAMES.index(AGE)], values[_NAMES.index(WAIT)]
        waits[-1 if wait == MISSING else sum(wait > upper for upper in statistic.upper)] += 1
        for cohort in range(statistic.cohorts):
            if statistic.edges[cohort] <= age < statistic.edges[cohort + 1]:
                sizes[cohort] += 1
                limits = [number for number, days in enumerate(statistic.within) if wait <= days]
                if wait != MISSING and limits:
                    in_time[cohort][limits[0]] += 1
    return [*waits, *sizes, *(count for cohort in in_time for count in cohort)]


def _witness(statistic: CohortCounts) -> FeatureRow:
    """In the youngest cohort, and in time."""
    values = {AGE: statistic.edges[0], WAIT: 0}
    return ((1, 0, tuple(values[name] for name in _NAMES)),) * FEATURE_DAYS


READINGS: dict[str, ReadingOf] = {
    "cohort_counts": ReadingOf(
        read=_read, truth=_truth, tolerance=lambda statistic, _: np.full(statistic.dim, 1e-6), witness=_witness
    )
}

NOUNS = (RepurchaseOptions(within_days=(14, 45), cohort="month", cohorts=3),)

# --- small tables and studies for the tests of this room -----------------------------------------------------------

MONTHS = (dt.date(2024, 12, 1), dt.date(2025, 1, 1))


def table_of(customers: list[tuple[int, int]]) -> FeatureTable:
    """Customers of (age, wait), who all count."""
    values = np.array(customers, dtype=np.int64).reshape(len(customers), 1, 2)
    ones = np.ones((len(customers), 1), dtype=np.int64)
    return FeatureTable(names=(AGE, WAIT), values=values, eligible=ones, outcome=-ones)


def study_of(as_of: dt.date = MONTHS[-1], **options: Any) -> Study:
    return Study.model_validate(
        {
            "name": "again", "as_of": as_of, "analyses": ("repurchase",), "repurchase": options,
            "budget": {"epsilon": "1"},
        }
    )  # fmt: skip
