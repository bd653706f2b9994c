"""JSON lines and SQLite as sources: paths, kinds of their own in every cell, and every line accounted for."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from shop_kit import TRUTH, Line, drafted, figures, shop
from source_kit import make_config

from clients.data.check import preflight
from clients.data.config import HolderConfig
from clients.data.sources import open_source
from clients.data.sources.json_lines import steps
from privacy.errors import DataError

COLUMNS = {
    "customer": "$.customer.email", "order": "id", "time": "created_at", "amount": "$.total.gross", "product": "sku",
}  # fmt: skip


def record(line: Line) -> dict[str, Any]:
    return {
        "id": line.order,
        "created_at": f"{line.time:%Y-%m-%dT%H:%M:%S}",
        "customer": {"email": f"c{line.customer}@example.org", "tags": ["a", "b"]},
        "total": {"gross": line.price * line.quantity, "currency": "EUR"},
        "sku": line.sku,
    }


def lines_of(records: Iterable[object]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in records)


def of_json(folder: Path, **source: Any) -> HolderConfig:
    (folder / "sales.jsonl").write_bytes(lines_of(map(record, shop())))
    return make_config("sales.jsonl", columns=COLUMNS, **source)


def test_nested_objects_are_columns_by_path(tmp_path):
    config = of_json(tmp_path)
    assert figures(preflight(config, None, base=tmp_path)) == TRUTH
    config, text = drafted(tmp_path / "sales.jsonl")
    assert 'customer = "$.customer.email"' in text
    assert 'amount = "$.total.gross"' in text
    report = preflight(config, None, base=tmp_path)
    assert (figures(report), report.first) == (TRUTH, dt.datetime(2024, 1, 3, 9, 30))


def test_packed_files_of_a_folder(tmp_path):
    (tmp_path / "export").mkdir()
    for name, some in (("a.jsonl", shop()[:30]), ("b.ndjson", shop()[30:])):
        (tmp_path / "export" / name).write_bytes(gzip.compress(lines_of(map(record, some))))
    config = make_config("export", columns=COLUMNS)
    report = preflight(config, None, base=tmp_path)
    assert figures(report) == TRUTH
    assert [item.rows for item in report.files] == [30, 50]


def test_lines_that_are_no_objects_are_counted_and_named(tmp_path):
    config = of_json(tmp_path)
    good = (tmp_path / "sales.jsonl").read_bytes().splitlines(keepends=True)
    deep = b"[" * 200_000
    bad = [
        b'{"id": 1, "SECRET"\n',
        b"[1]\n",
        b'"SECRET"\n',
        b"\xff\n",
        b"\n",
        deep + b"\n",
        b'{"a":' + b" " * (1 << 20) + b"1}\n",
    ]
    (tmp_path / "sales.jsonl").write_bytes(b"".join(good[:40] + bad + good[40:]))
    report = preflight(config, None, base=tmp_path)
    assert figures(report) == TRUTH
    [lines] = report.files
    assert (lines.rows, lines.blank, lines.above) == (80, 1, 0)
    assert {item.reason: (item.lines, item.line) for item in lines.left_out} == {
        "no_json": (4, 41), "encoding": (1, 44), "too_long": (1, 47),
    }  # fmt: skip
    assert "lines that are no JSON object: 4, the first at line 41 of sales.jsonl" in str(report.problems)
    assert "SECRET" not in str(report.problems) + str(report.warnings)


def test_numbers_keep_their_digits_and_text_is_read_as_stated(tmp_path):
    rows = [
        {"c": 12345678901234567890, "t": "2024-01-03", "a": 0.1},
        {"c": "x", "t": 1704272400, "a": "1.234,50 €"},
        {"c": "\ud800", "t": "2024-01-03", "a": 1e2},
        {"c": True, "t": None, "a": float("nan")},
    ]
    (tmp_path / "s.jsonl").write_bytes(lines_of(rows))
    read = {"amount": {"decimal": ",", "thousands": ".", "signs": ["€"]}, "time": {"formats": ["iso", "epoch_s"]}}
    config = make_config("s.jsonl", columns={"customer": "c", "time": "t", "amount": "a"}, read=read)
    with open_source(config, base=tmp_path) as opened:
        found = opened.table.to_pyarrow().to_pylist()
    assert [row["c"] for row in found] == ["12345678901234567890", "x", "?", "true"]
    assert [row["a"] for row in found] == [0.1, 1234.5, 100.0, None]
    assert [row["t"].hour if row["t"] else None for row in found] == [0, 9, 0, None]


def test_what_is_mapped_and_not_there_is_told(tmp_path):
    config = of_json(tmp_path)
    for columns, says in (
        ({"amount": "$.total.net"}, "columns.amount: sales.jsonl has no column '$.total.net'"),
        ({"amount": "total"}, "80 records have an object or a list at 'total'"),
        ({"customer": "$.customer[x"}, "is no path"),
    ):
        wrong = config.model_copy(update={"columns": config.columns.model_copy(update=columns)})
        assert says in str(preflight(wrong, None, base=tmp_path).problems)
    (tmp_path / "sales.jsonl").write_text(json.dumps([record(line) for line in shop()]))
    [problem] = preflight(config, None, base=tmp_path).problems
    assert "is one JSON list" in problem.text
    assert "jq" in problem.hint


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("id", ("id",)),
        ("$.a.b", ("a", "b")),
        ("$.a[0].b", ("a", 0, "b")),
        ('$["a.b"].c', ("a.b", "c")),
        ("$.a[", None),
        ("$", None),
    ],
)
def test_paths(name, found):
    assert steps(name) == found


# --- SQLite --------------------------------------------------------------------------------------------------------


def of_sqlite(path: Path, *more: tuple[object, ...]) -> Path:
    with sqlite3.connect(path) as database:
        database.execute('CREATE TABLE "order lines" (id, placed_at, client, sku, qty, unit_price, note BLOB)')
        rows = [
            (line.order, f"{line.time}", float(line.customer), line.sku, line.quantity, line.price, b"\0\1")
            for line in shop()
        ]
        database.executemany('INSERT INTO "order lines" VALUES (?,?,?,?,?,?,?)', [*rows, *more])
        database.execute("CREATE TABLE visits (a)")
    database.close()
    return path


SQLITE = {"customer": "client", "order": "id", "time": "placed_at", "quantity": "qty", "price": "unit_price"}


@pytest.mark.parametrize("name", ["shop.sqlite", "shop.db", "shop"])
def test_a_sqlite_database_is_told_by_its_bytes(tmp_path, name):
    config, text = drafted(of_sqlite(tmp_path / name), table="order lines")
    assert 'table = "order lines"' in text
    assert figures(preflight(config, None, base=tmp_path)) == TRUTH


def test_cells_of_one_column_may_be_of_several_kinds(tmp_path):
    day = "2024-12-01 10:00:00"
    odd = [
        ("x1", day, "502", "A", 1, "3.5", None),
        ("x2", day, 502, "A", "2", 1e-7, None),
        ("x3", day, "gästé", "A", 1, 2**53 + 1, None),
        ("x4", day, 503, "A", 1, b"\x01", None),
        ("x5", "soon", 503, "A", 1, 1, None),
    ]
    of_sqlite(tmp_path / "shop.sqlite", *odd)
    config = make_config("shop.sqlite", table="order lines", columns=SQLITE)
    report = preflight(config, None, base=tmp_path)
    assert report.cleaning is not None
    assert (report.cleaning.orders, report.cleaning.customers) == (43, 21)
    assert (report.cleaning.dropped["unreadable_amount"], report.cleaning.dropped["unreadable_time"]) == (1, 1)


def test_sqlite_is_read_only_and_says_what_is_wrong(tmp_path):
    of_sqlite(tmp_path / "shop.sqlite")
    before = (tmp_path / "shop.sqlite").read_bytes()
    for url, table, says in (
        ("shop.sqlite", None, "needs a table"),
        ("shop.sqlite", "orders", "has no table 'orders'"),
        ("sqlite://absent", "x", "there is no file"),
        ("sqlite://broken", "x", "cannot be read as a SQLite database (SQLITE_NOTADB)"),
        ("duckdb://shop.sqlite", "x", "is a SQLite database"),
    ):
        (tmp_path / "broken").write_bytes(b"SECRET" * 200)
        with pytest.raises(DataError) as caught, open_source(make_config(url, table=table), base=tmp_path):
            pass
        assert says in caught.value.message
        assert caught.value.hint
    assert (tmp_path / "shop.sqlite").read_bytes() == before
    with sqlite3.connect(tmp_path / "shop.sqlite") as database:
        database.execute("CREATE TABLE sales (a)")
    database.close()
    with pytest.raises(DataError, match="several tables: order lines, sales, visits"):
        drafted(tmp_path / "shop.sqlite")
