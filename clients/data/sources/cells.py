"""Rows of cells, as spreadsheets, JSON and some databases have them, copied as text to the scratch folder.

A cell has a kind of its own, whatever others of its column have. So that what a cell says depends on it and on
``holder.toml`` alone, every cell becomes text: numbers with all their digits and the decimal sign that
``[source.read]`` states for the column, times in ISO form; from there on all goes as with CSV.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from ibis.expr import types as ir

from clients.data.place import Mapped, Reading, Source
from clients.data.reading import ReadNumber, ReadTime
from clients.data.scratch import check_room, new_copy
from clients.data.sources.header import path_keys, path_parts
from clients.data.sources.locations import literal
from clients.data.sources.spelling import spelled

_BATCH = 20_000
#: Whole floats below this are written without a decimal point, as ids are.
_WHOLE = 1e22


class Number(str):
    """A number as it was written, with a decimal point."""

    __slots__ = ()


def _of_float(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < _WHOLE else repr(value)


def _of_moment(value: dt.datetime) -> str:
    return value.isoformat(sep=" ")


def _of_duration(value: dt.timedelta) -> str:
    """A time of day, as some programs state it: ``9:30:00``."""
    return str(value)


def _of_bytes(value: bytes) -> str:
    """As SQL writes them: an id if need be, and never a number."""
    return f"x'{value.hex()}'"


_SPELLED: dict[type, Callable[[Any], str]] = {
    str: str, Number: str, int: str, float: _of_float, bool: lambda value: str(value).lower(),
    Decimal: lambda value: format(value, "f"), dt.datetime: _of_moment, dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat, dt.timedelta: _of_duration, bytes: _of_bytes,
}  # fmt: skip
_NUMBERS = (Number, float, Decimal)


def text_of(value: object, decimal: str = ".") -> str | None:
    """A cell as text; null where it is empty. Numbers have the decimal sign ``decimal``."""
    if value is None or value == "":
        return None
    text = _SPELLED.get(type(value), str)(value)
    return text.replace(".", decimal) if decimal != "." and isinstance(value, _NUMBERS) else text


@dataclass(frozen=True)
class _Spelling:
    """A source whose cells were written by ``text_of``: ISO times are read beside the forms of ``holder.toml``."""

    source: Source
    columns: Mapped


def cell_spelling(config: Reading, instants: frozenset[str] = frozenset()) -> Reading:
    """How the text of cells is read: times in ISO form, too, with an offset in columns of ``instants``."""
    read = {
        role: form.model_copy(update={"formats": (*form.formats, "iso")})
        if isinstance(form, ReadTime) and "iso" not in form.formats
        else form
        for role, form in config.source.read.items()
    }
    for role, name in config.columns.of_form("time").items():
        form = read.get(role)
        if name in instants:
            formats = form.formats if isinstance(form, ReadTime) else ()
            read[role] = ReadTime(formats=tuple(dict.fromkeys((*formats, "iso %z"))))
    return _Spelling(source=config.source.model_copy(update={"read": read}), columns=config.columns)


@dataclass
class Copies:
    """Copies of rows, one Parquet file of text columns for each file (or table) of the source.

    Attributes:
        config: which columns have a decimal sign of their own.
        scratch: where copies go.
        paths: the source's files; folders such as ``store=berlin`` are columns. None for a database.
        instants: columns of times that state an offset.
    """

    config: Reading
    scratch: Path | None
    paths: Sequence[Path] = ()
    instants: frozenset[str] = frozenset()
    _written: list[Path] = field(default_factory=list)

    def write(self, names: Sequence[str], rows: Iterable[Sequence[object]], *, of: Path | None = None) -> int:
        """Copy rows, each with as many cells as there are names; returns how many.

        Raises:
            DataError: if they cannot be written, or the disk is nearly full.
        """
        keys = path_keys(self.paths) if of is not None else ()
        given = dict(part.split("=", 1) for part in path_parts(of)) if of is not None else {}
        schema = pa.schema([(name, pa.string()) for name in (*names, *keys)])
        signs = [self._decimals.get(name.lower(), ".") for name in names]
        target = None if self.scratch is None else self.scratch / f"{len(self._written)}.parquet"
        count = 0
        with new_copy(target) as copy, pq.ParquetWriter(copy, schema, compression="zstd") as writer:
            for batch in _batches(rows):
                columns = [
                    _column([text_of(cell, sign) for cell in cells])
                    for cells, sign in zip(zip(*batch, strict=True), signs, strict=True)
                ]
                columns += [pa.array([given[key]] * len(batch), pa.string()) for key in keys]
                check_room(copy)
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
                count += len(batch)
        if target is not None:
            self._written.append(target)
        return count

    @property
    def _decimals(self) -> Mapping[str, str]:
        read = self.config.source.read
        mapped = self.config.columns.mapped()
        return {mapped[role].lower(): form.decimal for role, form in read.items() if isinstance(form, ReadNumber)}

    def raw(self, connection: Any) -> ir.Table:
        """All rows as one table of text."""
        table: ir.Table = connection.read_parquet(
            [literal(path) for path in self._written], table_name="cells", union_by_name=True, hive_partitioning=False
        )
        return table

    def spelled(self, raw: ir.Table) -> ir.Table:
        """The same, numbers and times as ``holder.toml`` says."""
        return spelled(cell_spelling(self.config, self.instants), raw)


def _column(values: list[str | None]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:  # half of a sign, as JSON may have it
        return pa.array(
            [None if text is None else text.encode(errors="replace").decode() for text in values], pa.string()
        )


def _batches(rows: Iterable[Sequence[object]]) -> Iterator[list[Sequence[object]]]:
    remaining = iter(rows)
    while batch := list(itertools.islice(remaining, _BATCH)):
        yield batch
