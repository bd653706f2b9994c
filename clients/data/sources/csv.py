"""CSV files as a source."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import ibis
from ibis.expr import datatypes as dtypes
from ibis.expr import types as ir

from clients.data.config import HolderConfig
from clients.data.sources.embedded import embedded
from clients.data.sources.locations import files, literal, resolve
from privacy.errors import DataError


@contextlib.contextmanager
def open_csv(config: HolderConfig, location: str, base: Path) -> Iterator[ir.Table]:
    """All columns come as text: what a column holds must not depend on which rows a guess looked at.

    Raises:
        DataError: if there is no file, or one is not written as ``[source.csv]`` says.
    """
    paths = files(base, location)
    form = config.source.csv
    with embedded(config, base) as (connection, scratch):
        if form.encoding != "utf-8":
            if scratch is None:
                raise DataError(f"{base / 'state'} cannot be written", hint="files of this encoding are copied there")
            paths = [_as_utf8(path, form.encoding, scratch / f"{i}.csv") for i, path in enumerate(paths)]
        try:
            table = connection.read_csv(
                [literal(path) for path in paths], table_name="sales", header=True, all_varchar=True,
                delim=form.separator, quote='"', union_by_name=True,
            )  # fmt: skip
        except Exception:
            raise DataError(
                f"{resolve(base, location)} cannot be read as CSV",
                hint="check [source.csv] separator and encoding, and that the first line names the columns",
            ) from None
        yield _read_local_spelling(table, config)


def _as_utf8(path: Path, encoding: str, target: Path) -> Path:
    try:
        with (
            open(path, encoding=encoding, newline="") as source,
            open(target, "w", encoding="utf-8", newline="") as copy,
        ):
            shutil.copyfileobj(source, copy, 1 << 20)
    except UnicodeError:
        raise DataError(f"{path} is not {encoding} text", hint="set encoding in [source.csv]") from None
    return target


@ibis.udf.scalar.builtin(name="try_strptime", signature=((dtypes.string, dtypes.string), dtypes.timestamp))
def _try_strptime(text, form):  # type: ignore[no-untyped-def]  # a DuckDB function; Ibis reads the signature above
    """DuckDB's ``try_strptime``: the time, or null."""


def _read_local_spelling(table: ir.Table, config: HolderConfig) -> ir.Table:
    """Bring decimal commas and local dates to plain numbers and timestamps; what cannot be read becomes null."""
    form, columns = config.source.csv, config.columns
    changes: dict[str, ir.Value] = {}
    for name in (columns.amount, columns.quantity, columns.price):
        if name is not None and name in table.columns and (form.decimal != "." or form.thousands):
            text = table[name].replace(form.thousands, "") if form.thousands else table[name]
            changes[name] = text.replace(form.decimal, ".")
    if form.date_format and columns.time in table.columns:
        changes[columns.time] = _try_strptime(table[columns.time].strip(), form.date_format)
    return table.mutate(**changes) if changes else table
