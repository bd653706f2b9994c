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


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Shares that have bought again by the end of each bin but the open one, with their standard deviations.

    Attributes:
        ends: of the bins, in days.
        again, deviations: shape ``(len(ends),)``.
        at_risk: customers at the start, and the standard deviation of the noise in them.
    """

    ends: tuple[int, ...]
    again: FloatArray
    deviations: FloatArray
    at_risk: tuple[float, float]

    def within(self, days: int) -> Estimate:
        """The share that has bought again within so many days, the end of a bin."""
        place = self.ends.index(days)
        return Estimate(value=float(self.again[place]), margin=Z95 * float(self.deviations[place]))

    def median(self) -> Estimate | None:
        """The day by which half have, between ends of bins by a straight line; None where that is not known.

        Its ends are the days by which the upper and the lower end of the curve's interval are at a half.
        """
        found = [self._day(self.again + side * Z95 * self.deviations) for side in (1, 0, -1)]
        low, middle, high = found
        return None if low is None or middle is None or high is None else Estimate.between(low, middle, high)

    def _day(self, curve: FloatArray) -> float | None:
        values = np.concatenate([[0.0], np.maximum.accumulate(np.clip(curve, 0.0, 1.0))])
        days = np.concatenate([[0.0], np.array(self.ends, dtype=np.float64)])
        place = int(np.searchsorted(values, 0.5))
        if place == len(values):
            return None
        part = (0.5 - values[place - 1]) / (values[place] - values[place - 1])
        return float(days[place - 1] + part * (days[place] - days[place - 1]))


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
    deviations = np.empty(len(events))
    for last in range(len(events)):
        common, inside = running[np.minimum(bins, last)], bins <= last
        gradient = np.concatenate([common - inside / (risk - events), common - inside * hazard / 2])
        deviations[last] = stay[last] * np.sqrt(variance * float(gradient @ gradient))
    count = float((again + not_yet).sum())
    return Curve(
        ends=ends,
        again=np.asarray(1 - stay[: len(ends)]),
        deviations=deviations[: len(ends)],
        at_risk=(count, float(np.sqrt(2 * len(again) * variance))),
    )
