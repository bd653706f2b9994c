"""How shares and amounts are put into words, alike on every page."""

from __future__ import annotations

from decimal import Decimal

from privacy.figures.estimates import Estimate
from privacy.presentation.numbers import grouped, shown
from privacy.presentation.texts import COMMON, Language, say


def percent(estimate: Estimate, language: Language) -> str:
    """A share with its margin, as it stands in a sentence: ``62.1% (± 0.4)``."""
    value, margin = shown(estimate, decimals=1, scale=100)
    return say(COMMON, "percent_with_margin", language, value=value, margin=margin)


def amount(value: Decimal, digits: int) -> str:
    """A stated amount: whole where it is whole, else with the currency's minor digits."""
    return grouped(value, 0 if value == value.to_integral_value() else digits)
