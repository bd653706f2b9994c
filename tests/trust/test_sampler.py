"""The sampler draws what it says, bit by bit: against intervals without floats, exact tables, and another's sampler.

How noise looks (scale, shape, residues, repetition) is ``test_noise.py``'s business; here it is a function of bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np
import pytest
from scipy import stats

from privacy.mechanisms.cells import Cells, boundaries, exp_minus
from privacy.mechanisms.sampler import LARGEST_SCALE, SAMPLER, Stream, Words, decide, drawn_from, stream_of

#: Below and above where cells begin to be wider than an integer, next to powers of two, and the ends.
SCALES = (3, 256, 1000, (1 << 30) + 1, LARGEST_SCALE)


def keyed(label: str) -> Stream:
    """The same words for the same label."""
    return stream_of(hashlib.sha256(label.encode()).digest())


def decimal_exp(numerator: int, denominator: int, digits: int) -> Decimal:
    """2^digits exp(-numerator/denominator), by the standard library, to 300 decimal places."""
    with localcontext() as context:
        context.prec = 400
        return (-Decimal(numerator) / denominator).exp() * 2**digits


def test_intervals_hold_the_exponential() -> None:
    rng = np.random.default_rng(5)
    for bits in (4, 20, 40, 60) * 10:
        numerator, denominator = int(rng.integers(0, 2**bits)), int(rng.integers(1, 2**40))
        if numerator > 200 * denominator:
            continue
        low, high = exp_minus(numerator, denominator, 500)
        assert low <= decimal_exp(numerator, denominator, 500) <= high
        assert high - low < 1 << 24


@pytest.mark.parametrize("scale", [1, 3, 100, 256, 1000, LARGEST_SCALE])
def test_boundaries_are_exact(scale: int) -> None:
    cells = Cells(scale)
    width = 1 << cells.shift
    found = boundaries(cells).tolist()
    with localcontext() as context:
        context.prec = 120
        ratio = (-Decimal(width**2) / (2 * scale**2)).exp()
        weights = [ratio ** (k * k) for k in range(round(2.5 * len(found)) + 10)]
        total, so_far = sum(weights), Decimal(0)
        for weight, boundary in zip(weights, found, strict=False):
            so_far += weight
            assert int(so_far / total * 2**64) == boundary


def slow(cells: Cells, u: int, v: int, a: int, more: Callable[[], int]) -> tuple[int, bool]:
    """One proposal by intervals alone: no floats, tables or shortcuts."""
    cell = cells.find(u, 64, more)
    offset = v >> (64 - cells.shift)
    accepted = cells.accepts(cell, offset, a, 64, more)
    x = (cell << cells.shift) + offset
    return (-x if v & 1 else x), accepted and not (v & 1 and x == 0)


def scripted(extra: Words) -> Stream:
    words = iter(extra)
    return lambda size: np.array([next(words) for _ in range(size)], dtype=np.uint64)


@pytest.mark.parametrize("scale", SCALES)
def test_what_64_bits_do_not_decide_is_decided_by_more(scale: int) -> None:
    """Words on the boundaries and beside them, where most comparisons are undecided: as the slow code decides."""
    rng = np.random.default_rng(scale % 2**32)
    cells, draws = Cells(scale), 20
    known = boundaries(cells)
    near = known[rng.integers(0, len(known), draws)].astype(object) + rng.integers(-1, 2, draws)
    u = np.array([min(int(word), 2**64 - 1) for word in near] + [2**64 - 1], dtype=np.uint64)
    v = rng.integers(0, 2**64, len(u), dtype=np.uint64)
    if cells.shift:
        v[1::7] &= np.uint64((1 << (64 - cells.shift)) - 1)  # place zero
    a = []
    for word, place in zip(u, v, strict=True):
        cell, offset = int(np.searchsorted(known, word, side="right")), int(place) >> (64 - cells.shift)
        low, _ = exp_minus(offset * (2 * (cell << cells.shift) + offset), 2 * scale**2, 64)
        a.append(min(max(low + int(rng.integers(-2, 3)), 0), 2**64 - 1))
    extra = rng.integers(0, 2**64, 400, dtype=np.uint64)
    asked = 0
    for i, acceptance in enumerate(a):
        one = slice(i, i + 1)
        script = scripted(extra)
        x, accepted = decide(cells, u[one], v[one], np.array([acceptance], dtype=np.uint64), script)
        again = map(int, extra)
        assert (int(x[0]), bool(accepted[0])) == slow(cells, int(u[i]), int(v[i]), acceptance, again.__next__)
        asked += int(script(1)[0]) != int(extra[0])
    assert asked > draws // 5, "more bits were hardly asked for"


def test_a_wider_margin_changes_no_draw() -> None:
    """Within 2^-6 of the probability all are decided by intervals: the same as floats decide."""
    for scale in (1000, LARGEST_SCALE):
        u, v, a = (keyed(name)(1500) for name in "uva")
        fast = decide(Cells(scale), u, v, a, keyed("more"))
        wide = decide(Cells(scale), u, v, a, keyed("more"), margin=2.0**-6)
        np.testing.assert_array_equal(fast, wide)


#: Of 10,000 draws from a fixed key; another digest is another sampler, with another name in ledgers.
GOLDEN = {
    256: "325a6a7fb0e7c501",
    1000: "eadb5b5a68750e10",
    4097: "130b07de3586803a",
    (1 << 30) + 1: "9669ff72e8fb6319",
    1 << 48: "a2d1954e5d5abbb7",
}


@pytest.mark.parametrize("scale", GOLDEN)
def test_draws_are_a_function_of_the_bits(scale: int) -> None:
    draws = drawn_from(scale, 10_000, keyed("golden"), keyed("more"))
    assert hashlib.sha256(draws.astype("<i8").tobytes()).hexdigest()[:16] == GOLDEN[scale]
    assert SAMPLER == "cohortium-cells-1"


def test_another_sampler_draws_the_same_distribution() -> None:
    """Against OpenDP's, an independent implementation: chi-square at scale 3, Kolmogorov and Smirnov's test at 2^20."""
    measurements = pytest.importorskip("opendp.measurements", reason="OpenDP comes with [dev]")
    from opendp.domains import atom_domain, vector_domain
    from opendp.metrics import l2_distance
    from opendp.mod import enable_features

    enable_features("contrib")

    def theirs(scale: int, size: int) -> np.ndarray:
        space = vector_domain(atom_domain(T="i64"), size=size), l2_distance(T="i64")
        return np.array(measurements.make_gaussian(*space, scale=float(scale))([0] * size), dtype=np.int64)

    size = 20_000
    ours, other = drawn_from(3, size, keyed("three"), keyed("more")), theirs(3, size)
    counts = np.array([[np.sum(draws == x) for x in range(-9, 10)] for draws in (ours, other)])
    assert stats.chi2_contingency(counts).pvalue > 1e-9
    far = drawn_from(1 << 20, size, keyed("far"), keyed("more"))
    assert stats.ks_2samp(far, theirs(1 << 20, size)).pvalue > 1e-9
