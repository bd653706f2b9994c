"""Models that are tested again: the very model, one question, and whether it has aged.

Asserted: a correction is that of the counts, unbiased under noise and inside its margins, and is used only where it is
clear; the alarm takes all three figures, against the first test, at its stated rate; a study carries the model and its
tests, and refuses what is not comparable; one question is asked, with bins that stay; where behaviour changes the alarm
comes, where it does not it stays away; the report, the card and every holder's page say it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from churn_pages import again_tested, churn_result, html, members, study_result
from churn_runs import analyse, federation_of, holders, study_of

from clients.analyses.churn.scoring import probabilities, stated_correction
from clients.data.columns import Columns
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.place import Source
from clients.data.rows.features import build_features
from privacy.analyses.churn import CONTRACT
from privacy.analyses.churn.ageing import FALSE_ALARMS, ageing
from privacy.analyses.churn.options import ChurnOptions
from privacy.analyses.churn.recalibration import recalibration
from privacy.analyses.churn.results import ChurnResult, EarlierTest
from privacy.errors import ConfigError
from privacy.figures.estimates import Estimate
from privacy.models.trained import LOGIT
from privacy.protocol.study import Study
from privacy.statistics.score_histogram import ScoreHistogram
from server.analyses.churn.earlier import earlier_test, known_model, with_known_model
from server.analyses.churn.model_card import render_card
from server.analyses.churn.model_file import ModelFile, ModelRecord
from server.analyses.churn.model_record import describe_model
from server.analyses.churn.run import EVALUATION, run, weights
from simulations.worlds.drifting import Drift, drifting_orders

LOGITS = np.linspace(-3, 3, 20)
PEOPLE = np.full(20, 400.0)


def counted(shift: float, factor: float = 1.0) -> np.ndarray[Any, np.dtype[np.float64]]:
    churned = PEOPLE / (1 + np.exp(-shift - factor * LOGITS))
    return np.stack([PEOPLE - churned, churned], axis=1)


# --- correction ---------------------------------------------------------------------------------------------------


def test_a_correction_is_that_of_the_counts() -> None:
    found = recalibration(counted(-0.6, 0.8), LOGITS)
    assert found is not None
    assert found.intercept.value == pytest.approx(-0.6, abs=1e-6)
    assert found.slope.value == pytest.approx(0.8, abs=1e-6)
    assert found.level.value < found.shift < 0
    right = recalibration(counted(0.0), LOGITS)
    assert right is not None
    assert right.shift == 0


def test_noise_leaves_its_mean_and_margins_hold_it() -> None:
    rng = np.random.default_rng(5)
    found = []
    for _ in range(400):
        seen = rng.poisson(counted(-0.4)) + rng.normal(0, 15, (20, 2))
        one = recalibration(seen, LOGITS, 15)
        assert one is not None
        level = one.level
        held = [abs(level.value + 0.4) <= level.margin, abs(one.slope.value - 1) <= one.slope.margin]
        found.append([*held, level.value])
    shifts, slopes, mean = np.mean(found, axis=0)
    assert 0.92 <= shifts <= 0.98
    assert 0.92 <= slopes <= 0.98
    assert mean == pytest.approx(-0.4, abs=0.01)


def test_counts_that_tell_nothing_give_no_correction() -> None:
    assert recalibration(np.zeros((20, 2)), LOGITS, 10) is None
    assert recalibration(-counted(0.0), LOGITS, 10) is None


def test_holders_move_probabilities_and_nobody_past_another() -> None:
    churn = churn_result(odds=-1.0)
    stated = study_result(churn).model_dump_json()
    correction = stated_correction(stated, churn.model)
    assert correction is not None
    assert correction.shift < -0.3
    logits = np.arange(-3, 4) * LOGIT
    corrected, plain = probabilities(logits, correction), probabilities(logits)
    assert (corrected < plain).all()
    assert (np.diff(corrected) > 0).all()
    other = churn_result(family="prior").model
    assert stated_correction(stated, other) is None, "of another model nothing is taken"
    assert stated_correction("not a result", churn.model) is None
    assert stated_correction(None, churn.model) is None
    far = churn.model_dump() | {"recalibration": churn.recalibration.model_dump() | {"shift": 9.0}}
    with pytest.raises(ValueError, match="shift"):
        ChurnResult.model_validate(far)


# --- alarm --------------------------------------------------------------------------------------------------------


def one_test(auc: float = 0.8, listed: float = 0.9, level: float | None = 0.0, margin: float = 0.02) -> EarlierTest:
    def figure(value: float) -> Estimate:
        return Estimate(value=value, margin=margin)

    return EarlierTest(
        test_day="2025-01-01", auc=figure(auc), listed=figure(listed), churn_rate=figure(0.7),
        level=None if level is None else figure(level),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("now", "ranks", "moved"),
    [
        (one_test(), False, False),
        (one_test(auc=0.75), True, False),
        (one_test(auc=0.85), False, False),
        (one_test(listed=0.8), True, False),
        (one_test(level=0.1), False, True),
        (one_test(level=-0.1), False, True),
        (one_test(level=None), False, False),
        (one_test(auc=0.78, listed=0.88, level=0.02), False, False),
    ],
)
def test_the_alarm_takes_all_three_against_the_first_test(now: EarlierTest, ranks: bool, moved: bool) -> None:
    found = ageing(now, (one_test(), one_test(auc=0.1, listed=0.1, level=3.0)))
    assert found is not None
    assert (found.ranks_worse, found.has_moved, found.alarm) == (ranks, moved, ranks or moved)
    assert ageing(now, ()) is None


def test_the_alarm_comes_by_chance_no_more_often_than_it_says() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.02 / 1.96, (2, 4000, 3))
    alarms = [
        ageing(one_test(*(0.5 + now)), (one_test(*(0.5 + then)),)).alarm  # type: ignore[union-attr]
        for now, then in zip(*noise, strict=True)
    ]
    assert 0.015 < np.mean(alarms) < FALSE_ALARMS


# --- study --------------------------------------------------------------------------------------------------------


def later(options: dict[str, Any], months: int = 1) -> Study:
    study = study_result(churn_result()).study
    return study.model_copy(
        update={"as_of": study.as_of + dt.timedelta(days=30 * months), "churn": ChurnOptions(**options)}
    )


def test_a_study_carries_the_model_and_its_tests() -> None:
    before = study_result(churn_result())
    asked = later({"model": "previous"})
    found = with_known_model(asked, [before])
    known = found.of(CONTRACT).known
    assert known is not None
    assert known.model == before.churn.model
    assert known.origin == f"{asked.name} {before.study.as_of}"
    assert found.digest != asked.digest
    assert earlier_test(known.tests[0]).auc.value == pytest.approx(before.churn.quality.auc.value, abs=1e-6)
    assert Study.parse(found.canonical()) == found
    assert with_known_model(found, []) == found, "what is written out stays"
    assert with_known_model(later({"model": "prior"}), []) == later({"model": "prior"})
    chained = known_model(again_tested(churn_result()), "another")
    assert chained.origin == "spring 2024-11-01"
    assert [test.test_day.month for test in chained.tests] == [8, 9, 10]
    assert found.of(CONTRACT).days(found.as_of)[found.of(CONTRACT).test] == found.as_of - dt.timedelta(days=90)
    assert len(found.of(CONTRACT).days(found.as_of)) == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"model": "previous", "horizon_days": 60}, "horizon_days = 90"),
        ({"model": "previous", "active_days": 100}, "active_days = 365"),
        ({"model": "previous", "list_share": "0.2"}, "list_share = 0.1"),
        ({"model": "previous", "model_of": "2020-01-01"}, "no earlier run of 2020-01-01"),
    ],
)
def test_what_cannot_be_compared_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        with_known_model(later(options), [study_result(churn_result())])
    assert told in f"{caught.value.message} {caught.value.hint}"


def test_an_earlier_run_must_be_earlier_and_options_go_together() -> None:
    with pytest.raises(ConfigError, match="no earlier run"):
        with_known_model(later({"model": "previous"}, 0), [study_result(churn_result())])
    with pytest.raises(ValueError, match="model_of"):
        ChurnOptions(model="prior", model_of="2024-01-01")
    known = known_model(churn_result(), "spring")
    with pytest.raises(ValueError, match="not named"):
        ChurnOptions(model=known, features=("orders",))


def test_one_question_with_the_whole_budget(tmp_path: Path) -> None:
    tables = holders(800)
    first, _ = analyse(federation_of(tmp_path / "first", tables), study_of(churn={"model": "prior"}))
    known = known_model(first, "first")
    study = study_of(churn={"model": known, "features": tuple(item.name for item in known.model.features)})
    assert weights(study) == {EVALUATION: Fraction(1)}
    second, _ = analyse(federation_of(tmp_path / "second", tables), study)
    assert second.model == first.model
    assert second.spread is not None
    assert second.spread.mean == pytest.approx(first.spread.mean, abs=1e-6)  # type: ignore[union-attr]
    assert second.origin == "first"
    assert second.rounds == ()
    assert second.training_days == first.training_days
    assert len(second.tests) == 1
    assert second.quality.auc.margin < first.quality.auc.margin, "all of the budget is the test's"


# --- a planted change ---------------------------------------------------------------------------------------------


def _shop(drift: Drift, folder: Path) -> tuple[list[Study], list[Any]]:
    """Two studies of one shop, a horizon apart, the second after the change; and the customers at the days of each."""
    day = dt.date(2024, 7, 1)
    drifting_orders(np.random.default_rng(2), customers=9000, day=day, drift=drift).to_parquet(
        folder / "orders.parquet"
    )
    config = HolderConfig(
        holder="shop",
        source=Source(url=str(folder / "orders.parquet"), currency_code="EUR"),
        columns=Columns(customer="customer", order="order", time="time", amount="amount"),
    )
    studies = [study_of(as_of=day + dt.timedelta(days=90 * step), churn={"model": "prior"}) for step in range(2)]
    tables = [
        build_features(Origin(config, study, folder), study.of(CONTRACT).request(study.as_of)).table
        for study in studies
    ]
    return studies, tables


@pytest.mark.parametrize("drift", ["none", "level", "ranks"])
def test_the_alarm_comes_where_behaviour_changes_and_not_where_it_does_not(drift: Drift, tmp_path: Path) -> None:
    (one, other), (before, after) = _shop(drift, tmp_path)
    rng = np.random.default_rng(8)

    def result(study: Study, table: Any) -> ChurnResult:
        def ask(title: str, statistic: Any) -> Any:
            deviation = 8.0 if isinstance(statistic, ScoreHistogram) else 40.0
            scale = deviation * statistic.bound.max_abs if isinstance(statistic, ScoreHistogram) else 0.0
            noise = np.rint(rng.normal(0, scale, statistic.dim)).astype(np.int64) if scale else 0
            total = statistic.encode_sum(table) + noise
            return type("Answer", (), {"array": total, "deviation": max(scale, 1.0), "holders": ("shop",)})()

        return run(study, ask, lambda title, statistic: None)  # type: ignore[arg-type,return-value]

    first = result(one, before)
    known = known_model(first, "first")
    names = tuple(item.name for item in known.model.features)
    again = other.model_copy(update={"churn": ChurnOptions(model=known, features=names)})
    days = slice(1, None)
    tested_table = dataclasses.replace(
        after, values=after.values[:, days], eligible=after.eligible[:, days], outcome=after.outcome[:, days]
    )
    second = result(again, tested_table)
    found = ageing(second.test, second.tests)
    assert found is not None
    assert found.alarm == (drift != "none")
    assert found.ranks_worse == (drift == "ranks")


# --- what is said -------------------------------------------------------------------------------------------------


def test_the_report_says_that_the_model_has_aged_in_both_languages() -> None:
    page = html("earlier")
    assert "The model has aged: against its test of" in page
    assert "模型已老化" in page
    assert "The same model, month by month" in page
    assert "spring 2024-11-01" in page
    assert "has aged" not in html("alone")


def test_a_record_of_a_tested_model_keeps_its_tests() -> None:

    churn = again_tested(churn_result(odds=-1.0))
    record = describe_model(study_result(churn), churn, federation="spring")
    assert ModelRecord.model_validate_json(record.model_dump_json()) == record
    assert [test.test_day.isoformat() for test in record.tests] == ["2024-08-04", "2024-09-03", "2024-10-03"]
    assert record.recalibration is not None
    assert record.recalibration.shift < Decimal("-0.3")
    card = render_card(ModelFile(record=record, model=churn.model, signer=members()[0].coordinator, sha256="0" * 64))
    assert "The model has aged" in card
    assert "spring 2024-11-01" in card
