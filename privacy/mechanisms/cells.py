"""Boundaries and probabilities of the discrete Gaussian, to as many digits as a comparison needs.

Non-negative integers are cut into cells of ``w = 2^b``, with 128 <= s/w < 256 (w = 1 below scale 256). The weight of an
integer x is exp(-x^2 / (2 s^2)), and ``g_k = exp(-(k w)^2 / (2 s^2))`` is the largest in cell k. ``C_k = (g_0 + ... +
g_k) / (g_0 + g_1 + ...)``. Every real number here is held between two integers; nothing is rounded into a choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Cells of a scale are from 2^7 to 2^8.
_CELL_BITS = 7

#: Digits (binary) with which tables are made, and which are first asked for where 64 bits do not decide.
_DIGITS = 384

#: Gives 64 further random bits.
More = Callable[[], int]


def exp_minus(numerator: int, denominator: int, digits: int) -> tuple[int, int]:
    """Integers (low, high) with low <= 2^digits exp(-numerator/denominator) <= high.

    Taylor's series of a halved argument, squared up again; every step is rounded outwards.
    """
    halvings = max(0, (2 * numerator // denominator).bit_length())  # then y = n / (d 2^halvings) <= 1/2
    work = digits + halvings + 64
    divisor = denominator << halvings
    low = high = term_low = term_high = 1 << work
    n = 0
    while term_high > 1:  # terms fall and alternate, so partial sums enclose the sum
        n += 1
        term_low = term_low * numerator // (divisor * n)
        term_high = term_high * numerator // (divisor * n) + 1
        low, high = (low - term_high, high - term_low) if n % 2 else (low + term_low, high + term_high)
    low, high = max(low - 2, 0), high + 2  # what is left out is below the last term
    for _ in range(halvings):
        low, high = low * low >> work, (high * high >> work) + 1
    shift = work - digits
    return low >> shift, (high >> shift) + 1


@dataclass(frozen=True)
class Cells:
    """The cells of one scale.

    Attributes:
        scale: s, 1 or more.
    """

    scale: int

    @property
    def shift(self) -> int:
        """b; a cell is 2^b wide."""
        return max(0, self.scale.bit_length() - 1 - _CELL_BITS)

    def sums(self, digits: int) -> tuple[list[int], list[int], int, int]:
        """Enclosures, times 2^digits, of g_0 + ... + g_k for each k, and of the sum over all k.

        Weights come from g_{k+1} = g_k r_k and r_{k+1} = r_k q^2 with q = r_0 = exp(-w^2 / (2 s^2)), rounded outwards.
        From the last k on they fall by r_k each at least: the rest is g_k / (1 - r_k) at most.
        """
        one = 1 << digits
        q = exp_minus(1 << 2 * self.shift, 2 * self.scale**2, digits)
        step = (q[0] * q[0] >> digits, (q[1] * q[1] >> digits) + 1)
        weight, ratio = (one, one), q
        low, high = [one], [one]
        while weight[1] > 1 << (digits // 3):
            weight = (weight[0] * ratio[0] >> digits, (weight[1] * ratio[1] >> digits) + 1)
            ratio = (ratio[0] * step[0] >> digits, (ratio[1] * step[1] >> digits) + 1)
            low.append(low[-1] + weight[0])
            high.append(high[-1] + weight[1])
        rest = (weight[1] << digits) // (one - ratio[1]) + 1
        return low, high, low[-1], high[-1] + rest

    def find(self, bits: int, known: int, more: More) -> int:
        """The k with C_{k-1} <= U < C_k.

        Args:
            bits: the first ``known`` bits of a uniform U in [0, 1).
            more: its further bits.
        """
        digits = _DIGITS
        while True:
            lows, highs, total_low, total_high = self.sums(digits)
            # U is in [bits, bits + 1) / 2^known, and C_k in [low_k / total_high, high_k / total_low].
            for k, (low, high) in enumerate(zip(lows, highs, strict=True)):
                if (bits + 1) * total_high <= low << known:  # surely U < C_k
                    if k == 0 or bits * total_low >= highs[k - 1] << known:  # surely U >= C_{k-1}
                        return k
                    break
                if bits * total_low < high << known:
                    break
            bits, known = bits << 64 | more(), known + 64
            digits = max(digits, 3 * (known + 64))

    def accepts(self, cell: int, offset: int, bits: int, known: int, more: More) -> bool:
        """Whether A < exp(-e), with e = offset (2 cell w + offset) / (2 s^2).

        Args:
            bits: the first ``known`` bits of a uniform A in [0, 1).
            more: its further bits.
        """
        numerator = offset * (2 * (cell << self.shift) + offset)
        if numerator == 0:
            return True  # the probability is 1, and A is below 1
        while True:
            digits = known + 64
            low, high = exp_minus(numerator, 2 * self.scale**2, digits)
            if (bits + 1) << (digits - known) <= low:
                return True
            if bits << (digits - known) >= high:
                return False
            bits, known = bits << 64 | more(), known + 64


@lru_cache(64)
def boundaries(cells: Cells) -> NDArray[np.uint64]:
    """floor(2^64 C_k) for k = 0, 1, ... to the first that is 2^64 - 1, near 9.2 s; ascending. Some milliseconds once.

    Raises:
        ArithmeticError: if a boundary is not known to its last bit, or the table is longer than the bound of the
            acceptance assumes (neither happens for scales to 2^48; it is looked at all the same).
    """
    lows, highs, total_low, total_high = cells.sums(_DIGITS)
    found: list[int] = []
    for low, high in zip(lows, highs, strict=True):
        floor = (low << 64) // total_high
        if floor != (high << 64) // total_low:
            raise ArithmeticError("a boundary is not known to its last bit")
        found.append(floor)
        if floor == (1 << 64) - 1:
            break
    if found[-1] != (1 << 64) - 1 or (cells.shift and 2 * len(found) << cells.shift > 19 * cells.scale):
        raise ArithmeticError("the table does not end where it should")
    return np.array(found, dtype=np.uint64)
