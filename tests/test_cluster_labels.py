"""Clusters in the holder's own table: from a released plan to files, Parquet and database tables.

Families: every customer has the nearest centre and the next one, against a direct computation; ids and names as they
were released; what was before only where ids follow; formats, selections and tables; damage is named; a result that
states other centres than the answered plan labels nobody.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from cluster_pages import PLACES, cluster_result
from holder_kit import cluster_section, text, write_clusters
from hypothesis import given
from hypothesis import strategies as st
from label_kit import Query, configure, make_study, make_table

from clients.analyses.clusters.assignment import EXACT, Assigned, assign, fits_the_plan, released_clusters
from clients.analyses.clusters.labels import ClusterHistory, ClusterSnapshot
from clients.analyses.clusters.own import LISTED, own_clusters
from clients.analysis.actions import parse_actions
from clients.data.rows.features import CustomerFeatures
from clients.labelling import export_labels
from privacy.analyses.clusters.anchor_sums import AnchorSums, nearest
from privacy.analyses.clusters.nouns import Clusters, plain_view
from privacy.analyses.clusters.options import KnownClusters
from privacy.analyses.clusters.words import cluster_words
from privacy.errors import ConfigError, DataError
from privacy.kernel.features import UNIT, FeatureTable
from privacy.presentation.texts import LANGUAGES
from privacy.protocol.study import Study

RFM = ("recency_days", "orders", "money")
IDS = np.array(["007", "=1+1", "Zoë", "gone"], dtype=object)
JUNE, JULY = dt.date(2024, 6, 1), dt.date(2024, 7, 1)
RESULT = cluster_result()
#: How the source spells the customers' ids; "gone" is not in the customer table.
CUSTOMERS = make_table([("007", 3, 9, 123_456), ("=1+1", 400, 1, 500), ("Zoë", 20, 2, 30_000)])


def features_of(values: list[tuple[int, int, int]], counted: tuple[int, ...] | None = None) -> FeatureTable:
    eligible = np.zeros((len(values), 1), dtype=np.int64)
    eligible[list(range(len(values)) if counted is None else counted)] = 1
    return FeatureTable(
        names=RFM,
        values=np.array(values, dtype=np.int64).reshape(len(values), 1, 3),
        eligible=eligible,
        outcome=np.full_like(eligible, -1),
    )


def cluster_study(day: dt.date = JUNE, **options: Any) -> Study:
    return make_study(as_of=day, analyses=("clusters",), clusters={"k": 4, "features": RFM} | options)


def question(clusters: Clusters, **changes: Any) -> AnchorSums:
    fields = {
        "view": plain_view(clusters.features),
        "day": 0,
        "anchors": tuple(centre.place for centre in reversed(clusters.centres)),
        "radii": (UNIT,) * len(clusters.centres),
        "count_amplitude": 500,
        "offset_amplitude": 500,
    }
    return AnchorSums(**(fields | changes))


VALUES = {"007": (3, 30, 900_000), "=1+1": (900, 1, 2_000), "Zoë": (60, 4, 60_000), "gone": (10, 1, 50_000)}


def snapshot(study: Study, moved: dict[str, tuple[int, int, int]] | None = None, **changes: Any) -> ClusterSnapshot:
    values = [(VALUES | (moved or {}))[str(name)] for name in IDS]
    table = features_of(values, changes.pop("counted", None))
    result = changes.pop("result", RESULT)
    return ClusterSnapshot.of(assign(result.clusters, table), IDS, CUSTOMERS, result, study)


def known() -> KnownClusters:
    return KnownClusters(clusters=RESULT.clusters, origin="spring 2024-06-01")


def june(folder: Path, **changes: Any) -> tuple[Path, ...]:
    return write_clusters(lambda: snapshot(cluster_study(), **changes), folder=folder / "labels")


def july(folder: Path, **options: Any) -> tuple[Path, ...]:
    study = cluster_study(JULY, **({"centres": known()} | options))
    return write_clusters(
        lambda: snapshot(study, {"007": (800, 30, 900_000)}, counted=(0, 1, 2)), folder=folder / "labels"
    )


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


# --- assignment --------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 900), st.integers(-100, 10**8)), max_size=30), st.data())
def test_every_customer_has_its_nearest_centre_and_the_next(
    values: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    counted = tuple(row for row in range(len(values)) if data.draw(st.booleans()))
    table = features_of(values, counted)
    found = assign(RESULT.clusters, table)
    assert found.rows.tolist() == list(counted)
    z = table.scaled(RESULT.clusters.features, 0)[list(counted)] / UNIT
    centres = np.array([centre.place for centre in RESULT.clusters.centres]) / UNIT
    for row, place in enumerate(z):
        distances = [float(np.linalg.norm(place - centre)) for centre in centres]
        order = np.argsort(distances, kind="stable")
        assert found.cluster[row] == 1 + order[0]
        assert found.distance[row] == pytest.approx(EXACT * distances[order[0]], abs=0.51)
        assert found.second_distance[row] == pytest.approx(EXACT * distances[order[1]], abs=0.51)
        assert found.second[row] != found.cluster[row]
    assert (
        found.cluster.tolist()
        == (1 + nearest(plain_view(RESULT.clusters.features).apply(table, 0), centres))[list(counted)].tolist()
    ), "as the question counts them"


def test_one_cluster_has_no_second() -> None:
    first = RESULT.clusters.centres[0]
    alone = Clusters(features=RESULT.clusters.features, centres=(first,), next_id=9)
    found: Assigned = assign(alone, features_of(list(VALUES.values())))
    assert set(found.cluster.tolist()) == {1}
    assert set(found.second.tolist()) == {0}
    assert repr(found) == "Assigned(<private>)"


def test_centres_that_the_holder_did_not_answer_label_nobody() -> None:
    clusters = RESULT.clusters
    assert fits_the_plan(clusters, [question(clusters)]), "in whichever order the anchors stood"
    assert not fits_the_plan(clusters, [])
    moved = [list(centre.place) for centre in clusters.centres]
    moved[2][1] += 1
    assert not fits_the_plan(clusters, [question(clusters, anchors=tuple(map(tuple, moved)))])
    assert not fits_the_plan(clusters, [question(clusters), question(clusters, anchors=tuple(map(tuple, moved)))])
    other = clusters.model_copy(update={"features": cluster_study().scaled(("recency_days", "orders", "basket"))})
    assert not fits_the_plan(other, [question(clusters)])
    assert released_clusters((), "") is None, "a run without clusters"
    for stated in (None, "", "{}", "[", "null"):
        with pytest.raises(DataError, match="not those that this holder answered"):
            released_clusters([question(clusters)], stated)


# --- rows --------------------------------------------------------------------------------------------------------


def test_a_row_says_cluster_name_distance_and_the_next_one(tmp_path: Path) -> None:
    path, current = june(tmp_path, counted=(0, 1, 2, 3))
    assert (path.name, current.name) == ("spring-2024-06-01-clusters.csv", "spring.clusters.csv")
    assert path.read_bytes() == current.read_bytes()
    rows = {row["customer_id"].lstrip("'"): row for row in read(path)}
    assert set(rows) == set(IDS)
    study = cluster_study()
    words = {
        language: cluster_words(RESULT.figures, language, options=study.clusters, currency=study.currency)
        for language in ("en", "zh")
    }
    for row in rows.values():
        number = int(row["cluster"])
        assert (row["cluster_en"], row["cluster_zh"]) == (words["en"][number], words["zh"][number])
        assert Decimal(row["distance"]) <= Decimal(row["second_distance"])
        assert int(row["second_cluster"]) != number
        assert not any(row[name] for name in ("previous_as_of", "previous_cluster", "cluster_changed"))
    assert rows["gone"]["source_id"] == ""
    assert rows["007"]["cluster"] == "4"
    assert rows["=1+1"]["cluster"] == "1"


def test_the_operators_own_names_take_the_place_of_the_words(tmp_path: Path) -> None:
    june(tmp_path)
    july(tmp_path, names={4: "Regulars", 1: {"zh": "沉睡"}})
    rows = {row["cluster"]: row for row in read(tmp_path / "labels/current/spring.clusters.csv")}
    assert (rows["1"]["cluster_en"], rows["1"]["cluster_zh"]) == ("沉睡", "沉睡")
    assert set(rows) >= {"1"}
    named = cluster_study(centres="previous", names={4: "Regulars", 99: "x"})
    said = cluster_words(RESULT.figures, "en", options=named.clusters, currency=named.currency)
    assert said[4] == "Regulars"
    assert 99 not in said
    with pytest.raises(ValueError, match="names are of the ids of an earlier run"):
        cluster_study(names={4: "Regulars"})
    with pytest.raises(ValueError, match="give a name"):
        cluster_study(centres="previous", names={4: " "})


def test_what_was_before_stands_only_where_ids_follow(tmp_path: Path) -> None:
    june(tmp_path)
    july(tmp_path)
    rows = {row["customer_id"].lstrip("'"): row for row in read(tmp_path / "labels/current/spring.clusters.csv")}
    assert set(rows) == {"007", "=1+1", "Zoë"}
    assert (rows["007"]["previous_cluster"], rows["007"]["cluster_changed"]) == ("4", "true")
    assert (rows["=1+1"]["previous_cluster"], rows["=1+1"]["cluster_changed"]) == ("1", "false")
    assert rows["007"]["previous_as_of"] == "2024-06-01"
    anew = tmp_path / "anew"
    june(anew)
    july(anew, centres="new")
    for row in read(anew / "labels/current/spring.clusters.csv"):
        assert not any(row[name] for name in ("previous_as_of", "previous_cluster", "cluster_changed"))


def test_selections_and_formats(tmp_path: Path) -> None:
    configure(
        tmp_path,
        '[[file]]\n[[file]]\nformat = "parquet"\nfolder = "crm"\n[[file]]\nchanged_only = true\n'
        '[[file]]\nsegment = "at_risk"\n',
    )
    june(tmp_path)
    july(tmp_path)
    lists = sorted(path.name for path in (tmp_path / "labels/lists").iterdir())
    assert lists == ["spring-2024-06-01-clusters-changed.csv", "spring-2024-07-01-clusters-changed.csv"]
    (changed,) = read(tmp_path / "labels/lists" / lists[1])
    assert changed["customer_id"] == "007"
    assert len(read(tmp_path / "labels/lists" / lists[0])) == 4, "nobody is known to have been there before"
    table = pq.read_table(tmp_path / "crm/spring-2024-07-01-clusters.parquet")
    assert str(table.schema.field("distance").type) == "decimal128(7, 4)"
    assert table["cluster_changed"].to_pylist() == [True, False, False]
    only = export_labels(tmp_path, "spring", JULY, changed_only=True)
    assert {item.path.name for item in only if item.path} == {lists[1], "spring-2024-07-01-clusters-changed.parquet"}
    with pytest.raises(ConfigError, match="no segments to select by"):
        export_labels(tmp_path, "spring", JULY, segment="champions")


def test_writing_again_changes_nothing_and_a_late_month_mends_the_next(tmp_path: Path) -> None:
    def files(root: Path) -> dict[str, bytes]:
        folder = root / "labels"
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.csv")}

    june(tmp_path)
    july(tmp_path)
    first = files(tmp_path)
    june(tmp_path)
    assert files(tmp_path) == first
    late = tmp_path / "late"
    july(late)
    june(late)
    assert files(late) == first
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "labels").rglob("*.csv")} == {0o600}


def test_tables_stand_beside_the_segments(tmp_path: Path, database: Query) -> None:
    june(tmp_path)
    july(tmp_path)
    july(tmp_path)
    rows = {row["customer_id"].lstrip("'"): row for row in read(tmp_path / "labels/current/spring.clusters.csv")}
    found = database(
        "SELECT customer_id, cluster, distance, second_cluster, previous_cluster, cluster_changed FROM "
        "rfm_labels_clusters ORDER BY customer_id"
    )
    assert [row[0] for row in sorted(found)] == ["007", "=1+1", "Zoë"]
    for name, cluster, distance, second, before, changed in found:
        row = rows[name]
        assert (str(cluster), distance) == (row["cluster"], Decimal(row["distance"]))
        assert str(second) == row["second_cluster"]
        assert changed == (cluster != before)
    assert database("SELECT as_of, count(*) FROM rfm_labels_clusters_history GROUP BY 1 ORDER BY 1") == [
        (JUNE, 4), (JULY, 3),
    ]  # fmt: skip


def test_a_damaged_history_is_named(tmp_path: Path) -> None:
    june(tmp_path)
    history = ClusterHistory(tmp_path / "state/labels")
    path = tmp_path / "state/labels/spring/2024-06-01-clusters.parquet"
    whole = path.read_bytes()
    for content in (whole[:-9], b""):
        path.write_bytes(content)
        with pytest.raises(DataError, match="not a cluster snapshot"):
            history.load("spring", JUNE)
    path.write_bytes(whole)
    kept = history.load("spring", JUNE)
    assert kept.clusters == RESULT.clusters
    assert kept.follows == ""
    assert repr(kept) == "ClusterSnapshot(<private>)"


# --- the page without spend --------------------------------------------------------------------------------------


def test_without_spend_the_page_has_one_share_and_the_most_typical_customers() -> None:
    names = ("recency_days", "orders")
    result = cluster_result(names, np.array(PLACES)[:, :2])
    table = features_of(list(VALUES.values()))
    table = FeatureTable(names=names, values=table.values[:, :, :2], eligible=table.eligible, outcome=table.outcome)
    study = cluster_study(features=names)
    own = own_clusters(CustomerFeatures(ids=IDS, table=table), study, result)
    assigned = assign(result.clusters, table)
    for line in own.lines:
        assert (line.money, line.share_of_revenue) == (None, None)
        mine = np.flatnonzero(assigned.cluster == line.figures.id)
        nearest_first = mine[np.argsort(assigned.distance[mine], kind="stable")]
        assert [item.customer_id for item in line.listed] == IDS[nearest_first].tolist()
    for language in LANGUAGES:
        section = cluster_section(own, parse_actions(""), study, language)
        assert all(row["money"] == [] and row["money_verdict"] is None for row in section["rows"])
        for picture in section["picture"].values():
            assert text("panel_customers", language) in picture
            assert text("panel_revenue", language) not in picture
        assert text("groups_by_distance", language, count=LISTED) in section["act_lead"]
