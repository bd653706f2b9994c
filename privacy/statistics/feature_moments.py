"""Second moments of a view's coordinates, and their products with the outcome: all that least squares needs."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Literal

import numpy as np
from pydantic import Field

from privacy.kernel.features import FeatureTable
from privacy.kernel.row_arithmetic import FloatArray
from privacy.statistics.base import IntArray
from privacy.statistics.vector import VectorStatistic, counted_days


class MomentSums(VectorStatistic):
    """Sums of z z' and, where ``outcome_weight`` is not 0, of ``outcome_weight u z``, z a view's coordinates.

    u is what of a customer's outcome is not expected, halved: from -1/2 to 1/2.

    Noise is added to the second moments themselves, as in Dwork, Talwar, Thakurta, Zhang 2014, "Analyze Gauss: optimal
    bounds for privacy-preserving principal component analysis", STOC, algorithm 1. Off-diagonal products are sent once,
    times sqrt(2), so that the vector's norm is the matrix's Frobenius norm, ``|z|^2``, and equal noise in each is the
    right noise. With outcomes the squared norm is at most ``|z|^4 + (outcome_weight |z| / 2)^2``; ``norm`` should be
    its root at the view's reach. A customer's days are averaged.

    Attributes:
        outcome_weight: weight of the products with the outcome, in thousandths; 0 leaves them out, and days count
            without a known outcome.
    """

    outcome_weight: int = Field(ge=0, le=1_000_000)

    @abstractmethod
    def unexpected(self, table: FeatureTable, day: int) -> FloatArray:
        """u of every customer, shape ``(customers,)``; of any value where the outcome is not known."""

    @property
    def dim(self) -> int:
        """The triangle, and a coordinate's product with the outcome each."""
        size = self.view.dim
        return size * (size + 1) // 2 + (size if self.outcome_weight else 0)

    def vectors(self, table: FeatureTable, day: int) -> FloatArray:
        """The triangle row by row, then the products with the outcome."""
        found = np.zeros((len(table), self.dim), order="F")
        counts = counted_days(table, day, outcome=self.outcome_weight > 0)
        z = self.view.apply(table, day)
        position = 0
        for first in range(self.view.dim):
            for second in range(first, self.view.dim):
                scale = 1.0 if first == second else math.sqrt(2)
                found[:, position] = z[:, first] * z[:, second] * scale * counts
                position += 1
        if self.outcome_weight:
            signed = self.unexpected(table, day) * (self.outcome_weight / 1000) * counts
            found[:, position:] = z * signed[:, None]
        return found

    def decode(self, values: IntArray, noise_deviation: float) -> tuple[FloatArray, FloatArray, float]:
        """Sum of z z', shape ``(n, n)``; sum of u z, shape ``(n,)``, zeros without outcomes; and the noise.

        The noise is the standard deviation of a diagonal entry; off the diagonal it is smaller by sqrt(2), and of the
        products with the outcome larger by the inverse of their weight.
        """
        size = self.view.dim
        natural = values.astype(np.float64) * self.unit
        matrix = np.zeros((size, size))
        upper = np.triu_indices(size)
        matrix[upper] = natural[: len(upper[0])] / np.where(upper[0] == upper[1], 1.0, math.sqrt(2))
        matrix = matrix + matrix.T - np.diag(np.diag(matrix))
        products = natural[len(upper[0]) :] / (self.outcome_weight / 1000) if self.outcome_weight else np.zeros(size)
        return matrix, products, noise_deviation * self.unit


class FeatureMoments(MomentSums):
    """With ``u = y - 1/2``: even odds are expected of everybody."""

    kind: Literal["feature_moments"] = "feature_moments"

    def unexpected(self, table: FeatureTable, day: int) -> FloatArray:
        """y - 1/2."""
        return np.asarray(table.outcome[:, day] - 0.5, dtype=np.float64)
