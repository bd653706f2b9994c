"""Checks of the protocol that a mutant must fail too, and the READYs that are refused."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import protocol_kit as kit
import pytest
from protocol_kit import HOLDERS, Answer, LyingCoordinator

import clients.answering.answers
import clients.answering.node
from privacy.errors import NotEnoughHolders
from privacy.kernel.customers import CustomerColumns
from privacy.ledger import Answered, Evidence, Ledger, Question, Reserved
from privacy.protocol.identity import Identity, Signed
from privacy.protocol.messages import (
    Checkpoint,
    Hello,
    ReadyRequest,
)
from privacy.secure_sum.masks import CHECK_WORDS, MaskMismatch, unmask
from simulations.worlds.kit import MemoryFederation

SECRET = "row 4711 of Mrs Example"


#: Parts of it that no digest, key or signature has by chance: their digits are hexadecimal.
PARTS = (b"row 4711", b"4711 of", b"Mrs", b"Example")


def check_different_plans_are_refused(root: Path) -> None:
    """Two holders are shown another plan than the third under one question; nobody answers, nobody is charged."""
    federation = kit.federation_at(root)
    coordinator = LyingCoordinator(federation)
    coordinator.greet()
    first, second = coordinator.core(), coordinator.core(statistic=kit.OTHER_STATISTIC)
    shown = coordinator.show(first, "alpha", "beta") | coordinator.show(second, "gamma")
    assert {answer.code for answer in shown.values()} == {"Ready"}
    readies = tuple(shown[holder].statement for holder in HOLDERS)
    for holder, core in (("alpha", first), ("beta", first), ("gamma", second)):
        assert coordinator.ask(holder, core, readies).code == "equivocation"
        own = [statement for statement in readies if statement.signer == holder]
        assert coordinator.ask(holder, core, own).code == "declined"
        assert coordinator.ask(holder, core, ()).code == "declined"
        assert coordinator.ask(holder, core, own * 3).code == "declined"
    assert kit.charged_by(federation) == dict.fromkeys(HOLDERS, 0)
    # And showing the other plan afterwards yields evidence, not a second READY.
    assert coordinator.show(second, "alpha")["alpha"].code == "equivocation"


def check_masks_of_different_plans_do_not_cancel(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the READY check out of the way: plans that differ have masks that cancel in no coordinate."""
    federation = kit.federation_at(root, sampler=kit.no_noise)
    coordinator = LyingCoordinator(federation)
    coordinator.greet()
    first, second = coordinator.core(), coordinator.core(title="another title")
    shown = coordinator.show(first, "alpha", "beta") | coordinator.show(second, "gamma")
    readies = tuple(answer.statement for answer in shown.values())
    with monkeypatch.context() as patch:
        patch.setattr(clients.answering.node, "check_readies", kit.readies_as_they_are)
        vectors = [
            coordinator.ask(holder, core, readies).vector
            for holder, core in (("alpha", first), ("beta", first), ("gamma", second))
        ]
    with pytest.raises(MaskMismatch):
        unmask(vectors)
    exact = total(federation)
    found = sum(vectors[1:], vectors[0])
    # 12 words equal by chance: 2^-64 each. Nothing of a holder's total is readable from any subset either.
    assert not np.any(found[:-CHECK_WORDS].view(np.int64) == exact)
    for holder, vector in zip(HOLDERS, vectors, strict=True):
        own = kit.STATISTIC.encode_sum(federation._tables[holder])
        assert not np.any(vector[:-CHECK_WORDS].view(np.int64) == own)


def check_redelivery_gives_the_same_bytes(root: Path) -> None:
    """Asked again, in the same process or a later one: the stored bytes, one charge."""
    federation = kit.federation_at(root)
    coordinator = LyingCoordinator(federation)
    coordinator.greet()
    core = coordinator.core()
    readies = coordinator.readies(core)
    first = coordinator.ask("alpha", core, readies)
    assert first.code == "Contribution"
    assert coordinator.ask("alpha", core, readies).raw == first.raw
    assert coordinator.ask("alpha", core, ()).raw == first.raw
    federation.nodes["alpha"] = federation.start("alpha")
    assert coordinator.ask("alpha", core, readies).raw == first.raw
    ledger = kit.holder_ledger(federation, "alpha")
    assert kit.kinds(ledger) == ["opened", "reserved", "answered"]
    assert ledger.spent() == core.mechanism.event(core.bound, core.statistic.dim).squared_mu(core.records)


Case = Callable[[LyingCoordinator], Answer]


def _key(coordinator: LyingCoordinator, holder: str) -> Path:
    return coordinator.federation.root / "holders" / holder / "keys" / "signing.pem"


def _shown(coordinator: LyingCoordinator, **changes: object) -> Answer:
    return coordinator.show(coordinator.core(**changes), "alpha")["alpha"]


def _with_hellos(coordinator: LyingCoordinator, change: Callable[[dict[str, Signed]], None]) -> Answer:
    hellos = dict(coordinator.hellos)
    change(hellos)
    core = coordinator.core()
    participants = tuple(
        p.model_copy(update={"hello": hellos[p.holder].digest}) if p.holder in hellos else p for p in core.participants
    )
    core = core.model_copy(update={"participants": participants})
    return coordinator.send("alpha", ReadyRequest.model_construct(core=core, hellos=tuple(hellos.values())))


def _rewritten_hello(coordinator: LyingCoordinator, holder: str, **changes: object) -> Answer:
    """Another holder, in league with the coordinator, signs a HELLO with changes."""
    identity = Identity.load(holder, _key(coordinator, holder))
    hello = coordinator.hellos[holder].open(Hello, coordinator.roster).model_copy(update=changes)
    return _with_hellos(coordinator, lambda hellos: hellos.update({holder: identity.sign(hello)}))


def _raw_ready(coordinator: LyingCoordinator, change: Callable[[dict], None]) -> Answer:
    body = json.loads(coordinator.ready_request(coordinator.core()).canonical())
    change(body["core"])
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return coordinator.send_bytes("alpha", kit.carried(kit.sign_raw(coordinator.identity, "ReadyRequest", text)))


def _bound(coordinator: LyingCoordinator, **changes: int) -> Answer:
    return _shown(coordinator, bound=kit.STATISTIC.bound.model_copy(update=changes))


def _own_hello_of_another_run(coordinator: LyingCoordinator) -> Answer:
    elsewhere = LyingCoordinator(coordinator.federation, kit.small_study(name="other"), run="run-2")
    elsewhere.greet("alpha")
    return _with_hellos(coordinator, lambda hellos: hellos.update(elsewhere.hellos))


def _own_hello_of_an_earlier_process(coordinator: LyingCoordinator) -> Answer:
    coordinator.federation.nodes["alpha"] = coordinator.federation.start("alpha")
    coordinator.send("alpha", coordinator.hello_request())
    return _shown(coordinator)


def _tampered(coordinator: LyingCoordinator) -> Answer:
    signed = coordinator.identity.sign(coordinator.ready_request(coordinator.core()))
    changed = signed.body.replace('"title":"cut points"', '"title":"cut pointz"')
    assert changed != signed.body
    return coordinator.send_bytes("alpha", kit.carried(signed.model_copy(update={"body": changed})))


def _as_another_kind(coordinator: LyingCoordinator) -> Answer:
    signed = coordinator.identity.sign(coordinator.ready_request(coordinator.core()))
    return coordinator.send_bytes("alpha", kit.carried(signed.model_copy(update={"kind": "AnswerRequest"})))


def _not_canonical(coordinator: LyingCoordinator) -> Answer:
    body = coordinator.ready_request(coordinator.core()).canonical().decode()
    return coordinator.send_bytes("alpha", kit.carried(kit.sign_raw(coordinator.identity, "ReadyRequest", body + " ")))


#: What the plan says, what the holder says. Nothing of it may be charged anywhere.
READY_CASES: dict[str, tuple[str, Case]] = {
    "tampered body": ("declined", _tampered),
    "signature of another kind": ("declined", _as_another_kind),
    "not in canonical form": ("declined", _not_canonical),
    "signed by a participant": (
        "declined",
        lambda c: c.send("alpha", c.ready_request(c.core()), signer=Identity.load("beta", _key(c, "beta"))),
    ),
    "expired": ("stale", lambda c: _shown(c, expires=c.now)),
    "another protocol": ("version", lambda c: _shown(c, protocol=1)),
    "another code": ("version", lambda c: _shown(c, code="1" * 64)),
    "an analysis of another release": ("version", lambda c: _shown(c, analysis_code="1" * 64)),
    "an analysis whose code is not said": ("version", lambda c: _shown(c, analysis_code="")),
    "another federation": ("stale", lambda c: _shown(c, federation="other")),
    "old roster": ("stale", lambda c: _shown(c, roster="1" * 64)),
    "another study": ("stale", lambda c: _shown(c, study="1" * 64)),
    "a run without HELLO": ("unknown_run", lambda c: _shown(c, question=Question(run="run-9", round=1, attempt=1))),
    "own HELLO missing": ("declined", lambda c: _with_hellos(c, lambda hellos: hellos.pop("alpha") and None)),
    "own HELLO from another run": ("stale", _own_hello_of_another_run),
    "own HELLO from an earlier process": ("stale", _own_hello_of_an_earlier_process),
    "a peer's HELLO of another run": ("stale", lambda c: _rewritten_hello(c, "beta", run="run-2")),
    "a peer's HELLO of another study": ("stale", lambda c: _rewritten_hello(c, "beta", study="1" * 64)),
    "a peer's HELLO expired": ("stale", lambda c: _rewritten_hello(c, "beta", expires=c.now)),
    "a peer's mask key of small order": (
        "declined",
        lambda c: _rewritten_hello(c, "beta", mask_key="00" * 32),
    ),
    "a peer's mask key twice": (
        "declined",
        lambda c: _rewritten_hello(c, "beta", mask_key=c.hellos["gamma"].open(Hello, c.roster).mask_key),
    ),
    "this holder's mask key for a peer": (
        "declined",
        lambda c: _rewritten_hello(c, "beta", mask_key=c.hellos["alpha"].open(Hello, c.roster).mask_key),
    ),
    "bound: norm too small": ("declined", lambda c: _bound(c, squared_norm=kit.STATISTIC.bound.squared_norm - 1)),
    "bound: largest value too small": ("declined", lambda c: _bound(c, max_abs=1)),
    "bound: another gamma": ("declined", lambda c: _bound(c, gamma=1 << 10)),
    "m larger than the participants": ("declined", lambda c: _shown(c, mechanism={"holders": 4})),
    "m smaller than the participants": ("declined", lambda c: _shown(c, mechanism={"holders": 2})),
    "placement of the plan alone": ("declined", lambda c: _shown(c, mechanism={"placement": "central"})),
    "t smaller than the study's": ("policy", lambda c: _shown(_with_two_colluding(c), mechanism={"colluding": 1})),
    "t that leaves one to hide": ("policy", lambda c: _shown(c, mechanism={"colluding": 2})),
    "t that leaves nobody": ("declined", lambda c: _shown(c, mechanism={"colluding": 3})),
    "t of zero": ("declined", lambda c: _shown(c, mechanism={"colluding": 0})),
    "k smaller than the study's": ("declined", lambda c: _shown(_with_k(c, 2), records=1)),
    "k larger than the study's": ("declined", lambda c: _shown(c, records=2)),
    "share scale too small: dearer than the budget": ("budget", lambda c: _shown(c, share=Fraction(11, 10))),
    "share scale below the least": ("declined", lambda c: _shown(c, mechanism={"share_scale": 999})),
    "share scale above the largest": ("declined", lambda c: _shown(c, mechanism={"share_scale": (1 << 48) + 1})),
    "unknown analysis": ("policy", lambda c: _shown(c, analysis="spying")),
    "unknown statistic": ("declined", lambda c: _raw_ready(c, lambda core: core["statistic"].update(kind="rows"))),
    "unknown field": ("declined", lambda c: _raw_ready(c, lambda core: core.update(metrics=["count"]))),
    "a float": ("declined", lambda c: _raw_ready(c, lambda core: core.update(records=1.5))),
    "participants out of order": (
        "declined",
        lambda c: _raw_ready(c, lambda core: core["participants"].reverse()),
    ),
    "fewer participants than the policy asks": ("policy", lambda c: _two_participants(c)),
}


def _two_participants(coordinator: LyingCoordinator) -> Answer:
    core = coordinator.core("alpha", "beta")
    return coordinator.show(core, "alpha")["alpha"]


def _with(coordinator: LyingCoordinator, **budget: object) -> LyingCoordinator:
    other = LyingCoordinator(coordinator.federation, kit.small_study(budget=budget), run="run-3")
    other.greet()
    return other


def _with_two_colluding(coordinator: LyingCoordinator) -> LyingCoordinator:
    return _with(coordinator, colluding_holders=2)


def _with_k(coordinator: LyingCoordinator, k: int) -> LyingCoordinator:
    return _with(coordinator, max_holders_per_customer=k)


def _signed_checkpoint(coordinator: LyingCoordinator, holder: str, sequence: int, head: str) -> Signed:
    identity = Identity.load(holder, _key(coordinator, holder))
    return identity.sign(Checkpoint(member=holder, sequence=sequence, head=head))


def check_older_or_forked_ledgers_of_peers_are_refused(root: Path) -> None:
    """A plan that shows a peer's ledger shorter, or as long with another head, than was seen before is refused."""
    federation = kit.federation_at(root)
    coordinator = LyingCoordinator(federation)
    coordinator.greet()
    early = dict(coordinator.checkpoints)
    for number in (1, 2):
        core = coordinator.core(round=number)
        readies = coordinator.readies(core)
        assert {coordinator.ask(holder, core, readies).code for holder in HOLDERS} == {"Contribution"}
    assert coordinator.show(coordinator.core(round=3, attempt=2), "alpha")["alpha"].code == "Ready"
    seen = kit.holder_ledger(federation, "alpha").peers()["beta"].sequence
    spent = kit.charged_by(federation)
    for attempt, code, shown in (
        (3, "stale", early["beta"]),
        (4, "equivocation", _signed_checkpoint(coordinator, "beta", seen, "f" * 64)),
    ):
        newest = coordinator.checkpoints["beta"]
        coordinator.checkpoints["beta"] = shown
        assert coordinator.show(coordinator.core(round=3, attempt=attempt), "alpha")["alpha"].code == code
        coordinator.checkpoints["beta"] = newest
    assert kit.charged_by(federation) == spent


def check_the_coordinator_notices_a_rolled_back_ledger(root: Path) -> None:
    """A holder whose ledger was put back to an earlier copy is not ready: others have seen it longer."""
    federation = kit.federation_at(root)
    ledger = root / "holders" / "alpha" / "state" / "ledger.sqlite"
    shutil.copyfile(ledger, root / "backup.sqlite")
    coordinator = kit.coordinator_of(federation)
    coordinator.join()
    coordinator.ask("rfm", "cut points", kit.STATISTIC, kit.price(coordinator.study))
    shutil.copyfile(root / "backup.sqlite", ledger)
    federation.nodes["alpha"] = federation.start("alpha")
    with pytest.raises(NotEnoughHolders, match="alpha: its ledger is older than it was, or was changed"):
        kit.coordinator_of(federation).join()


def check_a_holder_notices_its_own_rollback(root: Path) -> None:
    """Restored from a backup, its charges are forgotten; the plan holds its own later, signed word."""
    federation = kit.federation_at(root)
    greeted = LyingCoordinator(federation)
    greeted.greet()
    ledger = root / "holders" / "alpha" / "state" / "ledger.sqlite"
    shutil.copyfile(ledger, root / "backup.sqlite")
    core = greeted.core()
    readies = greeted.readies(core)
    later = greeted.ask("alpha", core, readies).value.checkpoint
    shutil.copyfile(root / "backup.sqlite", ledger)
    federation.nodes["alpha"] = federation.start("alpha")
    greeted.run = "run-2"
    greeted.greet()
    greeted.checkpoints["alpha"] = later  # what peers must be shown, since they have seen it
    assert greeted.show(greeted.core(), "alpha")["alpha"].code == "stale"
    # Grown again to that length, by other entries: still not the ledger that its word was about.
    Ledger(ledger).append(Evidence(what="equivocation", first="{}", second="{}"))
    assert greeted.show(greeted.core(), "alpha")["alpha"].code == "stale"


class RaisingData:
    """A holder's data whose errors quote a customer's row."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def tables(self, study: object) -> dict[str, CustomerColumns]:
        raise self._error

    def write_labels(self, study: object, answered: object, stated: object = None) -> tuple[Path, ...]:
        raise self._error


class Killed(BaseException):
    """Ends the coordinator as a signal would; nothing catches it but what must."""


def check_the_charge_comes_before_the_answer(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped while masking, before any byte of the answer exists: the charge is on the disk already."""
    federation = kit.federation_at(root)
    coordinator = LyingCoordinator(federation)
    coordinator.greet()
    core = coordinator.core()
    readies = coordinator.readies(core)

    def stop(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(clients.answering.answers, "mask", stop)
        with pytest.raises(Killed):
            coordinator.ask("alpha", core, readies)
    ledger = Ledger(root / "holders" / "alpha" / "state" / "ledger.sqlite")
    assert ledger.spent() > 0
    assert [type(fact) for fact in ledger.facts() if isinstance(fact, Reserved | Answered)] == [Reserved]
    assert coordinator.ask("alpha", core, readies).code == "already_answered"


class SlowData:
    """Data whose table takes a while to build, on the fake clock."""

    def __init__(self, clock: kit.FakeClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds

    def tables(self, study: object) -> dict[str, CustomerColumns]:
        self._clock.elapsed += self._seconds
        return {"rfm": kit.table(3)}

    def write_labels(self, study: object, answered: object, stated: object = None) -> tuple[Path, ...]:
        self._clock.elapsed += self._seconds
        return ()


def check_an_answer_shows_its_time_to_a_power_of_two(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves 50 ms x 1, 2, 4, ... after the request; so does what is no request."""
    clock = kit.FakeClock()
    coordinator = LyingCoordinator(kit.federation_at(root, clock=clock))
    coordinator.greet()
    exact = type(kit.STATISTIC).encode_sum
    cases = [(0.0, 0.05), (0.049, 0.05), (0.06, 0.1), (0.11, 0.2), (0.3, 0.4), (1.01, 1.6), (60.0, 102.4)]
    for number, (seconds, leaves) in enumerate(cases, start=1):
        core = coordinator.core(round=number, share=Fraction(1, 20))
        readies = coordinator.readies(core)

        def slow(self: object, columns: CustomerColumns, *, seconds: float = seconds) -> object:
            clock.elapsed += seconds
            return exact(self, columns)

        with monkeypatch.context() as patch:
            patch.setattr(type(kit.STATISTIC), "encode_sum", slow)
            started = clock.elapsed
            assert coordinator.ask("alpha", core, readies).code == "Contribution"
        assert clock.elapsed - started == pytest.approx(leaves)
    started = clock.elapsed
    assert coordinator.send_bytes("alpha", b"garbage").code == "declined"
    assert clock.elapsed - started == pytest.approx(0.05)


def check_a_second_request_does_not_time_the_first(root: Path) -> None:
    """HELLO shows its time to a power of two only; a request sent meanwhile must not show it more finely."""
    building, finish = threading.Event(), threading.Event()

    class Waiting(kit.FakeClock):
        """Takes a moment of real time to wait, in which other requests go on if they can."""

        def sleep(self, seconds: float) -> None:
            self.left.append((threading.get_ident(), self.elapsed + seconds))
            threading.Event().wait(1.0)
            self.elapsed += seconds

    clock = Waiting()
    federation = kit.federation_at(root, clock=clock)

    class Blocking(SlowData):
        def tables(self, study: object) -> dict[str, CustomerColumns]:
            building.set()
            assert finish.wait(10)
            return super().tables(study)

    federation.nodes["alpha"] = kit.node_with(federation, "alpha", data=Blocking(clock, 1.1))
    coordinator = LyingCoordinator(federation)
    hello = kit.carried(coordinator.identity.sign(coordinator.hello_request()))
    other = coordinator.identity.sign(coordinator.finish_request()).model_copy(update={"kind": "ReadyRequest"})
    node = federation.nodes["alpha"]
    threads = [threading.Thread(target=node.handle, args=(hello,))]
    threads[0].start()
    assert building.wait(10)
    threads.append(threading.Thread(target=node.handle, args=(kit.carried(other),)))
    threads[1].start()
    waiting = threading.Event()
    waiting.wait(0.3)  # the second request is at the lock by now
    finish.set()
    for thread in threads:
        thread.join(10)
    times = dict(clock.left)
    assert times[threads[0].ident] == pytest.approx(2.0), "1.1 seconds of work"
    assert times[threads[1].ident] == pytest.approx(2.0), "heard when the first reply left"


def total(federation: MemoryFederation, statistic: object = kit.STATISTIC, holders: tuple[str, ...] = HOLDERS):
    return sum(statistic.encode_sum(federation._tables[holder]) for holder in holders)
