"""How figures, shares and amounts are put into words, alike on every page, on the terminal and in JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from privacy.figures.estimates import Estimate
from privacy.presentation.numbers import ends, grouped, shown, under
from privacy.presentation.texts import COMMON, Language, say


class Written(NamedTuple):
    """A released figure in words.

    Attributes:
        value: with its unit; ``under 8%`` where the noise hides it, and nothing beside it then.
        margin: half-width of its interval.
        ends: both ends in words, ``0.2 to 1.9``, where the sides differ by more than a fifth; for the margin's place.
    """

    value: str
    margin: str = ""
    ends: str = ""

    @property
    def hidden(self) -> bool:
        """Whether the noise hides the figure."""
        return not self.margin


def written(
    estimate: Estimate, language: Language, *, decimals: int, scale: int = 1, unit: str = "", signed: bool = False
) -> Written:
    """A figure in words: the one function that all pages, the terminal and JSON go through.

    Args:
        estimate: the figure.
        language: of the words.
        decimals, scale: as in :func:`privacy.presentation.numbers.shown`.
        unit: stands behind the value.
        signed: it is a difference, of which an interval around 0 hides nothing: it says that there is none.
    """
    hidden = None if signed else under(estimate, decimals=decimals, scale=scale)
    if hidden is not None:
        return Written(say(COMMON, "under", language, high=hidden + unit))
    value, margin = shown(estimate, decimals=decimals, scale=scale)
    found = ends(estimate, decimals=decimals, scale=scale)
    around = "" if found is None else say(COMMON, "low_to_high", language, low=found[0], high=found[1])
    return Written(value + unit, margin, around)


def beside(figure: Written, language: Language) -> str:
    """What stands beside or below a value: ``± 0.4``, both ends where one side is clearly longer, or nothing."""
    if figure.hidden:
        return ""
    return figure.ends or say(COMMON, "plus_minus", language, margin=figure.margin)


def on_terminal(estimate: Estimate, language: Language, *, decimals: int, scale: int = 1, unit: str = "") -> str:
    """A figure as the terminal's tables have it: ``62.1% ±0.4``, ``0.8% (0.2 to 1.9)`` or ``under 8%``."""
    return in_a_row(estimate, language, decimals=decimals, scale=scale, unit=unit).replace("±\u00a0", "±")


def in_a_row(estimate: Estimate, language: Language, *, decimals: int, scale: int = 1, unit: str = "") -> str:
    """A figure and its interval as a table has them: ``62.1% ± 0.4``, ``0.8% (0.2 to 1.9)`` or ``under 8%``."""
    figure = written(estimate, language, decimals=decimals, scale=scale, unit=unit)
    around = f"({figure.ends})" if figure.ends else beside(figure, language)
    return f"{figure.value} {around}".rstrip()


def with_interval(estimate: Estimate, language: Language, *, decimals: int, scale: int = 1, unit: str = "") -> str:
    """A figure with its interval, as it stands in a sentence: ``62.1 (± 0.4)``, ``0.8 (0.2 to 1.9)`` or ``under 8``.

    See :func:`written` for the arguments.
    """
    figure = written(estimate, language, decimals=decimals, scale=scale, unit=unit)
    if figure.hidden:
        return figure.value
    return say(COMMON, "value_with_interval", language, value=figure.value, interval=beside(figure, language))


def percent(estimate: Estimate, language: Language) -> str:
    """A share with its interval, as it stands in a sentence: ``62.1% (± 0.4)`` or ``0.8% (0.2 to 1.9)``."""
    return with_interval(estimate, language, decimals=1, scale=100, unit="%")


def amount(value: Decimal, digits: int) -> str:
    """A stated amount: whole where it is whole, else with the currency's minor digits."""
    return grouped(value, 0 if value == value.to_integral_value() else digits)
