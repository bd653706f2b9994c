"""Labels as tables of a DuckDB file. One transaction writes a day; a day that is right already is not touched."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from clients.labels.config import DatabaseTarget
from clients.labels.day_rows import DayRows
from clients.labels.relations import (
    DAYS,
    DAYS_KEY,
    Name,
    Part,
    Relations,
    check_columns,
    definition,
    parts,
)
from privacy.errors import DataError

#: A holder's machine fetches no code while it runs; what does not fit in memory goes beside the database.
_SETTINGS = {"autoinstall_known_extensions": "false", "memory_limit": "1GB"}
_UMASK = threading.Lock()


@contextmanager
def _owner_only() -> Iterator[None]:
    """New files (the database and its log) are the owner's alone; the mask belongs to the whole process."""
    with _UMASK:
        before = os.umask(0o077)
        try:
            yield
        finally:
            os.umask(before)


def write_duckdb(rows: DayRows[Any], target: DatabaseTarget, base: Path) -> None:
    """Write one day's labels.

    Raises:
        DataError: if the file cannot be opened or does not take them.
    """
    open_duckdb(target, base, lambda connection: _fill(connection, rows, target))


def open_duckdb(target: DatabaseTarget, base: Path, fill: Callable[[Any], bool]) -> None:
    """Fill a target's file in one transaction, which is undone where nothing had to be written.

    Args:
        target: which file; made where there is none, for its owner alone.
        base: the holder's folder.
        fill: writes through a connection; whether it had anything to write.

    Raises:
        DataError: if the file cannot be opened or does not take it.
    """
    import duckdb

    path = base / Path(target.url.removeprefix("duckdb://")).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with _owner_only(), duckdb.connect(str(path), config=dict(_SETTINGS)) as connection:
            connection.execute("BEGIN")
            if fill(connection):
                connection.execute("COMMIT")
            else:
                connection.execute("ROLLBACK")
    except duckdb.Error as problem:
        raise DataError(
            f"{path} does not take the labels ({type(problem).__name__})",
            hint="close programs that have it open, check that it is a DuckDB file and that the schema is there",
        ) from None


def _quoted(name: Name) -> str:
    return ".".join(f'"{part}"' for part in name)


def _columns(connection: Any, name: Name) -> list[str]:
    return [item[0] for item in connection.execute(f"SELECT * FROM {_quoted(name)} LIMIT 0").description]


def _fill(connection: Any, rows: DayRows[Any], target: DatabaseTarget) -> bool:
    """Whether anything had to be written."""
    relations = Relations.of(target, rows.kind)
    both = parts(rows, relations)
    changed = _create(connection, relations, both, target)
    day = [rows.snapshot.study, rows.snapshot.as_of]
    noted = f"SELECT customers FROM {_quoted(relations.days)} WHERE study = ? AND as_of = ?"
    known = connection.execute(noted, day).fetchall()
    for part in both:
        changed |= _replace(connection, part, day, compare=bool(known))
    if known != [(len(rows.snapshot),)]:
        changed = True
        connection.execute(f"DELETE FROM {_quoted(relations.days)} WHERE study = ? AND as_of = ?", day)
        connection.execute(f"INSERT INTO {_quoted(relations.days)} VALUES (?, ?, ?)", [*day, len(rows.snapshot)])
    return changed


def _create(connection: Any, relations: Relations, both: tuple[Part, ...], target: DatabaseTarget) -> bool:
    """Make what is not there; whether a table of an earlier release was brought up to date."""
    for part in both:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {_quoted(part.name)} ({part.definition})")
    days = definition(DAYS, (*DAYS_KEY, "customers"))
    connection.execute(f"CREATE TABLE IF NOT EXISTS {_quoted(relations.days)} ({days})")
    history = both[0]
    found = _columns(connection, history.name)
    older = history.lacking(found)
    for name, kind in older.items():
        connection.execute(f"ALTER TABLE {_quoted(history.name)} ADD COLUMN {name} {kind}")
        found.append(name)
    check_columns(found, history.schema.names, target)
    make = "CREATE OR REPLACE VIEW" if older else "CREATE VIEW IF NOT EXISTS"
    for view, query in relations.views(_quoted, found).items():
        connection.execute(f"{make} {_quoted(view)} AS {query}")
        check_columns(_columns(connection, view), history.schema.names, target)
    check_columns(_columns(connection, both[1].name), both[1].schema.names, target)
    check_columns(_columns(connection, relations.days), DAYS.names, target)
    return bool(older)


def _replace(connection: Any, part: Part, day: list[object], *, compare: bool) -> bool:
    """Put a day's rows into a table in place of those there; whether they are others."""
    table, here = _quoted(part.name), "study = ? AND as_of = ?"
    source = "incoming"
    connection.register(source, pa.RecordBatchReader.from_batches(part.schema, part.blocks()))
    try:
        if compare:
            source = "staging"
            connection.execute(f"CREATE OR REPLACE TEMP TABLE staging ({part.definition})")
            connection.execute("INSERT INTO staging SELECT * FROM incoming")
            count = connection.execute(f"SELECT count(*) FROM {table} WHERE {here}", day).fetchone()
            # A join, not EXCEPT, which takes several times as long over so many columns. With as many rows on both
            # sides and each new row once among the old ones, they are the same.
            differs = " OR ".join(f"new.{name} IS DISTINCT FROM old.{name}" for name in part.schema.names)
            other = (
                f"SELECT EXISTS (SELECT 1 FROM staging AS new LEFT JOIN (SELECT * FROM {table} WHERE {here}) AS old "
                f"ON new.{part.key[2]} = old.{part.key[2]} WHERE {differs})"
            )
            if count == (part.size,) and connection.execute(other, day).fetchone() == (False,):
                return False
        connection.execute(f"DELETE FROM {table} WHERE {here}", day)
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM {source}")
        return True
    finally:
        connection.unregister("incoming")
