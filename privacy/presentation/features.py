"""How customer features and their values are put into words, alike on every page."""

from __future__ import annotations

from typing import NamedTuple

from privacy.figures.estimates import Estimate
from privacy.kernel.features import FEATURES, FeatureName
from privacy.kernel.terms import minor_digits
from privacy.presentation.numbers import Shown, shown
from privacy.presentation.texts import COMMON, Language, of_its_own, say


class _Form(NamedTuple):
    """How a value is written: raw units in one written unit, the most decimals, and whether it is a percentage."""

    raw: int
    decimals: int
    percent: bool = False


def feature_name(name: FeatureName, language: Language, *, of: str = "") -> str:
    """The feature's name in a language; ``of`` is the category or channel that it is the share of."""
    feature = FEATURES[name]
    if feature.listed and of:
        return say(COMMON, f"feature_of_{feature.listed[0]}", language, of=of)
    return of_its_own(feature, language)


def feature_heading(name: FeatureName, language: Language, *, currency: str, of: str = "") -> str:
    """The feature's name with the unit that :func:`feature_value` writes, where the name does not say it."""
    unit = currency if FEATURES[name].money else "%" if _form(name, currency).percent else ""
    said = feature_name(name, language, of=of)
    return say(COMMON, "feature_with_unit", language, name=said, unit=unit) if unit else said


def feature_value(name: FeatureName, estimate: Estimate, *, currency: str) -> Shown:
    """A value of the feature in people's units: days, orders, major units of money, per cent.

    Args:
        name: the feature.
        estimate: money in major units, all else in the feature's raw unit.
        currency: of money.
    """
    form = _form(name, currency)
    value = Estimate(value=estimate.value / form.raw, margin=estimate.margin / form.raw)
    return shown(value, decimals=form.decimals)


def _form(name: FeatureName, currency: str) -> _Form:
    feature = FEATURES[name]
    if feature.money:
        return _Form(raw=1, decimals=minor_digits(currency))
    if feature.unit.endswith("hundredths"):
        return _Form(raw=100, decimals=1)
    if feature.unit == "thousandths":
        return _Form(raw=10, decimals=1, percent=True) if feature.share else _Form(raw=1000, decimals=2)
    return _Form(raw=1, decimals=1)
