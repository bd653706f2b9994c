"""Poisson samples of customers: each is taken by itself, with a public probability, from a stream of ChaCha20.

A customer is taken where a fresh 64-bit word is below floor(2^64 rate): with probability ``rate``, rounded down by less
than 2^-64. Nothing of it comes from a generator whose state could be found from what is released.
"""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from privacy.fresh_keys import fresh_key
from privacy.mechanisms.sampler import stream_of


class PoissonSamples:
    """Samples of a table, one after another, each from a fresh key: a process and its twin do not draw the same."""

    def __init__(self, rate: Decimal, customers: int) -> None:
        """Sample so many customers at a rate of 0 to 1."""
        self._rate = rate
        self._customers = customers

    def draw(self) -> NDArray[np.int64]:
        """Rows of the next sample, ascending."""
        if self._rate >= 1:
            return np.arange(self._customers, dtype=np.int64)
        threshold = np.uint64(math.floor(self._rate * (1 << 64)))
        return np.flatnonzero(stream_of(fresh_key("samples"))(self._customers) < threshold).astype(np.int64)
