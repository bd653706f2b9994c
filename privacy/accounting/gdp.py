"""Gaussian differential privacy in closed form (Dong, Roth, Su 2022, "Gaussian differential privacy", JRSS-B).

``mu`` is the ratio of sensitivity to noise; mechanisms with parameters mu_1, mu_2, ... compose to
``sqrt(mu_1^2 + mu_2^2 + ...)``, also when later questions are chosen after seeing earlier answers. Corollary 2.13
there turns mu into (epsilon, delta).
"""

from __future__ import annotations

import math
from fractions import Fraction

#: mu^2 budgets are cut down to multiples of this, so that they are exact and never rounded up.
_BUDGET_GRID = 10**12


def delta_of(mu: float, epsilon: float) -> float:
    """Smallest delta for which a mu-GDP mechanism is (epsilon, delta)-differentially private.

    ``Phi(-epsilon/mu + mu/2) - e^epsilon Phi(-epsilon/mu - mu/2)`` (corollary 2.13 of the paper above; of the
    mechanism itself also Balle, Wang 2018, "Improving the Gaussian mechanism for differential privacy", ICML, theorem
    8), evaluated in logarithms so that it neither overflows nor cancels for small mu.

    Args:
        mu: 0 or more.
        epsilon: 0 or more.

    >>> round(delta_of(1.0, 1.0), 6)
    0.126937
    """
    if mu < 0 or epsilon < 0:
        raise ValueError("mu and epsilon must not be negative")
    if mu == 0:
        return 0.0
    from scipy.special import log_ndtr  # here, as below: a third of what a command's start imports, and few need it

    first = float(log_ndtr(-epsilon / mu + mu / 2))
    second = epsilon + float(log_ndtr(-epsilon / mu - mu / 2))
    if second >= first:  # equal to rounding: the true difference is positive and below what floats can show
        return 0.0
    return math.exp(first) * -math.expm1(second - first)


def epsilon_of(mu: float, delta: float) -> float:
    """Smallest epsilon at ``delta`` for a mu-GDP mechanism (0 where delta alone covers it).

    The root of :func:`delta_of`, which falls strictly in epsilon.

    Args:
        mu: 0 or more.
        delta: above 0 and below 1.

    >>> round(epsilon_of(0.2367, 1e-6), 3)
    1.0
    """
    if not 0 < delta < 1:
        raise ValueError("delta must lie between 0 and 1")
    if mu == 0 or delta_of(mu, 0.0) <= delta:
        return 0.0
    from scipy.optimize import brentq

    high = 1.0
    while delta_of(mu, high) > delta:
        high *= 2
    return float(brentq(lambda e: delta_of(mu, e) - delta, 0.0, high, xtol=1e-12, rtol=1e-12))


def mu_of(epsilon: float, delta: float) -> float:
    """Largest mu (to nine digits, from below) whose mechanism is still (epsilon, delta)-differentially private.

    The root of :func:`delta_of`, which rises strictly in mu. From so far below that a budget used to its end is never
    shown as more, whichever way ``epsilon_of`` rounds.

    >>> round(mu_of(1.0, 1e-6), 4)
    0.2367
    """
    if epsilon <= 0 or not 0 < delta < 1:
        raise ValueError("epsilon must be positive and delta between 0 and 1")
    from scipy.optimize import brentq

    high = 1.0
    while delta_of(high, epsilon) < delta:
        high *= 2
    mu = float(brentq(lambda m: delta_of(m, epsilon) - delta, 0.0, high, xtol=1e-14, rtol=1e-14))
    mu *= 1 - 1e-9
    while mu > 0 and delta_of(mu, epsilon) > delta:
        mu *= 1 - 1e-9
    return mu


def squared_budget(epsilon: float, delta: float) -> Fraction:
    """``mu_of(epsilon, delta)`` squared, as an exact fraction rounded down."""
    return Fraction(math.floor(mu_of(epsilon, delta) ** 2 * _BUDGET_GRID), _BUDGET_GRID)


def root(squared_mu: Fraction) -> float:
    """mu from its exact square, rounded up by at most one unit in the last place."""
    return math.nextafter(math.sqrt(squared_mu), math.inf) if squared_mu else 0.0


def best_guess(mu: float) -> float:
    """Highest probability to guess right, from the release, whether one fair coin's person took part.

    ``Phi(mu/2)``; 0.5 is a blind guess. A guess between two equally likely cases is right with probability (1 + TV) / 2
    at most (Neyman, Pearson 1933), and TV, the total variation, is at most that of N(0, 1) and N(mu, 1), which is
    ``2 Phi(mu/2) - 1``: with mu-GDP nothing is easier to tell apart than these (section 2 of the paper above).

    >>> round(best_guess(0.2367), 4)
    0.5471
    """
    from scipy.special import ndtr

    return float(ndtr(mu / 2))
