"""How many customers there are, and the mean of every scaled feature."""

from __future__ import annotations

from typing import Literal

import numpy as np

from privacy.kernel.features import FeatureTable
from privacy.kernel.row_arithmetic import FloatArray
from privacy.statistics.base import IntArray
from privacy.statistics.vector import VectorStatistic, counted_days


class FeatureSums(VectorStatistic):
    """Sum of a view's coordinates over customers and days.

    ``norm`` is in the view's natural units. With a constant c and a radius R the vector of one customer has a norm of
    at most sqrt(c^2 + R^2), which is what ``norm`` should be.

    Attributes:
        customers: who counts on a day: who is ``eligible``, or of those whose outcome is known (``labelled``).
    """

    kind: Literal["feature_sums"] = "feature_sums"
    customers: Literal["eligible", "labelled"]

    @property
    def dim(self) -> int:
        """One coordinate per coordinate of the view."""
        return self.view.dim

    def vectors(self, table: FeatureTable, day: int) -> FloatArray:
        """The customer's coordinates on a day on which it counts."""
        return self.view.apply(table, day) * counted_days(table, day, outcome=self.customers == "labelled")[:, None]

    def decode(self, values: IntArray, noise_deviation: float) -> tuple[FloatArray, float]:
        """The sums in natural units, shape ``(dim,)``, and the standard deviation of the noise in each."""
        return values.astype(np.float64) * self.unit, noise_deviation * self.unit
