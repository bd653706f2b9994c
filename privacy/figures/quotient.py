"""Quotients of released totals: an interval that holds, and no quotient where the noise leaves none.

A first-order margin is too narrow where the total below is not far from its noise. Fieller's theorem gives the exact
interval for jointly normal errors: all r for which ``a - r b`` is within its own interval around 0. It is bounded only
where b is clear of its noise, and longer on the side away from 0.

Source: E. C. Fieller, "Some Problems in Interval Estimation", Journal of the Royal Statistical Society B 16 (1954),
section 2.
"""

from __future__ import annotations

import math

from privacy.figures.estimates import Z95, Estimate

#: A quotient is shown where the total below is at least so many standard deviations of its noise. Of a smaller one the
#: lucky ones alone would be shown, whose intervals hold less often.
CLEAR = 5.0


def fieller(
    above: float, below: float, variances: tuple[float, float], covariance: float = 0.0, *, z: float = Z95
) -> tuple[float, float] | None:
    """Ends of the interval of ``above / below``; None where it is unbounded.

    Args:
        above, below: the two released totals.
        variances: of the noise in each, in this order.
        covariance: of the two.
        z: half-width of the interval in standard deviations; 1.96 for 95%.

    >>> low, high = fieller(30.0, 100.0, (1.0, 1.0)) or (0.0, 0.0)
    >>> round(low, 4), round(high, 4)
    (0.2796, 0.3206)
    """
    curve = below * below - z * z * variances[1]
    if curve <= 0:
        return None
    middle = above * below - z * z * covariance
    root = math.sqrt(max(middle * middle - curve * (above * above - z * z * variances[0]), 0.0))
    return (middle - root) / curve, (middle + root) / curve


def quotient(above: float, below: float, variances: tuple[float, float], covariance: float = 0.0) -> Estimate | None:
    """A quotient with the ends of its 95% interval; None where the total below is less than :data:`CLEAR` deviations.

    The margin is the larger side. See :func:`fieller` for the arguments.
    """
    if below <= 0 or below < CLEAR * math.sqrt(variances[1]):
        return None
    ends = fieller(above, below, variances, covariance)
    if ends is None:
        return None
    value = above / below
    low, high = (
        min(ends[0], value),
        max(ends[1], value),
    )  # floats differ where there is no noise
    return Estimate.between(low, value, high)


def share(part: float, rest: float, variances: tuple[float, float], *, signed: bool = False) -> Estimate | None:
    """A part of a whole that is given as two totals with independent noise; never below 0 or above 1.

    Args:
        part, rest: released totals that add up to the whole.
        variances: of the noise in each.
        signed: either may be negative in truth (money net of returns), and nothing is cut off.
    """
    whole = variances[0] + variances[1]
    found = quotient(part, part + rest, (variances[0], whole), variances[0])
    return found if found is None or signed else within(found, 0.0, 1.0)


def within(estimate: Estimate, least: float, most: float) -> Estimate:
    """The same without what cannot be: value and ends inside a range."""
    low, high = (min(max(end, least), most) for end in estimate.interval)
    value = min(max(estimate.value, least), most)
    return Estimate.between(low, value, high)
