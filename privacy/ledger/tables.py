"""The tables of a ledger's file, what stands in them, and the statements that touch them.

Entries can be added and never changed: triggers refuse both in the database itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from privacy.errors import LedgerError
from privacy.ledger.chain import Head

_FIRST = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS entries (
  sequence INTEGER PRIMARY KEY,
  body     TEXT NOT NULL,
  hash     TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE IF NOT EXISTS payloads (core TEXT PRIMARY KEY, payload BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS peers (member TEXT PRIMARY KEY, sequence INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS entries_append_only_u BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS entries_append_only_i BEFORE INSERT ON entries
WHEN NEW.sequence <= (SELECT coalesce(max(sequence), 0) FROM entries)
BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS entries_append_only_d BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'append-only'); END;
PRAGMA user_version = 1;
COMMIT;
"""

#: What came with layout 2. Entries of layout 1 stay as they are, byte for byte.
_SECOND = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS statements (
  digest    TEXT PRIMARY KEY,
  kind      TEXT NOT NULL,
  signer    TEXT NOT NULL,
  subject   TEXT NOT NULL,
  statement TEXT NOT NULL
) STRICT;
PRAGMA user_version = 2;
COMMIT;
"""

#: Layout 3 has the same tables: its number keeps releases away that do not know all kinds of entries.
_THIRD = "PRAGMA user_version = 3;"

#: What each layout adds to the one before.
LAYOUTS = (_FIRST, _SECOND, _THIRD)

#: Subject of statements that are kept as evidence: they show what their signer did, not what the owner took part in.
EVIDENCE = "evidence"


class Statement(NamedTuple):
    """A signed statement as it arrived or left, kept so that it can be shown later.

    Attributes:
        digest: of its canonical text.
        kind, signer: as in the statement.
        subject: what it is about: a core's digest, a run, ``EVIDENCE``, or empty.
        text: the signed statement as canonical JSON.
    """

    digest: str
    kind: str
    signer: str
    subject: str
    text: str


def keep_statements(connection: sqlite3.Connection, statements: Iterable[Statement]) -> None:
    """Keep signed statements, each once."""
    connection.executemany("INSERT OR IGNORE INTO statements VALUES (?, ?, ?, ?, ?)", statements)


def remember_heads(connection: sqlite3.Connection, heads: Mapping[str, Head]) -> None:
    """Keep the newest heads of others."""
    connection.executemany(
        "INSERT INTO peers VALUES (?, ?, ?) ON CONFLICT (member) DO UPDATE SET "
        "sequence = excluded.sequence, hash = excluded.hash WHERE excluded.sequence > sequence",
        [(member, head.sequence, head.hash) for member, head in heads.items()],
    )


def is_restored(connection: sqlite3.Connection) -> bool:
    """Whether this file is a backup that was put back, and nobody has said yet what was lost since."""
    found = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'restored'").fetchone()
    return bool(found[0])


def refuse_restored(connection: sqlite3.Connection) -> None:
    """Nothing is charged to a backup that was put back.

    Raises:
        LedgerError: if this is one.
    """
    if is_restored(connection):
        raise LedgerError(
            "this ledger was restored from a backup; until it is recovered, all of its budget counts as spent",
            hint="`cohortium ledger recover`, with heads from another holder or the auditor",
        )


def stored_hash(connection: sqlite3.Connection, sequence: int) -> str | None:
    """Hash of an entry, or None where the ledger is shorter."""
    row = connection.execute("SELECT hash FROM entries WHERE sequence = ?", (sequence,)).fetchone()
    return None if row is None else str(row[0])


def lay_out(connection: sqlite3.Connection, *, after: int) -> None:
    """Add what layouts above ``after`` bring; 0 is an empty file."""
    for script in LAYOUTS[after:]:
        connection.executescript(script)
