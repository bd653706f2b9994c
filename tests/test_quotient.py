"""Quotients of noisy totals: their intervals hold what they say, and nothing is shown where none would."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.figures.estimates import Estimate
from privacy.figures.quotient import CLEAR, fieller, quotient, share, within

DRAWS = 20_000


@pytest.mark.parametrize("clear", [5.0, 6.0, 8.0, 20.0])
@pytest.mark.parametrize("ratio", [0.05, 0.3, 0.9, 4.0])
def test_intervals_hold_the_true_quotient(clear: float, ratio: float) -> None:
    """Of all that are bounded: the theorem's own promise, not only of those that are shown."""
    rng = np.random.default_rng(int(clear * 100 + ratio * 10))
    noise = rng.standard_normal((DRAWS, 2))
    held = bounded = 0
    for above, below in zip(ratio * clear + noise[:, 0], clear + noise[:, 1], strict=True):
        ends = fieller(above, below, (1.0, 1.0))
        if ends is not None:
            bounded += 1
            held += ends[0] <= ratio <= ends[1]
    assert bounded > 0.99 * DRAWS
    # 95%, give or take 4 deviations of so many draws; those few with unbounded intervals would hold it, too.
    assert abs(held / bounded - 0.95) < 4 * math.sqrt(0.05 * 0.95 / DRAWS) + 0.005


@pytest.mark.parametrize("true", [0.02, 0.3, 0.7, 0.99])
def test_shares_hold_the_true_share_and_are_possible(true: float) -> None:
    rng = np.random.default_rng(int(100 * true))
    whole, held, shown = 40.0, 0, 0
    for first, second in rng.standard_normal((DRAWS, 2)):
        found = share(true * whole + first, (1 - true) * whole + second, (1.0, 1.0))
        assert found is None or 0 <= found.interval[0] <= found.value <= found.interval[1] <= 1
        if found is not None:
            shown += 1
            held += found.interval[0] <= true <= found.interval[1]
    assert shown > 0.99 * DRAWS
    assert held / shown > 0.94


def test_the_tester_sees_first_order_margins_that_are_too_narrow() -> None:
    """At two deviations of the total below they hold four of five times; Fieller's hold, or are not bounded."""
    rng = np.random.default_rng(3)
    held = shown = 0
    for a, b in np.array([6.0, 2.0]) + rng.standard_normal((DRAWS, 2)):
        if b > 1.96:
            shown += 1
            held += abs(a / b - 3) <= 1.96 / b
    assert held / shown < 0.9


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_nothing_is_shown_where_the_noise_leaves_none(above: float, below: float, va: float, vb: float) -> None:
    found = quotient(above, below, (va, vb))
    if below < CLEAR * math.sqrt(vb):
        assert found is None
    else:
        assert found is not None
        low, high = found.interval
        assert low <= found.value <= high
        assert found.margin == pytest.approx(max(found.value - low, high - found.value))


def test_an_even_interval_has_no_ends_of_its_own() -> None:
    even = Estimate(value=3.0, margin=1.0)
    assert even.interval == (2.0, 4.0)
    assert even.model_dump_json() == '{"value":3.0,"margin":1.0}'
    cut = within(even, 2.5, 10.0)
    assert (cut.value, cut.low, cut.high, cut.margin) == (3.0, 2.5, 4.0, 1.0)
    assert Estimate.model_validate_json(cut.model_dump_json()) == cut
