"""How customers buy, and leave: BG/NBD and MBG/NBD, the two models that are fitted to released cells.

A customer buys at a rate of its own, gamma distributed with shape r and rate alpha (days). After a purchase it is lost
with a probability of its own, beta distributed with a and b: after each one, the first included (MBG/NBD: E. P.
Batislam, M. Denizel, A. Filiztekin, "Empirical validation and comparison of models for customer base analysis",
International Journal of Research in Marketing 24, 2007), or after each but the first one (BG/NBD: P. S. Fader, B. G. S.
Hardie, K. L. Lee, "Counting Your Customers the Easy Way", Marketing Science 24(2), 2005). A purchase is a day with one.

Of a customer everything is said by x, its further days of purchase after the first, t, the days from the first to the
last one (0 where x is 0), and T, the days since the first. The two models differ by a step s of 1 or 0 in b, so that
both are one set of formulas here. Floats: this is computed after a release, or of a holder's own customers for itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

Family = Literal["mbg", "bg"]
FAMILIES: tuple[Family, ...] = get_args(Family)

#: Terms of a series are added until they are smaller than this part of what is there; at most so many.
_SMALL, _MOST_TERMS = 1e-13, 20_000


class Bought(NamedTuple):
    """What is known of customers; float arrays of one shape, or of shapes that go together.

    Attributes:
        further: x.
        last: t, from 0 to T.
        tenure: T, days.
    """

    further: FloatArray
    last: FloatArray
    tenure: FloatArray


@dataclass(frozen=True, kw_only=True)
class BuyingModel:
    """A fitted model; all four parameters are positive.

    Attributes:
        family: ``mbg`` or ``bg``.
        r, alpha: of the rates; alpha in days.
        a, b: of the probabilities to be lost.
    """

    family: Family
    r: float
    alpha: float
    a: float
    b: float

    @property
    def _step(self) -> int:
        return 1 if self.family == "mbg" else 0

    def log_likelihood(self, bought: Bought) -> FloatArray:
        """Of the days of purchase, each of which may be any moment: a density in as many moments as x.

        Batislam and others 2007, section 3.2; Fader, Hardie, Lee 2005, equation 6.
        """
        from scipy.special import betaln, gammaln

        x, power = bought.further, self.r + bought.further
        rate = gammaln(power) - gammaln(self.r) + self.r * math.log(self.alpha) - betaln(self.a, self.b)
        here = betaln(self.a, self.b + x + self._step) - power * np.log(self.alpha + bought.tenure)
        left = self.b + x + self._step - 1
        could = x + self._step > 0
        lost = betaln(self.a + 1, np.where(could, left, 1.0)) - power * np.log(self.alpha + bought.last)
        return np.asarray(rate + np.where(could, np.logaddexp(here, lost), here))

    def alive(self, bought: Bought) -> FloatArray:
        """Probability that a customer has not been lost, from 0 to 1."""
        x = bought.further
        could = x + self._step > 0
        odds = self.a / np.where(could, self.b + x + self._step - 1, 1.0)
        grown = (self.r + x) * np.log((self.alpha + bought.tenure) / (self.alpha + bought.last))
        return np.asarray(1 / (1 + np.where(could, odds * np.exp(np.minimum(grown, 700.0)), 0.0)))

    def buys_within(self, bought: Bought, days: float) -> FloatArray:
        """Probability of a purchase in the next so many days.

        Who is not lost stays until the next purchase, so nothing but its rate decides when that comes.
        """
        known = self.alpha + bought.tenure
        return self.alive(bought) * -np.expm1((self.r + bought.further) * np.log(known / (known + days)))

    def waiting_days(self, bought: Bought) -> FloatArray:
        """Days until the next purchase has come as likely as not; infinite where it never is."""
        alive = self.alive(bought)
        known = self.alpha + bought.tenure
        still = np.log1p(-0.5 / np.maximum(alive, 0.5 + 1e-12))
        waited = known * np.expm1(np.minimum(-still / (self.r + bought.further), 700.0))
        return np.where(alive > 0.5, waited, np.inf)

    def expected(self, bought: Bought, days: float) -> FloatArray:
        """Days of purchase to expect in the next so many days.

        Fader, Hardie, Lee 2005, equation 10, and Batislam and others 2007, equation 13, have it with a hypergeometric
        function that grows without bounds and a pole at a = 1. By Euler's transformation ``2F1(A, B; C; z) =
        (1 - z)^(C - A - B) 2F1(C - A, C - B; C; z)``, here with C - B = a - 1, and with the series' first term taken
        apart, neither is left::

            E = P(alive) (c L e(u) - exp(u) sum over n >= 1 of (d)_n (a)_(n-1) z^n / ((c + 1)_(n-1) n!))

        with z = days / (alpha + T + days), L = -ln(1 - z), u = -(a - 1) L, e(u) = (1 - exp(u)) / -u, c = a + b + x for
        MBG/NBD and one less for BG/NBD, and d = c - r - x.
        """
        z = days / (self.alpha + bought.tenure + days)
        c = self.a + self.b + bought.further + self._step - 1
        away = -np.log1p(-z)
        u = -(self.a - 1) * away
        first = c * away * np.where(np.abs(u) < 1e-12, 1.0, np.expm1(u) / np.where(np.abs(u) < 1e-12, 1.0, u))
        d = self.a + self.b + self._step - 1 - self.r
        return self.alive(bought) * (first - np.exp(u) * _series(d, self.a, c, z))


def _series(d: float, a: float, c: FloatArray, z: FloatArray) -> FloatArray:
    """``sum over n >= 1 of (d)_n (a)_(n-1) / ((c + 1)_(n-1) n!) z^n``; c > -1 and 0 <= z < 1, of one shape."""
    term = d * z + np.zeros(np.broadcast(c, z).shape)
    total = term.copy()
    for n in range(1, _MOST_TERMS):
        term = term * ((d + n) * (a + n - 1) / ((c + n) * (n + 1)) * z)
        total += term
        if np.all(np.abs(term) <= _SMALL * np.maximum(np.abs(total), _SMALL)):
            break
    return total
