"""What finding entries takes: a million customers with five million events, beside SQL written by hand.

    python benchmarks/cells.py [--customers 1000000] [--events 5000000]

makes visits and purchases in a DuckDB file, and prints seconds of CPU of each table's query and of the hand's, results
fetched (the least of three runs in turn), and of all that a holder does for the tables together; and what the table of
visits takes where purchases are of two sources, put together by a table of persons.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

import cohortium  # noqa: F401 -- puts the other packages on the path
from clients.data.config import HolderConfig
from clients.data.feeds.lines import open_feed
from clients.data.origin import Origin
from clients.data.rows.cells.feed_events import FeedRows
from clients.data.rows.cells.order_events import order_cells
from clients.data.rows.entries.kind import build_cells
from clients.data.rows.lines import counted_lines
from clients.data.sources import fetch, open_source
from privacy.kernel.cells import CellRequest
from privacy.kernel.declarations import CellTable
from privacy.protocol.study import Study

AS_OF = dt.date(2025, 1, 1)
SOURCES = ("search", "social", "friends", "ads", "direct")
CATEGORIES = ("food", "home", "toys", "clothes")


def make(path: Path, customers: int, events: int) -> None:
    """Visits and purchases; every second event is one."""
    with duckdb.connect(str(path)) as connection:
        pick = ", ".join(f"'{name}'" for name in SOURCES)
        connection.execute(f"""
            CREATE TABLE sessions AS SELECT
                (hash(i) % {customers})::BIGINT AS customer,
                TIMESTAMP '2024-01-01' + INTERVAL 1 MINUTE * (hash(i + 7) % 527000)::INT AS time,
                [{pick}][1 + (hash(i + 13) % 5)::INT] AS source,
                (hash(i + 17) % 600)::INT AS seconds
            FROM range({events}) t(i)""")
        connection.execute(f"""
            CREATE TABLE sales AS SELECT
                (hash(i + 3) % {customers})::BIGINT AS customer, i // 2 AS number,
                TIMESTAMP '2023-01-01' + INTERVAL 1 MINUTE * (hash(i // 2 + 7) % 1052000)::INT AS time,
                round((hash(i + 17) % 90000) / 100.0, 2) AS amount,
                ['food', 'home', 'toys', 'clothes'][1 + (hash(i + 19) % 4)::INT] AS category
            FROM range({events}) t(i)""")
        connection.execute("UPDATE sales SET customer = s.customer FROM (SELECT number, min(customer) AS customer FROM "
                           "sales GROUP BY number) s WHERE sales.number = s.number")  # fmt: skip


def tables() -> tuple[CellTable, ...]:
    """One of visits, one of orders by their lines, one of orders by their time."""
    listed = [*SOURCES, "other"]
    uses = (
        ("visits", "session.source", listed, ("customers", "count(session)", "sum(session.seconds)")),
        ("taste", "order.category", [*CATEGORIES, "other"], ("customers", "count(order)")),
        ("months", "order.months_since_first", "0..11", ("customers", "sum(order.amount)")),
    )
    return tuple(
        CellTable.model_validate(
            {"name": name, "by": [{"dimension": by, "keys": keys}], "measures": [{"of": one} for one in measures]}
        )
        for name, by, keys, measures in uses
    )


def _key(names: Sequence[str]) -> str:
    """A key's place; what is not listed is "other"."""
    branches = " ".join(f"WHEN name = '{name}' THEN {place}" for place, name in enumerate(names))
    return f"CASE {branches} ELSE {len(names)} END"


#: The same by hand, as somebody would write it who knows that this file is clean.
BY_HAND = {
    "visits": f"""
        SELECT customer, {_key(SOURCES)} AS cell, count(*), sum(seconds)
        FROM (SELECT customer, seconds, time, lower(trim(source)) AS name FROM holder.sessions)
        WHERE time < TIMESTAMP '2025-01-01' GROUP BY 1, 2""",
    "taste": f"""
        SELECT customer, cell, count(*) FROM (
            SELECT DISTINCT customer, number, {_key(CATEGORIES)} AS cell
            FROM (SELECT customer, number, lower(trim(category)) AS name FROM (SELECT DISTINCT * FROM holder.sales)
                  WHERE time < TIMESTAMP '2025-01-01'))
        GROUP BY 1, 2""",
    "months": """
        WITH orders AS (SELECT customer, number, min(time) AS begun, sum(floor(amount * 10000 + .5)::BIGINT) AS quanta
                        FROM (SELECT DISTINCT * FROM holder.sales) WHERE time < TIMESTAMP '2025-01-01' GROUP BY 1, 2),
             firsts AS (SELECT *, min(begun) OVER (PARTITION BY customer) AS first FROM orders)
        SELECT customer, date_diff('month', first, begun) AS cell, count(*), sum(quanta) FROM firsts
        WHERE date_diff('month', first, begun) < 12 GROUP BY 1, 2""",
}


def taken(run: Callable[[], object]) -> float:
    """Seconds of CPU."""
    start = time.process_time()
    run()
    return time.process_time() - start


def beside(ours: Callable[[], object], hand: Callable[[], object]) -> tuple[float, float]:
    """Seconds of CPU of both, the least of three runs in turn: other work on the machine makes each of them dearer."""
    pairs = [(taken(ours), taken(hand)) for _ in range(3)]
    return min(first for first, _ in pairs), min(second for _, second in pairs)


def by_persons(path: Path, config: HolderConfig) -> HolderConfig:
    """The same holder with its orders in two sources, every second in each, and everybody in a table of persons."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE members AS SELECT DISTINCT customer AS member, customer AS id FROM sessions")
    place = {"url": path.name, "table": "sales", "currency_code": "EUR"}
    columns = config.columns.model_dump(mode="json")
    sources = [
        {"name": name, **place, "where": f"number % 2 = {rest}", "columns": columns}
        for rest, name in enumerate(("web", "tills"))
    ]
    person = {"url": path.name, "table": "members", "columns": {"person": "member", "web": "id"}}
    session = config.events["session"].model_dump(mode="json") | {"url": path.name, "ids_of": "web"}
    return HolderConfig.model_validate(
        {"holder": "shop", "sources": sources, "person": person, "events": {"session": session}}
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--customers", type=int, default=1_000_000)
    options.add_argument("--events", type=int, default=5_000_000)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        make(home / "shop.duckdb", given.customers, given.events)
        config = HolderConfig.model_validate({
            "holder": "shop", "source": {"url": "shop.duckdb", "table": "sales", "currency_code": "EUR"},
            "columns": {"customer": "customer", "order": "number", "time": "time", "amount": "amount",
                        "category": "category"},
            "events": {"session": {"table": "sessions", "columns": {
                "customer": "customer", "time": "time", "source": "source", "seconds": "seconds"}}},
        })  # fmt: skip
        study = Study.model_validate({"name": "cells", "as_of": AS_OF, "budget": {"epsilon": "1"}})
        origin = Origin(config, study, home)
        visits, taste, months = tables()
        found: dict[str, tuple[float, float]] = {}
        with open_feed(origin, "session") as feed:
            rows = FeedRows(feed.kept, feed.reading, study)
            connection = rows.rows.get_backend().con
            found["visits"] = beside(
                lambda: fetch(rows.cells(visits), what="visits"),
                lambda: connection.execute(BY_HAND["visits"]).to_arrow_table(),
            )
        with open_source(config, base=home) as opened:
            lines, _ = counted_lines(opened, origin)
            connection = lines.get_backend().con
            for table in (taste, months):
                found[table.name] = beside(
                    lambda t=table: fetch(order_cells(lines, origin, t), what=t.name),
                    lambda t=table: connection.execute(BY_HAND[t.name]).to_arrow_table(),
                )
        print("table      query, CPU s   by hand   ratio")
        for name, (ours, hand) in found.items():
            print(f"{name:<10} {ours:12.2f} {hand:9.2f} {ours / hand:7.2f}")
        whole = taken(lambda: build_cells(origin, CellRequest(tables=tables())))
        print(f"all tables, from the file to entries: {whole:.2f} s of CPU")
        of_persons = Origin(by_persons(home / "shop.duckdb", config), study, home)
        alone, joined = beside(
            lambda: build_cells(origin, CellRequest(tables=(visits,))),
            lambda: build_cells(of_persons, CellRequest(tables=(visits,))),
        )
        print(f"visits, from the file to entries: {alone:.2f} s of CPU; of persons, beside two sources: {joined:.2f} s")


if __name__ == "__main__":
    main()
