"""Arithmetic on rows, element by element: a row's result depends on that row alone, bit for bit.

A matrix product of a numerical library does not promise that: it may add up in another order when other rows are
there. Here columns are worked on one after the other in IEEE double precision, whose basic operations are exact alike
everywhere. Arrays have one row per customer; their columns are best contiguous (Fortran order).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Larger numbers count as this: their squares must not overflow.
_HUGE = 1e100


def column_sum(columns: FloatArray) -> FloatArray:
    """Sum over the last axis, one column after the other; shape ``(customers,)`` from ``(customers, n)``."""
    total = np.zeros(columns.shape[0])
    for column in range(columns.shape[1]):
        total += columns[:, column]
    return total


def clipped(vectors: FloatArray, norm: float) -> FloatArray:
    """Each row scaled down to at most this L2 norm; rows that are not finite become zero."""
    finite = np.isfinite(column_sum(vectors * 0.0))
    known = np.where(finite[:, None], vectors, 0.0)
    length = np.sqrt(column_sum(np.square(np.clip(known, -_HUGE, _HUGE))))
    factor = np.where(length > norm, norm / np.where(length > 0, length, 1.0), 1.0)
    return np.clip(known, -_HUGE, _HUGE) * factor[:, None]


def combined(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    """``rows @ matrix.T``; shapes ``(customers, n)``, ``(m, n)`` to ``(customers, m)``."""
    out = np.zeros((rows.shape[0], matrix.shape[0]), order="F")
    for position, weights in enumerate(matrix):
        for column, weight in enumerate(weights):
            if weight:
                out[:, position] += rows[:, column] * weight
    return out
