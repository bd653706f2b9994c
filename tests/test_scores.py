"""Churn scores: the model applied at home, reasons, when to act, the interval model, and what is written of them.

Families: fast code against slow obvious code, simulated customers against closed forms, exact figures against
scikit-learn and against the coordinator's definitions, one study's files and tables day after day.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from holder_kit import write_labels, write_scores
from hypothesis import given, settings
from hypothesis import strategies as st
from label_kit import TABLE, Query, configure, files_in, make_rules, make_study, read
from score_kit import (
    FEATURE_NAMES,
    LAST,
    NAMES,
    SCALED,
    STUDY,
    june,
    logistic,
    make_features,
    small_table,
    snapshot,
)

import clients.analyses.churn.scoring as scoring
from clients.analyses.churn.bands import BANDS, CERTAIN, band_of
from clients.analyses.churn.facts import Facts, narrowed, with_facts
from clients.analyses.churn.intervals import LOST_AFTER, NOTICE_DAYS, IntervalModel, days_after, fit_intervals, timing
from clients.analyses.churn.labels import ScoreHistory
from clients.analyses.churn.quality import FEWEST, ranked
from clients.analyses.churn.reasons import (
    ABOVE,
    BELOW,
    HISTORY,
    REASONS,
    UNKNOWN,
    contributions,
    main_reasons,
    parts_of,
    said,
)
from clients.analyses.churn.scoring import Scores, probabilities, released_model, score
from clients.labelling import export_labels
from privacy.analyses.churn.by_holder import ByHolder
from privacy.errors import ConfigError, DataError
from privacy.figures.ranking_areas import area_under_curve, average_precision, top_share
from privacy.kernel.features import FEATURES, MISSING
from privacy.models.mbg import public_prior
from privacy.models.scorers import ChurnModel, PriorModel, Scorer, logits_of
from privacy.models.trained import LOGIT, WEIGHT, FeatureRank, NetworkModel
from privacy.models.trees import Tree, TreesModel
from privacy.statistics.score_histogram import ScoredModel, ScoreHistogram

JUNE, JULY = dt.date(2024, 6, 1), dt.date(2024, 7, 1)


def network(seed: int = 2) -> NetworkModel:
    rng = np.random.default_rng(seed)

    def row(size: int) -> tuple[int, ...]:
        return tuple(int(value) for value in rng.normal(0, 0.5 * WEIGHT, size))

    inner = tuple(row(len(SCALED) + 1) for _ in range(4))
    return NetworkModel(features=SCALED, hidden=inner, output=row(4 + len(SCALED) + 1))


def corrected() -> PriorModel:
    return PriorModel(prior=public_prior(90), features=SCALED, weights=logistic(7).weights)


def grown() -> TreesModel:
    def tree(seed: int) -> Tree:
        rng = np.random.default_rng(seed)
        inputs = (len(SCALED) if seed % 2 else 0, *rng.integers(0, len(SCALED), 2).tolist())
        thresholds = tuple(0 if column == len(SCALED) else int(rng.integers(-3000, 3000)) for column in inputs)
        return Tree(inputs=inputs, thresholds=thresholds, leaves=tuple(rng.integers(-WEIGHT, WEIGHT, 8).tolist()))

    return TreesModel(features=SCALED, weights=logistic(5).weights, trees=tuple(map(tree, range(6))))


MODELS = pytest.mark.parametrize(
    "model", [logistic(), network(), corrected(), grown()], ids=["logistic", "network", "prior", "trees"]
)


def facts_of(recency: list[int], tenure: list[int], orders: list[int], money: list[int] | None = None) -> Facts:
    arrays = [np.array(column, dtype=np.int64) for column in (recency, tenure, orders, money or [0] * len(orders))]
    return Facts(
        rows=np.arange(len(orders)), recency_days=arrays[0], tenure_days=arrays[1], orders=arrays[2], money=arrays[3]
    )


# --- which model -------------------------------------------------------------------------------------------------


def question(*models: Scorer) -> ScoreHistogram:
    return ScoreHistogram(day=1, models=tuple(ScoredModel(model=item, upper=(0,), permille=100) for item in models))


def test_the_model_is_that_of_the_last_question_of_scores() -> None:
    rank = FeatureRank(features=SCALED[:1])
    first, last = question(logistic(1), rank), question(rank, logistic(2))
    per_holder = ByHolder(inner=question(logistic(9)), holders=("a", "b"))
    assert released_model((first, last, per_holder)) == logistic(2)
    assert released_model((last, first)) == logistic(1)
    assert released_model((first, question(rank))) == logistic(1)
    assert released_model((question(public_prior(90), corrected()),)) == corrected()
    assert released_model((question(rank, grown()),)) == grown()
    assert released_model(()) is None
    assert released_model((per_holder,)) is None


# --- scores ------------------------------------------------------------------------------------------------------


@MODELS
def test_scores_are_those_of_slow_obvious_code(model: ChurnModel) -> None:
    table = make_features(400)
    scores = score(model, table, LAST, horizon_days=90)
    rows = [row for row in range(400) if table.eligible[row, LAST] == 1]
    assert scores.rows.tolist() == rows
    logits = [int(logits_of(model, table.take(np.array([row])), LAST)[0]) for row in rows]
    assert scores.probability.tolist() == [round(CERTAIN / (1 + np.exp(-value / LOGIT))) for value in logits]
    order = sorted(range(len(rows)), key=lambda place: (-logits[place], place))
    for rank, place in enumerate(order):
        assert scores.decile[place] == 1 + rank * 10 // len(rows)
    sizes = np.bincount(scores.decile)[1:]
    assert len(sizes) == 10
    assert sizes.max() - sizes.min() <= 1
    money = [int(table.values[row, LAST, NAMES.index("money_365")]) for row in rows]
    assert scores.money.tolist() == money
    expected = [(int(p) * max(m, 0) + CERTAIN // 2) // CERTAIN for p, m in zip(scores.probability, money, strict=True)]
    assert scores.at_risk.tolist() == expected


def test_of_equal_scores_the_earlier_customer_comes_first() -> None:
    scores = score(logistic(1, intercept=0.3), make_features(100), LAST, horizon_days=90)
    assert scores.decile.tolist() == sorted(scores.decile.tolist())
    assert len(set(scores.probability.tolist())) == 1
    assert (scores.reasons.feature == -1).all(), "nothing moves a score that is the same for everybody"


@MODELS
def test_blocks_and_other_rows_change_nothing_but_the_average(model: ChurnModel, monkeypatch: Any) -> None:
    table = make_features(300)
    whole = score(model, table, LAST, horizon_days=90)
    monkeypatch.setattr(scoring, "_BLOCK", 7)
    again = score(model, table, LAST, horizon_days=90)
    for name in ("rows", "probability", "decile", "money"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    for name in ("feature", "level", "raises"):
        np.testing.assert_array_equal(getattr(again.reasons, name), getattr(whole.reasons, name))
    mixed = np.random.default_rng(5).permutation(300)
    other = score(model, table.take(mixed), LAST, horizon_days=90)
    back = {int(mixed[row]): place for place, row in enumerate(other.rows.tolist())}
    places = [back[row] for row in whole.rows.tolist()]
    np.testing.assert_array_equal(other.probability[places], whole.probability)
    np.testing.assert_array_equal(other.timing.expected[places], whole.timing.expected)


def test_huge_money_stays_inside_64_bits() -> None:
    scores = score(logistic(1, intercept=3.0), make_features(5), LAST, horizon_days=90)
    huge = dataclasses.replace(scores, money=np.full(len(scores), 9 * 10**17))
    exact = (9 * 10**17 * int(scores.probability[0]) + CERTAIN // 2) // CERTAIN
    assert huge.at_risk.tolist() == [exact] * len(scores)


def test_nobody_to_score_and_a_model_that_asks_for_more() -> None:
    empty = score(logistic(), make_features(50).take(slice(0, 0)), LAST, horizon_days=90)
    assert (len(empty), empty.reasons.feature.shape, empty.timing.act_by.shape) == (0, (0, REASONS), (0,))
    table = narrowed(make_features(10), tuple(name for name in NAMES if name != "overdue"))
    with pytest.raises(DataError, match="needs overdue"):
        score(logistic(), table, LAST, horizon_days=90)


def test_probabilities_ascend_and_never_overflow() -> None:
    logits = np.array([-(1 << 60), -40 * LOGIT, -LOGIT, 0, LOGIT, 40 * LOGIT, 1 << 60])
    assert probabilities(logits).tolist() == [0, 0, 2689, 5000, 7311, 10_000, 10_000]


def test_bands_cover_every_probability_and_ends_belong_to_the_higher() -> None:
    edges = np.array([0, 2499, 2500, 4999, 5000, 7499, 7500, CERTAIN])
    assert [BANDS[index].code for index in band_of(edges)] == [
        "churn_low", "churn_low", "churn_medium", "churn_medium", "churn_high", "churn_high", "churn_very_high",
        "churn_very_high",
    ]  # fmt: skip


def test_a_table_is_narrowed_to_the_studys_features() -> None:
    table = make_features(20)
    assert with_facts(STUDY.row_requests["churn"]).names[: len(FEATURE_NAMES)] == FEATURE_NAMES
    for names in (FEATURE_NAMES, FEATURE_NAMES[3:1:-1]):
        found = narrowed(table, names)
        assert found.names == names
        for name in names:
            np.testing.assert_array_equal(found.values[:, :, names.index(name)], table.values[:, :, NAMES.index(name)])
    assert not np.isin(found.values, table.values[:, :, NAMES.index("tenure_days")]).all()


# --- reasons -----------------------------------------------------------------------------------------------------


@MODELS
def test_a_contribution_is_the_logit_minus_that_with_the_feature_at_the_average(model: ChurnModel) -> None:
    scaled = make_features(60).scaled(SCALED, LAST)
    average = np.rint(scaled.mean(axis=0)).astype(np.int64)
    found = contributions(model, scaled, average)
    logits = model.correction if isinstance(model, PriorModel) else model.logits
    for column in range(scaled.shape[1]):
        changed = scaled.copy()
        changed[:, column] = average[column]
        np.testing.assert_array_equal(found[:, column], logits(scaled) - logits(changed))
    if not isinstance(model, NetworkModel | TreesModel):
        np.testing.assert_array_equal(found.sum(axis=1), logits(scaled) - logits(average[None]))


def test_a_formula_is_one_more_part_of_the_score() -> None:
    """Parts add up to what the customer's logit is off the average one, and the strongest three are named."""
    table, model = make_features(200), corrected()
    scores = score(model, table, LAST, horizon_days=90)
    own = table.take(scores.rows)
    scaled, history = own.scaled(SCALED, LAST), model.prior.of(own, LAST)
    average = np.rint(scaled.mean(axis=0)).astype(np.int64)
    parts = np.column_stack([contributions(model, scaled, average), history - np.rint(history.mean()).astype(int)])
    strongest = np.argsort(-np.abs(parts), axis=1, kind="stable")[:, :REASONS]
    assert scores.reasons.feature.tolist() == strongest.tolist()
    place = parts_of(model).index(HISTORY)
    assert (scores.reasons.feature == place).any(axis=1).mean() > 0.2
    raises = np.take_along_axis(parts, strongest, axis=1) > 0
    np.testing.assert_array_equal(scores.reasons.raises, raises)
    assert said(HISTORY, ABOVE, raises=True).en == "how often and how recently this customer buys: raises the risk"
    plain = model.model_copy(update={"weights": (0,) * len(model.weights)})
    assert set(score(plain, table, LAST, horizon_days=90).reasons.feature[:, 0].tolist()) <= {place, -1}


def test_the_main_reasons_are_the_strongest_with_ties_in_order() -> None:
    moved = np.array([[5, -9, 0, 7], [0, 0, 0, 0], [3, 3, -3, 3], [0, -1, 0, 0]])
    scaled = np.array([[1, 1, 1, -1], [0, 0, 0, 0], [9, -9, 9, 9], [0, 0, 0, 0]])
    raw = np.where(np.arange(16).reshape(4, 4) == 3, MISSING, 1)
    found = main_reasons(moved, scaled, np.zeros(4, dtype=np.int64), raw)
    assert found.feature.tolist() == [[1, 3, 0], [-1, -1, -1], [0, 1, 2], [1, -1, -1]]
    assert found.level.tolist()[0] == [ABOVE, UNKNOWN, ABOVE]
    assert found.level.tolist()[2] == [ABOVE, BELOW, ABOVE]
    assert found.raises.tolist()[0] == [0, 1, 1]
    assert found.raises.tolist()[2] == [1, 1, 0]
    few = main_reasons(moved[:, :2], scaled[:, :2], np.zeros(2, dtype=np.int64), raw[:, :2])
    assert few.feature.tolist()[0] == [1, 0, -1]


def test_every_reason_can_be_said_in_both_languages() -> None:
    for name in FEATURES:
        for level in (BELOW, ABOVE, UNKNOWN):
            up, down = (said(name, level, raises=raises) for raises in (True, False))
            assert up.en.isascii()
            assert up.en.replace("raises", "lowers") == down.en
            assert up.zh.replace("推高", "拉低") == down.zh
            assert up.zh.startswith(FEATURES[name].zh)


# --- the interval model ------------------------------------------------------------------------------------------


def simulated(shape: float, exposure: float, count: int, seed: int) -> tuple[Facts, np.ndarray]:
    """Customers by the model's own assumptions, and each one's true next purchase, in days after the day."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(shape, 1 / exposure, count)
    tenure = rng.integers(1, 900, count)
    orders, recency, following = [], [], []
    for rate, days in zip(rates, tenure, strict=True):
        times = np.cumsum(rng.exponential(1 / rate, 400 if rate < 0.4 else 4000))
        orders.append(1 + int((times <= days).sum()))
        latest = times[times <= days].max(initial=0.0)
        recency.append(int(days - latest))
        following.append(times[times > days].min(initial=np.inf) - days)
    return facts_of(recency, tenure.tolist(), orders), np.array(following)


def test_the_fit_finds_what_customers_were_made_from() -> None:
    facts, following = simulated(0.9, 60.0, 6000, 11)
    model = fit_intervals(facts)
    # Standard errors of both are about 2%; five of them.
    assert model.shape == pytest.approx(0.9, rel=0.1)
    assert model.typical_days == pytest.approx(60 / 0.9, rel=0.1)
    # The next purchase comes before the day that is named in one half of cases: binomial, five deviations.
    assert np.mean(following <= model.waiting_days(facts)) == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(6000))
    silent = model.silence(facts, 90)
    assert np.mean(following > 90) == pytest.approx(silent.mean(), abs=5 * 0.5 / np.sqrt(6000))
    for low, high in ((0, 0.3), (0.3, 0.6), (0.6, 1)):
        group = (silent >= low) & (silent < high)
        assert np.mean(following[group] > 90) == pytest.approx(silent[group].mean(), abs=2.5 / np.sqrt(group.sum()))


def test_own_intervals_are_drawn_to_the_typical_one_the_more_the_fewer_orders() -> None:
    model = IntervalModel(shape=1.0, exposure=60.0)
    own = model.usual_days(facts_of([0, 0, 0, 0], [0, 10, 100, 1000], [1, 2, 11, 101]))
    assert own[0] == model.typical_days == 60
    assert (np.diff(np.abs(own - 10)) < 0).all(), "all of them buy every ten days"
    silent = facts_of([50], [150], [11])
    assert model.usual_days(silent)[0] == (60 + 100) / 11, "silence does not lengthen what the customer kept to"
    assert model.waiting_days(silent)[0] > model.waiting_days(facts_of([0], [100], [11]))[0]


@pytest.mark.parametrize(
    "facts",
    [
        facts_of([], [], []),
        facts_of([0], [0], [1]),
        facts_of([30] * 50, [30] * 50, [1] * 50),
        facts_of([0] * 20, [0] * 20, [9] * 20),
        facts_of([1] * 2000, [700] * 2000, [701] * 2000),
        facts_of([0], [2**40], [1]),
    ],
    ids=["nobody", "one", "nobody came back", "all on one day", "all alike", "for ever"],
)
def test_odd_holders_get_a_model_and_days(facts: Facts) -> None:
    model = fit_intervals(facts)
    assert np.isfinite([model.shape, model.exposure, model.typical_days]).all()
    found = timing(model, facts, horizon_days=90)
    assert ((found.act_by >= 0) & (found.act_by <= 90)).all()
    assert ((found.expected >= -1) & (found.expected <= 730)).all()
    silence = model.silence(facts, 90)
    assert ((silence >= 0) & (silence <= 1)).all()


def test_the_fit_does_not_depend_on_the_order_of_customers() -> None:
    facts, _ = simulated(0.9, 60.0, 500, 4)
    other = Facts(**{field.name: getattr(facts, field.name)[::-1] for field in dataclasses.fields(Facts)})
    assert fit_intervals(other) == fit_intervals(facts)


@given(
    st.integers(0, 365), st.integers(0, 1500), st.integers(1, 60), st.integers(7, 400), st.floats(0.05, 20),
    st.floats(1, 500),
)  # fmt: skip
@settings(deadline=None)
def test_when_to_act(silent: int, before: int, orders: int, horizon: int, shape: float, typical: float) -> None:
    """Against the definition in words; never before the day, never after the horizon."""
    model = IntervalModel(shape=shape, exposure=shape * typical)
    facts = facts_of([silent], [silent + before], [orders])
    usual = (shape * typical + before) / (shape + orders - 1)
    lost = min(-silent + LOST_AFTER * usual, horizon)
    day = max(lost - min(NOTICE_DAYS, usual), 0.0)
    found = timing(model, facts, horizon_days=horizon)
    assert found.act_by[0] == pytest.approx(day, abs=1.0)
    assert 0 <= found.act_by[0] <= day + 1e-6
    assert found.act_by[0] <= horizon


def test_no_day_is_no_day() -> None:
    found = days_after(JUNE, np.array([0, 31, -1]))
    assert found.tolist() == [JUNE, dt.date(2024, 7, 2), None]


# --- quality -----------------------------------------------------------------------------------------------------


def drawn(count: int, seed: int, step: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, count)
    outcome = (rng.random(count) < 1 / (1 + np.exp(-logits))).astype(np.int64)
    return np.round(logits / step) * step, outcome


def test_figures_are_those_of_scikit_learn_and_of_the_coordinators_definitions() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    for seed, step in ((1, 0.5), (2, 1e-9)):
        scores, outcome = drawn(900, seed, step)
        found = ranked("model", scores, outcome)
        assert found is not None
        assert found.figures.auc.value == pytest.approx(metrics.roc_auc_score(outcome, scores), abs=1e-12)
        distinct, place = np.unique(scores, return_inverse=True)
        counts = np.bincount(2 * place + outcome, minlength=2 * len(distinct)).reshape(-1, 2).astype(float)
        assert found.figures.auc.value == area_under_curve(counts)
        assert found.figures.top_share.value == top_share(counts)
    # Without ties the customary definition steps at each hit, this one in its middle: half of 1 / hits apart at most.
    customary = metrics.average_precision_score(outcome, scores)
    assert average_precision(counts) == pytest.approx(customary, abs=0.01)


@pytest.mark.parametrize("length", [0.03, 0.25])
def test_a_list_of_any_length_is_counted(length: float) -> None:
    """As sorting says; the difference to another ranking of the same customers is that of the lists."""
    scores, outcome = drawn(2000, 3, 1e-9)
    found, other = ranked("model", scores, outcome, length=length), ranked("other", -scores, outcome, length=length)
    assert found is not None
    assert other is not None
    first = np.argsort(-scores)[: round(length * len(scores))]
    assert found.listed.rate.value == pytest.approx(outcome[first].mean())
    assert found.listed.share.value == pytest.approx(outcome[first].sum() / outcome.sum())
    gain = found.gain_on_list(other)
    assert gain.value == pytest.approx(found.listed.rate.value - other.listed.rate.value)
    assert 0 < gain.margin < gain.value
    assert found.gain_on_list(found).margin == 0


def test_margins_cover_what_chance_does() -> None:
    """Of 300 samples the 95% interval holds the truth in 92% to 98% (binomial, two and a half deviations)."""
    rng = np.random.default_rng(8)
    big, outcomes = drawn(400_000, 9, 1e-9)
    noisy = big + rng.normal(0, 1.0, len(big))
    truth = ranked("model", big, outcomes)
    other = ranked("other", noisy, outcomes)
    assert truth is not None
    assert other is not None
    gain = truth.figures.auc.value - other.figures.auc.value
    more, listed = truth.gain_on_list(other).value, 0
    inside = dict.fromkeys(("auc", "average_precision", "top_lift", "churn_rate"), 0)
    gains = 0
    for _ in range(300):
        chosen = rng.choice(len(big), 800, replace=False)
        found = ranked("model", big[chosen], outcomes[chosen])
        against = ranked("other", noisy[chosen], outcomes[chosen])
        assert found is not None
        assert against is not None
        for name in inside:
            figure = getattr(found.figures, name)
            inside[name] += abs(figure.value - getattr(truth.figures, name).value) <= figure.margin
        difference = found.gain(against)
        gains += abs(difference.value - gain) <= difference.margin
        longer = found.gain_on_list(against)
        listed += abs(longer.value - more) <= longer.margin
    for name, hits in (*inside.items(), ("gain", gains), ("on the list", listed)):
        assert 0.91 <= hits / 300 <= 0.985, (name, hits)


def test_nothing_is_said_of_few_customers() -> None:
    outcome = np.array([1] * (FEWEST - 1) + [0] * 500)
    assert ranked("model", np.arange(len(outcome)), outcome) is None
    assert ranked("model", np.arange(len(outcome)), 1 - outcome) is None
    assert ranked("model", np.zeros(0), np.zeros(0, dtype=np.int64)) is None
    tied = ranked("model", np.zeros(60), np.array([1, 0, 0] * 20), np.full(60, 0.3))
    assert tied is not None
    assert (tied.figures.auc.value, tied.figures.top_lift.value) == (0.5, pytest.approx(1.0))
    assert sum(point.share for point in tied.figures.calibration) == pytest.approx(1)
    assert repr(tied) == "Ranked(<private>)"


# --- what is written ---------------------------------------------------------------------------------------------


def july(folder: Path, **changes: Any) -> tuple[Path, ...]:
    study = make_study(**{"analyses": ("churn",), "as_of": JULY, **changes})
    return write_scores(lambda: snapshot(study, counted=(0, 2, 4), seed=7), folder=folder / "labels")


def test_one_row_for_every_customer_who_counts(tmp_path: Path) -> None:
    june(tmp_path)
    assert set(files_in(tmp_path)) == {
        "spring-2024-06-01-churn.csv", "current/spring.churn.csv", "spellings/spring-2024-06-01-churn.csv",
        "current/spellings/spring.churn.csv",
    }  # fmt: skip
    rows = read(tmp_path / "labels/spring-2024-06-01-churn.csv")
    assert [row["customer_id"] for row in rows] == ["007", "'=1+1", "gone"]
    assert [row["source_id"] for row in rows] == ["007", "'=1+1", ""], "the customer table does not know the last one"
    scores = score(logistic(), small_table(counted=(0, 1, 3)), LAST, horizon_days=90)
    for place, row in enumerate(rows):
        assert row["churn_probability"] == f"{scores.probability[place] / CERTAIN:.4f}"
        assert row["decile"] == str(scores.decile[place])
        assert row["risk"] == BANDS[int(band_of(scores.probability)[place])].code
        assert row["act_by"] == str(JUNE + dt.timedelta(days=int(scores.timing.act_by[place])))
        wait = int(scores.timing.expected[place])
        assert row["expected_next_purchase"] == (str(JUNE + dt.timedelta(days=wait)) if wait >= 0 else "")
        assert Decimal(row["money_365"]) == Decimal(int(scores.money[place])) / 100
        assert Decimal(row["value_at_risk"]) == Decimal(int(scores.at_risk[place])) / 100
        assert (row["study"], row["as_of"], row["horizon_days"], row["currency"]) == (
            "spring",
            "2024-06-01",
            "90",
            "EUR",
        )
        for number in range(1, REASONS + 1):
            index = int(scores.reasons.feature[place, number - 1])
            raises = bool(scores.reasons.raises[place, number - 1])
            words = said(FEATURE_NAMES[index], int(scores.reasons.level[place, number - 1]), raises=raises)
            assert row[f"reason_{number}"] == FEATURE_NAMES[index]
            assert row[f"reason_{number}_effect"] == ("raises" if raises else "lowers")
            assert (row[f"reason_{number}_en"], row[f"reason_{number}_zh"]) == words
        assert not any(row[name] for name in ("previous_as_of", "previous_probability", "probability_change"))
    assert [row["source_id"] for row in read(tmp_path / "labels/spellings/spring-2024-06-01-churn.csv")] == [
        " 007",
        "7.0",
    ]


def test_scores_with_a_formula_are_kept_and_written(tmp_path: Path) -> None:
    """The customer's history is a reason in files, and what was kept is read back."""
    study = make_study(analyses=("churn",))
    plain = PriorModel(prior=public_prior(90), features=SCALED, weights=(0,) * (len(SCALED) + 1))
    write_scores(lambda: snapshot(study, counted=(0, 1, 3), model=plain), folder=tmp_path / "labels")
    rows = read(tmp_path / "labels/spring-2024-06-01-churn.csv")
    assert {row["reason_1"] for row in rows} == {HISTORY}
    assert {row["reason_2"] for row in rows} == {""}
    for row in rows:
        assert row["reason_1_en"] == f"how often and how recently this customer buys: {row['reason_1_effect']} the risk"
    kept = ScoreHistory(tmp_path / "state" / "labels").load(study.name, JUNE)
    assert kept.features == (*FEATURE_NAMES, HISTORY)


def test_the_next_month_says_what_changed_and_an_unmoved_score_has_no_reason(tmp_path: Path) -> None:
    june(tmp_path, name="other")
    june(tmp_path)
    july(tmp_path)
    before = {row["customer_id"]: row for row in read(tmp_path / "labels/spring-2024-06-01-churn.csv")}
    now = {row["customer_id"]: row for row in read(tmp_path / "labels/current/spring.churn.csv")}
    assert set(now) == {"007", 'Zoë, "Z"', "new"}
    row = now["007"]
    assert (row["previous_as_of"], row["previous_probability"], row["previous_decile"]) == (
        "2024-06-01", before["007"]["churn_probability"], before["007"]["decile"],
    )  # fmt: skip
    change = Decimal(row["churn_probability"]) - Decimal(before["007"]["churn_probability"])
    assert Decimal(row["probability_change"]) == change != 0
    assert {now["new"][name] for name in ("previous_as_of", "previous_decile", "probability_change")} == {""}
    flat = make_study(analyses=("churn",), name="flat")
    write_scores(lambda: snapshot(flat, counted=(0,), model=logistic(1, intercept=1.0)), folder=tmp_path / "labels")
    (row,) = read(tmp_path / "labels/current/flat.churn.csv")
    assert {row[f"reason_{number}{end}"] for number in (1, 2, 3) for end in ("", "_effect", "_en", "_zh")} == {""}


def test_scores_of_another_horizon_are_not_compared(tmp_path: Path) -> None:
    june(tmp_path, churn={"horizon_days": 30})
    july(tmp_path)
    for row in read(tmp_path / "labels/current/spring.churn.csv"):
        assert {row[name] for name in ("previous_as_of", "previous_probability", "probability_change")} == {""}


def test_writing_again_changes_nothing_and_a_late_month_mends_the_next(tmp_path: Path) -> None:
    june(tmp_path)
    july(tmp_path)
    first = files_in(tmp_path)
    june(tmp_path)
    july(tmp_path)
    assert files_in(tmp_path) == first
    late = tmp_path / "late"
    july(late)
    june(late)
    assert files_in(late) == first


def test_a_segment_study_and_a_churn_study_of_like_names_keep_apart(tmp_path: Path) -> None:
    june(tmp_path)
    for name in ("spring", "spring-churn"):
        write_labels(TABLE, make_rules(), make_study(name=name), folder=tmp_path / "labels")
    files = files_in(tmp_path)
    assert {"current/spring.csv", "current/spring-churn.csv", "current/spring.churn.csv"} <= set(files)
    assert len({files[f"current/{name}.csv"] for name in ("spring", "spring-churn", "spring.churn")}) == 3
    assert ScoreHistory(tmp_path / "state/labels").days("spring") == (JUNE,)
    assert ScoreHistory(tmp_path / "state/labels").days("spring-churn") == ()


def test_formats_follow_labels_toml_and_targets_for_segments_get_no_scores(tmp_path: Path) -> None:
    configure(
        tmp_path,
        '[[file]]\nseparator = ";"\ndecimal = ","\nids = "excel"\n[[file]]\nformat = "parquet"\nfolder = "crm"\n'
        '[[file]]\nsegment = "at_risk"\n[[file]]\nchanged_only = true\n',
    )
    june(tmp_path, currency="KWD")
    assert not (tmp_path / "labels/lists").exists()
    row = read(tmp_path / "labels/current/spring.churn.csv", ";")[0]
    assert row["customer_id"] == '="007"'
    assert row["churn_probability"].startswith("0,")
    table = pq.read_table(tmp_path / "crm/spring-2024-06-01-churn.parquet")
    assert table["churn_probability"].to_pylist()[0] == Decimal(row["churn_probability"].replace(",", "."))
    assert len(row["money_365"].partition(",")[2]) == 3
    assert table.schema.field("act_by").type == "date32"


def test_export_writes_what_is_there_and_says_what_is_not(tmp_path: Path) -> None:
    june(tmp_path)
    written = export_labels(tmp_path, "spring", JUNE, formats=("parquet",))
    assert {item.path.name for item in written if item.path} == {
        "spring-2024-06-01-churn.parquet",
        "spring.churn.parquet",
    }
    with pytest.raises(ConfigError, match="no segments"):
        export_labels(tmp_path, "spring", JUNE, segment="champions")
    with pytest.raises(ConfigError, match="no labels of study spring as of 2024-07-01"):
        export_labels(tmp_path, "spring", JULY)
    write_labels(TABLE, make_rules(), make_study(), folder=tmp_path / "labels")
    names = [item.path.name for item in export_labels(tmp_path, "spring", JUNE) if item.path]
    assert {"spring-2024-06-01.csv", "spring-2024-06-01-churn.csv"} <= set(names)
    only = export_labels(tmp_path, "spring", JUNE, changed_only=True)
    assert [item.path.name for item in only if item.path] == ["spring-2024-06-01-changed.csv"]


def test_a_damaged_history_is_named(tmp_path: Path) -> None:
    june(tmp_path)
    history = ScoreHistory(tmp_path / "state/labels")
    path = tmp_path / "state/labels/spring/2024-06-01-churn.parquet"
    assert path.stat().st_mode & 0o777 == 0o600
    whole = path.read_bytes()
    labels = tmp_path / "labels.parquet"
    write_labels(TABLE, make_rules(), make_study(), folder=tmp_path / "labels")
    labels.write_bytes((tmp_path / "state/labels/spring/2024-06-01.parquet").read_bytes())
    for content in (whole[:-9], b"", labels.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(DataError, match="not a score snapshot"):
            history.load("spring", JUNE)
    path.write_bytes(whole)
    kept = history.load("spring", JUNE)
    assert (kept.model, kept.features, repr(kept)) == (logistic().digest, FEATURE_NAMES, "ScoreSnapshot(<private>)")
    with pytest.raises(DataError, match="could not be made"):
        write_scores(lambda: 1 / 0, folder=tmp_path / "labels")  # type: ignore[arg-type,return-value]


# --- tables ------------------------------------------------------------------------------------------------------


def test_tables_stand_beside_the_segments(tmp_path: Path, database: Query) -> None:
    write_labels(TABLE, make_rules(), make_study(), folder=tmp_path / "labels")
    june(tmp_path)
    july(tmp_path)
    july(tmp_path)
    rows = database("SELECT * FROM rfm_labels_churn")
    assert {row[0] for row in rows} == {"007", 'Zoë, "Z"', "new"}
    assert len(rows) == 3
    assert database("SELECT as_of, count(*) FROM rfm_labels_churn_history GROUP BY 1 ORDER BY 1") == [
        (JUNE, 3),
        (JULY, 3),
    ]
    assert database("SELECT * FROM rfm_labels_churn_as_of ORDER BY 2") == [("spring", JUNE, 3), ("spring", JULY, 3)]
    spelled = database("SELECT source_id FROM rfm_labels_churn_by_source_id WHERE customer_id = '007' ORDER BY 1")
    assert sorted(spelled) == [(" 007",), ("007",), ("7.0",)]
    csv_rows = {row["customer_id"].lstrip("'"): row for row in read(tmp_path / "labels/current/spring.churn.csv")}
    fields = (
        "churn_probability, decile, risk, act_by, value_at_risk, reason_1, previous_probability, probability_change"
    )
    for name, *found in database(f"SELECT customer_id, {fields} FROM rfm_labels_churn"):
        row = csv_rows[name]
        assert (found[0], found[1], found[2], str(found[3])) == (
            Decimal(row["churn_probability"]), int(row["decile"]), row["risk"], row["act_by"],
        )  # fmt: skip
        assert found[4] == Decimal(row["value_at_risk"])
        assert found[5] == row["reason_1"]
        assert (str(found[6]) if found[6] is not None else "") == row["previous_probability"]
        assert found[7] == (Decimal(row["probability_change"]) if row["probability_change"] else None)
    assert database("SELECT count(*) FROM rfm_labels") == [(3,)]


def test_nothing_private_shows(tmp_path: Path) -> None:
    scores: Scores = score(logistic(), make_features(20), LAST, horizon_days=90)
    assert repr(scores) == "Scores(<private>)"
    assert repr(Facts.of(make_features(5), LAST)) == "Facts(<private>)"
    assert repr(IntervalModel(shape=1.0, exposure=2.0)) == "IntervalModel(<private>)"
