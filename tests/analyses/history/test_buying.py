"""The formulas of buying: against published figures, simulated customers, other code, and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from analyses.history.examples import customers_of
from scipy.integrate import quad
from scipy.special import gammaln, hyp2f1

from privacy.analyses.history.buying import FAMILIES, Bought, BuyingModel
from privacy.analyses.history.history_cells import CLASSES, FIFTHS, PER_QUARTER, QUARTERS
from server.analyses.history.cell_model import CellModel, by_class

#: BG/NBD of the CDNOW sample, in weeks (Fader, Hardie, Lee 2005, table 2).
PUBLISHED = BuyingModel(family="bg", r=0.243, alpha=4.414, a=0.793, b=2.426)
#: A grid of customers: nobody's further purchases, few, very many; last one just now, long ago.
GRID = Bought(*(np.array(column, dtype=float) for column in zip(
    *[(0, 0, t) for t in (1, 40, 700)], *[(x, t * share, t) for x in (1, 4, 30, 400) for share in (0.01, 0.5, 1)
                                         for t in (20, 700)], strict=True)))  # fmt: skip


def test_the_published_example() -> None:
    """A customer with 2 purchases in 38.86 weeks, the last after 30.43: 1.226 in the next 39 (Fader, Hardie, Lee)."""
    one = Bought(np.array([2.0]), np.array([30.43]), np.array([38.86]))
    assert PUBLISHED.expected(one, 39)[0] == pytest.approx(1.226, abs=0.001)
    assert PUBLISHED.alive(one)[0] == pytest.approx(0.7266, abs=0.0005)


@pytest.mark.parametrize("a", [0.3, 0.97, 1.7])
@pytest.mark.parametrize("family", FAMILIES)
def test_expected_purchases_are_those_of_the_papers_formula(family: str, a: float) -> None:
    """With the hypergeometric function as it stands there, where that can be computed."""
    model = BuyingModel(family=family, r=0.6, alpha=50.0, a=a, b=2.2)  # type: ignore[arg-type]
    step = 1 if family == "mbg" else 0
    few = Bought(*(part[GRID.further < 50] for part in GRID))
    for days in (1, 90, 700):
        x, known = few.further, model.alpha + few.tenure
        c = a + model.b + x + step - 1
        quiet = (known / (known + days)) ** (model.r + x)
        bent = hyp2f1(model.r + x, model.b + x + step, c, days / (known + days))
        wanted = c / (a - 1) * (1 - quiet * bent) * model.alive(few)
        assert np.allclose(model.expected(few, days), wanted, rtol=1e-8)


def test_nothing_jumps_where_a_is_one_and_many_purchases_are_no_trouble() -> None:
    for family in FAMILIES:
        below, at, above = (
            BuyingModel(family=family, r=0.6, alpha=50.0, a=a, b=0.3).expected(GRID, 180)
            for a in (1 - 1e-7, 1, 1 + 1e-7)
        )
        assert np.allclose(below, at, rtol=1e-5)
        assert np.allclose(above, at, rtol=1e-5)
        assert np.isfinite(at).all()
        assert (at >= 0).all()
    # One more purchase every two days for two years, the last one just now: so it goes on while it is not lost.
    busy = Bought(np.array([365.0]), np.array([730.0]), np.array([730.0]))
    loyal = BuyingModel(family="mbg", r=0.6, alpha=50.0, a=0.01, b=3.0)
    assert loyal.expected(busy, 20)[0] == pytest.approx(10 * 730 / 780, rel=0.01)


@pytest.mark.parametrize("family", FAMILIES)
def test_formulas_are_those_of_simulated_customers(family: str) -> None:
    model = BuyingModel(family=family, r=0.7, alpha=60.0, a=0.4, b=2.0)  # type: ignore[arg-type]
    bought, later = customers_of(model, 150_000, 1, window=600.0, ahead=150.0)
    far = bought.tenure - bought.last
    for chosen in (bought.further == 0, bought.further == 1, (bought.further > 1) & (far < 50),
                   (bought.further > 1) & (far > 200)):  # fmt: skip
        some = Bought(*(part[chosen] for part in bought))
        came = later[chosen]
        off = np.sqrt(came.var() / len(came))
        assert abs(model.expected(some, 150).mean() - came.mean()) < 4.5 * off
        share = (came > 0).mean()
        assert abs(model.buys_within(some, 150).mean() - share) < 4.5 * math.sqrt(share * (1 - share) / len(came))


def test_the_day_of_the_next_purchase_is_where_half_have_bought() -> None:
    for family in FAMILIES:
        model = BuyingModel(family=family, r=0.6, alpha=50.0, a=0.4, b=2.2)
        waiting, alive = model.waiting_days(GRID), model.alive(GRID)
        assert (np.isfinite(waiting) == (alive > 0.5)).all()
        there = np.isfinite(waiting)
        some = Bought(*(part[there] for part in GRID))
        for place, days in enumerate(waiting[there].tolist()):
            assert model.buys_within(some, days)[place] == pytest.approx(0.5, abs=1e-9)


def test_more_time_is_more_purchases_and_never_fewer_than_buyers() -> None:
    model = BuyingModel(family="mbg", r=0.6, alpha=50.0, a=0.4, b=2.2)
    before = np.zeros(len(GRID.further))
    for days in (1, 30, 90, 365, 1830):
        expected, buyers = model.expected(GRID, days), model.buys_within(GRID, days)
        assert (expected >= before).all()
        assert (expected >= buyers - 1e-12).all()
        assert (buyers <= model.alive(GRID)).all()
        before = expected


# --- cells -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_cells_add_up_and_are_integrals_of_the_likelihood(family: str) -> None:
    """The closed forms in t against quadrature of the density of x purchases of which the last is at t."""
    model = BuyingModel(family=family, r=0.7, alpha=60.0, a=0.4, b=2.0)  # type: ignore[arg-type]
    window = 400
    found = CellModel(window).cells(model).probability
    assert found.sum(axis=1) == pytest.approx(np.ones(QUARTERS), abs=1e-4)
    assert (found > 0).all()

    def density(t: float, x: int, tenure: float) -> float:
        one = Bought(np.array([float(x)]), np.array([t]), np.array([tenure]))
        return float(np.exp(model.log_likelihood(one)[0] + (x - 1) * math.log(t) - gammaln(x)))

    def of_tenure(tenure: float, x: int, fifth: int) -> float:
        ends = (fifth * tenure / FIFTHS, (fifth + 1) * tenure / FIFTHS)
        return float(quad(density, *ends, args=(x, tenure))[0])

    for quarter, size, fifth in ((0, 1, 0), (3, 1, 4), (2, 2, 3), (1, 2, 1)):
        x = CLASSES[size]
        span = (quarter * window / QUARTERS, (quarter + 1) * window / QUARTERS)
        whole = quad(of_tenure, *span, args=(x, fifth))[0] / (window / QUARTERS)
        assert found[quarter, 1 + (size - 1) * FIFTHS + fifth] == pytest.approx(whole, rel=5e-4)


def test_cells_of_simulated_customers_are_as_likely_as_told() -> None:
    from analyses.history.examples import MODEL, table_of

    from privacy.analyses.history.history_cells import HistoryCells

    bought, _ = customers_of(MODEL, 200_000, 5)
    question = HistoryCells(day=0, window_days=730)
    counts, _ = question.decode(question.encode_sum(table_of(bought)), 0.0)
    told = CellModel(730).cells(MODEL).probability * counts.sum(axis=1, keepdims=True)
    assert told.shape == (QUARTERS, PER_QUARTER)
    # Whole days in place of moments move a few at the borders of cells.
    away = (counts - told) / np.sqrt(told + (0.01 * told) ** 2)
    assert np.abs(away[:, :]).max() < 6
    assert float(np.sqrt((away**2).mean())) < 1.6


def test_means_over_cells_are_means_over_customers() -> None:
    from analyses.history.examples import MODEL

    model, cells = CellModel(730), CellModel(730).cells(MODEL)
    bought, later = customers_of(MODEL, 150_000, 6, ahead=90.0)
    means = model.means(cells, MODEL.expected(cells.bought, 90.0) / MODEL.alive(cells.bought))
    quarter = np.minimum(4 * bought.tenure // 730, 3)
    came = [later[quarter == number].mean() for number in range(QUARTERS)]
    assert (means * cells.probability).sum(axis=1) == pytest.approx(came, rel=0.06)
    often = bought.further >= CLASSES[-1]
    told = (means * cells.probability)[:, -FIFTHS:].sum() / cells.probability[:, -FIFTHS:].sum()
    assert later[often].mean() == pytest.approx(told, rel=0.06)
    assert by_class(cells.probability).sum() == pytest.approx(QUARTERS, abs=2e-4)
