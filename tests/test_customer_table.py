"""The customer table against slow obvious code, its cleaning rules one by one, its sources, and dirt."""

from __future__ import annotations

import datetime as dt
import math
import os
import stat
import zoneinfo
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from source_kit import COLUMNS, make_config, make_study

from clients.data.cleaning.lines import cleaned_lines
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows import own_rows
from clients.data.rows.customers import (
    CustomerTable,
    build_customer_table,
    customer_query,
    spellings_of,
    table_key,
)
from clients.data.rows.lines import _tally, in_window
from clients.data.sources import OPENERS, open_source
from privacy.errors import ConfigError, DataError
from privacy.kernel.canonical import read_toml
from privacy.kernel.customers import CustomerRequest
from privacy.protocol.study import Study

NOON = dt.datetime(2024, 5, 1, 12)


def line(**changes: Any) -> dict[str, Any]:
    return {"customer": "c1", "order": "o1", "time": NOON, "quantity": 1, "price": 10.0} | changes


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def build(path: Path, rows: list[dict[str, Any]], study: Study | None = None, **config: Any) -> CustomerTable:
    url = write(path / "sales.parquet", rows)
    return build_customer_table(Origin(make_config(url, **config), study or make_study(), path))


def as_rows(table: CustomerTable) -> list[tuple[Any, ...]]:
    c = table.columns
    return list(
        zip(
            table.ids.tolist(),
            c.recency_days.tolist(),
            c.orders.tolist(),
            c.money.tolist(),
            c.tenure_days.tolist(),
            strict=True,
        )
    )


# --- the whole, against slow obvious code ---------------------------------------------------------------------


def slow_id(text: str | None) -> str:
    text = "" if text is None else text.strip()
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text


def slow_table(
    rows: list[dict[str, Any]], study: Study, zone: str, window_days: int | None = None
) -> list[tuple[Any, ...]]:
    """The rules of the documentation, one row at a time; what is before the window's first midnight is not there."""
    seen: set[tuple[Any, ...]] = set()
    start = dt.datetime.combine(study.as_of, dt.time(), tzinfo=zoneinfo.ZoneInfo(study.time_zone))
    as_of = start.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None)
    if window_days is not None:
        first = study.as_of - dt.timedelta(days=window_days)
        midnight = dt.datetime.combine(first, dt.time(), tzinfo=zoneinfo.ZoneInfo(study.time_zone))
        opens = midnight.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None)
        rows = [row for row in rows if row["time"] >= opens]
    customers: dict[str, dict[str, Any]] = {}
    for row in rows:
        customer, order = slow_id(row["customer"]), slow_id(row["order"])
        if customer.lower() in study.cleaning.null_ids or not order or row["time"] >= as_of:
            continue
        if row["product"].strip().upper() in study.cleaning.non_goods:
            continue
        amount = row["quantity"] * row["price"]
        if not math.isfinite(amount) or study.rate_of(row["currency"]) is None:
            continue
        rate = None
        for step in study.rate_of(row["currency"]):
            midnight = dt.datetime.combine(step.since, dt.time(), tzinfo=zoneinfo.ZoneInfo(study.time_zone))
            since = (
                midnight.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None) if step.since.year > 1900 else None
            )
            if since is None or row["time"] >= since:
                rate = float(step.rate)
        if rate is None:
            continue
        back = order.startswith("C") or row["quantity"] <= 0 or amount < 0
        if back and study.cleaning.returns == "drop":
            continue
        key = (customer, order, *(row[name] for name in ("time", "quantity", "price", "product", "currency")))
        if study.cleaning.duplicates == "drop":
            if key in seen:
                continue
            seen.add(key)
        entry = customers.setdefault(customer, {"quanta": 0, "orders": set(), "times": []})
        entry["quanta"] += math.floor(amount * rate * 10_000 + 0.5)
        if not back:
            entry["orders"].add(order)
            entry["times"].append(row["time"])
    day = dt.timedelta(days=1)
    return [
        (
            name,
            (as_of - max(entry["times"])) // day,
            len(entry["orders"]),
            (entry["quanta"] + 50) // 100,
            (as_of - min(entry["times"])) // day,
        )
        for name, entry in sorted(customers.items())
        if entry["orders"]
    ]


def slow_spellings(
    rows: list[dict[str, Any]], table: CustomerTable, study: Study, window_days: int | None
) -> dict[str, tuple[str, list[str]]]:
    """For every customer of the table the spelling that stands for it, and the others; from all rows that count."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if slow_table([row | {"quantity": 1, "price": 1.0, "order": "1"}], study, "UTC", window_days):
            back = row["quantity"] <= 0 or row["price"] < 0 or slow_id(row["order"]).startswith("C")
            usable = math.isfinite(row["quantity"] * row["price"]) and slow_id(row["order"])
            if usable and (study.cleaning.returns == "net" or not back):
                found.setdefault(slow_id(row["customer"]), set()).add(row["customer"])
    chosen = {name: name if name in found[name] else min(found[name]) for name in table.ids}
    return {name: (chosen[name], sorted(found[name] - {chosen[name]})) for name in table.ids}


def spellings(table: CustomerTable) -> dict[str, tuple[str, list[str]]]:
    others: dict[int, list[str]] = {}
    for row, source_id in zip(table.also_spelled.rows.tolist(), table.also_spelled.source_ids, strict=True):
        others.setdefault(row, []).append(source_id)
    pairs = zip(table.ids, table.source_ids, strict=True)
    return {name: (source_id, others.get(row, [])) for row, (name, source_id) in enumerate(pairs)}


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, Any]]:
    row = st.fixed_dictionaries(
        {
            "customer": st.sampled_from(
                ["7", "7.0", " 7 ", "007", "Anna", "anna", "nan", "0", "", None, "Guest", "b.0"]
            ),
            "order": st.sampled_from(["1", "2", " 2", "C3", "4.0", "4", None, ""]),
            "time": st.datetimes(dt.datetime(2024, 3, 29), dt.datetime(2024, 6, 3)),
            "quantity": st.integers(-3, 5),
            "price": st.sampled_from([0.0, 0.005, 0.1, 1.15, 2.675, 19.99, -4.0, 1e9, float("inf"), float("nan")]),
            "product": st.sampled_from(["cup", "POST", " post "]),
            "currency": st.sampled_from(["EUR", "GBP", "USD", "XXX"]),
        }
    )
    rows = draw(st.lists(row, min_size=1, max_size=12))
    return rows + draw(st.lists(st.sampled_from(rows), max_size=4))


#: Rows of several tables together: what takes time is that queries are written, not how many rows they see.
many_rows = st.lists(tables(), min_size=1, max_size=5).map(lambda drawn: [row for rows in drawn for row in rows])


@pytest.mark.slow
@pytest.mark.parametrize(
    "zones", [("UTC", "UTC"), ("Europe/Berlin", "UTC"), ("UTC", "Asia/Shanghai"), ("Europe/Berlin",) * 2]
)
@settings(max_examples=6, deadline=None)
@given(
    rows=many_rows,
    duplicates=st.sampled_from(["drop", "keep"]),
    returns=st.sampled_from(["drop", "net"]),
    window_days=st.sampled_from([None, None, 1, 20, 63, 3660]),
)
def test_agrees_with_slow_obvious_code(tmp_path_factory, rows, duplicates, returns, zones, window_days):
    study = make_study(
        time_zone=zones[0],
        cleaning={"duplicates": duplicates, "returns": returns, "cancellation_prefix": "C", "non_goods": ["post"]},
        rates={"GBP": "1.17", "USD": {"2024-04-15": "0.9", "2024-05-10": "0.95"}},
    )
    columns = COLUMNS | {"product": "product", "currency": "currency"}
    folder = tmp_path_factory.mktemp("table")
    schema = pa.schema(
        {"customer": pa.string(), "order": pa.string(), "time": pa.timestamp("us"), "quantity": pa.int64(),
         "price": pa.float64(), "product": pa.string(), "currency": pa.string()}.items()
    )  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "s.parquet")
    config = make_config("s.parquet", columns=columns, time_zone=zones[1])
    table = build_customer_table(Origin(config, study, folder), CustomerRequest(window_days=window_days))
    assert as_rows(table) == slow_table(rows, study, zones[1], window_days)
    report = table.report
    assert report.rows_seen == len(rows)
    assert report.rows_seen == sum(report.dropped.values()) + report.duplicates + report.lines
    assert report.customers == len(table)
    if zones == ("UTC", "UTC"):
        expected = slow_spellings(rows, table, study, window_days)
        assert spellings(table) == expected
        assert report.several_spellings == sum(bool(others) for _, others in expected.values())
    table.save(folder / "t.parquet")
    assert spellings(CustomerTable.load(folder / "t.parquet")) == spellings(table)


def test_the_same_digits_from_every_source(tmp_path: Path):
    rng = np.random.default_rng(5)
    count = 3000
    frame = pa.table(
        {
            "customer": pa.array(rng.integers(10_000, 10_300, count).astype(str)),
            "order": pa.array(rng.integers(1, 900, count)),
            "time": pa.array(
                np.datetime64("2024-01-01T00:00:00", "us") + rng.integers(0, 150 * 86_400, count) * 1_000_000
            ),
            "quantity": pa.array(rng.integers(-2, 12, count)),
            "price": pa.array(np.round(rng.uniform(0, 40, count), 2)),
            "currency": pa.array(rng.choice(["EUR", "GBP"], count)),
        }
    )
    shuffled = frame.take(pa.array(rng.permutation(count)))
    pq.write_table(frame, tmp_path / "sales.parquet")
    (tmp_path / "parts").mkdir()
    pq.write_table(shuffled.slice(0, 1000), tmp_path / "parts" / "a.parquet")
    pq.write_table(shuffled.slice(1000), tmp_path / "parts" / "b.parquet")
    pa_csv.write_csv(shuffled, tmp_path / "sales.csv")
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as database:
        database.execute("create schema till")
        database.execute(f"create table till.sales as from '{tmp_path}/sales.parquet'")
    text = shuffled.to_pandas()
    text["time"] = text["time"].dt.strftime("%d.%m.%Y %H:%M:%S")
    text["price"] = text["price"].map(lambda value: f"{value:,.2f}".translate(str.maketrans(".,", ",.")))
    text.to_csv(tmp_path / "german.txt", sep=";", index=False, encoding="utf-16")
    german = {
        "separator": ";", "encoding": "utf-16", "decimal": ",", "thousands": ".", "date_format": "%d.%m.%Y %H:%M:%S",
    }  # fmt: skip
    columns = COLUMNS | {"currency": "currency"}
    sources: list[dict[str, Any]] = [
        {"url": "sales.parquet"},
        {"url": "parts/*.parquet"},
        {"url": f"parquet://{tmp_path}/parts/?.parquet"},
        {"url": f"file://{tmp_path}/sales.csv"},
        {"url": "duckdb://shop.duckdb", "table": "till.sales"},
        {"url": f"duckdb://{tmp_path}/shop.duckdb", "table": "till.sales"},
        {"url": "csv://german.txt", "csv": german},
        {"url": "sales.parquet", "memory": "200MB"},
    ]
    study = make_study(rates={"GBP": {"2024-01-01": "1.15", "2024-03-01": "1.1725"}})
    tables = [
        build_customer_table(Origin(make_config(columns=columns, **source), study, tmp_path)) for source in sources
    ]
    assert len(tables[0]) > 250
    for table in tables[1:]:
        assert as_rows(table) == as_rows(tables[0])
        assert table.report == tables[0].report


# --- the rules, one by one ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "bad", "cleaning", "config"),
    [
        ("no_customer_id", {"customer": None}, {}, {}),
        ("no_customer_id", {"customer": "  "}, {}, {}),
        ("no_customer_id", {"customer": " NaN"}, {}, {}),
        ("no_customer_id", {"customer": "0.0"}, {}, {}),
        ("no_customer_id", {"customer": "WALK-IN"}, {"null_ids": ["walk-in"]}, {}),
        ("no_order_id", {"order": None}, {}, {}),
        ("no_order_id", {"order": " \t"}, {}, {}),
        ("unreadable_time", {"time": None}, {}, {}),
        ("unreadable_time", {"time": dt.datetime(1899, 12, 30)}, {}, {}),
        ("after_as_of", {"time": dt.datetime(2024, 6, 1)}, {}, {}),
        ("after_as_of", {"time": dt.datetime(9999, 12, 31)}, {}, {}),
        ("unreadable_amount", {"price": None}, {}, {}),
        ("unreadable_amount", {"price": float("nan")}, {}, {}),
        ("unreadable_amount", {"price": float("inf")}, {}, {}),
        ("unreadable_amount", {"price": -1e308, "quantity": 1000}, {}, {}),
        ("return", {"quantity": 0}, {}, {}),
        ("return", {"quantity": -1}, {}, {}),
        ("return", {"price": -0.01}, {}, {}),
        ("cancellation", {"order": "C9"}, {"cancellation_prefix": "C"}, {}),
        ("cancellation", {"order": " C9"}, {"cancellation_prefix": "C"}, {}),
        ("where", {"quantity": 3}, {}, {"where": "quantity < 3 and price = 10"}),
        ("where", {"quantity": None}, {}, {"where": "quantity < 3"}),
        ("where", {"customer": "x"}, {}, {"where": "cast(replace(customer, 'c', '') as integer) = 1"}),
    ],
)
def test_each_rule_drops_and_counts(tmp_path, rule, bad, cleaning, config):
    table = build(tmp_path, [line(), line(**bad)], make_study(cleaning=cleaning), **config)
    assert table.report.dropped == {rule: 1}
    assert as_rows(table) == [("c1", 30, 1, 1000, 30)]


def test_rows_count_under_the_first_rule_only(tmp_path):
    bad = line(customer=None, time=None, order=None, price=float("nan"), quantity=-1)
    report = build(tmp_path, [line(), bad]).report
    assert report.dropped == {"no_customer_id": 1}


def test_non_goods_are_dropped_by_product_code(tmp_path):
    rows = [line(product="CUP"), line(product=" post "), line(product=None, order="o2")]
    table = build(
        tmp_path, rows, make_study(cleaning={"non_goods": ["POST"]}), columns=COLUMNS | {"product": "product"}
    )
    assert table.report.dropped == {"non_goods": 1}
    assert as_rows(table) == [("c1", 30, 2, 2000, 30)]


def test_the_exclusion_list_is_read_like_the_ids(tmp_path):
    (tmp_path / "optout.csv").write_text('customer_id,reason\n 12.0,"asked, by mail"\nc9\n\nc1\n', encoding="utf-8-sig")
    rows = [line(), line(customer="12"), line(customer="c2")]
    table = build(tmp_path, rows, exclude="optout.csv")
    assert table.report.dropped == {"excluded": 2}
    assert table.ids.tolist() == ["c2"]
    with pytest.raises(DataError, match="cannot be read"):
        build(tmp_path, rows, exclude="missing.csv")


def test_returns_are_dropped_or_netted_but_never_orders(tmp_path):
    rows = [
        line(quantity=5),
        line(order="o2", quantity=-2, time=NOON + dt.timedelta(days=9)),
        line(order="C3", quantity=1, price=-5.0, time=NOON - dt.timedelta(days=9)),
        line(customer="only returns", order="o4", quantity=-1),
    ]
    dropped = build(tmp_path, rows, make_study(cleaning={"cancellation_prefix": "C"}))
    assert as_rows(dropped) == [("c1", 30, 1, 5000, 30)]
    assert dropped.report.dropped == {"cancellation": 1, "return": 2}
    netted = build(tmp_path, rows, make_study(cleaning={"cancellation_prefix": "C", "returns": "net"}))
    assert as_rows(netted) == [("c1", 30, 1, 2500, 30)]
    assert (netted.report.netted, netted.report.only_returns, netted.report.dropped) == (3, 1, {})


def test_a_line_of_zero_is_an_order_and_is_counted(tmp_path):
    table = build(tmp_path, [line(price=0.0)])
    assert as_rows(table) == [("c1", 30, 1, 0, 30)]
    assert table.report.free == 1


def test_duplicates_are_equal_in_every_mapped_column(tmp_path):
    rows = [line(product="a"), line(product="a"), line(product="b"), line(product="a", quantity=2, price=5.0)]
    columns = COLUMNS | {"product": "product"}
    assert build(tmp_path, rows, columns=columns).report.duplicates == 1
    assert build(tmp_path, rows).report.duplicates == 2  # without the product, a and b look alike
    kept = build(tmp_path, rows, make_study(cleaning={"duplicates": "keep"}), columns=columns)
    assert (kept.report.duplicates, kept.columns.money.tolist()) == (0, [4000])


def test_rows_without_a_rate_are_dropped_and_counted(tmp_path):
    columns = COLUMNS | {"currency": "currency"}
    rows = [
        line(currency=" eur "),
        line(currency="GBP"),
        line(currency="CHF"),
        line(currency=None),
        line(currency="USD", time=dt.datetime(2024, 1, 5)),
        line(currency="JPY", customer=None),
    ]
    study = make_study(rates={"GBP": "1.2", "USD": {"2024-02-01": "0.9"}})
    path = write(tmp_path / "s.parquet", rows)
    config = make_config(path, columns=columns)
    table = build_customer_table(Origin(config, study, tmp_path))
    assert table.report.dropped == {"no_customer_id": 1, "unknown_currency": 2, "no_rate": 1}
    assert table.columns.money.tolist() == [2200]


@pytest.mark.parametrize(
    ("declared", "rates", "says"),
    [
        (("EUR",), {}, None),
        (("EUR", "GBP"), {"GBP": "1.2"}, None),
        (("GBP",), {"GBP": {"2030-01-01": "1.2"}}, None),
        (("EUR", "GBP", "CHF"), {"GBP": "1.2"}, "no rate for CHF"),
        ((), {"GBP": "1.2"}, "does not declare source.currencies"),
    ],
)
def test_whether_the_study_has_rates_is_decided_from_the_declaration_alone(declared, rates, says):
    """There is no source behind this config at all: no row can change the answer."""
    config = make_config("nowhere.parquet", columns=COLUMNS | {"currency": "currency"}, currencies=declared)
    if says is None:
        config.check_currencies(make_study(rates=rates))
    else:
        with pytest.raises(ConfigError, match=says) as error:
            config.check_currencies(make_study(rates=rates))
        assert error.value.hint


def test_one_currency_for_all_rows_is_a_declaration():
    config = make_config("nowhere.parquet", currency_code="SEK")
    config.check_currencies(make_study(rates={"SEK": "0.09"}))
    with pytest.raises(ConfigError, match="no rate for SEK"):
        config.check_currencies(make_study())
    for source in ({"currency_code": "SEK", "currencies": ("SEK",)}, {"currency_code": None}):
        with pytest.raises(ValidationError, match="curren"):
            make_config("nowhere.parquet", **source)


# --- days, money, ids -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "days"),
    [
        ("2024-05-31T23:59:59.999999", 0),
        ("2024-05-31T00:00:00", 1),
        ("2024-05-31T00:00:00.000001", 0),
        ("2024-05-30T23:59:59.600000", 1),
        ("2024-02-29T00:00:00", 93),
    ],
)
def test_days_are_whole_and_exact(tmp_path, last, days):
    table = build(tmp_path, [line(time=dt.datetime.fromisoformat(last))])
    assert table.columns.recency_days.tolist() == [days]


def test_what_is_older_than_the_window_moves_nothing(tmp_path):
    rows = [
        line(time=dt.datetime(2024, 5, 2)),
        line(customer="c2", order="o2", time=dt.datetime(2024, 5, 1, 23, 59, 59, 999_999)),
        line(customer="c2", order="o3", time=dt.datetime(2024, 5, 31), price=2.5),
    ]
    older = [line(customer=f"c{i % 4}", order=f"old{i}", price=1e6, quantity=q) for i in range(8) for q in (9, -9)]
    study = make_study(cleaning={"returns": "net"})
    month = CustomerRequest(window_days=30)

    def table(rows: list[dict[str, Any]]) -> CustomerTable:
        return build_customer_table(Origin(make_config(write(tmp_path / "s.parquet", rows)), study, tmp_path), month)

    assert as_rows(table(rows)) == [("c1", 30, 1, 1000, 30), ("c2", 1, 1, 250, 1)]
    assert as_rows(table(rows + older)) == as_rows(table(rows))
    assert table(rows + older).report.dropped == {"before_window": 17}
    assert len(build(tmp_path, rows + older, study)) == 4  # without a window everybody is there


def test_every_window_has_a_table_of_its_own_and_none_the_one_of_earlier_releases(tmp_path):
    write(tmp_path / "s.parquet", [line(), line(customer="c2", time=dt.datetime(2024, 5, 30))])
    origin = Origin(make_config("s.parquet"), make_study(), tmp_path)
    sizes = {days: len(own_rows(origin, CustomerRequest(window_days=days))) for days in (None, 7, 60, 3_660)}
    assert sizes == {None: 2, 7: 1, 60: 2, 3_660: 2}
    assert len(list((tmp_path / "state" / "tables").iterdir())) == 4
    assert (tmp_path / "state" / "tables" / f"{table_key(origin)}.parquet").exists()
    assert CustomerRequest().canonical() == b"{}"
    for days in (0, 3_661):
        with pytest.raises(ValidationError, match="window_days"):
            CustomerRequest(window_days=days)


def test_a_window_before_the_calendar_begins_takes_all(tmp_path):
    study = make_study(as_of=dt.date(1901, 1, 1))
    table = build_customer_table(
        Origin(make_config(write(tmp_path / "s.parquet", [line(time=dt.datetime(1900, 1, 2))])), study, tmp_path),
        CustomerRequest(window_days=3_660),
    )
    assert len(table) == 1


def test_the_as_of_day_starts_in_the_study_zone(tmp_path):
    study = make_study(time_zone="Asia/Shanghai")  # midnight there is 16:00 UTC the day before
    rows = [line(customer=f"at {hour}", time=dt.datetime(2024, 5, 31, hour)) for hour in (15, 16, 17, 23)]
    assert build(tmp_path, rows, study).ids.tolist() == ["at 15"]
    assert build(tmp_path, rows, study, time_zone="Asia/Shanghai").ids.tolist() == ["at 15", "at 16", "at 17", "at 23"]
    zoned = [row | {"time": row["time"].replace(tzinfo=zoneinfo.ZoneInfo("America/New_York"))} for row in rows]
    earlier = line(customer="at 11", time=dt.datetime(2024, 5, 31, 11, tzinfo=zoneinfo.ZoneInfo("America/New_York")))
    table = build(tmp_path, [*zoned, earlier], study, time_zone="Pacific/Auckland")
    assert table.ids.tolist() == ["at 11"]
    assert table.columns.recency_days.tolist() == [0]


def test_dates_and_other_resolutions_and_text_are_times(tmp_path):
    times = [
        pa.array([dt.date(2024, 5, 1)]),
        pa.array([dt.datetime(2024, 5, 1)], pa.timestamp("ns")),
        pa.array([dt.datetime(2024, 5, 1)], pa.timestamp("ms")),
        pa.array([dt.datetime(2024, 5, 1)], pa.timestamp("s")),
        pa.array([dt.datetime(2024, 5, 1)], pa.timestamp("ns", "UTC")),
        pa.array([" 2024-05-01 "]),
        pa.array(["2024-05-01T00:00:00Z"]),
    ]
    for time in times:
        row = {name: pa.array([value]) for name, value in line().items()} | {"time": time}
        pq.write_table(pa.table(row), tmp_path / "t.parquet")
        table = build_customer_table(Origin(make_config("t.parquet"), make_study(), tmp_path))
        assert table.columns.recency_days.tolist() == [31], time.type


def test_text_times_with_an_offset_are_not_guessed(tmp_path):
    rows = [line(time="2024-05-01 12:00:00+02:00"), line(time="yesterday"), line(time="2024-05-01 12:00")]
    assert build(tmp_path, rows).report.dropped == {"unreadable_time": 2}
    zulu = [line(time="2024-05-01 12:00:00Z"), line(time="2024-05-01 12:00")]
    assert build(tmp_path, zulu, time_zone="Europe/Berlin").report.dropped == {"unreadable_time": 1}


@pytest.mark.parametrize(
    ("values", "ids", "source_ids"),
    [
        (pa.array([7, 12345]), ["12345", "7"], ["12345", "7"]),
        (pa.array([7.0, float("nan")]), ["7"], ["7.0"]),
        (pa.array([float("inf"), 12345.0, None]), ["12345"], ["12345.0"]),
        (pa.array(["007", "7", "7.0", "7.00"]), ["007", "7"], ["007", "7"]),
        (pa.array([" 7.0", "7.0 ", "\u00a07"]), ["7", "\u00a07"], [" 7.0", "\u00a07"]),
        (pa.array([Decimal("12.00"), Decimal("13.50")]), ["12", "13.50"], ["12.00", "13.50"]),
        (pa.array([0, 5], pa.uint64()), ["5"], ["5"]),
        (pa.array([None, None], pa.int32()), [], []),
    ],
)
def test_ids_in_any_type(tmp_path, values, ids, source_ids):
    row = line()
    columns = {name: pa.array([value] * len(values)) for name, value in row.items()} | {"customer": values}
    pq.write_table(pa.table(columns), tmp_path / "i.parquet")
    table = build_customer_table(Origin(make_config("i.parquet"), make_study(), tmp_path))
    assert table.ids.tolist() == ids
    assert table.source_ids.tolist() == source_ids


def test_every_spelling_of_a_customer_is_kept_and_one_stands_for_it(tmp_path):
    rows = [
        line(customer="9.0 ", order="o1"),
        line(customer=" 9", order="o2"),
        line(customer="9.0", order="o3"),
        line(customer="9.0", order="o3"),  # a duplicate
        line(customer="8 "),
        line(customer="8", time=dt.datetime(2024, 6, 2)),  # after the as-of day: the study does not look at it
        line(customer="7\t", order="o4"),
        line(customer="7", order="o5"),
        line(customer="6"),
        line(customer=" 5", quantity=-1),  # only returns
    ]
    table = build(tmp_path, rows)
    assert spellings(table) == {
        "6": ("6", []),
        "7": ("7", ["7\t"]),
        "8": ("8 ", []),
        "9": (" 9", ["9.0", "9.0 "]),
    }
    assert (table.report.several_spellings, table.report.duplicates) == (2, 1)
    assert [name for name, _, orders, *_ in as_rows(table) if orders == 3] == ["9"]
    assert "9.0" not in f"{table!r} {table.also_spelled!r} {table.spelled}"


def test_two_spellings_of_one_line_are_one_line(tmp_path):
    table = build(tmp_path, [line(customer="7"), line(customer="7.0")])
    assert (as_rows(table), table.report.duplicates) == ([("7", 30, 1, 1000, 30)], 1)
    assert spellings(table) == {"7": ("7", ["7.0"])}


def test_tidy_ids_need_no_third_query(tmp_path, monkeypatch):
    from clients.data.rows import customers, lines

    asked: list[str] = []
    fetch = customers.fetch
    for module in (customers, lines):
        monkeypatch.setattr(module, "fetch", lambda query, what: asked.append(what) or fetch(query, what=what))
    assert build(tmp_path, [line()]).source_ids.tolist() == ["c1"]
    assert asked == ["counting rows", "adding up customers"]


def test_money_is_rounded_half_up_once_per_line_and_once_per_customer(tmp_path):
    rows = [line(order=str(i), price=0.005) for i in range(3)] + [line(customer="c2", price=1.005)]
    table = build(tmp_path, rows)
    assert table.columns.money.tolist() == [2, 101]  # 0.015 and 1.005, not sums of rounded cents
    yen = build(tmp_path, [line(price=10.5), line(customer="c2", price=-10.5, order="x"), line(customer="c2")],
                make_study(currency="JPY", cleaning={"returns": "net"}), currency_code="JPY")  # fmt: skip
    assert yen.columns.money.tolist() == [11, 0]
    dinar = build(tmp_path, [line(price=1.2345)], make_study(currency="KWD"), currency_code="KWD")
    assert dinar.columns.money.tolist() == [1235]


def test_absurd_money_is_capped_and_counted(tmp_path):
    rows = [line(order=str(i), price=1e300) for i in range(10_000)] + [line(customer="c2", price=9e9)]
    table = build(tmp_path, rows)
    assert table.report.capped == 10_000
    assert table.columns.money.tolist() == [9 * 10**15, 9 * 10**11]


def test_amount_in_place_of_quantity_and_price(tmp_path):
    rows = [line(amount="12.30"), line(amount="oops"), line(amount="-1"), line(amount="nan")]
    columns = {"customer": "customer", "order": "order", "time": "time", "amount": "amount"}
    table = build(tmp_path, rows, columns=columns)
    assert table.columns.money.tolist() == [1230]
    assert table.report.dropped == {"unreadable_amount": 2, "return": 1}
    rows = [line(amount=12.3), line(amount=float("nan")), line(amount=float("-inf"))]
    table = build(tmp_path, rows, columns=columns)
    assert (table.columns.money.tolist(), table.report.dropped) == ([1230], {"unreadable_amount": 2})


# --- sources without order ids --------------------------------------------------------------------------------

BY_DAY = {role: name for role, name in COLUMNS.items() if role != "order"}


def test_without_order_ids_an_order_is_what_a_customer_buys_on_one_day(tmp_path):
    rows = [
        line(),
        line(time=dt.datetime(2024, 5, 1, 23, 59, 59), price=5.0),
        line(time=dt.datetime(2024, 5, 2), price=5.0),
        line(customer="c2", price=1.0),
        line(customer="c2", price=2.0, quantity=-1),
        line(customer="c2", price=3.0, time=None),
    ]
    table = build(tmp_path, [{k: v for k, v in row.items() if k != "order"} for row in rows], columns=BY_DAY)
    assert as_rows(table) == [("c1", 30, 2, 2000, 30), ("c2", 30, 1, 100, 30)]
    assert table.report.dropped == {"unreadable_time": 1, "return": 1}


@pytest.mark.parametrize(
    ("zone", "orders"), [("UTC", 2), ("Europe/Berlin", 1), ("Asia/Shanghai", 1), ("America/New_York", 2)]
)
def test_the_day_of_times_with_a_zone_is_the_sources(tmp_path, zone, orders):
    """Half past eleven in the evening and one past five in the morning, in UTC, in winter."""
    moments = (dt.datetime(2024, 1, 1, 23, 30, tzinfo=dt.UTC), dt.datetime(2024, 1, 2, 5, 1, tzinfo=dt.UTC))
    rows = [line(time=moment) for moment in moments]
    table = build(tmp_path, rows, columns=BY_DAY, time_zone=zone)
    assert table.columns.orders.tolist() == [orders]


@settings(max_examples=8, deadline=None)
@given(rows=many_rows)
def test_without_order_ids_agrees_with_ids_made_of_customer_and_day(tmp_path_factory, rows):
    rows = [row | {"order": f"{slow_id(row['customer'])}/{row['time'].date()}"} for row in rows]
    folder = tmp_path_factory.mktemp("days")
    schema = pa.schema(
        {"customer": pa.string(), "order": pa.string(), "time": pa.timestamp("us"), "quantity": pa.int64(),
         "price": pa.float64()}.items()
    )  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "s.parquet")
    study = make_study(cleaning={"returns": "net"})
    with_ids, by_day = (
        build_customer_table(Origin(make_config("s.parquet", columns=columns), study, folder))
        for columns in (COLUMNS, BY_DAY)
    )
    assert as_rows(by_day) == as_rows(with_ids)
    assert by_day.report == with_ids.report


def test_heavy_ids_are_named_not_dropped(tmp_path):
    rows = [line(customer=f"c{i}", order=f"o{i}") for i in range(1000)]
    rows += [line(customer="till", order=f"t{i}") for i in range(25)]
    table = build(tmp_path, rows)
    assert [(h.customer_id, h.orders) for h in table.report.heavy_ids] == [("till", 25)]
    assert "till" in table.ids.tolist()


# --- dirt -----------------------------------------------------------------------------------------------------


def test_an_empty_source_gives_an_empty_table(tmp_path):
    rows = pa.Table.from_pylist([line()]).slice(0, 0)
    pq.write_table(rows, tmp_path / "e.parquet")
    table = build_customer_table(Origin(make_config("e.parquet"), make_study(), tmp_path))
    assert (len(table), table.report.rows_seen, table.report.orders) == (0, 0, 0)
    (tmp_path / "e.csv").write_text("customer,order,time,quantity,price\n")
    assert len(build_customer_table(Origin(make_config("e.csv"), make_study(), tmp_path))) == 0


def test_rows_that_are_all_null_give_an_empty_table(tmp_path):
    table = build(tmp_path, [line(customer=None), dict.fromkeys(line(), None) | {"time": NOON}])
    assert (len(table), table.report.dropped) == (0, {"no_customer_id": 2})


@pytest.mark.slow
def test_one_customer_with_a_million_rows(tmp_path):
    count = 1_000_000
    table = pa.table(
        {
            "customer": pa.array(["c1"] * count),
            "order": pa.array(np.arange(count) // 2),
            "time": pa.array(np.full(count, np.datetime64(NOON, "us"))),
            "quantity": pa.array(np.arange(count) % 2 + 1),
            "price": pa.array(np.full(count, 0.1)),
        }
    )
    pq.write_table(table, tmp_path / "m.parquet")
    result = build_customer_table(Origin(make_config("m.parquet"), make_study(), tmp_path))
    assert as_rows(result) == [("c1", 30, count // 2, 15 * count, 30)]


# --- sources and their errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "source", "says"),
    [
        ("nothing.parquet", {}, "no file at"),
        ("nothing/*.parquet", {}, "no file at"),
        ("broken.parquet", {}, "cannot be read as Parquet"),
        ("folder.csv", {}, "no file at"),
        ("broken.duckdb", {"table": "t"}, "cannot be opened as a DuckDB database"),
        ("shop.duckdb", {}, "needs a table"),
        ("shop.duckdb", {"table": "nope"}, "no table 'nope'"),
        ("sales.what", {}, "cannot tell what"),
        ("sales.xlsx", {}, "no file at"),
        ("oracle://host/db", {}, "no source for oracle://"),
        ("latin.csv", {"csv": {"encoding": "utf-16"}}, "is not utf-16 text"),
    ],
)
def test_unreadable_sources_are_said_plainly(tmp_path, url, source, says):
    (tmp_path / "broken.parquet").write_bytes(b"SECRET-ROW" * 10)
    (tmp_path / "broken.duckdb").write_bytes(b"SECRET-ROW" * 1000)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "latin.csv").write_bytes(
        "customer,order,time,quantity,price\nJosé,1,2024-01-01,1,1\n".encode("latin-1")
    )
    duckdb.connect(str(tmp_path / "shop.duckdb")).close()
    with pytest.raises(DataError, match=says) as caught:
        build_customer_table(Origin(make_config(url, **source), make_study(), tmp_path))
    assert "SECRET" not in str(caught.value)
    assert caught.value.hint


def test_a_line_that_is_no_record_is_left_out_and_named_and_not_quoted(tmp_path, caplog):
    caplog.set_level("INFO")
    body = "".join(f"c{i},o{i},2024-01-01,1,1\n" for i in range(50_000))
    (tmp_path / "s.csv").write_text("customer,order,time,quantity,price\n" + body + "SECRET,1,2\n" + body)
    table = build_customer_table(Origin(make_config("s.csv"), make_study(), tmp_path))
    assert len(table) == 50_000
    assert [item.model_dump() for item in table.report.left_out] == [
        {"reason": "too_few_fields", "lines": 1, "file": "s.csv", "line": 50_002}
    ]
    assert "line 50002 of s.csv" in caplog.text
    assert "SECRET" not in caplog.text


def test_missing_columns_come_with_near_names(tmp_path):
    path = write(tmp_path / "s.parquet", [line()])
    config = make_config(path, columns=COLUMNS | {"customer": "Custumer", "product": "zzz"})
    with pytest.raises(DataError, match=r"did you mean customer\?") as caught:
        build_customer_table(Origin(config, make_study(), tmp_path))
    assert "'zzz'; there is: customer, order" in str(caught.value)


@pytest.mark.parametrize(
    ("role", "value", "says"),
    [("time", 5, "not a time"), ("price", True, "not a number"), ("customer", True, "cannot hold ids")],
)
def test_columns_of_the_wrong_type_are_refused(tmp_path, role, value, says):
    with pytest.raises(DataError, match=says):
        build(tmp_path, [line(**{role: value})])


@pytest.mark.parametrize(
    "where", ["nope = 1", "quantity >", "quantity + 1", "true) from x; --", "select 1", "quantity = 1; drop table x"]
)
def test_conditions_that_are_none_are_refused(tmp_path, where):
    with pytest.raises(DataError, match=r"source\.where"):
        build(tmp_path, [line()], where=where)


def test_the_source_is_opened_read_only(tmp_path):
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute("create table sales as select 'c1' as customer")
    config = make_config(path, table="sales")
    with open_source(config, base=tmp_path) as opened, pytest.raises(duckdb.Error, match="read-only"):
        opened.table.get_backend().raw_sql("insert into holder.main.sales values ('c2')")
    # Other databases too: test_sources.py, test_mysql.py, test_json_and_sqlite.py. Files are not written to.
    files = {"campaigns", "csv", "excel", "jsonl", "parquet"}
    assert set(OPENERS) - files == {"duckdb", "mariadb", "mysql", "postgres", "postgresql", "spark", "sqlite"}


@pytest.mark.parametrize("dialect", ["postgres", "snowflake", "bigquery", "trino"])
def test_the_queries_compile_for_other_databases(tmp_path, dialect):
    schema = {
        "customer": "string",
        "order": "int64",
        "time": "timestamp(6)",
        "quantity": "int64",
        "price": "float64",
        "cur": "string",
    }
    table = ibis.table(schema, name="sales")
    config = make_config("duckdb://x", table="sales", columns=COLUMNS | {"currency": "cur"})
    study = make_study(rates={"GBP": {"2024-02-01": "1.2"}}, cleaning={"returns": "net", "cancellation_prefix": "C"})
    origin = Origin(config, study, tmp_path)
    month = CustomerRequest(window_days=30)
    lines = in_window(cleaned_lines(table, origin), origin, month)
    spelled = spellings_of(in_window(cleaned_lines(table, origin, exact_ids=True), origin, month), study)
    assert spelled is not None
    for query in (_tally(lines, origin, frozenset({"customer"})), customer_query(lines, origin), spelled):
        text = ibis.to_sql(query, dialect=dialect)
        assert "GROUP BY" in text or "DISTINCT" in text


# --- holder.toml ----------------------------------------------------------------------------------------------


def test_holder_toml_is_read_whole(tmp_path):
    (tmp_path / "holder.toml").write_text(
        """
        holder = "online"
        [source]
        url = "sales/*.csv"
        where = "consent = true"
        exclude = "optout.csv"
        time_zone = "Europe/Berlin"
        memory = "2GB"
        [source.csv]
        separator = ";"
        decimal = ","
        [columns]
        customer = "customer_id"
        order = "invoice"
        time = "invoice_date"
        amount = "net_amount"
        currency = "currency"
        store = "store"
        """
    )
    config = read_toml(tmp_path / "holder.toml", HolderConfig)
    assert config.source.csv.separator == ";"
    assert list(config.columns.mapped()) == ["customer", "order", "time", "amount", "currency", "store"]


@pytest.mark.parametrize(
    ("columns", "source", "says"),
    [
        (
            {"amount": "a", "quantity": "q", "price": "p"},
            {"currency_code": "EUR"},
            "amount and quantity/price are both given",
        ),
        ({"quantity": "q"}, {"currency_code": "EUR"}, "only quantity is given"),
        ({}, {"currency_code": "EUR"}, "there is no money column"),
        ({"amount": "a"}, {}, "the currency is missing"),
        ({"amount": "a", "currency": "c"}, {"currency_code": "EUR"}, "are both given; give one"),
        ({"amount": "t"}, {"currency_code": "EUR"}, "column 't' is used for two things"),
        ({"amount": "a"}, {"currency_code": "EUR", "time_zone": "Mars/Base"}, "unknown time zone"),
        ({"amount": "a"}, {"currency_code": "EUR", "csv": {"encoding": "klingon"}}, "unknown encoding"),
        ({"amount": "a"}, {"currency_code": "EUR", "csv": {"decimal": ",", "thousands": ","}}, "the same sign"),
        ({"amount": "a"}, {"currency_code": "EUR", "csv": {"date_format": "dd.mm.yyyy"}}, "strptime codes"),
        ({"amount": "a"}, {"currency_code": "EUR", "memory": "lots"}, "memory"),
    ],
)
def test_wrong_holder_files_are_explained(columns, source, says):
    raw = {
        "holder": "shop",
        "source": {"url": "x.parquet"} | source,
        "columns": {"customer": "k", "order": "o", "time": "t"} | columns,
    }
    with pytest.raises(ValidationError, match=says):
        HolderConfig.model_validate(raw)


def test_a_missing_holder_file_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        read_toml(tmp_path / "holder.toml", HolderConfig)


# --- storing --------------------------------------------------------------------------------------------------


def test_a_saved_table_comes_back_and_is_owner_only(tmp_path):
    table = build(tmp_path, [line(), line(customer="Zoë")])
    path = tmp_path / "state" / "tables" / "t.parquet"
    old = os.umask(0)
    try:
        table.save(path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [item.name for item in path.parent.iterdir()] == ["t.parquet"]
    loaded = CustomerTable.load(path)
    assert as_rows(loaded) == as_rows(table)
    assert loaded.report == table.report
    table.save(tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("content", [b"", b"PAR1 rubbish", None])
def test_a_damaged_table_is_a_data_error(tmp_path, content):
    path = tmp_path / "t.parquet"
    if content is None:
        pq.write_table(pa.table({"customer_id": ["a"]}), path)
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match="not a customer table"):
        CustomerTable.load(path)


def test_the_table_is_computed_once_per_study_and_day(tmp_path):
    write(tmp_path / "s.parquet", [line()])
    (tmp_path / "out.csv").write_text("nobody\n")
    config = make_config("s.parquet", exclude="out.csv")
    first = own_rows(Origin(config, make_study(), tmp_path), CustomerRequest())
    write(tmp_path / "s.parquet", [line(), line(customer="c2")])
    assert as_rows(own_rows(Origin(config, make_study(), tmp_path), CustomerRequest())) == as_rows(first)
    later = make_study(as_of=dt.date(2024, 6, 2))
    assert len(own_rows(Origin(config, later, tmp_path), CustomerRequest())) == 2
    key = table_key(Origin(config, make_study(), tmp_path))
    (tmp_path / "out.csv").write_text("c1\n")
    assert table_key(Origin(config, make_study(), tmp_path)) != key
    assert own_rows(Origin(config, make_study(), tmp_path), CustomerRequest()).ids.tolist() == ["c2"]


def test_reprs_show_nothing(tmp_path):
    table = build(tmp_path, [line(customer="SECRET")])
    for value in (table, table.columns, table.report):
        assert "SECRET" not in f"{value!r} {value}"
        assert "30" not in f"{value!r} {value}"
