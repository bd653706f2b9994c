"""Epsilon of trainings on samples and sums, by privacy loss distributions of one's own: numpy's FFT and nothing else.

The loss of one step and of the sums is put on a grid, to the nearest point; convolutions are products of Fourier
transforms (Koskela, Jaelkoe, Honkela 2020, "Computing tight differential privacy guarantees using FFT").
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

_STEP = 5e-4
_POINTS = 1 << 17  # losses up to 32 either way


def _placed(losses: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.complex128]:
    places = np.rint(losses / _STEP).astype(np.int64) % _POINTS
    return np.asarray(np.fft.fft(np.bincount(places, weights=weights, minlength=_POINTS)))


def _cells(low: float, high: float, deviation: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middles of narrow cells of a normal distribution around 0, and its mass in them."""
    edges = np.linspace(low, high, 200_001)
    return (edges[1:] + edges[:-1]) / 2, np.diff(ndtr(edges / deviation))


def _step(rate: float, noise: float, *, removed: bool) -> NDArray[np.complex128]:
    """One step for somebody who is taken out of the data, or put into it."""
    low, high = -10 * noise, 10 * noise + 1
    at, without = _cells(low, high, noise)
    with np.errstate(divide="ignore"):
        losses = np.logaddexp(math.log1p(-rate) if rate < 1 else -np.inf, math.log(rate) + (at - 0.5) / noise**2)
    if not removed:
        return _placed(-losses, without)
    edges = np.linspace(low, high, 200_001)
    return _placed(losses, (1 - rate) * without + rate * np.diff(ndtr((edges - 1) / noise)))


def epsilon_of_losses(squared_mu: float, trainings: Iterable[tuple[float, float, int]], delta: float) -> float:
    """Epsilon at ``delta``.

    Args:
        squared_mu: of the sums together.
        trainings: rate, noise multiplier and steps of each.
    """
    trainings, found = tuple(trainings), 0.0
    for removed in (True, False):
        transform = np.ones(_POINTS, dtype=np.complex128)
        for rate, noise, steps in trainings:
            transform *= _step(rate, noise, removed=removed) ** steps
        if squared_mu > 0:
            mu = math.sqrt(squared_mu)
            at, mass = _cells(-10 * mu, 10 * mu, mu)
            transform *= _placed(at + squared_mu / 2, mass)
        mass = np.fft.fftshift(np.maximum(np.fft.ifft(transform).real, 0))
        losses = (np.arange(_POINTS) - _POINTS // 2) * _STEP

        def exceeded(epsilon: float, mass: NDArray[np.float64] = mass, losses: NDArray[np.float64] = losses) -> bool:
            above = losses > epsilon
            return float(mass[above] @ -np.expm1(epsilon - losses[above])) > delta

        low, high = 0.0, losses[-1]
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if exceeded(middle) else (low, middle)
        found = max(found, high)
    return found
