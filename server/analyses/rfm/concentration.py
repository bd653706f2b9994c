"""What the customers who spend most bring of what is spent: from the released distribution, so it costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.rfm.options import KnownTail
from privacy.analyses.rfm.results import Concentration
from privacy.figures.estimates import Estimate
from privacy.figures.quotient import quotient
from privacy.statistics.square_root import root_coefficients
from server.analyses.rfm.cut_points import Cumulative, surely_above

FloatArray = NDArray[np.float64]

#: Shares of customers, those who spend most first.
_TOP = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def concentration_of(money: Cumulative, cap: int, tail: KnownTail) -> Concentration | None:
    """The Lorenz curve from the top: the share of what is spent that each share of customers brings.

    Customers count with at most the cap, as in sums by segment; what lies above it is added as there: the estimate to
    the value, nothing to the lower end and the most to the upper one. Who has less than nothing counts as nothing. None
    where the noise leaves too little of what is spent.

    The interval has three parts: the noise (:meth:`_Spend.top`), the place of amounts inside their bins, which is
    anything from all low to all high (0.6 points at a share of 60%), and the tail.

    Args:
        money: the distribution.
        cap: one of its bins' ends.
        tail: what lies above it, as a part of what is counted.
    """
    spend = _Spend.of(money, cap)
    found = [spend.top(top) for top in _TOP]
    if any(share is None for share in found):
        return None
    many = surely_above(money, cap) / money.customers
    shares = [
        _with_tail(share, tail, top, min(top / many, 1.0) if many > 0 else 1.0)
        for top, share in zip(_TOP, found, strict=True)
        if share is not None
    ]
    return Concentration(top=_TOP, share_of_spend=tuple(shares))


def _with_tail(counted: Estimate, tail: KnownTail, top: float, part: float) -> Estimate:
    """A share of everything, from that of what is counted; nobody's top brings less than its own share.

    Args:
        counted: of what is counted up to the cap.
        tail: what lies above the cap.
        top: which share of customers.
        part: the least part of the tail that they have: the largest have more of it than others.
    """
    low, high = counted.interval
    likely, most = float(tail.likely), float(tail.most)
    low = max(min(low, (low + most * part) / (1 + most)), top)
    value = max((counted.value + likely * part) / (1 + likely), low)
    return Estimate.between(low, min(value, 1.0), min(max((high + most) / (1 + most), value), 1.0))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Spend:
    """What customers spend, up to a cap.

    Attributes:
        share: of customers in each bin, those who spend least first; shape ``(bins,)``.
        least, middle, most: what a customer of each bin spends: its ends, and between them by logarithms; same shape.
        noise: standard deviation of the first prefix sum, as a share of the customers.
    """

    share: FloatArray
    least: FloatArray
    middle: FloatArray
    most: FloatArray
    noise: float

    @classmethod
    def of(cls, money: Cumulative, cap: int) -> Self:
        """From a distribution."""
        upper = np.clip(np.array([*money.grid.upper, cap], dtype=np.float64), 0.0, cap)
        lower = np.concatenate([[0.0], upper[:-1]])
        return cls(
            share=np.diff(money.share, prepend=0.0),
            least=lower,
            middle=np.sqrt(np.maximum(lower, 1.0) * np.maximum(upper, 1.0)),
            most=upper,
            noise=float(money.estimate.deviation[0]) / money.customers,
        )

    def top(self, top: float) -> Estimate | None:
        """The share of what is spent that a share of the customers brings, with its interval.

        What they spend is ``min over x of (top n x + sum of (m - x)+)``, with x what the last of them spends
        (Rockafellar, Uryasev 2000, "Optimization of conditional value-at-risk", theorem 1). At that minimum a small
        error of x does nothing, so both sums are linear in the bins' counts, and the noise of each and of both together
        follows from that of the release. The quotient's interval is Fieller's.
        """
        last = len(self.share) - 1 - int(np.searchsorted(np.cumsum(self.share[::-1]), top))
        at = float(self.middle[max(last, 0)])
        of_top = self._noise_of(np.maximum(self.middle - at, 0.0) + top * at)
        of_all = self._noise_of(self.middle)
        (mine, everything), (least, lowest), (most, highest) = (
            (self._sum(value, top), float(self.share @ value)) for value in (self.middle, self.least, self.most)
        )
        found = quotient(mine, everything, (float(of_top @ of_top), float(of_all @ of_all)), float(of_top @ of_all))
        if found is None:
            return None
        low, high = found.interval
        others, at_most = highest - most, lowest - least
        low -= found.value - (least / (least + others) if least + others > 0 else 0.0)
        high += (most / (most + at_most) if most + at_most > 0 else 1.0) - found.value
        return Estimate.between(min(low, found.value), found.value, max(high, found.value))

    def _sum(self, value: FloatArray, top: float) -> float:
        """What a share of the customers spends, those who spend most first, for each customer of all."""
        customers = np.concatenate([[0.0], np.cumsum(self.share[::-1])])
        spent = np.concatenate([[0.0], np.cumsum((self.share * value)[::-1])])
        return float(np.interp(top, customers, spent))

    def _noise_of(self, weights: FloatArray) -> FloatArray:
        """How a sum over bins, of so much for each customer, follows the release's coordinates; shape ``(bins,)``.

        A prefix sum j is the release's coordinates up to j times ``c_(j - i)`` (:mod:`privacy.statistics.square_root`).
        """
        steps = -np.diff(weights, append=0.0)
        root = np.array(root_coefficients(len(weights)))
        return np.asarray(self.noise * np.convolve(steps[::-1], root)[: len(weights)][::-1])
