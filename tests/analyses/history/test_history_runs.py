"""Next purchases in one real run over generated holders: asked, charged, shown, labelled, and tried on what came."""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from workspaces import run as run_over

from clients.analyses.history.analysis import ANALYSIS as OWN
from clients.analyses.history.bands import BANDS
from clients.analyses.history.own import own_history, own_request
from clients.report.files import write_holder_report
from privacy.analyses.history import CONTRACT
from privacy.analyses.history.results import HistoryResult
from privacy.ledger import Reserved
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.report.render import render_report
from simulations.worlds.clean_feeds import clean_of
from simulations.worlds.generator import GeneratedWorld, generate, study_toml
from simulations.worlds.local import Workspace
from simulations.worlds.people import SEASONS


@dataclass(frozen=True)
class Ran:
    """A world of four holders, and one run over it."""

    world: GeneratedWorld
    workspace: Workspace
    result: StudyResult

    @property
    def released(self) -> HistoryResult:
        found = self.result.of(HistoryResult)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    root = tmp_path_factory.mktemp("history")
    world = generate(root / "data", customers=1_200, stores=3, feeds=True)
    raw = tomllib.loads(study_toml(world), parse_float=Decimal)
    raw |= {"analyses": ("history",), "history": {"window_days": 730, "value_cap": 400}, "as_of": dt.date(2024, 12, 1)}
    raw["budget"] |= {"epsilon": "4", "max_holders_per_customer": 1, "size_class": 2_000}
    workspace = Workspace.create(
        root, {name: root / "data" / name for name in world.holders}, lifetime_epsilon="40", declared=1
    )
    return Ran(world, workspace, run_over(workspace, Study.model_validate(raw)))


def purchases_of(ran: Ran, holder: str) -> pd.DataFrame:
    """Days of purchase of each customer of a holder before the study's day, from its clean feed."""
    as_of = ran.result.study.as_of
    lines = clean_of(ran.world.folder, holder, as_of).feeds["order"]
    bought = lines[lines["bought"] & (lines["time"] < pd.Timestamp(as_of))]
    begun = bought.groupby(["customer", "order"])["time"].min().reset_index()
    return begun.assign(day=begun["time"].dt.normalize()).groupby("customer")["day"].agg(["nunique", "min", "max"])


def test_the_counts_are_those_of_the_clean_feeds_within_their_margins(ran: Ran) -> None:
    as_of = pd.Timestamp(ran.result.study.as_of)
    everybody = pd.concat([purchases_of(ran, name) for name in ran.world.holders])
    inside = everybody[(as_of - everybody["min"]).dt.days <= 730]
    found = ran.released
    assert abs(found.customers.value - len(inside)) < 2.5 * found.customers.margin
    once = int((inside["nunique"] == 1).sum())
    assert abs(found.by_purchases[0].customers.value - once) < 0.15 * len(inside)


def test_what_was_foretold_is_what_came_but_for_the_season(ran: Ran) -> None:
    """The world goes on for the month of December, in which its customers buy more often; the model knows no season."""
    truth = json.loads(ran.world.truth.read_text(encoding="utf-8"))["later"][ran.result.study.as_of.isoformat()]
    soon = ran.released.ahead[0]
    assert soon.upto == truth["days_ahead"] == 30
    season = SEASONS[11] / np.mean(SEASONS)
    assert season > 1.2
    assert soon.purchases.value * season == pytest.approx(truth["purchase_days"], rel=0.2)
    assert soon.buyers.value < truth["buyers"] / truth["customer_records"] < soon.buyers.value * season * 1.2


def test_two_questions_are_charged_and_nothing_else(ran: Ran) -> None:
    for name in ran.world.holders:
        charges = [fact for fact in ran.workspace.holder(name).ledger().facts() if isinstance(fact, Reserved)]
        assert {charge.event.dim for charge in charges} == {124, 7}


def test_a_stated_model_of_another_window_is_seen(ran: Ran) -> None:
    study = ran.result.study
    asked = CONTRACT.questions(study.of(CONTRACT), study)
    assert OWN.fits(ran.released, asked)
    assert not OWN.fits(ran.released, [])
    assert not OWN.fits(ran.released.model_copy(update={"window_days": 731}), asked)


def test_every_customer_is_labelled_and_facts_are_among_the_columns(ran: Ran) -> None:
    holder = ran.world.holders[0]
    folder = ran.workspace.holder(holder)
    path = folder.root / "labels" / f"{ran.result.study.name}-{ran.result.study.as_of}-purchases.csv"
    rows = pd.read_csv(path, encoding="utf-8-sig", dtype={"customer_id": str})
    truth = purchases_of(ran, holder)
    assert set(rows["customer_id"]) == set(truth.index.astype(str))
    assert set(OWN.facts) <= set(rows.columns) | {fact.column for fact in OWN.facts.values()}
    assert {fact.column for fact in OWN.facts.values()} <= set(rows.columns)
    for earlier, later in (("buys_within_30", "buys_within_90"), ("buys_within_90", "buys_within_180"),
                           ("buys_within_180", "active_probability")):  # fmt: skip
        assert (rows[earlier] <= rows[later]).all()
    assert set(rows["next_purchase"]) <= {band.code for band in BANDS}
    assert sorted(rows["value_decile"].unique()) == list(range(1, 11))
    # Spend is written in whole minor units: of customers with equal ones, any may be on either side of a tenth's end.
    by_spend = rows.sort_values(["expected_spend", "value_decile"], ascending=[False, True])
    assert (by_spend["value_decile"].diff().dropna() >= 0).all()
    soonest = rows["next_by"].dropna()
    assert (pd.to_datetime(soonest) >= pd.Timestamp(ran.result.study.as_of)).all()
    # Who bought often and lately is expected to go on.
    joined = rows.set_index("customer_id").join(truth.set_axis(truth.index.astype(str)))
    assert np.corrcoef(joined["nunique"], joined["expected_purchases"])[0, 1] > 0.4


def test_report_and_page_say_it_in_both_languages(ran: Ran) -> None:
    report = render_report(ran.result)
    for words in ("Next purchases", "复购预测", "MBG/NBD", "Spend ranks customers", "days of purchase"):
        assert words in report
    folder = ran.workspace.holder(ran.world.holders[0])
    own = OWN.own(folder.context(ran.result.study), ran.released, ran.result, lambda: None)
    assert own is not None
    assert repr(own) == "OwnHistory(<private>)"
    assert own.tried is not None
    assert own.scored == len(purchases_of(ran, ran.world.holders[0]))
    assert sum(line.customers for line in own.bands) == own.scored
    group = own_history(folder.context(ran.result.study).rows(own_request(ran.result.study)), ran.result.study,
                        ran.released, trying=False)  # fmt: skip
    assert group.tried is None
    page = write_holder_report(folder).read_text(encoding="utf-8")
    for words in ("Who buys next", "下次购买与预期价值", "Tried on what has been", "Leave them alone"):
        assert words in page


def test_labels_of_an_unreadable_result_are_none(ran: Ran) -> None:
    folder: Path = ran.workspace.holder(ran.world.holders[0]).root
    assert list((folder / "labels").glob("*-purchases.csv"))
    from clients.analyses.history.scoring import released

    assert released(None) is None
    assert released("{}") is None
