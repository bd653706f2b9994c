"""From a file's bytes to the customer table: what one customer's lines say changes nothing for anybody else.

The others' integers are the same whatever one customer's lines hold and wherever they stand, or the file is refused;
and no text, log or report quotes a row.
"""

from __future__ import annotations

import datetime as dt
import gzip
import io
import logging
import os
import signal
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console

import clients.data.sources.csv as csv_source
from clients.answering.folder import HolderFolder, LiveNode
from clients.data.check import preflight
from clients.data.check_page import render_check
from clients.data.cleaning.ids import read_exclusion_list
from clients.data.config import HolderConfig
from clients.data.exclusion import exclude
from clients.data.guess.guess import new_holder_file
from clients.data.origin import Origin
from clients.data.place import CsvFormat
from clients.data.rows.customers import CustomerTable, build_customer_table
from clients.data.rows.features import build_features
from clients.data.scratch import empty_scratch, scratch_folder
from clients.data.sources import fetch, open_source
from clients.data.sources.lines import LONGEST, Shape, Sieve
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.analyses.rfm.segments import CutPoints, SegmentRules
from privacy.errors import CohortiumError, ConfigError, DataError
from privacy.kernel.canonical import read_toml
from privacy.kernel.feature_request import FeatureRequest
from privacy.protocol.study import Study

HEAD = b"customer,order,time,amount,note\n"
COLUMNS = {"customer": "customer", "order": "order", "time": "time", "amount": "amount"}
STUDY = Study.model_validate({"name": "s", "as_of": dt.date(2025, 1, 1), "budget": {"epsilon": "1"}})
FEATURES = FeatureRequest.model_validate(
    {"names": ["recency_days", "orders_90"], "days": ["2024-07-01", "2024-10-01"], "horizon_days": 90}
)
TOTALS = SegmentTotals(
    rules=SegmentRules(
        cuts=CutPoints(
            recency_days=(10, 20, 30, 40), orders=(1, 2, 3, 4), money=(100, 200, 300, 400),
            recency_high=20, orders_high=2, money_high=200,
        ),
        money_unit=100,
    ),
    schemes=("eight",), orders_cap=5, money_cap=10_000,
)  # fmt: skip
OWN = b"VICTIM,O9,2024-05-05 10:00:00,10.00,"
"""The beginning of the one customer's lines."""


def others(count: int, prefix: str = "B") -> list[bytes]:
    """Lines of other customers, two each."""
    return [
        f"{prefix}{i % (count // 2):04d},{prefix}O{i},2024-{1 + i % 12:02d}-{1 + i % 28:02d} 10:00:00,"
        f"{i * 37 % 9000 / 100 + 1:.2f},n{i}\n".encode()
        for i in range(count)
    ]


def config_of(url: str = "sales-*.csv", *, columns: Mapping[str, str] = COLUMNS, **source: Any) -> HolderConfig:
    return HolderConfig.model_validate(
        {"holder": "shop", "source": {"url": url, "currency_code": "EUR"} | source, "columns": dict(columns)}
    )


def write(folder: Path, *files: list[bytes] | bytes) -> None:
    for number, lines in enumerate(files):
        body = lines if isinstance(lines, bytes) else HEAD + b"".join(lines)
        (folder / f"sales-{number}.csv").write_bytes(body)


def integers(table: CustomerTable) -> dict[str, tuple[int, ...]]:
    """Every customer's integers."""
    columns = table.columns
    rows = zip(columns.recency_days, columns.orders, columns.money, columns.tenure_days, strict=True)
    return {name: tuple(map(int, row)) for name, row in zip(table.ids, rows, strict=True)}


def built(folder: Path, config: HolderConfig | None = None) -> CustomerTable:
    return build_customer_table(Origin(config or config_of(), STUDY, folder))


# --- one customer's lines ----------------------------------------------------------------------------------------

#: One customer's lines, and for what they are left out. Of two, the others' lines are between them.
KINDS: dict[str, tuple[tuple[bytes, ...], str | None]] = {
    "plain": ((OWN + b"x\n",), None),
    "one separator too many": ((OWN + b"Miller, Jane\n",), "too_many_fields"),
    "a separator at the end": ((OWN + b"x,\n",), "too_many_fields"),
    "too few": ((b"VICTIM,O9\n",), "too_few_fields"),
    "a quote at the start of a field": ((OWN + b'"12 inch monitor\n',), "quotes"),
    "a quote at the start of the line": ((b'"' + OWN + b"x\n",), "quotes"),
    "blanks and a quote": ((OWN + b'  "x\n',), "quotes"),
    "a quote inside": ((OWN + b'12" monitor\n',), None),
    "text after a closing quote": ((OWN + b'"a"b\n',), "quotes"),
    "backslash and quote": ((OWN + b'"12\\" monitor"\n',), "quotes"),
    "a lone quote": ((b'"\n',), "quotes"),
    "two stray quotes": ((OWN + b'"12 inch\n', OWN.replace(b"O9", b"O8") + b'15"\n'), "quotes"),
    "two stray quotes in one column": ((OWN + b'"12 inch\n', OWN + b'"15 inch\n'), "quotes"),
    "a line break in quotes": ((OWN + b'"a\nb"\n',), "quotes"),
    "a carriage return inside": ((OWN + b"a\rb\n",), "carriage_return"),
    "another line end": ((OWN + b"x\r\n",), None),
    "a line end and a half": ((OWN + b"x\r\r\n",), "carriage_return"),
    "NUL": ((OWN + b"a\0b\n",), "nul"),
    "not UTF-8": ((OWN + b"caf\xe9\n",), "encoding"),
    "half a sign of UTF-8": ((OWN + b"caf\xc3\n",), "encoding"),
    "a mark of UTF-8": ((b"\xef\xbb\xbf" + OWN + b"x\n",), None),
    "too long": ((OWN + b"y" * (LONGEST + 1) + b"\n",), "too_long"),
    "a comment": ((b"#" + OWN + b"x\n",), None),
    "a header": ((HEAD,), "header"),
    "a separator line": ((b"sep=;\n",), "too_few_fields"),
    "an empty line": ((b"\n",), None),
}


def around(lines: list[bytes], own: tuple[bytes, ...]) -> list[bytes]:
    """One customer's lines first, in the middle, and last; of two, every other one."""
    half = len(lines) // 2
    return [own[0], *lines[:half], own[-1], *lines[half:], own[0], own[-1]]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> CustomerTable:
    folder = tmp_path_factory.mktemp("alone")
    write(folder, others(20, "A"), others(40))
    return built(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_one_customers_lines_change_nobody_else(kind, tmp_path):
    """All rows of all others are there, in that file and the one beside it, and the line counts for its own reason."""
    lines, reason = KINDS[kind]
    write(tmp_path, others(20, "A"), around(others(40), lines))
    with open_source(config_of(), base=tmp_path) as opened:
        rows = Counter(tuple(row.values()) for row in fetch(opened.table, what="reading rows").to_pylist())
    theirs = Counter(tuple(line.decode().rstrip().split(",")) for line in (*others(20, "A"), *others(40)))
    assert rows & theirs == theirs
    assert rows.total() - theirs.total() == sum(file.rows for file in opened.files) - 60 <= 4
    assert [item.reason for item in opened.left_out][:1] == ([reason] if reason else [])
    if reason:
        assert (opened.left_out[0].file, opened.left_out[0].line) == ("sales-1.csv", 2)


@pytest.mark.parametrize("kind", ["plain", "two stray quotes", "one separator too many", "a lone quote", "not UTF-8"])
def test_the_others_integers_are_as_they_were_and_no_text_quotes_the_line(kind, tmp_path, alone, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    write(tmp_path, others(20, "A"), around(others(40), KINDS[kind][0]))
    table = built(tmp_path)
    found = integers(table)
    assert {name: found.get(name) for name in integers(alone)} == integers(alone)
    told = caplog.text + "".join(capfd.readouterr()) + repr([item.says for item in table.report.left_out])
    assert ("line 2 of sales-1.csv" in caplog.text) == (KINDS[kind][1] is not None)
    assert "VICTIM" not in told
    assert "inch" not in told


def test_two_stray_quotes_take_nobody_with_them_whatever_is_between(tmp_path):
    """A quoted field that goes on over lines would take all between, up to DuckDB's longest line."""
    lines = others(20_000)
    write(tmp_path, around(lines, KINDS["two stray quotes"][0]))
    table = built(tmp_path)
    assert len(table) == 10_001, "and the customer of the line whose quote stands behind a number"
    assert table.report.rows_seen == len(lines) + 2


def test_the_others_sums_and_features_are_as_they_were(tmp_path, alone):
    """What leaves are sums of integers: a customer adds its own row to them and nothing else."""
    write(tmp_path, others(20, "A"), others(40))
    before = build_features(Origin(config_of(), STUDY, tmp_path), FEATURES)
    own = tuple(line for lines, _ in KINDS.values() for line in lines if len(line) < LONGEST)
    write(tmp_path, [*own, *others(20, "A")], [*others(40), *own])
    table = built(tmp_path)
    mine = table.ids == "VICTIM"
    assert mine.sum() == 1
    moved = TOTALS.encode_sum(table.columns) - TOTALS.encode_sum(alone.columns)
    strangers = ~np.isin(table.ids, alone.ids)  # VICTIM, and ids with a comment's sign or a mark before it
    np.testing.assert_array_equal(moved, TOTALS.encode_rows(table.columns)[strangers].sum(axis=0))
    assert all("VICTIM" in name for name in table.ids[strangers])
    after = build_features(Origin(config_of(), STUDY, tmp_path), FEATURES)
    same = np.isin(after.ids, before.ids)
    assert after.ids[same].tolist() == before.ids.tolist()
    for name in ("values", "eligible", "outcome"):
        np.testing.assert_array_equal(getattr(after.table, name)[same], getattr(before.table, name))


# --- any bytes, any kind of file ---------------------------------------------------------------------------------

#: How a file is written: from lines of UTF-8 to its bytes, and ``[source.csv]``.
FILES: dict[str, tuple[Callable[[bytes], bytes], dict[str, str]]] = {
    "plain": (lambda body: body, {}),
    "packed": (gzip.compress, {}),
    "with carriage returns": (lambda body: body.replace(b"\n", b"\r\n"), {}),
    "with carriage returns only": (lambda body: body.replace(b"\n", b"\r"), {}),
    "without an end": (lambda body: body.removesuffix(b"\n"), {}),
    "with a mark": (lambda body: b"\xef\xbb\xbf" + body, {}),
    "with a separator line": (lambda body: b"sep=,\n" + body, {}),
    "Latin-1": (lambda body: body, {"encoding": "latin-1"}),
    "ASCII": (lambda body: body, {"encoding": "ascii"}),
    "Chinese": (lambda body: body, {"encoding": "gb18030"}),
    "Japanese, with shifts": (lambda body: body, {"encoding": "iso2022_jp"}),
    "UTF-7": (lambda body: body, {"encoding": "utf-7"}),
    "UTF-16": (lambda body: body.decode(errors="replace").encode("utf-16"), {"encoding": "utf-16"}),
    "UTF-32, no mark": (lambda body: body.decode(errors="replace").encode("utf-32-be"), {"encoding": "utf-32-be"}),
}

_SIGNS = st.sampled_from(
    [b",", b",", b'"', b'"', b'""', b" ", b"x", b"\r", b"\0", b"\\", b"#", b"'", b"\x81", b"\xe9", b"\xc3", b"\xff",
     b"\x1b$B", b"~{", b"+AGE", "\u00fc".encode(), "\u2028".encode(), b"\x85", b"\x1a", b"1.00", b"2024-05-05"]
)  # fmt: skip
_RAW = st.lists(_SIGNS, max_size=9).map(b"".join)
_LINES = st.lists(st.one_of(_RAW, _RAW.map(lambda tail: OWN + tail), st.binary(max_size=20)), min_size=1, max_size=4)


def rows_of(folder: Path, config: HolderConfig) -> Counter[tuple[str | None, ...]]:
    with open_source(config, base=folder) as opened:
        rows = fetch(opened.table, what="reading rows").to_pylist()
        opened.check_rows(len(rows))
    return Counter(tuple(row.values()) for row in rows)


@settings(max_examples=30, deadline=None)
@given(kind=st.sampled_from(sorted(FILES)), own=_LINES, places=st.lists(st.integers(0, 6), min_size=4, max_size=4))
def test_any_lines_in_any_file_leave_the_others_rows_as_they_are(tmp_path_factory, kind, own, places):
    folder = tmp_path_factory.mktemp("any")
    lines = others(6)
    for line, place in zip(own, places, strict=False):
        lines.insert(place, line.replace(b"\n", b"") + b"\n")
    pack, form = FILES[kind]
    write(folder, pack(HEAD + b"".join(lines)))
    rows = rows_of(folder, config_of(csv=form))
    strangers = rows - Counter(tuple(line.decode().rstrip().split(",")) for line in others(6))
    assert rows.total() - strangers.total() == 6, "a line of somebody else is missing or changed"
    assert strangers.total() <= 2 * len(own)  # a carriage return may end a line


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_bytes_that_shift_all_that_follow_are_refused(tmp_path, encoding, ends):
    """One byte in an early line and the rest of the sign in a later one: between them nothing is what it was."""
    size = 4 if "32" in encoding else 2
    body = (HEAD + b"".join(others(20))).replace(b"\n", ends).decode().encode(encoding)
    for early in range(1, size):
        shifted = (
            body[: 40 * size] + b"x" * early + body[40 * size : -5 * size] + b"x" * (size - early) + body[-5 * size :]
        )
        (tmp_path / "sales-0.csv").write_bytes(shifted)
        with pytest.raises(DataError, match=rf"sales-0.csv is not {encoding} text"):
            rows_of(tmp_path, config_of(csv={"encoding": encoding}))


_FIELDS = st.lists(st.sampled_from([",", ",", ",", '"', '"', '""', " ", "a", "\r", "\0", "\u00e9", "\\", "\t", ";"]))


@settings(max_examples=100, deadline=None)
@given(
    separator=st.sampled_from([",", ";", "\t", " ", "|", "\\", "\u00a6"]),
    width=st.integers(1, 4),
    texts=st.lists(_FIELDS.map("".join), min_size=1, max_size=12),
    odd=st.booleans(),
)
def test_the_fast_sieve_is_the_rule(separator, width, texts, odd):
    lines = [text.replace(",", separator).encode("latin-1" if odd else "utf-8") for text in texts]
    shape, sieve = Shape(separator, width), Sieve(Shape(separator, width), before=1)
    kept = sieve.sift(b"".join(line + b"\n" for line in lines))
    right = [line for line in lines if line not in (b"", b"\r") and shape.wrong(line) is None]
    assert kept == b"".join(line + b"\n" for line in right)
    found = sieve.found
    assert found.rows == len(right)
    assert found.rows + found.blank + sum(count for count, _ in found.left_out.values()) == len(lines)
    for reason, (_, first) in found.left_out.items():
        wrong = shape.wrong(lines[first - 2])
        assert wrong is not None
        assert wrong.name == reason


@pytest.mark.parametrize("separator", [",", "\t", "\\", "\u00a6", " "])
def test_duckdb_reads_well_formed_lines_as_each_says_alone(tmp_path, separator):
    """All lines of up to six signs out of five, in one file."""
    signs = sorted({separator, '"', "a", " ", "'"})
    texts = [""]
    every: list[str] = []
    for _ in range(6):
        texts = [text + sign for text in texts for sign in signs]
        every += texts
    shape = Shape(separator, 3)
    right = [text for text in every if shape.wrong(text.encode()) is None]
    assert len(right) > 500
    (tmp_path / "sales-0.csv").write_text(separator.join("xyz") + "\n" + "\n".join(right), encoding="utf-8")
    config = config_of(columns={"customer": "x", "time": "y", "amount": "z"}, csv={"separator": separator})
    found = rows_of(tmp_path, config)
    said = (shape.fields(text.encode()) for text in right)
    assert found == Counter(tuple(field or None for field in fields) for fields in said if fields)
    (tmp_path / "sales-0.csv").write_text(separator.join("xyz") + "\n" + "\n".join(every), encoding="utf-8")
    assert rows_of(tmp_path, config) == found


# --- headers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", COLUMNS)
@pytest.mark.parametrize("fault", ["missing", "twice"])
def test_a_mapped_column_that_one_file_lacks_or_names_twice_is_refused(tmp_path, role, fault):
    """In the first file or a later one; the text says what holder.toml says, and nothing that the file says."""
    name = role.encode()
    odd = HEAD.replace(name, b"SECRET") if fault == "missing" else HEAD.replace(b"note", name)
    config = config_of()
    for files in ([odd, HEAD], [HEAD, odd]):
        write(tmp_path, *(head + b"".join(others(20, "AB"[i])) for i, head in enumerate(files)))
        with pytest.raises(DataError) as caught:
            built(tmp_path)
        at = files.index(odd)
        says = "no column" if fault == "missing" else "more than one column"
        assert caught.value.message == f"columns.{role}: sales-{at}.csv has {says} {role!r} (1 of 2 files)"
        assert "SECRET" not in caught.value.message + caught.value.hint
        [problem] = preflight(config, STUDY, base=tmp_path).problems
        assert problem.code == "missing_column"
        there = "it has 'SECRET'" if fault == "missing" else f"from the left they are {role}_0, {role}_1"
        assert there in problem.text, "the holder's own screen names what the file has instead"


def test_a_file_without_a_header_is_refused_and_its_first_row_not_quoted(tmp_path):
    write(tmp_path, others(20), b"".join(others(20, "VICTIM")))
    with pytest.raises(DataError, match=r"sales-1.csv has no column 'customer'") as caught:
        built(tmp_path)
    report = preflight(config_of(), STUDY, base=tmp_path)
    assert "VICTIM" not in caught.value.message + caught.value.hint + repr(report.problems)
    assert len(report.problems) == 4


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is empty"),
        (b"\n\r\n", "is empty"),
        (b'customer,"or\nder",time,amount\nVICTIM,1,2024-01-01,1\n', "cannot be read as names"),
        (b"customer,order,time,amount\0\nVICTIM,1,2024-01-01,1\n", "cannot be read as names"),
        (b"caf\xe9,order,time,amount\nVICTIM,1,2024-01-01,1\n", "cannot be read as names"),
        (b"x" * (LONGEST + 1) + HEAD, "cannot be read as names"),
        (gzip.compress(HEAD + b"VICTIM,1,2024-01-01,1\n" * 2000, mtime=0)[:-12], "damaged or cut off"),
        (gzip.compress(HEAD, mtime=0)[:9], "damaged or cut off"),
        (b"\x28\xb5\x2f\xfdVICTIM", "damaged|cannot be read"),
    ],
)
def test_files_that_cannot_be_read_are_named_and_not_quoted(tmp_path, body, says):
    write(tmp_path, others(20), body)
    with pytest.raises(DataError, match=f"sales-1.csv.*({says})") as caught:
        built(tmp_path)
    assert "VICTIM" not in caught.value.message


def test_files_may_have_their_columns_in_other_orders_and_more_of_them(tmp_path, alone):
    names = HEAD.decode().strip().split(",")
    turned = [b",".join(reversed(line.rstrip().split(b","))) + b",more,,x\r\n" for line in others(40)]
    # Names in other case, with blanks around and invisible signs; empty ones, and two of one name that nobody maps.
    head = ",".join(["\u200bnote", "Amount ", ' "TIME"'.strip(), "order", "customer", "extra", "", "EXTRA"]) + "\r\n"
    write(tmp_path, others(20, "A"), head.encode() + b"".join(turned))
    with open_source(config_of(), base=tmp_path) as opened:
        assert opened.table.columns == (*names[:4], "note", "extra", "column_7", "EXTRA_1")
        assert fetch(opened.table.filter(opened.table.extra == "more"), what="x").num_rows == 40
    assert integers(built(tmp_path)) == integers(alone)
    with_condition = config_of(where="extra IS NULL OR extra = 'more'")
    assert integers(built(tmp_path, with_condition)) == integers(alone)


def test_folders_are_columns_for_files_read_in_place_and_as_copies(tmp_path):
    """A copy lies elsewhere; the value of its folder comes along."""
    for store, body in (("12", HEAD + b"".join(others(4))), ("007%20b", HEAD + b'"\n' + b"".join(others(4, "A")))):
        (tmp_path / f"store={store}").mkdir()
        (tmp_path / f"store={store}" / "sales-0.csv").write_bytes(body)
    config = config_of("store=*/sales-*.csv", columns=COLUMNS | {"store": "store"})
    with open_source(config, base=tmp_path) as opened:
        found = fetch(opened.table.select("customer", "store").distinct(), what="x").to_pylist()
        opened.check_rows(8)
    assert {(row["customer"][0], row["store"]) for row in found} == {("B", "12"), ("A", "007 b")}


def test_a_parquet_file_that_lacks_a_mapped_column_is_refused_too(tmp_path):
    """United by name it would come as nulls: guest sales, without a word."""
    row = {"customer": "c1", "order": "o1", "time": dt.datetime(2024, 5, 1), "amount": 1.0}
    config = config_of("*.parquet")
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    for odd, says in (
        (pa.Table.from_pylist([{**row, "who": "VICTIM"}]).drop_columns(["customer"]), "no column"),
        (pa.Table.from_pylist([{**row, "Customer": "VICTIM"}]), "more than one column"),
    ):
        pq.write_table(odd, tmp_path / "b.parquet")
        with pytest.raises(DataError) as caught:
            built(tmp_path, config)
        assert caught.value.message == f"columns.customer: b.parquet has {says} 'customer' (1 of 2 files)"
    pq.write_table(pa.Table.from_pylist([{"more": 1, **row, "customer": "c2"}]), tmp_path / "b.parquet")
    assert built(tmp_path, config).ids.tolist() == ["c1", "c2"]


@pytest.mark.parametrize(
    "form",
    [{"separator": '"'}, {"separator": "\n"}, {"separator": "\r"}, {"separator": "\0"}, {"encoding": "base64"},
     {"encoding": "unicode_escape"}, {"encoding": "punycode"}, {"encoding": "idna"}, {"encoding": "undefined"}],
)  # fmt: skip
def test_forms_that_are_none_of_files_of_lines_are_refused(form):
    with pytest.raises(ValidationError):
        CsvFormat.model_validate(form)


# --- copies and the scratch folder -------------------------------------------------------------------------------


def copies(folder: Path) -> list[Path]:
    return sorted((folder / "state").rglob("rows.csv"))


@pytest.mark.parametrize(
    ("body", "form", "copied"),
    [
        (HEAD + b"".join(others(4)), {}, False),
        (b"\xef\xbb\xbf" + HEAD + b'"a, ""b""",,,,\n', {}, False),
        ((HEAD + b"".join(others(4))).replace(b"\n", b"\r\n").removesuffix(b"\r\n"), {}, False),
        (gzip.compress(HEAD + b"".join(others(4))), {}, False),
        (HEAD + others(4)[0].replace(b"\n", b"\r\n") + others(4)[1], {}, True),
        (HEAD + b"\n" + others(4)[0], {}, True),
        (HEAD + b"a,b\n", {}, True),
        (HEAD, {"encoding": "latin-1"}, True),
    ],
)
def test_only_files_with_something_to_leave_out_are_copied_and_for_the_owner_alone(tmp_path, body, form, copied):
    write(tmp_path, body)
    with open_source(config_of(csv=form), base=tmp_path) as opened:
        assert len(copies(tmp_path)) == copied
        for path in copies(tmp_path):
            assert stat.S_IMODE(path.parents[1].stat().st_mode) == 0o700
            assert stat.S_IMODE((tmp_path / "state" / "scratch").stat().st_mode) == 0o700
        opened.check_rows(fetch(opened.table, what="x").num_rows)
    assert not (tmp_path / "state").exists()


def test_nothing_is_left_in_a_temporary_folder_after_a_kill_and_the_node_empties_its_own(tmp_path, monkeypatch):
    home, elsewhere = tmp_path / "home", tmp_path / "tmp"
    elsewhere.mkdir()
    home.mkdir()
    write(home, HEAD + b"caf\xe9\n" + b"".join(others(20)))
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from clients.data.config import HolderConfig\n"
        "from clients.data.sources import fetch, open_source\n"
        "config = HolderConfig.model_validate_json(sys.argv[1])\n"
        "with open_source(config, base=Path(sys.argv[2])) as opened:\n"
        "    fetch(opened.table, what='reading')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    config = config_of(csv={"encoding": "latin-1"})
    ended = subprocess.run(
        [sys.executable, "-c", code, config.model_dump_json(), str(home)],
        cwd=Path(csv_source.__file__).parents[3],
        env=os.environ | {"TMPDIR": str(elsewhere)},
        timeout=60,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    assert not list(elsewhere.iterdir())
    assert len(copies(home)) == 1
    monkeypatch.setattr(HolderFolder, "node", lambda self, clock: None)
    with scratch_folder(home / "other") as used:
        assert used is not None
        LiveNode(HolderFolder(home))
        empty_scratch(home / "other")
        assert used.is_dir(), "a folder that is in use stays"
    assert not copies(home)
    assert not list((home / "state" / "scratch").iterdir())


def test_where_nothing_can_be_written_only_what_needs_no_copy_is_read(tmp_path):
    write(tmp_path, others(4))
    (tmp_path / "state").write_text("a file is in the place of the folder")
    assert len(built(tmp_path)) == 2
    write(tmp_path, [b"a,b\n", *others(4)])
    with pytest.raises(DataError, match="need to be copied"):
        built(tmp_path)


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(HEAD), lambda path: path.unlink()])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, change):
    write(tmp_path, others(4))
    with pytest.raises(DataError, match=r"sales-0\.csv changed"), open_source(config_of(), base=tmp_path):
        change(tmp_path / "sales-0.csv")


def test_other_rows_than_there_are_records_are_refused(tmp_path, monkeypatch):
    write(tmp_path, others(4))
    monkeypatch.setitem(csv_source.OPTIONS, "ignore_errors", True)
    monkeypatch.setattr(csv_source, "literal", lambda path: str(path.with_name("sales-1.csv")))
    (tmp_path / "sales-1.csv").write_bytes(HEAD + b"".join(others(4)) + others(4)[0])
    with pytest.raises(DataError, match="5 rows were read from 4 lines"):
        built(tmp_path, config_of("sales-0.csv"))


# --- what the holder sees, and what it writes --------------------------------------------------------------------


def test_the_check_accounts_for_every_line_and_quotes_none(tmp_path):
    bad = [OWN + b"x,y\n", b'"VICTIM\n', b"VICTIM\n", b"\n"]
    write(tmp_path, [*others(400), *bad], [bad[1], *others(40, "A"), b"\n"])
    report = preflight(config_of(), STUDY, base=tmp_path)
    assert [item.file for item in report.files] == ["sales-0.csv", "sales-1.csv"]
    lines = [400 + 4 + 1, 40 + 2 + 1]
    for item, count in zip(report.files, lines, strict=True):
        assert item.before + 1 + item.rows + item.blank + sum(kind.lines for kind in item.left_out) == count
    assert report.rows == report.cleaning.rows_seen == sum(item.rows for item in report.files) == 440
    assert [(item.reason, item.lines, item.file, item.line) for item in report.cleaning.left_out] == [
        ("quotes", 2, "sales-0.csv", 403),
        ("too_few_fields", 1, "sales-0.csv", 404),
        ("too_many_fields", 1, "sales-0.csv", 402),
    ]
    assert report.problems == ()
    assert [item.code for item in report.warnings if item.code == "lines"] == ["lines"] * 3
    screen = io.StringIO()
    render_check(report, Console(file=screen, width=200))
    for said in (screen.getvalue(), report.model_dump_json()):
        assert "VICTIM" not in said
    for said in ("lines in 2 files", "448", "line 403 of sales-0.csv", "headers, and blank lines"):
        assert said in screen.getvalue()
    write(tmp_path, [*others(400), *bad * 5], others(40, "A"))
    report = preflight(config_of(), STUDY, base=tmp_path)
    assert [item.code for item in report.problems] == ["lines"] * 3, "more than 1%"


def test_what_is_guessed_is_written_down_and_read_back_alike(tmp_path):
    lines = [
        f"K{i % 30:03d};B{i // 2};{1 + i % 28:02d}.{1 + i % 12:02d}.2024 10:00;{i % 90 + 1},50\n" for i in range(200)
    ]
    lines.insert(3, 'K001;B"1;01.01.2024 10:00;"1,50\n')
    lines.insert(90, 'K001;B"1;01.01.2024 10:00;"2,50\n')
    body = "Kundennummer;Bon;Datum;Betrag EUR\n" + "".join(lines)
    (tmp_path / "umsatz.csv").write_text(body, encoding="utf-8")
    new_holder_file(str(tmp_path / "umsatz.csv"), output=tmp_path / "holder.toml", answers={"currency": "EUR"})
    text = (tmp_path / "holder.toml").read_text(encoding="utf-8")
    for setting in ('separator = ";"', 'encoding = "utf-8"', 'decimal = ","',
                    'formats = ["%d.%m.%Y %H:%M"]'):  # fmt: skip
        assert setting in text
    table = built(tmp_path, read_toml(tmp_path / "holder.toml", HolderConfig))
    assert table.report.rows_seen == 200
    assert len(table) == 30


@pytest.mark.parametrize("line", ['"VICTIM', '"VICTIM"x', 'VICTIM,"x'])
def test_a_stray_quote_takes_nobody_off_the_exclusion_list(tmp_path, line):
    config = config_of(exclude="opt-out.csv")
    (tmp_path / "opt-out.csv").write_text(f'c1\n{line}\nc2\n"c3, x",y\r\n')
    with pytest.raises(DataError, match="line 2 of the exclusion list") as caught:
        read_exclusion_list(config, base=tmp_path)
    assert "VICTIM" not in caught.value.message
    (tmp_path / "opt-out.csv").write_text('c1\n12" x\nc2\n"c3, x",y\r\n')
    assert read_exclusion_list(config, base=tmp_path) == ("c1", '12" x', "c2", "c3, x")


@pytest.mark.parametrize("spelling", ['"abc', "a,b", '12" x', "c9"])
def test_who_is_forgotten_stands_on_the_list_as_spelled(tmp_path, spelling):
    config = config_of(exclude="opt-out.csv")
    (tmp_path / "opt-out.csv").write_text("c1")
    for _ in range(2):
        exclude(tmp_path / "holder.toml", config, [spelling])
    assert read_exclusion_list(config, base=tmp_path) == ("c1", spelling)
    with pytest.raises(ConfigError, match="line break"):
        exclude(tmp_path / "holder.toml", config, ["a\nb"])


# --- tests of the tester -----------------------------------------------------------------------------------------


def check_lines(folder: Path) -> None:
    """Two stray quotes, and a separator too many in one of two files: the others are all there, and nothing refused."""
    for kind in ("two stray quotes in one column", "one separator too many", "a comment"):
        lines, reason = KINDS[kind]
        write(folder, others(20, "A"), around(others(40), lines))
        table = built(folder)
        assert {"A0001", "B0001", "B0019"} <= set(table.ids), kind
        assert sum(name[0] in "AB" for name in table.ids) == 30, kind
        assert [item.reason for item in table.report.left_out] == ([reason] if reason else [])


def _unsifted(patch: pytest.MonkeyPatch) -> None:
    """All lines go to the reader as they are, and nobody counts them."""

    def sift(self: Sieve, block: bytes) -> bytes:
        self.found.rows += block.count(b"\n")
        return block

    patch.setattr(Sieve, "sift", sift)
    patch.setattr("clients.data.sources.opened.Opened.check_rows", lambda self, rows: None)


def quotes_over_lines(patch: pytest.MonkeyPatch) -> None:
    _unsifted(patch)


def bad_lines_by_ignore_errors(patch: pytest.MonkeyPatch) -> None:
    _unsifted(patch)
    patch.setitem(csv_source.OPTIONS, "ignore_errors", True)


def columns_guessed(patch: pytest.MonkeyPatch) -> None:
    _unsifted(patch)

    def united(connection: Any, parts: list[Any], form: CsvFormat, *rest: Any) -> Any:
        paths = [str(part.path) for part in parts]
        return connection.read_csv(
            paths,
            table_name="sales",
            header=True,
            all_varchar=True,
            delim=form.separator,
            quote='"',
            union_by_name=True,
        )

    patch.setattr(csv_source, "_united", united)


def only_first_header_read(patch: pytest.MonkeyPatch) -> None:
    real = csv_source.complaints
    patch.setattr(csv_source, "complaints", lambda headers, mapped: real(headers[:1], mapped))


def check_headers(folder: Path) -> None:
    """A later file that lacks a mapped column is refused."""
    write(folder, others(20, "A"), HEAD.replace(b"customer", b"client") + b"".join(others(20)))
    refused = False
    try:
        built(folder)
    except DataError:
        refused = True
    assert refused, "a file without the customers' column is read"


MUTANTS = {
    "quotes_over_lines": (quotes_over_lines, check_lines),
    "bad_lines_by_ignore_errors": (bad_lines_by_ignore_errors, check_lines),
    "columns_guessed": (columns_guessed, check_lines),
    "only_first_header_read": (only_first_header_read, check_headers),
}


@pytest.mark.parametrize("check", [check_lines, check_headers])
def test_the_checks_pass_on_the_code_as_it_is(check, tmp_path):
    check(tmp_path)


@pytest.mark.parametrize("name", MUTANTS)
def test_the_check_catches_the_mutant(name, tmp_path, monkeypatch):
    mutant, check = MUTANTS[name]
    mutant(monkeypatch)
    with pytest.raises((AssertionError, CohortiumError)):
        check(tmp_path)
