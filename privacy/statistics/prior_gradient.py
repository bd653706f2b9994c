"""Per-customer gradients of the logistic loss where customers start at a public formula, clipped and added up.

|p' - y| <= 1 whatever the formula says, so (p' - y) z is at most |z| long, as a regression's is. That says how little
is lost by clipping; that no customer exceeds the norm is :mod:`privacy.statistics.bounding`'s doing, on integers.
"""

from __future__ import annotations

from typing import Literal

from privacy.kernel.features import FeatureTable, IntArray
from privacy.models.priors import Prior
from privacy.statistics.logistic_gradient import LossGradient


class PriorGradient(LossGradient):
    """Of a correction: everybody starts at the formula's logit.

    Attributes:
        prior: the formula.
    """

    kind: Literal["prior_gradient"] = "prior_gradient"
    prior: Prior

    @property
    def looks_at(self) -> tuple[frozenset[str], int]:
        """The formula's facts, too."""
        names, days = super().looks_at
        return names | set(self.prior.FACTS), days

    def start(self, table: FeatureTable, day: int) -> IntArray:
        """The formula's logits."""
        return self.prior.of(table, day)
