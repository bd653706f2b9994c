"""The ledger: charged durably before anything leaves, never given back, and unable to hide an edit.

A state machine does to a ledger what happens in the field: charges, answers, releases, failures, crashes at every
point, restarts, attempts to get something back, and edits of the file. Whatever the order, what is spent covers all
that outsiders may have seen, caps hold, what is read again equals what was written, and an edit is found and named.
"""

from __future__ import annotations

import copy
import hashlib
import json
import multiprocessing
import pickle
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from ledger_charges import CAPS, CHARGE, ONE, OPENED, PER_LIFE, PER_STUDY, charge, digest

from privacy.accounting.events import KAPPA_CAP, GaussianSum, add_price, squared_cap
from privacy.audit.ledger_view import view_ledger
from privacy.errors import BudgetError, LedgerError, ProtocolError
from privacy.ledger import (
    Answered,
    Caps,
    Evidence,
    Failed,
    Grant,
    Head,
    Ledger,
    Opened,
    Question,
    Released,
    Reserved,
    ResultAccepted,
    Statement,
)
from privacy.ledger.tables import LAYOUTS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Ledger:
    return Ledger.create(path, OPENED)


def raw(path: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    """Do something to the file that no ledger does, with the guards in the database turned off."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DROP TRIGGER entries_append_only_u")
    connection.execute("DROP TRIGGER entries_append_only_d")
    connection.execute("DROP TRIGGER entries_append_only_i")
    for statement, values in statements:
        connection.execute(statement, values)
    connection.close()


# --- verified without this project -------------------------------------------------------------------------------


def independent_check(path: Path) -> tuple[str, Fraction]:
    """What an auditor can do with the standard library alone: verify the chain, add up mu^2 for one record."""
    previous, spent = "0" * 64, Fraction(0)
    rows = sqlite3.connect(path).execute("SELECT sequence, body, hash FROM entries ORDER BY sequence").fetchall()
    for expected, (sequence, body, claimed) in enumerate(rows, start=1):
        value = hashlib.sha256(b"cohortium/ledger/v1\x00" + previous.encode() + b"\x00" + body.encode()).hexdigest()
        if (sequence, claimed, json.loads(body).get("sequence")) != (expected, value, expected):
            raise ValueError(f"entry {expected}")
        fact, previous = json.loads(body)["fact"], value
        if fact["kind"] == "reserved":
            event = fact["event"]
            variance = event["share_scale"] ** 2 * event["protecting_shares"]
            spent += Fraction(event["squared_norm"], variance)
    return previous, spent


def test_the_chain_can_be_verified_with_the_standard_library(ledger: Ledger) -> None:
    for number in range(1, 4):
        ledger.reserve(charge(number, records=number % 2 + 1, study=f"s{number}"), CAPS)
    ledger.append(Failed(question=charge(1).question, core=charge(1).core, reason="stopped"))
    assert independent_check(ledger.path) == (ledger.head.hash, ledger.spent())
    raw(ledger.path, ("UPDATE entries SET body = replace(body, 'rfm', 'mfr') WHERE sequence = 3", ()))
    with pytest.raises(ValueError, match="entry 3"):
        independent_check(ledger.path)


# --- the state machine -------------------------------------------------------------------------------------------


class LedgerMachine(RuleBasedStateMachine):
    """A holder's ledger in the field. The model is a list of facts and the set of cores that may have been seen."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "ledger.sqlite"
        self.ledger = Ledger.create(self.path, OPENED)
        self.facts: list[object] = [OPENED]
        self.seen: dict[str, Reserved] = {}  # cores whose answer may have left
        self.grants: dict[str, tuple[Grant, Reserved]] = {}
        self.payloads: dict[str, bytes] = {}
        self.counter = 0

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @rule(study=st.sampled_from(["one", "two", "three", "four", "five"]), records=st.sampled_from([1, 1, 1, 2]))
    def reserve(self, study: str, records: int) -> None:
        self.counter += 1
        asked = charge(self.counter, study=study, records=records)
        price = asked.event.squared_mu(records)
        of_study = sum((f.event.squared_mu(f.records) for f in self.charges() if f.study == study), Fraction(0))
        life = self.spent() + asked.event.squared_mu()
        fits = of_study + price <= squared_cap(1, 1e-6) and life <= squared_cap(2, 1e-6)
        try:
            self.ledger.check(asked, CAPS)
            grant = self.ledger.reserve(asked, CAPS)
        except BudgetError:
            assert not fits
            return
        assert fits
        self.facts.append(asked)
        self.grants[asked.core] = (grant, asked)

    @rule(again=st.booleans())
    @precondition(lambda self: self.charges())
    def ask_twice(self, again: bool) -> None:
        """The same attempt of the same question, with the same or another core: never a second grant."""
        asked = self.charges()[-1]
        if again:
            asked = asked.model_copy(update={"core": digest("another core")})
        with pytest.raises(ProtocolError):
            self.ledger.reserve(asked, CAPS)

    @rule()
    @precondition(lambda self: self.grants)
    def answer(self) -> None:
        core, (grant, asked) = self.grants.popitem()
        grant.use(core)
        payload = core[:20].encode()
        fact = Answered(question=asked.question, core=core, payload=hashlib.sha256(payload).hexdigest())
        self.ledger.record_answer(fact, payload)
        self.facts.append(fact)
        self.seen[core] = asked
        self.payloads[core] = payload
        with pytest.raises(LedgerError):
            grant.use(core)

    @rule()
    @precondition(lambda self: self.grants)
    def crash_before_noise(self) -> None:
        """The charge is on the disk, nothing left the process: it stays spent, and the grant is gone."""
        self.grants.popitem()
        self.ledger = Ledger.open_or_create(self.path, OPENED)

    @rule()
    @precondition(lambda self: self.grants)
    def crash_after_sending(self) -> None:
        """The answer left but the record of it did not reach the disk: only the charge tells."""
        core, (grant, asked) = self.grants.popitem()
        grant.use(core)
        self.seen[core] = asked
        self.ledger = Ledger.open_or_create(self.path, OPENED)

    @rule()
    def restart(self) -> None:
        self.grants.clear()
        self.ledger = Ledger.open_or_create(self.path, OPENED)

    @rule(reason=st.sampled_from(get_args(Failed.model_fields["reason"].annotation)))
    @precondition(lambda self: self.charges())
    def fail(self, reason: str) -> None:
        last = self.charges()[-1]
        before = self.ledger.spent()
        fact = Failed(question=last.question, core=last.core, reason=reason)
        self.ledger.append(fact)
        self.facts.append(fact)
        assert self.ledger.spent() == before

    @rule()
    @precondition(lambda self: self.seen)
    def release(self) -> None:
        asked = next(reversed(self.seen.values()))
        fact = Released(question=asked.question, core=asked.core, release=digest("release"))
        self.ledger.append(fact)
        self.facts.append(fact)

    @rule(statement=st.sampled_from([
        "DELETE FROM entries WHERE sequence = (SELECT max(sequence) FROM entries)",
        "DELETE FROM entries",
        "UPDATE entries SET body = replace(body, 'reserved', 'failed')",
        "UPDATE entries SET hash = 'x' WHERE sequence = 1",
        "INSERT INTO entries VALUES (0, '{}', 'x')",
        "INSERT OR REPLACE INTO entries SELECT max(sequence), '{}', 'x' FROM entries",
    ]))  # fmt: skip
    def try_to_get_something_back(self, statement: str) -> None:
        connection = sqlite3.connect(self.path)
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
        connection.close()
        if self.charges():
            with pytest.raises(LedgerError):
                self.ledger.append(self.charges()[0])

    @rule(data=st.data())
    @precondition(lambda self: len(self.facts) > 2)
    def tamper(self, data: st.DataObject) -> None:
        """On a copy: change one character of one entry, and look for it."""
        copied = self.folder / "copy.sqlite"
        shutil.copyfile(self.path, copied)
        number = data.draw(st.integers(1, len(self.facts)))
        (body,) = sqlite3.connect(copied).execute("SELECT body FROM entries WHERE sequence = ?", (number,)).fetchone()
        place = data.draw(st.integers(0, len(body) - 1))
        other = "0" if body[place] != "0" else "1"
        raw(copied, ("UPDATE entries SET body = ? WHERE sequence = ?",
                     (body[:place] + other + body[place + 1 :], number)))  # fmt: skip
        with pytest.raises(LedgerError, match=f"entry {number}"):
            Ledger(copied)
        copied.unlink()

    def charges(self) -> list[Reserved]:
        return [fact for fact in self.facts if isinstance(fact, Reserved)]

    def spent(self) -> Fraction:
        return sum((fact.event.squared_mu() for fact in self.charges()), Fraction(0))

    @invariant()
    def everything_seen_is_spent_and_caps_hold(self) -> None:
        if not hasattr(self, "ledger"):
            return
        spent = self.ledger.spent()
        assert spent == self.spent()
        assert spent >= sum((f.event.squared_mu() for f in self.seen.values()), Fraction(0))
        assert spent <= squared_cap(2, 1e-6)
        for study in {fact.study_digest for fact in self.charges()}:
            assert self.ledger.spent(study) <= squared_cap(1, 1e-6)

    @invariant()
    def what_is_read_is_what_was_written(self) -> None:
        if not hasattr(self, "ledger"):
            return
        assert list(self.ledger.facts()) == self.facts
        assert self.ledger.head.sequence == len(self.facts)
        for core, payload in self.payloads.items():
            assert self.ledger.stored_answer(core) == payload
        assert independent_check(self.path) == (self.ledger.head.hash, self.spent())


LedgerMachine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
test_a_ledger_in_the_field = pytest.mark.slow(LedgerMachine.TestCase)


# --- caps --------------------------------------------------------------------------------------------------------


def test_the_study_cap_holds_to_the_last_charge(ledger: Ledger) -> None:
    for number in range(1, PER_STUDY + 1):
        ledger.reserve(charge(number), CAPS)
    before = ledger.head
    with pytest.raises(BudgetError, match="study's budget") as error:
        ledger.reserve(charge(6), CAPS)
    assert "epsilon 0.94" in error.value.message
    assert ledger.head == before  # nothing was written
    with pytest.raises(BudgetError):
        ledger.check(charge(6), CAPS)


def test_the_lifetime_cap_holds_over_studies(ledger: Ledger) -> None:
    granted = 0
    for study in range(6):
        for number in range(1, PER_STUDY + 1):
            if granted < PER_LIFE:
                ledger.reserve(charge(number, study=f"study {study}"), CAPS)
                granted += 1
            else:
                with pytest.raises(BudgetError, match="lifetime"):
                    ledger.reserve(charge(number, study=f"study {study}"), CAPS)
    assert granted == PER_LIFE
    assert ledger.spent() == Fraction(PER_LIFE, 100)


def test_a_charge_of_exactly_the_cap_is_granted_and_one_more_is_not(ledger: Ledger) -> None:
    cap = squared_cap(1, 1e-6)
    norm, variance = cap.numerator, cap.denominator
    root = 10**6  # the cap's grid is 10^-12: a whole number of squares
    assert root * root % variance == 0
    scale = root * 2000
    exact = GaussianSum(
        squared_norm=norm * (scale * scale // variance), gamma=1, dim=1, share_scale=scale, protecting_shares=1
    )
    assert exact.squared_mu() == cap
    more = exact.model_copy(update={"squared_norm": exact.squared_norm + 1})
    with pytest.raises(BudgetError):
        ledger.reserve(charge(1, event=more), CAPS)
    ledger.reserve(charge(1, event=exact), CAPS)


def test_several_records_of_a_person_cost_their_square(ledger: Ledger) -> None:
    ledger.reserve(charge(1, records=2), CAPS)
    assert ledger.spent() == CHARGE.squared_mu(), "of one record: caps multiply it by K"
    assert ledger.spent(charge(1, records=2).study_digest) == 4 * CHARGE.squared_mu(), "of the study's k"
    with pytest.raises(BudgetError):
        ledger.reserve(charge(2, records=2), CAPS)
    ledger.reserve(charge(2, records=1), CAPS)


def test_a_coordinator_has_no_lifetime_cap(path: Path) -> None:
    ledger = Ledger.create(path, Opened(owner="coordinator", role="coordinator"))
    for study in range(PER_LIFE // PER_STUDY + 2):
        for number in range(1, PER_STUDY + 1):
            ledger.reserve(charge(number, study=f"study {study}"), Caps(study=ONE, lifetime=None))
    assert ledger.spent() > squared_cap(2, 1e-6)


def test_coarse_noise_is_refused(ledger: Ledger) -> None:
    """The price fits, but the integers are too coarse: the kappas of all charges must stay within their cap."""
    scale = 1 << 20
    dim = int((KAPPA_CAP * 6 * scale * scale - 120) / Fraction(35, 100))
    fine = GaussianSum(squared_norm=1, gamma=1, dim=dim - 1, share_scale=scale, protecting_shares=1)
    caps = Caps(study=ONE, lifetime=None)
    with pytest.raises(BudgetError, match="coarse"):
        ledger.reserve(charge(1, event=fine.model_copy(update={"dim": dim + 1})), caps)
    ledger.reserve(charge(1, event=fine), caps)
    with pytest.raises(BudgetError, match="coarse"):
        ledger.reserve(charge(2, event=fine), caps)


def test_an_attempt_of_a_question_is_charged_once(ledger: Ledger) -> None:
    """Two answers under one run, round and attempt would let the masks be subtracted away."""
    ledger.reserve(charge(1), CAPS)
    before = ledger.head
    for core in (charge(1).core, digest("another plan")):
        again = charge(1).model_copy(update={"core": core})
        with pytest.raises(ProtocolError):
            ledger.reserve(again, CAPS)
        with pytest.raises(ProtocolError):
            Ledger(ledger.path).check(again, CAPS)
    assert ledger.head == before
    next_attempt = charge(1).question.model_copy(update={"attempt": 2})
    ledger.reserve(charge(1).model_copy(update={"question": next_attempt}), CAPS)


# --- grants ------------------------------------------------------------------------------------------------------


def test_a_grant_is_for_one_answer_to_one_plan(ledger: Ledger) -> None:
    grant = ledger.reserve(charge(1), CAPS)
    with pytest.raises(LedgerError):
        grant.use(charge(2).core)
    grant.use(charge(1).core)
    with pytest.raises(LedgerError):
        grant.use(charge(1).core)


@pytest.mark.parametrize("how", [pickle.dumps, copy.copy, copy.deepcopy], ids=lambda f: f.__name__)
def test_a_grant_cannot_be_copied(ledger: Ledger, how: Callable[[object], object]) -> None:
    with pytest.raises(TypeError):
        how(ledger.reserve(charge(1), CAPS))


def test_only_a_ledger_makes_grants() -> None:
    question = charge(1).question
    for token in (None, object(), "token", Ledger):
        with pytest.raises(TypeError):
            Grant(token, question, charge(1).core)
    with pytest.raises((LedgerError, AttributeError)):
        Grant.__new__(Grant).use(charge(1).core)


def test_charges_are_not_appended(ledger: Ledger) -> None:
    with pytest.raises(LedgerError):
        ledger.append(charge(1))
    assert ledger.head.sequence == 1


# --- edits -------------------------------------------------------------------------------------------------------


def _edits() -> dict[str, tuple[int, list[tuple[str, tuple[object, ...]]]]]:
    """Name to (first entry that does not fit, statements)."""
    cheaper = "UPDATE entries SET body = replace(body, '\"records\":1', '\"records\":0') WHERE sequence = 4"
    return {
        "edited": (4, [(cheaper, ())]),
        "removed in the middle": (3, [("DELETE FROM entries WHERE sequence = 3", ())]),
        "first removed": (1, [("DELETE FROM entries WHERE sequence = 1", ())]),
        "removed and renumbered": (
            3,
            [
                ("DELETE FROM entries WHERE sequence = 3", ()),
                ("UPDATE entries SET sequence = sequence - 1 WHERE sequence > 3", ()),
            ],
        ),
        "inserted at the end": (7, [("INSERT INTO entries VALUES (7, '{}', ?)", ("f" * 64,))]),
        "inserted with a gap": (7, [("INSERT INTO entries VALUES (9, '{}', ?)", ("f" * 64,))]),
        "reordered": (
            3,
            [
                ("UPDATE entries SET sequence = 99 WHERE sequence = 3", ()),
                ("UPDATE entries SET sequence = 3 WHERE sequence = 4", ()),
                ("UPDATE entries SET sequence = 4 WHERE sequence = 99", ()),
            ],
        ),
        "hash rewritten": (5, [("UPDATE entries SET hash = ? WHERE sequence = 5", ("e" * 64,))]),
    }


@pytest.mark.parametrize("name", _edits())
def test_an_edit_is_found_and_named(ledger: Ledger, name: str) -> None:
    for number in range(1, 6):
        ledger.reserve(charge(number), CAPS)
    first, statements = _edits()[name]
    raw(ledger.path, *statements)
    for read in (lambda: Ledger(ledger.path), lambda: list(ledger.facts()), ledger.spent):
        with pytest.raises(LedgerError, match=f"entry {first}"):
            read()
    with pytest.raises(LedgerError, match=f"entry {first}"):
        ledger.reserve(charge(9, study="two"), CAPS)
    with pytest.raises(ValueError, match=f"entry {first}"):
        independent_check(ledger.path)


@pytest.mark.parametrize("sequence", [-1, 0, 1, 2])
@pytest.mark.parametrize("how", ["INSERT", "INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE"])
def test_nothing_is_inserted_at_or_below_the_head(ledger: Ledger, how: str, sequence: int) -> None:
    """REPLACE deletes without asking the trigger on DELETE, so the one on INSERT refuses it."""
    ledger.reserve(charge(1), CAPS)
    before = independent_check(ledger.path)
    connection = sqlite3.connect(ledger.path, isolation_level=None)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(f"{how} INTO entries VALUES (?, '{{}}', ?)", (sequence, "a" * 64))
    connection.close()
    assert independent_check(ledger.path) == before


def test_a_row_replaced_without_the_guards_is_found(ledger: Ledger) -> None:
    ledger.reserve(charge(1), CAPS)
    raw(ledger.path, ("INSERT OR REPLACE INTO entries VALUES (2, '{}', ?)", ("a" * 64,)))
    with pytest.raises(LedgerError, match="entry 2"):
        Ledger(ledger.path)


def test_a_shorter_ledger_has_another_head(ledger: Ledger) -> None:
    """Cutting off the end leaves a valid chain: that is why others remember heads (see the protocol's tests)."""
    ledger.reserve(charge(1), CAPS)
    seen = ledger.head
    raw(ledger.path, ("DELETE FROM entries WHERE sequence = 2", ()))
    assert Ledger(ledger.path).head.sequence < seen.sequence


def test_an_entry_of_an_unknown_kind_is_not_skipped(ledger: Ledger) -> None:
    body = json.dumps({"fact": {"kind": "gift"}, "salt": "0" * 32, "sequence": 2})
    value = hashlib.sha256(b"cohortium/ledger/v1\x00" + ledger.head.hash.encode() + b"\x00" + body.encode()).hexdigest()
    connection = sqlite3.connect(ledger.path, isolation_level=None)
    connection.execute("INSERT INTO entries VALUES (2, ?, ?)", (body, value))
    connection.close()
    with pytest.raises(LedgerError, match="entry 2") as error:
        ledger.reserve(charge(1), CAPS)
    assert "upgrade" in error.value.hint


# --- files and parties ---------------------------------------------------------------------------------------------


def test_only_its_owner_can_read_it(ledger: Ledger) -> None:
    ledger.reserve(charge(1), CAPS)
    for file in ledger.path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_ledger_is_never_started_over(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="never started over"):
        Ledger.create(ledger.path, OPENED)


def _blank(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch(mode=0o600)


def _without_first_entry(path: Path) -> None:
    _blank(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(LAYOUTS[0])
    connection.close()


INTERRUPTED = {"right after the file": _blank, "before the first entry": _without_first_entry}


@pytest.mark.parametrize("moment", INTERRUPTED)
def test_a_ledger_whose_making_was_interrupted_is_made_whole(path: Path, moment: str) -> None:
    INTERRUPTED[moment](path)
    ledger = Ledger.open_or_create(path, OPENED)
    assert [fact.kind for fact in ledger.facts()] == ["opened"]
    ledger.reserve(charge(1), CAPS)
    assert Ledger.open_or_create(path, OPENED).head == ledger.head
    connection = sqlite3.connect(path, isolation_level=None)
    triggers = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'").fetchone()
    assert (connection.execute("PRAGMA user_version").fetchone(), triggers[0]) == ((3,), 3)
    connection.close()


def test_a_ledger_that_nobody_opened_cannot_be_charged(path: Path) -> None:
    _without_first_entry(path)
    ledger = Ledger(path)
    for call in (ledger.reserve, ledger.check):
        with pytest.raises(LedgerError, match="never opened"):
            call(charge(1), CAPS)
    assert ledger.head.sequence == 0
    with pytest.raises(LedgerError, match="never opened"):
        view_ledger(path)


def test_hashes_are_found_by_number(ledger: Ledger) -> None:
    ledger.reserve(charge(1), CAPS)
    assert ledger.hash_at(2) == ledger.head.hash
    assert ledger.hash_at(1) not in (None, ledger.head.hash)
    assert ledger.hash_at(0) is ledger.hash_at(3) is None


def test_a_missing_or_foreign_ledger_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger"):
        Ledger(tmp_path / "none.sqlite")
    for other in (OPENED.model_copy(update={"owner": "beta"}), Opened(owner="alpha", role="coordinator")):
        with pytest.raises(LedgerError, match="not the ledger"):
            Ledger.open_or_create(ledger.path, other)
    text = tmp_path / "text.sqlite"
    text.write_text("no database at all, but long enough to be looked at as one" * 20)
    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger(text)


def test_a_changed_cap_is_recorded(ledger: Ledger) -> None:
    wider = OPENED.model_copy(update={"epsilon": Decimal(3)})
    again = Ledger.open_or_create(ledger.path, wider)
    assert [fact.epsilon for fact in again.facts()] == [Decimal(2), Decimal(3)]
    assert Ledger.open_or_create(ledger.path, wider).head.sequence == 2


def test_equal_facts_have_different_hashes(tmp_path: Path) -> None:
    """The salt keeps hashes from being a dictionary of guessable facts."""
    heads = [Ledger.create(tmp_path / name, OPENED).head for name in ("a", "b")]
    assert heads[0].sequence == heads[1].sequence
    assert heads[0].hash != heads[1].hash


def test_answers_are_kept_once_and_byte_for_byte(ledger: Ledger) -> None:
    payload = bytes(range(256))
    fact = Answered(question=charge(1).question, core=charge(1).core, payload=hashlib.sha256(payload).hexdigest())
    ledger.reserve(charge(1), CAPS)
    ledger.record_answer(fact, payload)
    assert Ledger(ledger.path).stored_answer(fact.core) == payload
    assert ledger.stored_answer(charge(2).core) is None
    before = ledger.head
    with pytest.raises(LedgerError):
        ledger.record_answer(fact, b"another")
    assert ledger.head == before
    assert ledger.stored_answer(fact.core) == payload
    assert ledger.reserved_core(charge(1).question) == charge(1).core
    assert ledger.reserved_core(charge(2).question) is None


def test_newer_heads_of_others_win(ledger: Ledger) -> None:
    ledger.remember({"beta": Head(5, "b" * 64)})
    ledger.remember({"beta": Head(4, "a" * 64), "gamma": Head(1, "c" * 64)})
    assert ledger.peers() == {"beta": Head(5, "b" * 64), "gamma": Head(1, "c" * 64)}
    ledger.remember({"beta": Head(6, "d" * 64)})
    assert Ledger(ledger.path).peers()["beta"] == Head(6, "d" * 64)


def test_the_set_of_a_study_is_that_of_its_last_charge(ledger: Ledger) -> None:
    assert ledger.answered_set(digest("one")) is None
    ledger.reserve(charge(1), CAPS)
    ledger.reserve(charge(2).model_copy(update={"holders": ("alpha", "beta")}), CAPS)
    ledger.reserve(charge(3, study="two"), CAPS)
    assert ledger.answered_set(digest("one")) == ("alpha", "beta")
    assert ledger.answered_set(digest("two")) == ("alpha", "beta", "gamma")


def test_evidence_is_kept_and_costs_nothing(ledger: Ledger) -> None:
    ledger.append(Evidence(what="equivocation", first="{}", second="{}"))
    assert ledger.spent() == 0
    assert [fact.kind for fact in Ledger(ledger.path).facts()] == ["opened", "evidence"]


_FULL = """
import resource, signal, sys
from pathlib import Path
from decimal import Decimal
from privacy.errors import LedgerError
from privacy.ledger import Caps, Ledger, Reserved
path = Path({path!r})
ledger = Ledger(path)
charge = Reserved.parse({charge!r})
caps = Caps(study=(Decimal(1), Decimal("0.000001")), lifetime=None)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + {room}, resource.RLIM_INFINITY))
granted = 0
try:
    for number in range(1, 200):
        question = charge.question.model_copy(update={{"attempt": number}})
        ledger.reserve(charge.model_copy(update={{"question": question}}), caps)
        granted += 1
except LedgerError as error:
    print(granted, "refused:", error.message)
"""


@pytest.mark.parametrize("room", [0, 9_000])
def test_a_full_disk_refuses_charges_and_leaves_the_chain_whole(ledger: Ledger, room: int) -> None:
    cheap = CHARGE.model_copy(update={"share_scale": 1 << 45})
    text = charge(1, event=cheap).canonical().decode()
    code = _FULL.format(path=str(ledger.path), charge=text, room=room)
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    granted, words = done.stdout.split(" ", 1)
    assert "refused: the ledger ledger.sqlite cannot be used" in words
    again = Ledger.open_or_create(ledger.path, OPENED)
    assert sum(isinstance(fact, Reserved) for fact in again.facts()) == int(granted), "every granted charge is there"
    assert int(granted) < 199
    again.reserve(charge(1, study="two"), CAPS)  # with room again, it goes on


# --- state in memory, and older layouts ----------------------------------------------------------------------------


def test_entries_of_another_object_are_seen_and_an_edit_under_an_open_ledger_is_found(ledger: Ledger) -> None:
    other = Ledger(ledger.path)
    other.reserve(charge(1), CAPS)
    assert ledger.spent() == CHARGE.squared_mu()
    with pytest.raises(ProtocolError):
        ledger.reserve(charge(1), CAPS)
    raw(ledger.path, ("UPDATE entries SET body = replace(body, 'one', 'two') WHERE sequence = 2", ()))
    for view in (ledger, other):
        for use in (lambda v=view: v.head, lambda v=view: v.append(Evidence(what="equivocation", first="", second=""))):
            for _ in range(2):  # it is not forgotten after the first time
                with pytest.raises(LedgerError, match="entry 2"):
                    use()


def test_a_chain_that_was_replaced_by_another_whole_one_is_found(ledger: Ledger, tmp_path: Path) -> None:
    other = Ledger.create(tmp_path / "other.sqlite", OPENED)
    ledger.reserve(charge(1), CAPS)
    other.reserve(charge(1), CAPS)
    shutil.copyfile(other.path, ledger.path)
    with pytest.raises(LedgerError, match="entry 2"):
        ledger.reserve(charge(2), CAPS)


def test_a_ledger_of_layout_1_is_carried_over_and_its_entries_stay_byte_for_byte(ledger: Ledger) -> None:
    ledger.reserve(charge(1), CAPS)
    connection = sqlite3.connect(ledger.path, isolation_level=None)
    connection.executescript("DROP TABLE statements; PRAGMA user_version = 1;")
    before = connection.execute("SELECT * FROM entries").fetchall()
    again = Ledger(ledger.path)
    again.keep([Statement("d" * 64, "Ready", "beta", "c" * 64, "{}")] * 2)
    assert len(list(again.statements())) == 1
    assert connection.execute("SELECT * FROM entries").fetchall() == before
    assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    connection.execute("PRAGMA user_version = 4")
    connection.close()
    with pytest.raises(LedgerError, match="newer release"):
        Ledger(ledger.path)


def test_a_ledger_of_layout_2_is_carried_over_as_it_is(ledger: Ledger) -> None:
    ledger.reserve(charge(1), CAPS)
    connection = sqlite3.connect(ledger.path, isolation_level=None)
    connection.execute("PRAGMA user_version = 2")
    before = connection.execute("SELECT * FROM entries").fetchall()
    assert Ledger(ledger.path).head == ledger.head
    assert connection.execute("SELECT * FROM entries").fetchall() == before
    assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    connection.close()


def test_a_result_is_recorded_with_its_releases_and_what_was_signed_in_one_step(ledger: Ledger) -> None:
    first = ResultAccepted(run="r", made_by="r", study_digest="a" * 64, result="b" * 64, finish="c" * 64, time=9)
    said = Statement("c" * 64, "FinishRequest", "hub", "r", "{}")
    released = Released(question=Question(run="r", round=1, attempt=1), core="d" * 64, release="e" * 64)
    ledger.record_result(first, [released], [said])
    with pytest.raises(LedgerError, match="one result, once"):
        ledger.record_result(first.model_copy(update={"finish": "f" * 64}), [], [])
    assert [fact.kind for fact in ledger.facts()] == ["opened", "released", "result"]
    for state in (ledger.state, Ledger(ledger.path).state):
        assert state.results == {("r", "r"): first}
        assert state.released == {"d" * 64: "e" * 64}
    assert ledger.statement("c" * 64) == said
    assert ledger.statement("f" * 64) is None


def test_prices_without_a_common_denominator_are_rounded_up_and_never_down() -> None:
    prices = [Fraction(1, 10**40 + 2 * number + 1) for number in range(200)]
    total = Fraction(0)
    for price in prices:
        total = add_price(total, price)
    assert sum(prices) <= total <= sum(prices) + Fraction(len(prices), 10**60)
    assert total.denominator.bit_length() < 10_000
    assert add_price(Fraction(1, 3), Fraction(1, 6)) == Fraction(1, 2)


# --- several processes, and kills ----------------------------------------------------------------------------------


def _race(path: str, first: int, barrier: object, granted: object) -> None:
    ledger = Ledger(Path(path))
    barrier.wait()  # type: ignore[attr-defined]
    for number in range(first, first + 2 * PER_STUDY):
        try:
            ledger.reserve(charge(number), CAPS)
            granted.put(number)  # type: ignore[attr-defined]
        except BudgetError:
            pass


def test_two_processes_cannot_both_pass_the_cap(ledger: Ledger) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, granted = context.Barrier(2), context.Queue()
    running = [context.Process(target=_race, args=(str(ledger.path), 1 + 100 * i, barrier, granted)) for i in range(2)]
    for process in running:
        process.start()
    numbers = sorted(granted.get(timeout=60) for _ in range(PER_STUDY))
    for process in running:
        process.join(timeout=60)
    assert [process.exitcode for process in running] == [0, 0]
    assert granted.empty()
    recorded = sorted(f.question.round for f in ledger.facts() if isinstance(f, Reserved))
    assert recorded == numbers
    assert ledger.spent() == PER_STUDY * CHARGE.squared_mu()


_KILLED = """
from pathlib import Path
from typing import get_args
from privacy.ledger import Caps, Ledger, Reserved
from decimal import Decimal
ledger = Ledger(Path({path!r}))
charge = Reserved.parse({charge!r})
caps = Caps(study=(Decimal(1), Decimal("0.000001")), lifetime=None)
for number in range(1, 10_000):
    print("start", flush=True)
    question = charge.question.model_copy(update={{"attempt": number}})
    ledger.reserve(charge.model_copy(update={{"question": question}}), caps)
    print("done", flush=True)
"""


@pytest.mark.slow
def test_a_kill_during_a_charge_leaves_no_entry_or_a_counted_one(ledger: Ledger) -> None:
    cheap = CHARGE.model_copy(update={"share_scale": 1 << 45})
    started, done = 0, 0
    for attempt in range(5):
        code = _KILLED.format(path=str(ledger.path), charge=charge(attempt + 1, event=cheap).canonical().decode())
        root = Path(__file__).parents[1]
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root)
        lines = [process.stdout.readline()]
        while sum(line == "done\n" for line in lines) < attempt:
            lines.append(process.stdout.readline())
        time.sleep(0.003 * attempt)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        process.wait(timeout=30)
        started += lines.count("start\n")
        done += lines.count("done\n")
        again = Ledger.open_or_create(ledger.path, OPENED)  # the chain is whole
        charges = [fact for fact in again.facts() if isinstance(fact, Reserved)]
        assert done <= len(charges) <= started  # every granted charge is on the disk
        assert again.spent() == sum((f.event.squared_mu() for f in charges), Fraction(0))
        assert independent_check(ledger.path)[0] == again.head.hash
        again.reserve(charge(1, study=f"after {attempt}"), CAPS)  # and it goes on
        done, started = done + 1, started + 1
    assert done >= 5 + 1 + 2 + 3 + 4
