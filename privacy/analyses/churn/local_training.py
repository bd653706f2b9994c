"""A holder's own training on samples of its customers, whose outcome it adds to those of the other holders.

Every step takes a Poisson sample, adds up the customers' clipped gradients and Gaussian noise (Abadi et al. 2016, "Deep
Learning with Differential Privacy", algorithm 1), and divides by the rate times the *declared* size class: a step that
divided by the number of customers would show it. What leaves is the mean of the weights over the second half of the
steps, times the holder's share of the declared classes; it has all its noise already.

The question's row is what a customer adds to the first step: later ones differ in the weights alone, and their
gradients are clipped and rounded by the same code (:mod:`privacy.statistics.bounding`).
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from privacy.accounting.sampled import SampledGaussian, Slot
from privacy.errors import ConfigError
from privacy.kernel.features import FeatureTable
from privacy.kernel.limits import Name
from privacy.kernel.row_arithmetic import FloatArray
from privacy.models.trained import WEIGHT
from privacy.statistics.base import ContributionBound, IntArray, Statistic
from privacy.statistics.logistic_gradient import LogisticGradient
from privacy.statistics.prior_gradient import PriorGradient

#: A whole share; shares are rounded down to these parts, and at least one.
_SHARES = 1000
#: No weight leaves that is larger: 256.0.
_MOST = 256 * WEIGHT

SizeClass = Annotated[int, Field(ge=1, le=1_000_000_000)]


class LocalTraining(Statistic[FeatureTable]):
    """Weights that holders have trained by themselves, added up by their shares.

    Attributes:
        gradient: a customer's gradient at the weights where training starts, with its clipping norm.
        slot: rate, noise and steps.
        step: length of a step, in thousandths: what a mean gradient over the class is multiplied by.
        size_classes: holder to the size class that it has declared.
    """

    reads = FeatureTable
    kind: Literal["local_training"] = "local_training"
    gradient: Annotated[LogisticGradient | PriorGradient, Field(discriminator="kind")]
    slot: Slot
    step: int = Field(ge=1, le=100_000)
    size_classes: dict[Name, SizeClass] = Field(min_length=1, max_length=1000)

    @model_validator(mode="after")
    def _one_day(self) -> Self:
        if len(self.gradient.days) != 1:
            raise ValueError("a holder trains on one day")
        return self

    @property
    def dim(self) -> int:
        """One weight per coordinate."""
        return self.gradient.dim

    @property
    def bound(self) -> ContributionBound:
        """Of a customer's gradient in one step."""
        return self.gradient.bound

    @property
    def looks_at(self) -> tuple[frozenset[str], int]:
        """What the gradient looks at."""
        return self.gradient.looks_at

    @property
    def training(self) -> SampledGaussian:
        """See the base."""
        return SampledGaussian(**self.slot.model_dump(), dim=self.dim)

    def encode_rows(self, table: FeatureTable) -> IntArray:
        """What each customer adds to the first step, if it is in the sample."""
        return self.gradient.encode_rows(table)

    def sum_of(self, holder: str, rows: FeatureTable) -> IntArray:
        """Refused: a sum of these rows has no noise, and must not leave. Holders train instead.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "this question is answered by a training with Opacus, which is not installed here",
            hint="pip install 'cohortium[train]'",
        )

    def expected_customers(self, holder: str) -> Decimal:
        """What a step's sum is divided by: the rate times the holder's declared class."""
        return self.slot.rate * self.size_classes[holder]

    def update(self, holder: str, weights: FloatArray) -> IntArray:
        """What a holder answers with after its training, shape ``(dim,)``.

        Args:
            holder: whose.
            weights: shape ``(dim,)``, 1.0 for one.
        """
        units = np.rint(np.clip(np.nan_to_num(weights), -_MOST / WEIGHT, _MOST / WEIGHT) * WEIGHT).astype(np.int64)
        return np.asarray(units * self._share(holder))

    def decode(self, values: IntArray, holders: Collection[str]) -> FloatArray:
        """The mean of the weights of those who took part, by their shares; shape ``(dim,)``, 1.0 for one."""
        return values.astype(np.float64) / (WEIGHT * sum(map(self._share, holders)))

    def _share(self, holder: str) -> int:
        return max(1, _SHARES * self.size_classes[holder] // sum(self.size_classes.values()))
