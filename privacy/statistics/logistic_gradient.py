"""Per-customer gradients of the logistic loss, clipped and added up."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from privacy.kernel.features import FeatureTable
from privacy.kernel.row_arithmetic import FloatArray, combined
from privacy.models.trained import LOGIT, PROBABILITY, WEIGHT, probability
from privacy.statistics.base import IntArray
from privacy.statistics.vector import VectorStatistic, counted_days

_WEIGHT_LIMIT = 1 << 40
_Weight = Annotated[int, Field(ge=-_WEIGHT_LIMIT, le=_WEIGHT_LIMIT)]

#: Logits beyond this give the same probability.
_LOGIT_LIMIT = 30.0


class LossGradient(VectorStatistic):
    """Sum of (p - y) z over customers: the gradient of the logistic loss in a view's coordinates.

    p is the probability at the weights, from where a customer starts.

    A customer's days are averaged, then its gradient is clipped to ``norm`` and rounded
    (:mod:`privacy.statistics.bounding`): Abadi et al. 2016, "Deep Learning with Differential Privacy", algorithm 1,
    with all customers in every step.

    Attributes:
        view: the coordinates z.
        weights: one per coordinate, in units of 1 / WEIGHT.
        days: which days count, where their outcome is known.
    """

    weights: tuple[_Weight, ...] = Field(max_length=65)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.weights) != self.view.dim:
            raise ValueError("one weight per coordinate of the view is needed")
        return self

    @property
    def dim(self) -> int:
        """One coordinate per coordinate of the view."""
        return self.view.dim

    @abstractmethod
    def start(self, table: FeatureTable, day: int) -> IntArray:
        """The logit of every customer before the weights, in units of 1 / LOGIT, shape ``(customers,)``."""

    def vectors(self, table: FeatureTable, day: int) -> FloatArray:
        """The customer's gradient of one day."""
        weights = np.array([self.weights], dtype=np.float64) / WEIGHT
        z = self.view.apply(table, day)
        logits = np.clip(combined(z, weights)[:, 0], -_LOGIT_LIMIT, _LOGIT_LIMIT)
        expected = probability(self.start(table, day) + np.trunc(logits * LOGIT).astype(np.int64)) / PROBABILITY
        residual = (expected - table.outcome[:, day]) * counted_days(table, day, outcome=True)
        return z * residual[:, None]

    def decode(self, values: IntArray, noise_deviation: float) -> tuple[FloatArray, float]:
        """The gradient's sum in natural units, shape ``(dim,)``, and the standard deviation of its noise."""
        return values.astype(np.float64) * self.unit, noise_deviation * self.unit


class LogisticGradient(LossGradient):
    """Of a regression: everybody starts at even odds."""

    kind: Literal["logistic_gradient"] = "logistic_gradient"

    def start(self, table: FeatureTable, day: int) -> IntArray:
        """Zeros."""
        return np.zeros(len(table), dtype=np.int64)
