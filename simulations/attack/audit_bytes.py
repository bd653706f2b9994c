"""From bytes to the table: one customer's lines in a file or not, read as a holder reads it, and how far the sum moves.

The bound holds for a row of integers. Whether a customer *is* one row is decided where a file is read: lines that take
others with them move a sum by thousands of bounds. So files are read with the holder's own reader, with and without the
lines of one customer who writes what it likes, and what the holder's encoder makes of both must differ by no more than
the bound. The file with them may also be refused.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from clients.answering.engines import encode_sum
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows.customers import build_customer_table
from privacy.audit.empirical import Checked
from privacy.errors import DataError
from privacy.kernel.customers import CustomerColumns
from privacy.statistics.base import IntArray
from simulations.attack.audit_cases import EXAMPLE_OF, HOLDERS
from simulations.attack.audit_charges import study_for
from simulations.attack.replacing import quiet_nodes

WHAT = "bytes to table"

_HEAD = b"customer,order,time,amount,note\n"
_OTHERS = 60
_STATISTIC = EXAMPLE_OF["segment_totals"].statistic
_OWN = b"canary,c1,2024-05-05 10:00:00,10.00,"

#: What the customer writes. Of two lines, others' lines stand between them.
LINES: dict[str, tuple[bytes, ...]] = {
    "an ordinary line": (_OWN + b"x\n",),
    "the same twice": (_OWN + b"x\n", _OWN + b"x\n"),
    "two stray quotes": (_OWN + b'"12 inch\n', _OWN + b'15"\n'),
    "a quote that is not closed": (_OWN + b'"12 inch\n',),
    "a line break in quotes": (_OWN + b'"two\nlines"\n',),
    "a separator too many": (_OWN + b"Miller, Jane\n",),
    "too few fields": (b"canary,c1\n",),
    "bytes that are not text": (_OWN + b"\xff\xfe\n",),
    "a zero byte": (_OWN + b"a\0b\n",),
    "a carriage return": (_OWN + b"a\rb\n",),
    "an escaped quote": (_OWN + b'"a\\"\n', _OWN + b'b"\n'),
    "a line that names a separator": (b"sep=;\n",),
    "the header again": (_HEAD,),
    "a long line": (_OWN + b"x" * (1 << 21) + b"\n",),
    "huge numbers": (b"canary,c1,9999-12-31 23:59:59,1e308,x\n", b"canary,c2,0001-01-01 00:00:00,-1e308,x\n"),
}

#: Reads the customers of ``sales.csv`` in a folder.
Reader = Callable[[Path], CustomerColumns]


def _built(folder: Path, url: str) -> CustomerColumns:
    columns = {name: name for name in ("customer", "order", "time", "amount")}
    config = HolderConfig.model_validate(
        {"holder": HOLDERS[-1], "source": {"url": url, "currency_code": "EUR"}, "columns": columns}
    )
    return build_customer_table(Origin(config, study_for("distributed"), folder)).columns


def as_holders_read(folder: Path) -> CustomerColumns:
    """With the reader of a holder's node."""
    return _built(folder, "sales.csv")


# --- faults ------------------------------------------------------------------------------------------------------


def with_quotes_over_lines(folder: Path) -> CustomerColumns:
    """A quoted field goes on over lines, as most readers of CSV have it."""
    with (folder / "sales.csv").open(newline="", encoding="utf-8", errors="replace") as file:
        names, *rows = [row for row in csv.reader(file) if len(row) == 5]
    table = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    pq.write_table(pa.table(table), folder / "sales.parquet")
    return _built(folder, "sales.parquet")


def with_errors_ignored(folder: Path) -> CustomerColumns:
    """A line that does not fit is skipped by the database, with all that it takes for a part of it."""
    kinds = ", ".join(f"'{name}': 'VARCHAR'" for name in _HEAD.decode().strip().split(","))
    form = "auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', ignore_errors = true"
    with duckdb.connect() as connection:
        rows = connection.sql(f"SELECT * FROM read_csv('{folder}/sales.csv', {form}, columns = {{{kinds}}})")
        rows.write_parquet(str(folder / "sales.parquet"))
    return _built(folder, "sales.parquet")


#: Fault to the reader that has it, and lines with which it shows.
FAULTS: dict[str, tuple[Reader, str]] = {
    "quotes over lines": (with_quotes_over_lines, "two stray quotes"),
    "errors ignored": (with_errors_ignored, "a quote that is not closed"),
}


# --- the check ---------------------------------------------------------------------------------------------------


def others() -> list[bytes]:
    """Two lines of each of the other customers."""
    return [
        b"other%03d,o%d,2024-%02d-%02d 10:00:00,%d.50,n\n" % (i % (_OTHERS // 2), i, 1 + i % 12, 1 + i % 28, i + 1)
        for i in range(_OTHERS)
    ]


def _sum_of(lines: list[bytes], reader: Reader) -> IntArray:
    with tempfile.TemporaryDirectory() as folder, quiet_nodes():
        (Path(folder) / "sales.csv").write_bytes(_HEAD + b"".join(lines))
        return encode_sum(_STATISTIC, reader(Path(folder)), holder=HOLDERS[-1])


def wrong(lines: tuple[bytes, ...], reader: Reader = as_holders_read, without: IntArray | None = None) -> str:
    """How far lines of one customer move a sum, if that is more than the bound; empty otherwise.

    Args:
        without: the sum without them, where it is known.
    """
    within = others()
    step = len(within) // (len(lines) + 1)
    for number in range(len(lines), 0, -1):
        within.insert(step * number, lines[number - 1])
    before = _sum_of(others(), reader) if without is None else without
    try:
        after = _sum_of(within, reader)
    except DataError:
        return ""  # nothing leaves
    moved = sum(int(value) ** 2 for value in after - before) / _STATISTIC.bound.squared_norm
    return f"the sum moves by {moved:.4g} x the squared bound" if moved > 1 else ""


def checked_bytes() -> Iterator[Checked]:
    """One finding for each kind of lines."""
    without = _sum_of(others(), as_holders_read)
    for where, lines in LINES.items():
        yield Checked(what=WHAT, where=where, wrong=wrong(lines, without=without))


def faulty_bytes() -> Iterator[Checked]:
    """Readers that let one customer's lines reach others."""
    for fault, (reader, where) in FAULTS.items():
        yield Checked(what=WHAT, where=where, fault=fault, wrong=wrong(LINES[where], reader))
