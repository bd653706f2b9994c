"""A SQLite database as a source: read-only, one snapshot, cells with the kinds that they have."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from clients.data.place import Reading
from clients.data.sources.cells import Copies
from clients.data.sources.embedded import embedded
from clients.data.sources.header import unique_names
from clients.data.sources.locations import WHERE, resolve
from clients.data.sources.opened import Opened, read_as
from clients.data.sources.packing import on_disk
from clients.data.sources.table_names import no_table
from privacy.errors import DataError

#: Seconds to wait for a program that writes.
_PATIENCE = 30


@contextlib.contextmanager
def open_sqlite(config: Reading, location: str, base: Path, mapped: Mapping[str, str]) -> Iterator[Opened]:
    """Open a table or view of a database file; its rows are copied as text, for cells of a column may differ in kind.

    Raises:
        DataError: if the file or the table is missing, or cannot be read.
    """
    path, table = resolve(base, location), config.source.table
    with embedded(config, base) as (connection, scratch):
        copies = Copies(config, scratch)
        with _reading(path, scratch) as database:
            if table is None or table not in _tables(database):
                raise no_table(path, table, _tables(database))
            quoted = table.replace('"', '""')
            rows = database.execute(f'SELECT * FROM "{quoted}"')
            names = unique_names(item[0] for item in rows.description)
            copies.write(names, rows)
        yield read_as(copies.raw(connection), copies.spelled)


def list_sqlite_tables(config: Reading, location: str, base: Path) -> tuple[str, ...]:
    """Tables and views.

    Raises:
        DataError: if the database cannot be opened.
    """
    with embedded(config, base) as (_, scratch), _reading(resolve(base, location), scratch) as database:
        return _tables(database)


def _tables(database: sqlite3.Connection) -> tuple[str, ...]:
    query = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    return tuple(sorted(str(name) for (name,) in database.execute(query)))


@contextlib.contextmanager
def _reading(path: Path, scratch: Path | None) -> Iterator[sqlite3.Connection]:
    """A connection that sees one state of the database and can write nothing."""
    if not path.is_file():
        raise DataError(f"there is no file at {path}", hint=WHERE)
    plain = on_disk(path, scratch)
    try:
        uri = f"file:{quote(str(plain.absolute()))}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE, isolation_level=None)) as database:
            database.text_factory = lambda raw: raw.decode(errors="replace")
            for setting in ("query_only = ON", "trusted_schema = OFF"):
                database.execute(f"PRAGMA {setting}")
            database.execute("BEGIN")
            yield database
    except sqlite3.Error as problem:  # its text may quote what stands in a row
        why = getattr(problem, "sqlite_errorname", type(problem).__name__)
        raise DataError(
            f"{path} cannot be read as a SQLite database ({why})",
            hint="close programs that write to it, and check that the file is complete",
        ) from None
