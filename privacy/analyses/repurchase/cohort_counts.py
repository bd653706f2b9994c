"""How many customers wait how long for their second order, and how many of each cohort are in time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from privacy.analyses.repurchase.features import AGE, WAIT
from privacy.kernel.features import MISSING, FeatureTable
from privacy.kernel.row_arithmetic import FloatArray
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic
from privacy.statistics.bins import amplitude_of
from privacy.statistics.vector import counted_days

#: Squared parts of a customer's vector, in thousandths: the cell of its wait, its cohort's size, its cohort in time.
PARTS = (300, 300, 400)
#: What a customer counts for in each: the largest integers whose squares keep the parts of GAMMA^2.
AMPLITUDES = tuple(amplitude_of(part) for part in PARTS)

_Days = Annotated[int, Field(ge=0, le=100_000)]


@dataclass(frozen=True, kw_only=True, eq=False)
class CohortEstimate:
    """What a release says; every count is of customer records.

    Attributes:
        waits: by bin of days to the second order; then those who waited longer, and those without one.
        sizes: by cohort, in the question's order.
        in_time: by cohort and limit, shape ``(cohorts, limits)``: those whose wait is within it, above the one before.
        deviations: standard deviation of the noise in a number of each of the three.
    """

    waits: FloatArray
    sizes: FloatArray
    in_time: FloatArray
    deviations: tuple[float, float, float]


class CohortCounts(Statistic[FeatureTable]):
    """Counts by wait, by cohort, and by cohort of those in time.

    Sensitivity: a customer is in one cell of the waits (a), in at most one cohort (b), and there in at most one cell of
    those in time (c), so its vector's squared norm is at most a^2 + b^2 + c^2 <= GAMMA^2.

    Attributes:
        day: which day; customers who are not eligible then add nothing.
        upper: upper ends of the bins of waits, in days, ascending.
        within: limits of being in time, in days, ascending.
        edges: ages in days, ascending: cohort ``i`` are customers with ``edges[i] <= age < edges[i + 1]``.
    """

    reads = FeatureTable
    kind: Literal["cohort_counts"] = "cohort_counts"
    day: int = Field(ge=0, le=23)
    upper: tuple[_Days, ...] = Field(min_length=1, max_length=100)
    within: tuple[_Days, ...] = Field(min_length=1, max_length=6)
    edges: tuple[_Days, ...] = Field(min_length=2, max_length=121)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for name in ("upper", "within", "edges"):
            if any(first >= second for first, second in pairwise(getattr(self, name))):
                raise ValueError(f"{name} must ascend")
        return self

    @property
    def cohorts(self) -> int:
        """How many there are."""
        return len(self.edges) - 1

    @property
    def dim(self) -> int:
        """Waits, cohorts, and cohorts by limits."""
        return len(self.upper) + 2 + self.cohorts * (1 + len(self.within))

    @property
    def bound(self) -> ContributionBound:
        """See the class."""
        return ContributionBound(
            gamma=GAMMA,
            squared_norm=sum(amplitude * amplitude for amplitude in AMPLITUDES),
            max_abs=max(AMPLITUDES),
        )

    @property
    def looks_at(self) -> tuple[frozenset[str], int]:
        """The two features, and the day."""
        return frozenset({AGE, WAIT}), self.day + 1

    def encode_rows(self, table: FeatureTable) -> IntArray:
        """An amplitude in each of the customer's cells, zeros elsewhere."""
        rows = np.zeros((len(table), self.dim), dtype=np.int64)
        for customers, cells, amplitude in self._parts(table):
            rows[customers, cells] = amplitude
        return rows

    def encode_sum(self, table: FeatureTable) -> IntArray:
        """The same, counted on integers."""
        total = np.zeros(self.dim, dtype=np.int64)
        for _, cells, amplitude in self._parts(table):
            total += amplitude * np.bincount(cells, minlength=self.dim)
        return total

    def decode(self, values: IntArray, noise_deviation: float) -> CohortEstimate:
        """Estimated customers from the released vector; ``noise_deviation`` in integer units (0 for an exact sum)."""
        first, second = len(self.upper) + 2, len(self.upper) + 2 + self.cohorts
        exact = values.astype(np.float64)
        deviations = [noise_deviation / amplitude for amplitude in AMPLITUDES]
        return CohortEstimate(
            waits=exact[:first] / AMPLITUDES[0],
            sizes=exact[first:second] / AMPLITUDES[1],
            in_time=exact[second:].reshape(self.cohorts, len(self.within)) / AMPLITUDES[2],
            deviations=(deviations[0], deviations[1], deviations[2]),
        )

    def _parts(self, table: FeatureTable) -> list[tuple[IntArray, IntArray, int]]:
        """Rows of customers, the cell of each, and the amplitude there; each customer at most once in each of three."""
        counts = counted_days(table, self.day, outcome=False) == 1
        wait, age = (table.values[:, self.day, table.names.index(name)] for name in (WAIT, AGE))
        again: NDArray[np.bool_] = wait != MISSING
        bins = np.where(again, np.searchsorted(self.upper, wait), len(self.upper) + 1)
        cohort = np.searchsorted(self.edges, age, side="right") - 1
        member = counts & (cohort >= 0) & (cohort < self.cohorts)
        limit = np.searchsorted(self.within, wait)
        in_time = member & again & (limit < len(self.within))
        start = len(self.upper) + 2
        cells = (bins, start + cohort, start + self.cohorts + cohort * len(self.within) + limit)
        return [
            (np.flatnonzero(chosen), cell[chosen].astype(np.int64), amplitude)
            for chosen, cell, amplitude in zip((counts, member, in_time), cells, AMPLITUDES, strict=True)
        ]
