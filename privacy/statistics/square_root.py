"""Prefix sums by the square root of their matrix: columns that customers add, and what is read off their sum.

The lower triangular matrix of ones is ``T @ T`` with Toeplitz coefficients ``c_0 = 1, c_i = c_{i-1} (2i-1)/(2i)``
(Henzinger, Upadhyay, Upadhyay 2022, "Almost tight error bounds on differentially private continual counting", section
3; Fichtenberger, Henzinger, Upadhyay 2023, "Constant matters"). Holders send ``T h`` of a histogram ``h``, scaled to a
public sensitivity; whoever has the noisy sum applies ``T`` once more and has all prefix sums.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from privacy.statistics.base import IntArray
from privacy.statistics.bins import amplitude_of

FloatArray = NDArray[np.float64]


@lru_cache(maxsize=64)  # bounded: the sizes come from plans
def root_coefficients(bins: int) -> tuple[float, ...]:
    """``c_0 .. c_{bins-1}`` of the square root of the prefix-sum matrix; only IEEE basic operations, so exact alike."""
    values = [1.0]
    for i in range(1, bins):
        values.append(values[-1] * (2 * i - 1) / (2 * i))
    return tuple(values)


@lru_cache(maxsize=64)  # bounded: the sizes come from plans
def root_amplitude(bins: int, permille: int) -> float:
    """What ``c_0 = 1`` is scaled to, in integer units: ``gamma sqrt(permille/1000) / |c|``."""
    norm = math.sqrt(math.fsum(c * c for c in root_coefficients(bins)))
    return amplitude_of(permille) / norm


@lru_cache(maxsize=64)  # bounded: the sizes come from plans
def root_column(bins: int, permille: int) -> tuple[int, ...]:
    """The encoded column of the lowest bin: amplitude times coefficients, rounded to integers.

    The column of bin b is this one shifted down by b and cut off, so none has a larger norm.
    """
    amplitude = root_amplitude(bins, permille)
    return tuple(round(amplitude * c) for c in root_coefficients(bins))


def shifted(column: tuple[int, ...], at: IntArray) -> IntArray:
    """Each customer's column by its bin, shape ``(customers, bins)``."""
    bins = len(column)
    padded: IntArray = np.concatenate([np.zeros(bins, dtype=np.int64), np.array(column)])
    rows: IntArray = padded[(bins - at)[:, None] + np.arange(bins)[None, :]]
    return rows


def shifted_sum(column: tuple[int, ...], at: IntArray) -> IntArray:
    """The sum of :func:`shifted` over customers, through their histogram: an integer convolution, exact."""
    bins = len(column)
    histogram = np.bincount(at, minlength=bins).astype(np.int64)
    return np.asarray(np.convolve(np.array(column), histogram)[:bins])


def prefixes(part: IntArray, amplitude: float, noise_deviation: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Prefix sums from released columns.

    Args:
        part: the release, shape ``(bins,)``.
        amplitude: of the columns, see :func:`root_amplitude`.
        noise_deviation: standard deviation of the release's noise, in integer units.

    Returns:
        Customers in bins 0 to j (unbiased, neither ascending nor rounded), the standard deviation of each, and the
        covariance of each with the last; all of shape ``(bins,)``.
    """
    bins = len(part)
    root = np.array(root_coefficients(bins))
    prefix = np.convolve(root, part.astype(np.float64))[:bins] / amplitude
    unit = noise_deviation / amplitude
    # cov(prefix_j, prefix_last) = unit^2 sum_{i<=j} c_i c_{i + last - j}
    shared = np.array([root[: j + 1] @ root[bins - 1 - j :] for j in range(bins)])
    return prefix, np.sqrt(unit**2 * np.cumsum(root**2)), unit**2 * shared
