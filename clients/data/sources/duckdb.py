"""A DuckDB database as a source."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from clients.data.place import Reading
from clients.data.sources.embedded import embedded
from clients.data.sources.finite import finite_times
from clients.data.sources.locations import WHERE, resolve
from clients.data.sources.opened import Opened, read_as
from clients.data.sources.spelling import spelled
from clients.data.sources.table_names import no_table, parse_table, shown_table
from privacy.errors import DataError

_SQLITE = b"SQLite format 3\0"


@contextlib.contextmanager
def open_duckdb(config: Reading, location: str, base: Path, mapped: Mapping[str, str]) -> Iterator[Opened]:
    """Open a table or view of a database file.

    Raises:
        DataError: if the file or the table is missing, or the file is none of this DuckDB.
    """
    path = resolve(base, location)
    name = config.source.table
    with embedded(config, base) as (connection, _):
        _attach(connection, path)
        if name is None:
            raise no_table(path, None, _tables(connection))
        schema, table = parse_table(name)
        try:
            opened = connection.table(table, database=("holder", schema or "main"))
        except Exception:
            raise no_table(path, name, _tables(connection)) from None
        yield read_as(finite_times(opened), partial(spelled, config))


def list_duckdb_tables(config: Reading, location: str, base: Path) -> tuple[str, ...]:
    """Tables and views as ``schema.table``, without the schema where it is ``main``.

    Raises:
        DataError: if the database cannot be opened.
    """
    with embedded(config, base) as (connection, _):
        _attach(connection, resolve(base, location))
        return _tables(connection)


def _tables(connection: Any) -> tuple[str, ...]:
    query = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = 'holder'"
    found = sorted(connection.raw_sql(query).fetchall())
    return tuple(shown_table("" if schema == "main" else schema, table) for schema, table in found)


def _attach(connection: Any, path: Path) -> None:
    if not path.is_file():
        raise DataError(f"there is no file at {path}", hint=WHERE)
    with path.open("rb") as file:
        if file.read(len(_SQLITE)) == _SQLITE:
            raise DataError(
                f"{path} is a SQLite database",
                hint='write sqlite:// before its path under [source]: url = "sqlite://..."',
            )
    try:
        connection.attach(path, name="holder", read_only=True)
    except Exception:
        raise DataError(
            f"{path} cannot be opened as a DuckDB database",
            hint="close programs that write to it, and check that this DuckDB is not older than the file",
        ) from None
