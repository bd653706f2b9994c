"""What the dearest customers bring, from the distribution that cut points were found on."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from report_pages import PLAIN
from rich.console import Console

from privacy.analyses.rfm.prefix_sums import FactGrid, PrefixSums
from privacy.analyses.rfm.results import Concentration, Distribution, RfmResult
from privacy.figures.estimates import Estimate
from privacy.kernel.customers import CustomerColumns
from privacy.presentation.texts import LANGUAGES
from privacy.statistics import GAMMA
from server.analyses.rfm.concentration import concentration_of
from server.analyses.rfm.cut_points import cumulate
from server.analyses.rfm.findings import concentration_findings
from server.analyses.rfm.run import cumulated
from server.analyses.rfm.terminal import tables

GRID = FactGrid(fact="money", upper=tuple(sorted({round(x) for x in np.geomspace(100, 1e8, 511)})), permille=1000)


def spent(customers: int, seed: int = 1) -> np.ndarray:
    """Minor units of customers of whom a fifth bring about three quarters."""
    return np.rint(np.exp(np.random.default_rng(seed).normal(10, 1.5, customers))).astype(np.int64)


def found_of(money: np.ndarray, noise: float = 0.0, seed: int = 3) -> Concentration | None:
    ones = np.ones(len(money), dtype=np.int64)
    statistic = PrefixSums(grids=(GRID,))
    drawn = np.rint(np.random.default_rng(seed).normal(0, noise * GAMMA, statistic.dim)).astype(np.int64)
    people = CustomerColumns(recency_days=ones, orders=ones, money=money, tenure_days=ones)
    (estimate,) = statistic.decode(statistic.encode_sum(people) + drawn, noise * GAMMA)
    if noise == 0:
        return concentration_of(cumulate(estimate, float(len(money))))
    return concentration_of(cumulated(estimate, float(len(money))))


def top_of(money: np.ndarray, share: float) -> float:
    ordered = np.sort(money)[::-1]
    return float(ordered[: round(share * len(money))].sum() / ordered.sum())


def test_without_noise_it_is_the_lorenz_curve() -> None:
    money = spent(20_000)
    found = found_of(money)
    assert found is not None
    expected = [top_of(money, share) for share in found.top]
    assert np.allclose(found.revenue, expected, atol=0.004)
    assert 0.7 < found.of_top(0.2) < 0.8


def test_whoever_spends_alike_brings_alike() -> None:
    found = found_of(np.full(1000, 5000, dtype=np.int64))
    assert found is not None
    assert np.allclose(found.revenue, found.top, atol=1e-9)


@pytest.mark.parametrize(("customers", "low", "high"), [(5_000, 0.14, 0.02), (100_000, 0.02, 0.02)])
def test_noise_hides_the_largest_and_invents_none(customers: int, low: float, high: float) -> None:
    """With few customers the shares are too low rather than too high (here with 70% of a budget of 1 at k = 1)."""
    money = spent(customers)
    off = []
    for seed in range(6):
        found = found_of(money, noise=6.0, seed=seed)
        assert found is not None
        off.append(found.of_top(0.2) - top_of(money, 0.2))
    assert -low < min(off)
    assert max(off) < high


def test_nothing_is_said_where_nothing_is_clear_of_the_noise() -> None:
    assert found_of(spent(60), noise=500.0) is None


def with_concentration(customers: float) -> RfmResult:
    curve = Concentration(top=(0.2, 1.0), revenue=(0.771, 1.0))
    rest = [one for one in PLAIN.rfm.distributions if one.feature != "money"]
    cuts = {"cuts": (1, 2, 3, 4), "high": 2, "rank_margin": (0.01,) * 4}
    money = Distribution(feature="money", upper=(1.0,), share=(1.0,), concentration=curve, **cuts)
    counted = Estimate(value=customers, margin=10)
    return PLAIN.rfm.model_copy(update={"customers": counted, "distributions": (*rest, money)})


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_said_and_with_few_customers_as_the_least(language: str) -> None:
    (many,) = concentration_findings(with_concentration(200_000), language)
    (few,) = concentration_findings(with_concentration(5_000), language)
    assert "20%" in many
    assert "77%" in many
    assert len(few) > len(many)
    console = Console(width=100, record=True, file=io.StringIO())
    for shown in tables(with_concentration(5_000), PLAIN, Path(), language):
        console.print(shown)
    assert few.replace(" ", "") in console.export_text().replace("\n", "").replace(" ", "")


def test_it_is_withheld_with_the_totals() -> None:
    """It is finer than the public grid: a result that withholds totals and has it is refused."""
    facts = with_concentration(5_000).distributions[-1]
    on_grid = {"rank_margin": (0.05,) * 4, "share": (1.0,)}
    assert not facts.model_copy(update=on_grid).coarse
    assert facts.model_copy(update={**on_grid, "concentration": None}).coarse
