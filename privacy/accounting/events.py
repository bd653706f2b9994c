"""What happened, as facts: integers from which anybody can recompute the cost.

Epsilon is never stored; it is derived from events, so that history can be priced again with a better accountant.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Literal

from pydantic import Field

from privacy.accounting.gdp import squared_budget
from privacy.contract.canonical import Noun

#: Total-variation distance, per coordinate, between a discrete Gaussian and a rounded one, times sigma^2
#: (an upper figure for sigma of 1,000 or more).
_ETA = Fraction(202, 10_000)

#: Part of delta set aside for that distance.
ETA_SHARE = Fraction(1, 100)


class GaussianSum(Noun):
    """One release: a sum over customers plus discrete Gaussian noise.

    Attributes:
        squared_norm: largest squared norm of one customer's integer vector.
        gamma: integer units per natural unit (not needed for the price; kept for readers).
        dim: coordinates.
        share_scale: standard deviation of one noise share, in integer units.
        protecting_shares: shares that the worst coalition cannot take out.
    """

    kind: Literal["gaussian_sum"] = "gaussian_sum"
    squared_norm: int = Field(ge=1)
    gamma: int = Field(ge=1)
    dim: int = Field(ge=1)
    share_scale: int = Field(ge=1)
    protecting_shares: int = Field(ge=1)

    @property
    def variance(self) -> int:
        """Variance of the noise that protects, in squared integer units."""
        return self.share_scale * self.share_scale * self.protecting_shares

    def squared_mu(self, records: int = 1) -> Fraction:
        """mu^2 when ``records`` records of one person, one at each of as many holders, may all be in the sum."""
        return Fraction(records * records * self.squared_norm, self.variance)

    @property
    def eta(self) -> Fraction:
        """Distance of the discrete noise from a rounded Gaussian, an upper bound in total variation."""
        return _ETA * self.dim / self.variance


def squared_cap(epsilon: float, delta: float) -> Fraction:
    """Budget for the sum of mu^2 under (epsilon, delta), the discretisation's share of delta set aside."""
    return squared_budget(epsilon, delta * float(1 - ETA_SHARE))


def eta_cap(epsilon: float, delta: float) -> float:
    """Budget for the sum of eta: ``(1 + e^epsilon) sum eta`` must stay within its share of delta."""
    return delta * float(ETA_SHARE) / (1.0 + math.exp(epsilon))


def total_squared_mu(events: Iterable[GaussianSum], records: int = 1) -> Fraction:
    """mu^2 of several releases together: they add up, also when chosen one after another (arXiv 2210.17520)."""
    return sum((event.squared_mu(records) for event in events), Fraction(0))
