"""Room for what is compared between records, on the disk: an audit's memory does not grow with the logs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -16384;
CREATE TABLE entry (party TEXT, sequence INTEGER, hash TEXT, PRIMARY KEY (party, sequence)) WITHOUT ROWID;
CREATE TABLE charge (party TEXT, core TEXT, position INTEGER, question TEXT, hash TEXT, facts TEXT,
                     PRIMARY KEY (party, core, position)) WITHOUT ROWID;
CREATE INDEX charge_question ON charge (party, question);
CREATE TABLE outcome (party TEXT, core TEXT, kind TEXT, position INTEGER, value TEXT);
CREATE INDEX outcome_core ON outcome (party, kind, core);
CREATE TABLE head (subject TEXT, sequence INTEGER, hash TEXT, witness TEXT,
                   PRIMARY KEY (subject, sequence, hash, witness)) WITHOUT ROWID;
CREATE TABLE root (subject TEXT, sequence INTEGER, hash TEXT, root TEXT,
                   PRIMARY KEY (subject, sequence, hash, root)) WITHOUT ROWID;
CREATE TABLE plan (party TEXT, core TEXT, facts TEXT, holders TEXT, protocol INTEGER,
                   PRIMARY KEY (party, core)) WITHOUT ROWID;
CREATE TABLE ready (party TEXT, core TEXT, holder TEXT, words TEXT, PRIMARY KEY (party, core, holder)) WITHOUT ROWID;
CREATE TABLE contribution (party TEXT, core TEXT, holder TEXT, payload TEXT, sequence INTEGER, hash TEXT,
                           words TEXT, PRIMARY KEY (party, core, holder)) WITHOUT ROWID;
CREATE TABLE blamed (party TEXT, core TEXT, holder TEXT, position INTEGER,
                     PRIMARY KEY (party, core, holder, position)) WITHOUT ROWID;
CREATE TABLE result (party TEXT, run TEXT, made_by TEXT, position INTEGER, finish TEXT, result TEXT, source TEXT,
                     PRIMARY KEY (party, run, made_by, finish, source)) WITHOUT ROWID;
CREATE TABLE told (party TEXT, finish TEXT, core TEXT, value TEXT, PRIMARY KEY (party, finish, core)) WITHOUT ROWID;
BEGIN;
"""

#: Rows that are gathered before they are written.
_BATCH = 500


class Scratch:
    """A database of its own that is gone when it is closed."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)  # a temporary file, not memory
        self._connection.executescript(_TABLES)
        self._waiting: dict[str, list[tuple[Any, ...]]] = {}

    def put(self, table: str, *values: Any) -> None:
        """Add a row; one that is there already is left."""
        rows = self._waiting.setdefault(table, [])
        rows.append(values)
        if len(rows) >= _BATCH:
            self._write(table)

    def ask(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Rows that a query finds."""
        for table in list(self._waiting):
            self._write(table)
        return iter(self._connection.execute(query, values))

    def one(self, query: str, *values: Any) -> tuple[Any, ...] | None:
        """The first row that a query finds, or None."""
        return next(self.ask(query, *values), None)

    def close(self) -> None:
        """Give the room back."""
        self._connection.close()

    def _write(self, table: str) -> None:
        rows = self._waiting.pop(table, [])
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", rows)
