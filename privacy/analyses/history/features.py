"""The features that this analysis alone reads: what a customer spends on a day of purchase."""

from __future__ import annotations

from privacy.kernel.features import UNIT, Feature, Scale

#: Mean spend on a day of purchase.
DAY_VALUE = "day_value"
#: The same over the first, third, fifth, ... day of purchase alone.
ODD = "odd_days_value"
#: Over the second, fourth, ...; MISSING where there is one day only.
EVEN = "even_days_value"

#: In units of a hundredth of the study's money unit.
_SPEND = Scale(kind="log", low=0, high=500_000, offset=100, missing=-UNIT)


def _value(name: str, en: str, zh: str) -> Feature:
    return Feature(name=name, column="money", unit="minor units", en=en, zh=zh, scale=_SPEND, money=True)


FEATURES = (
    _value(DAY_VALUE, "spend on a day with a purchase", "每个购买日的消费"),
    _value(ODD, "the same on the first, third, ... day", "第1、3……个购买日的消费"),
    _value(EVEN, "the same on the second, fourth, ... day", "第2、4……个购买日的消费"),
)
