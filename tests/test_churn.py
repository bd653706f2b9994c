"""Churn through the real protocol: ordinary runs, and everything that can be wrong with customers and holders.

Three or four holders in memory with generated customers whose outcome goes with their features. Asserted: released
figures hold the exact ones within their margins; where there is nothing to learn (one outcome only, hardly anybody)
there is one clear error, told from releases, as early as they tell it, and nothing more is spent; a holder without
customers or without churned ones, constant and missing features do no harm; a holder that leaves, restarts or loses an
answer between two rounds leaves a result and an honest ledger; a run that is stopped goes on without paying twice; what
a holder's policy does not allow is not asked. Sources that hold numbers that are none give the features of the rest.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import protocol_kit as kit
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from churn_runs import HOLDERS, analyse, federation_of, holders, population, study_of
from pydantic import ValidationError
from scipy.stats import rankdata

from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows.features import build_features
from privacy.analyses.churn.by_holder import ByHolder
from privacy.analyses.churn.options import CHURN_FEATURES, ChurnOptions
from privacy.analyses.churn.results import ChurnResult
from privacy.errors import CohortiumError, DataError, NotEnoughHolders
from privacy.kernel.canonical import read_toml
from privacy.kernel.features import FEATURES, MISSING, UNIT, FeatureTable
from privacy.ledger import Reserved
from privacy.mechanisms.sampler import SAMPLER
from privacy.models.scorers import PriorModel, logits_of
from privacy.models.trained import LOGIT, LogisticModel
from privacy.protocol.study import Study
from privacy.protocol.transport import Handler
from privacy.statistics import Statistic
from server.analyses.churn import learning
from server.analyses.churn import run as churn
from server.running.check import check_study
from server.running.planning import plan, planned_mechanism
from server.running.run import run_study
from server.running.spending import spending_of
from server.training.foundation import centre_statistic, linear_weights
from simulations.worlds.kit import MemoryFederation

TRAIN, TEST = 0, 1
CORRECTION_QUESTIONS = ["size and centre", "moments", "training 1 of 1", "evaluation"]
LOGISTIC_QUESTIONS = ("size and centre", "moments", "training 1 of 3", "training 2 of 3", "training 3 of 3")


def changed(table: FeatureTable, **arrays: np.ndarray) -> FeatureTable:
    """A table with other arrays."""
    fields = {"names": table.names, "values": table.values, "eligible": table.eligible, "outcome": table.outcome}
    return FeatureTable(**fields | arrays)


def with_outcome(table: FeatureTable, value: int, *days: int) -> FeatureTable:
    """All customers have one outcome on these days."""
    outcome = table.outcome.copy()
    outcome[:, list(days)] = value
    return changed(table, outcome=outcome)


def with_feature(table: FeatureTable, value: int, *names: str) -> FeatureTable:
    """These features have one value for all customers."""
    values = table.values.copy()
    for name in names:
        values[:, :, table.names.index(name)] = value
    return changed(table, values=values)


def titles(facts: Any) -> list[str]:
    """Titles of the charges in a ledger."""
    return [fact.title for fact in facts.facts() if isinstance(fact, Reserved)]


def all_ledgers(federation: MemoryFederation) -> dict[str, Any]:
    """The coordinator's, under an empty name, and every holder's."""
    return {"": federation.folder.ledger()} | {
        holder: kit.holder_ledger(federation, holder) for holder in federation.roster.holders
    }


def exact_auc(result: ChurnResult, *tables: FeatureTable) -> float:
    """Of the model, on the day of the test, from the customers themselves."""
    scores = np.concatenate([logits_of(result.model, table, TEST) for table in tables])
    outcome = np.concatenate([table.outcome[:, TEST] for table in tables])
    churned = int(outcome.sum())
    ranks = rankdata(scores)[outcome == 1].sum()
    return float((ranks - churned * (churned + 1) / 2) / (churned * (len(outcome) - churned)))


def near(estimate: Any, exact: float) -> bool:
    """Within three of its 95% margins: six deviations, a false alarm in 5e8. (The margin also covers chance.)"""
    return abs(estimate.value - exact) <= 3 * estimate.margin


# --- an ordinary run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["logistic", "network", "prior", "trees"])
def test_released_figures_hold_the_exact_ones(tmp_path: Path, family: str) -> None:
    tables = holders()
    study = study_of(churn={"model": family})
    federation = federation_of(tmp_path, tables)
    result, coordinator = analyse(federation, study)
    assert result.model.kind == result.family == family
    exact = exact_auc(result, *tables.values())
    assert exact > 0.75, "the model has learnt"
    assert near(result.quality.auc, exact)
    assert near(result.quality.churn_rate, np.mean([table.outcome[:, TEST].mean() for table in tables.values()]))
    assert abs(result.customers.value - 3600) <= 3 * result.customers.margin
    assert [figures.code for figures in result.baselines] == ["recency_days", "prior"]
    assert result.quality.auc.value > result.baselines[0].auc.value
    steps = {"logistic": 3, "network": 4, "prior": 1, "trees": 1}[family]
    assert [step.title for step in result.rounds] == [f"training {n} of {steps}" for n in range(1, steps + 1)]
    assert all(0 < step.step < 10 for step in result.rounds)
    grown = ["trees 1 of 2", "trees 2 of 2"] if family == "trees" else []
    questions = [*LOGISTIC_QUESTIONS[:2], *(step.title for step in result.rounds), *grown, "evaluation"]
    for ledger in all_ledgers(federation).values():
        assert titles(ledger) == questions
        assert ledger.spent() <= kit.price(study, Fraction(1))
    assert coordinator.participants == HOLDERS


def test_the_whole_study_leaves_a_result(tmp_path: Path) -> None:
    study = study_of()
    federation = federation_of(tmp_path, holders())
    result = run_study(study, folder=federation.folder, transport=federation.transport, pages=False)
    assert result.rfm is None
    assert result.churn.test_day == "2024-10-03"  # a horizon before the as-of day
    assert result.churn.training_days == ("2024-07-05",)
    assert result.churn.score_day == "2025-01-01"
    assert result.spending.epsilon_person <= 8
    again = run_study(study, folder=federation.folder, transport=federation.transport, pages=False)
    assert again.churn == result.churn
    assert again.spending == result.spending, "nothing is paid twice"


def test_the_length_of_the_list_changes_the_figures_and_no_question(tmp_path: Path) -> None:
    """Public and free: the same questions at the same price; the default leaves a study's digest as it was."""
    study, other = study_of(), study_of(churn={"list_share": "0.03"})
    assert "list_share" not in study.canonical().decode()
    assert study.digest != other.digest
    assert churn.weights(study) == churn.weights(other)
    tables = holders()
    result, _ = analyse(federation_of(tmp_path, tables), other)
    assert result.list_share == 0.03
    listed = result.quality.on_list(0.03)
    assert listed.part == 0.03
    scores = np.concatenate([logits_of(result.model, table, TEST) for table in tables.values()])
    outcome = np.concatenate([table.outcome[:, TEST] for table in tables.values()])
    first = np.argsort(-scores, kind="stable")[: int(0.03 * len(scores))]
    assert near(listed.rate, outcome[first].mean())
    assert [figures.on_list(0.03).part for figures in result.baselines] == [0.03, 0.03]


def test_policies_see_what_every_model_is_compared_with() -> None:
    """A study whose model looks at money alone is about orders and recency, too; the evaluation at nothing else."""
    study = study_of(churn={"features": ("money",)})
    assert study.columns == {"money", "recency", "orders"}
    names, days = churn.probe(study).looks_at
    known, known_days = study.row_requests["churn"].offers
    assert names == known == {"money", "recency_days", "purchase_days", "tenure_days"}
    assert days < known_days
    policy = kit.lenient_policy(analyses=("churn",), columns=("money", "recency"))
    with pytest.raises(CohortiumError, match="orders"):
        policy.admit_study(study)


def test_shares_of_the_budget_add_up() -> None:
    for options in (
        {},
        {"model": "network"},
        {"model": "prior"},
        {"model": "trees"},
        {"rounds": 7, "evaluation_share": "0.5"},
    ):
        assert sum(churn.weights(study_of(churn=options)).values()) == 1
    weights = churn.weights(study_of(churn={"figures": "by_holder"}))
    assert weights["evaluation by holder"] == weights["evaluation"] == Fraction(1, 5)
    assert len(churn.weights(study_of(churn={"rounds": 5}))) == 8
    assert list(churn.weights(study_of(churn={"model": "prior"}))) == CORRECTION_QUESTIONS


def test_several_training_days_are_one_contribution(tmp_path: Path) -> None:
    """The price of a question does not depend on how many days a customer is looked at."""
    prices = []
    for days in (1, 3):
        tables = {name: population(600, seed, days=days + 2) for seed, name in enumerate(HOLDERS)}
        federation = federation_of(tmp_path / str(days), tables)
        result, _ = analyse(federation, study_of(churn={"training_days": days}))
        assert len(result.training_days) == days
        assert result.quality.auc.value > 0.6
        prices.append(federation.folder.ledger().spent())
    assert prices[0] == prices[1]


def test_the_model_is_that_of_the_view_it_was_trained_in() -> None:
    """Logits over the features equal those over the whitened coordinates, for customers inside the ball."""
    table, features = population(300, 1), study_of().scaled(CHURN_FEATURES)
    base = learning.foundation(features, (TRAIN,), _asked([table]))
    weights = np.random.default_rng(1).normal(0, 1, base.view.dim)
    model = LogisticModel(features=features, weights=linear_weights(base, weights))
    centred = (table.scaled(features, TRAIN) - np.array(base.view.centre)) / UNIT
    inside = np.linalg.norm(centred, axis=1) < base.view.radius / UNIT
    assert inside.mean() > 0.5
    expected = base.view.apply(table, TRAIN) @ weights
    found = logits_of(model, table, TRAIN) / LOGIT
    assert np.abs(found - expected)[inside].max() < 0.01
    assert np.abs(found[inside]).max() > 1


def _asked(
    tables: list[FeatureTable], *, noise: Callable[[str, int], Any] = lambda title, dim: 0, family: str = "logistic"
) -> Any:
    """Questions answered by exact sums, and whatever is added; the analysis takes it for a release."""
    study = study_of(churn={"model": family})
    prices = plan(study)

    def ask(title: str, statistic: Statistic[Any]) -> Any:
        mechanism = planned_mechanism(study, prices["churn", title], statistic, holders=3)
        total = sum(statistic.encode_sum(table) for table in tables) + noise(title, statistic.dim)
        return type("Release", (), {"array": total, "deviation": mechanism.released_deviation})

    return ask


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("family", ["logistic", "network", "prior", "trees"])
def test_whatever_is_released_there_is_a_model_or_an_error(family: str, seed: int) -> None:
    """Noise a thousand times as large as planned: weights stay finite and in range, or the error is the known one."""
    rng = np.random.default_rng(seed)
    scale = 10 ** rng.uniform(6, 13)
    noise = lambda _, dim: np.rint(rng.normal(0, scale, dim)).astype(np.int64)  # noqa: E731
    ask = _asked([population(2000, 3)], noise=noise, family=family)
    try:
        trained = churn.train(study_of(churn={"model": family}), (TRAIN,), ask)
    except DataError:
        assert family != "prior", "its training is never refused"
        return
    model = trained.model
    assert trained.population is None or np.abs(trained.population.mean).max() <= 1
    for tested in churn.evaluation_of(study_of(), trained).models:
        assert list(tested.upper) == sorted(set(tested.upper))
    assert model == type(model).model_validate(model.model_dump())
    assert np.abs(logits_of(model, population(50, 4), TEST)).max() < 1 << 56


def test_the_forecast_shrinks_with_epsilon() -> None:
    """Of the area, of the list, and of what the list is better by: the last is known least."""
    checks = [check_study(study_of(epsilon), holders=3).expectations for epsilon in ("0.25", "1", "4")]
    found = {item.code: [other.value for check in checks for other in check if other.code == item.code]
             for item in checks[0]}  # fmt: skip
    for margins in (found["auc_margin"], found["list_margin"], found["list_gain_margin"]):
        assert 1 >= margins[0] > margins[1] > margins[2] > 0
    assert all(gain > own for gain, own in zip(found["list_gain_margin"], found["list_margin"], strict=True))
    assert found["auc_margin"][0] <= 0.5
    assert any("quality of the churn model" in text for text in check_study(study_of("0.03"), holders=3).warnings)


# --- nothing to learn ----------------------------------------------------------------------------------------------


def fails(federation: MemoryFederation, study: Study) -> str:
    """The message of the one error that says what is wrong with the customers; it has a next step."""
    with pytest.raises(DataError) as caught:
        analyse(federation, study)
    assert caught.value.hint
    assert "NaN" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("family", ["logistic", "network", "trees"])
def test_one_outcome_only_is_told_after_two_questions(tmp_path: Path, value: int, family: str) -> None:
    tables = {name: with_outcome(table, value, TRAIN, TEST) for name, table in holders().items()}
    federation = federation_of(tmp_path, tables)
    message = fails(federation, study_of(churn={"model": family}))
    assert "churned customers and others of the training days" in message
    for ledger in all_ledgers(federation).values():
        assert titles(ledger) == list(LOGISTIC_QUESTIONS[:2])


@pytest.mark.parametrize("value", [0, 1])
def test_one_outcome_only_on_the_day_of_the_test_is_told_by_the_evaluation(tmp_path: Path, value: int) -> None:
    tables = {name: with_outcome(table, value, TEST) for name, table in holders().items()}
    federation = federation_of(tmp_path, tables)
    assert "on the day of the test" in fails(federation, study_of())
    assert titles(federation.folder.ledger()) == [*LOGISTIC_QUESTIONS, "evaluation"]


@pytest.mark.parametrize("customers", [0, 5])
def test_hardly_anybody_is_told_after_one_question(tmp_path: Path, customers: int) -> None:
    """Five customers a holder, at epsilon 1: the noise in the count has a deviation of about 75."""
    federation = federation_of(tmp_path, holders(customers))
    assert "cannot be told from the noise" in fails(federation, study_of("1"))
    assert max(map(len, map(titles, all_ledgers(federation).values()))) <= 2
    # A count 4 deviations above 15 has probability 5e-5; the second question stops it all the same.
    assert titles(federation.folder.ledger())[0] == LOGISTIC_QUESTIONS[0]


@pytest.mark.parametrize(("customers", "epsilon"), [(5, "1"), (300, "0.05")])
def test_a_correction_is_never_refused_only_its_evaluation(tmp_path: Path, customers: int, epsilon: str) -> None:
    """Where the noise hides the customers the formula stays as it is, and the evaluation says what can be said."""
    study = study_of(epsilon, churn={"model": "prior"})
    federation = federation_of(tmp_path, holders(customers))
    assert "on the day of the test" in fails(federation, study)
    asked = titles(federation.folder.ledger())
    assert (asked[0], asked[-1]) == (CORRECTION_QUESTIONS[0], CORRECTION_QUESTIONS[-1])
    trained = churn.train(study, (TRAIN,), _asked([population(0, 1)], family="prior"))
    assert trained.model == PriorModel(
        prior=study.churn.formula, features=study.scaled(CHURN_FEATURES), weights=(0,) * (len(CHURN_FEATURES) + 1)
    )
    assert not trained.model.corrected
    assert (trained.steps, trained.population) == ((), None)
    for tested in churn.evaluation_of(study, trained).models:
        assert list(tested.upper) == sorted(set(tested.upper))


def test_the_same_error_comes_again_and_costs_nothing(tmp_path: Path) -> None:
    tables = {name: with_outcome(table, 1, TRAIN, TEST) for name, table in holders().items()}
    federation = federation_of(tmp_path, tables)
    first = fails(federation, study_of())
    spent = federation.folder.ledger().spent()
    assert fails(federation, study_of()) == first
    assert federation.folder.ledger().spent() == spent


def test_nobody_who_counts_adds_nothing(tmp_path: Path) -> None:
    """Customers who are not eligible, or whose outcome is not known, are as good as absent."""
    tables = holders(300)
    table = tables["alpha"]
    for other in (changed(table, eligible=table.eligible * 0), with_outcome(table, -1, TRAIN, TEST)):
        base = centre_statistic(study_of().scaled(CHURN_FEATURES), (TRAIN,))
        assert not base.encode_sum(other).any()
    federation = federation_of(tmp_path, tables | {"alpha": changed(table, eligible=table.eligible * 0)})
    result, _ = analyse(federation, study_of())
    assert abs(result.customers.value - 600) <= 3 * result.customers.margin


# --- odd holders and odd features ------------------------------------------------------------------------------------


def test_a_holder_without_churned_customers(tmp_path: Path) -> None:
    """It takes part as all others; its own quality cannot be told, and is left out."""
    tables = holders()
    tables["beta"] = with_outcome(tables["beta"], 0, TRAIN, TEST)
    federation = federation_of(tmp_path, tables, figures=("overall", "by_holder"))
    result, coordinator = analyse(federation, study_of(churn={"figures": "by_holder"}))
    assert coordinator.participants == HOLDERS
    assert near(result.quality.auc, exact_auc(result, *tables.values()))
    assert exact_auc(result, tables["alpha"], tables["gamma"]) > 0.75
    assert sorted(result.by_holder) == ["alpha", "gamma"]


def test_an_empty_holder_takes_part_and_adds_nothing(tmp_path: Path) -> None:
    tables = holders(1500) | {"beta": population(0, 1)}
    federation = federation_of(tmp_path, tables)
    result, coordinator = analyse(federation, study_of())
    assert coordinator.participants == HOLDERS
    assert near(result.quality.auc, exact_auc(result, tables["alpha"], tables["gamma"]))
    assert abs(result.customers.value - 3000) <= 3 * result.customers.margin
    assert titles(kit.holder_ledger(federation, "beta")) == titles(kit.holder_ledger(federation, "alpha"))


@pytest.mark.parametrize("family", ["logistic", "network", "prior", "trees"])
@pytest.mark.parametrize(("value", "where"), [(MISSING, HOLDERS), (-(1 << 63), HOLDERS), ((1 << 63) - 1, ("beta",))])
def test_constant_and_missing_features_do_no_harm(tmp_path: Path, value: int, where: Any, family: str) -> None:
    """Half of the features say nothing, at one holder or at all: the others still do."""
    tables = holders(800)
    for name in where:
        tables[name] = with_feature(tables[name], value, *CHURN_FEATURES[1::2])
    result, _ = analyse(federation_of(tmp_path, tables), study_of(churn={"model": family}))
    assert near(result.quality.auc, exact_auc(result, *tables.values()))
    assert exact_auc(result, *tables.values()) > 0.7


def test_features_that_say_nothing_at_all_give_a_model_that_knows_nothing(tmp_path: Path) -> None:
    """A result, not an error: that a model is no better than a coin is what the evaluation is for."""
    tables = {name: with_feature(table, 7, *CHURN_FEATURES) for name, table in holders().items()}
    result, _ = analyse(federation_of(tmp_path, tables), study_of())
    assert result.quality.auc.value == pytest.approx(0.5, abs=3 * result.quality.auc.margin)
    assert len({int(logit) for table in tables.values() for logit in logits_of(result.model, table, TEST)}) == 1
    assert result.quality.top_lift.value == pytest.approx(1, abs=3 * result.quality.top_lift.margin)


def test_one_feature_is_enough(tmp_path: Path) -> None:
    tables = holders()
    result, _ = analyse(federation_of(tmp_path, tables), study_of(churn={"features": ("recency_days",)}))
    # The model ranks as recency does: they are equal where it goes up with recency.
    assert exact_auc(result, *tables.values()) > 0.65
    assert near(result.baselines[0].auc, exact_auc(result, *tables.values()))


def test_features_are_integers_and_nothing_else() -> None:
    """NaN cannot come in: a table takes 64-bit integers only."""
    table = population(5, 1)
    for wrong in (table.values.astype(float) * math.nan, table.values.astype(np.int32)):
        with pytest.raises(TypeError, match="int64"):
            changed(table, values=wrong)


HOLDER = """
holder = "shop"
[source]
url = "sales.parquet"
currency_code = "EUR"
[columns]
customer = "customer"
order = "order"
time = "time"
amount = "amount"
"""


def test_numbers_that_are_none_in_a_source_are_as_good_as_absent(tmp_path: Path) -> None:
    """NaN and infinite amounts, no time, no customer: dropped, and counted on the holder's own screen only."""
    rng = np.random.default_rng(5)
    rows = [
        {"customer": f"c{n % 40}", "order": f"o{n}", "amount": float(rng.lognormal(3, 1)),
         "time": dt.datetime(2024, 12, 1) - dt.timedelta(days=int(rng.integers(0, 500)))}
        for n in range(300)
    ]  # fmt: skip
    rotten = [
        rows[number] | {"order": f"x{number}"} | wrong
        for number, wrong in enumerate(
            [{"amount": math.nan}, {"amount": math.inf}, {"amount": -math.inf}, {"amount": None}, {"time": None},
             {"customer": None}, {"customer": "nan"}, {"order": None}]
        )
    ]  # fmt: skip
    study = study_of()
    request = study.row_requests["churn"]
    found = []
    for name, given in (("clean", rows), ("rotten", [*rotten[:4], *rows, *rotten[4:]])):
        home = tmp_path / name
        home.mkdir()
        (home / "holder.toml").write_text(HOLDER)
        pq.write_table(pa.Table.from_pylist(given), home / "sales.parquet")
        found.append(build_features(Origin(read_toml(home / "holder.toml", HolderConfig), study, home), request))
    clean, other = found
    assert clean.ids.tolist() == other.ids.tolist()
    for name in ("values", "eligible", "outcome"):
        assert np.array_equal(getattr(clean.table, name), getattr(other.table, name))


# --- holders that come and go ----------------------------------------------------------------------------------------

FOUR = ("alpha", "beta", "delta", "gamma")


def gone_from(holder: str, kind: str, question: int) -> kit.Hook:
    """A holder that is away from its so many-th request of a kind on, for good."""
    away = []

    def hook(name: str, asked: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        if name == holder and (away or (asked == kind and count == question)):
            away.append(asked)
            return None
        return forward(request)

    return hook


@pytest.mark.parametrize("question", [2, 4, 6])
def test_a_holder_that_leaves_between_rounds(tmp_path: Path, question: int) -> None:
    """Away before the plan of moments, of the second step, of the evaluation: the others go on; nobody pays twice."""
    tables = holders(1000, *FOUR)
    federation = federation_of(tmp_path, tables)
    result, coordinator = analyse(federation, study_of(), gone_from("beta", "ready", question))
    assert (coordinator.participants, coordinator.missing) == (("alpha", "delta", "gamma"), ["beta"])
    rest = [table for name, table in tables.items() if name != "beta"]
    assert exact_auc(result, *rest) > 0.75
    assert near(result.quality.auc, exact_auc(result, *rest))
    everything = [*LOGISTIC_QUESTIONS, "evaluation"]
    assert titles(federation.folder.ledger()) == everything
    assert titles(kit.holder_ledger(federation, "beta")) == everything[: question - 1]


def test_a_holder_that_leaves_in_the_middle_of_a_round(tmp_path: Path) -> None:
    """Its answer never comes: the attempt is spent, the rest are asked once more, within the budget."""
    federation = federation_of(tmp_path, holders(1000, *FOUR))
    study = study_of()
    result, coordinator = analyse(federation, study, gone_from("beta", "answer", 4))
    assert coordinator.missing == ["beta"]
    asked = [*LOGISTIC_QUESTIONS[:4], *LOGISTIC_QUESTIONS[3:], "evaluation"]
    assert titles(federation.folder.ledger()) == titles(kit.holder_ledger(federation, "alpha")) == asked
    spending = spending_of(study, federation.folder.ledger(), records=1, holders=4)
    assert [question.outcome for question in spending.questions].count("failed") == 1
    assert spending.epsilon_person <= spending.epsilon_promised
    assert result.quality.auc.value > 0.7


def test_too_few_holders_left_is_an_error_that_names_the_way_on(tmp_path: Path) -> None:
    """Three is the policies' minimum: without one of three nothing more is asked, and what was paid is kept."""
    federation = federation_of(tmp_path, holders())
    with pytest.raises(NotEnoughHolders) as caught:
        analyse(federation, study_of(), gone_from("beta", "ready", 3))
    assert caught.value.hint
    assert titles(federation.folder.ledger()) == list(LOGISTIC_QUESTIONS[:2])
    result, _ = analyse(federation, study_of())  # it is back: the run goes on where it was
    assert titles(federation.folder.ledger()) == [*LOGISTIC_QUESTIONS, "evaluation"]
    assert result.quality.auc.value > 0.7


def test_a_holder_that_restarts_between_rounds_comes_back(tmp_path: Path) -> None:
    """A new process has forgotten the run; it says HELLO again, with new keys, and all three go on."""
    federation = federation_of(tmp_path, holders())

    class Restarting(kit.Notes):
        def step(self, name: str, holders: tuple[str, ...]) -> None:
            if name == "training 2 of 3: showing the plan" and name not in self.steps:
                federation.nodes["beta"] = federation.start("beta")
            super().step(name, holders)

    notes = Restarting()
    result, coordinator = analyse(federation, study_of(), progress=notes)
    assert any("beta" in note and "unknown_run" in note for note in notes.notes)
    assert (coordinator.participants, coordinator.missing) == (HOLDERS, [])
    assert result.quality.auc.value > 0.7
    for ledger in all_ledgers(federation).values():
        assert titles(ledger) == [*LOGISTIC_QUESTIONS, "evaluation"]


def test_nobody_joins_a_study_that_has_begun(tmp_path: Path) -> None:
    """A set of holders may only shrink: who was away in the first question is not asked in a later run either."""
    federation = federation_of(tmp_path, holders(1000, *FOUR))
    study = study_of()

    class Stop(kit.Notes):
        def step(self, name: str, holders: tuple[str, ...]) -> None:
            if name.startswith("training 1"):
                raise Cut

    with pytest.raises(Cut):
        analyse(federation, study, gone_from("beta", "ready", 1), Stop())
    result, coordinator = analyse(federation, study)
    assert coordinator.participants == ("alpha", "delta", "gamma")
    assert titles(kit.holder_ledger(federation, "beta")) == []
    assert result.quality.auc.value > 0.7


# --- stopped, and gone on --------------------------------------------------------------------------------------------


class Cut(BaseException):
    """Ends a run as a kill would."""


class CutAt(kit.Notes):
    """Progress that ends the run at a step."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self.at = at

    def step(self, name: str, holders: tuple[str, ...]) -> None:
        if name == self.at:
            raise Cut


@pytest.mark.parametrize(
    ("family", "at"),
    [*itertools.product(("logistic", "network"), ("moments", "training 2 of {}", "evaluation")),
     *itertools.product(("prior",), ("moments", "training 1 of {}", "evaluation")),
     *itertools.product(("trees",), ("training 1 of {}", "trees 1 of 2", "trees 2 of 2", "evaluation"))],
)  # fmt: skip
def test_a_training_that_was_stopped_goes_on_without_paying_twice(tmp_path: Path, family: str, at: str) -> None:
    """Stopped between two rounds. Without noise the model is that of a run that was not stopped, bit for bit."""
    study = study_of(churn={"model": family})
    title = at.format(churn.rounds_of(study))
    tables = holders(500)
    whole = federation_of(tmp_path / "whole", tables, kit.no_noise)
    expected, _ = analyse(whole, study)
    federation = federation_of(tmp_path / "cut", tables, kit.no_noise)
    with pytest.raises(Cut):
        analyse(federation, study, progress=CutAt(f"{title}: showing the plan"))
    before = {name: ledger.spent() for name, ledger in all_ledgers(federation).items()}
    federation.nodes = {holder: federation.start(holder) for holder in HOLDERS}  # the holders were stopped as well
    notes = kit.Notes()
    result, _ = analyse(federation, study, progress=notes)
    assert result == expected
    ledgers, others = all_ledgers(federation), all_ledgers(whole)
    done = titles(ledgers[""]).index(title)
    assert len([note for note in notes.notes if "nothing is spent" in note]) == done
    for name, ledger in ledgers.items():
        assert titles(ledger) == titles(others[name])
        assert before[name] < ledger.spent() == others[name].spent()


def test_a_round_whose_answers_may_have_left_is_paid_again(tmp_path: Path) -> None:
    """All holders have answered when the coordinator stops: fresh noise, charged once more, within the budget."""
    study, federation = study_of(), federation_of(tmp_path, holders(600))

    def hook(name: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        reply = forward(request)
        if (name, kind, count) == ("gamma", "answer", 4):
            raise Cut
        return reply

    with pytest.raises(Cut):
        analyse(federation, study, hook)
    analyse(federation, study)
    asked = [*LOGISTIC_QUESTIONS[:4], *LOGISTIC_QUESTIONS[3:], "evaluation"]
    for ledger in all_ledgers(federation).values():
        assert titles(ledger) == asked
        assert ledger.spent() <= kit.price(study, Fraction(1))
    charges = [fact for fact in federation.folder.ledger().facts() if isinstance(fact, Reserved)]
    twice = [charge for charge in charges if charge.title == "training 2 of 3"]
    assert twice[0].statistic_digest == twice[1].statistic_digest, "the very same question"
    assert twice[0].core != twice[1].core


# --- what policies allow ---------------------------------------------------------------------------------------------


def refused(federation: MemoryFederation, study: Study) -> None:
    with pytest.raises(NotEnoughHolders, match="alpha: policy; beta: policy; gamma: policy"):
        analyse(federation, study)
    assert set(kit.charged_by(federation).values()) == {0}


def test_figures_by_holder_need_every_holders_consent(tmp_path: Path) -> None:
    tables, study = holders(), study_of(churn={"figures": "by_holder"})
    refused(federation_of(tmp_path / "no", tables), study)
    federation = federation_of(tmp_path / "yes", tables, figures=("overall", "by_holder"))
    result, _ = analyse(federation, study)
    assert sorted(result.by_holder) == list(HOLDERS)
    for name, figures in result.by_holder.items():
        assert figures.code == name
        assert near(figures.auc, exact_auc(result, tables[name]))
        assert figures.auc.margin > result.quality.auc.margin, "a third of the customers, the same noise"
    spending = spending_of(study, federation.folder.ledger(), records=1, holders=3)
    assert spending.epsilon_person <= 8
    assert [question.question for question in spending.questions][-1] == "evaluation by holder"


def test_a_holder_that_leaves_before_the_figures_by_holder_has_none(tmp_path: Path) -> None:
    federation = federation_of(tmp_path, holders(1000, *FOUR), figures=("overall", "by_holder"))
    result, _ = analyse(federation, study_of(churn={"figures": "by_holder"}), gone_from("beta", "ready", 7))
    assert sorted(result.by_holder) == ["alpha", "delta", "gamma"]


def test_a_question_by_holder_is_refused_even_when_the_study_does_not_say_so(tmp_path: Path) -> None:
    """A coordinator that slips it in: each holder looks at the question itself."""
    federation = federation_of(tmp_path, holders(50))
    study = study_of()
    coordinator = kit.coordinator_of(federation, study)
    coordinator.join()
    question = ByHolder(inner=churn.probe(study), holders=HOLDERS)
    with pytest.raises(CohortiumError):
        coordinator.ask("churn", "evaluation", question, kit.price(study, Fraction(1, 10)))
    assert set(kit.charged_by(federation).values()) == {0}


CENTRAL = {"placement": "central", "mechanism": "integer"}
OPACUS = {"placement": "central", "mechanism": "opacus"}


@pytest.mark.parametrize("fields", [CENTRAL, OPACUS, {"placement": "local"}], ids=["integer", "opacus", "local"])
def test_another_placement_is_refused_unless_it_is_allowed(tmp_path: Path, fields: dict[str, str]) -> None:
    refused(federation_of(tmp_path, holders(50)), study_of(**fields))


def test_opacus_is_refused_where_only_the_placement_is_allowed(tmp_path: Path) -> None:
    refused(federation_of(tmp_path, holders(50), placements=("central",)), study_of(**OPACUS))


@pytest.mark.parametrize("fields", [CENTRAL, OPACUS, {"placement": "local"}], ids=["integer", "opacus", "local"])
def test_another_placement_where_it_is_allowed(tmp_path: Path, fields: dict[str, str]) -> None:
    """The same figures, and ledgers that say who made the noise: the same sampler everywhere."""
    opacus = fields.get("mechanism") == "opacus"
    if opacus:
        pytest.importorskip("opacus", reason="Opacus comes with [train]")
    tables = holders()
    federation = federation_of(
        tmp_path, tables, placements=("distributed", "local", "central"), mechanisms=("integer", "opacus")
    )
    study = study_of(**fields)
    result, _ = analyse(federation, study)
    assert near(result.quality.auc, exact_auc(result, *tables.values()))
    for name, ledger in all_ledgers(federation).items():
        charges = [fact for fact in ledger.facts() if isinstance(fact, Reserved)]
        assert {charge.assurance for charge in charges} == {"integer"}
        assert {charge.placement for charge in charges} == {fields["placement"]}
        if fields["placement"] == "central":
            assert all((charge.sampler == SAMPLER) == (name == "") for charge in charges)
    spending = spending_of(study, federation.folder.ledger(), records=1, holders=3)
    assert spending.epsilon_person <= 8
    if opacus:  # its accountant's error is 0.01, reported above its estimate
        assert spending.epsilon_opacus == pytest.approx(spending.epsilon_person, rel=0.02)
    else:
        assert spending.epsilon_opacus is None


def test_only_the_released_noise_differs_between_placements() -> None:
    """At one price: distributed among three with one colluding sqrt(3/2) of central, local sqrt(3) of it."""
    scale = {}
    for placement in ("central", "distributed", "local"):
        study = study_of(placement=placement)
        question = churn.probe(study)
        mechanism = planned_mechanism(study, plan(study)["churn", "evaluation"], question, holders=3)
        scale[placement] = mechanism.released_deviation
    assert scale["distributed"] / scale["central"] == pytest.approx(math.sqrt(1.5), rel=1e-4)
    assert scale["local"] / scale["central"] == pytest.approx(math.sqrt(3), rel=1e-4)


# --- the study's file ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "forest"}, "logistic"),
        ({"features": ("recency_days", "recency_days")}, "twice"),
        ({"features": ("shoe_size",)}, "shoe_size|features"),
        ({"features": ()}, "features"),
        ({"horizon_days": 3}, "horizon_days"),
        ({"training_days": 0}, "training_days"),
        ({"evaluation_share": "1"}, "evaluation_share"),
        ({"figures": "everything"}, "figures"),
    ],
)
def test_wrong_options_are_told_by_name(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        study_of(churn=options)


DOCS = Path(__file__).resolve().parents[1] / "docs" / "churn.md"


def test_the_documented_study_is_valid_and_shows_the_defaults(tmp_path: Path) -> None:
    text, local = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / "local.toml").write_text(local)
    assert read_toml(tmp_path / "local.toml", Study).churn.training == "local"
    (tmp_path / "study.toml").write_text(text)
    study = read_toml(tmp_path / "study.toml", Study)
    assert study.analyses == ("churn",)
    assert study.churn == ChurnOptions(model="prior"), "what study new writes"


def test_every_feature_is_documented() -> None:
    named = set(
        re.findall(r"`(\w+)`", DOCS.read_text(encoding="utf-8").split("## Features")[1].split("## How good")[0])
    )
    assert {name for name, feature in FEATURES.items() if feature.listed is None} <= named
    table = "".join(line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| `"))
    assert all(f"`{name}`" in table for name in CHURN_FEATURES)


def test_opacus_goes_with_the_coordinators_noise() -> None:
    with pytest.raises(ValidationError, match="central"):
        study_of(mechanism="opacus")
