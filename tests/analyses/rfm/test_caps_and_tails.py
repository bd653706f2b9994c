"""What lies above the caps: where a cap may be, and how far a segment's part of it may be from the estimated one."""

from __future__ import annotations

import numpy as np
import pytest
from protocol_kit import small_study

from privacy.analyses.rfm.prefix_sums import PrefixSums
from privacy.kernel.customers import CustomerColumns
from server.analyses.rfm.cut_points import Cumulative, clipping_cap, cumulate
from server.analyses.rfm.figures import _odds_moved, _spread_of_parts
from server.analyses.rfm.plan import cut_points_statistic


def distributions(customers: int) -> dict[str, Cumulative]:
    """Money and orders of a lognormal population, by what a noiseless release says of them."""
    rng = np.random.default_rng(3)
    orders = rng.geometric(0.3, customers).astype(np.int64)
    money = np.rint(100 * orders * rng.lognormal(3.0, 1.4, customers)).astype(np.int64)
    zeros = np.zeros(customers, dtype=np.int64)
    columns = CustomerColumns(recency_days=zeros, orders=orders, money=money, tenure_days=zeros)
    question: PrefixSums = cut_points_statistic(small_study())
    return {one.grid.fact: cumulate(one, customers) for one in question.decode(question.encode_sum(columns), 1e3)}


@pytest.mark.parametrize("fact", ["money", "orders"])
def test_no_cap_leaves_more_than_a_tenth_above_it(fact: str) -> None:
    """However large the noise is; with little, the cap is higher, as before."""
    found = distributions(3000)[fact]
    upper = np.array(found.grid.upper)
    caps = [clipping_cap(found, noise, cells=8)[0] for noise in (1e-3, 1.0, 30.0, 300.0, 1e6)]
    assert caps == sorted(caps, reverse=True)
    above = [1 - found.share[int(np.searchsorted(upper, cap))] for cap in caps]
    assert max(above) <= 0.1
    assert above[0] < 0.01
    assert caps[-1] == upper[found.first_reaching(0.9)]


def test_the_noise_of_parts_is_that_of_simulated_ones() -> None:
    """Log odds of parts that go with squares, to first order; the relative noise is 2 to 8%."""
    sums, deviations = np.array([100.0, 60.0, 30.0, 80.0]), np.array([2.0, 3.0, 2.0, 3.0])
    part = sums**2 / (sums**2).sum()
    draws = np.random.default_rng(5).normal(sums, deviations, (40_000, 4)) ** 2
    drawn = draws / draws.sum(axis=1, keepdims=True)
    spread = np.log(drawn / (1 - drawn)).std(axis=0)
    np.testing.assert_allclose(_spread_of_parts(part, deviations / sums), spread, rtol=0.03)
    moved = _odds_moved(part, np.array([0.0, 1.0, -1.0, 60.0]))
    np.testing.assert_allclose(np.log(moved[:3] / (1 - moved[:3])) - np.log(part[:3] / (1 - part[:3])), [0, 1, -1])
    assert moved[3] == pytest.approx(1.0)


def test_a_part_of_nothing_or_of_everything_stays() -> None:
    part = np.array([0.0, 1.0])
    assert np.isfinite(_spread_of_parts(part, np.array([1.0, 0.3]))).all()
    np.testing.assert_array_equal(_odds_moved(part, np.array([3.0, -3.0])), part)
