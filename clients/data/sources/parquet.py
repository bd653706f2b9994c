"""Parquet files as a source."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from ibis.expr import types as ir

from clients.data.place import Reading
from clients.data.scratch import check_room, new_copy
from clients.data.sources.embedded import embedded
from clients.data.sources.header import Header, complaints, path_keys
from clients.data.sources.locations import files, literal, resolve, shown
from clients.data.sources.opened import ColumnsMissing, Opened, read_as
from clients.data.sources.packing import on_disk
from clients.data.sources.spelling import spelled
from privacy.errors import DataError


@contextlib.contextmanager
def open_parquet(config: Reading, location: str, base: Path, mapped: Mapping[str, str]) -> Iterator[Opened]:
    """Open Parquet files as one table, columns by name.

    A column that no file has is left to ``cleaning.missing_columns``, which knows what else there is.

    Raises:
        ColumnsMissing: if a file lacks a mapped column that others have (it would come as nulls), or has it twice.
        DataError: if there is no file, or one is damaged.
    """
    paths = files(base, location, "parquet")
    keys = path_keys(paths)
    with embedded(config, base) as (connection, scratch):
        try:
            plain = [_without_long_decimals(on_disk(path, scratch), scratch) for path in paths]
            headers = [_header(at, shown(path, base), mapped, keys) for at, path in zip(plain, paths, strict=True)]
            table = connection.read_parquet([literal(path) for path in plain], table_name="sales", union_by_name=True)
            table = _with_text(table)
        except DataError:
            raise
        except Exception:
            raise DataError(
                f"{resolve(base, location)} cannot be read as Parquet",
                hint="are the files complete, with the same columns? export those again that are not",
            ) from None
        somewhere = {role: name for role, name in mapped.items() if any(role not in item.missing for item in headers)}
        if wrong := complaints(headers, somewhere):
            raise ColumnsMissing(wrong, complaints(headers, somewhere, for_screen=True))
        yield read_as(table, partial(spelled, config))


def _without_long_decimals(path: Path, scratch: Path | None) -> Path:
    """The file, or a copy with floats for decimals of more than 38 digits.

    DuckDB reads those of 17 to 31 bytes as other numbers: 12.50 of ``decimal256(40, 2)`` as 9e17.
    """
    schema = pq.read_schema(path)
    if not any(pa.types.is_decimal256(field.type) for field in schema):
        return path
    kinds = [
        pa.field(field.name, pa.float64() if pa.types.is_decimal256(field.type) else field.type) for field in schema
    ]
    target = None if scratch is None else scratch.joinpath("floats", *path.absolute().parts[1:])
    with pq.ParquetFile(path) as file, new_copy(target) as copy, pq.ParquetWriter(copy, pa.schema(kinds)) as writer:
        for batch in file.iter_batches():
            check_room(copy)
            writer.write_table(pa.Table.from_batches([batch]).cast(pa.schema(kinds)))
    return path if target is None else target


def _with_text(table: ir.Table) -> ir.Table:
    """Bytes as text, as systems write it that say nothing of what bytes are; signs beyond ASCII as ``\\xC3\\xA9``."""
    held = [name for name, kind in table.schema().items() if kind.is_binary()]
    return table.mutate(**{name: table[name].cast("string") for name in held}) if held else table


def _header(path: Path, name: str, mapped: Mapping[str, str], keys: tuple[str, ...]) -> Header:
    # Columns are looked at as DuckDB unites them, where upper and lower case are alike.
    names = [field.lower() for field in (*pq.read_schema(path).names, *keys)]
    counted = {role: names.count(column.lower()) for role, column in mapped.items()}
    return Header(
        file=name,
        names=tuple(names),
        missing=tuple(role for role, count in counted.items() if count == 0),
        twice=tuple(role for role, count in counted.items() if count > 1),
    )
