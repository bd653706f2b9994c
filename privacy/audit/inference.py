"""What membership inference achieved, and what the charged mu allows at most."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field
from scipy.special import ndtr


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Interval(_Value):
    """A mean over runs with its 95% interval."""

    value: float
    low: float
    high: float


class MembershipResult(_Value):
    """One attack on one published thing.

    Attributes:
        published: what was attacked.
        mu: what its questions were charged; None where the noise was left out on purpose.
        runs: studies that were attacked.
        customers: about whom was asked in each.
        auc: probability that a member gets a higher score than another customer; 0.5 is blind.
        advantage: true minus false positive rate at a threshold fixed beforehand; 0 is blind.
    """

    published: str
    mu: float | None
    runs: int = Field(ge=2)
    customers: int = Field(ge=1)
    auc: Interval
    advantage: Interval

    @property
    def allowed_auc(self) -> float:
        """Largest area under any attacker's curve under mu-GDP: ``Phi(mu / sqrt(2))``."""
        return 1.0 if self.mu is None else float(ndtr(self.mu / math.sqrt(2)))

    @property
    def allowed_advantage(self) -> float:
        """Largest advantage under mu-GDP, its total variation: ``2 Phi(mu / 2) - 1``."""
        return 1.0 if self.mu is None else 2 * float(ndtr(self.mu / 2)) - 1

    @property
    def refuted(self) -> bool:
        """Whether the attack did clearly better than is allowed."""
        return self.auc.low > self.allowed_auc or self.advantage.low > self.allowed_advantage
