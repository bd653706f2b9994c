"""Runs end and free their holders however they end; clocks that were set end runs and open no second period."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import protocol_kit as kit
import pytest
from bundle_kit import export_all
from protocol_kit import HOLDERS, LyingCoordinator

from clients.answering.node import HolderNode
from clients.answering.policy import HolderPolicy
from clients.answering.under_way import Moment, jumped
from privacy.audit.verify import verify
from privacy.errors import NotEnoughHolders
from privacy.kernel.canonical import sha256_hex
from privacy.ledger import PeriodCap
from privacy.protocol.kept_statements import kept
from privacy.protocol.messages import FinishRequest, Refusal
from privacy.results import StudyResult
from server.running.run import run_study
from simulations.worlds.kit import MemoryFederation


@pytest.fixture
def clock() -> kit.FakeClock:
    return kit.FakeClock()


def _runs(node: HolderNode) -> set[str]:
    return set(node._runs)


def _begun(federation: MemoryFederation, number: int, *, asked: bool = False) -> LyingCoordinator:
    """A run that somebody began and did not end."""
    coordinator = LyingCoordinator(federation, kit.lean_study(name=f"s{number}"), run=f"run-{number}")
    coordinator.greet()
    if asked:
        coordinator.show(coordinator.core(), "alpha")
    return coordinator


# --- room for a fifth run ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [False, True])
def test_a_run_that_nobody_comes_back_to_makes_room_for_a_fifth(
    tmp_path: Path, clock: kit.FakeClock, asked: bool
) -> None:
    """Before its first plan others may still prepare: then it is kept for as long as they have."""
    federation = kit.federation_at(tmp_path, clock=clock)
    runs = [_begun(federation, number, asked=asked) for number in range(4)]
    later = LyingCoordinator(federation, kit.lean_study(name="later"), run="run-later")
    waits = runs[0].study.waits.answering if asked else runs[0].study.waits.joining
    clock.elapsed += waits - 10
    assert later.send("alpha", later.hello_request()).code == "busy"
    clock.elapsed += 11
    kept = runs[0]
    assert kept.show(kept.core(round=2), "alpha")["alpha"].code == "Ready", "it was come back to"
    later.greet("alpha")
    assert _runs(federation.nodes["alpha"]) == {"run-0", "run-2", "run-3", "run-later"}, "the longest idle one went"
    gone = runs[1]
    assert gone.show(gone.core(round=2), "alpha")["alpha"].code == "unknown_run"
    assert "run-1" in _runs(federation.nodes["beta"]), "nobody asked there for a fifth"


def test_each_request_of_a_run_counts_as_coming_back(tmp_path: Path, clock: kit.FakeClock) -> None:
    federation = kit.federation_at(tmp_path, clock=clock)
    runs = [_begun(federation, number, asked=True) for number in range(4)]
    waits = runs[0].study.waits.answering
    clock.elapsed += waits - 1
    first, second, third, _ = runs
    first.send("alpha", first.hello_request())
    second.show(second.core(round=2), "alpha")
    assert third.ask("alpha", third.core(), ()).code == "declined", "a refused request is one, too"
    clock.elapsed += 2
    later = LyingCoordinator(federation, kit.lean_study(name="later"), run="run-later")
    later.greet("alpha")
    assert _runs(federation.nodes["alpha"]) == {"run-0", "run-1", "run-2", "run-later"}


# --- clocks that are set -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jump", "goes_on"), [(59, True), (-59, True), (62, False), (-62, False), (40 * 86_400, False)]
)
def test_a_clock_that_is_set_ends_the_runs(tmp_path: Path, clock: kit.FakeClock, jump: int, goes_on: bool) -> None:
    federation = kit.federation_at(tmp_path, clock=clock)
    coordinator = _begun(federation, 1)
    core = coordinator.core()
    readies = coordinator.readies(core)
    clock.wall += jump
    answer = coordinator.ask("alpha", core, readies)
    assert answer.code == ("Contribution" if goes_on else "unknown_run")
    assert kit.charged_by(federation)["alpha"] == int(goes_on)


def test_many_small_steps_of_a_clock_add_up_and_time_that_passes_does_not(tmp_path: Path, clock: kit.FakeClock) -> None:
    federation = kit.federation_at(tmp_path, clock=clock)
    coordinator = _begun(federation, 1)
    for _ in range(4):
        clock.elapsed += 3600
        coordinator.send("alpha", coordinator.hello_request())
    assert _runs(federation.nodes["alpha"]) == {"run-1"}
    for _ in range(4):
        clock.wall += 20
        coordinator.send("alpha", coordinator.hello_request(run="another", expires=1))
    assert not _runs(federation.nodes["alpha"])


def test_the_rule_in_figures() -> None:
    class Run:
        began = Moment(1000, 5.0)

    assert not jumped(Run(), Moment(1060, 5.0))  # type: ignore[arg-type]
    assert jumped(Run(), Moment(1061, 5.0))  # type: ignore[arg-type]
    assert jumped(Run(), Moment(1000, 70.0))  # type: ignore[arg-type]
    assert not jumped(Run(), Moment(1000 + 9999, 5.0 + 9999))  # type: ignore[arg-type]


# --- clocks that differ ------------------------------------------------------------------------------------------

PERIOD = PeriodCap(epsilon=Decimal(1), delta=Decimal("0.000001"), days=30, start=dt.date(2027, 1, 1))


def _ahead(federation: MemoryFederation, coordinator: LyingCoordinator, holder: str, seconds: int) -> kit.FakeClock:
    """One holder's node starts again with a clock of its own; the other holders have said HELLO."""
    clock = kit.FakeClock(coordinator.now + seconds)
    others = federation._clock
    federation._clock = clock
    federation.nodes[holder] = federation.start(holder)
    federation._clock = others
    hello = coordinator.send(holder, coordinator.hello_request(expires=clock.now() + 3600))
    coordinator.hellos[holder] = hello.statement
    coordinator.checkpoints[holder] = hello.value.checkpoint
    return clock


@pytest.mark.parametrize(("seconds", "code"), [(3600, "Ready"), (3601, "stale"), (5 * 3600, "stale"), (-3601, "Ready")])
def test_a_clock_more_than_an_hour_ahead_of_the_others_answers_nothing(
    tmp_path: Path, clock: kit.FakeClock, seconds: int, code: str
) -> None:
    federation = kit.federation_at(tmp_path, clock=clock)
    coordinator = LyingCoordinator(federation)
    coordinator.greet("beta", "gamma")
    _ahead(federation, coordinator, "alpha", seconds)
    core = coordinator.core("alpha", "beta", "gamma", expires=coordinator.now + 6 * 3600)
    shown = coordinator.show(core)
    assert shown["alpha"].code == code
    assert {shown[holder].code for holder in ("beta", "gamma")} == {"Ready"}, "only who is ahead of the others stops"


def test_a_clock_put_forward_opens_no_second_period(tmp_path: Path, clock: kit.FakeClock) -> None:
    policy = HolderPolicy.model_validate(
        {"lifetime": {"epsilon": "8", "delta": "0.000001"}, "period": PERIOD.model_dump()}
    )
    federation = kit.federation_at(tmp_path, clock=clock, policy=policy)
    first = LyingCoordinator(federation, kit.lean_study(name="first"), run="run-1")
    first.greet()
    core = first.core(share=kit.Fraction(9, 10))
    readies = first.readies(core)
    assert first.ask("alpha", core, readies).code == "Contribution"
    second = LyingCoordinator(federation, kit.lean_study(name="second"), run="run-2")
    second.greet()
    wide = second.core(share=kit.Fraction(9, 10))
    assert second.show(wide, "alpha")["alpha"].code == "budget", "this period is used up"
    ahead = _ahead(federation, second, "alpha", 31 * 86_400)
    again = second.core(share=kit.Fraction(9, 10), expires=ahead.now() + 3600)
    # The HELLOs of the others are long past for a clock that is a month ahead, and it is more than an hour ahead.
    assert second.show(again, "alpha")["alpha"].code == "stale"
    assert kit.charged_by(federation)["alpha"] == 1


def test_a_hello_that_does_not_say_the_time_is_taken_by_nobody(tmp_path: Path) -> None:
    """As release 0.1 wrote it: it can be read, and its bytes stay."""
    coordinator = LyingCoordinator(kit.federation_at(tmp_path))
    coordinator.greet()
    old = coordinator.send("beta", coordinator.hello_request()).value.model_copy(update={"time": 0})
    assert b'"time"' not in old.canonical()
    coordinator.hellos["beta"] = kit.Identity.load("beta", tmp_path / "holders" / "beta" / "keys" / "signing.pem").sign(
        old
    )
    assert coordinator.show(coordinator.core(), "alpha")["alpha"].code == "declined"


# --- refusals ----------------------------------------------------------------------------------------------------


def test_a_refusal_names_the_request_that_it_answers(tmp_path: Path) -> None:
    coordinator = LyingCoordinator(kit.federation_at(tmp_path))
    for request in (b"garbage", b"", b"x" * (5 << 20)):
        refusal = coordinator.send_bytes("alpha", request).value
        assert isinstance(refusal, Refusal)
        assert refusal.request == sha256_hex(request)
    old = refusal.model_copy(update={"request": ""})
    assert b'"request"' not in old.canonical(), "as release 0.1 wrote it"


@pytest.mark.parametrize("replayed", [True, False])
def test_a_refusal_of_another_request_is_none_and_others_are_kept(tmp_path: Path, replayed: bool) -> None:
    """Somebody on the way who has a refusal of yesterday cannot take a holder out of today's run as if by its word."""
    federation = kit.federation_at(tmp_path)
    old = LyingCoordinator(federation).send("beta", LyingCoordinator(federation).hello_request(expires=1))
    assert old.code == "stale"

    def hook(holder: str, kind: str, count: int, request: bytes, forward: kit.Handler) -> bytes | None:
        if (holder, kind) != ("beta", "ready"):
            return forward(request)
        return old.raw if replayed else forward(b"not what was asked" * count)

    notes = kit.Notes()
    asker = kit.coordinator_of(federation, hook=hook, progress=notes)
    asker.join()
    with pytest.raises(NotEnoughHolders):
        asker.ask("rfm", "cut points", kit.STATISTIC, kit.price(asker.study))
    assert "beta does not take part: a refusal of another request" in notes.notes
    kinds = [statement.kind for statement in federation.folder.ledger().statements()]
    assert kinds.count("Refusal") == len([note for note in notes.notes if note.endswith("policy")]) == 2


# --- a run that ends, however it ends ------------------------------------------------------------------------------


def _free(federation: MemoryFederation) -> bool:
    return not any(_runs(node) for node in federation.nodes.values())


def _losing(step: str, lost: str = "beta") -> kit.Hook:
    def hook(holder: str, kind: str, count: int, request: bytes, forward: kit.Handler) -> bytes | None:
        return None if (holder, kind) == (lost, step) else forward(request)

    return hook


@pytest.mark.parametrize("step", ["hello", "ready", "answer"])
def test_a_run_that_fails_frees_everybody_who_said_hello(tmp_path: Path, step: str) -> None:
    federation = kit.federation_at(tmp_path)
    ledgers = {holder: kit.holder_ledger(federation, holder) for holder in HOLDERS}
    with pytest.raises(NotEnoughHolders):
        _study_over(federation, _losing(step))
    assert _free(federation)
    for ledger in ledgers.values():
        assert not {"released", "result"} & set(kit.kinds(ledger)), "an end without a result leaves no entry"


def test_an_interrupted_run_frees_everybody_and_the_interrupt_is_what_is_told(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)

    def hook(holder: str, kind: str, count: int, request: bytes, forward: kit.Handler) -> bytes | None:
        if kind == "ready":
            raise KeyboardInterrupt
        return forward(request)

    with pytest.raises(KeyboardInterrupt):
        _study_over(federation, hook)
    assert _free(federation)


def test_a_carrier_that_fails_hides_nothing(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)

    def hook(holder: str, kind: str, count: int, request: bytes, forward: kit.Handler) -> bytes | None:
        if kind == "ready":
            raise KeyboardInterrupt
        if kind == "finish":
            raise RuntimeError("the carrier is gone")
        return forward(request)

    with pytest.raises(KeyboardInterrupt):
        _study_over(federation, hook)


def test_who_fell_out_on_the_way_is_freed_when_the_run_ends(tmp_path: Path) -> None:
    """It confirmed no plan and answered nothing: it gets no result, and is told that the run is over."""
    policy = kit.lenient_policy(min_participants=2, min_hidden=1)
    federation = kit.federation_at(tmp_path, policy=policy)
    result = _study_over(federation, _losing("ready"))
    assert result.missing == ("beta",)
    assert _free(federation)
    assert "result" not in kit.kinds(kit.holder_ledger(federation, "beta"))
    assert "result" in kit.kinds(kit.holder_ledger(federation, "alpha"))


def test_a_finish_that_is_refused_ends_the_run_all_the_same(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)
    coordinator = LyingCoordinator(federation)
    coordinator.greet()
    assert coordinator.finish("alpha", heads=(coordinator.hellos["beta"],)).code == "declined"
    assert not _runs(federation.nodes["alpha"])
    assert _runs(federation.nodes["beta"])


def test_an_end_without_a_result_contradicts_no_result(tmp_path: Path) -> None:
    """Also where somebody shows it to an auditor beside the result that the run made."""
    federation = kit.federation_at(tmp_path)
    asker = kit.coordinator_of(federation)
    asker.join()
    asker.ask("rfm", "cut points", kit.STATISTIC, kit.price(asker.study))
    over = asker.books.identity.sign(
        FinishRequest(run=asker.run, made_by=asker.run, study=asker.study.digest, releases=(), result=None, heads=())
    )
    asker.finish("{}")
    kit.holder_ledger(federation, "beta").keep([kept(over, asker.run)])
    bundles = export_all(federation, tmp_path / "bundles")
    verdict = verify(sorted(bundles.iterdir()), third=False)
    assert not [claim for claim in verdict.claims if claim.verdict == "FAIL" and "result" in claim.claim]


def _study_over(federation: MemoryFederation, hook: kit.Hook) -> StudyResult:
    return run_study(
        kit.small_study(),
        folder=federation.folder,
        transport=kit.HookedTransport(federation, hook),
        patience=kit.Patience(hello=5, answer=5),
        pages=False,
    )
