"""Epsilon by accountants that do not share a formula with each other: the closed form's judges."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cache

from privacy.accounting.gdp import root
from privacy.accounting.sampled import Slot
from privacy.audit.findings import Claim, Spent, judged

#: Prices that are told apart; beyond it they are rounded up to steps of half a percent.
_DISTINCT = 64
_STEP = 1.005

#: Largest mu^2 that the tables of loss distributions are made for.
_LARGEST = 100

#: How far accountants may differ, as a share of epsilon; Opacus' is good to 0.01 in absolute terms.
_AGREEMENT = 0.01
_PRV_ERROR = 0.02


def pld_epsilon(prices: Mapping[Fraction, int], delta: float, fits: Sequence[Slot] = ()) -> float | None:
    """Epsilon by dp_accounting's privacy loss distributions, composed price by price; 0 for none.

    None where mu is above 10: that is no protection at all, and too large for these tables.

    Args:
        prices: mu^2 of charges, and how many there are of each.
        delta: probability bound.
        fits: trainings on samples.
    """
    if beyond(prices):
        return None
    trainings = Counter(fit.key for fit in fits)
    return _pld(tuple(sorted(grouped(prices).items())), tuple(sorted(trainings.items())), delta)


@cache
def _pld(
    mus: tuple[tuple[float, int], ...], trainings: tuple[tuple[tuple[Decimal, Decimal, int], int], ...], delta: float
) -> float:
    if not mus and not trainings:
        return 0.0
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent  # here: slow to import
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant()
    for mu, count in mus:
        accountant.compose(GaussianDpEvent(1 / mu), count)
    for (rate, noise, steps), count in trainings:
        accountant.compose(PoissonSampledDpEvent(float(rate), GaussianDpEvent(float(noise))), steps * count)
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


def accountants_agree(about: str, price: Spent) -> Claim:
    """The closed form, the privacy loss distribution and, where it was asked, Opacus' accountant give one epsilon."""
    differ = []
    if price.epsilon_pld is None:
        differ.append("mu is above 10, where there is no protection left to speak of")
    elif abs(price.epsilon - price.epsilon_pld) > _AGREEMENT * max(price.epsilon, 0.01):
        differ.append(f"the privacy loss distribution gives {price.epsilon_pld:.4f}")
    if price.epsilon_prv is not None and abs(price.epsilon - price.epsilon_prv) > max(
        _PRV_ERROR, _AGREEMENT * price.epsilon
    ):
        differ.append(f"Opacus' PRV accountant gives {price.epsilon_prv:.4f}")
    third = "Opacus' PRV was not asked" if price.epsilon_prv is None else f"Opacus' PRV {price.epsilon_prv:.4f}"
    return judged(
        about,
        "two accountants agree on epsilon",
        [f"closed form {price.epsilon:.4f}; " + "; ".join(differ)] if differ else [],
        f"closed form {price.epsilon:.4f}, privacy loss distribution {price.epsilon_pld or 0:.4f}, {third}",
    )
