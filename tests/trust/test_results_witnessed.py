"""Results are kept, bound to one run, and compared: a coordinator that tells each holder another one is found out.

A coordinator that tells everybody the same lie is not (docs/privacy.md, weakness 2).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import protocol_kit as kit
import pytest
from bundle_kit import export_all
from protocol_kit import HOLDERS, LyingCoordinator, ReleaseNotice

import clients.answering.results
from clients.answering.runs import RunFolder
from cohortium.running import show_result
from privacy.audit.verify import verify
from privacy.errors import CohortiumError
from privacy.kernel.canonical import sha256_hex
from privacy.ledger import Evidence, Ledger, ResultAccepted
from privacy.protocol.envelopes import Reply, Request
from privacy.protocol.identity import Identity, Signed
from privacy.protocol.membership import fingerprint, result_fingerprint
from privacy.protocol.messages import Finished, FinishRequest, HandedOut, Hello, Witnessed, release_digest
from privacy.protocol.transport import Handler
from server.running.run import run_study
from simulations.worlds.kit import MemoryFederation

Patch = pytest.MonkeyPatch


def answered(federation: MemoryFederation, **study: object) -> tuple[LyingCoordinator, Callable[[int], ReleaseNotice]]:
    """A run that all holders answered, and a maker of releases that the coordinator might claim came of it."""
    coordinator = LyingCoordinator(federation, kit.small_study(**study))
    coordinator.greet()
    core = coordinator.core()
    readies = coordinator.readies(core)
    for holder in core.holders:
        assert coordinator.ask(holder, core, readies).code == "Contribution"

    def notice(story: int) -> ReleaseNotice:
        values = " ".join(str(1000 * story + number) for number in range(core.statistic.dim))
        return ReleaseNotice(
            question=core.question, core=core.digest, release=release_digest(core.digest, values), values=values
        )

    return coordinator, notice


def told_apart(federation: MemoryFederation) -> LyingCoordinator:
    """Each holder was handed other values and another result, and confirmed them."""
    coordinator, notice = answered(federation)
    for number, holder in enumerate(HOLDERS):
        said = coordinator.finish(holder, notice(number), result=json.dumps({"story": number}))
        assert said.code == "Finished"
    return coordinator


def of_kind(ledger: Ledger, kind: str) -> list[Signed]:
    return [Signed.parse(kept.text) for kept in ledger.statements() if kept.kind == kind]


def results_of(ledger: Ledger) -> list[ResultAccepted]:
    return [fact for fact in ledger.facts() if isinstance(fact, ResultAccepted)]


def evidence_of(ledger: Ledger) -> list[str]:
    return [fact.what for fact in ledger.facts() if isinstance(fact, Evidence)]


def folder_of(federation: MemoryFederation, holder: str) -> RunFolder:
    return RunFolder(federation.root / "holders" / holder / "state" / "runs")


# --- what was signed is kept ---------------------------------------------------------------------------------------


def check_the_signed_finish_is_kept(root: Path) -> None:
    """Every holder can show later what it was handed, bound to its ledger; no value is among it."""
    federation = kit.federation_at(root)
    coordinator = told_apart(federation)
    for number, holder in enumerate(HOLDERS):
        ledger = kit.holder_ledger(federation, holder)
        (signed,) = of_kind(ledger, "FinishRequest")
        request = signed.open(FinishRequest, federation.roster, signer="coordinator")
        assert (request.run, request.made_by) == (coordinator.run, coordinator.run)
        assert request.result == sha256_hex(json.dumps({"story": number}).encode())
        (fact,) = results_of(ledger)
        assert (fact.run, fact.made_by, fact.finish) == (request.run, request.made_by, signed.digest)
        assert (fact.result, fact.study_digest) == (request.result, coordinator.study.digest)
        assert "values" not in signed.body, "they travel beside it"


def test_what_the_coordinator_signed_about_a_result_is_kept(tmp_path: Path) -> None:
    check_the_signed_finish_is_kept(tmp_path)


def test_a_release_adds_about_250_bytes(tmp_path: Path) -> None:
    coordinator, notice = answered(kit.federation_at(tmp_path))
    one, two = (coordinator.identity.sign(coordinator.finish_request(*[notice(1)] * n)).canonical() for n in (1, 2))
    assert len(two) - len(one) < 260


# --- one result a run ----------------------------------------------------------------------------------------------


def check_a_second_result_is_refused(root: Path) -> None:
    """A second, different result of a run is refused, both are kept, and what was read first stays."""
    federation = kit.federation_at(root)
    coordinator, notice = answered(federation)
    first = coordinator.finish("alpha", notice(1), result='{"story":"one"}')
    assert first.code == "Finished"
    ledger = kit.holder_ledger(federation, "alpha")
    for other in (
        lambda: coordinator.finish("alpha", notice(1), result='{"story":"two"}'),
        lambda: coordinator.finish("alpha", notice(2), result='{"story":"one"}'),
        lambda: coordinator.finish("alpha", result='{"story":"one"}'),
        lambda: coordinator.finish("alpha", notice(1), result=None),
    ):
        assert other().code == "equivocation"
    assert len(results_of(ledger)) == 1
    assert set(evidence_of(ledger)) == {"result"}
    assert folder_of(federation, "alpha").result(coordinator.run) == '{"story":"one"}'


def test_a_second_result_of_a_run_is_refused_and_both_are_kept(tmp_path: Path) -> None:
    check_a_second_result_is_refused(tmp_path)


def test_the_same_finish_again_is_no_second_result(tmp_path: Path) -> None:
    """Redelivered, also to a later process of the node: confirmed in the same words, recorded once."""
    federation = kit.federation_at(tmp_path)
    coordinator, notice = answered(federation)
    words = []
    for _ in range(3):
        words.append(coordinator.finish("alpha", notice(1)).value.handed)
        federation.nodes["alpha"] = federation.start("alpha")
    assert words[0] is not None
    assert words == [words[0]] * 3
    kinds = kit.kinds(kit.holder_ledger(federation, "alpha"))
    assert [kinds.count(kind) for kind in ("result", "released", "evidence")] == [1, 1, 0]


def test_files_that_a_crash_took_are_written_again(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)
    coordinator, notice = answered(federation)
    coordinator.finish("alpha", notice(1), result='{"story":"one"}')
    for path in (folder_of(federation, "alpha").root / coordinator.run).glob("re*.json"):
        path.unlink()  # as if the process had died after the ledger's entry
    assert coordinator.finish("alpha", notice(1), result='{"story":"one"}').code == "Finished"
    assert folder_of(federation, "alpha").result(coordinator.run) == '{"story":"one"}'


def test_a_second_result_is_refused_by_a_later_process_too(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)
    coordinator, notice = answered(federation)
    coordinator.finish("alpha", notice(1))
    federation.nodes["alpha"] = federation.start("alpha")
    assert coordinator.finish("alpha", notice(1), result='{"story":"two"}').code == "equivocation"


def test_a_study_that_is_run_again_makes_a_result_of_its_own(tmp_path: Path) -> None:
    """The run of today hands out what yesterday's asked: another result, made by another run, and no lie."""
    federation = kit.federation_at(tmp_path)
    coordinator, notice = answered(federation)
    assert coordinator.finish("alpha", notice(1), result='{"day":1}').code == "Finished"
    later = coordinator.finish("alpha", notice(1), result='{"day":2}', made_by="run-2")
    assert later.code == "Finished"
    ledger = kit.holder_ledger(federation, "alpha")
    assert [fact.made_by for fact in results_of(ledger)] == ["run-1", "run-2"]
    assert evidence_of(ledger) == []
    runs = folder_of(federation, "alpha")
    assert runs.result("run-1") == '{"day":2}'
    (before,) = (runs.root / "run-1").glob("result-*.json")
    assert before.read_text() == '{"day":1}', "what was read first is still there"
    # And one run makes one text, under whichever run's name it is handed out.
    again = LyingCoordinator(federation, coordinator.study, run="run-2")
    again.greet("alpha")
    assert again.finish("alpha", notice(1), result='{"day":3}').code == "equivocation"
    assert again.finish("alpha", notice(1), result='{"day":2}').code == "Finished"


def test_results_of_one_run_have_an_end(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(clients.answering.results, "MAX_RESULTS", 3)
    coordinator, notice = answered(kit.federation_at(tmp_path))
    codes = [coordinator.finish("alpha", notice(1), made_by=f"run-{number}").code for number in (1, 2, 3, 4, 3)]
    assert codes == ["Finished", "Finished", "Finished", "busy", "Finished"]


def test_releases_without_a_result_are_recorded_and_write_nothing(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)
    coordinator, notice = answered(federation)
    assert coordinator.finish("alpha", result=None).value.handed is None, "it only ends the run"
    assert coordinator.finish("alpha", notice(1), result=None).code == "Finished"
    (fact,) = results_of(kit.holder_ledger(federation, "alpha"))
    assert fact.result is None
    assert folder_of(federation, "alpha").result(coordinator.run) is None


@pytest.mark.parametrize("what", ["result", "release"])
def test_a_text_that_does_not_come_with_it_is_not_recorded(tmp_path: Path, what: str) -> None:
    federation = kit.federation_at(tmp_path)
    coordinator, notice = answered(federation)
    request = coordinator.finish_request(notice(1))
    right = {request.result: "{}", notice(1).release: json.dumps({"core": notice(1).core, "values": notice(1).values})}
    missing = request.result if what == "result" else notice(1).release
    signed = coordinator.identity.sign(request)
    for texts in ({d: t for d, t in right.items() if d != missing}, {**right, missing: "{ }"}):
        assert coordinator.send_bytes("alpha", kit.carried(signed, attachments=texts)).code == "declined"
    assert results_of(kit.holder_ledger(federation, "alpha")) == []


# --- the witness lap -----------------------------------------------------------------------------------------------


def run_of(federation: MemoryFederation, hook: object = kit.honest, **study: object) -> kit.Federation:
    """A run of the real coordinator with one question, up to its end."""
    coordinator = kit.coordinator_of(federation, kit.small_study(**study), hook=hook)
    coordinator.join()
    coordinator.ask("rfm", "cut points", kit.STATISTIC, kit.price(coordinator.study))
    return coordinator


def unwitnessed(federation: MemoryFederation, holder: str) -> tuple[HandedOut, ...]:
    """What a holder names in its next HELLO."""
    later = LyingCoordinator(federation, kit.small_study(name="later"), run=f"later-{secrets.token_hex(4)}")
    hello = later.send(holder, later.hello_request()).value
    assert isinstance(hello, Hello)
    return hello.unwitnessed


@pytest.mark.parametrize("totals", ["full", "shares"])
def test_all_holders_confirm_that_they_were_handed_the_same(tmp_path: Path, totals: str) -> None:
    federation = kit.federation_at(tmp_path)
    sent: list[tuple[str, bytes]] = []

    def hook(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        sent.append((kind, request))
        return forward(request)

    coordinator = run_of(federation, hook, rfm={"totals": totals})
    assert coordinator.finish("{}") == ()
    assert coordinator.witnesses == HOLDERS
    assert coordinator.unconfirmed == ()
    kinds = [kind for kind, _ in sent]
    assert {kind: kinds.count(kind) for kind in kinds} == dict.fromkeys(
        ("hello", "ready", "answer", "finish", "witness"), 3
    )
    finishes = [Request.parse(request) for kind, request in sent if kind == "finish"]
    assert len({request.statement for request in finishes}) == 1, "one FINISH, for all"
    assert {len(request.attachments) for request in finishes} == {2 if totals == "full" else 1}
    for holder in HOLDERS:
        ledger = kit.holder_ledger(federation, holder)
        (said,) = (signed.open(Witnessed, federation.roster) for signed in of_kind(ledger, "Witnessed"))
        assert said.agreed == HOLDERS
        assert said.handed[0].finish == finishes[0].statement.digest
        assert folder_of(federation, holder).witnesses(coordinator.run, coordinator.run) == set(HOLDERS)
        assert unwitnessed(federation, holder) == ()
    ours = federation.folder.ledger()
    assert results_of(ours)[0].finish == finishes[0].statement.digest
    assert len(of_kind(ours, "Witnessed")) == 3


def test_a_holder_that_sees_another_result_in_the_lap_keeps_the_proof(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)
    coordinator, notice = answered(federation)
    told = [coordinator.finish(holder, notice(1), result=f'{{"of":"{holder}"}}') for holder in HOLDERS]
    finished = [answer.statement for answer in told]
    for holder in HOLDERS:
        assert coordinator.witness(holder, *finished).code == "equivocation"
        assert evidence_of(kit.holder_ledger(federation, holder)) == ["result"]
    assert coordinator.witness("alpha", finished[0]).value.agreed == ("alpha",)


def test_a_lap_that_is_none_gets_a_code(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)
    coordinator, notice = answered(federation)
    assert coordinator.witness("alpha").code == "stale", "no result of that run is recorded yet"
    alpha, beta = (coordinator.finish(holder, notice(1)) for holder in ("alpha", "beta"))
    home = federation.root / "holders"
    key = Identity.load("gamma", home / "gamma" / "keys" / "signing.pem")
    handed = beta.value.handed
    wrong = (
        key.sign(beta.value),  # signed by gamma, in the name of beta
        key.sign(beta.value.model_copy(update={"holder": "gamma", "handed": None})),
        key.sign(
            beta.value.model_copy(update={"holder": "gamma", "handed": handed.model_copy(update={"made_by": "x"})})
        ),
        beta.statement.model_copy(update={"signature": "0" * 128}),
    )
    for statement in wrong:
        assert coordinator.witness("alpha", alpha.statement, statement).code == "declined"
    assert coordinator.witness("alpha", made_by="run-9").code == "stale"
    assert evidence_of(kit.holder_ledger(federation, "alpha")) == []


def test_a_lap_that_a_holder_misses_holds_nobody_up_and_is_made_good_in_the_next_hello(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)

    def hook(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        return None if (holder, kind) == ("beta", "witness") else forward(request)

    first = run_of(federation, hook)
    assert first.finish("{}") == ()
    assert (first.witnesses, first.unconfirmed) == (("alpha", "gamma"), ("beta",))
    (word,) = unwitnessed(federation, "beta")
    assert (word.run, word.made_by) == (first.run, first.run)
    assert unwitnessed(federation, "alpha") == (), "it was shown what beta had confirmed"
    run_of(federation, name="next").finish("{}")
    # Beta named it to the others, who were handed the same: they know of beta, and beta waits for their word.
    assert folder_of(federation, "alpha").witnesses(first.run, first.run) == set(HOLDERS)


def test_a_lap_left_out_is_made_up_by_hellos(tmp_path: Path) -> None:
    """Nobody was shown anything; all name the result in their next HELLO, and are satisfied."""
    federation = kit.federation_at(tmp_path)

    def hook(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        return None if kind == "witness" else forward(request)

    first = run_of(federation, hook)
    first.finish("{}")
    assert (first.witnesses, first.unconfirmed) == ((), HOLDERS)
    assert [len(unwitnessed(federation, holder)) for holder in HOLDERS] == [1, 1, 1]
    run_of(federation, name="next").finish("{}")
    assert [unwitnessed(federation, holder) for holder in HOLDERS] == [(), (), ()]


def test_after_different_results_no_plan_is_confirmed_any_more(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)
    told_apart(federation)
    for holder in HOLDERS:  # also by later processes
        federation.nodes[holder] = federation.start(holder)
    later = LyingCoordinator(federation, kit.small_study(name="later"), run="run-2")
    later.greet()
    core = later.core()
    assert {answer.code for answer in later.show(core).values()} == {"equivocation"}
    before = kit.charged_by(federation)
    assert before == dict.fromkeys(HOLDERS, 1)
    for holder in HOLDERS:
        assert "result" in evidence_of(kit.holder_ledger(federation, holder))


def test_who_dropped_out_is_handed_the_result_under_the_run_that_it_answered_and_compares_too(tmp_path: Path) -> None:
    """A question of a run that was cut off is in the result of the next, which one holder leaves on the way."""
    names = ("alpha", "beta", "delta", "gamma")
    federation = kit.federation_at(tmp_path / "federation", *names)
    cut_off = run_of(federation)

    def hook(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        return None if (holder, kind) == ("gamma", "ready") else forward(request)

    coordinator = run_of(federation, hook)
    coordinator.ask("rfm", "another", kit.OTHER_STATISTIC, kit.price(coordinator.study))
    assert coordinator.finish('{"story":"one"}') == ()
    assert (coordinator.witnesses, coordinator.unconfirmed) == (names, ())
    (theirs,) = results_of(kit.holder_ledger(federation, "gamma"))
    (ours,) = results_of(kit.holder_ledger(federation, "alpha"))
    assert (theirs.run, theirs.made_by) == (cut_off.run, coordinator.run)
    assert (ours.run, ours.made_by) == (coordinator.run, coordinator.run)
    assert theirs.result == ours.result
    assert theirs.finish != ours.finish
    bundles = export_all(federation, tmp_path / "bundles")
    assert [c for c in verify(sorted(bundles.iterdir()), third=False).claims if c.verdict == "FAIL"] == []


def test_a_hello_names_eight_results_at_most_the_newest_first(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)
    coordinator, notice = answered(federation)
    for number in range(10):
        coordinator.finish("alpha", notice(1), made_by=f"made-{number}")
    assert [word.made_by for word in unwitnessed(federation, "alpha")] == [f"made-{n}" for n in range(9, 1, -1)]


@pytest.mark.parametrize("lie", ["another finish", "no word"])
def test_a_confirmation_of_something_else_is_none(tmp_path: Path, lie: str) -> None:
    """A holder that names another digest than it was handed did not confirm, and nobody is shown it."""
    federation = kit.federation_at(tmp_path)
    key = Identity.load("beta", federation.root / "holders" / "beta" / "keys" / "signing.pem")

    def hook(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        reply = forward(request)
        if (holder, kind) != ("beta", "finish"):
            return reply
        said = Finished.parse(Reply.parse(reply).statement.body)
        handed = said.handed.model_copy(update={"finish": "0" * 64}) if lie == "another finish" else None
        return Reply(statement=key.sign(said.model_copy(update={"handed": handed}))).canonical()

    coordinator = run_of(federation, hook)
    assert coordinator.finish("{}") == ("beta",)
    assert (coordinator.witnesses, coordinator.unconfirmed) == (("alpha", "gamma"), ("beta",))


# --- what people compare -------------------------------------------------------------------------------------------


def test_a_results_fingerprint_is_eight_groups_and_no_rosters(tmp_path: Path) -> None:
    digest = sha256_hex(b"{}")
    groups = result_fingerprint(digest).split(" ")
    assert [len(group) for group in groups] == [5] * 8
    assert "".join(groups).isdecimal()
    assert result_fingerprint(digest) != fingerprint(digest)
    assert result_fingerprint(digest) != result_fingerprint(sha256_hex(b"{ }"))


def test_an_honest_run_passes_the_audit_and_no_bundle_holds_a_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    federation = kit.federation_at(tmp_path / "federation")
    result = run_study(kit.small_study(), folder=federation.folder, transport=federation.transport)
    assert (result.confirmed, result.unconfirmed) == (HOLDERS, ())
    for holder in HOLDERS:
        text = (folder_of(federation, holder).root / result.run / "result.json").read_bytes()
        assert sha256_hex(text) == result.handed_out
    (page,) = (federation.folder.root / "results").rglob("report.html")
    show_result(result, tmp_path)
    html, terminal = page.read_text(encoding="utf-8"), capsys.readouterr().out
    for place in (html, terminal):
        assert result_fingerprint(str(result.handed_out)) in place
        assert "The same result was confirmed by 3 of 3 holders" in place
    assert "3 个持有方中有 3 个确认收到同一结果" in html
    bundles = export_all(federation, tmp_path / "bundles")
    verdict = verify(sorted(bundles.iterdir()), third=False)
    assert [claim for claim in verdict.claims if claim.verdict == "FAIL"] == []
    assert any(claim.claim == "everybody was handed the same results" for claim in verdict.claims)
    released = json.loads((folder_of(federation, "alpha").root / result.run / "releases.json").read_bytes())
    values = [value for release in released for value in release["values"].split() if len(value) > 6]
    assert len(values) > 20
    text = b"".join(path.read_bytes() for path in bundles.iterdir())
    assert not any(value.encode() in text for value in values)


def test_an_audit_names_who_was_handed_what(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path / "federation")
    coordinator = told_apart(federation)
    # And each holder comes to have the proof, in another way.
    later = LyingCoordinator(federation, kit.small_study(name="later"), run="run-2")
    later.greet()
    core = later.core()
    beta = later.show(core, "alpha")["alpha"]  # beta's HELLO
    assert beta.code == "equivocation"
    assert coordinator.finish("beta", result='{"story":9}').code == "equivocation"
    handed = HandedOut(run="run-1", made_by="run-1", finish="0" * 64, result=None)
    key = Identity.load("alpha", federation.root / "holders" / "alpha" / "keys" / "signing.pem")
    checkpoint = coordinator.hellos["alpha"].open(Hello, federation.roster).checkpoint
    said = key.sign(Finished(holder="alpha", run="run-1", checkpoint=checkpoint, heads=(), charged=(), handed=handed))
    assert coordinator.witness("gamma", said).code == "equivocation"

    bundles = export_all(federation, tmp_path / "bundles")
    verdict = verify(sorted(bundles.iterdir()), third=False)
    claims = {(claim.about, claim.claim): claim for claim in verdict.claims}
    why = claims["all records", "everybody was handed the same results"].why
    assert "run run-1 handed out 3 different results of run run-1" in why
    assert all(f"holder {holder}" in why for holder in HOLDERS)
    for holder in HOLDERS:
        about = f"holder {holder}"
        assert claims[about, "the coordinator handed out one result a run here"].verdict == "FAIL"
        assert claims[about, "every result follows from a signed statement"].verdict == "PASS"
        assert claims[about, "what is kept as evidence is shown, and contradicts itself"].verdict == "PASS"
        assert claims[about, "every signed statement is its signer's"].verdict == "PASS"


# --- tests of the testers ------------------------------------------------------------------------------------------


def finish_not_kept(patch: Patch) -> None:
    """The ledger's entry names a FINISH whose text nobody can show."""
    real = Ledger.record_result
    patch.setattr(
        Ledger, "record_result", lambda self, accepted, released, statements: real(self, accepted, released, ())
    )


def second_result_taken(patch: Patch) -> None:
    """What the ledger says of earlier results is not looked at, and the newest counts."""
    patch.setattr(HandedOut, "contradicts", lambda one, other: False)


MUTANTS: list[tuple[Callable[[Patch], None], Callable[[Path], None]]] = [
    (finish_not_kept, check_the_signed_finish_is_kept),
    (second_result_taken, check_a_second_result_is_refused),
]


@pytest.mark.parametrize(("mutant", "check"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_the_mutant_is_caught(
    mutant: Callable[[Patch], None], check: Callable[[Path], None], tmp_path: Path, monkeypatch: Patch
) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, CohortiumError, ValueError)) as caught:
        check(tmp_path)
    print(mutant.__name__, "is caught --", str(caught.value).splitlines()[:2])
