"""What statistics share whose answer for a customer is a real vector: averaged over days, clipped, and then rounded."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from privacy.kernel.features import FeatureTable
from privacy.kernel.linear_view import LinearView
from privacy.kernel.row_arithmetic import FloatArray
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic
from privacy.statistics.bounding import UNIT_BALL, bounded

Days = Annotated[tuple[Annotated[int, Field(ge=0, le=23)], ...], Field(min_length=1, max_length=24)]


def counted_days(table: FeatureTable, day: int, *, outcome: bool) -> FloatArray:
    """1.0 for customers who count on a day, else 0.0; with ``outcome`` only where it is known."""
    counts: NDArray[np.bool_] = table.eligible[:, day] == 1
    if outcome:
        counts &= (table.outcome[:, day] == 0) | (table.outcome[:, day] == 1)
    return counts.astype(np.float64)


class VectorStatistic(Statistic[FeatureTable]):
    """Sum over customers of a vector of a view's coordinates; a customer's days are averaged first.

    Sensitivity: see :mod:`privacy.statistics.bounding`. Whatever the vectors are, a customer's has a norm of at most
    ``norm`` after the clipping.

    Attributes:
        view: whose coordinates.
        days: which days count.
        norm: clipping norm, in thousandths of the natural unit.
    """

    reads = FeatureTable
    view: LinearView
    days: Days
    norm: int = Field(ge=1, le=1_000_000)

    @property
    def bound(self) -> ContributionBound:
        """See the class."""
        return UNIT_BALL

    @property
    def looks_at(self) -> tuple[frozenset[str], int]:
        """The view's features, and the last of the days."""
        return frozenset(feature.name for feature in self.view.features), max(self.days) + 1

    @property
    def unit(self) -> float:
        """One integer step in natural units."""
        return self.norm / 1000 / GAMMA

    @abstractmethod
    def vectors(self, table: FeatureTable, day: int) -> FloatArray:
        """Every customer's vector of one day, shape ``(customers, dim)``; zeros for customers who do not count."""

    def encode_rows(self, table: FeatureTable) -> IntArray:
        """The customer's mean vector over all days, clipped."""
        total = np.zeros((len(table), self.dim), order="F")
        for day in self.days:
            total += self.vectors(table, day)
        return self.clip(total)

    def clip(self, total: FloatArray) -> IntArray:
        """Integers from the sum of each customer's vectors over the days."""
        return bounded(total / len(self.days), self.norm / 1000)
