"""MySQL and MariaDB as a source, on a real MariaDB server: the same digits, read-only, no secrets."""

from __future__ import annotations

import datetime as dt
import math
import traceback
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest
from mariadb_server import PASSWORD, MariaServer, missing, running_mariadb
from shop_kit import TRUTH, figures, shop
from source_kit import COLUMNS, as_rows, make_config, make_study, messy_rows

from clients.data.check import preflight
from clients.data.config import HolderConfig
from clients.data.guess.guess import new_holder_file
from clients.data.origin import Origin
from clients.data.rows.customers import build_customer_table
from clients.data.sources import open_source
from privacy.errors import DataError
from privacy.kernel.canonical import read_toml

pytest.importorskip("pymysql", reason="PyMySQL is not installed (extra [mysql])")
pytestmark = pytest.mark.skipif(bool(missing()), reason=f"no MariaDB here: there is no program {missing()}")


@pytest.fixture(scope="module")
def _running() -> Iterator[MariaServer]:
    with running_mariadb() as server:
        yield server


@pytest.fixture
def maria(_running: MariaServer, monkeypatch: pytest.MonkeyPatch) -> MariaServer:
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    _running.empty()
    return _running


def on(server: MariaServer, table: str | None, **source: Any) -> HolderConfig:
    return make_config(server.url, table=table, password_env="SHOP_PASSWORD", **source)


def finite(value: object) -> object:
    """MySQL's doubles are all finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_text(value: object) -> object:
    return None if value is None else str(value)


def test_the_same_digits_as_from_parquet(tmp_path, maria):
    rows = messy_rows()
    pq.write_table(rows, tmp_path / "sales.parquet")
    names = ("customer", "order", "time", "quantity", "price", "product", "currency")
    kinds = {"native": "datetime(6), quantity int, price double", "text": "varchar(40), quantity text, price text"}
    study = make_study(
        cleaning={"returns": "net", "cancellation_prefix": "C", "non_goods": ["post"]},
        rates={"GBP": {"2024-01-01": "1.15", "2024-03-01": "1.1725"}, "USD": "0.93"},
    )
    more = {"columns": COLUMNS | {"product": "product", "currency": "currency"}}
    here = build_customer_table(Origin(make_config("sales.parquet", **more), study, tmp_path))
    assert len(here) > 150
    for table, kind in kinds.items():
        as_cell = finite if table == "native" else as_text
        cells = [[as_cell(row[name]) for name in names] for row in rows.to_pylist()]
        maria.admin(
            "USE shop",
            f"CREATE TABLE {table} (customer text, `order` text, time {kind}, product text, currency char(5))",
            f"INSERT INTO {table} VALUES ({', '.join(['%s'] * 7)})",
            rows=cells,
        )
        there = build_customer_table(Origin(on(maria, table, **more), study, tmp_path))
        assert as_rows(there) == as_rows(here)
        assert there.report.model_copy(update={"dropped": {}}) == here.report.model_copy(update={"dropped": {}})
        assert there.report.dropped == here.report.dropped


def test_odd_values_are_dropped_and_counted(tmp_path, maria):
    maria.admin(
        "SET GLOBAL sql_mode = ''",
        "USE shop",
        "SET sql_mode = ''",
        "CREATE TABLE one (customer binary(4), `order` int, time datetime, quantity text, price decimal(65, 30))",
        "INSERT INTO one VALUES ('a', 1, '0000-00-00', 1, 1), ('b', 2, '2024-02-00', 1, 1), "
        "('c', 3, '2024-05-01', 'abc', 1), ('d', 4, '2024-05-01', 1, 10.005), ('d', 5, '9999-12-31 23:59:59', 1, 1)",
    )
    report = preflight(on(maria, "one"), make_study(), base=tmp_path)
    assert report.cleaning is not None
    assert (report.cleaning.orders, report.cleaning.customers) == (1, 1)
    assert sum(report.cleaning.dropped.values()) == 4
    assert report.cleaning.dropped["unreadable_amount"] == 1


def test_timestamps_are_instants_and_datetimes_are_not(tmp_path, maria):
    maria.admin(
        "USE shop",
        "SET time_zone = '+08:00'",
        "CREATE TABLE one (customer int, `order` int, time timestamp, wall datetime, quantity int, price int)",
        "INSERT INTO one VALUES (1, 1, '2024-01-03 01:30:00', '2024-01-03 01:30:00', 1, 1)",
    )
    for column, moment in (
        ("time", dt.datetime(2024, 1, 2, 17, 30, tzinfo=dt.UTC)),
        ("wall", dt.datetime(2024, 1, 3, 1, 30)),
    ):
        config = on(maria, "one", columns=COLUMNS | {"time": column}, time_zone="Asia/Shanghai")
        with open_source(config, base=tmp_path) as opened:
            if column == "wall":
                [found] = opened.table[column].cast("timestamp").to_pyarrow().to_pylist()
                assert found == moment
            else:
                assert opened.table[column].to_pyarrow().to_pylist() == [moment]


def test_a_table_is_found_and_guessed(tmp_path, maria):
    maria.admin(
        "USE shop",
        "CREATE TABLE visits (a int)",
        "CREATE TABLE `order.lines` "
        "(id int, placed_at timestamp, customer_no bigint, sku text, qty int, unit_price decimal(9,2))",
        "INSERT INTO `order.lines` VALUES (%s, %s, %s, %s, %s, %s)",
        rows=[(line.order, line.time, line.customer, line.sku, line.quantity, line.price) for line in shop()],
    )
    new_holder_file(
        maria.url,
        output=tmp_path / "holder.toml",
        password={"password_env": "SHOP_PASSWORD"},
        answers={"currency": "EUR"},
    )
    config = read_toml(tmp_path / "holder.toml", HolderConfig)
    assert config.source.table == '"order.lines"'
    assert figures(preflight(config, None, base=tmp_path)) == TRUTH


def test_it_writes_nothing_and_says_no_secret(tmp_path, maria, monkeypatch):
    maria.admin("USE shop", "CREATE TABLE one (customer int)", "INSERT INTO one VALUES (4711)")
    from clients.data.sources import mysql

    source = on(maria, "one").source
    with (
        mysql._reading(source, source.url.partition("://")[2], tmp_path) as connection,
        connection.cursor() as cursor,
        pytest.raises(mysql.pymysql.MySQLError, match="READ ONLY"),
    ):
        cursor.execute("INSERT INTO one VALUES (1)")
    elsewhere = maria.url.replace("/shop", "/other")
    monkeypatch.setenv("WRONG", f"{PASSWORD}x")
    for config, says in (
        (on(maria, None), "needs a table"),
        (on(maria, "absent"), "there is no such table"),
        (on(maria, "mysql.user"), "may not read"),
        (make_config(maria.url, table="one", password_env="WRONG"), "the user or the password is wrong"),
        (
            make_config(elsewhere, table="one", password_env="SHOP_PASSWORD"),
            "may not read this database",
        ),
        (make_config("mysql://reader@127.0.0.1:1/shop", table="one"), "nothing answers there"),
        (make_config(f"{maria.url}&colour=red", table="one"), "option that is not known"),
    ):
        with pytest.raises(DataError) as caught, open_source(config, base=tmp_path):
            pass
        assert says in caught.value.message
        assert caught.value.hint
        told = "".join(traceback.format_exception(caught.value)) + repr(config)
        assert "Geheim" not in told
        assert "4711" not in told


def test_a_locked_table_is_not_waited_for_without_end(tmp_path, maria, monkeypatch):
    import pymysql

    maria.admin("USE shop", "CREATE TABLE one (customer int, `order` int, time datetime, quantity int, price int)")
    monkeypatch.setattr("clients.data.sources.mysql.LOCK_SECONDS", 1)
    root = pymysql.connect(unix_socket=str(maria.socket), user="root", database="shop")
    with root, root.cursor() as cursor:
        cursor.execute("LOCK TABLES one WRITE")
        with (
            pytest.raises(DataError, match="somebody who changes the table holds it locked"),
            open_source(on(maria, "one"), base=tmp_path),
        ):
            pass
