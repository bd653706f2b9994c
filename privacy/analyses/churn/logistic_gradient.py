"""Per-customer gradients of the logistic loss, clipped and added up."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from privacy.analyses.churn.models import LOGIT, PROBABILITY, WEIGHT, probability
from privacy.kernel.features import FeatureTable
from privacy.kernel.linear_view import LinearView
from privacy.kernel.row_arithmetic import FloatArray, combined
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic
from privacy.statistics.bounding import UNIT_BALL, bounded
from privacy.statistics.feature_sums import Days, counted_days

_WEIGHT_LIMIT = 1 << 40
_Weight = Annotated[int, Field(ge=-_WEIGHT_LIMIT, le=_WEIGHT_LIMIT)]

#: Logits beyond this give the same probability.
_LOGIT_LIMIT = 30.0


class LogisticGradient(Statistic[FeatureTable]):
    """Sum of (p - y) z over customers: the gradient of the logistic loss in a view's coordinates.

    A customer's days are averaged, then its gradient is clipped to ``norm`` and rounded
    (:mod:`privacy.statistics.bounding`): Abadi et al. 2016, "Deep Learning with Differential Privacy", algorithm 1,
    with all customers in every step.

    Attributes:
        view: the coordinates z.
        weights: one per coordinate, in units of 1 / WEIGHT.
        days: which days count, where their outcome is known.
        norm: clipping norm, in thousandths of the natural unit.
    """

    reads = FeatureTable
    kind: Literal["logistic_gradient"] = "logistic_gradient"
    view: LinearView
    weights: tuple[_Weight, ...] = Field(max_length=65)
    days: Days
    norm: int = Field(ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.weights) != self.view.dim:
            raise ValueError("one weight per coordinate of the view is needed")
        return self

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
        """One clipped gradient per customer; zeros for customers who do not count."""
        total = np.zeros((len(table), self.dim), order="F")
        weights = np.array([self.weights], dtype=np.float64) / WEIGHT
        for day in self.days:
            z = self.view.apply(table, day)
            logits = np.clip(combined(z, weights)[:, 0], -_LOGIT_LIMIT, _LOGIT_LIMIT)
            expected = probability(np.trunc(logits * LOGIT).astype(np.int64)) / PROBABILITY
            residual = (expected - table.outcome[:, day]) * counted_days(table, day, outcome=True)
            total += z * residual[:, None]
        return bounded(total / len(self.days), self.norm / 1000)

    def decode(self, values: IntArray, noise_deviation: float) -> tuple[FloatArray, float]:
        """The gradient's sum in natural units, shape ``(dim,)``, and the standard deviation of its noise."""
        unit = self.norm / 1000 / GAMMA
        return values.astype(np.float64) * unit, noise_deviation * unit
