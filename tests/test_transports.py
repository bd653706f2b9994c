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


class Report(NamedTuple):
    """What a probe saw: who is connected, and by round the replies, the order of ``on_reply`` and the seconds."""

    transport: str
    connected: list[str]
    replies: list[dict[str, bytes]]
    orders: list[list[str]]
    seconds: list[float]


def read_report(path: Path) -> Report:
    told = json.loads(path.read_text())
    return Report(
        told["transport"],
        told["connected"],
        [{holder: bytes.fromhex(data) for holder, data in one["replies"].items()} for one in told["rounds"]],
        [one["order"] for one in told["rounds"]],
        [one["seconds"] for one in told["rounds"]],
    )


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


@pytest.fixture(scope="module", params=CARRIERS)
def carrier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carrier]:
    with CATALOGUE[request.param](tmp_path_factory.mktemp(request.param)) as run:
        run.name = request.param  # type: ignore[attr-defined]
        yield run


def test_it_says_its_name_and_who_is_connected(carrier: Carrier) -> None:
    report = carrier()
    assert report.transport == carrier.name  # type: ignore[attr-defined]
    assert report.connected == sorted(HOLDERS)


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_bytes_arrive_and_come_back_as_they_were(carrier: Carrier, size: int) -> None:
    (replies,) = carrier(size=size).replies
    assert set(replies) == set(HOLDERS)
    for holder in HOLDERS:
        sent = expected(holder, "probe", size=size)
        assert hashlib.sha256(replies[holder]).digest() == hashlib.sha256(sent).digest()


def test_rounds_are_not_mixed_up_and_each_reply_is_announced_once(carrier: Carrier) -> None:
    report = carrier(rounds=4)
    for number, (replies, order) in enumerate(zip(report.replies, report.orders, strict=True)):
        assert replies == {holder: expected(holder, "probe", number=number) for holder in HOLDERS}
        assert sorted(order) == sorted(HOLDERS)


def test_a_holder_that_raises_is_absent_at_once_and_its_text_nowhere(carrier: Carrier) -> None:
    report = carrier(message="raise beta", timeout=20.0)
    assert report.replies == [{holder: expected(holder, "raise beta") for holder in ("alpha", "gamma")}]
    assert sorted(report.orders[0]) == ["alpha", "gamma"]
    assert report.seconds[0] < 15, "known at once, not waited for"
    assert SECRET.encode() not in b"".join(report.replies[0].values())


def test_an_empty_reply_is_none(carrier: Carrier) -> None:
    report = carrier(message="empty beta", timeout=20.0)
    assert report.replies == [{holder: expected(holder, "empty beta") for holder in ("alpha", "gamma")}]
    assert sorted(report.orders[0]) == ["alpha", "gamma"]
    assert report.seconds[0] < 15, "known at once, not waited for"


def test_a_slow_holder_is_absent_at_the_time_out_while_others_arrive(carrier: Carrier) -> None:
    # Flower's round trip takes well under a second, but seconds on a machine that is busy.
    timeout, slow = (1.0, 2.5) if carrier.name == "in-process" else (5.0, 9.0)  # type: ignore[attr-defined]
    message = f"sleep beta {slow}"
    report = carrier(message=message, timeout=timeout)
    assert report.replies == [{holder: expected(holder, message) for holder in ("alpha", "gamma")}]
    assert sorted(report.orders[0]) == ["alpha", "gamma"]
    assert 0.9 * timeout < report.seconds[0] < 0.95 * slow
    # Its late reply is not taken for the reply to the next request.
    later = carrier(message="after", timeout=30.0)
    assert later.replies == [{holder: expected(holder, "after") for holder in HOLDERS}]


def test_an_unknown_holder_is_absent_and_not_waited_for(carrier: Carrier) -> None:
    report = carrier(holders=["alpha", "nobody"], timeout=20.0)
    assert report.replies == [{"alpha": expected("alpha", "probe")}]
    assert report.orders == [["alpha"]]
    assert report.seconds[0] < 15


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
