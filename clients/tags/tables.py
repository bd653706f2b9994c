"""Tags as tables of a database: ``<table>_tags_history`` has all intervals, the view ``<table>_tags`` those that go on.

One transaction a run; only rows that differ are touched, so that writing again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clients.labels.config import DatabaseTarget
from clients.labels.day_rows import BLOCK
from clients.tags.config import TagsFile
from clients.tags.store import History

#: Of the history; the key is (tag, customer_id, since).
COLUMNS = {
    "customer_id": "TEXT NOT NULL", "source_id": "TEXT", "tag": "TEXT NOT NULL", "value": "BIGINT NOT NULL",
    "en": "TEXT", "zh": "TEXT", "version": "BIGINT NOT NULL", "since": "DATE NOT NULL", "until": "DATE",
}  # fmt: skip
KEY = ("tag", "customer_id", "since")


@dataclass(frozen=True, kw_only=True)
class TagTables:
    """Names of a target's relations, quoted, and what goes into them.

    Attributes:
        history, current: the table and the view.
        rows: every interval, with the tags' names.
    """

    history: str
    current: str
    rows: pa.Table

    @property
    def fields(self) -> str:
        """Columns of the history in SQL."""
        return ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())

    @property
    def view(self) -> str:
        """What makes the view, after ``CREATE``."""
        names = ", ".join(name for name in COLUMNS if name != "until")
        return f"VIEW {self.current} AS SELECT {names} FROM {self.history} WHERE until IS NULL"

    def changes(self, incoming: str) -> tuple[str, ...]:
        """Statements that make the history what ``incoming`` is."""
        same = " AND ".join(f"new.{name} = old.{name}" for name in KEY)
        rest = [name for name in COLUMNS if name not in KEY]
        equal = " AND ".join(f"new.{name} IS NOT DISTINCT FROM old.{name}" for name in rest)
        names = ", ".join(COLUMNS)
        return (
            f"DELETE FROM {self.history} AS old WHERE NOT EXISTS "
            f"(SELECT 1 FROM {incoming} AS new WHERE {same} AND {equal})",
            f"INSERT INTO {self.history} ({names}) SELECT {names} FROM {incoming} AS new WHERE NOT EXISTS "
            f"(SELECT 1 FROM {self.history} AS old WHERE {same})",
        )

    def blocks(self) -> Iterator[pa.RecordBatch]:
        """The rows, some at a time."""
        yield from self.rows.combine_chunks().to_batches(max_chunksize=BLOCK)


def tag_tables(history: History, file: TagsFile, target: DatabaseTarget) -> TagTables:
    """What a target's tables are to be."""
    *schema, table = target.table.split(".")

    def quoted(end: str) -> str:
        return ".".join(f'"{part}"' for part in (*schema, f"{table}{end}"))

    codes = pa.array([tag.code for tag in file.tag], pa.string())
    place = pc.index_in(history.table["tag"], value_set=codes)
    words = {
        "en": pa.array([tag.en or tag.code for tag in file.tag], pa.string()).take(place.combine_chunks()),
        "zh": pa.array([tag.zh or tag.code for tag in file.tag], pa.string()).take(place.combine_chunks()),
    }
    columns = {name: words[name] if name in words else history.table[name] for name in COLUMNS}
    return TagTables(history=quoted("_tags_history"), current=quoted("_tags"), rows=pa.table(columns))


def write_tag_tables(history: History, file: TagsFile, target: DatabaseTarget, base: Path) -> int:
    """Write all intervals into a database; how many go on.

    Raises:
        DataError: if the database cannot be reached or does not take them. The text holds no password and no row.
    """
    _WRITERS[target.scheme](tag_tables(history, file, target), target, base)
    return len(history.current())


def _duckdb(tables: TagTables, target: DatabaseTarget, base: Path) -> None:
    from clients.labels.duckdb_tables import open_duckdb

    def fill(connection: Any) -> bool:
        # Without a key: DuckDB refuses one that is taken out and put in again in one transaction.
        connection.execute(f"CREATE TABLE IF NOT EXISTS {tables.history} ({tables.fields})")
        connection.execute(f"CREATE OR REPLACE {tables.view}")
        connection.register("incoming", tables.rows)
        for statement in tables.changes("incoming"):
            connection.execute(statement)
        connection.unregister("incoming")
        return True

    open_duckdb(target, base, fill)


def _postgresql(tables: TagTables, target: DatabaseTarget, base: Path) -> None:
    from clients.data.sources import needs_psycopg

    with needs_psycopg():
        from psycopg import sql

        from clients.labels.postgres_tables import copy_rows, open_postgres

    def fill(connection: Any) -> None:
        for name, made in (
            (tables.history, f"TABLE {tables.history} ({tables.fields}, PRIMARY KEY ({', '.join(KEY)}))"),
            (tables.current, tables.view),
        ):  # a user who may only write finds everything made
            if connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() == (None,):
                connection.execute(f"CREATE {made}")
        connection.execute(f"LOCK TABLE {tables.history} IN SHARE ROW EXCLUSIVE MODE")
        connection.execute(f"CREATE TEMP TABLE incoming (LIKE {tables.history}) ON COMMIT DROP")
        copy_rows(connection, sql.Identifier("incoming"), COLUMNS, tables.blocks())
        connection.execute("ANALYZE incoming (tag, customer_id, since)")
        for statement in tables.changes("incoming"):
            connection.execute(statement)

    open_postgres(target, base, fill)


_WRITERS: dict[str, Callable[[TagTables, DatabaseTarget, Path], None]] = {
    "duckdb": _duckdb,
    "postgresql": _postgresql,
}
