"""Accepting or rejecting noise by its draws: does it come from the Gaussian that the ledger was charged for?

Every check answers with the name of what is wrong, or None. Each has a false-alarm probability of at most
``FALSE_ALARM`` when the noise is right, so a test that draws fresh noise fails by chance less often than a disk loses a
bit. With ``DRAWS`` draws the scale check sees an error of 5%: the standard deviation of the sum of squares is
sqrt(2/25000) = 0.9% of it, the threshold lies at 6.1 of those (5.5%), and a 5% error of scale moves it by 10%.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Draws = NDArray[np.int64]

DRAWS = 25_000
FALSE_ALARM = 1e-9

#: Equiprobable bins of the shape check.
_BINS = 64
#: Draws in a row that must never come twice. Two independent draws agree with probability 1/(2 sigma sqrt(pi)) <=
#: 2.9e-4 for sigma >= 1000, so six in a row with 6e-22; 25,000^2/2 pairs of places make that 2e-13.
_BLOCK = 6
#: Moduli whose residues must be even: noise on a coarser grid than the integers has a factor in common.
_MODULI = (16, 15, 7)


def wrong_scale(draws: Draws, scale: float) -> str | None:
    """Two-sided chi-square on the sum of squares."""
    statistic = float(np.sum((draws / scale) ** 2))
    low, high = stats.chi2.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], len(draws))
    return None if low < statistic < high else f"scale: {math.sqrt(statistic / len(draws)):.3f} of the claimed one"


def wrong_mean(draws: Draws, scale: float) -> str | None:
    """The mean must be zero."""
    z = abs(float(np.mean(draws))) / scale * math.sqrt(len(draws))
    return f"mean: {z:.1f} standard errors from zero" if z > stats.norm.isf(FALSE_ALARM / 2) else None


def wrong_shape(draws: Draws, scale: float) -> str | None:
    """Chi-square of equiprobable bins: the family must be the Gaussian."""
    edges = stats.norm.ppf(np.arange(1, _BINS) / _BINS) * scale
    counts = np.bincount(np.searchsorted(edges, draws), minlength=_BINS)
    expected = len(draws) / _BINS
    statistic = float(np.sum((counts - expected) ** 2) / expected)
    # The statistic's tail is a little heavier than the chi-square's at 25,000 draws; a factor of 1.3 covers it.
    limit = 1.3 * stats.chi2.isf(FALSE_ALARM, _BINS - 1)
    return f"shape: chi-square {statistic:.0f} over {limit:.0f}" if statistic > limit else None


def coarse(draws: Draws, scale: float) -> str | None:
    """Every integer must be possible: residues are even (to within exp(-2 pi^2 sigma^2 / 256))."""
    for modulus in _MODULI:
        counts = np.bincount(draws % modulus, minlength=modulus)
        expected = len(draws) / modulus
        statistic = float(np.sum((counts - expected) ** 2) / expected)
        if statistic > 1.3 * stats.chi2.isf(FALSE_ALARM / len(_MODULI), modulus - 1):
            return f"grid: residues modulo {modulus} are not even"
    return None


def dependent(draws: Draws, scale: float) -> str | None:
    """Neighbouring draws must not go together: the lag-one correlation times sqrt(n) is standard normal."""
    z = abs(float(np.sum(draws[:-1] / scale * (draws[1:] / scale)))) / math.sqrt(len(draws))
    return f"dependence: {z:.1f}" if z > stats.norm.isf(FALSE_ALARM / 2) else None


def repeated(draws: Draws, scale: float) -> str | None:
    """No block of ``_BLOCK`` draws may come twice, at whatever place."""
    windows = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(draws, _BLOCK))
    distinct = np.unique(windows.view([("", windows.dtype)] * _BLOCK)).size
    return None if distinct == len(windows) else f"repetition: {len(windows) - distinct} blocks come twice"


CHECKS: tuple[Callable[[Draws, float], str | None], ...] = (
    wrong_scale,
    wrong_mean,
    wrong_shape,
    coarse,
    dependent,
    repeated,
)


def faults(draws: Draws, scale: float) -> list[str]:
    """Everything that is wrong with noise that claims to be Gaussian with this scale; empty when it is right."""
    if len(draws) < DRAWS:
        raise ValueError(f"{DRAWS} draws or more are needed, not {len(draws)}")
    return [fault for check in CHECKS if (fault := check(draws, scale)) is not None]


# --- the audit: what an attacker can tell, measured ---------------------------------------------------------------


def mu_lower_bound(present: NDArray[np.float64], absent: NDArray[np.float64], *, alpha: float = 1e-6) -> float:
    """A lower bound on mu from an attacker's scores with and without the canary, wrong with probability ``alpha``.

    The threshold is fixed beforehand (half the canary's score, so scores must be scaled to 1 for the canary itself);
    Clopper-Pearson bounds on both error rates; ``Phi^-1(1 - FPR) - Phi^-1(FNR)``.
    """

    def upper(errors: int, trials: int) -> float:
        return float(stats.beta.isf(alpha / 2, errors + 1, trials - errors)) if errors < trials else 1.0

    false_positive = upper(int(np.sum(absent > 0.5)), len(absent))
    false_negative = upper(int(np.sum(present <= 0.5)), len(present))
    return float(stats.norm.isf(false_positive) - stats.norm.ppf(false_negative))
