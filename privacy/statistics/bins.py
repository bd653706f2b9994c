"""Bins between ascending ends, and what a part of the sensitivity lets one customer count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from pydantic import AfterValidator

from privacy.statistics.base import GAMMA, IntArray


def _ascending(upper: tuple[int, ...]) -> tuple[int, ...]:
    if any(low >= high for low, high in pairwise(upper)):
        raise ValueError("upper ends must ascend")
    return upper


#: For a field of inclusive upper ends of all bins but the last, which is open: they ascend strictly.
ASCENDING = AfterValidator(_ascending)


def bin_of(upper: Sequence[int], values: IntArray) -> IntArray:
    """The first bin whose upper end is not below each value; same shape, 0 to ``len(upper)``."""
    return np.searchsorted(np.array(upper, dtype=np.int64), values, side="left").astype(np.int64)


def amplitude_of(permille: int) -> int:
    """``sqrt(permille / 1000) GAMMA`` in integer units, rounded down.

    Parts that share the squared sensitivity so, in thousandths that add up to 1000 at most, keep a customer that
    moves each of them by its amplitude within ``GAMMA``.
    """
    return math.isqrt(GAMMA * GAMMA * permille // 1000)


def check_parts(parts: Sequence[tuple[str, int]], *, what: str) -> None:
    """Refuse parts of the squared sensitivity, by name and in thousandths, that exceed it, or of which one comes twice.

    Raises:
        ValueError: naming ``what`` they are of.
    """
    if sum(permille for _, permille in parts) > 1000:
        raise ValueError(f"the {what}s' shares exceed 1000 permille")
    if len({name for name, _ in parts}) != len(parts):
        raise ValueError(f"a {what} appears twice")
