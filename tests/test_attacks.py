"""Attacks and faults with more than one process, disk or clock; docs/attacks.md lists all of them with their tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import protocol_kit as kit
import pytest
from protocol_kit import HOLDERS, LyingCoordinator

from privacy.errors import NotEnoughHolders
from privacy.kernel.canonical import sha256_hex
from privacy.ledger import Released
from privacy.protocol.envelopes import Reply
from privacy.protocol.identity import Identity
from privacy.protocol.messages import Contribution, Refusal
from privacy.secure_sum.masks import CHECK_WORDS, announced, to_bytes
from server.running.federation import Federation
from server.running.line import LIFETIME
from simulations.failing.chaos import CoordinatorKilled, run_chaos
from simulations.worlds.kit import MemoryFederation

TESTS = Path(__file__).resolve().parent
DOCS = TESTS.parent / "docs"


def test_every_attack_in_the_docs_has_its_test() -> None:
    """Names in docs/attacks.md are of tests that are there."""
    text = (DOCS / "attacks.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:[a-z]+/)*test_\w+)\.py::(test_\w+)", text)
    assert len(named) == len(re.findall(r"\.py::", text)), "every name is of a test that can be looked up"
    assert len(named) > 30
    for module, name in named:
        source = (TESTS / f"{module}.py").read_text(encoding="utf-8")
        assert f"def {name}(" in source, f"{module}.py::{name}"


# --- two processes with one key ------------------------------------------------------------------------------------


def test_two_processes_with_one_key_answer_once(tmp_path: Path) -> None:
    """A second node on the same folder: it never said that HELLO, and the charge is there but once."""
    federation = kit.federation_at(tmp_path)
    liar = LyingCoordinator(federation)
    liar.greet()
    core = liar.core()
    readies = liar.readies(core)
    first = federation.nodes["alpha"]
    federation.nodes["alpha"] = federation.start("alpha")
    assert liar.ask("alpha", core, readies).code == "unknown_run"
    assert liar.send("alpha", liar.hello_request()).code == "Hello"  # of its own, with another mask key
    assert liar.show(core, "alpha")["alpha"].code == "stale"
    assert kit.charged_by(federation)["alpha"] == 0
    second = federation.nodes["alpha"]
    federation.nodes["alpha"] = first
    answer = liar.ask("alpha", core, readies)
    assert answer.code == "Contribution"
    federation.nodes["alpha"] = second
    assert liar.ask("alpha", core, readies).raw == answer.raw, "the stored bytes, from the ledger that they share"
    assert kit.charged_by(federation)["alpha"] == 1


# --- what is sent again, or in another's place ---------------------------------------------------------------------


def test_a_plan_of_an_earlier_run_gets_nothing(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)
    liar = LyingCoordinator(federation)
    liar.greet()
    core = liar.core()
    readies = liar.readies(core)
    plan = kit.carried(liar.identity.sign(liar.ready_request(core)))
    liar.ask("alpha", core, readies)
    liar.finish("alpha")
    assert liar.send_bytes("alpha", plan).code == "unknown_run"
    again = LyingCoordinator(federation, run="run-2")
    again.greet()
    assert again.send_bytes("alpha", plan).code == "unknown_run"
    assert kit.charged_by(federation)["alpha"] == 1


def _replayed(federation: MemoryFederation, kept: list[bytes], reply: bytes) -> bytes:
    return kept[0]


def _oversized(federation: MemoryFederation, kept: list[bytes], reply: bytes) -> bytes:
    """A vector that is longer than the question, properly signed by a cheating holder."""
    parsed = Reply.parse(reply)
    body = Contribution.parse(parsed.statement.body)
    vector = to_bytes(kit.np.zeros(kit.STATISTIC.dim + CHECK_WORDS + 1, dtype=kit.np.uint64))
    identity = Identity.load("beta", federation.root / "holders" / "beta" / "keys" / "signing.pem")
    signed = identity.sign(body.model_copy(update={"payload": sha256_hex(vector), "check": announced(vector)}))
    return Reply(statement=signed, vector=kit.base64.b64encode(vector).decode()).canonical()


SECOND_ANSWERS: dict[str, Callable[[MemoryFederation, list[bytes], bytes], bytes]] = {
    "the contribution of another question": _replayed,
    "a vector that is too long": _oversized,
}


@pytest.mark.parametrize("case", SECOND_ANSWERS)
def test_an_answer_that_is_none_spends_the_attempt_and_no_more(tmp_path: Path, case: str) -> None:
    federation = kit.federation_at(tmp_path)
    kept: list[bytes] = []

    def hook(holder: str, kind: str, count: int, request: bytes, forward: kit.Handler) -> bytes | None:
        reply = forward(request)
        if (holder, kind) == ("beta", "answer"):
            kept.append(reply)
            if count == 2:
                return SECOND_ANSWERS[case](federation, kept, reply)
        return reply

    coordinator = kit.coordinator_of(federation, hook=hook)
    coordinator.join()
    price = kit.price(coordinator.study, kit.Fraction(1, 5))
    coordinator.ask("rfm", "cut points", kit.STATISTIC, price)
    release = coordinator.ask("rfm", "segments", kit.OTHER_STATISTIC, price)
    assert release.question.attempt == 2
    assert kit.charged_by(federation) == dict.fromkeys(HOLDERS, 3)


# --- clocks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_an_hour_off_hinders_nothing(tmp_path: Path, hours: int) -> None:
    clock = kit.FakeClock()
    federation = kit.federation_at(tmp_path, clock=clock)
    liar = LyingCoordinator(federation)  # its clock stays
    clock.wall += 3600 * hours - (60 if hours > 0 else 0)
    liar.greet()
    core = liar.core()
    assert liar.ask("alpha", core, liar.readies(core)).code == "Contribution"


def test_a_clock_that_is_off_by_more_than_requests_live_is_refused_before_any_charge(tmp_path: Path) -> None:
    clock = kit.FakeClock()
    federation = kit.federation_at(tmp_path, clock=clock)
    coordinator = kit.coordinator_of(federation)
    clock.wall += 2 * LIFETIME
    coordinator.line.now = lambda: clock.wall - 2 * LIFETIME
    with pytest.raises(NotEnoughHolders, match="stale"):
        coordinator.join()
    assert kit.charged_by(federation) == dict.fromkeys(HOLDERS, 0)


# --- a full disk ---------------------------------------------------------------------------------------------------

FULL = """
import resource, sys
from pathlib import Path
import protocol_kit as kit
from simulations.worlds.kit import MemoryFederation

federation = kit.federation_at(Path(sys.argv[1]))
liar = kit.LyingCoordinator(federation)
liar.greet()
core = liar.core()
readies = liar.readies(core)
ledger = Path(sys.argv[1]) / "holders" / "alpha" / "state" / "ledger.sqlite"
size = ledger.stat().st_size
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))  # as a disk that is full
print(liar.ask("alpha", core, readies).code)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(kit.charged_by(federation)["alpha"])
print(liar.ask("alpha", core, readies).code)
"""


@pytest.mark.parametrize("room", [0, 600])
def test_a_full_disk_at_the_ledger_answers_nothing(tmp_path: Path, room: int) -> None:
    """Files cannot grow: the charge is not written, so nothing is answered; with room again the same plan goes on."""
    result = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), str(room)], cwd=TESTS, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": f"{TESTS / 'support'}{os.pathsep}{TESTS.parent}"},
    )  # fmt: skip
    assert result.stdout.split() == ["declined", "0", "Contribution"], result.stderr


# --- a coordinator that is killed at each step ---------------------------------------------------------------------

STEPS = [(kind, moment) for kind in ("hello", "ready", "answer", "finish") for moment in ("before", "after")]


@pytest.mark.parametrize(("step", "moment"), STEPS)
def test_a_coordinator_killed_at_any_step_goes_on_and_pays_no_less_than_was_seen(
    tmp_path: Path, step: str, moment: str
) -> None:
    federation = kit.federation_at(tmp_path)
    study = kit.small_study()

    def hook(holder: str, kind: str, count: int, request: bytes, forward: kit.Handler) -> bytes | None:
        hit = (holder, kind, count) == ("beta", step, 1)
        if hit and moment == "before":
            raise CoordinatorKilled
        reply = forward(request)
        if hit:
            raise CoordinatorKilled
        return reply

    first = kit.coordinator_of(federation, study, hook=hook)

    def whole_run(coordinator: Federation) -> tuple[str, ...]:
        coordinator.join()
        coordinator.ask("rfm", "cut points", kit.STATISTIC, kit.price(study))
        return coordinator.finish("{}")

    with pytest.raises(CoordinatorKilled):
        whole_run(first)
    seen = step == "answer"  # alpha's answer, and perhaps beta's, had left when it was killed
    resumed = kit.coordinator_of(federation, study)
    resumed.join()
    release = resumed.ask("rfm", "cut points", kit.STATISTIC, kit.price(study))
    assert resumed.finish("{}") == ()
    beta = int(seen and moment == "after")
    assert kit.charged_by(federation) == {"alpha": 1 + seen, "beta": 1 + beta, "gamma": 1}
    for holder in HOLDERS:
        recorded = [fact for fact in kit.holder_ledger(federation, holder).facts() if isinstance(fact, Released)]
        assert [fact.release for fact in recorded] == [release.content_digest]


# --- holders that dropped out hear of what they are in -------------------------------------------------------------


def test_a_holder_that_dropped_out_records_the_releases_that_it_is_in(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, "alpha", "beta", "delta", "gamma")

    def hook(holder: str, kind: str, count: int, request: bytes, forward: kit.Handler) -> bytes | None:
        return None if (holder, kind) == ("beta", "ready") and count > 1 else forward(request)

    coordinator = kit.coordinator_of(federation, hook=hook)
    coordinator.join()
    price = kit.price(coordinator.study, kit.Fraction(1, 5))
    first = coordinator.ask("rfm", "cut points", kit.STATISTIC, price)
    second = coordinator.ask("rfm", "segments", kit.OTHER_STATISTIC, price)
    assert "beta" in first.holders
    assert "beta" not in second.holders
    assert coordinator.finish("{}") == ()
    recorded = kit.holder_ledger(federation, "beta").state.released
    assert recorded == {first.core: first.content_digest}


# --- everything at random ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_rounds_with_random_kills_lose_nothing(tmp_path: Path) -> None:
    outcome = run_chaos(tmp_path, rounds=20, seed=7)
    assert outcome.rounds == 20
    assert sum(outcome.happened.values()) > 5
    assert not outcome.wrong


def test_a_refusal_has_a_code_from_the_list_alone() -> None:
    assert set(Refusal.model_fields) == {"holder", "code", "request"}
