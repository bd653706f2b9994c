"""Exact discrete Gaussian noise, keyed afresh from the system for every draw. The only place where noise is made.

What is drawn: integers x with probability proportional to exp(-x^2 / (2 s^2)) (Canonne, Kamath, Steinke 2020, "The
discrete Gaussian for differential privacy"), by rejection from cells (``cells.py``), exactly but for what a stream of
ChaCha20 is short of true randomness:

1. A uniform U in [0, 1) picks cell k: C_{k-1} <= U < C_k.
2. J is uniform in 0 .. w-1, x = k w + J. A uniform A accepts x if A < p = exp(-e), e = J (2 k w + J) / (2 s^2). So k, J
   and "accepted" have a probability proportional to exp(-x^2 / (2 s^2)).
3. A bit is the sign; minus zero is rejected, or zero would come twice as often as it should.

64 bits of U and of A are looked at first. What they do not decide is decided by more bits, between integers that hold
the real number. So a draw is a function of the bits alone, the same on every machine, and nothing is rounded.

*Cells.* c_k = floor(2^64 C_k) is known exactly. For u = floor(2^64 U): u > c_k means U > C_k, and u < c_k means
U < C_k. Only where u equals a c_k more bits are asked for, which happens with a chance below 2^-52 a draw.

*Acceptance.* Floats of + - * / alone, which IEEE 754 rounds correctly. With k w <= 9.5 s, s <= 2^48, J < w <= s/128:

- J and 2 k w + J are integers below 2^53, exact; e < 0.0743 has five roundings of 2^-53 at most (the product, s * s,
  the division, the last product; doubling is exact), so it is off by less than 2^-54.4;
- Taylor's series to degree 9 leaves out less than 0.0743^10 / 10! < 2^-59;
- a step of Horner's rule adds 0.0743 * 2^-53 for the product, 2^-53 for the coefficient and 2^-53 for the sum, and
  shrinks what was there by 0.0743: less than 2.25 * 2^-53 < 2^-51.8 together;
- f = floor(2^53 A) / 2^53 is below A by less than 2^-53, and p - f rounds by 2^-54.

So p is off by less than 2^-51; p - f > 2^-48 proves A < p, and p - f < -2^-48 proves A > p, with a factor of 4 to
spare.

*Time.* Given which proposals were accepted, the accepted ones are independent draws of the target: how many passes it
took says nothing about the values. How many comparisons needed more bits does not either: it is hardly ever one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray

from privacy.fresh_keys import fresh_key
from privacy.mechanisms.cells import Cells, boundaries

Words = NDArray[np.uint64]

#: The next so many random 64-bit words.
Stream = Callable[[int], Words]

#: Recorded with every release, so that a flaw found later can be traced. The number goes up with every change after
#: which the same bits give other draws.
SAMPLER = "cohortium-cells-1"

#: Largest scale for which the bounds above hold.
LARGEST_SCALE = 1 << 48

_MARGIN = 2.0**-48
_COEFFICIENTS = tuple(1.0 / math.factorial(n) for n in range(10))
_BATCH = 1 << 14


def stream_of(key: bytes) -> Stream:
    """The key stream of ChaCha20 (RFC 8439, from block 0 with a zero nonce) as little-endian words."""
    encryptor = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor()
    return lambda size: np.frombuffer(encryptor.update(bytes(8 * size)), dtype="<u8").astype(np.uint64, copy=False)


def decide(
    cells: Cells, u: Words, v: Words, a: Words, more: Stream, margin: float = _MARGIN
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The proposals that words stand for, and which of them are accepted; all of one shape.

    Args:
        u: picks the cell.
        v: its upper bits are the place in the cell, its lowest bit the sign.
        a: accepts or not.
        more: further words, asked for where 64 bits do not decide.
        margin: how near to a probability a float does not decide. A wider one changes no draw.
    """
    known, shift = boundaries(cells), cells.shift
    cell = np.searchsorted(known, u, side="right")
    undecided = np.flatnonzero((cell > 0) & (known[np.maximum(cell, 1) - 1] == u))
    for i in undecided.tolist():
        cell[i] = cells.find(int(u[i]), 64, lambda: int(more(1)[0]))
    offset = (v >> np.uint64(64 - shift)).astype(np.int64) if shift else np.zeros(len(v), dtype=np.int64)
    place = offset.astype(np.float64)
    minus_e = place * (2.0 * (cell << shift).astype(np.float64) + place)
    minus_e *= -1.0 / (2.0 * (float(cells.scale) * float(cells.scale)))
    p = np.full(len(u), _COEFFICIENTS[-1])
    for coefficient in reversed(_COEFFICIENTS[:-1]):
        p *= minus_e
        p += coefficient
    p -= (a >> np.uint64(11)).astype(np.float64) * 2.0**-53
    accepted = p > margin
    unsure = np.abs(p) <= margin
    unsure[undecided] = True  # a cell beyond the table is beyond what the bound of p assumes
    for i in np.flatnonzero(unsure).tolist():
        accepted[i] = cells.accepts(int(cell[i]), int(offset[i]), int(a[i]), 64, lambda: int(more(1)[0]))
    x = (cell << shift) + offset
    minus = (v & np.uint64(1)).astype(bool)
    return np.where(minus, -x, x), accepted & ~(minus & (x == 0))


def drawn_from(scale: int, size: int, words: Stream, more: Stream) -> NDArray[np.int64]:
    """The draws that two streams of words give, shape ``(size,)``: a function of their bits alone."""
    cells = Cells(scale)
    out = np.empty(size, dtype=np.int64)
    have = 0
    while have < size:
        count = min(size - have + (size - have) // 128 + 32, _BATCH)
        # Three words after another make a proposal, so what is drawn does not depend on the size of a batch.
        u, v, a = words(3 * count).reshape(count, 3).T
        x, accepted = decide(cells, u, v, a, more)
        draws = x[accepted][: size - have]
        out[have : have + len(draws)] = draws
        have += len(draws)
    return out


def discrete_gaussian(scale: int, size: int) -> NDArray[np.int64]:
    """Independent draws from the discrete Gaussian with parameter ``scale`` (integer units), shape ``(size,)``.

    The key of the stream is made from the system for this call (:mod:`privacy.fresh_keys`): nothing of it is shared
    with another call, thread or process, with a fork of this process, or with another machine resumed from its
    snapshot.

    Raises:
        ValueError: if the scale is below 1 or above 2^48, or the size negative.
    """
    if not 1 <= scale <= LARGEST_SCALE or size < 0:
        raise ValueError("scale must be from 1 to 2^48 and size at least 0")
    return drawn_from(scale, size, stream_of(fresh_key("noise")), stream_of(fresh_key("noise, undecided")))
