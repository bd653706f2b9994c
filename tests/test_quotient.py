"""Quotients of noisy totals: their intervals hold what they say, and nothing is shown where none would."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from clients.analysis.comparison import compare
from privacy.figures.estimates import Estimate
from privacy.figures.public_grid import tells_no_more
from privacy.figures.quotient import CLEAR, fieller, quotient, share, within
from privacy.presentation.cells import cell
from privacy.presentation.change import change
from privacy.presentation.charts import share_mark
from privacy.presentation.numbers import is_hidden
from privacy.presentation.words import beside, percent, written

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


# --- who reads an uneven interval ----------------------------------------------------------------------------------

SKEWED = Estimate(value=0.02, margin=0.04, low=0.0, high=0.06)


@pytest.mark.parametrize(("low", "high"), [(0.021, None), (None, 0.019), (0.03, 0.06)])
def test_an_estimate_lies_inside_its_interval(low: float | None, high: float | None) -> None:
    with pytest.raises(ValidationError, match="outside its own interval"):
        Estimate(value=0.02, margin=0.04, low=low, high=high)


def test_differences_use_the_sides_that_face_each_other() -> None:
    other = Estimate(value=0.10, margin=0.03)
    found = SKEWED.minus(other)
    assert found.value == pytest.approx(-0.08)
    assert found.low == pytest.approx(-0.08 - math.hypot(0.02, 0.03))
    assert found.high == pytest.approx(-0.08 + math.hypot(0.04, 0.03))
    assert found.margin == pytest.approx(max(found.sides))
    assert SKEWED.minus(SKEWED).low is None
    assert (SKEWED.towards(1.0), SKEWED.towards(0.0)) == pytest.approx((0.04, 0.02))


def test_a_change_is_beyond_noise_by_the_side_towards_none() -> None:
    """0.045 above: more than the side below of what is now, less than the longer side."""
    now = Estimate(value=0.07, margin=0.06, low=0.05, high=0.13)
    assert change(now, Estimate(value=0.025, margin=0.01)).verdict == "trend_up"
    assert change(Estimate(value=0.07, margin=0.06), Estimate(value=0.025, margin=0.01)).verdict == "trend_same"


@pytest.mark.parametrize(("own", "verdict"), [(0.055, "alike"), (0.065, "higher"), (-0.021, "lower")])
def test_a_holder_is_compared_with_the_side_towards_it(own: float, verdict: str) -> None:
    found = compare(Estimate(value=own, margin=0.0), SKEWED, weight=0.1, comparisons=1)
    assert found.verdict == verdict


def test_pages_write_both_ends_where_the_sides_differ() -> None:
    uneven = Estimate(value=0.03, margin=0.04, low=0.01, high=0.07)
    found = cell("share", uneven, "en", decimals=1, scale=100)
    assert (found.value, found.ends, found.weak) == ("3", "1 to 7", False)
    assert cell("share", uneven, "zh", decimals=1, scale=100).ends == "1 至 7"
    even = cell("share", Estimate(value=0.02, margin=0.01, low=0.0101, high=0.03), "en", decimals=1, scale=100)
    assert (even.value, even.margin, even.ends, even.weak) == ("2.0", "1.0", "", False)
    assert percent(uneven, "en") == "3% (1 to 7)"
    assert percent(Estimate(value=0.621, margin=0.004), "en") == "62.1% (±\u00a00.4)"
    assert beside(written(uneven, "en", decimals=1, scale=100), "en") == "1 to 7"


def test_what_the_noise_hides_is_written_as_less_than_its_upper_end() -> None:
    found = cell("share", SKEWED, "en", decimals=1, scale=100)
    assert (found.value, found.margin, found.ends, found.weak) == ("under 6", "", "", True)
    assert percent(SKEWED, "en") == "under 6%"
    assert percent(SKEWED, "zh") == "低于 6%"
    assert cell("", Estimate(value=-0.02, margin=0.05), "en", decimals=1, scale=100, signed=True).value == "-2"
    assert is_hidden(SKEWED)
    assert not is_hidden(Estimate(value=0.0, margin=0.0)), "nothing, and known"
    assert not is_hidden(Estimate(value=-3.0, margin=1.0)), "less than nothing for sure: net of returns"
    assert not is_hidden(Estimate(value=1.1, margin=2.0, low=1.0, high=3.1))


@pytest.mark.parametrize("value", [0.0, 0.02, 0.4, 0.99, 1.0])
def test_the_line_of_a_share_stays_between_nothing_and_all(value: float) -> None:
    mark = share_mark(Estimate(value=value, margin=0.05), "en")
    assert 0 <= mark.low <= mark.value <= mark.high <= 1
    assert share_mark(SKEWED, "en").high == 0.06
    assert share_mark(Estimate(value=-0.01, margin=0.05), "en").low == -0.01


def test_an_uneven_interval_tells_no_more_than_its_margin_where_totals_are_withheld() -> None:
    assert tells_no_more(Estimate(value=0.02, margin=0.03, low=0.0))
    assert tells_no_more(Estimate(value=0.98, margin=0.03, high=1.0))
    assert not tells_no_more(Estimate(value=0.02, margin=0.03, low=0.001))
    assert not tells_no_more(Estimate(value=0.1, margin=0.03, low=0.0))
    assert not tells_no_more(Estimate(value=0.0213, margin=0.03, low=0.0))
