"""The one port that partners reach: whoever has no registered key costs it little, and keeps nobody out.

The doors, the protocol and the application are the product's; they run in a thread of the test, with shorter waits
and without a SuperLink behind them: 502 is the answer to a call that was let through. Callers come from several
addresses of the loopback range.
"""

from __future__ import annotations

import base64
import datetime as dt
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("uvicorn")

import httpx
import uvicorn
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from privacy.private_keys import create_node_key, load_node_key
from server.flower import doors, gateway
from server.flower.certificates import write_certificates
from server.flower.doors import CONNECTIONS_OF_KEY, STRANGERS, STRANGERS_OF_ADDRESS, Doors, DoorServer
from server.flower.gateway import Gateway
from server.flower.node_keys import AHEAD, BEHIND, NodeList, NodeSignatures, header_of, write_nodes

PULL, PUSH = b"/v1/fleet/pull-messages", b"/v1/fleet/push-messages"
#: Order of the group of P-384.
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973


class Node:
    """A node's key, and the headers that it sends."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.public = create_node_key(folder / f"{name}.key")
        self.key = load_node_key(folder / f"{name}.key")
        self.header = header_of(self.public)

    def signed(self, *, at: float | None = None, key: ec.EllipticCurvePrivateKey | None = None) -> dict[bytes, bytes]:
        """Headers of one call."""
        then = dt.datetime.fromtimestamp(time.time() if at is None else at, dt.UTC).isoformat().encode()
        signature = (key or self.key).sign(then, ec.ECDSA(hashes.SHA256()))
        return {
            b"flwr-public-key": self.header,
            b"flwr-timestamp": then,
            b"flwr-signature": base64.b64encode(signature),
        }


class Running:
    """A gateway in a thread."""

    def __init__(self, folder: Path) -> None:
        write_certificates(folder)
        self.folder = folder
        self.nodes = [Node(folder, name) for name in ("alpha", "beta")]
        write_nodes(folder / "nodes", {node.name: node.public for node in self.nodes})
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.doors = Doors()
        client = httpx.AsyncClient(base_url="https://127.0.0.1:1", trust_env=False)  # nothing listens there
        config = uvicorn.Config(
            Gateway(client, NodeList(folder / "nodes")),
            host="127.0.0.1", port=self.port, http="h11", ws="none", lifespan="off", interface="asgi3",
            ssl_certfile=folder / "server.pem", ssl_keyfile=folder / "server.key", access_log=False, log_config=None,
            timeout_keep_alive=doors.KEEP_ALIVE, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self.server = DoorServer(config, self.doors)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        wait(lambda: self.server.started)

    def plain(self, source: str = "127.0.0.1") -> socket.socket:
        """A TCP connection from an address of the loopback range."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=5, source_address=(source, 0))

    def secure(self, source: str = "127.0.0.1") -> ssl.SSLSocket:
        """The same with TLS."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        return context.wrap_socket(self.plain(source), server_hostname="127.0.0.1")

    def status(self, headers: dict[bytes, bytes], *, path: bytes = PULL, source: str = "127.0.0.1") -> int:
        """What a call on a connection of its own is answered."""
        with self.secure(source) as connection:
            connection.sendall(head(headers, path))
            return answered(connection)


def head(headers: dict[bytes, bytes], path: bytes = PULL, *, length: int | None = 0) -> bytes:
    lines = [b"POST " + path + b" HTTP/1.1", b"host: x", b"content-type: application/protobuf"]
    lines += [name + b": " + value for name, value in headers.items()]
    if length is not None:
        lines.append(b"content-length: %d" % length)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def answered(connection: socket.socket) -> int:
    """The status of the answer; 0 if the connection was closed without one."""
    try:
        answer = connection.recv(4096)
    except (ConnectionError, ssl.SSLError):
        return 0
    return int(answer.split(b" ")[1]) if answer else 0


def closed(connection: socket.socket) -> bool:
    """Whether the other side has ended the connection."""
    connection.settimeout(0.01)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except (ConnectionError, ssl.SSLError):
        return True


def wait(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    gateway_in_thread = Running(tmp_path)
    yield gateway_in_thread
    gateway_in_thread.server.should_exit = True
    gateway_in_thread.thread.join(timeout=10)
    assert not gateway_in_thread.thread.is_alive()


def test_idle_connections_from_many_addresses_keep_nobody_out(running: Running) -> None:
    """600 connections that say nothing, half of them after a TLS handshake: a node is answered all the same."""
    alpha = running.nodes[0]
    with ExitStack() as stack:
        for number in range(600):
            source = f"127.0.{1 + number // 30}.1"
            stack.enter_context(running.plain(source) if number % 12 else running.secure(source))
        assert running.doors.strangers <= STRANGERS
        assert running.status(alpha.signed(), source="127.0.0.9") == 502


def test_one_address_gets_so_many_connections_and_no_more(running: Running) -> None:
    with ExitStack() as stack:
        taken = [stack.enter_context(running.plain("127.0.5.1")) for _ in range(STRANGERS_OF_ADDRESS + 20)]
        wait(lambda: sum(closed(connection) for connection in taken) == 20)
        assert running.status(running.nodes[0].signed(), source="127.0.0.9") == 502
    wait(lambda: running.doors.strangers == 0)
    assert running.status(running.nodes[0].signed(), source="127.0.5.1") == 502, "the address is free again"


@pytest.mark.parametrize("beginning", [b"", b"POST /v1/fleet/pull-messages HTTP/1.1\r\nhost:"])
def test_who_sends_no_whole_head_is_turned_out(
    running: Running, monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr(doors, "HEAD_TIME", 0.3)
    with running.plain() as plain, running.secure() as secure:
        secure.sendall(beginning)
        began = time.monotonic()
        while not closed(secure):
            assert time.monotonic() - began < 5
            if beginning:
                secure.settimeout(1)
                try:
                    secure.sendall(b"x")  # a byte now and then buys no time
                except (ConnectionError, ssl.SSLError):
                    break
                time.sleep(0.02)
        wait(lambda: closed(plain))  # which never even began TLS
    wait(lambda: running.doors.strangers == 0)


def test_the_next_request_on_a_connection_has_the_same_time(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "HEAD_TIME", 0.4)
    with running.secure() as connection:
        connection.sendall(head(running.nodes[0].signed()))
        assert answered(connection) == 502
        time.sleep(0.6)
        assert not closed(connection), "between requests a connection may rest"
        connection.settimeout(5)
        connection.sendall(head(running.nodes[0].signed())[:40])
        wait(lambda: closed(connection))


def test_a_public_key_is_no_signature_and_no_body_is_read_without_one(running: Running) -> None:
    """What stands in every roster opens nothing: 401 before the body, and the connection ends."""
    alpha = running.nodes[0]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with ExitStack() as stack:
        for _ in range(12):
            connection = stack.enter_context(running.secure())
            connection.sendall(head({b"flwr-public-key": alpha.header}, PUSH, length=60 << 20))
            assert answered(connection) == 401
            wait(lambda connection=connection: closed(connection))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB


def test_only_fresh_signatures_of_registered_keys_count_and_each_once(running: Running, tmp_path: Path) -> None:
    alpha, beta = running.nodes
    stranger = Node(tmp_path, "stranger")
    now = time.time()
    once = alpha.signed()
    assert running.status(once) == 502
    number, other = decode_dss_signature(base64.b64decode(once[b"flwr-signature"]))
    twin = once | {b"flwr-signature": base64.b64encode(encode_dss_signature(number, ORDER - other))}
    refused = {
        "again": once,
        "its twin": twin,
        "nobody's key": stranger.signed(),
        "another's signature": alpha.signed(key=beta.key),
        "old": alpha.signed(at=now - BEHIND - 1),
        "ahead": alpha.signed(at=now + AHEAD + 5),
        "no time": alpha.signed() | {b"flwr-timestamp": b"soon"},
        "another time": alpha.signed() | {b"flwr-timestamp": dt.datetime.now(dt.UTC).isoformat().encode()},
        "no signature": alpha.signed() | {b"flwr-signature": b"AAAA"},
        "no base64": alpha.signed() | {b"flwr-signature": b"?"},
    }
    for name, headers in refused.items():
        assert running.status(headers) == 401, name
    assert running.status(alpha.signed(at=now - BEHIND + 60)) == 502


def test_one_large_body_of_a_key_at_a_time_and_room_for_the_others(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "_BODY_TIME", 1.0)
    alpha, beta = running.nodes
    large = 60 << 20
    with running.secure() as first, running.secure() as second, running.secure() as third:
        first.sendall(head(alpha.signed(), PUSH, length=large))
        time.sleep(0.1)
        second.sendall(head(alpha.signed(), PUSH, length=large))
        assert answered(second) == 503
        third.sendall(head(beta.signed(), PUSH, length=large))  # there is room for another key's
        assert running.status(alpha.signed()) == 502, "small calls go on"
        assert answered(first) == 408, "a body that does not come is not waited for"
        assert answered(third) == 408
    assert running.status(alpha.signed(), path=PUSH) == 502, "and the room is free again"


def test_a_call_without_a_length_or_over_the_limit_is_refused(running: Running) -> None:
    alpha = running.nodes[0]
    for length, status in ((None, 411), (gateway.FLEET_CALLS[PULL] + 1, 413)):
        with running.secure() as connection:
            connection.sendall(head(alpha.signed(), length=length))
            assert answered(connection) == status


def test_a_node_has_some_connections_and_the_eldest_goes(running: Running) -> None:
    alpha = running.nodes[0]
    with ExitStack() as stack:
        own = []
        for _ in range(CONNECTIONS_OF_KEY + 1):
            own.append(stack.enter_context(running.secure()))
            own[-1].sendall(head(alpha.signed()))
            assert answered(own[-1]) == 502
        assert running.doors.strangers == 0
        wait(lambda: closed(own[0]))
        assert not any(closed(connection) for connection in own[1:])


def test_all_bodies_together_have_a_limit() -> None:
    room = gateway._Room()
    big = gateway._BODIES // 4
    with ExitStack() as stack:
        for number in range(4):
            assert stack.enter_context(room.taken(b"key %d" % number, big))
        assert not stack.enter_context(room.taken(b"one more", big))
        assert stack.enter_context(room.taken(b"one more", 100)), "a small call needs no room among the large"
        for _ in range(gateway._CALLS_OF_KEY - 1):
            assert stack.enter_context(room.taken(b"one more", 100))
        assert not stack.enter_context(room.taken(b"one more", 100))
    with room.taken(b"one more", big) as there_is:
        assert there_is


def test_remembered_signatures_are_forgotten_when_they_are_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.flower.node_keys._REMEMBERED", 3)
    node = Node(tmp_path, "alpha")
    write_nodes(tmp_path / "nodes", {"alpha": node.public})
    now = [1_800_000_000.0]
    signatures = NodeSignatures(NodeList(tmp_path / "nodes"), now=lambda: now[0])
    for _ in range(3):
        assert signatures.signer(node.signed(at=now[0])) == node.header
    assert signatures.signer(node.signed(at=now[0])) is None, "no room"
    now[0] += BEHIND + 1
    assert signatures.signer(node.signed(at=now[0])) == node.header


def test_the_gateway_works_on_asyncios_own_loop_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uvicorn takes uvloop where it is installed; both know what the doors ask of a loop."""
    real = uvicorn.Config.__init__
    monkeypatch.setattr(uvicorn.Config, "__init__", lambda self, *a, **k: real(self, *a, loop="asyncio", **k))
    own = Running(tmp_path)
    try:
        assert own.status(own.nodes[0].signed()) == 502
    finally:
        own.server.should_exit = True
        own.thread.join(timeout=10)
