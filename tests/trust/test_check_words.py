"""Check words: announced before anybody is charged, opened only where they do not add up, and no question asked more.

Who spoils the sum of the masks is named by two statements of its own, before the charge or after one attempt; where
nobody can say which of two holders it is, the run ends free.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mask_checks
import numpy as np
import protocol_kit as kit
import pytest
from bundle_kit import Forger, export_all, resign
from protocol_kit import LyingCoordinator

import clients.answering.admission
import privacy.secure_sum.masks as masks
from privacy.audit.verify import verify
from privacy.errors import CohortiumError, NotEnoughHolders
from privacy.kernel.canonical import sha256_hex
from privacy.protocol.envelopes import Reply
from privacy.protocol.identity import Identity
from privacy.protocol.messages import AnswerRequest, Contribution, Opening, OpenRequest, Ready
from privacy.protocol.transport import Handler
from privacy.secure_sum.masks import MaskKey, MaskMismatch, announced, cancel, words_of
from server.running.asking import Asking
from server.running.federation import Federation
from server.running.run import run_study
from simulations.worlds.kit import MemoryFederation

FOUR = ("alpha", "beta", "delta", "gamma")
REST = ("alpha", "beta", "delta")
CHEAT = "gamma"

Patch = pytest.MonkeyPatch


def cheating(
    federation: MemoryFederation, change: Callable[[Reply, Identity], Reply | None], kind: str, cheat: str = CHEAT
) -> kit.Hook:
    """A hook under which the cheat's own key signs other replies to requests of one kind; None: it is silent."""
    identity = Identity.load(cheat, federation.root / "holders" / cheat / "keys" / "signing.pem")

    def hook(holder: str, asked: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        raw = forward(request)
        if (holder, asked) != (cheat, kind):
            return raw
        changed = change(Reply.parse(raw), identity)
        return None if changed is None else changed.canonical()

    return hook


def another_ready(reply: Reply, identity: Identity) -> Reply:
    """Announces words that do not follow from its keys."""
    if reply.statement.kind != "Ready":
        return reply
    said = Ready.parse(reply.statement.body)
    return reply.model_copy(update={"statement": identity.sign(said.model_copy(update={"check": "1" * 64}))})


def another_answer(reply: Reply, identity: Identity) -> Reply:
    """One check word of the answer differs, properly signed."""
    if not reply.vector:
        return reply
    words = np.frombuffer(base64.b64decode(reply.vector), dtype="<u8").copy()
    words[-1] += 1
    payload = words.tobytes()
    said = Contribution.parse(reply.statement.body)
    changed = said.model_copy(update={"payload": sha256_hex(payload), "check": announced(payload)})
    vector = base64.b64encode(payload).decode()
    return reply.model_copy(update={"statement": identity.sign(changed), "vector": vector})


def ask(coordinator: Federation, title: str = "cut points") -> object:
    return coordinator.ask("rfm", title, kit.STATISTIC, kit.price(coordinator.study, kit.Fraction(1, 5)))


# --- honest ------------------------------------------------------------------------------------------------------


def test_a_question_takes_two_exchanges_and_ends_as_it_was_announced(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)
    coordinator = kit.coordinator_of(federation)
    coordinator.join()
    ask(coordinator)
    ask(coordinator, "segments")
    assert coordinator.finish("{}") == ()
    sent = coordinator.line.transport.sent
    for holder in kit.HOLDERS:
        assert [sent[holder, kind] for kind in ("hello", "ready", "open", "answer")] == [1, 2, 0, 2]
    ledger = federation.folder.ledger()
    said = {kind: [s.text for s in ledger.statements() if s.kind == kind] for kind in ("AnswerRequest", "Contribution")}
    requests = [kit.Signed.parse(text).open(AnswerRequest, federation.roster) for text in said["AnswerRequest"]]
    answers = [kit.Signed.parse(text).open(Contribution, federation.roster) for text in said["Contribution"]]
    for request in requests:
        readies = {s.signer: s.open(Ready, federation.roster).check for s in request.readies}
        assert readies == {one.holder: one.check for one in answers if one.core == request.core}
        assert cancel(readies.values())
        assert len(set(readies.values())) == 3


# --- before anybody is charged -----------------------------------------------------------------------------------


def check_a_wrong_ready_costs_nobody(root: Path, patch: Patch | None = None) -> None:
    """Named by its own READY and opening, left out, and the others go on; asked no more."""
    federation = kit.federation_at(root, *FOUR, sampler=kit.no_noise)
    notes = kit.Notes()
    coordinator = kit.coordinator_of(federation, hook=cheating(federation, another_ready, "ready"), progress=notes)
    coordinator.join()
    release = ask(coordinator)
    assert release.holders == REST
    assert kit.charged_by(federation) == {**dict.fromkeys(REST, 1), CHEAT: 0}
    assert coordinator.missing == [CHEAT]
    assert [note for note in notes.notes if CHEAT in note and "own keys" in note]
    ledger = federation.folder.ledger()
    (evidence,) = [fact for fact in ledger.facts() if fact.kind == "evidence"]
    assert (evidence.what, evidence.blamed) == ("check", CHEAT)
    proof = {statement.digest: kit.Signed.parse(statement.text) for statement in ledger.statements()}
    ready = proof[evidence.first].open(Ready, federation.roster, signer=CHEAT)
    opening = proof[evidence.second].open(Opening, federation.roster, signer=CHEAT)
    assert ready.core == opening.core
    assert words_of(CHEAT, opening.keys) != ready.check
    assert "evidence" not in kit.kinds(kit.holder_ledger(federation, "alpha"))


def test_a_wrong_ready_costs_nobody_and_names_its_author(tmp_path: Path) -> None:
    check_a_wrong_ready_costs_nobody(tmp_path)


def test_two_holders_whose_keys_differ_end_the_run_free_and_without_blame(tmp_path: Path, monkeypatch: Patch) -> None:
    federation = kit.federation_at(tmp_path, *FOUR)
    coordinator = kit.coordinator_of(federation)
    coordinator.join()
    apart = next(iter(federation.nodes["beta"]._runs.values())).mask_key
    other = next(iter(federation.nodes[CHEAT]._runs.values())).mask_key.public
    real = MaskKey.shared_with
    monkeypatch.setattr(
        MaskKey,
        "shared_with",
        lambda self, public: bytes(32) if self is apart and public == other else real(self, public),
    )
    with pytest.raises(MaskMismatch, match=r"beta and gamma.*nobody can say.*Nothing was charged") as caught:
        ask(coordinator)
    assert "alpha" not in caught.value.message
    assert kit.charged_by(federation) == dict.fromkeys(FOUR, 0)
    assert kit.kinds(federation.folder.ledger()) == ["opened", "roster"]
    assert set(kit.coordinator_of(federation).invited) == set(FOUR), "both may come back"


@pytest.mark.parametrize(
    "opening",
    [
        lambda reply, identity: None,
        lambda reply, identity: Reply(
            statement=identity.sign(Opening.parse(reply.statement.body).model_copy(update={"keys": {}}))
        ),
    ],
    ids=["silent", "no keys"],
)
def test_who_does_not_open_is_left_out_free_and_not_called_false(
    tmp_path: Path, opening: Callable[[Reply, Identity], Reply | None]
) -> None:
    federation = kit.federation_at(tmp_path, *FOUR)
    first, second = cheating(federation, another_ready, "ready"), cheating(federation, opening, "open")
    coordinator = kit.coordinator_of(
        federation, hook=lambda holder, kind, *rest: (second if kind == "open" else first)(holder, kind, *rest)
    )
    coordinator.join()
    assert ask(coordinator).holders == REST
    assert coordinator.missing == [CHEAT]
    assert kit.charged_by(federation) == {**dict.fromkeys(REST, 1), CHEAT: 0}
    assert "evidence" not in kit.kinds(federation.folder.ledger())


def check_holders_add_up_for_themselves(root: Path, patch: Patch | None = None) -> None:
    """A coordinator that goes on all the same gets ``mismatch``, and nobody is charged."""
    federation = kit.federation_at(root)
    liar = LyingCoordinator(federation)
    liar.greet()
    core = liar.core()
    readies = list(liar.readies(core))
    cheat = Identity.load(CHEAT, federation.root / "holders" / CHEAT / "keys" / "signing.pem")
    for wrong in ("1" * 64, ""):
        signed = cheat.sign(Ready(holder=CHEAT, core=core.digest, check=wrong))
        for holder in ("alpha", "beta"):
            assert liar.ask(holder, core, [*readies[:2], signed]).code == "mismatch"
    assert kit.charged_by(federation) == dict.fromkeys(kit.HOLDERS, 0)
    assert liar.ask("alpha", core, readies).code == "Contribution", "nothing was lost by it"


def test_every_holder_adds_the_words_up_before_it_charges(tmp_path: Path) -> None:
    check_holders_add_up_for_themselves(tmp_path)


def test_a_core_whose_keys_were_opened_is_never_answered(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)
    liar = LyingCoordinator(federation)
    liar.greet()
    core = liar.core()
    assert liar.send("alpha", OpenRequest(core=core.digest)).code == "stale", "never shown"
    readies = liar.readies(core)
    opened = liar.send("alpha", OpenRequest(core=core.digest))
    assert set(opened.value.keys) == {"beta", "gamma"}
    assert words_of("alpha", opened.value.keys) == readies[0].open(Ready, federation.roster).check
    assert liar.send("alpha", OpenRequest(core=core.digest)).raw == opened.raw
    assert liar.ask("alpha", core, readies).code == "mismatch"
    assert liar.show(core, "alpha")["alpha"].code == "mismatch"
    successor = kit.node_with(federation, "alpha")
    successor.adopt(federation.nodes["alpha"])  # another policy in the same process
    federation.nodes["alpha"] = successor
    assert liar.ask("alpha", core, readies).code == "mismatch"
    federation.nodes["alpha"] = federation.start("alpha")  # another process has another mask key, and not this plan
    assert liar.ask("alpha", core, readies).code == "unknown_run"
    liar.greet("alpha")
    assert liar.ask("alpha", core, readies).code == "stale"
    assert kit.charged_by(federation)["alpha"] == 0
    assert liar.ask("beta", core, readies).code == "Contribution"
    assert liar.send("beta", OpenRequest(core=core.digest)).code == "already_answered"


def test_an_opening_is_for_one_core_alone(tmp_path: Path) -> None:
    """The next attempt has other keys, and is answered."""
    federation = kit.federation_at(tmp_path)
    liar = LyingCoordinator(federation)
    liar.greet()
    first, second = liar.core(), liar.core(attempt=2)
    liar.readies(first)
    readies = liar.readies(second)
    opened = liar.send("alpha", OpenRequest(core=first.digest)).value
    assert words_of("alpha", opened.keys) != readies[0].open(Ready, federation.roster).check
    assert liar.ask("alpha", second, readies).code == "Contribution"


# --- after one attempt -------------------------------------------------------------------------------------------


def check_a_wrong_answer_is_named_alone(root: Path, patch: Patch | None = None) -> None:
    """One attempt is lost, its author named by two signatures and asked no more, in no study."""
    federation = kit.federation_at(root, *FOUR, sampler=kit.no_noise)
    notes = kit.Notes()
    hook = cheating(federation, another_answer, "answer")
    coordinator = kit.coordinator_of(federation, hook=hook, progress=notes)
    coordinator.join()
    release = ask(coordinator)
    assert (release.question.attempt, release.holders) == (2, REST)
    assert coordinator.missing == [CHEAT]
    assert coordinator.line.transport.sent[CHEAT, "hello"] == 1
    assert [note for note in notes.notes if CHEAT in note and "announced" in note]
    (failed,) = [fact for fact in federation.folder.ledger().facts() if fact.kind == "failed"]
    assert (failed.reason, failed.blamed, failed.silent) == ("check_words", (CHEAT,), ())
    assert kit.charged_by(federation) == {**dict.fromkeys(REST, 2), CHEAT: 1}
    for study in (coordinator.study, kit.small_study(repeat=1)):
        again = kit.coordinator_of(federation, study)
        assert again.invited == REST
        assert again.missing == [CHEAT]


def test_a_wrong_answer_names_its_author_alone(tmp_path: Path) -> None:
    check_a_wrong_answer_is_named_alone(tmp_path)


def test_a_wrong_check_word_burns_one_attempt_and_no_more(tmp_path: Path) -> None:
    """Three studies in a row, three holders who ask for three: one attempt is all that the cheat can spend."""
    federation = kit.federation_at(tmp_path, policy=kit.lenient_policy(epsilon="2"))
    transport = kit.HookedTransport(federation, cheating(federation, another_answer, "answer"))
    for repeat in range(3):
        notes = kit.Notes()
        with pytest.raises(NotEnoughHolders):
            run_study(kit.small_study(repeat=repeat), folder=federation.folder, transport=transport, progress=notes)
        assert any(CHEAT in note for note in notes.notes)
        assert len(kit.charges(kit.holder_ledger(federation, "alpha"))) == 1
    assert transport.sent[CHEAT, "hello"] == 1


def test_words_that_are_stated_and_not_sent_are_no_answer(tmp_path: Path) -> None:
    """A vector that ends otherwise than its statement says proves nothing to others, and is not taken."""

    def change(reply: Reply, identity: Identity) -> Reply:
        changed = another_answer(reply, identity)
        said = Contribution.parse(changed.statement.body)
        honest = Contribution.parse(reply.statement.body).check
        return changed.model_copy(update={"statement": identity.sign(said.model_copy(update={"check": honest}))})

    federation = kit.federation_at(tmp_path, *FOUR)
    study = kit.small_study(budget={"spare_attempts": 2})
    coordinator = kit.coordinator_of(federation, study, hook=cheating(federation, change, "answer"))
    coordinator.join()
    assert ask(coordinator).holders == REST
    failed = [fact for fact in federation.folder.ledger().facts() if fact.kind == "failed"]
    assert [(fact.reason, fact.blamed, fact.silent) for fact in failed] == [("missing_answer", (), (CHEAT,))] * 2


# --- what an auditor finds ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(root, bundles) of a federation in which one holder answered falsely, and then another announced falsely."""
    root = tmp_path_factory.mktemp("spoiled")
    federation = kit.federation_at(root / "federation", *FOUR, "epsilon")
    answers = cheating(federation, another_answer, "answer")
    readies = cheating(federation, another_ready, "ready", cheat="epsilon")

    def hook(holder: str, kind: str, count: int, *rest: Any) -> bytes | None:
        return (readies if (kind, count) == ("ready", 3) else answers)(holder, kind, count, *rest)

    transport = kit.HookedTransport(federation, hook)
    result = run_study(kit.small_study(), folder=federation.folder, transport=transport, pages=False)
    assert result.participants == REST
    return root / "federation", export_all(federation, root / "bundles")


def test_bundles_that_name_who_was_false_pass_and_say_so(spoiled: tuple[Path, Path]) -> None:
    verdict = verify(sorted(spoiled[1].iterdir()), third=False)
    assert verdict.passed, [
        (claim.about, claim.claim, claim.why) for claim in verdict.claims if claim.verdict == "FAIL"
    ]
    for text in (
        f"{CHEAT} answered otherwise than it had announced",
        "proved epsilon false before anybody was charged",
    ):
        assert [note for note in verdict.notes if "coordinator" in note and text in note]


ADDED_UP = "check words added up before anything was charged"
ANNOUNCED = "answers end with the check words that were announced"
KEPT = "what is kept as evidence is shown, and contradicts itself"


def blame_another(bundle: Forger) -> None:
    bundle.rechain(
        lambda facts: [fact | {"blamed": ["alpha"]} if fact.get("blamed") == [CHEAT] else fact for fact in facts]
    )


def blame_nobody(bundle: Forger) -> None:
    def change(fact: dict[str, Any]) -> dict[str, Any]:
        if fact["kind"] != "failed":
            return fact
        return {key: value for key, value in fact.items() if key != "blamed"} | {"reason": "missing_answer"}

    bundle.rechain(lambda facts: [change(fact) for fact in facts])


def leave_its_answer_out(bundle: Forger) -> None:
    bundle.restate("Contribution", lambda signed: None if signed.signer == CHEAT else signed)


def readies_without_words(bundle: Forger) -> None:
    def older(body: dict[str, Any]) -> None:
        ready = kit.Signed.model_validate(body["readies"][0])
        without = resign(bundle.root, ready, lambda inner: inner.pop("check"))
        body["readies"][0] = without.model_dump(mode="json")

    bundle.restate("AnswerRequest", lambda signed: resign(bundle.root, signed, older))


def evidence_against_another(bundle: Forger) -> None:
    bundle.rechain(lambda facts: [fact | {"blamed": "beta"} if fact["kind"] == "evidence" else fact for fact in facts])


def evidence_left_out(bundle: Forger) -> None:
    bundle.restate("Opening", lambda signed: None)


MANIPULATIONS = [
    (blame_another, ANNOUNCED, "blames alpha, whose answer"),
    (blame_nobody, ANNOUNCED, f"answer of {CHEAT}"),
    (leave_its_answer_out, ANNOUNCED, f"blames {CHEAT} for"),
    (readies_without_words, ADDED_UP, "do not add up to zero"),
    (evidence_against_another, KEPT, "does not prove beta false"),
    (evidence_left_out, KEPT, "is not here"),
]


@pytest.mark.parametrize(
    ("change", "claim", "why"), MANIPULATIONS, ids=[change.__name__ for change, *_ in MANIPULATIONS]
)
def test_another_story_of_check_words_is_found(
    spoiled: tuple[Path, Path], tmp_path: Path, change: Callable[[Forger], None], claim: str, why: str
) -> None:
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    shutil.copy(spoiled[1] / "coordinator.bundle", bundles)
    bundle = Forger(bundles, spoiled[0], "coordinator")
    change(bundle)
    bundle.write()
    verdict = verify([bundle.path], third=False)
    assert [one.why for one in verdict.claims if one.claim == claim and one.verdict == "FAIL" and why in one.why]


# --- mutants -----------------------------------------------------------------------------------------------------


def check_words_from_the_data_stream(patch: Patch) -> None:
    real = masks.pair_key
    patch.setattr(masks, "pair_key", lambda *pair: real(*pair[:-1], "data"))


def announced_words_not_compared(patch: Patch) -> None:
    real = Asking._read_answers

    def read(self, plan, replies):
        said = {holder: Contribution.parse(Reply.parse(raw).statement.body).check for holder, raw in replies.items()}
        return real(self, replace(plan, words=said), replies)

    patch.setattr(Asking, "_read_answers", read)


def check_sum_left_to_the_coordinator(patch: Patch) -> None:
    patch.setattr(clients.answering.admission, "cancel", lambda words: True)


MUTANTS = [
    (check_words_from_the_data_stream, mask_checks.check_opened_keys_unmask_no_data),
    (announced_words_not_compared, check_a_wrong_answer_is_named_alone),
    (check_sum_left_to_the_coordinator, check_holders_add_up_for_themselves),
]


@pytest.mark.parametrize(("mutant", "check"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_a_mutant_is_caught(
    mutant: Callable[[Patch], None], check: Callable[[Path, Patch], None], tmp_path: Path, monkeypatch: Patch
) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, CohortiumError)):
        check(tmp_path, monkeypatch)
