"""A ledger on disk: SQLite, append-only, hash-chained, durable before anything is sent.

The rules: only a :class:`Ledger` makes a :class:`Grant`; it writes the charge durably first; there is no refund and
no way to edit or delete (the database itself refuses both, and the chain shows whoever does it anyway). A charge
found after a crash counts as spent, whatever happened to the answer.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

from privacy.errors import LedgerError
from privacy.ledger.chain import EMPTY, Head, connected
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
from privacy.ledger.file import LedgerFile, read_ledger
from privacy.ledger.paths import HeadPath, recovery_over
from privacy.ledger.state import Caps
from privacy.ledger.tables import Statement, keep_statements, lay_out, refuse_restored, remember_heads, stored_hash


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


class Ledger(LedgerFile):
    """One party's ledger. Safe for several threads and processes; each call is one transaction."""

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
            lay_out(connection, after=0)
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

    def hash_at(self, sequence: int) -> str | None:
        """Hash of an entry, or None where the ledger is shorter."""
        with self._connect() as connection:
            return stored_hash(connection, sequence)

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
            keep_statements(connection, statements)
            return self._add(connection, fact)

    def record_answer(self, answered: Answered, payload: bytes, statements: Iterable[Statement] = ()) -> Head:
        """Record that an answer exists, with its bytes and what was signed about it, durably and in one step."""
        with self._transaction() as connection:
            keep_statements(connection, statements)
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
            keep_statements(connection, statements)
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
            keep_statements(connection, statements)
            remember_heads(connection, heads)

    def keep(self, statements: Iterable[Statement]) -> None:
        """Keep signed statements durably, each once."""
        with self._transaction() as connection:
            keep_statements(connection, statements)

    def check(self, charge: Reserved, caps: Caps) -> None:
        """Whether :meth:`reserve` would grant this charge now; writes nothing.

        Raises:
            BudgetError, ProtocolError: as :meth:`reserve` does.
        """
        with self._lock, self._connect() as connection:
            refuse_restored(connection)
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
            refuse_restored(connection)
            self._current(connection).admit(charge, caps)
            keep_statements(connection, statements)
            remember_heads(connection, heads or {})
            self._add(connection, charge)
        return Grant(_TOKEN, charge.question, charge.core)

    # --- backups -----------------------------------------------------------------------------------------------

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
            keep_statements(connection, statements)
            head = self._verified
            for fact in (*lost, recovered, *again):
                head = self._add(connection, fact, after=head)
            connection.execute("DROP TABLE IF EXISTS restored")
        return head
