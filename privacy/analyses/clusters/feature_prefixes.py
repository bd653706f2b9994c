"""Cumulative distributions of several features in one question: where scales for clusters begin and end.

The square-root factorisation of the prefix sums (:mod:`privacy.statistics.square_root`), a part for each feature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from privacy.kernel.features import MISSING, UNIT, FeatureTable, ScaledFeature
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic
from privacy.statistics.square_root import FloatArray, prefixes, root_amplitude, root_column, shifted, shifted_sum


class FeaturePrefixes(Statistic[FeatureTable]):
    """Noisy cumulative distributions of features over equal bins of their scales, and how many lack each.

    A customer whose feature is missing is in a bin of its own after the others, so that every feature's last prefix
    sum is the number of all customers.

    Sensitivity: a customer adds one column per feature; the squared norm of the lowest bin's column bounds all, and
    features add up. It is computed on the very integers that are sent, so no rounding term is needed.

    Attributes:
        features: each once, with the public scale that the bins divide.
        day: which day; customers who are not eligible then add nothing.
        bins: along each scale, without the one of those who lack the feature.
    """

    reads = FeatureTable
    kind: Literal["feature_prefixes"] = "feature_prefixes"
    features: tuple[ScaledFeature, ...] = Field(min_length=1, max_length=64)
    day: int = Field(ge=0, le=23)
    bins: int = Field(ge=2, le=256)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({feature.name for feature in self.features}) != len(self.features):
            raise ValueError("a feature appears twice")
        return self

    @property
    def dim(self) -> int:
        """One coordinate a bin, and one for those who lack the feature."""
        return len(self.features) * (self.bins + 1)

    @property
    def bound(self) -> ContributionBound:
        """Exact, from the integer column."""
        column = self._column
        squared = sum(value * value for value in column)
        return ContributionBound(gamma=GAMMA, squared_norm=len(self.features) * squared, max_abs=max(column))

    @property
    def looks_at(self) -> tuple[frozenset[str], int]:
        """The features, and the day."""
        return frozenset(feature.name for feature in self.features), self.day + 1

    @property
    def _permille(self) -> int:
        """Each feature's part of the squared sensitivity; with what rounding the columns adds, all are below one."""
        return 999 // len(self.features)

    @property
    def _column(self) -> tuple[int, ...]:
        return root_column(self.bins + 1, self._permille)

    def _bin(self, table: FeatureTable, feature: ScaledFeature) -> IntArray:
        raw = table.values[:, self.day, table.names.index(feature.name)]
        place = (feature.scale.apply(raw) + UNIT) * self.bins // (2 * UNIT)
        return np.where(raw == MISSING, self.bins, np.minimum(place, self.bins - 1))

    def encode_rows(self, table: FeatureTable) -> IntArray:
        """One shifted column per feature."""
        rows = np.concatenate([shifted(self._column, self._bin(table, each)) for each in self.features], axis=1)
        rows[table.eligible[:, self.day] != 1] = 0
        return rows

    def encode_sum(self, table: FeatureTable) -> IntArray:
        """The same through histograms."""
        counted = table.take(table.eligible[:, self.day] == 1)
        return np.concatenate([shifted_sum(self._column, self._bin(counted, each)) for each in self.features])

    def decode(self, values: IntArray, noise_deviation: float) -> FeatureDistributions:
        """Prefix sums from the released vector.

        Args:
            values: the release, shape ``(dim,)``.
            noise_deviation: standard deviation of its noise, in integer units (0 for an exact sum).
        """
        amplitude = root_amplitude(self.bins + 1, self._permille)
        parts = [prefixes(part, amplitude, noise_deviation) for part in values.reshape(len(self.features), -1)]
        return FeatureDistributions(
            prefix=np.stack([prefix for prefix, _, _ in parts]), deviation=parts[0][1], total_covariance=parts[0][2]
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureDistributions:
    """Released prefix sums.

    Attributes:
        prefix: estimated customers in bins 0 to j, shape ``(features, bins + 1)``; the last are all customers, the last
            but one those who have the feature.
        deviation: standard deviation of each, shape ``(bins + 1,)``; the same for all features.
        total_covariance: covariance of each with the last, shape ``(bins + 1,)``.
    """

    prefix: FloatArray
    deviation: FloatArray
    total_covariance: FloatArray
