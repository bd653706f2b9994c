"""From a holder's feeds to entries: equal to slow code over generated worlds, from DuckDB and from PostgreSQL."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pandas as pd
import pytest
import sqlglot
from cell_kit import AS_OF, REQUEST, TABLES, check_valid, declared, entries_of, listed, true_entries_of
from postgres_server import PASSWORD, Server
from source_kit import SparkSettings, load

from clients.data.cleaning.lines import cleaned_lines
from clients.data.config import HolderConfig
from clients.data.feeds.lines import _rows
from clients.data.origin import Origin
from clients.data.rows import KINDS, own_rows
from clients.data.rows.cells.events import LARGEST, within
from clients.data.rows.cells.facts import attributes, use_name
from clients.data.rows.cells.feed_events import FeedRows
from clients.data.rows.cells.keys import folded
from clients.data.rows.cells.order_events import order_cells, order_rows, order_sums
from clients.data.rows.cells.paths import Moments, credited, followed, weighted_sums
from clients.data.rows.entries.kind import CustomerCells, build_cells
from privacy.errors import DataError
from privacy.kernel.canonical import read_toml
from privacy.kernel.cells import CellRequest
from privacy.kernel.declarations import EventChoice
from privacy.kernel.dimensions import DIMENSIONS, WHOLE
from privacy.kernel.feeds import FEEDS, FeedName
from privacy.protocol.study import Study
from simulations.worlds.clean_feeds import clean_of, true_totals
from simulations.worlds.generator import GeneratedWorld, generate

STUDY = Study.model_validate({
    "name": "cells", "as_of": AS_OF, "budget": {"epsilon": "1"}, "rates": {"GBP": "1.17"},
    "cleaning": {"returns": "net", "cancellation_prefix": "C", "non_goods": ["POST", "FEE"]},
})  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> GeneratedWorld:
    return generate(tmp_path_factory.mktemp("world"), customers=500, feeds=True)


def origin_of(world: GeneratedWorld, holder: str, study: Study = STUDY) -> Origin:
    home = world.folder / holder
    return Origin(read_toml(home / "holder.toml", HolderConfig), study, home)


@pytest.fixture(scope="module")
def built(world: GeneratedWorld) -> dict[str, CustomerCells]:
    return {holder: build_cells(origin_of(world, holder), REQUEST) for holder in world.holders}


def test_every_dimension_is_tried() -> None:
    used = {use.dimension for table in TABLES for use in table.by}
    missing = set(DIMENSIONS) - used - {"order.store"}  # the world's holders have no stores of their own
    assert not missing


@pytest.mark.parametrize("holder", ["online", "store-1", "store-2", "store-3"])
def test_entries_are_what_slow_code_finds(world: GeneratedWorld, built: dict[str, CustomerCells], holder: str) -> None:
    cells = built[holder]
    check_valid(cells.table, REQUEST)
    assert cells.ids.tolist() == sorted(cells.ids, key=str.encode)
    true = true_entries_of(clean_of(world.folder, holder, world.as_of))
    for table, found, expected in zip(TABLES, entries_of(cells), true, strict=True):
        assert found == expected, table.name
        has_it = holder != "store-3" or not table.feeds & {"session", "view", "touch", "cart"}
        assert bool(found) == has_it, table.name


def test_truth_adds_up_over_holders(world: GeneratedWorld, built: dict[str, CustomerCells]) -> None:
    table = TABLES[9]
    total = np.zeros((table.cells, len(table.measures)), dtype=np.int64)
    for cells in built.values():
        mine = cells.table.table == 9
        np.add.at(total, cells.table.cell[mine], cells.table.values[mine, : len(table.measures)])
    assert true_totals(world.folder, world.holders, world.as_of, table) == total.tolist()


@pytest.mark.slow
def test_duckdb_and_postgresql_find_the_same(
    world: GeneratedWorld, built: dict[str, CustomerCells], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    home = world.folder / "online"
    here = origin_of(world, "online").config
    frames = {"sales": pd.concat(pd.read_parquet(path) for path in sorted((home / "sales").glob("*.parquet")))}
    frames |= {path.stem: pd.read_parquet(path) for path in (home / "feeds").glob("*.parquet")}
    for name, frame in frames.items():
        path = world.folder / f"pg_{name}.parquet"
        frame.to_parquet(path, index=False)
        types = {"datetime64": "timestamp", "int": "bigint", "float": "float8", "bool": "boolean"}
        if name in ("session", "touch", "sent"):  # this holder's clock is UTC's: the same moments with a zone
            types["datetime64"] = "timestamptz"
        columns = ", ".join(
            f'"{column}" '
            + next((sql for kind, sql in types.items() if str(frame[column].dtype).startswith(kind)), "text")
            for column in frame
        )
        load(server, f"pg_{name}", columns, "*", path)
    place = {"url": server.url, "password_env": "SHOP_PASSWORD"}
    there: dict[str, Any] = here.model_dump(mode="json")
    there["source"] |= {**place, "table": "pg_sales"}
    there["customers"] |= {**place, "table": "pg_customer"}
    for name in there["events"]:
        there["events"][name] |= {**place, "table": f"pg_{name}"}
    config = HolderConfig.model_validate(there)
    cells = build_cells(Origin(config, STUDY, world.folder), REQUEST)
    assert cells.ids.tolist() == built["online"].ids.tolist()
    for field in dataclasses.fields(cells.table):
        assert np.array_equal(getattr(cells.table, field.name), getattr(built["online"].table, field.name)), field.name


def test_a_holder_without_a_feed_or_role_has_no_entries_and_no_error(world: GeneratedWorld) -> None:
    origin = origin_of(world, "store-3")
    stores = declared("stores", {"order.store": ["a", "other"]})
    request = CellRequest(tables=(*(table for table in TABLES if "touch" in table.feeds), stores))
    cells = build_cells(origin, request)
    assert len(cells.ids) == len(cells.table) == len(cells.table.cell) == 0
    cells.table.take(np.zeros(0, dtype=np.int64))


def test_nothing_of_who_opted_out_is_there(
    world: GeneratedWorld, built: dict[str, CustomerCells], tmp_path: Path
) -> None:
    origin = origin_of(world, "online")
    gone = built["online"].ids[::7].tolist()
    (tmp_path / "out.csv").write_text("\n".join(gone), encoding="utf-8")
    source = origin.config.source.model_copy(update={"exclude": str(tmp_path / "out.csv")})
    config = origin.config.model_copy(update={"source": source})
    cells = build_cells(Origin(config, STUDY, origin.base), REQUEST)
    assert cells.ids.tolist() == [who for who in built["online"].ids if who not in set(gone)]


def test_entries_are_kept_and_read_back(world: GeneratedWorld, tmp_path: Path) -> None:
    origin = dataclasses.replace(origin_of(world, "store-3"))
    assert CellRequest in KINDS
    request = CellRequest(tables=TABLES[:3])
    first = own_rows(origin, request)
    again = own_rows(origin, request)
    for field in dataclasses.fields(first.table):
        assert np.array_equal(getattr(first.table, field.name), getattr(again.table, field.name))
    assert first.ids.tolist() == again.ids.tolist()
    assert repr(first) == "CustomerCells(<private>)"
    path = tmp_path / "cells.parquet"
    pd.DataFrame({"customer_id": ["1"], "table": [[0]], "cell": [[0.5]], "value_0": [[1]]}).to_parquet(path)
    with pytest.raises(DataError, match="does not hold entries"):
        CustomerCells.load(path, request)


def test_credit_by_each_model() -> None:
    """Three touches in the window, one on the moment itself, one too early; an order without touches is none."""
    day = 86_400
    touches = Moments(customer=np.array([0, 0, 0, 0, 1]), at=np.array([10, 15, 5, 20, 3]) * day)
    orders = Moments(customer=np.array([0, 1, 2]), at=np.array([20, 40, 20]) * day)
    choice = EventChoice(of="conversion", look_back_days=10)
    credit = credited(orders, touches, np.array([0, 1, 2, 3, 0]), choice)
    by_model = [
        sorted(zip(credit.touch[credit.model == m].tolist(), credit.weight[credit.model == m].tolist(), strict=True))
        for m in range(3)
    ]
    assert set(credit.order.tolist()) == {0}
    assert by_model == [[(1, WHOLE)], [(3, WHOLE)], [(1, WHOLE // 2), (3, WHOLE // 2)]]
    few = credited(
        orders, touches, np.array([0, 1, 2, 3, 0]), choice.model_copy(update={"look_back_days": 30, "most_touches": 3})
    )
    assert sorted(set(few.touch[few.model == 2].tolist())) == [0, 1, 3]


@pytest.mark.parametrize(
    ("weights", "money", "expected"),
    [([WHOLE], [7], 7), ([WHOLE // 2], [1], 1), ([WHOLE // 2], [-1], -1), ([WHOLE // 3] * 3, [10, 10, 10], 10),
     ([WHOLE // 4], [-1], 0), ([WHOLE] * 3, [1 << 60, 1, 1], (1 << 42) + 2)],
)  # fmt: skip
def test_weighted_money_is_rounded_away_from_zero(weights: list[int], money: list[int], expected: int) -> None:
    found = weighted_sums(np.zeros(len(weights), np.int64), 1, np.array(weights), np.array(money))
    assert found.tolist() == [expected]


def test_what_follows_a_message_begins_at_it() -> None:
    day = 86_400
    sent = Moments(customer=np.array([0, 0, 1, 2]), at=np.array([10, 30, 10, 10]) * day)
    orders = Moments(customer=np.array([0, 1, 2]), at=np.array([10 * day, 24 * day, 24 * day - 1]))
    assert followed(sent, orders, 14).tolist() == [True, False, False, True]


def test_a_number_that_is_missing_counts_as_none() -> None:
    """The greatest of nothing and a limit is the limit, in most databases: a visit of unknown length took 30 years."""
    column = ibis.memtable({"seconds": pd.array([5, None, 2 * LARGEST, -2 * LARGEST], "Int64")}).seconds
    assert within(column, LARGEST).fill_null(0).to_pyarrow().to_pylist() == [5, 0, LARGEST, -LARGEST]


def test_names_are_folded_alike_whether_they_are_expected_or_not() -> None:
    written = ["food", " Food", "FOOD\t", "toys", "", None, "Straße"]
    column = ibis.memtable({"name": written}).name
    known = ("food", "Toys", " home ", "straße")
    assert folded(column, known).to_pyarrow() == folded(column).to_pyarrow()
    assert folded(column, known).to_pyarrow().to_pylist() == ["food", "food", "food", "toys", "", None, "straße"]


def test_a_values_map_sends_all_else_to_other(world: GeneratedWorld) -> None:
    origin = origin_of(world, "online")
    table = declared("funnel", {"session.source": listed("channels")}, "count(session)")
    values = {"session": {"source": {" SEARCH ": "ads"}}}
    config = HolderConfig.model_validate({**origin.config.model_dump(mode="json"), "values": values})
    cells = build_cells(Origin(config, STUDY, origin.base), CellRequest(tables=(table,)))
    keys = listed("channels")
    assert {keys[cell] for cell in cells.table.cell.tolist()} == {"ads", "other"}


# --- any rows, any declaration ---------------------------------------------------------------------------------------

_IDS = np.array(["1", " 2", "3.0", "4", "5", "", None, "0", "x", "Ü"], dtype=object)
_TEXTS = np.array(["search", " Ads ", "", None, "toys", "FOOD", "???", "yes", "ordered", "viewed"], dtype=object)
_NUMBERS = np.array([0.0, 1.0, 2.5, -3.0, 1e300, np.nan, np.inf, -np.inf, 12.0])
_BORN = np.array(["1980-02-29", "1980", "29.2.1980", "2.29.1980", "1800-01-01", "2030-01-01", "", None, "19991231"])


def _frame(rng: np.random.Generator, feed: FeedName) -> pd.DataFrame:
    """Rows as bad as they come."""
    count = int(rng.integers(1, 120))
    frame = pd.DataFrame({"customer": rng.choice(_IDS, count)})
    if feed != "customer":
        minutes = rng.integers(-3000, 60 * 24 * 400, count) // rng.choice([1, 1440])
        frame["time"] = pd.Timestamp(AS_OF) - pd.to_timedelta(minutes, unit="min")
        frame.loc[rng.random(count) < 0.05, "time"] = pd.NaT
    for role, what in FEEDS[feed].items():
        pool = {"money": _NUMBERS, "number": _NUMBERS, "day": _BORN}.get(what.kind, _TEXTS)
        frame[role] = rng.choice(pool, count)
    return frame.rename(columns={"order": "number"})


#: Customers who are taken out, by what stands in the rows; two of the ten stay whose ids are read as they are.
_GONE = {"4": "4", "3.0": "3", "x": "x", "Ü": "Ü"}


def _drawn(seed: int, home: Path, without: Iterable[str] = ()) -> CustomerCells:
    """Entries of all tables over rows from a seed, without some customers'."""
    rng = np.random.default_rng(seed)
    tables: dict[str, Any] = {"holder": "shop", "source": {"url": "x.duckdb", "currency_code": "EUR"}}
    with duckdb.connect(str(home / "x.duckdb")) as connection:
        for feed, roles in FEEDS.items():
            connection.register("incoming", _frame(rng, feed))
            gone = " AND ".join(["true", *(f"customer IS DISTINCT FROM '{who}'" for who in without)])
            connection.execute(f'CREATE OR REPLACE TABLE "{feed}" AS SELECT * FROM incoming WHERE {gone}')
            columns = {role: "number" if role == "order" else role for role in ("customer", "time", *roles)}
            if feed == "order":
                tables["source"]["table"], tables["columns"] = feed, columns
            elif feed == "customer":
                columns.pop("time")
                tables["customers"] = {"table": feed, "columns": columns}
            else:
                tables.setdefault("events", {})[feed] = {"table": feed, "columns": columns}
    cells = build_cells(Origin(HolderConfig.model_validate(tables), STUDY, home), REQUEST)
    check_valid(cells.table, REQUEST)
    return cells


def _by_customer(cells: CustomerCells) -> dict[str, list[Any]]:
    rows = cells.table
    found: dict[str, list[Any]] = {who: [] for who in cells.ids}
    for place, who in enumerate(cells.ids[rows.customer]):
        found[who].append((rows.table[place], rows.cell[place], *rows.values[place]))
    return found


@pytest.mark.slow
def test_any_rows_give_valid_entries_and_a_customers_are_its_own(tmp_path: Path) -> None:
    """Without some customers' rows, everybody else's entries are what they were.

    One draw with many rows and every table: what takes time is that queries are written, not how many rows they see.
    """
    seed = secrets.randbits(32)
    whole = _by_customer(_drawn(seed, tmp_path))
    assert whole.keys() & set(_GONE.values()), f"seed {seed}"
    without = _by_customer(_drawn(seed, tmp_path, without=_GONE))
    assert without == {who: rows for who, rows in whole.items() if who not in _GONE.values()}, f"seed {seed}"


# --- other databases -------------------------------------------------------------------------------------------------

_TYPES = {"money": "float64", "number": "int64", "flag": "boolean", "day": "date"}


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["postgres", "snowflake", "bigquery", "pyspark", "databricks", "trino"])
def test_entries_compile_for_other_databases(monkeypatch: pytest.MonkeyPatch, dialect: str, tmp_path: Path) -> None:
    """Every kind of query; written and parsed, never run."""
    if dialect == "pyspark":  # its settings are there only where Spark is installed
        monkeypatch.setattr(ibis.options, "pyspark", SparkSettings())
    tables: dict[str, Any] = {
        "holder": "shop",
        "source": {"url": "duckdb://x", "table": "order", "currency_code": "GBP"},
    }
    rows = {}
    for feed, roles in FEEDS.items():
        kinds = {"customer": "int64"} | ({"time": "timestamp(6)"} if feed != "customer" else {})
        kinds |= {role: _TYPES.get(what.kind, "string") for role, what in roles.items()}
        rows[feed] = ibis.table(kinds, name=f"{feed}_rows")
        place = {"table": f"{feed}_rows", "columns": {role: role for role in kinds}}
        if feed == "order":
            tables["columns"] = place["columns"]
        elif feed == "customer":
            tables["customers"] = place
        else:
            tables.setdefault("events", {})[feed] = place
    origin = Origin(HolderConfig.model_validate(tables), STUDY, tmp_path)
    lines = cleaned_lines(rows["order"], origin)
    of_customers = [(number, table) for number, table in enumerate(TABLES) if not table.feed]
    queries = [order_sums(lines, origin, of_customers), order_rows(lines, origin, [30])]
    queries += [order_cells(lines, origin, table) for table in TABLES if table.name in ("retention", "taste", "newest")]
    for feed, reading in origin.config.feeds.items():
        read = FeedRows(_rows(rows[feed], reading, origin, tidy=False)[1], reading, STUDY)
        if feed == "customer":
            uses = {use_name(use): use for table in TABLES for use in table.by if use.meaning.feed == "customer"}
            single = {name: use for name, use in uses.items() if use.dimension != "customer.known"}
            queries.append(attributes(read, single, ["gender", "born"]))
        else:
            queries += [read.sums(of_customers)] if feed == "session" else []
            queries += [read.cells(table) for table in TABLES if table.feed == feed and table.name in _OF_EVENTS]
    assert len(queries) == 10
    for query in queries:
        parsed = sqlglot.parse(
            str(ibis.to_sql(query, dialect=dialect)), read={"pyspark": "spark"}.get(dialect, dialect)
        )
        assert len(parsed) == 1
        assert isinstance(parsed[0], sqlglot.exp.Select)
        assert not list(parsed[0].find_all(sqlglot.exp.Command))


#: One of one event of all, one of one event for each key, one of all events.
_OF_EVENTS = {"funnel", "dwell", "returns"}
