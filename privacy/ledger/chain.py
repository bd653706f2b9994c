"""The hash chain of a ledger: how entries are linked, and how they are read back, one at a time."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from privacy.errors import LedgerError
from privacy.ledger.entries import Entry

#: Hash before the first entry.
GENESIS = "0" * 64

#: Newest layout of the file that this release reads (SQLite's ``user_version``).
SCHEMA_VERSION = 3

_DOMAIN = b"cohortium/ledger/v1\x00"


class Head(NamedTuple):
    """Length of a ledger and the hash of its last entry."""

    sequence: int
    hash: str


#: Head of a ledger without entries.
EMPTY = Head(0, GENESIS)


class Row(NamedTuple):
    """An entry as it is stored: its number, its canonical text, its hash."""

    sequence: int
    body: str
    hash: str


def chain_hash(previous: str, body: bytes) -> str:
    """Hash of an entry's canonical body after the entry with hash ``previous``."""
    return hashlib.sha256(_DOMAIN + previous.encode() + b"\x00" + body).hexdigest()


def linked(rows: Iterable[Row], name: str, *, after: Head = EMPTY) -> Iterator[Row]:
    """The same rows, each checked to follow the one before it.

    Args:
        rows: oldest first, from the entry that follows ``after``.
        name: of the ledger, for the error.
        after: head that the rows go on from.

    Raises:
        LedgerError: naming the first entry that does not fit.
    """
    position, previous = after
    for row in rows:
        position += 1
        if row.sequence != position or chain_hash(previous, row.body.encode()) != row.hash:
            raise broken(name, position)
        yield row
        previous = row.hash


def broken(name: str, position: int) -> LedgerError:
    """What is said of an entry that does not fit the chain."""
    return LedgerError(
        f"the ledger {name} is broken at entry {position}: it was edited, or entries are missing",
        hint="restore the file as it was; until then nothing is answered",
    )


def read_entry(row: Row, name: str) -> Entry:
    """Read an entry.

    Raises:
        LedgerError: if this release does not know its kind or a field, or it names another number.
    """
    try:
        entry = Entry.model_validate_json(row.body)
        if entry.sequence != row.sequence:
            raise ValueError("it names another number")
    except (ValidationError, ValueError) as error:
        raise LedgerError(
            f"entry {row.sequence} of the ledger {name} cannot be read by this release",
            hint="a newer release may have written it: upgrade, and do not edit the file",
        ) from error
    return entry


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a ledger's file; nothing is written by opening it.

    Raises:
        LedgerError: if it is no ledger, is damaged, or a newer release laid it out.
    """
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        # Every commit reaches the disk, and the directory entry of the journal too, before it returns.
        connection.execute("PRAGMA synchronous = EXTRA")
        layout = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if layout > SCHEMA_VERSION:
            raise LedgerError(f"the ledger {path.name} was laid out by a newer release", hint="upgrade cohortium")
        yield connection
    except sqlite3.DatabaseError as error:
        raise LedgerError(f"the ledger {path.name} cannot be used: {error}") from error
    finally:
        connection.close()


def stored_rows(connection: sqlite3.Connection, *, after: int = 0) -> Iterator[Row]:
    """Rows of a ledger with numbers above ``after``, oldest first, one at a time."""
    cursor = connection.execute(
        "SELECT sequence, body, hash FROM entries WHERE sequence > ? ORDER BY sequence", (after,)
    )
    return (Row(*row) for row in cursor)
