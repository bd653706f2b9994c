"""Figures that say no more than a public grid: for results that must not tell how large their totals are.

A proportion with an exact margin gives its total away (margin = 1.96 sigma / total, and sigma is public), and so does
one with many digits (it is a quotient of two near-integers). So totals enter margins only by their class, and values
are rounded as coarsely as their margins (``docs/decisions/0012``). Everything is exact decimal arithmetic: equal
figures have equal text.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from privacy.figures.estimates import Estimate

#: Variance of a rounding error, in squared steps, times the square of the normal quantile of 95%.
_ROUNDING = Decimal("1.96") ** 2 / 12

#: No figure is finer than this, relative to itself (a share: to the whole).
FINEST = 0.001

#: Nothing is finer than this in any unit; a figure that is zero without noise has it.
_LEAST = Decimal("1e-9")


def class_of(total: float) -> float:
    """The class of a total: the largest of 1, 2, 5, 10, 20, 50, ... not above it; 1 for anything smaller.

    >>> class_of(26_250), class_of(999), class_of(0.3)
    (20000.0, 500.0, 1.0)
    """
    return float(_step(max(Decimal(repr(float(total))), Decimal(1))))


def bound_of(part: float) -> float:
    """The smallest of ..., 0.01, 0.02, 0.05, 0.1, ... that is not below a part of a whole; at least 0.01, at most 1.

    >>> bound_of(0.0123), bound_of(0.0), bound_of(0.6)
    (0.02, 0.01, 1.0)
    """
    exact = Decimal(repr(float(part)))
    bounds = [Decimal(digit).scaleb(power) for power in (-2, -1, 0) for digit in (1, 2, 5)]
    return float(next((bound for bound in bounds if exact <= bound < 1), 1))


def coarsened(value: float, margin: float, *, finest: float) -> tuple[float, float]:
    """Round a figure and its margin to the public grid.

    The margin becomes the smallest number of one digit that covers both the given one and the rounding of the value
    (95%, errors added in quadrature); the value becomes a multiple of the largest of 1, 2, 5, 10, ... not above the
    margin.

    Args:
        value: the figure.
        margin: half-width of its 95% interval, 0 or more.
        finest: the margin is never taken as smaller than this.

    >>> coarsened(0.12345, 0.0048, finest=0.001)
    (0.125, 0.006)
    """
    needed = max(Decimal(repr(float(margin))), Decimal(repr(float(finest))), _LEAST)
    exponent = needed.adjusted()
    wide = next(
        candidate
        for power in (exponent, exponent + 1)
        for digit in range(1, 10)
        if (candidate := Decimal(digit).scaleb(power)) ** 2 >= needed**2 + _ROUNDING * _step(candidate) ** 2
    )
    return rounded(value, float(wide)), float(wide)


def rounded(value: float, margin: float) -> float:
    """The multiple of a margin's step that is nearest to a value."""
    step = _step(Decimal(repr(margin)))
    return float((Decimal(repr(float(value))) / step).to_integral_value(rounding=ROUND_HALF_EVEN) * step + 0)


def rounded_up(value: float, margin: float) -> float:
    """The smallest multiple of a margin's step that is not below a value."""
    step = _step(Decimal(repr(margin)))
    return float((Decimal(repr(float(value))) / step).to_integral_value(rounding=ROUND_CEILING) * step + 0)


def is_coarse(value: float, margin: float) -> bool:
    """Whether a figure is on the grid: a margin of one digit, and a value that is a multiple of its step."""
    wide = Decimal(repr(float(margin)))
    return wide > 0 and len(wide.normalize().as_tuple().digits) == 1 and rounded(value, margin) == value


def tells_no_more(figure: Estimate) -> bool:
    """Whether an estimate is on the grid, and its interval even, or cut at 0 or 1 only, where value and margin reach.

    >>> tells_no_more(Estimate(value=0.02, margin=0.03, low=0.0))
    True
    >>> tells_no_more(Estimate(value=0.2, margin=0.1, low=0.13))
    False
    """
    low, high = figure.low, figure.high
    even_low = low is None or (low in (0.0, 1.0) and figure.value - figure.margin < low)
    even_high = high is None or (high in (0.0, 1.0) and figure.value + figure.margin > high)
    return even_low and even_high and is_coarse(figure.value, figure.margin)


def step_of(margin: float) -> float:
    """The step of the values that go with a margin."""
    return float(_step(Decimal(repr(float(margin)))))


def _step(number: Decimal) -> Decimal:
    """The largest of 1, 2, 5, 10, ... (and 0.5, 0.2, 0.1, ...) not above a positive number."""
    exponent = number.adjusted()
    leading = number.scaleb(-exponent)
    return Decimal(max(digit for digit in (1, 2, 5) if digit <= leading)).scaleb(exponent)
