"""Epsilon by accountants that do not share a formula with each other: the closed form's judges."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from functools import cache

from privacy.accounting.gdp import root

#: Prices that are told apart; beyond it they are rounded up to steps of half a percent.
_DISTINCT = 64
_STEP = 1.005

#: Largest mu^2 that the tables of loss distributions are made for.
_LARGEST = 100


def pld_epsilon(prices: Mapping[Fraction, int], delta: float) -> float | None:
    """Epsilon by dp_accounting's privacy loss distributions, composed price by price; 0 for none.

    None where mu is above 10: that is no protection at all, and too large for these tables.

    Args:
        prices: mu^2 of charges, and how many there are of each.
        delta: probability bound.
    """
    if beyond(prices):
        return None
    return _pld(tuple(sorted(grouped(prices).items())), delta)


@cache
def _pld(mus: tuple[tuple[float, int], ...], delta: float) -> float:
    if not mus:
        return 0.0
    from dp_accounting import GaussianDpEvent  # here: slow to import
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant()
    for mu, count in mus:
        accountant.compose(GaussianDpEvent(1 / mu), count)
    return float(accountant.get_epsilon(delta))


def beyond(prices: Mapping[Fraction, int]) -> bool:
    """Whether charges add up to so much that only the closed form can say it."""
    return sum(price * count for price, count in prices.items()) > _LARGEST


def grouped(prices: Mapping[Fraction, int]) -> dict[float, int]:
    """How many charges there are of each mu; where there are many prices, near ones are taken for the larger."""
    if len(prices) <= _DISTINCT:
        return {root(price): count for price, count in prices.items()}
    groups: Counter[float] = Counter()
    for price, count in prices.items():
        groups[_STEP ** math.ceil(math.log(root(price)) / math.log(_STEP))] += count
    return dict(groups)
