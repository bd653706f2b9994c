"""What happened, as facts: integers from which anybody can recompute the cost.

Epsilon is never stored; it is derived from events, so that history can be priced again with a better accountant.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Literal, Protocol

from pydantic import Field

from privacy.accounting.gdp import epsilon_of, root, squared_budget
from privacy.kernel.canonical import Noun

#: Largest total of ``kappa`` (see :attr:`GaussianSum.kappa`) that one budget takes.
KAPPA_CAP = Fraction(1, 10**7)

#: Part of delta set aside for what the discreteness adds to it (which is some 40 orders of magnitude less).
DELTA_RESERVE = Fraction(1, 100)

#: Sums of prices whose denominators grow beyond this many bits are rounded up to the grid.
_EXACT_BITS = 4096

#: Steps of the grid; finer than any price that matters, and the caps lie on it.
_PRICE_GRID = 10**60

#: Exponent of the probability, e^-120 an event, outside which the bound on the ratio may fail.
TAIL = 120


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
    squared_norm: int = Field(ge=1, le=1 << 128)
    gamma: int = Field(ge=1, le=1 << 64)
    dim: int = Field(ge=1, le=1 << 40)
    share_scale: int = Field(ge=1, le=1 << 64)
    protecting_shares: int = Field(ge=1, le=1_000_000)

    @property
    def variance(self) -> int:
        """Variance of the noise that protects, in squared integer units."""
        return self.share_scale * self.share_scale * self.protecting_shares

    def squared_mu(self, records: int = 1) -> Fraction:
        """mu^2 when ``records`` records of one person, one at each of as many holders, may all be in the sum.

        The ratio of sensitivity to noise, squared: ``records`` vectors of norm D move the sum by at most ``records`` D
        (triangle inequality).
        """
        return Fraction(records * records * self.squared_norm, self.variance)

    @property
    def fits(self) -> tuple[()]:
        """No training on samples (:mod:`privacy.accounting.sampled`)."""
        return ()

    @property
    def kappa(self) -> Fraction:
        """How far the discrete noise is from the rounded Gaussian that mu describes, as a bound on a log ratio.

        With p the discrete Gaussian's and q the rounded Gaussian's probability of a noise vector x:
        ``-dim/(24 sigma^2) <= log(q/p) <= |x|^2/(24 sigma^4)`` (Jensen, and sinh(a)/a <= exp(a^2/6)), and
        ``|x|^2 <= 4 sigma^2 (120 + 0.35 dim)`` outside probability e^-120 (Chernoff at 1/4). So replacing one by the
        other moves epsilon by at most 2 kappa and delta by at most e^(epsilon - 120), and kappas of events add up.
        """
        return (TAIL + Fraction(35, 100) * self.dim) / (6 * self.variance)


@lru_cache(maxsize=256)
def squared_cap(epsilon: float, delta: float) -> Fraction:
    """Budget for the sum of mu^2 under (epsilon, delta), with what the discreteness may take set aside."""
    return squared_budget(epsilon - 2 * float(KAPPA_CAP), delta * float(1 - DELTA_RESERVE))


def epsilon_spent(squared_mu: Fraction, delta: float) -> float:
    """Epsilon at ``delta`` of releases whose mu^2 add up to this; the inverse of :func:`squared_cap`."""
    if squared_mu == 0:
        return 0.0
    return epsilon_of(root(squared_mu), delta * float(1 - DELTA_RESERVE)) + 2 * float(KAPPA_CAP)


def add_price(total: Fraction, price: Fraction) -> Fraction:
    """``total + price``, exactly; where the denominators would grow without end, rounded up by at most 1e-60.

    Ten thousands of charges of which no two have the same noise would otherwise make one sum of megabytes.
    """
    result = total + price
    if result.denominator.bit_length() > _EXACT_BITS:
        result = Fraction(math.ceil(result * _PRICE_GRID), _PRICE_GRID)
    return result


class _Priced(Protocol):
    def squared_mu(self, records: int = 1) -> Fraction: ...


def total_squared_mu(events: Iterable[_Priced], records: int = 1) -> Fraction:
    """mu^2 of several releases together: they add up, also when chosen one after another.

    Dong, Roth, Su 2022, corollary 3.3, where each one's mu is fixed beforehand; Smith, Thakurta 2022, "Fully adaptive
    composition for Gaussian differential privacy" (arXiv 2210.17520), where also the noise of later ones may depend on
    earlier releases, as long as the sum keeps a cap that was fixed.
    """
    return sum((event.squared_mu(records) for event in events), Fraction(0))
