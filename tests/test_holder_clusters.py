"""Clusters at the holder: from a real run of two months to labels in its own folder and a page of its own.

Families: labels are by the very centres that the holder answered, ids as the coordinator gave them; a result with other
centres labels nobody and makes no page; the page's figures against a direct computation; both languages; the
operators' own names and actions; nothing is sent or spent.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import tomllib
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from churn_worlds import Ran
from holder_kit import cluster_section, own_cluster_features, text
from report_pages import Page
from typer.testing import CliRunner
from workspaces import run as run_over

import cohortium
from clients.analyses.clusters.labels import ClusterHistory, ClusterSnapshot
from clients.analyses.clusters.own import LISTED, OwnClusters, is_cluster_code, own_clusters
from clients.analyses.clusters.suggestions import suggestions
from clients.analysis.actions import parse_actions
from clients.answering.folder import HolderFolder
from clients.answering.runs import RunFolder
from clients.data.rows.features import CustomerFeatures
from clients.report.files import recorded_result, write_holder_report
from privacy.analyses.clusters.anchor_sums import nearest
from privacy.analyses.clusters.options import KnownClusters
from privacy.analyses.clusters.results import ClusterResult
from privacy.errors import ConfigError, DataError, ProtocolError
from privacy.kernel.features import UNIT
from privacy.presentation.texts import LANGUAGES
from privacy.protocol.study import Study
from simulations.worlds.generator import generate, study_toml
from simulations.worlds.local import Workspace

MONTHS = (dt.date(2024, 12, 1), dt.date(2025, 1, 1))
NAMES = {1: {"en": "Regulars", "zh": "常客"}}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    root = tmp_path_factory.mktemp("clusters")
    world = generate(root / "data", customers=2000, stores=2)
    raw = tomllib.loads(study_toml(world), parse_float=Decimal) | {"analyses": ("clusters",)}
    raw["budget"] |= {"epsilon": "4", "max_holders_per_customer": 1}
    workspace = Workspace.create(
        root, {name: root / "data" / name for name in world.holders}, lifetime_epsilon="40", declared=1
    )
    options = ({"k": 4}, {"centres": "previous", "names": NAMES})
    results = tuple(
        run_over(workspace, Study.model_validate({**raw, "as_of": day, "clusters": chosen}))
        for day, chosen in zip(MONTHS, options, strict=True)
    )
    return Ran(workspace=workspace, results=results)


def clusters_of(ran: Ran, place: int = -1) -> ClusterResult:
    found = ran.results[place].clusters
    assert found is not None
    return found


def features_of(ran: Ran, folder: HolderFolder | None = None) -> CustomerFeatures:
    return own_cluster_features(folder or ran.online, ran.study)


def labels_of(folder: HolderFolder, study: Study) -> pd.DataFrame:
    path = folder.root / "labels" / f"{study.name}-{study.as_of}-clusters.csv"
    return pd.read_csv(path, dtype={"customer_id": str, "source_id": str}, encoding="utf-8-sig")


def figures_of(ran: Ran, **changes: Any) -> OwnClusters:
    result = changes.pop("result", clusters_of(ran))
    earlier = ClusterHistory(ran.online.state / "labels").load(ran.study.name, MONTHS[0])
    return own_clusters(features_of(ran), changes.pop("study", ran.study), result, **({"earlier": earlier} | changes))


# --- labels at the end of a run ----------------------------------------------------------------------------------


def test_every_holder_has_its_own_customers_by_cluster(ran: Ran) -> None:
    result = clusters_of(ran)
    centres = np.array([centre.place for centre in result.clusters.centres]) / UNIT
    ids = np.array([centre.id for centre in result.clusters.centres])
    total = 0
    for name in ran.workspace.coordinator.roster().holders:
        folder = ran.workspace.holder(name)
        features = features_of(ran, folder)
        written = labels_of(folder, ran.study)
        assert written["customer_id"].tolist() == features.ids.tolist()
        z = features.table.scaled(result.clusters.features, 0) / UNIT
        assert written["cluster"].tolist() == ids[nearest(z, centres)].tolist()
        total += len(written)
    assert total == pytest.approx(result.customers.value, abs=4 * result.customers.margin)
    before, now = (labels_of(ran.online, one.study).set_index("customer_id") for one in ran.results)
    both = now.index.intersection(before.index)
    assert len(both) > 100
    assert (now.loc[both, "previous_cluster"] == before.loc[both, "cluster"]).all()
    changed = now.loc[both, "cluster"] != before.loc[both, "cluster"]
    assert 0 < changed.mean() < 0.5
    assert (now.loc[both, "cluster_changed"].astype(bool) == changed).all()
    assert now.loc[now.index.difference(before.index), "previous_cluster"].isna().all()
    assert set(now.loc[now["cluster"] == 1, "cluster_zh"]) == {"常客"}
    assert "Regulars" not in set(before["cluster_en"])


def test_a_result_with_other_centres_labels_nobody_and_makes_no_page(ran: Ran) -> None:
    folder, run = ran.online, ran.results[-1].run
    kept = folder.state / "runs" / run / "result.json"
    original = kept.read_bytes()
    target = folder.root / "labels" / f"{ran.study.name}-{ran.study.as_of}-clusters.csv"
    whole = target.read_bytes()
    raw = json.loads(original)
    raw["clusters"]["clusters"]["centres"][0]["place"][1] += 1
    try:
        kept.write_text(json.dumps(raw), encoding="utf-8")
        with pytest.raises(DataError, match="not those that this holder answered"):
            folder.node().label(run)
        assert target.read_bytes() == whole
        with pytest.raises(ProtocolError, match="does not fit"):
            recorded_result(RunFolder(folder.state / "runs"), run)
    finally:
        kept.write_bytes(original)


def test_labels_command_writes_clusters_again_byte_for_byte(ran: Ran) -> None:
    folder = ran.online
    paths = sorted((folder.root / "labels").rglob(f"*{ran.study.as_of}-clusters*"))
    before = {path: path.read_bytes() for path in paths}
    assert before
    for path in paths:
        path.unlink()
    (folder.state / "labels" / ran.study.name / f"{ran.study.as_of}-clusters.parquet").unlink()
    done = CliRunner().invoke(cohortium.app, ["holder", "labels", str(folder.root), "--json"])
    assert done.exit_code == 0, done.output
    places = [item["place"] for item in json.loads(done.stdout)["written"]]
    assert any(place.endswith("2025-01-01-clusters.csv") for place in places)
    assert {path: path.read_bytes() for path in paths} == before


# --- the page's figures ------------------------------------------------------------------------------------------


def test_figures_are_a_direct_count_of_own_rows(ran: Ran) -> None:
    own, written = figures_of(ran), labels_of(ran.online, ran.study)
    table = features_of(ran).table
    money = table.values[:, 0, table.names.index("money")]
    assert (own.counted, own.away) == (len(written), 0)
    assert sum(line.customers for line in own.lines) == own.counted
    capped = {}
    for line in own.lines:
        mine = (written["cluster"] == line.figures.id).to_numpy()
        assert line.customers == mine.sum()
        assert line.money == money[mine].sum()
        assert line.share_of_customers.own.value == pytest.approx(mine.mean())
        assert line.share_of_customers.everyone == line.figures.share
        capped[line.figures.id] = np.clip(money[mine] / 100, -line.figures.cap, line.figures.cap).sum()
        ids = written["customer_id"].to_numpy()
        richest = ids[mine][np.argsort(-money[mine], kind="stable")][:LISTED]
        assert [item.customer_id for item in line.listed] == richest.tolist()
    revenues = [line.figures.revenue for line in own.lines if line.figures.revenue is not None]
    for line, revenue in zip(own.lines, revenues, strict=True):
        assert line.share_of_revenue is not None
        assert line.share_of_revenue.everyone is not None
        assert line.share_of_revenue.own.value == pytest.approx(capped[line.figures.id] / sum(capped.values()))
        assert line.share_of_revenue.everyone.value == pytest.approx(
            revenue.value / sum(item.value for item in revenues)
        )
    border = written["second_distance"] < 1.1 * written["distance"]
    assert own.border == pytest.approx(border.sum(), abs=2)
    assert repr(own) == "OwnClusters(<private>)"


def test_moves_are_those_of_the_labels(ran: Ran) -> None:
    before, now = (labels_of(ran.online, one.study).set_index("customer_id") for one in ran.results)
    moves = figures_of(ran).moves
    assert moves is not None
    both = now.index.intersection(before.index)
    for row, then in enumerate(moves.ids):
        for column, after in enumerate(moves.ids):
            count = ((before.loc[both, "cluster"] == then) & (now.loc[both, "cluster"] == after)).sum()
            assert moves.matrix[row, column] == count
    assert moves.changed == int((before.loc[both, "cluster"] != now.loc[both, "cluster"]).sum())
    assert moves.new.sum() == len(now.index.difference(before.index))
    assert moves.gone.sum() == len(before.index.difference(now.index))
    assert 0 <= moves.by_themselves <= moves.changed


def test_moves_are_left_out_where_ids_do_not_follow(ran: Ran) -> None:
    assert figures_of(ran, earlier=None).moves is None
    fresh = ran.study.model_copy(update={"clusters": ran.study.clusters.model_copy(update={"centres": "new"})})
    assert figures_of(ran, study=fresh).moves is None
    known = ran.study.clusters.centres
    assert isinstance(known, KnownClusters)
    history = ClusterHistory(ran.online.state / "labels")
    kept = history.load(ran.study.name, MONTHS[0])
    other: ClusterSnapshot = dataclasses.replace(
        kept, clusters=kept.clusters.model_copy(update={"next_id": kept.clusters.next_id + 1})
    )
    assert figures_of(ran, earlier=other).moves is None


def test_what_the_noise_hides_is_not_compared(ran: Ran) -> None:
    figures = tuple(
        item.model_copy(
            update={"share": None, "revenue": item.revenue and item.revenue.model_copy(update={"value": 0})}
        )
        for item in clusters_of(ran).figures
    )
    own = figures_of(ran, result=clusters_of(ran).model_copy(update={"figures": figures}))
    for line in own.lines:
        assert line.share_of_customers.verdict == "unknown"
        assert line.share_of_revenue is not None
        assert line.share_of_revenue.verdict == "unknown"


# --- the page ----------------------------------------------------------------------------------------------------


def test_the_page_is_whole_in_both_languages_and_costs_nothing(ran: Ran) -> None:
    folder = ran.online
    entries = len(list(folder.ledger().facts()))
    page = write_holder_report(folder)
    assert len(list(folder.ledger().facts())) == entries
    assert page.stat().st_mode & 0o777 == 0o600
    html = page.read_text(encoding="utf-8")
    parsed = Page(html)
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(attributes.get("aria-labelledby", ids[0]) in ids for _, attributes in parsed.elements)
    assert "http:" not in html
    assert "https:" not in html
    for language in LANGUAGES:
        assert text("groups", language) in html
        assert text("groups_act", language) in html
    assert "Regulars" in html
    assert "常客" in html
    assert "{" not in re.sub(r"<style>.*?</style>|<script>.*?</script>", "", html, flags=re.DOTALL)
    assert write_holder_report(folder).read_text(encoding="utf-8") == html, "the same bytes again"


def test_actions_are_the_operators(ran: Ran) -> None:
    actions = parse_actions('[cluster_2]\nen = "Call them."\n')
    section = cluster_section(figures_of(ran), actions, ran.study, "zh")
    by_name = {item["name"]: item["action"] for item in section["actions"]}
    assert by_name[text("groups_name", "zh", id=2)] == "Call them."
    suggested = suggestions(clusters_of(ran).figures, "zh", lists=ran.study.clusters.lists)
    assert by_name[text("groups_name", "zh", id=1)] == suggested[1]
    assert is_cluster_code("cluster_12")
    assert not is_cluster_code("cluster_0")
    assert not is_cluster_code("champions")


def test_a_holder_without_customers_has_a_page_that_says_so(ran: Ran) -> None:
    features = features_of(ran)
    none = CustomerFeatures(ids=features.ids[:0], table=features.table.take(slice(0, 0)))
    own = own_clusters(none, ran.study, clusters_of(ran))
    for language in LANGUAGES:
        section = cluster_section(own, parse_actions(""), ran.study, language)
        assert section["lead"] == text(
            "groups_nobody", language, active="36,600", as_of=("1 January 2025", "2025年1月1日")[language == "zh"]
        )
        assert section["findings"] == []


def test_a_run_of_neither_kind_has_no_page(ran: Ran) -> None:
    from holder_kit import holder_report

    empty = ran.results[-1].model_copy(update={"clusters": None})
    with pytest.raises(ConfigError, match="measured nothing"):
        holder_report(holder="online", table=None, result=empty, actions=parse_actions(""))
