"""Feeds beside purchases: what holder.toml may say, and the same rows from every kind of source."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feed_kit import SESSION, config, read, sessions, with_sessions
from postgres_server import PASSWORD, Server
from pydantic import ValidationError
from rich.console import Console
from source_kit import COLUMNS, load, make_study

from clients.data.check import CheckReport, preflight
from clients.data.check_page import render_check
from clients.data.feeds.lines import open_feed
from clients.data.origin import Origin
from privacy.errors import ConfigError, DataError


def test_a_holder_without_feeds_is_what_it_was():
    plain = config()
    assert plain.feeds == {}
    assert not {"customers", "events", "values"} & set(plain.model_dump(mode="json"))
    assert plain.declared_feeds == {"order": ("order", "amount")}


def test_feeds_say_what_the_holder_has():
    shop = config(
        customers={"url": "crm.parquet", "columns": {"customer": "id", "gender": "sex"}},
        events={
            "session": {"url": "web.parquet", "columns": SESSION},
            "sent": {"columns": {"customer": "c", "time": "t"}},
        },
        values={"session": {"source": {"小红书": "notes"}}},
    )
    assert shop.declared_feeds["session"] == ("source", "seconds", "furthest")
    assert shop.declared_feeds["customer"] == ("gender",)
    assert shop.declared_feeds["sent"] == ()
    assert shop.feeds["session"].values == {"source": {"小红书": "notes"}}


def test_a_feed_takes_over_what_it_does_not_state():
    place = {"password_env": "A", "memory": "1GB", "url": "postgresql://a@b/c", "table": "sales", "where": "x = 1"}
    events = {
        "session": {"table": "web.sessions", "columns": SESSION},
        "touch": {"url": "ads.csv", "time_zone": "UTC", "where": "y = 2", "columns": {"customer": "c", "time": "t"}},
    }
    shop = config(source=place | {"exclude": "out.csv"}, events=events)
    near, far = shop.feeds["session"].source, shop.feeds["touch"].source
    assert (near.url, near.table, near.password_env, near.where) == ("postgresql://a@b/c", "web.sessions", "A", None)
    assert (far.url, far.table, far.password_env, far.where) == ("ads.csv", None, None, "y = 2")
    assert (near.time_zone, far.time_zone) == ("Asia/Shanghai", "UTC")
    assert near.exclude == far.exclude == "out.csv"  # who opted out is in no feed


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"events": {"sessions": {"columns": SESSION}}}, "no feed 'sessions'; did you mean session"),
        ({"events": {"order": {"columns": SESSION}}}, "purchases stand under .source"),
        ({"events": {"session": {"columns": SESSION | {"sourse": "x"}}}}, "no role 'sourse'; did you mean source"),
        ({"events": {"session": {"columns": {"customer": "a"}}}}, "columns.time is missing"),
        ({"events": {"session": {"columns": SESSION | {"device": "utm"}}}}, "'utm' is used for two things"),
        ({"customers": {"columns": {"customer": "a", "time": "t"}}}, "a customer has no role 'time'"),
        ({"customers": {"columns": {"gender": "a"}}}, "customers: columns.customer is missing"),
        ({"customers": {"url": "postgresql://a:b@c/d", "columns": {"customer": "a"}}}, "does not belong in the URL"),
        ({"values": {"session": {"source": {"a": "b"}}}}, "no column of session is mapped as source"),
        ({"values": {"order": {"amount": {"a": "b"}}}}, "an? order has no such names; .*category"),
        ({"values": {"order": {"channel": {"App": "x", "app ": "y"}}}}, "'app' is spelled twice"),
    ],
)
def test_what_is_wrong_is_said(tables, says):
    with pytest.raises(ValidationError, match=says):
        config(**tables)


def test_money_of_feeds_has_a_currency_that_the_study_knows():
    columns = {"customer": "c", "time": "t", "amount": "a"}
    many = {"url": "sales.parquet", "currency_code": None, "currencies": ["EUR"]}
    with pytest.raises(ValidationError, match=r"return\.amount has no currency"):
        config(source=many, columns=COLUMNS | {"currency": "cur"}, events={"return": {"columns": columns}})
    shop = config(events={"return": {"columns": columns, "currency_code": "USD"}})
    with pytest.raises(ConfigError, match="no rate for USD"):
        shop.check_currencies(make_study())
    shop.check_currencies(make_study(rates={"USD": "0.9"}))


def blank(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """CSV has no null beside empty text."""
    return tuple(item or None for item in row)


def test_the_same_rows_from_every_kind_of_source(tmp_path, server: Server, monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    pq.write_table(sessions(), tmp_path / "web.parquet")
    with duckdb.connect(str(tmp_path / "web.duckdb")) as database:
        database.execute(f"CREATE TABLE sessions AS FROM '{tmp_path}/web.parquet'")
        database.execute(f"COPY sessions TO '{tmp_path}/web.csv' (HEADER)")
    types = '"user" text, started {}, utm text, dwell {}, stage text, consent boolean'
    load(server, "web_native", types.format("timestamp", "float8"), "*", tmp_path / "web.parquet")
    load(server, "web_text", types.format("text", "text"), "*", tmp_path / "web.parquet")
    (tmp_path / "out.csv").write_text("id\n17\n客户 7\n", encoding="utf-8")
    where = {"where": "consent = 'true'"}
    rows, tally = read(with_sessions("web.parquet", where="consent"), tmp_path)
    assert set(tally) == {"", "where", "no_customer_id", "excluded", "unreadable_time", "after_as_of"}
    assert min(tally.values()) > 30
    assert tally[""] == len(rows) > 1000
    assert not {"17", "客户 7", "", "0"} & {row[0] for row in rows}
    others = [
        with_sessions("web.csv", **where),
        with_sessions("duckdb://web.duckdb", table="sessions", where="consent"),
        *(
            with_sessions(server.url, table=table, password_env="SHOP_PASSWORD", where="consent")
            for table in ("web_native", "public.web_text")
        ),
    ]
    for other in others:
        found, counted = read(other, tmp_path)
        assert counted == tally
        # CSV has no null beside empty text.
        assert [tuple(item or None for item in row) for row in found] == [
            tuple(item or None for item in row) for row in rows
        ]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (SESSION | {"page": "pagina"}, r"\[events.session\]: columns.page: the source has no column 'pagina'"),
        (SESSION | {"time": "consent"}, "'consent' is boolean, not a time"),
        (SESSION | {"seconds": "consent", "time": "started"}, "'consent' is boolean, not a number"),
        (SESSION | {"source": "dwell", "seconds": "consent"}, "is boolean, not a number|names no source"),
    ],
)
def test_a_feed_that_is_not_as_described_is_named(tmp_path, columns, says):
    pq.write_table(sessions(50), tmp_path / "web.parquet")
    shop = config(events={"session": {"url": "web.parquet", "columns": columns}})
    with (
        pytest.raises(DataError, match=says) as caught,
        open_feed(Origin(shop, make_study(), tmp_path), "session"),
    ):
        pass
    assert "events.session" in caught.value.message


def test_a_check_says_how_much_of_each_feed_is_known(tmp_path):
    """For the holder's own screen: nothing of it is in a repr."""
    pq.write_table(sessions(), tmp_path / "web.parquet")
    day = dt.datetime(2024, 5, 30)
    sales = pa.table(
        {"customer": ["17", "18"], "order": ["1", "2"], "time": [day, day], "quantity": [1, 1], "price": [2.0, 3.0]}
    )
    pq.write_table(sales, tmp_path / "sales.parquet")
    (tmp_path / "out.csv").write_text("17\n", encoding="utf-8")
    who = {"customer": "user", "time": "started"}
    shop = config(
        source={"exclude": "out.csv"},
        events={
            "session": {"url": "web.parquet", "columns": SESSION},
            "view": {"url": "web.parquet", "columns": {"customer": "user", "time": "started", "page": "utm"}},
            "touch": {"url": "gone.parquet", "columns": who},
            "cart": {
                "url": "web.parquet",
                "where": "utm = 'nobody'",
                "columns": who,
            },
        },
        values={"session": {"source": {"小红书": "notes"}}},
    )
    report = preflight(shop, make_study(), base=tmp_path)
    assert [item.feed for item in report.feeds] == ["session", "view", "cart"]
    found = report.feeds[0]
    assert set(found.left_out) == {"no_customer_id", "excluded", "unreadable_time", "after_as_of"}
    assert found.rows > found.customers > 50
    source, seconds, furthest = found.roles
    assert (source.role, seconds.role, furthest.role) == ("source", "seconds", "furthest")
    assert [(item.text, item.key) for item in source.spellings] == [("baidu", ""), *source_rest(source)]
    assert source.without_key == source.known - next(item.rows for item in source.spellings if item.key)
    assert furthest.without_key == 0 < furthest.known == found.rows > seconds.known
    assert [item.code for item in report.problems] == ["feed"]
    assert "[events.touch]" in report.problems[0].text
    assert [item.code for item in report.warnings] == ["feed_other", "feed_empty"]
    assert "[values.session.source]: baidu, ads" in report.warnings[0].hint
    assert repr(found) == "FeedFigures(<private>)"
    screen = Console(file=io.StringIO(), width=120)
    render_check(report, screen)
    assert "小红书 -> notes" in screen.file.getvalue()
    assert CheckReport.model_validate_json(report.model_dump_json()) == report


def source_rest(source: Any) -> list[tuple[str, str]]:
    return [(item.text, {"小红书": "notes"}.get(item.text, "")) for item in source.spellings[1:]]
