"""What a public formula leaves of the outcome, beside second moments: all that the start of a correction needs.

It is the question of a regression but for what is expected of a customer, so its bound is the same. With o the weight
of the products with the outcome, and u what is not expected, halved: a regression has u = y - 1/2, so |u| = 1/2. Here
u = (y - p) / 2 with p from 0 to 1 and y 0 or 1, so |y - p| <= 1 and |u| <= 1/2. Beside the triangle, whose norm is
|z|^2, stands o u z, at most o |z| / 2 long: the squared norm is at most |z|^4 + (o |z| / 2)^2, reached where the
formula is sure and wrong.

That says how little is lost by clipping to that norm; that no customer exceeds it is
:mod:`privacy.statistics.bounding`'s doing, on integers, whatever comes in. Days are averaged before, so a customer with
many days is bounded alike.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from privacy.kernel.features import FeatureTable
from privacy.kernel.row_arithmetic import FloatArray
from privacy.models.priors import Prior
from privacy.models.trained import PROBABILITY, probability
from privacy.statistics.feature_moments import MomentSums


class PriorMoments(MomentSums):
    """With ``u = (y - p) / 2``, p the formula's probability of churn.

    Attributes:
        prior: the formula.
    """

    kind: Literal["prior_moments"] = "prior_moments"
    prior: Prior
    outcome_weight: int = Field(ge=1, le=1_000_000)

    @property
    def looks_at(self) -> tuple[frozenset[str], int]:
        """The formula's facts, too."""
        names, days = super().looks_at
        return names | set(self.prior.FACTS), days

    def unexpected(self, table: FeatureTable, day: int) -> FloatArray:
        """(y - p) / 2; p is tabulated, so that it is the customer's alone on every machine."""
        expected = probability(self.prior.of(table, day)) / PROBABILITY
        return np.asarray((table.outcome[:, day] - expected) / 2, dtype=np.float64)
