"""Churn at the holder: from a real run to scores in its own folder and a page of its own.

Families: scores are of the very rows and the very plan that the holder answered; the page's figures against a direct
computation; both languages; nothing is sent or spent.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import stat
import tomllib
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from churn_worlds import Ran
from holder_kit import holder_report, own_features, text
from report_pages import Page
from typer.testing import CliRunner
from workspaces import run as run_over

import cohortium
from clients.analyses.churn.bands import BANDS, CERTAIN
from clients.analyses.churn.facts import with_facts
from clients.analyses.churn.labels import ScoreHistory
from clients.analyses.churn.own import LISTED, OwnChurn, own_churn, rankings_on_test_day
from clients.analyses.churn.scoring import score
from clients.analyses.churn.section import SECTION
from clients.analyses.churn.texts import text as churn_text
from clients.analysis import HolderView
from clients.analysis.actions import Actions, parse_actions
from clients.answering.folder import HolderFolder, SourceData
from clients.answering.runs import RunFolder
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows.features import CustomerFeatures, build_features
from clients.labels.config import ContactSettings
from clients.report.files import recorded_result, write_holder_report
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.errors import ProtocolError
from privacy.models.scorers import PriorModel, logits_of
from privacy.models.trained import LOGIT, LogisticModel
from privacy.presentation.texts import LANGUAGES
from privacy.protocol.study import Study
from privacy.results import StudyResult
from simulations.worlds.generator import generate, study_toml
from simulations.worlds.local import Workspace

MONTHS = (dt.date(2024, 12, 1), dt.date(2025, 1, 1))


def run(root: Path, analyses: tuple[str, ...], days: tuple[dt.date, ...], **churn: str) -> Ran:
    world = generate(root / "data", customers=3000, stores=2)
    raw = tomllib.loads(study_toml(world), parse_float=Decimal)
    raw |= {"analyses": analyses, "churn": churn}
    raw["budget"] |= {"epsilon": "4", "max_holders_per_customer": 1}
    workspace = Workspace.create(
        root, {name: root / "data" / name for name in world.holders}, lifetime_epsilon="40", declared=1
    )
    results = tuple(run_over(workspace, Study.model_validate({**raw, "as_of": day})) for day in days)
    return Ran(workspace=workspace, results=results)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(tmp_path_factory.mktemp("both"), ("rfm", "churn"), MONTHS)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(tmp_path_factory.mktemp("churn-only"), ("churn",), MONTHS[1:], model="prior")


def chances(logits: Any, result: StudyResult | None = None) -> Any:
    """Probabilities as they are shown: log odds are moved as far as the run's test says; the model's own without it."""
    shift = 0.0 if result is None else result.churn.recalibration.shift
    return 1 / (1 + np.exp(-logits / LOGIT - shift))


def test_a_model_that_is_tested_again_is_the_holders_too(tmp_path: Path) -> None:
    """The next month asks one question, scores by the same model, and the page compares its days by exact figures."""
    first = run(tmp_path, ("churn",), MONTHS[:1], model="prior")
    raw = first.study.model_dump() | {"as_of": MONTHS[1], "churn": {"model": "previous"}}
    result = run_over(first.workspace, Study.model_validate(raw))
    second = Ran(workspace=first.workspace, results=(*first.results, result))
    assert {cost.question for cost in result.spending.questions} <= {"evaluation", "evaluation again"}
    assert second.model == first.results[0].churn.model
    last = second.features.table.eligible.shape[1] - 1
    counted = second.features.table.eligible[:, last] == 1
    expected = chances(logits_of(second.model, second.features.table, last)[counted], result)
    written = labels_of(second.online, second.study)
    np.testing.assert_allclose(written["churn_probability"], expected, atol=0.6 / CERTAIN)
    written_page = write_holder_report(second.online, result.run).read_text(encoding="utf-8")
    assert "since its test of" in written_page


def labels_of(folder: HolderFolder, study: Study) -> pd.DataFrame:
    path = folder.root / "labels" / f"{study.name}-{study.as_of}-churn.csv"
    return pd.read_csv(path, dtype={"customer_id": str, "source_id": str}, encoding="utf-8-sig")


# --- scores at the end of a run ----------------------------------------------------------------------------------


def test_every_holder_has_scores_of_its_own_customers(ran: Ran) -> None:
    for name in ran.workspace.coordinator.roster().holders:
        folder = ran.workspace.holder(name)
        features = own_features(folder, ran.study)
        written = labels_of(folder, ran.study)
        last = features.table.eligible.shape[1] - 1
        counted = features.table.eligible[:, last] == 1
        assert written["customer_id"].tolist() == features.ids[counted].tolist()
        expected = chances(logits_of(ran.model, features.table, last)[counted], ran.results[-1])
        np.testing.assert_allclose(written["churn_probability"], expected, atol=0.6 / CERTAIN)
        assert written["source_id"].notna().all()
        mode = stat.S_IMODE((folder.root / "labels" / f"{ran.study.name}-{ran.study.as_of}-churn.csv").stat().st_mode)
        assert mode == 0o600
        current = folder.root / "labels/current" / f"{ran.study.name}.churn.csv"
        assert current.read_bytes().startswith(b"\xef\xbb\xbfcustomer_id,")
    before = labels_of(ran.online, ran.results[0].study).set_index("customer_id")
    now = labels_of(ran.online, ran.study).set_index("customer_id")
    both = now.index.intersection(before.index)
    assert len(both) > 100
    change = now.loc[both, "churn_probability"] - before.loc[both, "churn_probability"]
    np.testing.assert_allclose(now.loc[both, "probability_change"], change, atol=1e-9)
    assert now.loc[now.index.difference(before.index), "previous_decile"].isna().all()


def test_facts_come_with_the_studys_features_and_change_none_of_them(ran: Ran) -> None:
    folder, study = ran.online, ran.study
    request = study.row_requests["churn"]
    plain = build_features(Origin(folder.config(), study, folder.root), request)
    table = SourceData(folder).tables(study)["churn"]
    assert table.names == request.names  # type: ignore[union-attr]
    for name in ("values", "eligible", "outcome"):
        np.testing.assert_array_equal(getattr(table, name), getattr(plain.table, name))
    stored = [path.name for path in (folder.state / "tables").glob("features-*")]
    assert len(stored) == len(MONTHS), "one query and one file for both"


def test_the_model_comes_from_the_plan_and_never_from_the_result(ran: Ran) -> None:
    """A coordinator that writes another model into its result changes no score, and the page refuses the result."""
    folder = ran.online
    run_id = ran.results[-1].run
    kept = folder.state / "runs" / run_id / "result.json"
    original = kept.read_bytes()
    target = folder.root / "labels" / f"{ran.study.name}-{ran.study.as_of}-churn.csv"
    scores = target.read_bytes()
    before, features = labels_of(folder, ran.study), ran.features
    last = features.table.eligible.shape[1] - 1
    raw = json.loads(original)
    raw["churn"]["model"]["weights"][0] += 70_000
    try:
        kept.write_text(json.dumps(raw), encoding="utf-8")
        folder.node().label(run_id)
        uncorrected = labels_of(folder, ran.study)  # nothing is taken of a result that does not fit
        assert uncorrected["decile"].tolist() == before["decile"].tolist()
        expected = chances(logits_of(ran.model, features.table, last)[features.table.eligible[:, last] == 1])
        np.testing.assert_allclose(uncorrected["churn_probability"], expected, atol=0.6 / CERTAIN)
        with pytest.raises(ProtocolError, match="does not fit"):
            recorded_result(RunFolder(folder.state / "runs"), run_id)
    finally:
        kept.write_bytes(original)
    folder.node().label(run_id)
    assert target.read_bytes() == scores


def test_labels_command_writes_scores_again_byte_for_byte(ran: Ran, tmp_path: Path) -> None:
    folder = ran.online
    paths = sorted((folder.root / "labels").rglob("*churn*"))
    before = {path: path.read_bytes() for path in paths}
    assert len(before) >= 3
    for path in paths:
        path.unlink()
    for kept in (folder.state / "labels" / ran.study.name).glob("2025*-churn.parquet"):
        kept.unlink()  # then they are worked out again, from the plan
    done = CliRunner().invoke(cohortium.app, ["holder", "labels", str(folder.root), "--json"])
    assert done.exit_code == 0, done.output
    places = [item["place"] for item in json.loads(done.stdout)["written"]]
    assert any(place.endswith("2025-01-01-churn.csv") for place in places)
    again = {path: path.read_bytes() for path in paths if path.exists()}
    assert {path: before[path] for path in again} == again
    assert {path.name for path in set(before) - set(again)} == {f"{ran.study.name}-2024-12-01-churn.csv"}
    first = CliRunner().invoke(cohortium.app, ["holder", "labels", str(folder.root), "--run", ran.results[0].run])
    assert first.exit_code == 0, first.output
    assert {path: path.read_bytes() for path in paths} == before


def test_one_part_failing_does_not_keep_the_other_from_being_written(ran: Ran, monkeypatch: Any) -> None:
    from clients.analyses.rfm import analysis
    from privacy.errors import ConfigError, DataError

    folder = ran.online
    target = folder.root / "labels" / f"{ran.study.name}-{ran.study.as_of}-churn.csv"
    whole = target.read_bytes()
    target.unlink()

    def broken(*_: object, **__: object) -> None:
        raise ConfigError("segments cannot be written")

    monkeypatch.setattr(analysis, "publish", broken)
    with pytest.raises(DataError, match="segments cannot be written"):
        SourceData(folder).write_labels(ran.study, ran.answered(), ran.stated)
    assert target.read_bytes() == whole
    monkeypatch.undo()
    assert any(isinstance(core.statistic, SegmentTotals) for core in ran.answered())


def test_a_study_without_churn_gets_no_scores(ran: Ran) -> None:
    study = ran.study.model_copy(update={"analyses": ("rfm",)})
    written = SourceData(ran.online).write_labels(study, ran.answered(), ran.stated)
    assert written
    assert not [path for path in written if "churn" in path.name]


# --- the page's figures ------------------------------------------------------------------------------------------


def figures_of(ran: Ran, **changes: Any) -> OwnChurn:
    result = ran.results[-1].churn
    assert result is not None
    return own_churn(changes.pop("features", ran.features), ran.model, ran.study, result, **changes)


def test_quality_is_that_of_scikit_learn_on_own_rows(ran: Ran) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    own, table = figures_of(ran), ran.features.table
    counted = table.eligible[:, 1] == 1
    outcome = table.outcome[counted, 1]
    assert own.tested == counted.sum()
    model = own.rankings["model"].figures
    assert model.auc.value == pytest.approx(metrics.roc_auc_score(outcome, logits_of(ran.model, table, 1)[counted]))
    recency = table.values[counted, 1, table.names.index("recency_days")]
    assert own.rankings["recency_days"].figures.auc.value == pytest.approx(metrics.roc_auc_score(outcome, recency))
    assert model.churn_rate.value == pytest.approx(outcome.mean())
    assert own.rankings["intervals"].figures.auc.value > 0.5
    weights = [point.share for point in model.calibration]
    assert sum(weights) == pytest.approx(1)
    assert sum(p.observed.value * p.share for p in model.calibration) == pytest.approx(outcome.mean())


def test_bands_list_and_movement_are_what_pandas_counts(ran: Ran) -> None:
    history = ScoreHistory(ran.online.state / "labels")
    own = figures_of(ran, earlier=history.load(ran.study.name, MONTHS[0]))
    frame = labels_of(ran.online, ran.study)
    for line in own.bands:
        mine = frame[frame["risk"] == line.band.code]
        assert line.customers == len(mine)
        assert line.money == round(100 * mine["money_365"].sum())
        assert line.at_risk == round(100 * mine["value_at_risk"].sum())
    assert (own.scored, own.scored + own.away) == (len(frame), len(ran.features.table))
    order = frame[(frame["risk"] != "churn_low") & (frame["value_at_risk"] > 0)]
    order = order.sort_values("value_at_risk", ascending=False, kind="stable")[:LISTED].reset_index(drop=True)
    assert [item.customer_id for item in own.listed] == order["customer_id"].tolist()
    for item, (_, row) in zip(own.listed, order.iterrows(), strict=True):
        assert str(item.act_by) == row["act_by"]
        assert (str(item.expected) if item.expected else None) == (
            row["expected_next_purchase"] if isinstance(row["expected_next_purchase"], str) else None
        )
        assert item.band.code == row["risk"]
        if item.reason is not None:
            assert item.reason.en in {row[f"reason_{number}_en"] for number in (1, 2, 3)}
            assert "raises" in item.reason.en
    assert own.since == MONTHS[0]
    assert own.risen == (frame["probability_change"] >= 0.1 - 1e-9).sum()
    assert own.fallen == (frame["probability_change"] <= -0.1 + 1e-9).sum()


def test_whom_to_contact_is_what_pandas_picks_and_the_page_counts(ran: Ran, tmp_path: Path) -> None:
    """From the same labels; the control group is marked, and is as large as the page says."""
    folder = ran.online
    told = CliRunner().invoke(cohortium.app, ["holder", "contacts", str(folder.root), "--call", "40", "--json"])
    assert told.exit_code == 0, told.output
    said = json.loads(told.stdout)
    listed = pd.read_csv(said["file"], dtype={"customer_id": str}, encoding="utf-8-sig")
    frame = labels_of(folder, ran.study).sort_values("value_at_risk", ascending=False, kind="stable")
    frame = frame[frame["value_at_risk"] > 0]
    called, written = frame[:40], frame[40:1240]
    calls = listed[listed["place"] == "call"]
    assert sorted(calls["customer_id"]) == sorted(called["customer_id"])
    assert calls["act_by"].is_monotonic_increasing
    assert listed[listed["place"] == "write"]["customer_id"].tolist() == written["customer_id"].tolist()
    assert said["call"] == {"customers": 40, "control": int(calls["control"].sum())}
    assert said["write"]["customers"] == len(written)
    again = Path(said["file"]).read_bytes()
    assert CliRunner().invoke(cohortium.app, ["holder", "contacts", str(folder.root), "--call", "40"]).exit_code == 0
    assert Path(said["file"]).read_bytes() == again
    # A month later: everybody on the list against who was left alone, from the shop's own rows.
    later = ["--as-of", "2100-01-01", "--days", "1", "--json"]
    effect = CliRunner().invoke(cohortium.app, ["holder", "effect", str(folder.root), said["campaign"], *later])
    assert effect.exit_code == 0, effect.output
    (brought,) = json.loads(effect.stdout)
    control = int(listed["control"].sum())
    arms = brought["effect"]
    assert (arms["contacted"] + brought["gone"]["contacted"], arms["control"] + brought["gone"]["control"]) == (
        len(listed) - control, control,
    )  # fmt: skip
    assert arms["verdict"] is None, "the source ends long before"
    shown = CliRunner().invoke(cohortium.app, ["holder", "effect", str(folder.root), *later[:-1]])
    assert "no verdict until all of them are there" in " ".join(shown.stdout.split())
    own = figures_of(ran, contacts=ContactSettings(call=40))
    assert [line.customers for line in own.places] == [40, len(written), own.scored - own.names]
    assert own.share == 1000 * said["control_share"]
    for line, mine in zip(own.places[:2], (called, written), strict=True):
        assert line.at_risk == round(100 * mine["value_at_risk"].sum())
        assert line.stay == pytest.approx(1 - mine["churn_probability"].mean())
    none = ["--call", "0", "--write", "0", "-o", str(tmp_path / "none.csv")]
    nobody = CliRunner().invoke(cohortium.app, ["holder", "contacts", str(folder.root), *none])
    assert "To call: 0 customers" in nobody.stdout


def test_few_customers_or_none_get_a_page(ran: Ran) -> None:
    result = ran.results[-1]
    for count in (0, 1, 5, 60):
        kept = ran.features
        few = CustomerFeatures(ids=kept.ids[:count], table=kept.table.take(slice(0, count)))
        own = figures_of(ran, features=few)
        html = holder_report(holder="online", table=None, result=result, actions=Actions({}), churn=own)
        words = " ".join(Page(html).words["en"])
        assert "nan" not in words.lower().replace("finance", "")
        if count < 20:
            assert "model" not in own.rankings
            assert text("churn_find_too_few", "en", count=f"{own.tested:,}") in words
    nobody = dataclasses.replace(kept.table, eligible=np.zeros_like(kept.table.eligible))
    own = figures_of(ran, features=CustomerFeatures(ids=kept.ids, table=nobody))
    assert (own.scored, own.listed) == (0, ())
    html = holder_report(holder="online", table=None, result=result, actions=Actions({}), churn=own)
    assert text("churn_nobody", "en", as_of="1 January 2025", active=365) in " ".join(Page(html).words["en"])


def test_a_model_that_ranks_worse_is_called_so(ran: Ran) -> None:
    result = ran.results[-1]
    assert isinstance(ran.model, LogisticModel)
    turned = ran.model.model_copy(update={"weights": tuple(-weight for weight in ran.model.weights)})
    own = own_churn(ran.features, turned, ran.study, result.churn)
    assert own.rankings["model"].figures.auc.value < 0.5
    html = holder_report(holder="online", table=None, result=result, actions=Actions({}), churn=own)
    assert "Use that instead." in " ".join(Page(html).words["en"])


def test_a_model_is_judged_at_the_length_of_the_list(ran: Ran) -> None:
    """What pandas counts among the first 5%; the page says it, beside the best without the model; no AUC there."""
    result = ran.results[-1]
    options = ran.study.churn.model_copy(update={"list_share": Decimal("0.05")})
    study = ran.study.model_copy(update={"churn": options})
    own = own_churn(ran.features, ran.model, study, result.churn)
    table = ran.features.table
    counted = table.eligible[:, 1] == 1
    frame = pd.DataFrame({"logit": logits_of(ran.model, table, 1)[counted], "left": table.outcome[counted, 1]})
    first = frame.sort_values("logit", ascending=False, kind="stable")[: round(0.05 * len(frame))]
    model = own.rankings["model"]
    assert model.listed.part == 0.05
    assert model.listed.rate.value == pytest.approx(first["left"].mean(), abs=1.5 / len(first))
    others = ("recency_days", "prior", "own_prior", "intervals")
    best = max((own.rankings[code] for code in others), key=lambda item: item.listed.rate.value)
    gain = model.gain_on_list(best)
    assert gain.value == pytest.approx(model.listed.rate.value - best.listed.rate.value)
    view = HolderView(
        result=result.model_copy(update={"study": study}), figures=own, language="en", text=churn_text,
        holder="online", actions=Actions({}), actions_file="actions.toml",
    )  # fmt: skip
    values = SECTION.body(view)
    verdict = "tie" if abs(gain.value) <= gain.margin else "better" if gain.value > 0 else "worse"
    said = {"tie": "no better at the top of your list", "better": "The model gains", "worse": "Use that instead."}
    assert said[verdict] in values["findings"][0]
    assert "first 5%" in values["findings"][0]
    label, value, below = values["cards"][-1]
    assert value == f"{100 * model.listed.rate.value:.0f}"
    assert f"{100 * model.figures.churn_rate.value:.0f}" in below
    assert "AUC" not in " ".join([label, below, *values["findings"]])


# --- the page ----------------------------------------------------------------------------------------------------


@cache
def page(folder: Path) -> str:
    return write_holder_report(HolderFolder(folder)).read_text(encoding="utf-8")


def test_the_page_of_a_run_with_both(ran: Ran) -> None:
    before = [entry.read_bytes() for entry in sorted(ran.online.state.glob("ledger.sqlite*"))]
    html = page(ran.online.root)
    assert [entry.read_bytes() for entry in sorted(ran.online.state.glob("ledger.sqlite*"))] == before
    words = " ".join(Page(html).words["en"])
    for key in ("glance", "churn", "churn_quality", "churn_list", "churn_limit_people", "churn_limit_stated"):
        assert text(key, "en") in words
    own = figures_of(ran)
    assert f"{own.rankings['model'].figures.auc.value:.3f}" in words
    for item in own.listed:
        assert item.customer_id in words
    for band in BANDS:
        action = parse_actions("").of(band.code)
        assert action is not None
        assert action.text("en") in words
    assert "names segments that this study does not have" not in words, "bands are known to the segments' list"
    page.cache_clear()
    assert page(ran.online.root) == html, "the same bytes"


def test_the_page_of_a_run_with_churn_only(alone: Ran) -> None:
    html = page(alone.online.root)
    words = Page(html).words
    assert text("churn", "en") in " ".join(words["en"])
    assert text("glance", "en") not in " ".join(words["en"])
    assert "matrix" not in {attributes.get("class") for _, attributes in Page(html).elements}
    ids = [attributes["id"] for _, attributes in Page(html).elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in Page(html).elements:
        assert attributes.get("aria-labelledby", ids[0]) in ids
    assert "http:" not in html
    assert "https:" not in html
    assert not (alone.online.root / "labels" / f"{alone.study.name}-{alone.study.as_of}.csv").exists()
    assert len(labels_of(alone.online, alone.study)) == figures_of(alone).scored


def test_scores_of_a_corrected_formula_and_their_reasons(alone: Ran) -> None:
    """From a real run: probabilities are the model's, and history is among the reasons of most customers."""
    model, table = alone.model, alone.features.table
    assert isinstance(model, PriorModel)
    assert model.corrected
    assert model.prior == alone.study.churn.formula
    last = table.eligible.shape[1] - 1
    counted = table.eligible[:, last] == 1
    written = labels_of(alone.online, alone.study)
    expected = chances(logits_of(model, table, last)[counted], alone.results[-1])
    np.testing.assert_allclose(written["churn_probability"], expected, atol=0.6 / CERTAIN)
    named = written[["reason_1", "reason_2", "reason_3"]] == "purchase_history"
    assert named.any(axis=1).mean() > 0.5
    own = figures_of(alone)
    assert list(own.rankings) == ["model", "recency_days", "prior", "own_prior", "intervals"]
    formula = own.rankings["prior"].figures
    assert formula.auc.value > 0.5
    assert formula.stayed is not None


def test_each_language_stands_alone(alone: Ran) -> None:
    words = Page(page(alone.online.root)).words
    chinese = " ".join(words["zh"])
    left = set(re.findall(r"(?<![0-9a-z])[A-Za-z]{3,}(?![0-9a-z])", chinese))
    assert left <= {
        "Cohortium", "AUC", "EUR", "GDPR", "demo", "rfm", "online", "store", "actions", "toml", "cohortium", "source",
        "churn", "holder", "contacts", "labels", "MBG", "NBD",
    }  # fmt: skip
    assert not re.search(r"[一-鿿]", " ".join(words["en"]))


def test_operators_words_stand_on_the_page_and_hostile_ones_do_no_harm(ran: Ran) -> None:
    actions = parse_actions('[churn_high]\nen = "<script>alert(1)</script> call"\n')
    result = ran.results[-1]
    kept = ran.features
    ids = np.array([f"<i>{name}</i>" for name in kept.ids], dtype=object)
    own = figures_of(ran, features=CustomerFeatures(ids=ids, table=kept.table))
    html = holder_report(holder="online", table=None, result=result, actions=actions, churn=own)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; call" in html
    assert "<i>" not in html
    for language in LANGUAGES:
        assert text("private_note", language) in Page(html).words[language]


# --- real data ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_interval_model_is_a_fair_baseline_on_real_data(data_folder: Path, tmp_path: Path) -> None:
    """online_retail_ii: better than recency alone, by more than chance, at 90 and 180 days."""
    source = data_folder / "online_retail_ii" / "online_retail_ii.parquet"
    config = HolderConfig.model_validate(
        {
            "holder": "gifts",
            "source": {"url": str(source), "where": "not overlap_repeat", "currency_code": "GBP"},
            "columns": {
                "customer": "customer_id", "order": "invoice", "time": "invoice_date", "quantity": "quantity",
                "price": "price", "product": "stock_code",
            },
        }
    )  # fmt: skip
    for horizon, least in ((90, 0.74), (180, 0.755)):
        study = Study.model_validate(
            {
                "name": "gifts", "as_of": dt.date(2011, 12, 9), "currency": "GBP", "analyses": ("churn",),
                "budget": {"epsilon": "1"}, "cleaning": {"cancellation_prefix": "C"},
                "churn": {"horizon_days": horizon},
            }
        )  # fmt: skip
        features = build_features(Origin(config, study, tmp_path), with_facts(study.row_requests["churn"]))
        model = LogisticModel(
            features=study.scaled(study.churn.features), weights=(1 << 16, *[0] * len(study.churn.features))
        )
        scores = score(model, features.table, 2, horizon_days=horizon)
        assert scores.timing.act_by.max() <= horizon - 30
        found, _ = rankings_on_test_day(features, model, study)
        assert found["intervals"].figures.auc.value >= least
        assert found["prior"].figures.auc.value > found["intervals"].figures.auc.value
        assert found["own_prior"].figures.auc.value > found["prior"].figures.auc.value - 0.002
        gain = found["intervals"].gain(found["recency_days"])
        assert gain.value > gain.margin
        assert found["model"].figures.auc.value == pytest.approx(found["recency_days"].figures.auc.value, abs=0.005)
