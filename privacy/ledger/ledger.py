"""A ledger on disk: SQLite, append-only, hash-chained, durable before anything is sent.

The rules: only a :class:`Ledger` makes a :class:`Grant`; it writes the charge durably first; there is no refund and
no way to edit or delete (the database itself refuses both, and the chain shows whoever does it anyway). A charge
found after a crash counts as spent, whatever happened to the answer.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, NoReturn

from privacy.errors import LedgerError
from privacy.kernel.canonical import canonical_json
from privacy.ledger.chain import (
    EMPTY,
    GENESIS,
    SCHEMA_VERSION,
    Head,
    Row,
    broken,
    chain_hash,
    connected,
    linked,
    read_entry,
    stored_rows,
)
from privacy.ledger.entries import (
    Answered,
    Entry,
    Fact,
    Lost,
    Opened,
    Question,
    Recovered,
    Released,
    Reserved,
    ResultAccepted,
)
from privacy.ledger.merkle import Tree
from privacy.ledger.paths import HeadPath, Passage, recovery_over
from privacy.ledger.state import Caps, LedgerState
from privacy.private_files import private_file

_SCHEMA = """
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


class Grant:
    """Permission to answer one plan core, once. Only :meth:`Ledger.reserve` makes one."""

    __slots__ = ("_used", "core", "question")

    def __init__(self, token: object, question: Question, core: str) -> None:
        if token is not _TOKEN:
            raise TypeError("only a Ledger issues grants")
        self.question = question
        self.core = core
        self._used = False

    def use(self, core: str) -> None:
        """Spend the grant for ``core``.

        Raises:
            LedgerError: if it was spent already, or is for another core.
        """
        if self._used or core != self.core:
            raise LedgerError("a grant is for one answer to one plan")
        self._used = True

    def __reduce__(self) -> NoReturn:
        raise TypeError("grants cannot be copied or stored")


_TOKEN = object()


class Ledger:
    """One party's ledger. Safe for several threads and processes; each call is one transaction.

    The whole chain is checked when a ledger is opened; what it adds up to is then kept in memory and brought up to
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
            if layout < 2:
                connection.executescript(_SECOND)
            if layout < SCHEMA_VERSION:
                connection.executescript(_THIRD)
            self._current(connection)

    def _prepare(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._state = LedgerState()
        self._tree = Tree()
        self._verified = EMPTY  # the head that ``_state`` and ``_tree`` were folded up to
        self._file: tuple[int, ...] | None = None  # what the file looked like when its chain was last checked

    @classmethod
    def create(cls, path: Path, opened: Opened) -> Ledger:
        """Make a new ledger, owner-only, whose first entry is ``opened``.

        Raises:
            LedgerError: if there is a file already: a ledger is never started over.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            raise LedgerError(f"{path} exists; a ledger is never started over") from None
        return cls._begin(path, opened)

    @classmethod
    def _begin(cls, path: Path, opened: Opened) -> Ledger:
        ledger = cls.__new__(cls)
        ledger._prepare(path)
        with ledger._connect() as connection:
            connection.executescript(_SCHEMA)
            connection.executescript(_SECOND)
            connection.executescript(_THIRD)
        ledger.append(opened)
        return ledger

    @classmethod
    def open_or_create(cls, path: Path, opened: Opened) -> Ledger:
        """Open the ledger at ``path``, or create it; changed caps and a K that has grown are recorded.

        Raises:
            LedgerError: if the ledger is damaged or belongs to another party.
        """
        if not path.exists():
            return cls.create(path, opened)
        with connected(path) as connection:
            blank = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if blank:  # the process died right after it made the file
            return cls._begin(path, opened)
        ledger = cls(path)
        state = ledger.state
        if ledger.head == EMPTY:  # the process died before the first entry
            ledger.append(opened)
            return ledger
        if state.owner != (opened.owner, opened.role):
            raise LedgerError(f"{path} is not the ledger of {opened.role} {opened.owner}")
        with ledger._transaction() as connection:
            before = ledger._current(connection).opened
            if opened.no_lower(before) != before:
                ledger._add(connection, opened.no_lower(before))
        return ledger

    # --- reading -----------------------------------------------------------------------------------------------

    def entries(self) -> Iterator[tuple[Entry, str]]:
        """All entries with their hashes, oldest first, each checked against the chain, one at a time.

        Raises:
            LedgerError: naming the first entry that does not fit.
        """
        return read_ledger(self.path)

    def facts(self) -> Iterator[Fact]:
        """All facts, oldest first."""
        return (entry.fact for entry, _ in self.entries())

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

    def hash_at(self, sequence: int) -> str | None:
        """Hash of an entry, or None where the ledger is shorter."""
        with self._connect() as connection:
            return _stored_hash(connection, sequence)

    def root(self, sequence: int) -> str:
        """Root of the hash tree over the first so many entries' hashes.

        Raises:
            LedgerError: if there are not so many.
        """
        with self._lock, self._connect() as connection:
            self._current(connection)
            if not 1 <= sequence <= len(self._tree):
                raise LedgerError(f"the ledger {self.path.name} has no entry {sequence}")
            return self._tree.root(sequence).hex()

    def paths(self, since: Iterable[int], size: int) -> tuple[HeadPath, ...]:
        """How the ledger, when it had ``size`` entries, went on from earlier ones; those beyond have no path."""
        with self._lock, self._connect() as connection:
            recoveries = self._current(connection).recoveries
            return tuple(
                self._path(connection, sequence, size, recovery_over(sequence, recoveries))
                for sequence in sorted(set(since))
                if 1 <= sequence <= size <= len(self._tree)
            )

    def spent(self, study_digest: str | None = None) -> Fraction:
        """Sum of mu^2: over all charges for one record of a person, or over one study's for a person by its k."""
        state = self.state
        return (state.total if study_digest is None else state.of_study(study_digest)).squared_mu

    def stored_answer(self, core: str) -> bytes | None:
        """The answer recorded for a core, byte for byte, or None."""
        with self._connect() as connection:
            row = connection.execute("SELECT payload FROM payloads WHERE core = ?", (core,)).fetchone()
        return None if row is None else bytes(row[0])

    def peers(self) -> dict[str, Head]:
        """The newest heads of other parties' ledgers that this party has seen."""
        with self._connect() as connection:
            rows = connection.execute("SELECT member, sequence, hash FROM peers").fetchall()
        return {str(member): Head(int(sequence), str(value)) for member, sequence, value in rows}

    def statements(self) -> Iterator[Statement]:
        """Signed statements that were kept, in the order in which they came."""
        with self._connect() as connection:
            for row in connection.execute(
                "SELECT digest, kind, signer, subject, statement FROM statements ORDER BY rowid"
            ):
                yield Statement(*row)

    def statement(self, digest: str) -> Statement | None:
        """The kept statement of a digest, or None."""
        with self._connect() as connection:
            row = connection.execute(
                "SELECT digest, kind, signer, subject, statement FROM statements WHERE digest = ?", (digest,)
            ).fetchone()
        return None if row is None else Statement(*row)

    def reserved_core(self, question: Question) -> str | None:
        """The core that was charged under this run, round and attempt, if any."""
        return self.state.core_of(question)

    def answered_set(self, study_digest: str) -> tuple[str, ...] | None:
        """Who took part in the last charged question of a study; None where there was none."""
        return self.state.holders_of(study_digest)

    # --- writing -----------------------------------------------------------------------------------------------

    def append(self, fact: Fact, statements: Iterable[Statement] = ()) -> Head:
        """Add a fact that costs nothing, durably, and what was signed about it. Charges go through :meth:`reserve`."""
        if isinstance(fact, Reserved):
            raise LedgerError("charges are reserved, not appended")
        with self._transaction() as connection:
            _keep(connection, statements)
            return self._add(connection, fact)

    def record_answer(self, answered: Answered, payload: bytes, statements: Iterable[Statement] = ()) -> Head:
        """Record that an answer exists, with its bytes and what was signed about it, durably and in one step."""
        with self._transaction() as connection:
            _keep(connection, statements)
            connection.execute("INSERT INTO payloads VALUES (?, ?)", (answered.core, payload))
            return self._add(connection, answered)

    def record_result(
        self, accepted: ResultAccepted, released: Iterable[Released], statements: Iterable[Statement]
    ) -> Head:
        """Record a result that was handed out, the releases in it that are new here, and what was signed about it.

        Raises:
            LedgerError: if that run handed out another result before; nothing is written.
        """
        with self._transaction() as connection:
            if (accepted.run, accepted.made_by) in self._current(connection).results:
                raise LedgerError("a run hands out one result, once")
            _keep(connection, statements)
            facts: list[Fact] = [*released, accepted]
            head = self._verified
            for fact in facts:
                head = self._add(connection, fact, after=head)
        return head

    def remember(self, heads: Mapping[str, Head], statements: Iterable[Statement] = ()) -> None:
        """Keep the newest heads of others, so that nobody can show an older ledger later, and what shows them.

        Args:
            heads: each shown to go on from the one that was remembered before (:func:`privacy.ledger.paths.goes_on`).
        """
        with self._transaction() as connection:
            _keep(connection, statements)
            _remember(connection, heads)

    def keep(self, statements: Iterable[Statement]) -> None:
        """Keep signed statements durably, each once."""
        with self._transaction() as connection:
            _keep(connection, statements)

    def check(self, charge: Reserved, caps: Caps) -> None:
        """Whether :meth:`reserve` would grant this charge now; writes nothing.

        Raises:
            BudgetError, ProtocolError: as :meth:`reserve` does.
        """
        with self._lock, self._connect() as connection:
            _refuse_restored(connection)
            self._current(connection).admit(charge, caps)

    def reserve(
        self,
        charge: Reserved,
        caps: Caps,
        statements: Iterable[Statement] = (),
        heads: Mapping[str, Head] | None = None,
    ) -> Grant:
        """Write the charge durably and give the permission to answer.

        Args:
            statements: what was signed that led to the charge; kept with it.
            heads: heads of others that led to it; remembered with it.

        Raises:
            BudgetError: if a cap would be passed; nothing is written.
            ProtocolError: if this question was charged before; nothing is written.
        """
        with self._transaction() as connection:
            _refuse_restored(connection)
            self._current(connection).admit(charge, caps)
            _keep(connection, statements)
            _remember(connection, heads or {})
            self._add(connection, charge)
        return Grant(_TOKEN, charge.question, charge.core)

    # --- backups -----------------------------------------------------------------------------------------------

    @property
    def restored(self) -> bool:
        """Whether this file is a backup that was put back, and nobody has said yet what was lost since."""
        with self._connect() as connection:
            return _is_restored(connection)

    def back_up(self, target: Path) -> Head:
        """Write a copy, owner-only and whole, also while the ledger is in use.

        Returns:
            The head of the copy.
        """
        with private_file(target) as temporary:
            with self._connect() as connection, closing(sqlite3.connect(temporary)) as copy:
                connection.backup(copy)
            return Ledger(temporary).head

    def mark_restored(self) -> None:
        """Say that this file is a backup: nothing is charged to it until :meth:`recover`."""
        with self._transaction() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS restored (mark INTEGER) STRICT")

    def recover(self, recovered: Recovered, charges: Iterable[Reserved], statements: Iterable[Statement] = ()) -> Head:
        """Go on after a backup was put back, in one step: lost entries, the recovery, and the charges found again.

        Args:
            recovered: what was lost, and who says so.
            charges: charges of the lost part, as others recorded them; those that are here already are left out.
            statements: what others signed that shows the lost head; kept with it.

        Raises:
            LedgerError: if the ledger does not end where the lost part begins.
        """
        with self._transaction() as connection:
            state = self._current(connection)
            if recovered.lost_from != self._verified.sequence + 1:
                raise LedgerError("the ledger does not end where the lost entries begin")
            lost: list[Fact] = [Lost() for _ in range(recovered.lost_from, recovered.lost_to + 1)]
            again = [charge for charge in charges if state.core_of(charge.question) is None]
            _keep(connection, statements)
            head = self._verified
            for fact in (*lost, recovered, *again):
                head = self._add(connection, fact, after=head)
            connection.execute("DROP TABLE IF EXISTS restored")
        return head

    # --- internals ---------------------------------------------------------------------------------------------

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
        if after != EMPTY and _stored_hash(connection, after.sequence) != after.hash:
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
            passage = Passage(previous=_stored_hash(connection, lost.lost_to) or GENESIS, body=body)
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


def _keep(connection: sqlite3.Connection, statements: Iterable[Statement]) -> None:
    connection.executemany("INSERT OR IGNORE INTO statements VALUES (?, ?, ?, ?, ?)", statements)


def _remember(connection: sqlite3.Connection, heads: Mapping[str, Head]) -> None:
    connection.executemany(
        "INSERT INTO peers VALUES (?, ?, ?) ON CONFLICT (member) DO UPDATE SET "
        "sequence = excluded.sequence, hash = excluded.hash WHERE excluded.sequence > sequence",
        [(member, head.sequence, head.hash) for member, head in heads.items()],
    )


def _is_restored(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'restored'").fetchone()
    return bool(found[0])


def _refuse_restored(connection: sqlite3.Connection) -> None:
    if _is_restored(connection):
        raise LedgerError(
            "this ledger was restored from a backup; until it is recovered, all of its budget counts as spent",
            hint="`cohortium ledger recover`, with heads from another holder or the auditor",
        )


def _stored_hash(connection: sqlite3.Connection, sequence: int) -> str | None:
    row = connection.execute("SELECT hash FROM entries WHERE sequence = ?", (sequence,)).fetchone()
    return None if row is None else str(row[0])


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
