"""A ledger's file: checked whole when it is opened, written to in transactions, copied while it is in use."""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from privacy.errors import LedgerError
from privacy.kernel.canonical import canonical_json
from privacy.ledger.chain import (
    EMPTY,
    GENESIS,
    Head,
    Row,
    broken,
    chain_hash,
    connected,
    linked,
    read_entry,
    stored_rows,
)
from privacy.ledger.entries import Entry, Fact, Recovered
from privacy.ledger.merkle import Tree
from privacy.ledger.paths import HeadPath, Passage
from privacy.ledger.state import LedgerState
from privacy.ledger.tables import is_restored, lay_out, stored_hash
from privacy.private_files import private_file


class LedgerFile:
    """The file of one party's ledger. Safe for several threads and processes; each call is one transaction.

    The whole chain is checked when a file is opened; what it adds up to is then kept in memory and brought up to
    date from new entries alone. When the file was changed by anybody but this object, all hashes are computed again
    before anything else is done, so that a charge never rests on entries that were edited.
    """

    def __init__(self, path: Path) -> None:
        """Open an existing ledger and check its chain.

        Raises:
            LedgerError: if there is none, or an entry was changed, removed or inserted.
        """
        if not path.exists():
            raise LedgerError(f"there is no ledger at {path}", hint="create it, or restore it from a backup")
        self._prepare(path)
        with self._connect() as connection:
            layout = int(connection.execute("PRAGMA user_version").fetchone()[0])
            lay_out(connection, after=max(layout, 1))
            self._current(connection)

    def _prepare(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._state = LedgerState()
        self._tree = Tree()
        self._verified = EMPTY  # the head that ``_state`` and ``_tree`` were folded up to
        self._file: tuple[int, ...] | None = None  # what the file looked like when its chain was last checked

    # --- reading -----------------------------------------------------------------------------------------------

    @property
    def state(self) -> LedgerState:
        """What the facts add up to, as of now; to be read, not changed.

        Raises:
            LedgerError: if the chain was damaged since it was opened.
        """
        with self._lock, self._connect() as connection:
            return self._current(connection)

    @property
    def head(self) -> Head:
        """Sequence number and hash of the last entry."""
        with self._lock, self._connect() as connection:
            self._current(connection)
            return self._verified

    # --- backups -----------------------------------------------------------------------------------------------

    @property
    def restored(self) -> bool:
        """Whether this file is a backup that was put back, and nobody has said yet what was lost since."""
        with self._connect() as connection:
            return is_restored(connection)

    def back_up(self, target: Path) -> Head:
        """Write a copy, owner-only and whole, also while the ledger is in use.

        Returns:
            The head of the copy.
        """
        with private_file(target) as temporary:
            with self._connect() as connection, closing(sqlite3.connect(temporary)) as copy:
                connection.backup(copy)
            return LedgerFile(temporary).head

    # --- for the ledger ----------------------------------------------------------------------------------------

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        with connected(self.path) as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._current(connection)
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            self._file = self._look(connection)  # the change was ours
            self._current(connection)  # what was written counts from here on, even if the file is cut afterwards

    def _look(self, connection: sqlite3.Connection) -> tuple[int, ...]:
        """What shows that a file was changed: the number of changes of its tables and triggers, and its times."""
        status = self.path.stat()
        layout = int(connection.execute("PRAGMA schema_version").fetchone()[0])
        return layout, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _current(self, connection: sqlite3.Connection) -> LedgerState:
        """The state as of the file, from new entries alone where the file is as this object left it.

        Raises:
            LedgerError: naming the first entry that does not fit.
        """
        look = self._look(connection)
        after = self._verified if look == self._file else EMPTY
        self._file = None  # until all of it is known to be whole
        if after != EMPTY and stored_hash(connection, after.sequence) != after.hash:
            raise broken(self.path.name, after.sequence)
        seen = after.sequence
        for row in linked(stored_rows(connection, after=after.sequence), self.path.name, after=after):
            seen = row.sequence
            if seen > self._verified.sequence:
                self._state.take(read_entry(row, self.path.name).fact)
                self._tree.append(bytes.fromhex(row.hash))
                self._verified = Head(row.sequence, row.hash)
            elif seen == self._verified.sequence and row.hash != self._verified.hash:
                raise broken(self.path.name, seen)
        if seen < self._verified.sequence:
            raise broken(self.path.name, seen + 1)
        self._file = look
        return self._state

    def _path(self, connection: sqlite3.Connection, sequence: int, size: int, lost: Recovered | None) -> HeadPath:
        shown, passage = sequence, None
        if lost is not None and lost.lost_to < size:
            shown = lost.lost_to + 1
            body = connection.execute("SELECT body FROM entries WHERE sequence = ?", (shown,)).fetchone()[0]
            passage = Passage(previous=stored_hash(connection, lost.lost_to) or GENESIS, body=body)
        hashes = tuple(value.hex() for value in self._tree.path(shown - 1, size))
        return HeadPath(sequence=sequence, hashes=hashes, passage=passage)

    def _add(self, connection: sqlite3.Connection, fact: Fact, *, after: Head | None = None) -> Head:
        sequence, previous = after or self._verified
        body = canonical_json(
            {
                "fact": fact.model_dump(mode="json"),
                "salt": secrets.token_hex(16),
                "sequence": sequence + 1,
            }
        )
        head = Head(sequence + 1, chain_hash(previous, body))
        connection.execute("INSERT INTO entries VALUES (?, ?, ?)", (head.sequence, body.decode(), head.hash))
        return head


def read_ledger(path: Path) -> Iterator[tuple[Entry, str]]:
    """Entries of anybody's ledger file with their hashes, checked against the chain, one at a time.

    Raises:
        LedgerError: if it is no ledger, or naming the first entry that does not fit.
    """
    for row in read_ledger_rows(path):
        yield read_entry(row, path.name), row.hash


def read_ledger_rows(path: Path) -> Iterator[Row]:
    """The same as they are stored, not yet read.

    Raises:
        LedgerError: if it is no ledger, or naming the first entry that does not fit.
    """
    with connected(path) as connection:
        yield from linked(stored_rows(connection), path.name)
