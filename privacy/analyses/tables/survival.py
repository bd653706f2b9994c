"""How many have bought again after so many days, where some have not been customers for so long: a life table.

In bin j, ``d_j`` bought again and ``c_j`` were observed no longer. At risk are ``r_j = sum over i >= j of (d_i + c_i) -
c_j / 2``, as those who leave in a bin leave in its middle on average; ``prod (1 - d_j / r_j)`` stay.

Source: S. J. Cutler, F. Ederer, "Maximum utilization of the life table method in analyzing survival", Journal of
Chronic Diseases 8 (1958). Margins: first order in the noise of the released counts (delta method), whose gradient is
exact: with ``h_j = d_j / (r_j (r_j - d_j))`` and H its running sum, ``d log stay_J / d d_i = H_min(i,J) - [i <= J] /
(r_i - d_i)`` and ``d log stay_J / d c_i = H_min(i,J) - [i <= J] h_i / 2``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from privacy.figures.estimates import Z95, Estimate
from privacy.kernel.row_arithmetic import FloatArray

#: Days of a year, an end of a bin where shares of those who come back are asked for.
YEAR = 365


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Shares that have bought again by the end of each bin but the open one, with the covariance of their noise.

    Attributes:
        ends: of the bins, in days.
        again: shape ``(len(ends),)``.
        covariance: shape ``(len(ends), len(ends))``.
        at_risk: customers at the start, and the standard deviation of the noise in them.
    """

    ends: tuple[int, ...]
    again: FloatArray
    covariance: FloatArray
    at_risk: tuple[float, float]

    @property
    def deviations(self) -> FloatArray:
        """Standard deviations of the shares, shape ``(len(ends),)``."""
        return np.sqrt(np.diag(self.covariance))

    def within(self, days: int) -> Estimate:
        """The share that has bought again within so many days, the end of a bin."""
        place = self.ends.index(days)
        return Estimate(value=float(self.again[place]), margin=Z95 * float(self.deviations[place]))

    def median(self) -> Estimate | None:
        """The day by which half have, between ends of bins by the logarithm of days; None where that is not known.

        Its ends are the days by which the upper and the lower end of the curve's interval are at a half.
        """
        return self._day(self._by_day, 0.5)

    def returning(self, part: float) -> Estimate | None:
        """The day by which so large a part has of all who do within a year; None where that is not known.

        As for the median, of the curve less ``part`` times its value at a year, with the covariance of both.
        """
        forms = self._by_day.copy()
        forms[:, self.ends.index(YEAR)] -= part
        return self._day(forms, 0.0)

    @property
    def _by_day(self) -> FloatArray:
        """The curve at every day from 0 to the last end, as linear forms of its shares.

        Between the ends of a bin it is a straight line over ``log(1 + day)``: the longer somebody has been away, the
        fewer come back a day. (On real sales a straight line over days puts the days of late bins a tenth too late.)
        """
        days, ends = np.log1p(np.arange(self.ends[-1] + 1)), np.log1p(np.array([0, *self.ends]))
        return np.stack([np.interp(days, ends, one) for one in np.eye(len(ends))[1:]], axis=1)

    def _day(self, forms: FloatArray, level: float) -> Estimate | None:
        """The day by which forms of the shares, one a day, reach a level, and those of their interval's ends."""
        values = forms @ self.again
        deviations = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", forms, self.covariance, forms), 0.0))
        found: list[float] = []
        for side in (1, 0, -1):
            ascending = np.maximum.accumulate(values + side * Z95 * deviations)
            place = int(np.searchsorted(ascending, level))
            if place in (0, len(ascending)):
                return None
            part = (level - ascending[place - 1]) / (ascending[place] - ascending[place - 1])
            found.append(place - 1 + float(part))
        return Estimate.between(*found)


def life_table(again: FloatArray, not_yet: FloatArray, variance: float, ends: tuple[int, ...]) -> Curve:
    """The curve from released counts.

    Args:
        again: customers by bin of the days to the second order.
        not_yet: those without one, by bin of the days for which they were observed; the same bins, the last one open.
        variance: of the noise in each of these counts.
        ends: of all bins but the last.
    """
    events, censored = np.maximum(again, 0.0), np.maximum(not_yet, 0.0)
    risk = np.maximum((events + censored)[::-1].cumsum()[::-1] - censored / 2, 1.0)
    events = np.minimum(events, risk * (1 - 1e-9))
    stay = np.cumprod(1 - events / risk)
    hazard = events / (risk * (risk - events))
    running, bins = np.cumsum(hazard), np.arange(len(events))
    gradients = np.empty((len(ends), 2 * len(events)))
    for last in range(len(ends)):
        common, inside = running[np.minimum(bins, last)], bins <= last
        parts = [common - inside / (risk - events), common - inside * hazard / 2]
        gradients[last] = stay[last] * np.concatenate(parts)
    count = float((again + not_yet).sum())
    return Curve(
        ends=ends,
        again=np.asarray(1 - stay[: len(ends)]),
        covariance=variance * gradients @ gradients.T,
        at_risk=(count, float(np.sqrt(2 * len(again) * variance))),
    )
