"""A ledger that was put back and made longer again is refused, whatever a cheating coordinator shows and to whom.

Heads of ledgers are remembered only with a path from the one before; honest growth, restarts, dropouts, recoveries and
new members are never taken for a rollback.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import protocol_kit as kit
import pytest
from protocol_kit import HOLDERS, LyingCoordinator, lean_study, small_study

import clients.answering.admission
import clients.answering.node
import privacy.protocol.checkpoints
from clients.answering.node import HolderNode
from privacy.audit.export import export, write_heads
from privacy.audit.heads import read_heads
from privacy.audit.recovery import recover, restore
from privacy.errors import CohortiumError, NotEnoughHolders
from privacy.ledger import Declined, Head, HeadPath, Ledger, Recovered
from privacy.ledger.entries import Entry
from privacy.ledger.paths import Passage, goes_on
from privacy.protocol.checkpoints import Shown, compared, taken
from privacy.protocol.envelopes import MOST_PATHS, Reply, Request
from privacy.protocol.identity import Identity
from privacy.protocol.messages import Ready, WitnessRequest
from server.running.heads import PeerHeads
from simulations.worlds.kit import MemoryFederation

Patch = pytest.MonkeyPatch

VICTIM, PEERS = "beta", ("alpha", "gamma")
#: Only the victim's cap is at stake: three questions of a third use it up.
LOW, HIGH = (
    kit.lenient_policy(epsilon=epsilon, max_unreleased="1", max_study_epsilon=epsilon) for epsilon in ("1", "8")
)


@pytest.fixture
def federation(tmp_path: Path) -> MemoryFederation:
    return kit.federation_at(tmp_path, policy=HIGH)


def state_of(federation: MemoryFederation, holder: str) -> Path:
    return federation.root / "holders" / holder / "state"


def begin(federation: MemoryFederation, name: str, *holders: str) -> LyingCoordinator:
    coordinator = LyingCoordinator(federation, lean_study(name=name), run=name)
    coordinator.greet(*holders)
    return coordinator


def spend(coordinator: LyingCoordinator, *, questions: int = 3) -> list[str]:
    """Ask questions of everybody, one after another, until somebody does not answer; what came back."""
    codes: list[str] = []
    for number in range(1, questions + 1):
        core = coordinator.core(share=Fraction(33, 100), round=number)
        shown = coordinator.show(core)
        codes += [answer.code for answer in shown.values()]
        if set(codes) - {"Ready", "Contribution"}:
            return codes
        readies = tuple(shown[holder].statement for holder in core.holders)
        for holder in core.holders:
            codes.append(coordinator.ask(holder, core, readies).code)
            if codes[-1] != "Contribution":
                return codes
    return codes


def pad(federation: MemoryFederation, holder: str, entries: int) -> None:
    """Make a holder's ledger longer with recorded refusals, one for each study above its policy."""
    for number in range(entries):
        dear = small_study(name=f"dear-{number}", budget={"epsilon": "9"})
        liar = LyingCoordinator(federation, dear, run=f"dear-{number}")
        assert liar.send(holder, liar.hello_request()).code == "policy"


def put_back(root: Path) -> tuple[MemoryFederation, LyingCoordinator, LyingCoordinator]:
    """A victim whose spent ledger was put back by a disk snapshot, and made longer than anybody has seen it.

    Returns:
        The federation; a run in which only the peers have said HELLO, before; the run that spent the victim's cap.
    """
    federation = kit.federation_at(root, policy=LOW)
    state, snapshot = state_of(federation, VICTIM), root / "snapshot"
    shutil.copytree(state, snapshot)
    federation._policy = HIGH
    for holder in PEERS:
        federation.nodes[holder] = federation.start(holder)
    early = begin(federation, "early", *PEERS)
    first = begin(federation, "first")
    assert set(spend(first)) == {"Ready", "Contribution"}
    assert spend(begin(federation, "honest"))[1] == "budget", "the victim's cap is used up"
    shutil.rmtree(state)
    shutil.copytree(snapshot, state)
    federation._policy = LOW
    federation.nodes[VICTIM] = federation.start(VICTIM)
    before = kit.holder_ledger(federation, "alpha").peers()[VICTIM]
    pad(federation, VICTIM, before.sequence + 2)
    assert kit.holder_ledger(federation, VICTIM).head.sequence > before.sequence
    return federation, early, first


def padded(root: Path) -> list[str]:
    """The fork is made longer, then everybody is asked."""
    federation, *_ = put_back(root)
    return spend(begin(federation, "second"))


def shown_to_the_others_alone(root: Path) -> list[str]:
    """The longer head is shown to the peers in plans that the victim never sees: they must not take it for newer."""
    federation, *_ = put_back(root)
    aside = begin(federation, "aside")
    plan = aside.core(share=Fraction(1, 100))
    assert {answer.code for answer in aside.show(plan, *PEERS).values()} == {"Ready"}
    shown = tuple(aside.checkpoints[holder] for holder in HOLDERS)
    assert {aside.finish(holder, heads=shown).code for holder in PEERS} == {"Finished"}
    return spend(begin(federation, "second"))


def old_hellos(root: Path) -> list[str]:
    """The peers said HELLO, with what they had seen, before the lost entries were written."""
    _, early, first = put_back(root)
    early.greet(VICTIM)
    early.checkpoints.update({holder: first.checkpoints[holder] for holder in PEERS})
    return spend(early)


#: Orders in which a cheating coordinator may go about it; half a fix stops only some of them.
ORDERS: dict[str, Callable[[Path], list[str]]] = {
    "padded": padded,
    "shown to the others alone": shown_to_the_others_alone,
    "old HELLOs": old_hellos,
}


def check_a_fork_that_became_longer_is_refused(root: Path, order: str) -> None:
    """The peers refuse to answer, before anybody has charged anything."""
    codes = ORDERS[order](root)
    assert codes == ["Ready"] * 3 + ["stale"]


@pytest.mark.parametrize("order", ORDERS)
def test_a_fork_that_became_longer_is_refused(order: str, tmp_path: Path) -> None:
    check_a_fork_that_became_longer_is_refused(tmp_path, order)


def test_a_ledger_without_an_entry_that_others_remember_refuses_itself(federation: MemoryFederation) -> None:
    """Whoever was put back finds out from the hints of the others, before anybody is charged."""
    coordinator = begin(federation, "first")
    plan = coordinator.identity.sign(coordinator.ready_request(coordinator.core()))
    length = kit.holder_ledger(federation, VICTIM).head.sequence
    assert coordinator.send_bytes(VICTIM, kit.carried(plan, since=(length, length + 1))).code == "stale"
    assert coordinator.send_bytes(VICTIM, kit.carried(plan, since=(length,))).code == "Ready"


# --- what the real coordinator does ------------------------------------------------------------------------------


def ask_for_real(federation: MemoryFederation, name: str, hook: kit.Hook = kit.honest, *, rounds: int = 1) -> kit.Notes:
    """Questions of a study by the real coordinator, to the end; what it noted."""
    notes = kit.Notes()
    coordinator = kit.coordinator_of(federation, small_study(name=name), hook, notes)
    coordinator.join()
    for number in range(rounds):
        coordinator.ask("rfm", f"question {number}", kit.STATISTIC, kit.price(coordinator.study, Fraction(1, 8)))
    assert coordinator.finish("{}") == ()
    return notes


def test_the_coordinator_leaves_a_longer_fork_out_for_nothing(federation: MemoryFederation) -> None:
    """It checks the paths itself, before it charges anything, and goes on with the others where the study allows."""
    copy = federation.root / "copy"
    shutil.copytree(state_of(federation, VICTIM), copy)
    ask_for_real(federation, "first")
    shutil.rmtree(state_of(federation, VICTIM))
    shutil.copytree(copy, state_of(federation, VICTIM))
    federation.nodes[VICTIM] = federation.start(VICTIM)
    pad(federation, VICTIM, 12)
    before = kit.charged_by(federation) | {"coordinator": len(kit.charges(federation.folder.ledger()))}
    notes = kit.Notes()
    coordinator = kit.coordinator_of(federation, small_study(name="second"), progress=notes)
    coordinator.join()
    with pytest.raises(NotEnoughHolders):  # two are too few for the policies here
        coordinator.ask("rfm", "cut points", kit.STATISTIC, kit.price(coordinator.study))
    assert any(note.startswith(f"{VICTIM} does not take part: its ledger does not show") for note in notes.notes)
    after = kit.charged_by(federation) | {"coordinator": len(kit.charges(federation.folder.ledger()))}
    assert after == before


def test_it_says_who_remembers_more_of_a_ledger_than_there_is(federation: MemoryFederation) -> None:
    """The coordinator's own memory is of before, as after a backup of its own: the holders' hints tell it."""
    copy = federation.root / "copy"
    shutil.copytree(state_of(federation, VICTIM), copy)
    own = (federation.folder.root / "ledger.sqlite").read_bytes() if federation.folder.ledger() else b""
    spend(begin(federation, "first"), questions=2)
    (federation.folder.root / "ledger.sqlite").write_bytes(own)
    shutil.rmtree(state_of(federation, VICTIM))
    shutil.copytree(copy, state_of(federation, VICTIM))
    federation.nodes[VICTIM] = federation.start(VICTIM)
    notes = kit.Notes()
    coordinator = kit.coordinator_of(federation, small_study(name="second"), progress=notes)
    coordinator.join()
    with pytest.raises(NotEnoughHolders):
        coordinator.ask("rfm", "cut points", kit.STATISTIC, kit.price(coordinator.study))
    assert f"{VICTIM} does not take part: stale" in notes.notes
    assert f"a later entry of the ledger of {VICTIM} is remembered by alpha, gamma" in notes.notes


def test_a_question_takes_two_exchanges_and_a_run_two_more(federation: MemoryFederation) -> None:
    sent: list[str] = []

    def hook(holder: str, kind: str, count: int, request: bytes, forward: Any) -> bytes | None:
        sent.append(kind)
        return forward(request)

    for name in ("first", "second"):
        sent.clear()
        ask_for_real(federation, name, hook, rounds=3)
        assert (sent.count("hello"), sent.count("ready"), sent.count("answer"), sent.count("finish")) == (3, 9, 9, 3)


# --- what honest parties do is never taken for a rollback ----------------------------------------------------------


def restarted_before(kind: str) -> Callable[[MemoryFederation], kit.Hook]:
    def hooks(federation: MemoryFederation) -> kit.Hook:
        def hook(holder: str, asked: str, count: int, request: bytes, forward: Any) -> bytes | None:
            if (holder, asked, count) == (VICTIM, kind, 2):
                federation.nodes[holder] = federation.start(holder)
                return federation.nodes[holder].handle(request)
            return forward(request)

        return hook

    return hooks


def lost(kind: str, *, before: bool) -> Callable[[MemoryFederation], kit.Hook]:
    def hooks(federation: MemoryFederation) -> kit.Hook:
        def hook(holder: str, asked: str, count: int, request: bytes, forward: Any) -> bytes | None:
            if (holder, asked, count) == (VICTIM, kind, 2):
                if not before:
                    forward(request)
                return None
            return forward(request)

        return hook

    return hooks


#: What may happen to a holder between its second plan and its second answer.
HONEST: dict[str, Callable[[MemoryFederation], kit.Hook]] = {
    "nothing": lambda federation: kit.honest,
    "restarted before a plan": restarted_before("ready"),
    "restarted before an answer": restarted_before("answer"),
    "the request for an answer is lost": lost("answer", before=True),
    "charged, and the answer is lost": lost("answer", before=False),
}


def test_honest_growth_is_never_stale(federation: MemoryFederation, caplog: pytest.LogCaptureFixture) -> None:
    """Study after study, with other entries between: everybody takes part in everything, to the end."""
    for number, case in enumerate(HONEST):
        notes = ask_for_real(federation, f"during-{number}", HONEST[case](federation), rounds=2)
        assert not [note for note in notes.notes if "stale" in note or "ledger" in note], case
        kit.holder_ledger(federation, VICTIM).append(
            Declined(study=case[:10], study_digest="0" * 64, code="policy", time=number)
        )
    assert ask_for_real(federation, "after").notes == []
    assert "stale" not in caplog.text
    assert set(kit.holder_ledger(federation, "alpha").peers()) == {"coordinator", "beta", "gamma"}


def test_a_holder_that_missed_studies_and_their_end_takes_part_again(federation: MemoryFederation) -> None:
    """It remembers entries of long ago; the others show paths from there as well as from what the rest remembers."""
    ask_for_real(federation, "all")
    for number in range(3):
        few = small_study(name=f"few-{number}", holders=["alpha", "beta"])
        federation._policy = kit.lenient_policy(min_participants=2, min_hidden=1)
        federation.nodes = {holder: federation.start(holder) for holder in HOLDERS}
        coordinator = kit.coordinator_of(federation, few)
        coordinator.join()
        coordinator.ask("rfm", "cut points", kit.STATISTIC, kit.price(few, Fraction(1, 8)))
        coordinator.finish("{}")
    seen = {holder: kit.holder_ledger(federation, holder).peers()["alpha"].sequence for holder in ("beta", "gamma")}
    assert seen["gamma"] < seen["beta"]
    assert ask_for_real(federation, "again").notes == []


def test_a_new_coordinator_process_and_a_resumed_study_go_on(federation: MemoryFederation) -> None:
    study = small_study(name="resumed")
    stopped = kit.coordinator_of(federation, study)
    stopped.join()
    stopped.ask("rfm", "question 0", kit.STATISTIC, kit.price(study, Fraction(1, 8)))
    del stopped  # as if its process were killed: nothing was handed out
    assert ask_for_real(federation, "resumed", rounds=3).notes == ["question 0: recorded earlier, nothing is spent"]


def test_a_member_that_nobody_has_met_and_that_has_met_nobody_takes_part(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, "alpha", "beta", "delta", "gamma")
    old = small_study(name="old", holders=list(HOLDERS))
    coordinator = kit.coordinator_of(federation, old)
    coordinator.join()
    coordinator.ask("rfm", "cut points", kit.STATISTIC, kit.price(old, Fraction(1, 8)))
    coordinator.finish("{}")
    assert kit.holder_ledger(federation, "delta").peers() == {}
    assert ask_for_real(federation, "new").notes == []


def test_heads_that_an_earlier_release_remembered_are_gone_on_from(federation: MemoryFederation) -> None:
    """It remembered any newest head that a plan showed, also one after a charge; each is an entry, and has a path."""
    ask_for_real(federation, "before")
    for holder in HOLDERS:
        newest = {other: kit.holder_ledger(federation, other).head for other in HOLDERS if other != holder}
        kit.holder_ledger(federation, holder).remember(newest | {"coordinator": federation.folder.ledger().head})
    assert ask_for_real(federation, "after").notes == []


def _recovered(federation: MemoryFederation, *witnesses: str) -> None:
    """The victim's ledger breaks after two questions, its backup of before is put back and recovered."""
    root = federation.root
    ask_for_real(federation, "before")
    kit.holder_ledger(federation, VICTIM).back_up(root / "backup")
    ask_for_real(federation, "lost", rounds=2)
    (state_of(federation, VICTIM) / "ledger.sqlite").write_bytes(b"broken")
    restore(root / "holders" / VICTIM, root / "backup")
    homes = {"coordinator": federation.folder.root} | {holder: root / "holders" / holder for holder in HOLDERS}
    for name in witnesses:
        write_heads(homes[name], root / f"{name}.json")
        export(homes[name], root / f"{name}.bundle")
    files = [root / f"{name}.json" for name in witnesses]
    done = recover(root / "holders" / VICTIM, files, [root / f"{name}.bundle" for name in witnesses])
    assert (done.lost > 0, done.charges) == (True, 2)
    federation.nodes[VICTIM] = federation.start(VICTIM)


def test_a_recovered_ledger_goes_on_by_what_it_says_is_lost(federation: MemoryFederation) -> None:
    """What was seen of it is among the lost entries: in place of a path from there stands the recovery's."""
    _recovered(federation, "alpha", "gamma", "coordinator")
    seen = {holder: kit.holder_ledger(federation, holder).peers()[VICTIM] for holder in PEERS}
    ledger = kit.holder_ledger(federation, VICTIM)
    recovery = next(fact for fact in ledger.facts() if isinstance(fact, Recovered))
    assert all(recovery.lost_from <= head.sequence <= recovery.lost_to for head in seen.values())
    assert ask_for_real(federation, "after", rounds=2).notes == []
    again = {holder: kit.holder_ledger(federation, holder).peers()[VICTIM] for holder in PEERS}
    assert all(again[holder].sequence > recovery.lost_to for holder in PEERS)


# --- what is remembered, and from what -----------------------------------------------------------------------------


def test_heads_are_remembered_from_ready_alone_and_with_the_charge(federation: MemoryFederation) -> None:
    coordinator = begin(federation, "first")
    core = coordinator.core()
    ledger = kit.holder_ledger(federation, "alpha")
    readies = coordinator.readies(core)
    assert ledger.peers() == {}, "neither from HELLOs nor from plans"
    answer = coordinator.ask("alpha", core, readies)
    assert answer.code == "Contribution"
    said = {signed.signer: signed.open(Ready, federation.roster) for signed in readies}
    stated = {holder: taken_from(ready, federation, holder).head for holder, ready in said.items() if holder != "alpha"}
    own = privacy.protocol.checkpoints.read_checkpoint(core.coordinator, federation.roster, "coordinator").head
    assert ledger.peers() == stated | {"coordinator": own}
    coordinator.ask("beta", core, readies)
    shown = (coordinator.checkpoints["beta"], coordinator.own_checkpoint())
    assert coordinator.finish("alpha", heads=shown).code == "Finished"
    assert ledger.peers() == stated | {"coordinator": own}, "nor from what is shown at the end"


def test_the_lap_at_the_end_shows_everybodys_last_entries(federation: MemoryFederation) -> None:
    """They are remembered with paths; without one, or as of before, what was seen stays, and nothing is refused."""
    coordinator = begin(federation, "first")
    spend(coordinator, questions=1)
    finished = [coordinator.finish(holder).statement for holder in HOLDERS]
    ledger = kit.holder_ledger(federation, "alpha")
    seen, lap = ledger.peers(), WitnessRequest(made_by="first", finished=tuple(finished))
    bare = kit.carried(coordinator.identity.sign(lap))
    assert coordinator.send_bytes("alpha", bare).code == "Witnessed"
    assert ledger.peers() == seen
    assert coordinator.send("alpha", lap).code == "Witnessed"
    ends = {holder: kit.holder_ledger(federation, holder).head for holder in ("beta", "gamma")}
    assert {holder: ledger.peers()[holder] for holder in ends} == ends
    newest = read_heads(_written(federation, "alpha"), (federation.roster,))[1]
    assert {holder: newest[holder] for holder in ends} == ends, "and it can show them to others"
    spend(begin(federation, "second"), questions=1)
    assert coordinator.send("alpha", lap).code == "Witnessed", "the same lap again, after more was seen"
    assert all(ledger.peers()[holder].sequence >= end.sequence for holder, end in ends.items())


def _written(federation: MemoryFederation, holder: str) -> Path:
    path = federation.root / "heads.json"
    write_heads(federation.root / "holders" / holder, path)
    return path


def taken_from(ready: Ready, federation: MemoryFederation, holder: str) -> Shown:
    assert ready.checkpoint is not None
    return privacy.protocol.checkpoints.read_checkpoint(ready.checkpoint, federation.roster, holder)


def test_paths_are_needed_and_fit(federation: MemoryFederation) -> None:
    """Without the path that fits, an answer is refused and nothing is charged."""
    spend(begin(federation, "first"), questions=1)
    coordinator = begin(federation, "second")
    core = coordinator.core()
    readies = coordinator.readies(core)
    asked = coordinator.answer_request(core, readies)
    paths = coordinator.beside("alpha", asked)["paths"]
    before, request = kit.charged_by(federation), coordinator.identity.sign(asked)
    for case, change in PATHS.items():
        reply = coordinator.send_bytes("alpha", kit.carried(request, paths=change(federation, paths)))
        assert reply.code == "stale", case
    assert kit.charged_by(federation) == before
    assert coordinator.send_bytes("alpha", kit.carried(request, paths=paths)).code == "Contribution"


def _of_beta(federation: MemoryFederation, sequence: int) -> HeadPath:
    ledger = kit.holder_ledger(federation, VICTIM)
    return ledger.paths([sequence], ledger.head.sequence)[0]


#: What a coordinator may carry in place of the right paths.
PATHS: dict[str, Callable[[MemoryFederation, dict[str, HeadPath]], dict[str, HeadPath]]] = {
    "none": lambda f, paths: {},
    "one is missing": lambda f, paths: {"gamma": paths["gamma"]},
    "of another entry": lambda f, paths: paths | {"beta": _of_beta(f, 2)},
    "of another entry under this one's number": lambda f, paths: (
        paths | {"beta": _of_beta(f, 2).model_copy(update={"sequence": paths["beta"].sequence})}
    ),
    "of another ledger": lambda f, paths: paths | {"beta": paths["gamma"]},
    "one hash changed": lambda f, paths: (
        paths | {"beta": paths["beta"].model_copy(update={"hashes": ("0" * 64, *paths["beta"].hashes[1:])})}
    ),
    "a recovery that is none": lambda f, paths: (
        paths | {"beta": paths["beta"].model_copy(update={"passage": Passage(previous="0" * 64, body="{}")})}
    ),
}


def test_a_ready_without_a_word_on_the_ledger_is_not_taken(federation: MemoryFederation) -> None:
    coordinator = begin(federation, "first")
    core = coordinator.core()
    readies = list(coordinator.readies(core))
    beta = Identity.load("beta", federation.root / "holders" / "beta" / "keys" / "signing.pem")
    said = readies[1].open(Ready, federation.roster)
    readies[1] = beta.sign(said.model_copy(update={"checkpoint": None}))
    assert coordinator.ask("alpha", core, readies).code == "stale"


def test_a_ready_of_before_what_was_seen_since_is_not_taken(federation: MemoryFederation) -> None:
    """Two runs at once: the other one has moved what this holder remembers, and it compares with that."""
    first, second = begin(federation, "first"), begin(federation, "second")
    core = first.core()
    readies = first.readies(core)
    spend(second, questions=2)
    assert first.ask("alpha", core, readies).code == "stale"


def test_a_ready_from_a_ledger_that_was_put_back_since_is_not_answered(federation: MemoryFederation) -> None:
    coordinator = begin(federation, "first")
    core = coordinator.core()
    readies = list(coordinator.readies(core))
    alpha = Identity.load("alpha", federation.root / "holders" / "alpha" / "keys" / "signing.pem")
    own = readies[0].open(Ready, federation.roster)
    assert own.checkpoint is not None
    other = privacy.protocol.checkpoints.Checkpoint(member="alpha", sequence=1, head="f" * 64, root="f" * 64)
    readies[0] = alpha.sign(own.model_copy(update={"checkpoint": alpha.sign(other)}))
    assert coordinator.ask("alpha", core, readies).code == "stale"


# --- many holders ----------------------------------------------------------------------------------------------------


def test_a_holder_shows_at_most_so_many_paths_and_is_asked_for_the_most_wanted(federation: MemoryFederation) -> None:
    """A thousand holders that remember a thousand entries of one ledger: the most wanted 64 are served, and the rest
    are left out of the plan, which costs nothing."""
    ledger, identity = federation.folder.ledger(), federation.folder.identity()
    heads = PeerHeads(ledger=ledger, identity=identity, roster=federation.roster)
    names = ["alpha", *(f"holder-{number:03d}" for number in range(999))]
    for number, name in enumerate(names[1:]):
        heads._known[name] = {"alpha": 1000 + number % 200, "unknown": 1}
    for name in names[:400]:
        heads._known.setdefault(name, {})["alpha"] = 7
    asked = heads.carried({"alpha": Request(statement=identity.sign(_ready_request(federation)))}, names)["alpha"]
    assert len(asked.since) == MOST_PATHS
    assert 7 in asked.since
    heads._ready = {name: Head(5000, "0" * 64) for name in names}
    heads._paths = {name: {} for name in names} | {
        "alpha": {sequence: HeadPath(sequence=sequence, hashes=()) for sequence in asked.since}
    }
    behind = heads.behind(names)
    assert set(behind.values()) == {"stale"}
    assert "alpha" not in behind
    assert len(behind) == sum(heads._known.get(name, {}).get("alpha") not in (*asked.since, None) for name in names)


def _ready_request(federation: MemoryFederation) -> Any:
    coordinator = begin(federation, "any")
    return coordinator.ready_request(coordinator.core())


# --- the rule itself -------------------------------------------------------------------------------------------------


@pytest.fixture
def grown(federation: MemoryFederation) -> Ledger:
    """A ledger of twenty entries."""
    ledger = kit.holder_ledger(federation, "alpha")
    while ledger.head.sequence < 20:
        ledger.append(Declined(study="x", study_digest="0" * 64, code="policy", time=ledger.head.sequence))
    return ledger


def test_a_ledger_goes_on_from_each_of_its_entries_and_from_nothing_else(grown: Ledger) -> None:
    hashes = {sequence: grown.hash_at(sequence) or "" for sequence in range(1, 21)}
    for size in (1, 2, 13, 20):
        head, root = Head(size, hashes[size]), grown.root(size)
        for sequence in range(1, size + 1):
            path = grown.paths([sequence], size)[0]
            before = Head(sequence, hashes[sequence])
            assert goes_on(before, head, root, path)
            assert not goes_on(Head(sequence, "f" * 64), head, root, path)
            assert not goes_on(before, head, "", path)
            assert not goes_on(before, head, grown.root(21 - size), path) or size == 21 - size
        assert grown.paths([0, size + 1, 21], size) == ()


def test_heads_are_compared_by_length_and_taken_by_path(grown: Ledger) -> None:
    before, head = Head(5, grown.hash_at(5) or ""), grown.head
    shown, path = Shown(head, grown.root(20)), grown.paths([5], 20)[0]
    assert taken(before, shown, path) is None
    assert taken(before, shown, None) == "unproved"
    assert taken(None, shown, None) is None, "nothing was seen of it"
    assert taken(head, shown, None) is None, "the very head that was seen"
    assert taken(Head(20, "f" * 64), shown, path) == compared(Head(20, "f" * 64), head) == "other"
    assert taken(Head(21, "f" * 64), shown, path) == compared(Head(21, "f" * 64), head) == "older"
    assert compared(before, head) is None, "longer: it may be shown, and is not remembered"


def test_a_recovery_covers_only_what_it_says_is_lost(federation: MemoryFederation) -> None:
    _recovered(federation, "alpha", "coordinator")
    ledger = kit.holder_ledger(federation, VICTIM)
    fact = ledger.state.recoveries[-1]
    head, root = ledger.head, ledger.root(ledger.head.sequence)
    newest, path = Head(fact.lost_to, fact.head), ledger.paths([fact.lost_to], head.sequence)[0]
    assert path.passage is not None
    assert goes_on(newest, head, root, path)
    assert not goes_on(Head(fact.lost_to, "f" * 64), head, root, path), "of the newest it names the hash"
    inside = ledger.paths([fact.lost_from], head.sequence)[0]
    assert goes_on(Head(fact.lost_from, "f" * 64), head, root, inside), "of those before it nobody can know it"
    for sequence in (fact.lost_from - 1, fact.lost_to + 1):
        outside = path.model_copy(update={"sequence": sequence})
        assert not goes_on(Head(sequence, ledger.hash_at(sequence) or ""), head, root, outside)
        assert ledger.paths([sequence], head.sequence)[0].passage is None
    entry = Entry.parse(path.passage.body)
    wider = entry.model_copy(update={"fact": fact.model_copy(update={"lost_from": 1})})
    forged = path.passage.model_copy(update={"body": wider.canonical().decode()})
    first = path.model_copy(update={"sequence": 1, "passage": forged})
    assert not goes_on(Head(1, "f" * 64), head, root, first), "it is not the entry that stands there"


# --- named mutants ---------------------------------------------------------------------------------------------------


def heads_taken_without_a_path(patch: Patch) -> None:
    """As before protocol 3: a longer head is a newer one."""
    patch.setattr(clients.answering.admission, "taken", lambda before, shown, path: compared(before, shown.head))


def paths_from_hello_only(patch: Patch) -> None:
    """Paths are checked from what a holder had seen when it said HELLO, not from what it has seen by now."""
    hello, seen, real = HolderNode._hello, {}, clients.answering.node.check_grown

    def said(self: HolderNode, request: Any, signed: Any) -> bytes:
        reply = hello(self, request, signed)
        seen.setdefault((self.holder, request.run), self._ledger.peers())
        return reply

    def check(core: Any, readies: Any, **kwargs: Any) -> Any:
        own = next(iter(set(readies) - set(core.checkpoints)))
        return real(core, readies, **kwargs | {"seen": seen[own, core.core.question.run]})

    patch.setattr(HolderNode, "_hello", said)
    patch.setattr(clients.answering.node, "check_grown", check)


#: Mutant to the order that it lets through.
MUTANTS: list[tuple[Callable[[Patch], None], str]] = [
    (heads_taken_without_a_path, "padded"),
    (heads_taken_without_a_path, "shown to the others alone"),
    (paths_from_hello_only, "old HELLOs"),
]


@pytest.mark.parametrize(("mutant", "order"), MUTANTS, ids=[f"{m.__name__}-{order}" for m, order in MUTANTS])
def test_the_mutant_is_caught(mutant: Callable[[Patch], None], order: str, tmp_path: Path, monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, CohortiumError, pytest.fail.Exception)) as caught:
        check_a_fork_that_became_longer_is_refused(tmp_path, order)
    assert "Contribution" in str(caught.value), "the fork was answered"


def test_a_reply_carries_paths_beside_the_statement(federation: MemoryFederation) -> None:
    """They are not signed, and so are not kept with the statements for ever, nor sent to who does not need them."""
    spend(begin(federation, "first"), questions=1)
    coordinator = begin(federation, "second")
    core = coordinator.core()
    since = coordinator.remembered_of("alpha")
    reply = Reply.parse(coordinator.send("alpha", coordinator.ready_request(core)).raw)
    assert [path.sequence for path in reply.paths] == list(since)
    assert "hashes" not in reply.statement.body
