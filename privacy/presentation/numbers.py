"""How numbers are written: never with more digits than their margin justifies."""

from __future__ import annotations

import datetime as dt
import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from privacy.figures.estimates import Estimate
from privacy.presentation.texts import SPOKEN, Language

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Shown(NamedTuple):
    """A value and its margin as they are written, rounded to the same place."""

    value: str
    margin: str


def _place(margin: Decimal) -> int:
    """Power of ten to round at: two digits of the margin if it starts with 1, 2 or a low 3, else one.

    This is the rule of the Particle Data Group: the rounding then adds little to the uncertainty, and no
    digit is shown that the noise has made meaningless.
    """
    exponent = margin.adjusted()
    leading = margin.scaleb(-exponent)
    return exponent - 1 if leading <= Decimal("3.54") else exponent


def grouped(value: Decimal, decimals: int) -> str:
    """A number with thousands separators and a fixed number of decimals; never minus zero."""
    rounded = value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    return f"{rounded + 0 if rounded else abs(rounded):,.{decimals}f}"


def shown(estimate: Estimate, *, decimals: int, scale: int = 1) -> Shown:
    """Write an estimate with its margin.

    Args:
        estimate: the value and the half-width of its 95% interval.
        decimals: most decimals that make sense in this unit (0 for counts).
        scale: multiplies both first (100 for per cent).
    """
    value = Decimal(repr(float(estimate.value))) * scale
    margin = Decimal(repr(float(estimate.margin))) * scale
    place = _last_place(margin, decimals)
    # The margin is rounded up, so that the interval that is shown still covers what it promises.
    return Shown(_rounded(value, place, ROUND_HALF_EVEN), _rounded(margin, place, ROUND_CEILING))


def raised(estimate: Estimate, least: Estimate, *, decimals: int) -> Estimate:
    """A figure that is not less than another one, so that it is not written as less either: rounding may do that.

    The value moves by less than it is rounded by; the interval stays. See :func:`shown` for the arguments.

    >>> raised(Estimate(value=1234.0, margin=150.0), Estimate(value=1234.0, margin=12.0), decimals=0).value
    1240.0
    """
    needed = _as_written(least, decimals)
    while _as_written(estimate, decimals) < needed:
        unit = _unit(estimate, decimals)
        value = float((needed / unit).to_integral_value(rounding=ROUND_CEILING) * unit)
        estimate = estimate.moved(value)
    return estimate


def _unit(estimate: Estimate, decimals: int) -> Decimal:
    return Decimal(1).scaleb(_last_place(Decimal(repr(float(estimate.margin))), decimals))


def _as_written(estimate: Estimate, decimals: int) -> Decimal:
    unit = _unit(estimate, decimals)
    return (Decimal(repr(float(estimate.value))) / unit).to_integral_value(rounding=ROUND_HALF_EVEN) * unit


#: Both ends are written where one side of an interval is longer than the other by more than a fifth.
_UNEVEN = 1.2


def ends(estimate: Estimate, *, decimals: int, scale: int = 1) -> tuple[str, str] | None:
    """Both ends of an interval whose sides differ by more than a fifth, rounded outwards as the value is.

    None where the margin says it all. See :func:`shown` for the arguments.

    >>> ends(Estimate(value=0.03, margin=0.05, low=0.0, high=0.08), decimals=1, scale=100)
    ('0', '8')
    >>> ends(Estimate(value=0.3, margin=0.05), decimals=1, scale=100)
    """
    if max(estimate.sides) <= _UNEVEN * min(estimate.sides):
        return None
    place = _last_place(Decimal(repr(float(estimate.margin))) * scale, decimals)
    low, high = (Decimal(repr(float(end))) * scale for end in estimate.interval)
    return _rounded(low, place, ROUND_FLOOR), _rounded(high, place, ROUND_CEILING)


def under(estimate: Estimate, *, decimals: int, scale: int = 1) -> str | None:
    """The upper end of an interval that reaches down to 0, rounded up as its margin is; None of any other.

    The noise hides such a figure: no digit of its value means anything. See :func:`shown` for the arguments.

    >>> under(Estimate(value=-76_412.0, margin=124_091.0), decimals=0)
    '50,000'
    >>> under(Estimate(value=0.0, margin=0.0), decimals=0)
    """
    if not is_hidden(estimate):
        return None
    place = _last_place(Decimal(repr(float(estimate.margin))) * scale, decimals)
    return _rounded(Decimal(repr(float(estimate.interval[1]))) * scale, place, ROUND_CEILING)


def is_hidden(estimate: Estimate) -> bool:
    """Whether the interval reaches from above 0 down to it: the noise leaves nothing of the figure for sure."""
    low, high = estimate.interval
    return low <= 0 < high


def _last_place(margin: Decimal, decimals: int) -> int:
    return max(_place(margin), -decimals) if margin > 0 else -decimals


def _rounded(number: Decimal, place: int, rounding: str) -> str:
    unit = Decimal(1).scaleb(place)
    return grouped((number / unit).to_integral_value(rounding=rounding) * unit, max(0, -place))


def epsilon_text(value: float) -> str:
    """An epsilon that was spent, to three digits, rounded up (never down: it is a bound)."""
    exact = Decimal(repr(float(value)))
    if exact <= 0:
        return "0"
    unit = Decimal(1).scaleb(min(exact.adjusted(), 0) - 2)
    return f"{exact.quantize(unit, rounding=ROUND_CEILING):f}"


def many(count: int, noun: str) -> str:
    """A number of things in a message to operators; pages say it in texts with forms of each language.

    >>> many(1, "holder"), many(1200, "attempt")
    ('1 holder', '1,200 attempts')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def plain(value: float, digits: int = 6) -> str:
    """A stated number without needless zeros, at most ``digits`` significant digits."""
    return f"{value:.{digits}g}"


def delta_text(value: float) -> str:
    """A small probability as a power of ten: ``10⁻⁶`` or ``2.5 × 10⁻⁷``.

    >>> delta_text(1e-6)
    '10⁻⁶'
    """
    exponent = math.floor(math.log10(value) + 1e-9)
    leading = f"{value / 10**exponent:.3g}"
    power = "10" + str(exponent).translate(_SUPERSCRIPT)
    return power if leading == "1" else f"{leading} × {power}"


def day_text(day: dt.date, language: Language) -> str:
    """A day as people write it: ``1 January 2025`` or ``2025年1月1日``."""
    return SPOKEN[language].day_text(day)
