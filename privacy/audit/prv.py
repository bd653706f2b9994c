"""Opacus' PRV accountant as a third opinion, where Opacus is installed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from privacy.accounting.sampled import Slot
from privacy.audit.accountants import beyond, grouped


def prv_epsilon(prices: Mapping[Fraction, int], delta: float, fits: Sequence[Slot] = ()) -> float | None:
    """Epsilon by Opacus' PRV accountant (to its error of 0.01); None where Opacus is not installed.

    Args:
        prices: mu^2 of charges, and how many there are of each.
        delta: probability bound.
        fits: trainings on samples.
    """
    if not prices and not fits:
        return 0.0
    if beyond(prices):
        return None
    try:
        from opacus.accountants import PRVAccountant  # here: torch is slow to import
    except ModuleNotFoundError:
        return None
    accountant = PRVAccountant()
    sums = [(1 / mu, 1.0, count) for mu, count in grouped(prices).items()]
    trainings = [(float(fit.noise_multiplier), float(fit.rate), fit.steps) for fit in fits]
    accountant.history = sums + trainings
    # It takes the logarithm of 1 - q, and q is 1; and it starts from RDP, whose hint about orders helps nobody here.
    with np.errstate(divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return float(accountant.get_epsilon(delta))
