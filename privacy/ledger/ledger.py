"""A ledger on disk: SQLite, append-only, hash-chained, durable before anything is sent.

The rules: only a :class:`Ledger` makes a :class:`Grant`; it writes the charge durably first; there is no refund and
no way to edit or delete (the database itself refuses both, and the chain shows whoever does it anyway). A charge
found after a crash counts as spent, whatever happened to the answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, NoReturn

from pydantic import ValidationError

from privacy.accounting.events import KAPPA_CAP, epsilon_spent, squared_cap
from privacy.contract.canonical import canonical_json
from privacy.errors import BudgetError, LedgerError, ProtocolError
from privacy.ledger.entries import FACT, Answered, Entry, Fact, Opened, PeriodCap, Question, Reserved

GENESIS = "0" * 64
_DOMAIN = b"cohortium/ledger/v1\x00"

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


class Head(NamedTuple):
    """Length of a ledger and the hash of its last entry."""

    sequence: int
    hash: str


class Caps(NamedTuple):
    """Limits that a charge must keep, in epsilon and delta for one person.

    Attributes:
        study: the study's own promise; charges are added up per study digest.
        lifetime: cap over all studies ever; None for a coordinator, which keeps one ledger for many studies.
        period: cap over all studies in each period; None where there is none.
    """

    study: tuple[Decimal, Decimal]
    lifetime: tuple[Decimal, Decimal] | None
    period: PeriodCap | None = None


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


def chain_hash(previous: str, body: bytes) -> str:
    """Hash of an entry's canonical body after the entry with hash ``previous``."""
    return hashlib.sha256(_DOMAIN + previous.encode() + b"\x00" + body).hexdigest()


class Ledger:
    """One party's ledger. Safe for several threads and processes; each call is one transaction."""

    def __init__(self, path: Path) -> None:
        """Open an existing ledger and check its chain.

        Raises:
            LedgerError: if there is none, or an entry was changed, removed or inserted.
        """
        if not path.exists():
            raise LedgerError(f"there is no ledger at {path}", hint="create it, or restore it from a backup")
        self.path = path
        for _ in self.entries():
            pass

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
        with cls._connect(path) as connection:
            connection.executescript(_SCHEMA)
        ledger = cls.__new__(cls)
        ledger.path = path
        ledger.append(opened)
        return ledger

    @classmethod
    def open_or_create(cls, path: Path, opened: Opened) -> Ledger:
        """Open the ledger at ``path``, or create it; a changed cap is recorded.

        Raises:
            LedgerError: if the ledger is damaged or belongs to another party.
        """
        if not path.exists():
            return cls.create(path, opened)
        with cls._connect(path) as connection:
            blank = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if blank:  # the process died right after it made the file
            return cls._begin(path, opened)
        ledger = cls(path)
        last = [fact for fact in ledger.facts() if isinstance(fact, Opened)]
        if not last and ledger.head.sequence == 0:  # the process died before the first entry
            ledger.append(opened)
            return ledger
        if not last or (last[0].owner, last[0].role) != (opened.owner, opened.role):
            raise LedgerError(f"{path} is not the ledger of {opened.role} {opened.owner}")
        if last[-1] != opened:
            ledger.append(opened)
        return ledger

    # --- reading -----------------------------------------------------------------------------------------------

    def entries(self) -> Iterator[tuple[Entry, str]]:
        """All entries with their hashes, oldest first, each checked against the chain.

        Raises:
            LedgerError: naming the first entry that does not fit.
        """
        with self._connect(self.path) as connection:
            rows = connection.execute("SELECT sequence, body, hash FROM entries ORDER BY sequence").fetchall()
        yield from check_chain(rows, self.path.name)

    def facts(self) -> Iterator[Fact]:
        """All facts, oldest first."""
        return (entry.fact for entry, _ in self.entries())

    @property
    def head(self) -> Head:
        """Sequence number and hash of the last entry."""
        with self._connect(self.path) as connection:
            return self._head(connection)

    def hash_at(self, sequence: int) -> str | None:
        """Hash of an entry, or None where the ledger is shorter."""
        with self._connect(self.path) as connection:
            row = connection.execute("SELECT hash FROM entries WHERE sequence = ?", (sequence,)).fetchone()
        return None if row is None else str(row[0])

    def spent(self, study_digest: str | None = None) -> Fraction:
        """Sum of mu^2 for one person over all charges, or over those of one study."""
        return _spent(self.facts(), study_digest)

    def stored_answer(self, core: str) -> bytes | None:
        """The answer recorded for a core, byte for byte, or None."""
        with self._connect(self.path) as connection:
            row = connection.execute("SELECT payload FROM payloads WHERE core = ?", (core,)).fetchone()
        return None if row is None else bytes(row[0])

    def peers(self) -> dict[str, Head]:
        """The newest heads of other parties' ledgers that this party has seen."""
        with self._connect(self.path) as connection:
            rows = connection.execute("SELECT member, sequence, hash FROM peers").fetchall()
        return {str(member): Head(int(sequence), str(value)) for member, sequence, value in rows}

    def reserved_core(self, question: Question) -> str | None:
        """The core that was charged under this run, round and attempt, if any."""
        for fact in self.facts():
            if isinstance(fact, Reserved) and fact.question == question:
                return fact.core
        return None

    def answered_set(self, study_digest: str) -> tuple[str, ...] | None:
        """Who took part in the last charged question of a study; None where there was none."""
        sets = [f.holders for f in self.facts() if isinstance(f, Reserved) and f.study_digest == study_digest]
        return sets[-1] if sets else None

    # --- writing -----------------------------------------------------------------------------------------------

    def append(self, fact: Fact) -> Head:
        """Add a fact that costs nothing, durably. Charges go through :meth:`reserve` only."""
        if isinstance(fact, Reserved):
            raise LedgerError("charges are reserved, not appended")
        with self._transaction() as connection:
            return self._add(connection, fact)

    def record_answer(self, answered: Answered, payload: bytes) -> Head:
        """Record that an answer exists, with its bytes, durably and in one step."""
        with self._transaction() as connection:
            connection.execute("INSERT INTO payloads VALUES (?, ?)", (answered.core, payload))
            return self._add(connection, answered)

    def remember(self, heads: Mapping[str, Head]) -> None:
        """Keep the newest heads of others, so that nobody can show an older ledger later."""
        with self._transaction() as connection:
            for member, head in heads.items():
                connection.execute(
                    "INSERT INTO peers VALUES (?, ?, ?) ON CONFLICT (member) DO UPDATE SET "
                    "sequence = excluded.sequence, hash = excluded.hash WHERE excluded.sequence > sequence",
                    (member, head.sequence, head.hash),
                )

    def check(self, charge: Reserved, caps: Caps) -> None:
        """Whether ``reserve`` would be granted now; writes nothing.

        Raises:
            BudgetError: if a cap would be passed.
            ProtocolError: if this question was charged before.
        """
        _admit(list(self.facts()), charge, caps)

    def reserve(self, charge: Reserved, caps: Caps) -> Grant:
        """Write the charge durably and give the permission to answer.

        Raises:
            BudgetError: if a cap would be passed; nothing is written.
            ProtocolError: if this question was charged before; nothing is written.
        """
        with self._transaction() as connection:
            rows = connection.execute("SELECT sequence, body, hash FROM entries ORDER BY sequence").fetchall()
            facts = [entry.fact for entry, _ in check_chain(rows, self.path.name)]
            _admit(facts, charge, caps)
            self._add(connection, charge)
        return Grant(_TOKEN, charge.question, charge.core)

    # --- internals ---------------------------------------------------------------------------------------------

    @staticmethod
    @contextmanager
    def _connect(path: Path) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            # Every commit reaches the disk, and the directory entry of the journal too, before it returns.
            connection.execute("PRAGMA synchronous = EXTRA")
            yield connection
        except sqlite3.DatabaseError as error:
            raise LedgerError(f"the ledger {path.name} cannot be used: {error}") from error
        finally:
            connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connect(self.path) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _head(self, connection: sqlite3.Connection) -> Head:
        row = connection.execute("SELECT sequence, hash FROM entries ORDER BY sequence DESC LIMIT 1").fetchone()
        return Head(0, GENESIS) if row is None else Head(int(row[0]), str(row[1]))

    def _add(self, connection: sqlite3.Connection, fact: Fact) -> Head:
        sequence, previous = self._head(connection)
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


def check_chain(rows: list[tuple[int, str, str]], name: str) -> Iterator[tuple[Entry, str]]:
    """Check and read the rows of a ledger, oldest first.

    Raises:
        LedgerError: naming the first entry that does not fit.
    """
    previous = GENESIS
    for position, (sequence, body, claimed) in enumerate(rows, start=1):
        if sequence != position or chain_hash(previous, body.encode()) != claimed:
            raise LedgerError(
                f"the ledger {name} is broken at entry {position}: it was edited, or entries are missing",
                hint="restore the file as it was; until then nothing is answered",
            )
        yield _read_entry(body, previous, position, name), claimed
        previous = claimed


def _read_entry(body: str, previous: str, position: int, name: str) -> Entry:
    try:
        raw = json.loads(body)
        if not isinstance(raw, dict) or raw.get("sequence") != position:
            raise ValueError
        return Entry(
            sequence=position,
            previous=previous,
            salt=raw["salt"],
            fact=FACT.validate_json(json.dumps(raw["fact"])),
        )
    except (ValueError, KeyError, ValidationError) as error:
        raise LedgerError(
            f"entry {position} of the ledger {name} cannot be read by this release",
            hint="a newer release may have written it: upgrade, and do not edit the file",
        ) from error


def _spent(facts: Iterable[Fact], study_digest: str | None) -> Fraction:
    return sum(
        (
            fact.event.squared_mu(fact.records)
            for fact in facts
            if isinstance(fact, Reserved) and study_digest in (None, fact.study_digest)
        ),
        Fraction(0),
    )


def _admit(facts: list[Fact], charge: Reserved, caps: Caps) -> None:
    """Refuse a charge that repeats a question or passes a cap."""
    if not any(isinstance(fact, Opened) for fact in facts):
        raise LedgerError("this ledger was never opened for an owner; nothing can be charged to it")
    for fact in facts:
        if isinstance(fact, Reserved) and fact.question == charge.question:
            raise ProtocolError("this attempt of this question was charged before")
    everything = [fact for fact in facts if isinstance(fact, Reserved)] + [charge]
    limits = [("the study's budget", [f for f in everything if f.study_digest == charge.study_digest], caps.study)]
    if caps.period is not None:
        cap = (caps.period.epsilon, caps.period.delta)
        limits.append(("the budget of this period", _in_period(everything, caps.period), cap))
    if caps.lifetime is not None:
        limits.append(("the lifetime cap", everything, caps.lifetime))
    for name, charges, (epsilon, delta) in limits:
        spent = _spent(charges, None)
        if spent > squared_cap(float(epsilon), float(delta)):
            before = epsilon_spent(_spent(charges[:-1], None), float(delta))
            after = epsilon_spent(spent, float(delta))
            raise BudgetError(
                f"{name} does not suffice: epsilon {before:.3f} of {epsilon} is spent, "
                f"and this question would make it {after:.3f}",
                hint="lower the study's epsilon, or let the holder's operator decide about the cap",
            )
        if sum((c.event.kappa for c in charges), Fraction(0)) > KAPPA_CAP:
            raise BudgetError(
                f"{name}: the integer noise would be too coarse to count as Gaussian",
                hint="ask questions with fewer coordinates or more noise",
            )


def _in_period(charges: list[Reserved], period: PeriodCap) -> list[Reserved]:
    """The charges of the last one's period. A charge falls into the latest period that it or one before it names: a
    clock that is put back does not fill the cap again."""
    indices = list(accumulate((period.index(charge.time) for charge in charges), max))
    return [charge for charge, index in zip(charges, indices, strict=True) if index == indices[-1]]
