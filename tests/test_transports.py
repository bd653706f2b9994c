"""One contract suite over the catalogue of carriers, driven by the connection check that operators use.

Asserted: bytes arrive and come back as they were sent, of any length; a holder that raises, is slow, is unknown or
replies with nothing is absent and delays nobody else beyond the time-out; each reply is announced once; replies are
never mixed up.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from carried import EVERY_BYTE, SECRET, handle
from sources import ROOT

from server.flower.probe import probe
from simulations.worlds.inprocess import InProcessTransport

HOLDERS = ("alpha", "beta", "gamma")
PROBE = "server.flower.probe:probe"


def expected(holder: str, message: str, *, number: int = 0, size: int = 64) -> bytes:
    """The proper reply in a round of the probe."""
    return holder.encode() + EVERY_BYTE + f"{message} {number} ".encode().ljust(size, b".")


class Round(NamedTuple):
    """What a probe saw in one round: its number, the replies, the order of ``on_reply`` and the seconds."""

    number: int
    replies: dict[str, bytes]
    order: list[str]
    seconds: float


class Report(NamedTuple):
    """What a probe saw: who is connected, and its rounds."""

    transport: str
    connected: list[str]
    rounds: list[Round]


def read_report(path: Path) -> Report:
    told = json.loads(path.read_text())
    rounds = [
        Round(
            number,
            {holder: bytes.fromhex(data) for holder, data in one["replies"].items()},
            one["order"],
            one["seconds"],
        )
        for number, one in enumerate(told["rounds"])
    ]
    return Report(told["transport"], told["connected"], rounds)


#: Probes a carrier with these settings.
Carrier = Callable[..., Report]


@contextmanager
def in_process(folder: Path) -> Iterator[Carrier]:
    """The carrier of tests and fast simulations."""
    handlers = {holder: lambda request, holder=holder: handle(holder, request) for holder in HOLDERS}

    def run(**settings: Any) -> Report:
        report = folder / f"{uuid.uuid4()}.json"
        probe(InProcessTransport(handlers), {"report": str(report), "holders": list(HOLDERS), **settings})
        return read_report(report)

    yield run


FLOWER_NODE = """
import sys, threading
from pathlib import Path
sys.path[:0] = {path!r}
from clients.flower.node import run_node
from carried import handle

address, root_certificate, node_key, holder = sys.argv[1:]
run_node(address=address, root_certificate=Path(root_certificate), node_key=Path(node_key), holder=holder,
         handler=lambda request: handle(holder, request), stop=threading.Event())
"""


@contextmanager
def flower(folder: Path) -> Iterator[Carrier]:
    """The deployed carrier: SuperLink, TLS, registered keys, a process per holder."""
    pytest.importorskip("flwr")
    from simulations.worlds.deployment import LocalDeployment, NodeFiles

    script = folder / "node.py"
    script.write_text(FLOWER_NODE.format(path=[str(ROOT / "tests" / "support"), str(ROOT)]))

    def command(files: NodeFiles) -> list[str]:
        where = [files.address, str(files.root_certificate), str(files.node_key)]
        return [sys.executable, str(script), *where, files.holder]

    with LocalDeployment(folder / "run", HOLDERS, command, preload=PROBE) as deployment:

        def run(**settings: Any) -> Report:
            report = folder / f"{uuid.uuid4()}.json"
            wanted = {"report": str(report), "holders": list(HOLDERS), **settings}
            assert deployment.run(PROBE, wanted, timeout=90) == 0, deployment.serverapp_log.read_text()
            return read_report(report)

        yield run


#: Every carrier; a new one needs a line here and passes the suite.
CATALOGUE: dict[str, Callable[[Path], AbstractContextManager[Carrier]]] = {"in-process": in_process, "flower": flower}

CARRIERS = [
    pytest.param("in-process"),
    pytest.param("flower", marks=[pytest.mark.slow, pytest.mark.flower]),
]


#: A holder that sleeps, and how long it is waited for. Flower's round trip takes well under a second, but seconds on a
#: machine that is busy.
SLOW = {"in-process": (1.0, 2.5), "flower": (5.0, 9.0)}
#: What is tried, by name: settings of rounds. All in one run of the probe: over Flower each run is a process.
SCENARIOS: dict[str, list[dict[str, Any]]] = {
    "plain": [{}],
    "one byte": [{"size": 1}],
    "a million bytes": [{"size": 1_000_000}],
    "four rounds": [{}] * 4,
    "raises": [{"message": "raise beta", "timeout": 20.0}],
    "empty": [{"message": "empty beta", "timeout": 20.0}],
    "slow": [{"message": "sleep beta {slow}", "timeout": "{timeout}"}, {"message": "after", "timeout": 30.0}],
    "unknown": [{"holders": ["alpha", "nobody"], "timeout": 20.0}],
}


class Seen(NamedTuple):
    """What the probe of a carrier saw, by scenario."""

    carrier: str
    report: Report
    rounds: dict[str, list[Round]]


@pytest.fixture(scope="module", params=CARRIERS)
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    timeout, slow = SLOW[request.param]
    asked = {
        name: [
            {key: value.format(slow=slow, timeout=timeout) if isinstance(value, str) else value
             for key, value in one.items()}
            for one in rounds
        ]
        for name, rounds in SCENARIOS.items()
    }  # fmt: skip
    with CATALOGUE[request.param](tmp_path_factory.mktemp(request.param)) as run:
        report = run(rounds=[one for rounds in asked.values() for one in rounds])
    left = iter(report.rounds)
    return Seen(request.param, report, {name: [next(left) for _ in rounds] for name, rounds in asked.items()})


def test_it_says_its_name_and_who_is_connected(seen: Seen) -> None:
    assert seen.report.transport == seen.carrier
    assert seen.report.connected == sorted(HOLDERS)
    (plain,) = seen.rounds["plain"]
    assert plain.replies == {holder: expected(holder, "probe", number=plain.number) for holder in HOLDERS}


@pytest.mark.parametrize(("name", "size"), [("one byte", 1), ("a million bytes", 1_000_000)])
def test_bytes_arrive_and_come_back_as_they_were(seen: Seen, name: str, size: int) -> None:
    (one,) = seen.rounds[name]
    assert set(one.replies) == set(HOLDERS)
    for holder in HOLDERS:
        sent = expected(holder, "probe", number=one.number, size=size)
        assert hashlib.sha256(one.replies[holder]).digest() == hashlib.sha256(sent).digest()


def test_rounds_are_not_mixed_up_and_each_reply_is_announced_once(seen: Seen) -> None:
    rounds = seen.rounds["four rounds"]
    assert len({one.number for one in rounds}) == 4
    for one in rounds:
        assert one.replies == {holder: expected(holder, "probe", number=one.number) for holder in HOLDERS}
        assert sorted(one.order) == sorted(HOLDERS)


@pytest.mark.parametrize(("name", "message"), [("raises", "raise beta"), ("empty", "empty beta")])
def test_a_holder_that_raises_or_says_nothing_is_absent_at_once(seen: Seen, name: str, message: str) -> None:
    (one,) = seen.rounds[name]
    assert one.replies == {holder: expected(holder, message, number=one.number) for holder in ("alpha", "gamma")}
    assert sorted(one.order) == ["alpha", "gamma"]
    assert one.seconds < 15, "known at once, not waited for"


def test_the_text_of_what_a_holder_raised_is_nowhere(seen: Seen) -> None:
    assert SECRET.encode() not in b"".join(data for one in seen.report.rounds for data in one.replies.values())


def test_a_slow_holder_is_absent_at_the_time_out_while_others_arrive(seen: Seen) -> None:
    timeout, slow = SLOW[seen.carrier]
    one, later = seen.rounds["slow"]
    message = f"sleep beta {slow}"
    assert one.replies == {holder: expected(holder, message, number=one.number) for holder in ("alpha", "gamma")}
    assert sorted(one.order) == ["alpha", "gamma"]
    assert 0.9 * timeout < one.seconds < 0.95 * slow
    # Its late reply is not taken for the reply to the next request.
    assert later.replies == {holder: expected(holder, "after", number=later.number) for holder in HOLDERS}


def test_an_unknown_holder_is_absent_and_not_waited_for(seen: Seen) -> None:
    (one,) = seen.rounds["unknown"]
    assert one.replies == {"alpha": expected("alpha", "probe", number=one.number)}
    assert one.order == ["alpha"]
    assert one.seconds < 15


# --- what only the in-process carrier can be shown quickly -------------------------------------------------------


@pytest.fixture
def direct() -> InProcessTransport:
    return InProcessTransport({holder: lambda request, holder=holder: handle(holder, request) for holder in HOLDERS})


def test_each_holder_gets_its_own_request(direct: InProcessTransport) -> None:
    requests = {holder: f"for {holder}".encode() for holder in HOLDERS} | {"alpha": b""}
    replies = direct.exchange(requests, timeout=5)
    assert replies == {holder: handle(holder, requests[holder]) for holder in HOLDERS}


def test_exchanges_at_the_same_time_are_not_mixed_up(direct: InProcessTransport) -> None:
    found: dict[int, dict[str, bytes]] = {}

    def one(number: int) -> None:
        found[number] = direct.exchange(dict.fromkeys(HOLDERS, f"thread {number}".encode()), timeout=10)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {
        number: {holder: handle(holder, f"thread {number}".encode()) for holder in HOLDERS} for number in range(20)
    }


def test_nobody_asked_nobody_answers(direct: InProcessTransport) -> None:
    assert direct.exchange({}, timeout=5) == {}
    assert direct.exchange({"nobody": b"x"}, timeout=5) == {}


def test_holders_work_at_the_same_time() -> None:
    """Three holders that wait for one another: one after another they would never finish."""
    meeting = threading.Barrier(3, timeout=10)

    def wait(request: bytes) -> bytes:
        meeting.wait()
        return b"met"

    transport = InProcessTransport(dict.fromkeys(HOLDERS, wait))
    assert transport.exchange(dict.fromkeys(HOLDERS, b""), timeout=20) == dict.fromkeys(HOLDERS, b"met")
