"""Look-alikes in one real run over generated holders: asked, charged, shown, labelled, and tried on what came."""

from __future__ import annotations

import datetime as dt
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from analyses.lookalikes.examples import result_of, study_of
from report_pages import PLAIN
from workspaces import run as run_over

from clients.analyses.lookalikes.analysis import ANALYSIS as OWN
from clients.analyses.lookalikes.bands import BANDS
from clients.analyses.lookalikes.own import OwnLookalikes
from clients.analyses.lookalikes.scoring import released_model
from clients.answering.runs import RunFolder
from clients.report.files import write_holder_report
from privacy.analyses.lookalikes.results import LookalikesResult
from privacy.kernel.features import FeatureTable
from privacy.ledger import Reserved
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.analyses.lookalikes.run import formula_of, run
from server.report.render import render_report
from simulations.worlds.generator import GeneratedWorld, generate, study_toml
from simulations.worlds.local import Workspace

TEST = 1


class Noisy(NamedTuple):
    """An answer."""

    array: Any
    deviation: float


@dataclass(frozen=True)
class Ran:
    """A world of four holders, and one run over it."""

    world: GeneratedWorld
    workspace: Workspace
    result: StudyResult

    @property
    def released(self) -> LookalikesResult:
        found = self.result.of(LookalikesResult)
        assert found is not None
        return found

    def table(self, holder: str) -> FeatureTable:
        context = self.workspace.holder(holder).context(self.result.study)
        found: FeatureTable = context.rows(self.result.study.row_requests["lookalikes"]).table
        return found

    def own(self, holder: str) -> OwnLookalikes:
        folder = self.workspace.holder(holder)
        plans = RunFolder(folder.state / "runs").released_plans(self.result.run)
        context = folder.context(self.result.study, tuple(plan.core for plan in plans))
        found = OWN.own(context, self.released, self.result, lambda: None)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Beside churn, which asks questions of the same kinds."""
    root = tmp_path_factory.mktemp("alike")
    world = generate(root / "data", customers=2_400, stores=3)
    raw: dict[str, Any] = tomllib.loads(study_toml(world), parse_float=Decimal)
    raw |= {"analyses": ("lookalikes", "churn"), "lookalikes": {"spend": 50}, "as_of": dt.date(2024, 12, 1)}
    raw["budget"] |= {"epsilon": "4", "max_holders_per_customer": 1, "size_class": 2_000}
    workspace = Workspace.create(
        root, {name: root / "data" / name for name in world.holders}, lifetime_epsilon="40", declared=1
    )
    return Ran(world, workspace, run_over(workspace, Study.model_validate(raw)))


def test_released_figures_are_those_of_the_holders_rows_within_their_margins(ran: Ran) -> None:
    tables = [ran.table(holder) for holder in ran.world.holders]
    counting = [(table.eligible[:, TEST] == 1) for table in tables]
    people = sum(int(who.sum()) for who in counting)
    became = sum(int(table.outcome[who, TEST].sum()) for table, who in zip(tables, counting, strict=True))
    found = ran.released
    assert abs(found.customers.value - people) < 2 * found.customers.margin
    assert found.quality is not None
    assert abs(found.quality.churn_rate.value - became / people) < 2 * found.quality.churn_rate.margin
    assert found.quality.auc.value > 0.6
    tried = [ran.own(holder).tried for holder in ran.world.holders]
    assert sum(each.customers for each in tried if each) == people
    assert sum(each.became for each in tried if each) == became


def test_four_questions_are_charged_of_this_analysis(ran: Ran) -> None:
    for name in ran.world.holders:
        charges = [fact for fact in ran.workspace.holder(name).ledger().facts() if isinstance(fact, Reserved)]
        plans = RunFolder(ran.workspace.holder(name).state / "runs").released_plans(ran.result.run)
        titles = [plan.core.title for plan in plans if plan.core.analysis == "lookalikes"]
        assert list(dict.fromkeys(titles)) == ["size and centre", "moments", "training 1 of 1", "evaluation"]
        assert len(charges) == len(plans)


def test_each_analysis_reads_its_own_model_out_of_the_plans(ran: Ran) -> None:
    folder = ran.workspace.holder(ran.world.holders[0])
    plans = RunFolder(folder.state / "runs").released_plans(ran.result.run)
    context = folder.context(ran.result.study, tuple(plan.core for plan in plans))
    assert released_model(context.asked("lookalikes")) == ran.released.model
    assert released_model(context.asked("churn")) != ran.released.model
    assert released_model(()) is None
    assert OWN.fits(ran.released, context.asked("lookalikes"))
    assert not OWN.fits(ran.released, context.asked("churn"))


def test_who_counts_is_labelled_and_facts_are_among_the_columns(ran: Ran) -> None:
    holder = ran.world.holders[0]
    folder = ran.workspace.holder(holder)
    path = folder.root / "labels" / f"{ran.result.study.name}-{ran.result.study.as_of}-lookalikes.csv"
    rows = pd.read_csv(path, encoding="utf-8-sig", dtype={"customer_id": str})
    assert len(rows) == int((ran.table(holder).eligible[:, TEST + 1] == 1).sum())
    assert {fact.column for fact in OWN.facts.values()} <= set(rows.columns)
    assert set(rows["sought"]) == {"spend >= 50"}
    assert sorted(rows["place"]) == list(range(1, len(rows) + 1))
    by_place = rows.sort_values("place")
    assert (by_place["becomes_probability"].diff().dropna() <= 0).all()
    assert set(rows["list"]) == {band.code for band in BANDS}
    assert (by_place["list"].iloc[: round(0.1 * len(rows))] == "alike_list").all()
    # Who spent more is ranked higher.
    assert np.corrcoef(rows["money_365"].rank(), rows["place"])[0, 1] < -0.4


def test_report_and_page_say_it_in_both_languages(ran: Ran) -> None:
    report = render_report(ran.result)
    for words in ("who will be such a customer", "相似客户", "customers who spend 50 EUR or more in 90 days"):
        assert words in report
    folder = ran.workspace.holder(ran.world.holders[0])
    own = ran.own(ran.world.holders[0])
    assert repr(own) == "OwnLookalikes(<private>)"
    assert sum(line.customers for line in own.bands) == own.scored
    page = write_holder_report(folder).read_text(encoding="utf-8")
    for words in ("Look-alikes among your customers", "您的相似客户", "Tried on what has been", "Whom to address"):
        assert words in page


def test_nobody_is_labelled_and_nothing_is_shown_where_no_model_was_released(ran: Ran) -> None:
    context = ran.workspace.holder(ran.world.holders[0]).context(ran.result.study)
    assert OWN.label(context) == ()
    assert OWN.own(context, ran.released, ran.result, lambda: None) is None


def test_what_the_noise_hides_is_said_and_the_model_stays() -> None:
    study, figures = result_of(corrected=False)
    hidden = figures.model_copy(update={"quality": None, "baselines": ()})
    page = render_report(PLAIN.model_copy(update={"study": study, "rfm": None, "lookalikes": hidden}))
    for words in ("is hidden by the noise", "均被噪声淹没", "the score is the public formula", "得分即公开公式的得分"):
        assert words in page
    assert "Of 100 on it" not in page


def test_a_study_too_small_for_a_test_still_has_its_formula() -> None:
    """Nobody at all: nothing is learnt, nothing is said of quality, and nothing is refused."""
    study = study_of()

    def ask(title: str, question: Any) -> Any:
        return Noisy(array=np.zeros(question.dim, dtype=np.int64), deviation=1_000.0)

    found = run(study, ask, lambda title, question: None)  # type: ignore[arg-type,return-value]
    assert found.quality is None
    assert not found.model.corrected
    assert found.model.prior == formula_of(study)
