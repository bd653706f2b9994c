"""How shares and amounts are put into words, alike on every page."""

from __future__ import annotations

from decimal import Decimal

from privacy.figures.estimates import Estimate
from privacy.presentation.numbers import ends, grouped, shown
from privacy.presentation.texts import COMMON, Language, say


def low_to_high(estimate: Estimate, language: Language, *, decimals: int, scale: int = 1) -> str:
    """Both ends of an interval whose sides differ by more than a fifth: ``0.2 to 1.9``; empty where they do not."""
    found = ends(estimate, decimals=decimals, scale=scale)
    return "" if found is None else say(COMMON, "low_to_high", language, low=found[0], high=found[1])


def beside(estimate: Estimate, language: Language, *, decimals: int, scale: int = 1) -> str:
    """What stands beside or below a value: ``± 0.4``, or both ends where one side is clearly longer."""
    around = low_to_high(estimate, language, decimals=decimals, scale=scale)
    margin = shown(estimate, decimals=decimals, scale=scale).margin
    return around or say(COMMON, "plus_minus", language, margin=margin)


def on_terminal(estimate: Estimate, *, decimals: int, scale: int = 1, unit: str = "") -> str:
    """A figure as the terminal's tables have it: ``62.1% ±0.4`` or ``0.8% (0.2 to 1.9)``; arguments as in the next."""
    value, margin = shown(estimate, decimals=decimals, scale=scale)
    around = low_to_high(estimate, "en", decimals=decimals, scale=scale)
    return f"{value}{unit} " + (f"({around})" if around else f"±{margin}")


def with_interval(estimate: Estimate, language: Language, *, decimals: int, scale: int = 1, unit: str = "") -> str:
    """A figure with its interval, as it stands in a sentence: ``62.1 (± 0.4)`` or ``0.8 (0.2 to 1.9)``.

    Args:
        estimate: the figure.
        language: of the sentence.
        decimals, scale: as in :func:`privacy.presentation.numbers.shown`.
        unit: stands behind the value.
    """
    value = shown(estimate, decimals=decimals, scale=scale).value + unit
    around = beside(estimate, language, decimals=decimals, scale=scale)
    return say(COMMON, "value_with_interval", language, value=value, interval=around)


def percent(estimate: Estimate, language: Language) -> str:
    """A share with its interval, as it stands in a sentence: ``62.1% (± 0.4)`` or ``0.8% (0.2 to 1.9)``."""
    return with_interval(estimate, language, decimals=1, scale=100, unit="%")


def amount(value: Decimal, digits: int) -> str:
    """A stated amount: whole where it is whole, else with the currency's minor digits."""
    return grouped(value, 0 if value == value.to_integral_value() else digits)
