"""Repurchase in real runs of two months: what is found, charged, audited, labelled and shown."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analyses.repurchase.examples import MONTHS, table_of
from workspaces import run as run_over

from clients.analyses.repurchase.analysis import ANALYSIS as OWN
from clients.analyses.repurchase.labels import RepurchaseHistory, RepurchaseSnapshot
from clients.analyses.repurchase.own import OwnRepurchase, own_repurchase
from clients.analyses.repurchase.states import STATES, standing
from clients.analysis import HolderView
from clients.analysis.actions import Actions
from clients.answering.folder import HolderFolder
from clients.answering.runs import RunFolder
from clients.report.files import write_holder_report
from privacy.analyses.repurchase import CONTRACT
from privacy.analyses.repurchase.results import RepurchaseResult
from privacy.audit.export import export
from privacy.audit.verify import verify
from privacy.kernel.features import MISSING
from privacy.ledger import Reserved
from privacy.presentation.texts import LANGUAGES, Language
from privacy.presentation.words import percent
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.analyses.repurchase.run import TITLE
from server.report.render import render_report
from simulations.worlds.generator import generate, study_toml
from simulations.worlds.local import Workspace

# --- real runs ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ran:
    """A workspace in which one study ran for two as-of days, beside the first analysis."""

    workspace: Workspace
    results: tuple[StudyResult, ...]

    @property
    def study(self) -> Study:
        return self.results[-1].study

    @property
    def figures(self) -> RepurchaseResult:
        found = OWN.figures(self.results[-1])
        assert found is not None
        return found

    @property
    def holders(self) -> tuple[HolderFolder, ...]:
        return tuple(self.workspace.holder(name) for name in self.workspace.coordinator.roster().holders)

    def own(self, folder: HolderFolder) -> OwnRepurchase:
        rows = folder.context(self.study).rows(self.study.row_requests["repurchase"])
        return own_repurchase(rows, self.study, self.figures)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    root = tmp_path_factory.mktemp("repurchase")
    world = generate(root / "data", customers=2000, stores=2)
    raw = tomllib.loads(study_toml(world), parse_float=Decimal) | {"analyses": ("repurchase",)}
    raw["budget"] |= {"epsilon": "4", "max_holders_per_customer": 1}
    workspace = Workspace.create(
        root, {name: root / "data" / name for name in world.holders}, lifetime_epsilon="40", declared=1
    )
    days = (Study.model_validate({**raw, "as_of": day}) for day in MONTHS)
    return Ran(workspace, tuple(run_over(workspace, study, pages=True) for study in days))


def test_a_run_finds_what_all_holders_have_together(ran: Ran) -> None:
    own = [ran.own(folder) for folder in ran.holders]
    customers = sum(item.customers for item in own)
    assert ran.figures.customers.value == pytest.approx(customers, abs=3 * ran.figures.customers.margin)
    again = sum(round(item.again.own.value * item.customers) for item in own if item.again)
    assert ran.figures.again is not None
    assert ran.figures.again.value == pytest.approx(again / customers, abs=3 * ran.figures.again.margin)
    for number, cohort in enumerate(ran.figures.cohorts):
        size = sum(item.cohorts[number].customers for item in own)
        assert cohort.customers.value == pytest.approx(size, abs=3 * cohort.customers.margin)
    assert sum(rate is not None for cohort in ran.figures.cohorts for rate in cohort.rates) > 5


def test_the_question_is_charged_and_the_audit_proves_it(ran: Ran, tmp_path: Path) -> None:
    assert [one.question for one in ran.results[-1].spending.questions] == [TITLE, f"{TITLE} again"]
    export(ran.workspace.coordinator.root, tmp_path / "coordinator.bundle")
    for folder in ran.holders:
        export(folder.root, tmp_path / f"{folder.root.name}.bundle")
        charges = [fact for fact in folder.ledger().facts() if isinstance(fact, Reserved)]
        assert [charge.event.dim for charge in charges] == [
            result.study.of(CONTRACT).question(result.study.as_of).dim for result in ran.results for _ in range(2)
        ]
    found = verify(sorted(tmp_path.glob("*.bundle")))
    assert found.passed, found


def test_a_stated_result_that_is_not_of_the_plan_is_seen(ran: Ran) -> None:
    plans = RunFolder(ran.holders[0].state / "runs").released_plans(ran.results[-1].run)
    answered = [plan.core.statistic for plan in plans]
    assert OWN.fits(ran.figures, answered)
    assert not OWN.fits(ran.figures, [])
    assert not OWN.fits(ran.figures.model_copy(update={"waits": ran.figures.waits[:-1]}), answered)
    assert not OWN.fits(ran.figures.model_copy(update={"cohorts": ran.figures.cohorts[1:]}), answered)


def test_every_holder_has_a_file_of_its_own_customers(ran: Ran) -> None:
    for folder in ran.holders:
        path = folder.root / "labels" / f"{ran.study.name}-{ran.study.as_of}-repurchase.csv"
        written = pd.read_csv(path, dtype={"customer_id": str, "source_id": str}, encoding="utf-8-sig")
        rows = folder.context(ran.study).rows(ran.study.row_requests["repurchase"])
        found = standing(rows.table, 90)
        assert written["customer_id"].tolist() == rows.ids.tolist()
        assert written["second_order"].tolist() == [STATES[state] for state in found.state]
        assert written["first_order_age"].tolist() == found.age.tolist()
        assert written["wait"].isna().tolist() == (found.wait == MISSING).tolist()
        assert written["days_left"].notna().tolist() == found.of("due").tolist()
        assert set(written["second_order"]) == set(STATES)
        before = written["previous_second_order"]
        assert before.isna().any(), "new customers"
        # Nobody gives a second order back.
        assert set(written.loc[before == "again", "second_order"]) == {"again"}
        changed = written["second_order_changed"]
        assert (changed[before.notna()].astype(bool) == (before != written["second_order"])[before.notna()]).all()


def test_only_those_who_changed_can_be_selected(ran: Ran) -> None:
    rows = RepurchaseHistory(ran.holders[0].state / "labels").rows(ran.study.name, ran.study.as_of)
    changed = rows.select(changed_only=True)
    assert changed is not None
    assert 0 < len(changed) < len(rows.snapshot)
    assert rows.select(segment="eight:1") is None
    kept = RepurchaseSnapshot.from_table(rows.snapshot.with_metadata())
    assert kept.table.equals(rows.snapshot.table)
    with pytest.raises(KeyError):
        RepurchaseSnapshot.from_table(rows.snapshot.table)
    assert repr(rows.snapshot) == "RepurchaseSnapshot(<private>)"


def test_the_report_says_what_was_found(ran: Ran) -> None:
    page = render_report(ran.results[-1])
    again = ran.figures.again
    assert again is not None
    assert percent(again, "en") in page
    for words in ("Second orders", "复购", "2024, Q3", "2024年第3季度", "the same day", "more than 365 days"):
        assert words in page
    assert not re.search(r"\{[a-z_]+\}", re.sub(r"<style.*?</style>", "", page, flags=re.S))


def test_the_holders_page_sets_its_own_beside_it(ran: Ran) -> None:
    folder = ran.holders[0]
    page = write_holder_report(folder).read_text(encoding="utf-8")
    own = ran.own(folder)
    assert own.again is not None
    assert f"{100 * own.again.own.value:.1f}%" in page
    for group in own.groups:
        assert f"{group.customers:,} customers" in page
        for customer in group.listed:
            assert customer.customer_id in page
    assert "Win the second order while the first is fresh" in page
    due, late = own.groups
    left = [customer.days_left for customer in due.listed]
    assert left == sorted(left)
    assert min(left) >= 1
    assert {customer.days_left for customer in late.listed} == {0}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("customers", [[], [(5, MISSING)]])
def test_a_holder_without_customers_of_a_period_has_a_section(
    ran: Ran, customers: list[tuple[int, int]], language: Language
) -> None:
    """No share of nobody, and no verdict about it."""

    class Rows:
        ids = np.array(["a"] * len(customers), dtype=object)
        table = table_of(customers)

    own = own_repurchase(Rows(), ran.study, ran.figures)  # type: ignore[arg-type]
    assert (own.again is None) == (not customers)
    assert all(rate is None for line in own.cohorts for rate in line.rates)
    assert all(line.share is None for line in own.waits)
    view = HolderView(
        figures=own, result=ran.results[-1], language=language, text=OWN.section.text, holder="shop",
        actions=Actions({}), actions_file="actions.toml",
    )  # fmt: skip
    values = OWN.section.body(view)
    assert values["picture"] is None
    assert len(values["findings"]) == len(customers)
    assert {judged for row in values["cohorts"] for _, _, judged in row["rates"]} == {None}
