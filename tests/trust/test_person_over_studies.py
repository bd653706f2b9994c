"""One person over all studies, whichever holders they ask: caps count K holders of the federation, not k of a study."""

from __future__ import annotations

import datetime as dt
import json
import logging
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import protocol_kit as kit
import pytest
from bundle_kit import Forger, export_all
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_charges import charge as a_charge
from protocol_kit import LyingCoordinator

import cohortium
import privacy.audit.persons
from clients.answering.folder import HolderFolder
from clients.answering.ledgers import count_on, counted_at, open_ledger
from privacy.accounting.events import KAPPA_CAP, GaussianSum, epsilon_spent, squared_cap
from privacy.audit.budget import plan_budget, use_of_caps
from privacy.audit.ledger_view import view_ledger
from privacy.audit.report.render import render_audit
from privacy.audit.timeline import read_story
from privacy.audit.verify import verify
from privacy.errors import BudgetError, CohortiumError, ConfigError, LedgerError, NotEnoughHolders
from privacy.ledger import Caps, Ledger, LedgerState, Opened, PeriodCap, Recovered, Reserved
from privacy.member_folder import known_holders
from privacy.protocol.charging import below_declarations, holders_of_a_person
from privacy.protocol.identity import Declarations, Member, Roster
from privacy.protocol.membership import fingerprint
from server.running.check import check_study
from server.running.enrolment import Enrolment
from simulations.worlds.kit import MemoryFederation, demo_policy, make_keys

Patch = pytest.MonkeyPatch

SIX = ("a1", "a2", "a3", "b1", "b2", "b3")
DELTA = Decimal("0.000001")
ONE = (Decimal(1), DELTA)
CAP = squared_cap(1.0, 1e-6)


# --- the rule, on states of ledgers ------------------------------------------------------------------------------


def price_of(part: Fraction) -> GaussianSum:
    """A question that takes some part of the cap's mu^2 for one record, rounded up; its noise is fine."""
    variance = 1 << 60
    return GaussianSum(
        squared_norm=-(-(part * CAP * variance).numerator // (part * CAP * variance).denominator),
        gamma=1, dim=1, share_scale=1 << 30, protecting_shares=1,
    )  # fmt: skip


def coarse(part: Fraction) -> GaussianSum:
    """A question that takes some part of what kappa may add up to, and hardly any mu^2."""
    variance = Fraction(120 + 1) / (6 * part * KAPPA_CAP)
    return GaussianSum(squared_norm=1, gamma=1, dim=1, share_scale=int(variance**0.5), protecting_shares=1)


def state_of(holder: str, records: int | None, *, epsilon: int = 1) -> LedgerState:
    state = LedgerState()
    state.take(Opened(owner=holder, role="holder", epsilon=Decimal(epsilon), delta=DELTA, records=records))
    return state


def asked_of(holders: tuple[str, ...], event: GaussianSum, number: int) -> Reserved:
    """A charge; every question is a study of its own, so that only caps over studies are at work."""
    return a_charge(number, study=f"study {number}", event=event, records=len(holders)).model_copy(
        update={"holders": holders}
    )


def admitted(states: dict[str, LedgerState], asked: Reserved) -> bool:
    """Whether every holder grants it; each that grants it charges it (the others are those that fail afterwards)."""
    caps = Caps(study=(Decimal(50), DELTA), lifetime=ONE)
    try:
        for holder in asked.holders:
            states[holder].admit(asked, caps._replace(records=states[holder].counted_on()))
    except BudgetError:
        return False
    for holder in asked.holders:
        states[holder].take(asked)
    return True


def lost_by(person: tuple[str, ...], asked: list[Reserved]) -> tuple[Fraction, Fraction]:
    """mu^2 and kappa of a person at some holders, from first principles: |P n H| records in every question."""
    at = [(len(set(one.holders) & set(person)), one.event) for one in asked]
    squared = sum((records**2 * event.squared_mu() for records, event in at), Fraction(0))
    return squared, sum((event.kappa for records, event in at if records), Fraction(0))


def everybody(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for size in range(1, len(names) + 1):
        yield from combinations(names, size)


PARTS = st.fractions(Fraction(1, 400), Fraction(1, 20), max_denominator=400)
EVENTS = st.one_of(PARTS.map(price_of), PARTS.map(price_of), PARTS.map(coarse))


@settings(max_examples=20, deadline=None)
@given(data=st.data(), size=st.integers(2, 5))
def test_a_person_at_any_holders_stays_within_the_cap_whatever_is_asked_of_whom(data: st.DataObject, size: int) -> None:
    """Each holder keeps K times its own mu within its cap, with a K of its own; persons are as it declares."""
    names = SIX[:size]
    k_of = {name: data.draw(st.integers(1, size), label=f"K of {name}") for name in names}
    states = {name: state_of(name, k) for name, k in k_of.items()}
    sets = st.lists(st.sampled_from(names), min_size=1, unique=True).map(lambda some: tuple(sorted(some)))
    wanted = data.draw(st.lists(st.tuples(sets, EVENTS), min_size=5, max_size=25), label="questions")
    asked = []
    for number, (holders, event) in enumerate(wanted, start=1):
        question = asked_of(holders, event, number)
        if admitted(states, question):
            asked.append(question)
    for person in everybody(names):
        if len(person) <= min(k_of[holder] for holder in person):
            squared, kappa = lost_by(person, asked)
            assert squared <= CAP
            assert kappa <= KAPPA_CAP


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), PARTS), min_size=4, max_size=30))
def test_a_growing_roster_prices_old_charges_again_and_bounds_what_newcomers_add(
    wanted: list[tuple[int, Fraction]],
) -> None:
    """Three holders, then five: the old ones answer nothing that does not fit at K = 5.

    A person who is at newcomers, too, loses at most (1 + newcomers/K) times the cap's mu; one who is at the old ones
    alone stays within the cap.
    """
    old, new, groups = SIX[:3], SIX[:5], (SIX[:3], SIX[1:4], SIX[3:5], SIX[:5])
    states = {name: state_of(name, 3) for name in old}
    before = [asked_of(old, price_of(part), number) for number, (_, part) in enumerate(wanted, start=1)]
    asked = [question for question in before if admitted(states, question)]
    for name in new:
        states.setdefault(name, LedgerState()).take(
            Opened(owner=name, role="holder", epsilon=ONE[0], delta=DELTA, records=5)
        )
    for number, (group, part) in enumerate(wanted, start=100):
        question = asked_of(groups[group], price_of(part), number)
        if admitted(states, question):
            asked.append(question)
            assert all(states[holder].total.at(5).squared_mu <= CAP for holder in question.holders)
    for person in everybody(new):
        squared, _ = lost_by(person, asked)
        newcomers = len(set(person) - set(old))
        assert squared <= CAP * (1 + Fraction(newcomers, 5)) ** 2


def test_periods_count_k_as_well() -> None:
    period = PeriodCap(epsilon=ONE[0], delta=DELTA, days=90, start=dt.date(2023, 1, 1))
    question = asked_of(SIX[:3], price_of(Fraction(1, 10)), 1)
    caps = Caps(study=(Decimal(50), DELTA), lifetime=None, period=period)
    state_of("a1", 3).admit(question, caps._replace(records=3))
    with pytest.raises(BudgetError, match="period for a person at 4 holders"):
        state_of("a1", 4).admit(question, caps._replace(records=4))
    with pytest.raises(BudgetError, match="period for a person at 4 holders"):  # what the ledger states counts
        state_of("a1", 4).admit(question, caps._replace(records=1))


def test_without_a_word_on_k_no_cap_is_taken_for_kept() -> None:
    question = asked_of(SIX[:3], price_of(Fraction(1, 100)), 1)
    with pytest.raises(LedgerError, match="at how many holders"):
        state_of("a1", None).admit(question, Caps(study=ONE, lifetime=ONE))


# --- recoveries --------------------------------------------------------------------------------------------------


def all_spent() -> Recovered:
    return Recovered(
        lost_from=2, lost_to=4, head="0" * 64, witnesses=("b1",), bundles=(), spent="all", time=1_800_000_000
    )


@pytest.mark.parametrize("k", [1, 3, None])
def test_lost_charges_count_as_the_whole_cap_whatever_k_becomes(k: int | None) -> None:
    state = state_of("a1", k)
    state.take(all_spent())
    small = asked_of(("a1",), price_of(Fraction(1, 10_000)), 1)
    caps = Caps(study=(Decimal(50), DELTA), lifetime=ONE)
    for records in (3, 2, 5, 1):
        state.take(Opened(owner="a1", role="holder", epsilon=ONE[0], delta=DELTA, records=records))
        assert state.total.at(records).squared_mu >= CAP
        with pytest.raises(BudgetError, match="the lifetime cap"):
            state.admit(small, caps._replace(records=records))


def test_after_all_was_spent_a_larger_cap_leaves_the_difference() -> None:
    state = state_of("a1", 3)
    state.take(asked_of(SIX[:3], price_of(Fraction(1, 100)), 1))
    state.take(all_spent())
    assert state.total.at(3).squared_mu == CAP, "the charge that is here is part of what was spent"
    wider = squared_cap(2.0, 1e-6)
    state.take(Opened(owner="a1", role="holder", epsilon=Decimal(2), delta=DELTA, records=3))
    (use,) = use_of_caps(state, 0, counted=3)
    assert use.used == pytest.approx(float(CAP / wider))
    later = asked_of(SIX[:3], price_of(Fraction(1, 50)), 2)
    state.admit(later, Caps(study=(Decimal(50), DELTA), lifetime=(Decimal(2), DELTA), records=3))
    state.take(later)
    assert state.total.at(3).squared_mu == CAP + 9 * later.event.squared_mu()
    state.take(Opened(owner="a1", role="holder", epsilon=Decimal(2), delta=DELTA, records=6))
    assert state.total.at(6).squared_mu == 4 * (CAP + 9 * later.event.squared_mu()), "K grew: priced again"


# --- K in a ledger -----------------------------------------------------------------------------------------------


def roster_of(*holders: str, **declared: int) -> Roster:
    members = [
        Member(
            id=name, role="holder", public_key=name.encode().hex().zfill(64),
            declarations=Declarations(max_holders_per_customer=declared[name]) if name in declared else None,
        )
        for name in holders
    ]  # fmt: skip
    members.append(Member(id="hub", role="coordinator", public_key="e" * 64))
    return Roster(federation="shops", version=1, members=tuple(sorted(members, key=lambda member: member.id)))


def opened_in(ledger: Ledger) -> list[int | None]:
    return [fact.records for fact in ledger.facts() if isinstance(fact, Opened)]


def test_the_node_raises_k_and_only_the_operator_lowers_it(tmp_path: Path) -> None:
    path, policy = tmp_path / "ledger.sqlite", kit.lenient_policy(epsilon="1")

    def opened(roster: Roster, *earlier: Roster) -> list[int | None]:
        return opened_in(open_ledger(path, holder="a1", policy=policy, roster=roster, earlier=earlier))

    three, five = roster_of(*SIX[:3]), roster_of(*SIX[:5])
    assert opened(three) == [3]
    assert opened(three) == [3], "nothing new, nothing written"
    assert opened(five) == [3, 5]
    assert opened(three) == [3, 5], "a smaller roster lowers nothing: people were at five"
    assert opened(roster_of(*SIX[:5], a1=2)) == [3, 5], "nor does a smaller declaration"
    other = roster_of("a1", "b1", "b2", "b3")
    assert known_holders((other, five)) == 6
    assert opened(other, five, three) == [3, 5, 6], "holders that left were asked, too"
    ledger = Ledger(path)
    declared = roster_of(*SIX[:5], a1=2)
    assert counted_at(ledger.state, declared, "a1") == 6
    count_on(ledger, 2)
    assert opened(declared) == [3, 5, 6, 2], "by the operator's word"
    assert counted_at(ledger.state, declared, "a1") == 2
    assert counted_at(ledger.state, three, "a1") == 3, "and never below what the roster in force implies"
    count_on(ledger, 9)
    assert opened(declared)[-1] == 9, "room for members still to come"


def test_an_entry_of_before_k_keeps_its_bytes_and_counts_all_holders(tmp_path: Path) -> None:
    without = Opened(owner="a1", role="holder", epsilon=ONE[0], delta=DELTA)
    assert b"records" not in without.canonical()
    assert Opened.parse(without.canonical()) == without
    assert json.loads(without.model_copy(update={"records": 4}).canonical())["records"] == 4
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger.create(path, without)
    ledger.reserve(
        asked_of(SIX[:3], price_of(Fraction(1, 10)), 1), Caps(study=(Decimal(50), DELTA), lifetime=ONE, records=3)
    )
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version = 2")
    declared = roster_of(*SIX, a1=2)
    old = open_ledger(path, holder="a1", policy=kit.lenient_policy(epsilon="1"), roster=declared)
    assert opened_in(old) == [None, 6], "it was charged by another rule: all holders, until its operator says otherwise"
    assert sqlite3.connect(path).execute("PRAGMA user_version").fetchone() == (3,)
    assert view_ledger(path).counted == 6
    (use,) = use_of_caps(old.state, 0, counted=6)
    assert use.used == pytest.approx(3.6, rel=1e-6)
    with pytest.raises(BudgetError, match="for a person at 6 holders does not suffice: epsilon 2"):
        old.check(
            asked_of(("a1",), price_of(Fraction(1, 400)), 2), Caps(study=(Decimal(50), DELTA), lifetime=ONE, records=6)
        )


def test_what_fits_is_what_k_leaves() -> None:
    state = state_of("a1", 6, epsilon=8)
    whole = plan_budget(state, epsilon=1, delta=1e-6, now=0, counted=6)
    part = plan_budget(state, epsilon=1, delta=1e-6, now=0, counted=6, study_k=3)
    life = squared_cap(8.0, 1e-6)
    assert (whole.fit_life, part.fit_life) == (int(life / CAP), int(life / (4 * CAP)))
    assert (whole.k, whole.study_k, part.study_k) == (6, 6, 3)


# --- nodes -------------------------------------------------------------------------------------------------------


def study_over(name: str, holders: tuple[str, ...], epsilon: str, k: int | None = None) -> kit.Study:
    budget = {"epsilon": epsilon, "max_holders_per_customer": k, "spare_attempts": 0}
    return kit.lean_study(name=name, holders=holders, budget=budget)


def ask(federation: MemoryFederation, study: kit.Study) -> None:
    """A study of one question that takes all of its budget."""
    coordinator = kit.coordinator_of(federation, study)
    coordinator.join()
    coordinator.ask("rfm", "all of it", kit.STATISTIC, kit.price(study, Fraction(1)))


def person_at_all(federation: MemoryFederation) -> Fraction:
    """mu^2 of a person at every holder, from all ledgers, each question once."""
    seen: dict[str, tuple[set[str], GaussianSum]] = {}
    for holder in federation.roster.holders:
        for charged in kit.charges(kit.holder_ledger(federation, holder)):
            seen.setdefault(charged.core, (set(), charged.event))[0].add(holder)
    return sum((event.squared_mu(len(who)) for who, event in seen.values()), Fraction(0))


def check_person_at_all_six(root: Path) -> None:
    """Studies over disjoint threes of six holders, nobody declares: a person at all six stays within epsilon 1."""
    federation = kit.federation_at(root, *SIX, policy=kit.lenient_policy(epsilon="1"), declared=None)
    answered, refused = [], []
    for number, (group, epsilon) in enumerate(
        [(SIX[:3], "1"), (SIX[3:], "1"), (SIX[:3], "0.45"), (SIX[3:], "0.45"), (SIX[:3], "0.45")]
    ):
        try:
            ask(federation, study_over(f"study-{number}", group, epsilon))
        except NotEnoughHolders:
            refused.append(number)
        else:
            answered.append(number)
    lost = epsilon_spent(person_at_all(federation), 1e-6)
    assert lost <= 1, f"a person at all six lost epsilon {lost:.3f}"
    assert (answered, refused) == ([2, 3], [0, 1, 4]), "what fits at K = 6 is answered, and nothing else"


def test_a_person_at_all_six_of_two_disjoint_threes_stays_within_the_cap(tmp_path: Path) -> None:
    check_person_at_all_six(tmp_path)


def lifetime_cap_with_the_studys_k(patch: Patch) -> None:
    real = LedgerState.admit

    def admit(self: LedgerState, charge: Reserved, caps: Caps) -> None:
        opened, self.opened = self.opened, self.opened.model_copy(update={"records": None})
        try:
            real(self, charge, caps._replace(records=charge.records))
        finally:
            self.opened = opened

    patch.setattr(LedgerState, "admit", admit)


@pytest.mark.parametrize("mutant", [lifetime_cap_with_the_studys_k])
def test_the_mutant_is_caught(mutant: Callable[[Patch], None], tmp_path: Path, monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, CohortiumError)) as caught:
        check_person_at_all_six(tmp_path)
    print(mutant.__name__, "is caught:", str(caught.value).splitlines()[:1])


def test_a_holder_that_joins_makes_k_grow_and_the_old_ones_say_why_they_answer_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    federation = kit.federation_at(tmp_path, *SIX[:4], policy=kit.lenient_policy(epsilon="1"), declared=None)
    full = federation.roster
    without = tuple(member for member in full.members if member.id != SIX[3])
    federation.roster = full.model_copy(update={"members": without})
    first = dict(federation.nodes)
    # As if the fourth had not been there when the others began.
    for holder in SIX[:3]:
        (tmp_path / "holders" / holder / "state" / "ledger.sqlite").unlink()
        federation.nodes[holder] = federation.start(holder)
        assert opened_in(kit.holder_ledger(federation, holder)) == [3]
    ask(federation, study_over("all-of-it", SIX[:3], "1"))
    federation.roster = full
    federation.nodes = {holder: federation.start(holder) for holder in SIX[:4]}
    assert set(first) == set(federation.nodes)
    assert opened_in(kit.holder_ledger(federation, "a1")) == [3, 4]
    assert opened_in(kit.holder_ledger(federation, "b1")) == [4]
    with caplog.at_level(logging.WARNING), pytest.raises(NotEnoughHolders):
        ask(federation, study_over("more", SIX[:3], "0.05"))
    assert "for a person at 4 holders does not suffice" in caplog.text


def test_a_member_that_declares_nothing_counts_as_sharing_with_all(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, *SIX[:3], declared=None)
    study = study_over("too-few", (), "1", k=2)
    assert below_declarations(study, federation.roster) == dict.fromkeys(SIX[:3], 3)
    liar = LyingCoordinator(federation, study)
    assert {liar.send(holder, liar.hello_request()).code for holder in SIX[:3]} == {"policy"}
    with pytest.raises(ConfigError, match="declare more, or nothing"):
        ask(federation, study)
    liar = LyingCoordinator(federation, study_over("all", (), "1"), run="run-2")
    assert {liar.send(holder, liar.hello_request()).code for holder in SIX[:3]} == {"Hello"}
    assert below_declarations(study, roster_of(*SIX[:3], a1=1, a2=2, a3=1)) == {}
    assert below_declarations(study, roster_of(*SIX[:3], a1=1, a2=2, a3=9)) == {"a3": 3}
    assert holders_of_a_person(roster_of(*SIX, a1=2), "a1") == 2
    assert holders_of_a_person(roster_of(*SIX, a1=2), "a2") == 6


# --- what people are told ----------------------------------------------------------------------------------------


def test_study_check_tells_what_a_study_over_some_holders_takes_and_who_refuses() -> None:
    study = study_over("half", SIX[:3], "1")
    told = check_study(study, holders=3, roster=roster_of(*SIX)).warnings
    assert any("takes 4 times as much of their life" in text and "a1, a2, a3" in text for text in told)
    assert any("`cohortium holder declare" in text for text in told)
    declared = roster_of(*SIX, a1=3, a2=3, a3=2)
    assert not any("times as much" in text for text in check_study(study, holders=3, roster=declared).warnings)
    refused = check_study(study_over("few", SIX[:3], "1", k=2), holders=3, roster=roster_of(*SIX, a2=2)).warnings
    assert any("a1, a3 will refuse this study" in text for text in refused)
    assert not any("refuse" in text for text in check_study(study, holders=3).warnings)


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, str]]:
    """Type a command line; gives exit code and what was shown, without line breaks."""

    def run(line: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["cohortium", *line.split()])
        with pytest.raises(SystemExit) as ended:
            cohortium.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), " ".join((shown.out + shown.err).split())

    return run


def test_operators_see_k_declare_and_lower_it(tmp_path: Path, typed: Callable[[str], tuple[int, str]]) -> None:
    """A holder's folder, from nothing declared to two: what its commands say of K on the way."""
    roster = make_keys(tmp_path, SIX[:4])
    home = HolderFolder(tmp_path / "holders" / "a1")
    (home.root / "policy.toml").write_text(demo_policy(4), encoding="utf-8")
    code, told = typed(f"holder persons {home.root}")
    assert (code, "at 4 holders of the federation (K). It has 4." in told) == (0, True)
    assert "`cohortium holder declare --max-holders-per-customer`" in told
    assert opened_in(home.ledger()) == [4]
    code, told = typed(f"holder persons {home.root} --holders 3 --yes")
    assert (code, "may be at 4 holders" in told) == (3, True), "not before a roster carries the declaration"

    enrolment = Enrolment(tmp_path / "coordinator")
    enrolment.take(home.member.declare(Declarations(max_holders_per_customer=2)))
    signed, update = enrolment.publish()
    assert update.roster.version == roster.version + 1
    home.member.accept(signed, fingerprint(update.roster.digest))
    code, told = typed(f"holder persons {home.root}")
    assert "at 4 holders" in told
    assert f"it would be 2: `cohortium holder persons {home.root} --holders 2`" in told
    code, told = typed(f"holder persons {home.root} --holders 2 --yes --json")
    assert json.loads(told) == {"before": 4, "holders": 4, "implied": 2, "k": 2}
    assert opened_in(home.ledger()) == [4, 2]

    study = tmp_path / "study.toml"
    study.write_text('name = "half"\nas_of = 2025-01-01\nholders = ["a1", "b1"]\n[budget]\nepsilon = 1\ndelta = 1e-6\n')
    code, told = typed(f"budget plan {home.root} --study {study} --json")
    assert (json.loads(told)["k"], json.loads(told)["study_k"]) == (2, 2)
    other = HolderFolder(tmp_path / "holders" / "b1")
    (other.root / "policy.toml").write_text(demo_policy(4), encoding="utf-8")
    other.ledger()
    code, told = typed(f"budget plan {other.root} --study {study}")
    assert "counts one person at 2 holders, this ledger at 4: it takes 4 times as much" in told
    code, told = typed(f"study check {study} --coordinator {tmp_path / 'coordinator'}")
    assert "the caps of b1 count one at 4 of the federation's 4 (K). So it takes 4 times as much of their life" in told


# --- the auditor -------------------------------------------------------------------------------------------------

CLAIM = "a person at any K holders stays within the cap"


@pytest.fixture(scope="module")
def threes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(federation's root, bundles): two studies over disjoint threes of holders that declare three."""
    root = tmp_path_factory.mktemp("threes")
    federation = kit.federation_at(root / "federation", *SIX, policy=kit.lenient_policy(epsilon="1"), declared=3)
    for name, group in (("one", SIX[:3]), ("two", SIX[3:])):
        ask(federation, study_over(name, group, "1"))
    return root / "federation", export_all(federation, root / "bundles")


def found(paths: list[Path], claim: str) -> list[tuple[str, str]]:
    return [(one.verdict, one.why) for one in verify(paths, third=False).claims if one.claim == claim]


def test_the_auditor_adds_up_one_person_over_all_bundles(threes: tuple[Path, Path]) -> None:
    paths = sorted(threes[1].glob("*.bundle"))
    verdict = verify(paths, third=False)
    assert [claim for claim in verdict.claims if claim.verdict == "FAIL"] == []
    person = verdict.person
    assert person is not None
    assert (person.k, person.exact, person.missing, person.cap) == (3, True, (), 1.0)
    assert person.holders in (SIX[:3], SIX[3:])
    assert person.epsilon == pytest.approx(1, abs=1e-4)
    assert json.loads(verdict.model_dump_json())["person"]["epsilon"] == person.epsilon
    alone = verify([threes[1] / "a1.bundle"], third=False)
    assert alone.person is not None
    assert set(alone.person.missing) == set(SIX[1:])
    assert any("no ledger of a2, a3" in note for note in alone.notes)
    page = render_audit([read_story(path) for path in paths], verdict, made=dt.date(2026, 1, 2))
    english, chinese = page.split('id="page-zh"')
    assert "One person over all records together, who is a customer of" in english
    assert "合并全部记录后的单个人" in chinese


def test_ledgers_that_each_kept_their_cap_and_a_person_who_is_above_it(
    threes: tuple[Path, Path], tmp_path: Path
) -> None:
    """Bundles as an older release wrote them, which added up by the study's k: each is in order, the person is not."""
    copied = Path(shutil.copytree(threes[1], tmp_path / "bundles"))

    def older(facts: list[dict]) -> list[dict]:
        for fact in facts:
            if fact["kind"] == "opened":
                del fact["records"]
        return facts

    for holder in SIX:
        Forger(copied, threes[0], holder).rechain(older).write()
    paths = sorted(copied.glob("*.bundle"))
    assert {verdict for verdict, _ in found(paths, "the lifetime cap was kept")} == {"PASS"}
    ((verdict, why),) = found(paths, CLAIM)
    assert verdict == "FAIL"
    assert "a1, a2, a3, b1, b2, b3: epsilon 1.45" in why


def test_a_ledger_that_counts_on_fewer_holders_than_its_owner_declares(
    threes: tuple[Path, Path], tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(threes[1], tmp_path / "bundles"))

    def fewer(facts: list[dict]) -> list[dict]:
        return [fact | ({"records": 1} if fact["kind"] == "opened" else {}) for fact in facts]

    Forger(copied, threes[0], "a1").rechain(fewer).write()
    ((verdict, why),) = found([copied / "a1.bundle"], "its caps count on what its owner declares")
    assert verdict == "FAIL"
    assert "counts one person at 1 holder, its owner declares 3" in why


def test_an_operator_that_lowers_k_is_asked_about(tmp_path: Path) -> None:
    ledger = open_ledger(
        tmp_path / "a1.sqlite", holder="a1", policy=kit.lenient_policy(epsilon="1"), roster=roster_of(*SIX)
    )
    count_on(ledger, 2)
    (note,) = verify([ledger.path], third=False).notes
    assert "counts one person at 2 holders from entry 2 on, and at 6 before" in note


QUESTIONS = st.lists(st.tuples(st.lists(st.sampled_from(SIX), min_size=1, unique=True), PARTS), min_size=1, max_size=12)


@settings(max_examples=20, deadline=None)
@given(questions=QUESTIONS, ks=st.tuples(*[st.integers(1, 6)] * 6), caps=st.tuples(*[st.integers(1, 3)] * 6))
def test_the_worst_person_is_found_and_the_bound_is_one(
    questions: list[tuple[list[str], Fraction]], ks: tuple[int, ...], caps: tuple[int, ...]
) -> None:
    """Against every set of holders, tried in exact arithmetic; with sets left out, the bound is never below."""
    k_of = dict(zip(SIX, ks, strict=True))
    cap_of = {name: Fraction(cap, 10) for name, cap in zip(SIX, caps, strict=True)}
    asked: dict[frozenset[str], Fraction] = {}
    for who, part in questions:
        asked[frozenset(who)] = asked.get(frozenset(who), Fraction(0)) + part

    def share(person: tuple[str, ...]) -> Fraction:
        lost = sum((len(who & set(person)) ** 2 * part for who, part in asked.items()), Fraction(0))
        return lost / max(cap_of[holder] for holder in person)

    allowed = [p for p in everybody(SIX) if len(p) <= min(k_of[holder] for holder in p)]
    worst = max(map(share, allowed))

    def tried() -> float:
        losses = [loss for k in sorted(set(ks)) for loss in privacy.audit.persons._losses(k, k_of, cap_of, asked)]
        return max(loss.share for loss in losses)

    assert tried() == pytest.approx(float(worst), rel=1e-9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(privacy.audit.persons, "MOST_SETS", 0)
        assert tried() >= float(worst) * (1 - 1e-12)
