"""The holder against the consortium: exact own figures, released figures with margins, and what may be claimed.

Two things make a difference uncertain: the privacy noise in what was released, and chance in who happened to be a
customer here. Both are 95% half-widths and are added in quadrature. The consortium contains the holder, so of the
holder's own chance only the part ``sqrt(1 - w)`` stays in a difference, where w is its share of the records (if
customers spread alike everywhere: the variance of ``own - all`` is ``(1 - w)`` times that of ``own``).

A verdict is given only where a difference passes :func:`privacy.figures.estimates.strictness` times its margin, so that
all verdicts of one table are right together in 95% of cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from privacy.figures.estimates import Z95, Estimate, strictness

Verdict = Literal["higher", "lower", "alike", "unknown"]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One figure of the holder beside the consortium's.

    Attributes:
        own: the holder's exact figure; its margin is what chance may explain (95%).
        everyone: the consortium's figure with the noise's margin; None where it is hidden or not known.
        shown: the same as it is written; a verdict never rests on it.
        verdict: what may be said.
        strength: difference divided by what it must pass to be claimed; signed, 0 where unknown.
    """

    own: Estimate
    everyone: Estimate | None
    verdict: Verdict
    strength: float
    shown: Estimate | None


def compare(
    own: Estimate, everyone: Estimate | None, *, weight: float, comparisons: int, shown: Estimate | None = None
) -> Compared:
    """Set an own figure beside the consortium's, whose interval counts as far as it reaches towards the own figure.

    Args:
        own: the holder's figure with its chance margin.
        everyone: the consortium's figure, or None.
        weight: the holder's share of the records, 0 to 1.
        comparisons: how many are made in the same table.
        shown: the consortium's figure as it is written, where that is not as it was released.
    """
    if everyone is None:
        return Compared(own=own, everyone=None, verdict="unknown", strength=0.0, shown=None)
    needed = strictness(comparisons) * math.hypot(
        own.margin * math.sqrt(max(1 - weight, 0.0)), everyone.towards(own.value)
    )
    difference = own.value - everyone.value
    strength = difference / needed if needed > 0 else math.copysign(math.inf, difference) if difference else 0.0
    verdict: Verdict = "higher" if strength > 1 else "lower" if strength < -1 else "alike"
    return Compared(own=own, everyone=everyone, verdict=verdict, strength=strength, shown=shown or everyone)


def own_share(mask: NDArray[np.bool_]) -> Estimate:
    """A share; its margin is not zero where nobody or everybody is in it.

    ``z sqrt(p (1 - p) / (n + 4))`` with ``p = (x + 2) / (n + 4)`` (Agresti, Coull 1998, "Approximate is better than
    'exact' for interval estimation of binomial proportions", The American Statistician 52(2)).
    """
    count = len(mask)
    centre = (float(mask.sum()) + 2) / (count + 4)
    return Estimate(value=float(mask.mean()), margin=Z95 * math.sqrt(centre * (1 - centre) / (count + 4)))
