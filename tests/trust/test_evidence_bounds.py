"""Evidence is digests in the ledger and texts beside it: once for each question, a hundred in all, and auditable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import protocol_kit as kit
import pytest
from bundle_kit import Forger, export_all
from protocol_kit import LyingCoordinator

import clients.answering.evidence
import clients.answering.node
from privacy.audit import bundle
from privacy.audit.bundle import read_bundle
from privacy.audit.findings import Verdict
from privacy.audit.heads import signed_heads
from privacy.audit.verify import verify
from privacy.errors import CohortiumError, LedgerError, ProtocolError
from privacy.kernel.canonical import Noun, canonical_json
from privacy.ledger import Evidence, Ledger
from privacy.protocol.identity import Identity, Signed, _to_sign
from privacy.protocol.messages import ReadyRequest

Patch = pytest.MonkeyPatch
CONTRADICTED = "the coordinator never showed contradicting plans here"
SHOWN = "what is kept as evidence is shown, and contradicts itself"


def _answered(root: Path) -> LyingCoordinator:
    """A run whose first question every holder answered."""
    coordinator = LyingCoordinator(kit.federation_at(root))
    coordinator.greet()
    core = coordinator.core()
    readies = coordinator.readies(core)
    for holder in core.holders:
        assert coordinator.ask(holder, core, readies).code == "Contribution"
    return coordinator


def _failed(verdict: Verdict, about: str) -> set[str]:
    return {claim.claim for claim in verdict.claims if claim.verdict == "FAIL" and claim.about == about}


def _evidence(ledger: Ledger) -> list[Evidence]:
    return [fact for fact in ledger.facts() if isinstance(fact, Evidence)]


def _texts(ledger: Ledger) -> dict[str, str]:
    return {statement.digest: statement.text for statement in ledger.statements()}


def check_digests(root: Path, patch: Patch) -> None:
    """The entry is small however large the plan is, and the two texts stand beside the ledger."""
    coordinator = _answered(root)
    ledger = kit.holder_ledger(coordinator.federation, "alpha")
    first, second = coordinator.core(), coordinator.core(title="another")
    junk = Signed(kind="x", signer="x", body="x" * 100_000, signature="0" * 128)
    shown = ReadyRequest(core=second, hellos=(junk,))
    assert coordinator.send("alpha", shown).code == "equivocation"
    [fact] = _evidence(ledger)
    assert len(fact.canonical()) < 300
    assert not fact.holds_texts
    opened = [Signed.parse(_texts(ledger)[digest]) for digest in (fact.first, fact.second)]
    assert opened[1].open(ReadyRequest, coordinator.roster, signer="coordinator") == shown
    assert ReadyRequest.parse(opened[0].body).core.question == first.question


def test_the_ledger_names_two_digests_and_the_texts_stand_beside_it(tmp_path: Path, monkeypatch: Patch) -> None:
    check_digests(tmp_path, monkeypatch)


@pytest.mark.parametrize("answered", [False, True])
def test_forty_plans_under_one_question_give_one_piece_of_evidence(tmp_path: Path, answered: bool) -> None:
    coordinator = LyingCoordinator(kit.federation_at(tmp_path))
    coordinator.greet()
    core = coordinator.core()
    readies = coordinator.readies(core)
    if answered:
        coordinator.ask("alpha", core, readies)
    for number in range(40):
        other = coordinator.core(title=f"x{number}")
        assert coordinator.show(other, "alpha")["alpha"].code == "equivocation"
        assert coordinator.ask("alpha", other, ()).code in ("equivocation", "stale")
    ledger = kit.holder_ledger(coordinator.federation, "alpha")
    assert len(_evidence(ledger)) == 1
    before = sum(len(text) for text in _texts(ledger).values())
    coordinator.show(coordinator.core(title="one more"), "alpha")
    assert sum(len(text) for text in _texts(ledger).values()) == before, "nothing is kept that no entry names"


def test_a_hundred_pieces_are_kept_and_no_more(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(clients.answering.evidence, "MAX_EVIDENCE", 3)
    coordinator = LyingCoordinator(kit.federation_at(tmp_path))
    coordinator.greet()
    for number in range(1, 6):
        coordinator.show(coordinator.core(round=number), "alpha")
        answer = coordinator.show(coordinator.core(round=number, title="another"), "alpha")["alpha"]
        assert answer.code == "equivocation", "it is refused all the same"
    assert len(_evidence(kit.holder_ledger(coordinator.federation, "alpha"))) == 3


def test_a_signed_plan_of_twenty_megabytes_leaves_no_trace(tmp_path: Path) -> None:
    """What once made a ledger of 40 MiB for ever, and a bundle that nobody could read."""
    coordinator = _answered(tmp_path)
    ledger = kit.holder_ledger(coordinator.federation, "alpha")
    before = ledger.path.stat().st_size, ledger.head
    statement = json.loads(ReadyRequest(core=coordinator.core(title="another"), hellos=()).canonical())
    junk = {"kind": "x", "signer": "x", "body": "\\" * (5 << 20), "signature": "0" * 128}
    body = canonical_json(statement | {"hellos": [junk]}).decode()
    with pytest.raises(ProtocolError, match="nobody reads more"):
        coordinator.identity.sign(_Plain(text=body[: 9 << 20]))
    signature = coordinator.identity._key.sign(_to_sign("ReadyRequest", "coordinator", body)).hex()
    signed = {"kind": "ReadyRequest", "signer": "coordinator", "body": body, "signature": signature}
    request = canonical_json({"attachments": {}, "since": [], "statement": signed})
    assert len(request) > 20 << 20
    assert coordinator.send_bytes("alpha", request).code == "declined"
    assert (ledger.path.stat().st_size, ledger.head) == before
    bundles = export_all(coordinator.federation, tmp_path / "bundles")
    assert not _failed(verify([bundles / "alpha.bundle"], third=False), "holder alpha")


class _Plain(Noun):
    """A noun of any length."""

    text: str


def test_a_request_that_is_not_signed_by_the_coordinator_is_no_evidence(tmp_path: Path) -> None:
    coordinator = _answered(tmp_path)
    other = coordinator.core(title="another")
    request = coordinator.ready_request(other)
    stranger = Identity.create("coordinator", tmp_path / "another.pem")
    assert coordinator.send("alpha", request, signer=stranger).code == "declined"
    beta = Identity.load("beta", tmp_path / "holders" / "beta" / "keys" / "signing.pem")
    assert coordinator.send("alpha", request, signer=beta).code == "declined"
    assert not _evidence(kit.holder_ledger(coordinator.federation, "alpha"))


# --- for the auditor ---------------------------------------------------------------------------------------------


def test_the_victim_of_a_liar_can_be_audited_and_only_the_liar_fails(tmp_path: Path) -> None:
    """The second plan may hold anything that can be signed: false heads, junk in the place of HELLOs, a wrong price."""
    coordinator = _answered(tmp_path)
    junk = Signed(kind="Hello", signer="beta", body="{}", signature="0" * 128)
    false = coordinator.core(title="another", participants=coordinator.core().participants[:2])
    participant = false.participants[1].model_copy(update={"checkpoint": junk})
    false = false.model_copy(update={"participants": (false.participants[0], participant)})
    assert coordinator.send("alpha", ReadyRequest(core=false, hellos=(junk,) * 3)).code == "equivocation"
    bundles = export_all(coordinator.federation, tmp_path / "bundles")
    verdict = verify([bundles / "alpha.bundle"], third=False)
    assert _failed(verdict, "holder alpha") == {CONTRADICTED}
    assert [claim.verdict for claim in verdict.claims if claim.claim == SHOWN] == ["PASS"]
    ledger = kit.holder_ledger(coordinator.federation, "alpha")
    heads = signed_heads(
        ledger, Identity.load("alpha", tmp_path / "holders" / "alpha" / "keys" / "signing.pem"), "demo", now=1
    )
    assert "Hello" not in heads.body, "what a liar shows as beta's head is told to nobody"


def test_an_uncharged_first_plan_is_judged_by_its_signature_alone(tmp_path: Path) -> None:
    """It was confirmed and nothing followed: no invitation to its study stands in the ledger, and none must."""
    coordinator = LyingCoordinator(kit.federation_at(tmp_path))
    coordinator.greet()
    coordinator.show(coordinator.core(), "alpha")
    coordinator.show(coordinator.core(title="another"), "alpha")
    bundles = export_all(coordinator.federation, tmp_path / "bundles")
    assert _failed(verify([bundles / "alpha.bundle"], third=False), "holder alpha") == {CONTRADICTED}


def _swapped(lines: list[tuple[str, Any]], digest: str, other: Any) -> list[tuple[str, Any]]:
    return [
        (kind, other if kind == "statement" and Signed.model_validate(value).digest == digest else value)
        for kind, value in lines
    ]


def test_evidence_that_is_missing_or_contradicts_nothing_is_found(tmp_path: Path) -> None:
    coordinator = _answered(tmp_path)
    coordinator.show(coordinator.core(title="another"), "alpha")
    elsewhere = coordinator.identity.sign(coordinator.ready_request(coordinator.core(round=2)))
    bundles = export_all(coordinator.federation, tmp_path / "bundles")
    [fact] = _evidence(kit.holder_ledger(coordinator.federation, "alpha"))

    forger = Forger(bundles, tmp_path, "alpha")
    whole = list(forger.lines)
    forger.lines = [line for line in whole if line != ("statement", _json(forger, fact.second))]
    forger.write()
    assert SHOWN in _failed(verify([bundles / "alpha.bundle"], third=False), "holder alpha")

    forger.lines = _swapped(whole, fact.second, elsewhere.model_dump(mode="json"))
    forger.rechain(lambda facts: [f | {"second": elsewhere.digest} if f["kind"] == "evidence" else f for f in facts])
    forger.write()
    verdict = verify([bundles / "alpha.bundle"], third=False)
    assert [c.why for c in verdict.claims if c.claim == SHOWN and "do not contradict" in c.why]


def _json(forger: Forger, digest: str) -> Any:
    return next(value for kind, value in forger.lines if kind == "statement" and _digest(value) == digest)


def _digest(value: Any) -> str:
    return Signed.model_validate(value).digest


def test_a_charge_cannot_pass_its_plan_off_as_evidence(tmp_path: Path) -> None:
    """Who names its own charged plan as the contradicting one shows no plan for the charge any more."""
    coordinator = _answered(tmp_path)
    coordinator.show(coordinator.core(title="another"), "alpha")
    bundles = export_all(coordinator.federation, tmp_path / "bundles")
    forger = Forger(bundles, tmp_path, "alpha")
    forger.rechain(
        lambda facts: [
            f | {"first": f["second"], "second": f["first"]} if f["kind"] == "evidence" else f for f in facts
        ]
    )
    forger.write()
    assert "every charge follows from a signed plan" in _failed(
        verify([bundles / "alpha.bundle"], third=False), "holder alpha"
    )


# --- what release 0.1 wrote --------------------------------------------------------------------------------------


def test_old_evidence_with_texts_is_read_verified_and_counted(tmp_path: Path) -> None:
    coordinator = _answered(tmp_path)
    ledger = kit.holder_ledger(coordinator.federation, "alpha")
    plan = next(s for s in ledger.statements() if s.kind == "ReadyRequest")
    old = {"kind": "evidence", "what": "equivocation", "first": plan.text, "second": "\\" * (1 << 20)}
    fact = Evidence.parse(json.dumps(old))
    assert fact.canonical() == canonical_json(old), "the bytes of an old entry stay"
    assert fact.holds_texts
    assert fact.about == plan.digest
    ledger.append(fact)
    coordinator.show(coordinator.core(title="another"), "alpha")
    assert len(_evidence(ledger)) == 1, "the same question has its evidence already"
    bundles = export_all(coordinator.federation, tmp_path / "bundles")
    assert _failed(verify([bundles / "alpha.bundle"], third=False), "holder alpha") == {CONTRADICTED}
    assert Ledger(ledger.path).state.evidence == {("equivocation", plan.digest)}


def test_an_entry_may_be_longer_than_a_statement_and_too_long_a_line_is_named(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    path = tmp_path / "long.bundle"
    monkeypatch.setattr(bundle, "_LONGEST", 200)
    monkeypatch.setattr(bundle, "_LONGEST_ENTRY", 2 << 20)
    lines = [{"bundle": 1}, {"entry": "x" * 1000}, {"entry": "y" * ((2 << 20) - 14)}, {"statement": "z"}]
    path.write_bytes(b"".join(canonical_json(line) + b"\n" for line in lines))
    with pytest.raises(LedgerError, match="no seal"):
        list(read_bundle(path))
    for extra, number, most in (({"statement": "z" * 200}, 5, 0), ({"entry": "z" * (2 << 20)}, 5, 2)):
        path.write_bytes(b"".join(canonical_json(line) + b"\n" for line in [*lines, extra]))
        with pytest.raises(LedgerError, match=f"line {number} of long.bundle is longer than {most} MiB"):
            list(read_bundle(path))


def test_the_limits_are_what_the_documents_say() -> None:
    assert (bundle._LONGEST, bundle._LONGEST_ENTRY, clients.answering.evidence.MAX_EVIDENCE) == (
        64 << 20,
        256 << 20,
        100,
    )


# --- named mistakes ----------------------------------------------------------------------------------------------


def evidence_holds_texts(patch: Patch) -> None:
    """The two statements stand in the entry, whole, as they did once."""

    def keep(ledger: Ledger, what: Any, first: str, second: Signed) -> None:
        ledger.append(Evidence(what=what, first=first, second=second.canonical().decode()))

    patch.setattr(clients.answering.node, "keep_evidence", keep)


#: Mutant to the check that must catch it.
MUTANTS: list[tuple[Callable[[Patch], None], Callable[[Path, Patch], None]]] = [
    (evidence_holds_texts, check_digests),
]


@pytest.mark.parametrize(("mutant", "check"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_the_mutant_is_caught(
    mutant: Callable[[Patch], None], check: Callable[[Path, Patch], None], tmp_path: Path, monkeypatch: Patch
) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, CohortiumError, pytest.fail.Exception)):
        check(tmp_path, monkeypatch)
