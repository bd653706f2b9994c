"""The fit to released cells, its margins, and the level of spend: on simulated customers, whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from analyses.history.examples import MODEL, customers_of, result_of, study_of, table_of

from privacy.analyses.history import CONTRACT
from privacy.analyses.history.buying import FAMILIES, BuyingModel
from privacy.analyses.history.day_values import DayValues, DayValueSums
from privacy.analyses.history.features import DAY_VALUE, EVEN, ODD
from privacy.analyses.history.history_cells import HistoryCells
from privacy.errors import DataError
from privacy.kernel.features import MISSING, FeatureTable
from privacy.statistics.base import GAMMA
from server.analyses.history.cell_model import CellModel
from server.analyses.history.figures import Released, history_result, spend_level
from server.analyses.history.fit import fit
from server.analyses.history.run import run
from server.running.check import check_study

CELLS = CellModel(730)


def counts_in(table: FeatureTable) -> np.ndarray:
    question = HistoryCells(day=0, window_days=730)
    return question.decode(question.encode_sum(table), 0.0)[0]


def counts_of(model: BuyingModel, customers: int, seed: int) -> np.ndarray:
    return counts_in(table_of(customers_of(model, customers, seed)[0]))


@pytest.mark.parametrize("family", FAMILIES)
def test_without_noise_the_fit_is_the_model_that_customers_buy_by(family: str) -> None:
    model = BuyingModel(family=family, r=0.7, alpha=60.0, a=0.6, b=2.5)  # type: ignore[arg-type]
    found = fit(CELLS, counts_of(model, 150_000, 2), 1e-3)
    assert found.model.family == family
    assert (found.model.r, found.model.alpha) == pytest.approx((model.r, model.alpha), rel=0.06)
    assert found.model.a / found.model.b == pytest.approx(model.a / model.b, rel=0.1)
    assert found.mean.sum() == pytest.approx(150_000, rel=0.005)
    assert found.misfit < 1.6


def test_margins_hold_as_often_as_they_say() -> None:
    """Totals of a dozen runs over other customers with other noise, each against those customers by the true model."""
    options = study_of().of(CONTRACT)
    rng, held, widths = np.random.default_rng(4), [], []
    for seed in range(12):
        bought = customers_of(MODEL, 3_000, 100 + seed)[0]
        noisy = counts_in(table_of(bought)) + rng.normal(0, 12.0, (4, 31))
        found = history_result(options, CELLS, fit(CELLS, noisy, 12.0), Released(counts=noisy, deviation=12.0), None)
        for figure, truth in (
            (found.ahead[-1].purchases, MODEL.expected(bought, 180).sum()),
            (found.ahead[1].buyers, MODEL.buys_within(bought, 90).mean()),
            (found.share, MODEL.alive(bought).mean()),
            (found.customers, 3_000.0),
            (found.by_purchases[0].customers, float((bought.further == 0).sum())),
        ):
            held.append(abs(figure.value - truth) <= figure.margin)
        widths.append(found.ahead[-1].purchases.margin / found.ahead[-1].purchases.value)
    assert np.mean(held) >= 0.85
    assert 0.05 < np.median(widths) < 0.3


def test_customers_who_do_otherwise_are_seen() -> None:
    """Every second customer buys every week, the others once: no gamma distribution of rates."""
    assert fit(CELLS, counts_of(MODEL, 20_000, 7), 5.0).misfit < 1.3
    regular = np.zeros((4, 31))
    regular[:, 0], regular[:, -1] = 2_500, 2_500
    assert fit(CELLS, regular, 5.0).misfit > 3


def test_where_the_noise_hides_everybody_nothing_is_fitted() -> None:
    class Answer:
        array = np.zeros(124, dtype=np.int64)
        deviation = 50.0 * GAMMA

    with pytest.raises(DataError, match="cannot be told from the noise") as error:
        run(study_of(), lambda title, statistic: Answer(), lambda title, statistic: None)  # type: ignore[arg-type, return-value]
    assert "history.window_days" in str(error.value.hint)


def test_the_check_says_how_far_off_totals_will_be() -> None:
    """As a run of so many customers of a usual shop does."""
    for size, warned in ((20_000, False), (300, True)):
        study = study_of(value_cap=100)
        study = study.model_copy(update={"budget": study.budget.model_copy(update={"size_class": size})})
        found = {item.code: item for item in check_study(study, holders=3).expectations}
        assert set(found) == {"purchases_margin", "spend_margin"}
        assert bool(found["purchases_margin"].warning) == warned
        assert bool(found["spend_margin"].warning) == warned
    assert found["purchases_margin"].value > 0.3


# --- spend ---------------------------------------------------------------------------------------------------------


def spenders(customers: int, seed: int, *, between: float, within: float) -> FeatureTable:
    """Customers whose level is log-normal and whose days vary around it; spend in minor units."""
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(math.log(3_000), between, customers))
    days = rng.geometric(0.4, customers)
    rows = []
    for mean, count in zip(level.tolist(), days.tolist(), strict=True):
        spent = mean * np.exp(rng.normal(-(within**2) / 2, within, count))
        even = spent[1::2].mean() if count > 1 else MISSING
        rows.append([count, spent.mean(), spent[::2].mean(), even])
    values = np.array(rows)[:, None, :].astype(np.int64)
    ones = np.ones((customers, 1), dtype=np.int64)
    return FeatureTable(names=("purchase_days", DAY_VALUE, ODD, EVEN), values=values, eligible=ones, outcome=-ones)


def test_the_weight_is_the_ratio_of_variances() -> None:
    for between, within in ((0.5, 0.3), (0.2, 0.6)):
        question = DayValues(day=0, cap=100_000)
        sums = question.decode(question.encode_sum(spenders(60_000, 8, between=between, within=within)), 0.0)
        found = spend_level(sums, 1_000)
        assert found is not None
        level = 3_000 * math.exp(between**2 / 2)
        assert found.mean.value == pytest.approx(level / 100, rel=0.02)
        apart = level**2 * math.expm1(between**2)
        chance = level**2 * math.exp(between**2) * math.expm1(within**2)
        assert found.weight == pytest.approx(chance / apart, rel=0.15)


def test_a_level_that_the_noise_hides_is_not_said_and_an_impossible_spread_is_not_followed() -> None:
    sums = DayValueSums(people=5_000, value=400, several=2_000, value_of_several=200, square_of_several=20, halves=90,
                        inverse=900, deviation=40)  # fmt: skip
    found = spend_level(sums, 100)
    assert found is not None
    assert 0.05 <= found.weight <= 30
    hidden = DayValueSums(**{**sums.__dict__, "deviation": 2_000})
    assert spend_level(hidden, 100) is None


def test_a_result_says_what_all_its_groups_add_up_to() -> None:
    _, found = result_of()
    assert sum(one.customers.value for one in found.by_purchases) == pytest.approx(found.customers.value, rel=1e-4)
    middle = next(one for one in found.ahead if one.upto == found.ahead_days)
    assert sum(one.purchases.value for one in found.by_purchases) == pytest.approx(middle.purchases.value, rel=1e-6)
    buyers = sum(one.buyers.value * one.customers.value for one in found.by_purchases)
    assert buyers == pytest.approx(middle.buyers.value * found.customers.value, rel=1e-4)
    assert [one.first for one in found.by_purchases] == [1, 2, 3, 4, 6, 9, 14]
    assert [one.last for one in found.by_purchases] == [1, 2, 3, 5, 8, 13, None]
