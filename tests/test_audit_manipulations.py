"""Every way to tell another story that we could think of is found, and named as what it is.

A federation of four holders runs a study for real; its bundles pass. Then each manipulation changes one bundle (or
several) the way somebody would who has the file, and its owner's key where the table says so, and ``audit verify`` must
say what is wrong with the right words.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bundle_kit import Forger, export_all, key_of, resign
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol_kit import federation_at, lean_study

from privacy.audit.verify import verify
from privacy.protocol.identity import Identity, Signed
from privacy.protocol.messages import Checkpoint
from server.running.run import run_study

Facts = list[dict[str, Any]]

HOLDERS = ("east", "north", "south", "west")


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(federation's root, folder of bundles)."""
    root = tmp_path_factory.mktemp("honest")
    federation = federation_at(root / "federation", *HOLDERS)
    run_study(lean_study(), folder=federation.folder, transport=federation.transport, pages=False)
    return root / "federation", export_all(federation, root / "bundles")


class Copy:
    """A copy of the bundles, and what is needed to change them."""

    def __init__(self, root: Path, bundles: Path) -> None:
        self.root = root
        self.bundles = bundles

    def bundle(self, owner: str) -> Forger:
        return Forger(self.bundles, self.root, owner)

    def rechain(self, owner: str, change: Callable[[Facts], Facts]) -> None:
        self.bundle(owner).rechain(change).write()


@pytest.fixture
def copy(honest: tuple[Path, Path], tmp_path: Path) -> Copy:
    return Copy(honest[0], Path(shutil.copytree(honest[1], tmp_path / "bundles")))


def test_honest_bundles_pass(honest: tuple[Path, Path]) -> None:
    verdict = verify(sorted(honest[1].iterdir()))
    assert [claim for claim in verdict.claims if claim.verdict == "FAIL"] == []
    assert {spent.owner for spent in verdict.spent} == {"coordinator", *HOLDERS}
    for spent in verdict.spent:
        assert 0 < spent.epsilon_pld <= spent.epsilon <= 1
        assert spent.epsilon_prv is None or abs(spent.epsilon_prv - spent.epsilon) < 0.02


def test_each_bundle_passes_by_itself(honest: tuple[Path, Path]) -> None:
    for path in honest[1].iterdir():
        assert verify([path], third=False).passed


# --- manipulations -----------------------------------------------------------------------------------------------


def edited_entry(copy: Copy) -> None:
    bundle = copy.bundle("north")
    entries = bundle.entries()
    entries[1][1][1] = entries[1][1][1].replace('"records":', '"records": ')
    bundle.replace_entries(entries).write()


def removed_entry(copy: Copy) -> None:
    bundle = copy.bundle("north")
    bundle.replace_entries(bundle.entries()[:2] + bundle.entries()[3:]).write()


def inserted_entry(copy: Copy) -> None:
    bundle = copy.bundle("north")
    entries = bundle.entries()
    bundle.replace_entries([*entries[:3], entries[2], *entries[3:]]).write()


def reordered_entries(copy: Copy) -> None:
    bundle = copy.bundle("north")
    entries = bundle.entries()
    entries[2], entries[3] = entries[3], entries[2]
    bundle.replace_entries(entries).write()


def renumbered_entry(copy: Copy) -> None:
    bundle = copy.bundle("north")
    entries = bundle.entries()
    entries[4][1][0] = 9
    bundle.replace_entries(entries).write()


def truncated(copy: Copy) -> None:
    bundle = copy.bundle("south")
    bundle.replace_entries(bundle.entries()[:-3]).write()


def truncated_coordinator(copy: Copy) -> None:
    bundle = copy.bundle("coordinator")
    bundle.replace_entries(bundle.entries()[:3]).write()


def forked(copy: Copy) -> None:
    """The last entries are other ones of the same length."""
    copy.rechain("south", lambda facts: [*facts[:-2], facts[-1], facts[-2]])


def resalted(copy: Copy) -> None:
    """The same facts, written again from the first entry."""

    def again(facts: Facts) -> Facts:
        facts[0]["epsilon"] = "7"
        return facts

    copy.rechain("west", again)


def _facts(kind: str, change: Callable[[dict[str, Any]], None]) -> Callable[[Facts], Facts]:
    def apply(facts: Facts) -> Facts:
        for fact in facts:
            if fact["kind"] == kind:
                change(fact)
        return facts

    return apply


def more_noise_claimed(copy: Copy) -> None:
    copy.rechain(
        "south", _facts("reserved", lambda fact: fact["event"].update(share_scale=2 * fact["event"]["share_scale"]))
    )


def smaller_bound_claimed_by_all(copy: Copy) -> None:
    """All ledgers, rewritten alike: only the signed plans tell."""
    for owner in ("coordinator", *HOLDERS):
        copy.rechain(owner, _facts("reserved", lambda fact: fact["event"].update(squared_norm=1)))


def fewer_records_claimed(copy: Copy) -> None:
    def more(fact: dict[str, Any]) -> None:
        fact["records"] = 2

    copy.rechain("east", _facts("reserved", more))


def charge_left_out(copy: Copy) -> None:
    def forget(facts: Facts) -> Facts:
        core = next(fact["core"] for fact in facts if fact["kind"] == "reserved")
        return [fact for fact in facts if fact.get("core") != core]

    copy.rechain("west", forget)


def charge_after_answer(copy: Copy) -> None:
    copy.rechain("west", lambda facts: [facts[0], facts[2], facts[1], *facts[3:]])


def charged_twice(copy: Copy) -> None:
    copy.rechain("west", lambda facts: [*facts[:2], facts[1], *facts[2:]])


def answered_twice(copy: Copy) -> None:
    copy.rechain("west", lambda facts: [*facts[:3], facts[2], *facts[3:]])


def another_answer(copy: Copy) -> None:
    copy.rechain("east", _facts("answered", lambda fact: fact.update(payload="a" * 64)))


def another_release(copy: Copy) -> None:
    copy.rechain("north", _facts("released", lambda fact: fact.update(release="0" * 64)))


def lifetime_cap_passed(copy: Copy) -> None:
    copy.rechain("north", _facts("opened", lambda fact: fact.update(epsilon="0.5")))


def period_cap_passed(copy: Copy) -> None:
    period = {"epsilon": "0.3", "delta": "0.000001", "days": 90, "start": "2025-01-01"}
    copy.rechain("north", _facts("opened", lambda fact: fact.update(period=period)))


def study_budget_passed(copy: Copy) -> None:
    """Another charge, of a plan that does not exist, puts the study above its promise."""

    def more(facts: Facts) -> Facts:
        extra = json.loads(json.dumps(facts[1]))
        extra["core"], extra["question"]["attempt"] = "c" * 64, 9
        extra["event"]["share_scale"] //= 2
        return [*facts, extra]

    copy.rechain("north", more)


def coarse_noise(copy: Copy) -> None:
    copy.rechain("north", _facts("reserved", lambda fact: fact["event"].update(share_scale=10)))


def colluders_forgotten(copy: Copy) -> None:
    copy.rechain("north", _facts("reserved", lambda fact: fact["event"].update(protecting_shares=4)))


def growing_set(copy: Copy) -> None:
    def grow(facts: Facts) -> Facts:
        facts[1]["holders"] = ["east", "north", "south"]
        facts[1]["event"]["protecting_shares"] = 2
        return facts

    copy.rechain("north", grow)


def denied_and_charged(copy: Copy) -> None:
    def deny(facts: Facts) -> Facts:
        study = {key: facts[1][key] for key in ("study", "study_digest")}
        return [facts[0], {"kind": "decided", "decision": "denied", "time": 1, **study}, *facts[1:]]

    copy.rechain("north", deny)


def charged_after_leaving(copy: Copy) -> None:
    left = {"kind": "departed", "roster": "a" * 64, "statement": "b" * 64, "time": 1}
    copy.rechain("north", lambda facts: [facts[0], left, *facts[1:]])


def contradicting_plans(copy: Copy) -> None:
    copy.rechain("north", lambda f: [*f, {"kind": "evidence", "what": "equivocation", "first": "{}", "second": "{}"}])


def finish_left_out(copy: Copy) -> None:
    copy.bundle("north").restate("FinishRequest", lambda _: None).write()


def another_result(copy: Copy) -> None:
    copy.rechain("north", _facts("result", lambda fact: fact.update(result="a" * 64)))


def second_result(copy: Copy) -> None:
    def again(facts: Facts) -> Facts:
        last = next(fact for fact in facts if fact["kind"] == "result")
        return [*facts, {**last, "finish": "b" * 64}]

    copy.rechain("north", again)


def told_otherwise(copy: Copy) -> None:
    """The coordinator signed another result for one holder, which recorded just that."""
    bundle = copy.bundle("north")
    (signed,) = bundle.statements("FinishRequest")
    other = resign(copy.root, signed, lambda body: body.update(result="c" * 64))
    told = _facts("result", lambda fact: fact.update(result="c" * 64, finish=other.digest))
    bundle.restate("FinishRequest", lambda _: other).rechain(told).write()


def invented_recovery(copy: Copy) -> None:
    """Entries are dropped, and a recovery is invented that nobody can confirm."""

    def recover(facts: Facts) -> Facts:
        lost = [{"kind": "lost"}] * 3
        said = {
            "kind": "recovered", "lost_from": 5, "lost_to": 7, "head": "f" * 64, "witnesses": ["east"], "bundles": [],
            "spent": "found", "time": 1,
        }  # fmt: skip
        return [*facts[:4], *lost, said]

    copy.rechain("south", recover)


def unknown_kind(copy: Copy) -> None:
    copy.rechain("north", lambda facts: [*facts, {"kind": "refunded"}])


def not_canonical(copy: Copy) -> None:
    from privacy.ledger.chain import chain_hash

    bundle = copy.bundle("north")
    entries = bundle.entries()
    previous, last = entries[-2][1], entries[-1][1]
    last[1] = last[1].replace(",", ", ", 1)
    last[2] = chain_hash(previous[2], last[1].encode())
    bundle.replace_entries(entries).write()


def another_owner(copy: Copy) -> None:
    copy.rechain("north", _facts("opened", lambda fact: fact.update(owner="east")))


def changed_after_sealing(copy: Copy) -> None:
    bundle = copy.bundle("north")
    bundle.lines = [line for line in bundle.lines if line[0] != "statement" or line[1]["kind"] != "Checkpoint"]
    bundle.write(sealed=False)


def sealed_by_another(copy: Copy) -> None:
    copy.bundle("north").write(by=key_of(copy.root, "east"))


def sealed_with_a_foreign_key(copy: Copy, tmp: Path) -> None:
    copy.bundle("north").write(by=Identity.create("north", tmp / "stolen.pem"))


def cut_off(copy: Copy) -> None:
    path = copy.bundles / "north.bundle"
    path.write_bytes(b"\n".join(path.read_bytes().splitlines()[:-1]) + b"\n")


def appended(copy: Copy) -> None:
    path = copy.bundles / "north.bundle"
    path.write_bytes(path.read_bytes() + b'{"policy":"{}"}\n')


def forged_statement(copy: Copy) -> None:
    def cheaper(signed: Signed) -> Signed:
        return signed.model_copy(update={"body": signed.body.replace('"records":1', '"records":2')})

    copy.bundle("north").restate("ReadyRequest", cheaper).write()


def plan_left_out(copy: Copy) -> None:
    copy.bundle("north").restate("ReadyRequest", lambda _: None).write()


def plan_with_another_bound(copy: Copy) -> None:
    """The coordinator signs plans with a smaller bound, and holder and coordinator say they answered them."""

    def smaller(body: dict[str, Any]) -> None:
        body["core"]["bound"]["squared_norm"] = 1

    copy.bundle("north").restate("ReadyRequest", lambda signed: resign(copy.root, signed, smaller)).write()


def plan_with_fewer_records(copy: Copy) -> None:
    def fewer(body: dict[str, Any]) -> None:
        body["core"]["records"] = 3

    copy.bundle("north").restate("ReadyRequest", lambda signed: resign(copy.root, signed, fewer)).write()


def plan_for_another_roster(copy: Copy) -> None:
    def other(body: dict[str, Any]) -> None:
        body["core"]["roster"] = "e" * 64

    copy.bundle("north").restate("ReadyRequest", lambda signed: resign(copy.root, signed, other)).write()


def confirmation_left_out(copy: Copy) -> None:
    def fewer(body: dict[str, Any]) -> None:
        body["readies"] = body["readies"][1:]

    copy.bundle("north").restate("AnswerRequest", lambda signed: resign(copy.root, signed, fewer)).write()


def confirmation_of_another_plan(copy: Copy) -> None:
    def moved(body: dict[str, Any]) -> None:
        ready = Signed.model_validate(body["readies"][0])
        other = resign(copy.root, ready, lambda inner: inner.update(core="d" * 64))
        body["readies"][0] = other.model_dump(mode="json")

    copy.bundle("north").restate("AnswerRequest", lambda signed: resign(copy.root, signed, moved)).write()


def own_answer_left_out(copy: Copy) -> None:
    copy.bundle("north").restate("Contribution", lambda _: None).write()


def answer_of_a_holder_left_out(copy: Copy) -> None:
    copy.bundle("coordinator").restate("Contribution", lambda s: None if s.signer == "east" else s).write()


def head_of_another_story(copy: Copy) -> None:
    """North signed another head for entry 2 to somebody who keeps it."""
    other = key_of(copy.root, "north").sign(Checkpoint(member="north", sequence=2, head="f" * 64))
    bundle = copy.bundle("east")
    bundle.lines.append(("statement", other.model_dump(mode="json")))
    bundle.write()


def ready_with_another_root(copy: Copy) -> None:
    """South's key signed a root over other entries, with which it could show a path that its ledger has not."""

    def other(body: dict[str, Any]) -> None:
        ready = Signed.model_validate(body["readies"][2])
        checkpoint = Signed.model_validate(json.loads(ready.body)["checkpoint"])
        forged = resign(copy.root, checkpoint, lambda inner: inner.update(root="f" * 64)).model_dump(mode="json")
        changed = resign(copy.root, ready, lambda inner: inner.update(checkpoint=forged))
        body["readies"][2] = changed.model_dump(mode="json")

    copy.bundle("north").restate("AnswerRequest", lambda signed: resign(copy.root, signed, other)).write()


def two_stories_of_an_absent_ledger(copy: Copy) -> None:
    head_of_another_story(copy)
    (copy.bundles / "north.bundle").unlink()


def older_copy_beside(copy: Copy) -> None:
    """A second bundle of the same holder tells another history."""
    bundle = copy.bundle("north")
    bundle.rechain(_facts("opened", lambda fact: fact.update(epsilon="9")))
    bundle.path = copy.bundles / "north-again.bundle"
    bundle.write()


def study_left_out(copy: Copy) -> None:
    copy.bundle("north").restate("HelloRequest", lambda _: None).write()


def roster_left_out(copy: Copy) -> None:
    bundle = copy.bundle("north")
    bundle.lines = [line for line in bundle.lines if line[0] != "roster"]
    bundle.write()


def swapped_key_in_the_roster(copy: Copy, tmp: Path) -> None:
    """The coordinator lists another key for a holder, which that holder never asked for."""
    stranger = Identity.create("west", tmp / "stranger.pem")

    def swap(body: dict[str, Any]) -> None:
        for member in body["roster"]["members"]:
            if member["id"] == "west":
                member["public_key"] = stranger.public_key

    bundle = copy.bundle("north")
    bundle.lines = [
        (kind, resign(copy.root, Signed.model_validate(value), swap).model_dump(mode="json"))
        if kind == "roster"
        else (kind, value)
        for kind, value in bundle.lines
    ]
    bundle.write()


#: Name to (what is done, the claim that must fail, words that must be in the reason).
MANIPULATIONS: dict[str, tuple[Callable[..., None], str, str]] = {
    "an entry is edited": (edited_entry, "the chain is intact", "broken at entry 2"),
    "an entry is removed": (removed_entry, "the chain is intact", "broken at entry 3"),
    "an entry is inserted": (inserted_entry, "the chain is intact", "broken at entry 4"),
    "entries are reordered": (reordered_entries, "the chain is intact", "broken at entry 3"),
    "an entry has another number": (renumbered_entry, "the chain is intact", "broken at entry 5"),
    "a ledger is cut off": (truncated, "nobody has seen another story of it", "ends before entry 8"),
    "the coordinator's ledger is cut off": (
        truncated_coordinator, "nobody has seen another story of it", "ends before entry"),
    "a ledger is forked": (forked, "nobody has seen another story of it", "differs at entry"),
    "a ledger is written anew with the same charges": (
        resalted, "nobody has seen another story of it", "differs at entry 1"),
    "more noise is claimed": (more_noise_claimed, "they tell the same story", "differs in event"),
    "all claim a smaller sensitivity": (
        smaller_bound_claimed_by_all, "every charge follows from a signed plan", "its signed plan in event"),
    "another number of records is claimed": (
        fewer_records_claimed, "every charge follows from a signed plan", "differs from its signed plan in records"),
    "a charge is left out": (
        charge_left_out, "every release was charged by each of its holders here", "west did not charge plan"),
    "an answer comes before its charge": (
        charge_after_answer, "every answer was charged before, once", "entry 2 (answered) has no charge before it"),
    "an attempt is charged twice": (charged_twice, "every answer was charged before, once", "charges an attempt again"),
    "a plan is answered twice": (answered_twice, "every answer was charged before, once", "second answer to one plan"),
    "another answer is recorded": (
        another_answer, "answers were signed over the charge before them", "records another answer than was signed"),
    "another release is recorded": (another_release, "they tell the same story", "two different releases"),
    "the lifetime cap is passed": (lifetime_cap_passed, "the lifetime cap was kept", "passes the lifetime cap"),
    "a period's cap is passed": (period_cap_passed, "the lifetime cap was kept", "passes the cap of its period"),
    "a study passes its budget": (
        study_budget_passed, "each study kept its own budget", "passes its own budget of epsilon 1"),
    "the noise is too coarse": (coarse_noise, "the noise stated is fine and shared as stated", "too coarse"),
    "colluding holders are forgotten": (
        colluders_forgotten, "the noise stated is fine and shared as stated", "counts on 4 shares, and 3 protect"),
    "a study's set of holders grows": (growing_set, "a study's set of holders only shrinks", "grows"),
    "a denied study is charged": (
        denied_and_charged, "nothing was charged against its owner's word", "was denied by the operator"),
    "a holder answers after it left": (
        charged_after_leaving, "nothing was charged against its owner's word", "had left the federation"),
    "the coordinator showed contradicting plans": (
        contradicting_plans, "the coordinator never showed contradicting plans here", "two contradicting plans"),
    "the signed result is left out": (
        finish_left_out, "every result follows from a signed statement", "is not here, or says something else"),
    "another result is recorded": (
        another_result, "every result follows from a signed statement", "is not here, or says something else"),
    "a release is recorded otherwise than it was signed": (
        another_release, "every result follows from a signed statement", "records another release"),
    "a second result of a run is recorded": (
        second_result, "the coordinator handed out one result a run here", "takes a second result of run"),
    "one holder was handed another result": (
        told_otherwise, "everybody was handed the same results", "handed out 2 different results"),
    "a recovery is invented": (
        invented_recovery, "what a recovery says was lost was seen by others", "nobody here has seen the head"),
    "an entry is of an unknown kind": (unknown_kind, "the chain is intact", "entry 9"),
    "an entry is not canonical": (not_canonical, "entries are in canonical form", "entry 8 is not in canonical form"),
    "a ledger is somebody else's": (another_owner, "the ledger is its owner's", "the ledger is not"),
    "a bundle is changed after it was sealed": (
        changed_after_sealing, "the bundle is as its owner sealed it", "changed after it was sealed"),
    "a bundle is sealed by another member": (
        sealed_by_another, "the bundle is as its owner sealed it", "stands where one of north should"),
    "a bundle is sealed with a foreign key": (
        sealed_with_a_foreign_key, "the bundle is as its owner sealed it", "signature of a BundleSeal is wrong"),
    "a bundle is cut off": (cut_off, "the chain is intact", "has no seal"),
    "something is appended to a bundle": (appended, "the chain is intact", "goes on after its seal"),
    "a signed statement is forged": (
        forged_statement, "every signed statement is its signer's", "signature of a ReadyRequest is wrong"),
    "a plan is left out": (plan_left_out, "every charge follows from a signed plan", "there is no signed plan"),
    "a plan states another bound": (
        plan_with_another_bound, "plans cost what study, roster and catalogue say", "another bound than follows"),
    "a plan counts another number of records": (
        plan_with_fewer_records, "plans cost what study, roster and catalogue say", "counts on 3 records"),
    "a plan is for an unknown roster": (
        plan_for_another_roster, "plans cost what study, roster and catalogue say", "not in the history"),
    "a confirmation is left out": (
        confirmation_left_out, "every participant confirmed every plan that was charged", "east did not confirm"),
    "another plan is confirmed": (
        confirmation_of_another_plan, "every signed statement is its signer's", "east confirmed another plan"),
    "a holder's own answer is left out": (
        own_answer_left_out, "answers were signed over the charge before them", "is not here"),
    "a participant's answer is left out": (
        answer_of_a_holder_left_out, "every release has a signed answer of each participant", "answer of east"),
    "a holder signed another head": (
        head_of_another_story, "nobody has seen another story of it", "differs at entry 2, whose head holder east"),
    "a holder signed another root": (
        ready_with_another_root, "roots that it signed are those of its entries", "the root that it signed with entry"),
    "an absent ledger tells two stories": (
        two_stories_of_an_absent_ledger, "it tells everybody the same story (its ledger is not here)",
        "north signed 2 different heads at entry 2"),
    "a second bundle tells another history": (
        older_copy_beside, "nobody has seen another story of it", "differs at entry 1"),
    "a study is left out": (study_left_out, "each study kept its own budget", "charged and not shown"),
    "the rosters are left out": (roster_left_out, "the roster history is whole and signed", "no roster in the bundle"),
    "a key in the roster is swapped": (
        swapped_key_in_the_roster, "the roster history is whole and signed", "signature of a JoinRequest is wrong"),
}  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_changed_byte_of_a_bundle_is_found(honest: tuple[Path, Path], data: st.DataObject) -> None:
    path = honest[1] / "north.bundle"
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 6))
    with tempfile.TemporaryDirectory() as folder:
        changed = Path(folder) / "north.bundle"
        changed.write_bytes(content)
        assert not verify([changed], third=False).passed


@pytest.mark.parametrize("name", MANIPULATIONS)
def test_a_manipulation_is_found_and_named(copy: Copy, name: str, tmp_path: Path) -> None:
    manipulate, claim, words = MANIPULATIONS[name]
    if "tmp" in manipulate.__code__.co_varnames[: manipulate.__code__.co_argcount]:
        manipulate(copy, tmp_path)
    else:
        manipulate(copy)
    verdict = verify(sorted(copy.bundles.iterdir()), third=False)
    reasons = [one.why for one in verdict.claims if one.verdict == "FAIL" and one.claim == claim]
    assert any(words in why for why in reasons), [one for one in verdict.claims if one.verdict == "FAIL"]
