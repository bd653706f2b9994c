"""The one port that partners reach: it passes on the calls of a holder's node, and nothing else.

Flower serves its fleet, control and runtime interfaces on one port, and whoever reaches the last two can start
runs. So the SuperLink listens on loopback only, and this process stands before it. What it passes on is built anew
from the parts it has checked (path, body, a handful of headers), never handed through, so that no trick of spelling
or framing means one thing here and another there. It touches no Flower code.

Usage: ``python -m server.flower.gateway --listen HOST:PORT --superlink HOST:PORT --authority ca.pem
--certificate server.pem --key server.key --nodes nodes``
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import ssl
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from server.flower.bells import MESSAGES, REPLIES, Bell, ring
from server.flower.doors import KEEP_ALIVE, Doors, DoorServer, Visitor
from server.flower.held import PULL, PUSH, HeldPulls, wait_of
from server.flower.node_keys import PUBLIC_KEY_HEADER, SIGNATURE_HEADER, TIME_HEADER, NodeList, NodeSignatures

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_SMALL = 64 * 1024
#: The calls that a node of ours makes (``clients/flower/connection.py``), each with the largest body in bytes.
FLEET_CALLS: Mapping[bytes, int] = {
    b"/v1/fleet/activate-node": _SMALL,
    b"/v1/fleet/deactivate-node": _SMALL,
    b"/v1/fleet/send-node-heartbeat": _SMALL,
    PULL.encode(): _SMALL,
    PUSH.encode(): 64 * 1024 * 1024 + _SMALL,
}
#: Headers that are passed on, if they stand there once: what is sent, and who sends it.
_PASSED_ON = frozenset(
    {
        b"accept",
        b"content-type",
        PUBLIC_KEY_HEADER,
        SIGNATURE_HEADER,
        TIME_HEADER,
        b"flwr-package-name",
        b"flwr-package-version",
        b"flwr-component-name",
    }
)
#: Seconds for a caller to send a body, for the SuperLink to answer, and for the caller to take the answer.
_BODY_TIME, _ANSWER_TIME, _TAKING_TIME = 30.0, 30.0, 60.0
#: Bytes of large bodies that are held at once, of all callers together.
_BODIES = 256 * 1024 * 1024
#: Calls of one key at once: its loop, its heartbeat, and as many again while lost ones end.
_CALLS_OF_KEY = 4
#: Connections to the SuperLink at once, and seconds for which an idle one is kept: it closes them after 5 by itself.
_CONNECTIONS, _IDLE = 512, 4.0
#: Bytes of an answer that are handed over at once.
_PIECE = 256 * 1024

log = logging.getLogger("cohortium.gateway")


class Gateway:
    """The ASGI application.

    What is looked at, in this order, and before a byte of a body is read: path, headers, whether the key is registered
    and the time signed by it, the body's length, and whether there is room for it.
    """

    def __init__(self, superlink: httpx.AsyncClient, nodes: NodeList, *, bells: Path | None = None) -> None:
        """Prepare.

        Args:
            superlink: a client of it.
            nodes: the registered keys.
            bells: the folder in which the coordinator rings for messages; without it no pull is held.
        """
        self._signatures = NodeSignatures(nodes)
        self._holds = bells is not None
        self._held = HeldPulls(
            superlink,
            is_known=lambda key: nodes.key_of(key) is not None,
            on_reply=lambda: None if bells is None else _tell(bells),
        )
        self._room = _Room()
        self._log = _RefusalLog()
        self.passed_on: Counter[str] = Counter()

    def rung(self) -> None:
        """The coordinator has sent messages."""
        self._held.rung()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":  # uvicorn is told to offer nothing else
            return
        path: bytes = scope.get("raw_path") or b""
        limit = FLEET_CALLS.get(path)
        # The path as it was sent, byte for byte: nothing is decoded or made shorter before it is compared.
        if limit is None or scope["method"] != "POST" or scope["query_string"]:
            await self._refuse(scope, send, 404)
            return
        headers = _single(scope["headers"])
        if headers is None or headers.get(b"content-type") != b"application/protobuf":
            await self._refuse(scope, send, 400)
            return
        key = self._signatures.signer(headers)
        if key is None:
            await self._refuse(scope, send, 401)
            return
        state = scope["state"]
        doors: Doors = state["doors"]
        visitor: Visitor = state["visitor"]
        doors.recognise(visitor, key)
        length = headers.get(b"content-length")
        if length is None or b"transfer-encoding" in headers:  # a node of ours says how long its body is, and once
            await self._refuse(scope, send, 411)
            return
        size = int(length)  # h11 has seen to it that this is a number
        if size > limit:
            await self._refuse(scope, send, 413)
            return
        with self._room.taken(key, size) as there_is:
            if not there_is:
                await self._refuse(scope, send, 503)
                return
            await self._pass_on(scope, receive, send, headers, size, key)

    async def _pass_on(
        self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes], size: int, key: bytes
    ) -> None:
        path = scope["raw_path"].decode()
        try:
            async with asyncio.timeout(_BODY_TIME):
                body = await _body(receive, size)
        except TimeoutError:
            body = None
        if body is None:
            await self._refuse(scope, send, 408)
            return
        try:
            answer = await self._held.post(
                key,
                path,
                body,
                [item for item in headers.items() if item[0] in _PASSED_ON],
                wait=wait_of(headers) if self._holds else 0.0,
                gone=lambda: _gone(receive),
            )
        except httpx.HTTPError as error:
            log.warning("the SuperLink does not answer: %s", type(error).__name__)
            await _respond(send, 502)
            return
        self.passed_on[path] += 1
        if answer is None:
            return
        try:
            async with asyncio.timeout(_TAKING_TIME):
                await _respond(send, answer.status_code, answer.content)
        except TimeoutError:
            scope["state"]["visitor"].turn_out()

    async def _refuse(self, scope: Scope, send: Send, status: int) -> None:
        self._log.refused(scope, status)
        # The connection ends with it: what else comes on it is not even read.
        await _respond(send, status, close=True)


class _Room:
    """How many calls of a key are under way, and how many bytes of large bodies in all."""

    def __init__(self) -> None:
        self._calls: Counter[bytes] = Counter()
        self._uploads: set[bytes] = set()
        self._bytes = 0

    @contextmanager
    def taken(self, key: bytes, size: int) -> Iterator[bool]:
        """Take room for a call with a body of so many bytes; False if there is none."""
        large = size > _SMALL
        full = self._calls[key] >= _CALLS_OF_KEY
        if full or (large and (key in self._uploads or self._bytes + size > _BODIES)):
            yield False
            return
        self._calls[key] += 1
        if large:
            self._uploads.add(key)
            self._bytes += size
        try:
            yield True
        finally:
            self._calls -= Counter([key])
            if large:
                self._uploads.discard(key)
                self._bytes -= size


class _RefusalLog:
    """At most one line a second, so that nobody outside can fill the disk."""

    def __init__(self) -> None:
        self._last = 0.0
        self._left_out = 0

    def refused(self, scope: Scope, status: int) -> None:
        now = time.monotonic()
        if now - self._last < 1.0:
            self._left_out += 1
            return
        client = (scope.get("client") or ("?",))[0]
        path = bytes(scope.get("raw_path") or b"")[:100]
        log.warning("refused %s %r from %s: %d (%d more not shown)",
                    scope["method"][:10], path, client, status, self._left_out)  # fmt: skip
        self._last, self._left_out = now, 0


def _single(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes] | None:
    """Headers by name; None if one that matters is there twice."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in found and (name in _PASSED_ON or name == b"content-length"):
            return None
        found[name] = value
    return found


async def _body(receive: Receive, size: int) -> bytes | None:
    """The request's body of ``size`` bytes; None if it was cut off."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            body = b"".join(parts)
            return body if len(body) == size else None


async def _gone(receive: Receive) -> None:
    """Ends when the caller has closed the connection. To be asked once the body was read."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _tell(bells: Path) -> None:
    ring(bells / REPLIES)


async def _respond(send: Send, status: int, body: bytes = b"", *, close: bool = False) -> None:
    headers = [(b"content-type", b"application/protobuf"), (b"content-length", str(len(body)).encode())]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for start in range(0, len(body), _PIECE):  # each piece waits until the one before it was taken
        await send({"type": "http.response.body", "body": body[start : start + _PIECE], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def gateway_command(*, listen: str, superlink: str, authority: Path, keys: Path, nodes: Path) -> list[str]:
    """The command line of a gateway's process.

    Args:
        listen: ``host:port`` that partners reach.
        superlink: ``host:port`` of the SuperLink, on loopback.
        authority: what the SuperLink's certificate is checked with.
        keys: folder with the gateway's own ``server.pem`` and ``server.key``, which partners check.
        nodes: the file that ``write_nodes`` writes.
    """
    return [
        *(sys.executable, "-P", "-m", "server.flower.gateway", "--listen", listen, "--superlink", superlink),
        *("--authority", str(authority), "--certificate", str(keys / "server.pem")),
        *("--key", str(keys / "server.key"), "--nodes", str(nodes)),
    ]


def _bell(path: Path) -> Bell | None:
    """The bell that the coordinator rings; None where the folder cannot have one, and nodes have to poll."""
    try:
        return Bell(path)
    except OSError as error:
        log.info("no bell in %s (%s): nodes poll", path.parent, error.strerror)
        return None


def _listen(bell: Bell, gateway: Gateway) -> None:
    def heard() -> None:
        bell.heard()
        gateway.rung()

    asyncio.get_running_loop().add_reader(bell.fileno(), heard)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="Pass on the calls of holders' nodes to a SuperLink.")
    for name in ("listen", "superlink", "authority", "certificate", "key", "nodes"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_verify_locations(options.authority)
    client = httpx.AsyncClient(
        base_url=f"https://{options.superlink}", verify=trust, timeout=_ANSWER_TIME, trust_env=False,
        limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=64, keepalive_expiry=_IDLE),
    )  # fmt: skip
    nodes = Path(options.nodes)
    bell = _bell(nodes.parent / MESSAGES)
    gateway = Gateway(client, NodeList(nodes), bells=None if bell is None else nodes.parent)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # connections of a large federation
    host, _, port = options.listen.rpartition(":")
    server = DoorServer(
        uvicorn.Config(
            gateway,
            host=host.strip("[]"),
            port=int(port),
            http="h11",  # the strict one: ambiguous framing is an error
            ws="none",
            lifespan="off",
            interface="asgi3",
            ssl_certfile=options.certificate,
            ssl_keyfile=options.key,
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=1,
        ),
        Doors(),
        on_start=lambda: None if bell is None else _listen(bell, gateway),
    )
    server.run()
    log.info("passed on: %s", dict(gateway.passed_on))


if __name__ == "__main__":
    main()
