"""Every table of the catalogue in one real run over four holders with feeds: found, charged, audited and shown."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analyses.tables.exact import exact_sum, margins_off, without_noise
from analyses.tables.examples import slow_sums
from numpy.typing import NDArray
from workspaces import run as run_over

from clients.analyses.tables.analysis import ANALYSIS as OWN
from clients.analyses.tables.labels import StandingHistory
from clients.report.files import write_holder_report
from privacy.analyses.tables.cell_sums import CellSums
from privacy.analyses.tables.options import TablesOptions
from privacy.analyses.tables.results import TablesResult
from privacy.analyses.tables.statuses import status_cuts
from privacy.audit.export import export
from privacy.audit.verify import verify
from privacy.kernel.cells import CellRequest
from privacy.ledger import Reserved
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.analyses.tables.catalogue import lists_of, names
from server.report.render import render_report
from server.running.check import check_study
from simulations.worlds.clean_feeds import clean_of
from simulations.worlds.feeds import LISTS
from simulations.worlds.generator import GeneratedWorld, generate, study_toml
from simulations.worlds.local import Workspace
from simulations.worlds.table_truth import true_entries
from simulations.worlds.true_figures import write_true_figures


@dataclass(frozen=True)
class Ran:
    """A world of four holders with feeds, and one run of all tables over it."""

    world: GeneratedWorld
    workspace: Workspace
    result: StudyResult

    @property
    def study(self) -> Study:
        return self.result.study

    @property
    def options(self) -> TablesOptions:
        options: TablesOptions = self.study.tables  # type: ignore[attr-defined]
        return options

    @property
    def question(self) -> CellSums:
        return self.options.question(self.study)

    @property
    def request(self) -> CellRequest:
        return self.options.request(self.study.as_of)

    @property
    def released(self) -> TablesResult:
        found = OWN.figures(self.result)
        assert found is not None
        return found

    def exact(self) -> NDArray[np.int64]:
        """What the holders' rows add up to, without noise."""
        return exact_sum(self.workspace, self.world.holders, self.study)

    def figures(self, values: NDArray[np.int64]) -> TablesResult:
        return without_noise(self.study, values)


def wanted_lists() -> dict[str, tuple[str, ...]]:
    return {name: LISTS[name] for each in names() for name in lists_of(each)}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    root = tmp_path_factory.mktemp("tables")
    world = generate(root / "data", customers=500, stores=3, feeds=True)
    raw = tomllib.loads(study_toml(world), parse_float=Decimal)
    raw |= {"analyses": ("tables",), "tables": {"use": names(), "lists": wanted_lists()}}
    raw["budget"] |= {"epsilon": "4", "max_holders_per_customer": 1, "size_class": 20_000}
    sources = {name: root / "data" / name for name in world.holders}
    workspace = Workspace.create(root, sources, lifetime_epsilon="40", declared=1)
    for name in world.holders:
        policy = workspace.holder(name).root / "policy.toml"
        text = policy.read_text(encoding="utf-8")
        text = text.replace('# figures = ["overall"]', 'figures = ["overall", "by_holder"]')
        policy.write_text(text, encoding="utf-8")
    return Ran(world, workspace, run_over(workspace, Study.model_validate(raw)))


def test_without_noise_every_cell_is_what_slow_code_finds_in_the_clean_feeds(ran: Ran) -> None:
    """All tables at all holders: entries by plain loops over frames, cut off and scaled down in fractions."""
    customers: list[list[tuple[int, ...]]] = []
    for name in ran.world.holders:
        clean = clean_of(ran.world.folder, name, ran.study.as_of)
        entries: dict[str, list[tuple[int, ...]]] = {}
        for number, table in enumerate(ran.request.tables):
            for who, cells in true_entries(clean, table).items():
                entries.setdefault(who, []).extend((number, cell, *cells[cell]) for cell in sorted(cells))
        customers += entries.values()
    truth = slow_sums(ran.question, customers)
    exact = ran.figures(ran.exact())
    at = 0
    for table, block, declared in zip(exact.tables, ran.question.tables, ran.options.table, strict=True):
        width = len(block.measures)
        for q, measure in enumerate(table.measures):
            unit = block.measures[q].cap / (declared.measure[q].cap or 1)
            expected = np.array(truth[at : at + block.cells * width]).reshape(-1, width)[:, q] / unit
            rounding = len(customers) * 4 * (declared.measure[q].cap or 1) / block.amplitudes[q]
            assert np.allclose(measure.values, expected, atol=rounding), (table.name, measure.name)
        assert any(measure.values[0] or any(measure.values) for measure in table.measures), table.name
        at += block.dim


def test_figures_without_noise_are_those_of_pandas(ran: Ran) -> None:
    """A few by hand, over all holders: second orders, visits, and the share of returns."""
    exact = {table.name: table for table in ran.figures(ran.exact()).tables}
    clean = {name: clean_of(ran.world.folder, name, ran.study.as_of).feeds for name in ran.world.holders}
    waits = []
    for feeds in clean.values():
        lines = feeds["order"]
        begun = lines[lines["bought"]].groupby(["customer", "order"])["time"].min().reset_index()
        ordered = begun.sort_values(["customer", "time", "order"]).groupby("customer")["time"]
        days = pd.DataFrame({"first": ordered.nth(0).dt.normalize().to_numpy()})
        waits.append((len(days), int((ordered.size() > 1).sum())))
    cells = np.array(exact["second_purchase"].measures[0].values).reshape(2, -1)
    assert cells[0].sum() == pytest.approx(sum(again for _, again in waits), abs=0.01)
    assert cells.sum() == pytest.approx(sum(count for count, _ in waits), abs=0.01)
    genders = pd.concat([feeds["customer"] for feeds in clean.values() if "customer" in feeds])["gender"]
    counted = np.array(exact["profile_gender"].measures[0].values)
    listed = [int((genders == key).sum()) for key in LISTS["genders"]]
    assert counted[:2] == pytest.approx(listed, abs=0.01)


def test_every_figure_has_its_truth_beside_it(ran: Ran) -> None:
    """From the clean feeds to the figure: of those that are shown, about 95% of intervals hold what is true."""
    path = write_true_figures(ran.world.folder, ran.world.holders, ran.study)
    true = TablesResult.model_validate(json.loads(path.read_text(encoding="utf-8"))["tables"])
    held, named = [], set()
    for seen, at in zip(ran.released.tables, true.tables, strict=True):
        for figure, exact in zip(seen.figures, at.figures, strict=True):
            assert [point.keys for point in figure.points] == [point.keys for point in exact.points]
            for point, truth in zip(figure.points, exact.points, strict=True):
                if point.estimate is None or point.estimate.margin <= 0:
                    continue
                assert truth.estimate is not None, (seen.name, figure.name, point.keys)
                low, high = point.estimate.interval
                held.append(low <= truth.estimate.value <= high)
                named.add(f"{seen.name}.{figure.name}")
    assert len(held) > 60
    assert len(named) > 15
    assert 0.88 < np.mean(held) < 0.99


def test_what_was_released_is_the_truth_within_its_noise(ran: Ran) -> None:
    exact = ran.figures(ran.exact())
    away = margins_off(ran.released, exact)
    assert np.abs(away).max() < 3
    assert 0.9 < float(np.mean(np.abs(away) < 1)) < 0.99
    told = [point for table in ran.released.tables for figure in table.figures for point in figure.points]
    assert sum(point.estimate is not None for point in told) > 60


def test_one_question_is_charged_and_the_audit_proves_it(ran: Ran, tmp_path: Path) -> None:
    export(ran.workspace.coordinator.root, tmp_path / "coordinator.bundle")
    for name in ran.world.holders:
        folder = ran.workspace.holder(name)
        export(folder.root, tmp_path / f"{name}.bundle")
        charges = [fact for fact in folder.ledger().facts() if isinstance(fact, Reserved)]
        assert {charge.event.dim for charge in charges} == {ran.question.dim}
    assert verify(sorted(tmp_path.glob("*.bundle"))).passed


def test_a_stated_result_that_is_not_of_the_question_is_seen(ran: Ran) -> None:
    assert OWN.fits(ran.released, [ran.question])
    assert not OWN.fits(ran.released, [])
    assert not OWN.fits(ran.released.model_copy(update={"tables": ran.released.tables[1:]}), [ran.question])


def test_it_is_said_how_many_holders_have_what_a_table_reads(ran: Ran) -> None:
    """One shop of four has no visits and no touches: it takes part with zeros, and the report says so."""
    of_the_web = {"session", "view", "touch", "cart"}
    for table, written in zip(ran.released.tables, ran.request.tables, strict=True):
        assert (table.holders, table.of_holders) == (3 if written.feeds & of_the_web else 4, 4), table.name
    assert {table.holders for table in ran.released.tables} == {3, 4}
    text = render_report(ran.result)
    for said in ("By 3 of 4 holders", "By 4 of 4 holders", "由 4 家持有方中的 3 家提供"):
        assert said in text


def test_a_cells_margin_is_what_the_check_said(ran: Ran) -> None:
    expected = {item.code: item.value for item in check_study(ran.study, holders=4).expectations}
    for table in ran.released.tables:
        assert table.measures[0].margin == pytest.approx(expected[f"cell_{table.name}"], rel=0.1)


def test_a_holders_page_sets_its_own_figures_beside_them(ran: Ran) -> None:
    folder = ran.workspace.holder(ran.world.holders[0])
    own = OWN.own(folder.context(ran.study), ran.released, ran.result, lambda: None)
    assert own is not None
    assert repr(own) == "OwnTables(<private>)"
    lines = [line for table in own.tables for figure in table.figures for line in figure.lines]
    assert len([line for line in lines if line.compared is not None]) > 60
    assert own.comparisons > 60
    page = write_holder_report(folder).read_text(encoding="utf-8")
    for words in ("Operating figures: yours and everybody", "经营指标：您与全体", "Second order within 30 days",
                  "Where your customers stand", "待第二单"):  # fmt: skip
        assert words in page


def test_all_holders_label_their_customers_by_the_same_cuts(ran: Ran) -> None:
    """Status by the released curve, loyalty and second orders from own orders: who is there, and where."""
    place = [table.name for table in ran.released.tables].index("second_purchase")
    cuts = status_cuts(ran.released.tables[place])
    kept = []
    for name in ran.world.holders:
        folder = ran.workspace.holder(name)
        history = folder.context(ran.study).history(StandingHistory)
        snapshot = history.load(ran.study.name, ran.study.as_of)
        kept.append(snapshot.cuts.cuts if snapshot.cuts else None)
        path = folder.root / "labels" / f"{ran.study.name}-{ran.study.as_of}-status.csv"
        rows = pd.read_csv(path, encoding="utf-8-sig")
        lines = clean_of(ran.world.folder, name, ran.study.as_of).feeds["order"]
        assert set(rows["customer_id"].astype(str)) == set(lines[lines["bought"]]["customer"].astype(str))
        assert rows["loyalty"].between(0, 1000).all()
        assert set(rows["second_order"]) == {"again", "due", "late"}
        assert rows["status"].notna().all() == (cuts is not None)
    assert kept == [cuts] * len(kept)
