"""What PostgreSQL has that files have not: types, times without end, odd names, hidden rows, limits, locks."""

from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb
import pytest
from postgres_server import PASSWORD, Server
from source_kit import COLUMNS, make_config, make_study, on

from clients.data.check import preflight
from clients.data.config import HolderConfig
from clients.data.guess.guess import new_holder_file
from clients.data.origin import Origin
from clients.data.rows.customers import build_customer_table
from clients.data.sources import list_tables, open_source
from clients.data.sources.table_names import parse_table, shown_table
from privacy.errors import DataError
from privacy.kernel.canonical import read_toml


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)


def made(server: Server, *statements: str) -> None:
    server.empty()
    with server.admin() as admin:
        for statement in statements:
            admin.execute(statement)


def test_money_domains_and_enumerations_are_read(tmp_path, server):
    made(
        server,
        "CREATE DOMAIN plain_id AS bigint; CREATE DOMAIN client_no AS plain_id CHECK (VALUE > 0)",
        "CREATE DOMAIN cash AS money; CREATE TYPE way AS ENUM ('online', 'till')",
        'CREATE TABLE sales (client client_no, "order" char(6), placed timestamptz, total cash, way way, note money, '
        "tags text[], doc jsonb, span interval)",
        "INSERT INTO sales SELECT 500 + i % 20, 1000 + i, timestamptz '2024-01-03 09:30+00' + i * interval '8 days', "
        "(12.5 + i)::numeric::money, 'till', 1::money, '{a}', '{}', '1 day' FROM generate_series(0, 39) AS i",
    )
    columns = {"customer": "client", "order": "order", "time": "placed", "amount": "total", "channel": "way"}
    table = build_customer_table(Origin(on(server, "sales", columns=columns), make_study(as_of="2025-01-01"), tmp_path))
    assert (len(table), table.report.orders, table.report.dropped) == (20, 40, {})
    assert table.columns.money.sum() == sum(1250 + 100 * i for i in range(40))
    guess = new_holder_file(
        server.url,
        output=tmp_path / "holder.toml",
        password={"password_env": "SHOP_PASSWORD"},
        answers={"currency": "EUR"},
    )
    assert (guess.columns["customer"].value, guess.columns["time"].value) == ("client", "placed")
    assert preflight(read_toml(tmp_path / "holder.toml", HolderConfig), None, base=tmp_path).problems == ()


def test_times_without_end_and_before_christ_are_unreadable_and_named(tmp_path, server):
    odd = ["infinity", "-infinity", "0044-03-15 BC", "10000-01-01"]
    times = [f"2024-0{month}-0{day} 10:00" for month in range(1, 7) for day in range(1, 5)]
    rows = ", ".join(f"('c{i % 5}', 'o{i}', '{time}', 1, 10, 'infinity')" for i, time in enumerate([*times, *odd]))
    made(
        server,
        'CREATE TABLE one (customer text, "order" text, time timestamp, quantity int, price numeric, seen date)',
        f"INSERT INTO one VALUES {rows}",
    )
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as database:
        database.execute(
            'CREATE TABLE one (customer text, "order" text, time timestamp, quantity int, price int, seen date)'
        )
        database.execute(f"INSERT INTO one VALUES {rows.replace(' BC', ' (BC)')}")
    for config in (on(server, "one"), make_config("shop.duckdb", table="one")):
        report = preflight(config, None, base=tmp_path)
        assert report.cleaning is not None
        assert report.cleaning.dropped == {"unreadable_time": 4}
        assert (report.rows, report.as_of) == (28, dt.date(2024, 6, 5))
    for url, options in ((server.url, {"password": {"password_env": "SHOP_PASSWORD"}}), ("shop.duckdb", {})):
        guess = new_holder_file(
            url if "://" in url else str(tmp_path / url), output=tmp_path / "new.toml", table="one", overwrite=True,
            answers={"currency": "EUR"}, **options,
        )  # fmt: skip
        assert guess.columns["time"].value == "time"


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("sales", ("", "sales")),
        ("crm.sales", ("crm", "sales")),
        ("Till A.Sales", ("Till A", "Sales")),
        ('"we.ird"', ("", "we.ird")),
        ('"crm"."we.ird"', ("crm", "we.ird")),
        ('crm."we""ird."', ("crm", 'we"ird.')),
    ],
)
def test_names_are_read_as_sql_writes_them(name, parts):
    assert parse_table(name) == parts
    assert parse_table(shown_table(*parts)) == parts


@pytest.mark.parametrize("name", ['"open', 'a"b"', '"a"."b"."c"', '""', '"a".'])
def test_names_that_are_none_are_told(name):
    with pytest.raises(DataError, match="no name of a table"):
        parse_table(name)


def test_tables_with_dots_and_quotes_are_listed_and_read(tmp_path, server):
    made(
        server,
        'CREATE SCHEMA "c.rm"',
        'CREATE TABLE "c.rm"."we""ird.sales" (customer text, "order" text, time date, quantity int, price int)',
        "INSERT INTO \"c.rm\".\"we\"\"ird.sales\" VALUES ('a', 'b', '2024-05-01', 1, 10)",
    )
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as database:
        values = "'a' AS customer, 'b' AS \"order\", DATE '2024-05-01' AS time, 1 AS quantity, 10 AS price"
        database.execute(f'CREATE TABLE "we""ird.sales" AS SELECT {values}')
    names = ('"c.rm"."we""ird.sales"', '"we""ird.sales"')
    for config, name in zip((on(server, None), make_config("shop.duckdb")), names, strict=True):
        assert list_tables(config, base=tmp_path) == (name,)
        named = config.model_copy(update={"source": config.source.model_copy(update={"table": name})})
        assert len(build_customer_table(Origin(named, make_study(), tmp_path))) == 1


# --- rows that are hidden, limits and locks ------------------------------------------------------------------------


def simple(server: Server, *more: str) -> None:
    made(
        server,
        'CREATE TABLE one (customer text, "order" text, time date, quantity int, price int)',
        "INSERT INTO one SELECT 'c' || i, i, '2024-05-01', 1, 10 FROM generate_series(1, 9) AS i",
        *more,
    )


def test_row_security_is_said_always(tmp_path, server):
    simple(server, "ALTER TABLE one ENABLE ROW LEVEL SECURITY", "CREATE POLICY few ON one USING (quantity < 5)")
    report = preflight(on(server, "one"), None, base=tmp_path)
    [warning] = [item for item in report.warnings if item.code == "row_security"]
    assert "this user may see only part of 'one'" in warning.text
    simple(server, "ALTER TABLE one ENABLE ROW LEVEL SECURITY")
    report = preflight(on(server, "one"), None, base=tmp_path)
    assert (report.rows, [item.code for item in report.problems]) == (0, ["empty"])
    assert "row_security" in [item.code for item in report.warnings]
    simple(server)
    assert "row_security" not in [item.code for item in preflight(on(server, "one"), None, base=tmp_path).warnings]


def slow(server: Server, config: HolderConfig, base: Any) -> str:
    with pytest.raises(DataError) as caught:
        build_customer_table(Origin(config, make_study(), base))
    return f"{caught.value.message} {caught.value.hint}"


def test_a_time_limit_of_the_server_is_told_as_that(tmp_path, server):
    simple(server, "CREATE VIEW slow AS SELECT one.* FROM one, LATERAL (SELECT pg_sleep(length(customer))) AS s")
    with server.admin() as admin:
        admin.execute("ALTER ROLE reader SET statement_timeout = '300ms'")
    try:
        told = slow(server, on(server, "slow"), tmp_path)
    finally:
        with server.admin() as admin:
            admin.execute("ALTER ROLE reader RESET statement_timeout")
    assert "ended the query after its time limit" in told
    assert "statement_timeout" in told


def test_a_locked_table_is_not_waited_for_without_end(tmp_path, server, monkeypatch):
    monkeypatch.setattr("clients.data.sources.postgres.LOCK_MILLISECONDS", 200)
    simple(server)
    with server.admin() as admin, admin.transaction():
        admin.execute("LOCK TABLE one IN ACCESS EXCLUSIVE MODE")
        told = slow(server, on(server, "one"), tmp_path)
    assert "'one' cannot be opened: somebody who changes the table holds it locked" in told
    with open_source(on(server, "one"), base=tmp_path) as opened:
        assert opened.table.count().to_pyarrow().as_py() == 9
    assert set(COLUMNS) <= set(opened.table.columns)
