"""How many customers there are, and the mean of every scaled feature."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from privacy.kernel.features import FeatureTable
from privacy.kernel.linear_view import LinearView
from privacy.kernel.row_arithmetic import FloatArray
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic
from privacy.statistics.bounding import UNIT_BALL, bounded

Days = Annotated[tuple[Annotated[int, Field(ge=0, le=23)], ...], Field(min_length=1, max_length=24)]


def counted_days(table: FeatureTable, day: int, *, outcome: bool) -> FloatArray:
    """1.0 for customers who count on a day, else 0.0; with ``outcome`` only where it is known."""
    counts = table.eligible[:, day] == 1
    if outcome:
        counts &= (table.outcome[:, day] == 0) | (table.outcome[:, day] == 1)
    return counts.astype(np.float64)


class FeatureSums(Statistic[FeatureTable]):
    """Sum of a view's coordinates over customers and days; a customer's days are averaged first.

    Sensitivity: see :mod:`privacy.statistics.bounding`; ``norm`` is in the view's natural units. With a constant c and
    a radius R the vector of one customer has a norm of at most sqrt(c^2 + R^2), which is what ``norm`` should be.

    Attributes:
        view: whose coordinates.
        days: which days count.
        customers: who counts on a day: who is ``eligible``, or of those whose outcome is known (``labelled``).
        norm: clipping norm, in thousandths.
    """

    reads = FeatureTable
    kind: Literal["feature_sums"] = "feature_sums"
    view: LinearView
    days: Days
    customers: Literal["eligible", "labelled"]
    norm: int = Field(ge=1, le=1_000_000)

    @property
    def dim(self) -> int:
        """One coordinate per coordinate of the view."""
        return self.view.dim

    @property
    def bound(self) -> ContributionBound:
        """See the class."""
        return UNIT_BALL

    @property
    def looks_at(self) -> tuple[frozenset[str], int]:
        """The view's features, and the last of the days."""
        return frozenset(feature.name for feature in self.view.features), max(self.days) + 1

    def encode_rows(self, table: FeatureTable) -> IntArray:
        """The customer's mean coordinates over the days on which it counts, over the number of all days."""
        total = np.zeros((len(table), self.dim), order="F")
        for day in self.days:
            total += (
                self.view.apply(table, day) * counted_days(table, day, outcome=self.customers == "labelled")[:, None]
            )
        return bounded(total / len(self.days), self.norm / 1000)

    def decode(self, values: IntArray, noise_deviation: float) -> tuple[FloatArray, float]:
        """The sums in natural units, shape ``(dim,)``, and the standard deviation of the noise in each."""
        unit = self.norm / 1000 / GAMMA
        return values.astype(np.float64) * unit, noise_deviation * unit
