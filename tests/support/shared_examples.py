"""Examples of the statistics that several analyses ask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from row_kits import FeatureRow
from statistic_kit import PLAIN_VIEW, TURNED_VIEW, Reading, ReadingOf, read_vector, true_vectors, vector_tolerance

from privacy.statistics import FeatureMoments, FeatureSums, Statistic
from privacy.statistics.feature_moments import MomentSums


def _true_sums(statistic: FeatureSums, customers: Sequence[FeatureRow]) -> list[float]:
    return true_vectors(statistic, customers, lambda z, _: z, statistic.customers == "labelled")


def products(z: list[float], unexpected: float, weight: float) -> list[float]:
    """The triangle, and the products with what of the outcome is not expected."""
    triangle = [z[i] * z[j] * (1 if i == j else math.sqrt(2)) for i in range(len(z)) for j in range(i, len(z))]
    return triangle + ([x * unexpected * weight for x in z] if weight else [])


def moment_units(statistic: MomentSums) -> NDArray[np.float64]:
    """What each coordinate of the vector has to be multiplied with to be a moment."""
    size = statistic.view.dim
    triangle = [1.0 if i == j else 1 / math.sqrt(2) for i in range(size) for j in range(i, size)]
    weight = statistic.outcome_weight
    return np.array(triangle + ([1000 / weight] * size if weight else []))


def read_moments(statistic: MomentSums, total: NDArray[np.int64], noise: float) -> Reading:
    matrix, products, deviation = statistic.decode(total, noise)
    assert np.array_equal(matrix, matrix.T)
    values = matrix[np.triu_indices(len(matrix))]
    if statistic.outcome_weight:
        values = np.concatenate([values, products])
    return Reading(values=values, deviations=moment_units(statistic) * deviation)


def _true_moments(statistic: FeatureMoments, customers: Sequence[FeatureRow]) -> Sequence[float]:
    weight = statistic.outcome_weight / 1000
    total = true_vectors(statistic, customers, lambda z, y: products(z, y - 0.5, weight), weight > 0)
    return (np.array(total) * moment_units(statistic)).tolist()


#: Kind to examples: the smallest, an ordinary one, and one at the edges of what its fields allow.
STATISTICS: dict[str, tuple[Statistic[Any], ...]] = {
    "feature_sums": (
        FeatureSums(view=PLAIN_VIEW, days=(1,), customers="eligible", norm=1),
        FeatureSums(view=PLAIN_VIEW, days=(0, 1, 2), customers="labelled", norm=2236),
        FeatureSums(view=TURNED_VIEW, days=(2, 0), customers="eligible", norm=2000),
    ),
    "feature_moments": (
        FeatureMoments(view=PLAIN_VIEW, days=(0,), outcome_weight=0, norm=1),
        FeatureMoments(view=PLAIN_VIEW, days=(0, 1, 2), outcome_weight=2000, norm=5477),
        FeatureMoments(view=TURNED_VIEW, days=(1, 2), outcome_weight=0, norm=4000),
    ),
}  # fmt: skip

READINGS: dict[str, ReadingOf] = {
    "feature_sums": ReadingOf(read=read_vector, truth=_true_sums, tolerance=vector_tolerance, reached=0.999999),
    "feature_moments": ReadingOf(
        read=read_moments,
        truth=_true_moments,
        tolerance=lambda statistic, n: vector_tolerance(statistic, n) * moment_units(statistic),
        reached=0.999999,
    ),
}
