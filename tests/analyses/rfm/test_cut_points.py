"""Cut points where many customers share one value: a price, or a day."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from privacy.analyses.rfm.prefix_sums import FactGrid, PrefixSums
from privacy.kernel.customers import CustomerColumns
from privacy.statistics import GAMMA
from server.analyses.rfm.cut_points import cumulate, lower_cut, smoothed_around_spikes, spikes

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))

import rfm_accuracy as bench
from price_spikes import CUSTOMERS, right_scores, with_one_price


@pytest.mark.parametrize("price", [4900, 14900, 29900])  # cuts fell below each of these: 79% were right
def test_a_cut_never_falls_inside_a_price_that_many_paid(price: int) -> None:
    rng = np.random.default_rng(price)
    found = right_scores(
        with_one_price(price), lambda scale, size: np.rint(rng.normal(0, scale, size)).astype(np.int64)
    )
    assert found > 0.98


def estimate_of(people: CustomerColumns, grid: FactGrid, noise: float, seed: int = 3):  # type: ignore[no-untyped-def]
    statistic = PrefixSums(grids=(grid,))
    drawn = np.rint(np.random.default_rng(seed).normal(0, noise * GAMMA, statistic.dim)).astype(np.int64)
    (found,) = statistic.decode(statistic.encode_sum(people) + drawn, noise * GAMMA)
    return found


def test_a_spike_is_seen_with_its_size_and_nothing_else_is() -> None:
    upper = tuple(sorted({round(x) for x in np.geomspace(100, 1e8, 511)}))
    grid = FactGrid(fact="money", upper=upper, permille=1000)
    found = spikes(estimate_of(with_one_price(9900), grid, noise=3.0))
    (at,) = np.flatnonzero(found)
    assert upper[at - 1] < 9900 <= upper[at]
    assert found[at] == pytest.approx(0.2 * CUSTOMERS, rel=0.05)
    smooth = bench.pooled(bench.generated_tables(CUSTOMERS, 5))
    marked = [np.count_nonzero(spikes(estimate_of(smooth, grid, noise=3.0, seed=seed))) for seed in range(40)]
    # 40 studies of 512 bins, each marked by noise alone with 3e-5: 0.65 are expected, 8 or more have 4e-7.
    assert sum(marked) < 8
    exact = estimate_of(smooth, grid, noise=0.0)
    assert smoothed_around_spikes(exact) == (exact, frozenset())


def test_days_beyond_a_year_are_cut_at_the_day() -> None:
    """Whole days upwards: rounding to the nearest put half of a day's customers on the wrong side."""
    days = np.repeat(np.arange(1000), 7)
    people = CustomerColumns(recency_days=days, orders=days * 0 + 1, money=days * 0, tenure_days=days)
    upper = (*range(366), 380, 400, 420, 440, 460, 480, 500, 550, 600, 700, 800, 900)
    grid = FactGrid(fact="recency_days", upper=upper, permille=1000)
    distribution = cumulate(estimate_of(people, grid, noise=0.0), float(len(days)))
    for rank in np.linspace(0.4003, 0.8803, 13):
        cut = lower_cut(distribution, float(rank), logarithmic=False)
        assert cut == int(np.quantile(days, rank, method="inverted_cdf"))
