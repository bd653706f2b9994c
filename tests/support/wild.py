# tables of variants, one a line
"""Files as shops export them, by the kind of fault: one small shop whose truth is known, written in many ways.

Each kind has three variants and more, each with its right value or what must be said of it. They are none of the files
that anybody else has tried: further ones of every kind are kept back by those who judge.
"""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from shop_kit import HEADER, TRUTH, Line, shop, written
from source_kit import make_study

from privacy.protocol.study import Study

Figures = tuple[int, int, float]
#: The first day of the shop, and its first purchase.
FIRST = dt.date(2024, 1, 3)
NETTED = make_study(cleaning={"returns": "net"}, as_of=dt.date(2025, 1, 1))


@dataclass(frozen=True, kw_only=True)
class Wild:
    """A variant of a kind.

    Attributes:
        write: writes it into a folder, and gives what ``holder new`` is called with.
        truth: orders, customers and revenue; None where these cannot be known.
        says: what must be said of it, or refused with, as a pattern; empty where nothing need be.
        currency, answers: given beforehand.
        first: when the first row is.
        study: whose rules count.
    """

    write: Callable[[Path], Path]
    truth: Figures | None = TRUTH
    says: str = ""
    currency: str = "EUR"
    first: dt.date | dt.datetime | None = None
    study: Study | None = None


def way(**how: Any) -> Wild:
    """The shop with some columns written otherwise; ``truth``, ``says`` and the like are the variant's."""
    own = {name: how.pop(name) for name in ("truth", "says", "currency", "first", "study") if name in how}
    lines = how.pop("lines", None)
    return Wild(write=lambda folder: written(folder / "sales.csv", lines and lines(), **how), **own)


def said(pattern: str, **how: Any) -> Wild:
    """One whose figures cannot be known: it must be told, or asked."""
    return way(truth=None, says=pattern, **how)


def raw(text: str | bytes, **own: Any) -> Wild:
    """A file as it is."""

    def write(folder: Path) -> Path:
        path = folder / "sales.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return Wild(write=write, **own)


def plain(line: Line) -> list[str]:
    """The fields of a line as the shop has them."""
    return [
        str(line.order),
        f"{line.time:%Y-%m-%d}",
        str(line.customer),
        line.sku,
        str(line.quantity),
        f"{line.price:.2f}",
    ]


def sale(line: Line) -> list[str]:
    """Order, day, customer and the line's amount."""
    return [str(line.order), f"{line.time:%Y-%m-%d}", str(line.customer), f"{line.price * line.quantity:.2f}"]


def text(
    header: Sequence[str],
    row: Callable[[Line], Sequence[object]] = plain,
    *,
    sep: str = ",",
    end: str = "\n",
    lines: Iterable[Line] | None = None,
) -> str:
    rows = (sep.join(str(field) for field in row(line)) for line in (shop() if lines is None else lines))
    return "".join(f"{item}{end}" for item in (sep.join(header), *rows))


def table(
    header: Sequence[str],
    row: Callable[[Line], Sequence[object]] = plain,
    *,
    sep: str = ",",
    encoding: str = "utf-8",
    **own: Any,
) -> Wild:
    """A file with columns of its own."""
    return raw(text(header, row, sep=sep).encode(encoding), **own)


def folder(
    one: str | bytes, other: str | bytes, names: tuple[str, str] = ("2024-1.csv", "2024-2.csv"), **own: Any
) -> Wild:
    """Two files."""

    def write(base: Path) -> Path:
        for name, content in zip(names, (one, other), strict=True):
            (base / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return base / "*.csv"

    return Wild(write=write, **own)


def halves(begin: Callable[[list[Line]], str], end: Callable[[list[Line]], str], **own: Any) -> Wild:
    """The shop's beginning and its end, each written in its own way."""
    return folder(begin(shop()[:46]), end(shop()[46:]), **own)


def packed(pack: Callable[[bytes], bytes], suffix: str, encoding: str, name: str, value: str) -> Wild:
    """A packed file in an encoding of its own."""

    def write(base: Path) -> Path:
        written(base / "plain", encoding=encoding, names={"SKU": name}, SKU=lambda x: f"{value} {x.sku}")
        path = base / f"sales{suffix}"
        path.write_bytes(pack((base / "plain").read_bytes()))
        (base / "plain").unlink()
        return path

    return Wild(write=write)


def zipped(content: bytes) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sales.csv", content)
    return found.getvalue()


def more(count: int = 6, **changes: object) -> list[Line]:
    """The shop and some lines of other orders."""
    return [*shop(), *(replace(line, order=7000 + number, **changes) for number, line in enumerate(shop()[:count]))]  # type: ignore[arg-type]


def odd(value: object, usual: Callable[[Line], object], since: int = 7000) -> Callable[[Line], object]:
    """A value in the lines that are more than the shop's, and the usual one in all others."""
    return lambda line: value if line.order >= since else usual(line)


def german(number: float, places: int = 2, group: str = ".") -> str:
    return f"{number:,.{places}f}".replace(",", "#").replace(".", ",").replace("#", group)


def on(form: str) -> Callable[[Line], str]:
    return lambda line: line.time.strftime(form)


def seconds(line: Line, base: dt.datetime = dt.datetime(1970, 1, 1)) -> float:
    return (line.time - base).total_seconds()


def with_line(at: int, bad: bytes) -> Wild:
    """The shop with one line that is none."""
    lines = text(HEADER).encode().split(b"\n")
    return raw(b"\n".join([*lines[:at], bad, *lines[at:]]), says="line")


def gained(at: int, header: Sequence[str] | None, row: Callable[[Line], Sequence[object]], **own: Any) -> Wild:
    """A file that goes on otherwise from one of its lines on."""
    lines = [",".join(HEADER)]
    for number, line in enumerate(shop()):
        lines += [",".join(header)] if number == at and header is not None else []
        lines.append(",".join(str(field) for field in (row(line) if number >= at else plain(line))))
    return raw("\n".join(lines) + "\n", **own)


def left_empty(
    *empty: int, header: Sequence[str] = HEADER, last: str = "", places: Sequence[int] = range(6), **own: Any
) -> Wild:
    """Later lines of an order leave some fields empty; ``places``: of the columns that there are."""

    def row(line: Line) -> list[str]:
        fields = ["" if line.sku != "A0" and place in empty else field for place, field in enumerate(plain(line))]
        return [fields[place] for place in places]

    return raw(text([header[place] for place in places], row) + last, **own)


def with_totals(word: str, **own: Any) -> Wild:
    """Orders of three lines, later ones of which leave the order's fields empty, and a total below each."""
    rows: list[list[str]] = [["Order ID", "Order Date", "Customer ID", "Item", "Amount"]]
    for line in shop():
        whose = [*plain(line)[:3]] if line.sku == "A0" else ["", "", ""]
        rows.append([*whose, f"article {line.sku} {line.order % 7}", f"{line.price * line.quantity:.2f}"])
        if line.sku == "A1":
            rows += [["", "", "", "gift box", "1.00"], ["", "", "", word, "28.00"]]
    return raw("".join(",".join(row) + "\n" for row in rows), **{"truth": (40, 20, 1120.0)} | own)


def customers(header: Sequence[str], row: Callable[[int], Sequence[object]], count: int = 120, **own: Any) -> Wild:
    lines = [",".join(header), *(",".join(str(field) for field in row(number)) for number in range(count))]
    return raw("\n".join(lines) + "\n", **own)


def returned(
    header: Sequence[str],
    *,
    sep: str = ",",
    write: Callable[[float], str] = "{:.2f}".format,
    count: int = 3,
    **own: Any,
) -> Wild:
    """One line an order, and lines that give back some, with their orders' ids, later."""
    sold = [(line.order, line.time, line.customer, 1, 27.0) for line in shop() if line.sku == "A0"]
    back = [
        (order, time + dt.timedelta(days=9), customer, -1, -27.0)
        for order, time, customer, _, _ in sold[20 : 20 + count]
    ]
    rows = [
        [str(order), f"{time:%Y-%m-%d}", str(who), str(number), write(money)]
        for order, time, who, number, money in (*sold, *back)
    ]
    return raw("\n".join(sep.join(fields) for fields in (header, *rows)) + "\n", **own)


def refunded(name: str, sold: str, back: str, **own: Any) -> Wild:
    """Refunds as rows of their own, with a positive amount."""
    lines = [(line, sold) for line in shop()] + [(replace(line), back) for line in shop() if line.order in (1021, 1022)]
    body = "".join(",".join([*plain(line), kind]) + "\n" for line, kind in lines)
    return raw(",".join([*HEADER, name]) + "\n" + body, **own)


def stated(name: str, good: str, bad: str, **own: Any) -> Wild:
    """Every fifth order after the first twenty was none."""
    own = {"truth": (36, 20, 972.0), "says": name} | own
    return way(**{name: lambda line: bad if line.order >= 1020 and line.order % 5 == 0 else good}, **own)


def typed(kinds: dict[str, pa.DataType], **ways: Callable[[Line], object]) -> Callable[[Path], Path]:
    """The shop as Parquet, some columns of types of their own."""
    columns = {
        "Order ID": lambda x: x.order, "Order Date": lambda x: x.time, "Customer ID": lambda x: x.customer,
        "Quantity": lambda x: x.quantity, "Unit Price": lambda x: x.price,
    } | {name.replace("_", " "): way for name, way in ways.items()}  # fmt: skip

    def write(base: Path) -> Path:
        found = {name: pa.array([way(line) for line in shop()], kinds.get(name)) for name, way in columns.items()}
        pq.write_table(pa.table(found), base / "sales.parquet")
        return base / "sales.parquet"

    return write


def json_lines(row: Callable[[Line], dict[str, object]]) -> Callable[[Path], Path]:
    """The shop as JSON lines."""

    def write(base: Path) -> Path:
        path = base / "sales.jsonl"
        path.write_text("".join(json.dumps(row(line)) + "\n" for line in shop()), encoding="utf-8")
        return path

    return write


PACKS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "gzip": (gzip.compress, ".csv.gz"), "bzip2": (bz2.compress, ".csv.bz2"), "xz": (lzma.compress, ".csv.xz"),
    "zip": (zipped, ".zip"), "gzip, called csv": (gzip.compress, ".csv"),
}  # fmt: skip
