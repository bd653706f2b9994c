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
import base64
import logging
import ssl
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_SMALL = 64 * 1024
#: The calls that a node of ours makes (``clients/flower/connection.py``), each with the largest body in bytes.
FLEET_CALLS: Mapping[bytes, int] = {
    b"/v1/fleet/activate-node": _SMALL,
    b"/v1/fleet/deactivate-node": _SMALL,
    b"/v1/fleet/send-node-heartbeat": _SMALL,
    b"/v1/fleet/pull-messages": _SMALL,
    b"/v1/fleet/push-messages": 64 * 1024 * 1024 + _SMALL,
}
PUBLIC_KEY_HEADER = b"flwr-public-key"
#: Headers that are passed on, if they stand there once: what is sent, and who sends it.
_PASSED_ON = frozenset(
    {
        b"accept",
        b"content-type",
        PUBLIC_KEY_HEADER,
        b"flwr-signature",
        b"flwr-timestamp",
        b"flwr-package-name",
        b"flwr-package-version",
        b"flwr-component-name",
    }
)
#: Seconds for a caller to send a body, and for the SuperLink to answer.
_BODY_TIME, _ANSWER_TIME = 60.0, 30.0
#: Connections at once; more are told to come back.
_CONNECTIONS = 512

log = logging.getLogger("cohortium.gateway")


class NodeList:
    """The registered public keys: a file with a line ``NAME OPENSSH-KEY`` for each, read again when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._known: frozenset[bytes] = frozenset()

    def __contains__(self, header: bytes) -> bool:
        """Whether the value of ``PUBLIC_KEY_HEADER`` is a registered key's. Nobody's is if the file is not there."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp:
                lines = self._path.read_text(encoding="utf-8").splitlines()
                self._known = frozenset(header_of(line.split(maxsplit=1)[1]) for line in lines if line.strip())
                self._stamp = stamp
        except (OSError, ValueError, IndexError, UnsupportedAlgorithm) as error:
            log.error("the list of nodes cannot be read: %s", type(error).__name__)
            self._known, self._stamp = frozenset(), None
        return header in self._known


def write_nodes(path: Path, keys: Mapping[str, str]) -> None:
    """Write the list of registered nodes, by name, in one step."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text("".join(f"{name} {key.strip()}\n" for name, key in sorted(keys.items())), encoding="utf-8")
    draft.replace(path)


def header_of(openssh: str) -> bytes:
    """What a node with this public key sends in ``PUBLIC_KEY_HEADER``."""
    key = load_ssh_public_key(openssh.encode())
    return base64.b64encode(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


class Gateway:
    """The ASGI application."""

    def __init__(self, superlink: httpx.AsyncClient, nodes: NodeList) -> None:
        self._superlink = superlink
        self._nodes = nodes
        self._log = _RefusalLog()
        self.passed_on: Counter[str] = Counter()

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
        if headers.get(PUBLIC_KEY_HEADER, b"") not in self._nodes:
            await self._refuse(scope, send, 401)
            return
        try:
            async with asyncio.timeout(_BODY_TIME):
                body = await _body(receive, limit, headers.get(b"content-length"))
        except TimeoutError:
            body = None
        if body is None:
            await self._refuse(scope, send, 413)
            return
        try:
            answer = await self._superlink.post(
                path.decode(), content=body, headers=[item for item in headers.items() if item[0] in _PASSED_ON]
            )
        except httpx.HTTPError as error:
            log.warning("the SuperLink does not answer: %s", type(error).__name__)
            await _respond(send, 502)
            return
        self.passed_on[path.decode()] += 1
        await _respond(send, answer.status_code, answer.content)

    async def _refuse(self, scope: Scope, send: Send, status: int) -> None:
        self._log.refused(scope, status)
        await _respond(send, status)


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


async def _body(receive: Receive, limit: int, announced: bytes | None) -> bytes | None:
    """The request's body; None if it is over the limit or was cut off."""
    if announced is not None and int(announced) > limit:  # uvicorn has seen to it that this is a number
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


async def _respond(send: Send, status: int, body: bytes = b"") -> None:
    headers = [(b"content-type", b"application/protobuf"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


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
        limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=64, keepalive_expiry=60.0),
    )  # fmt: skip
    gateway = Gateway(client, NodeList(Path(options.nodes)))
    host, _, port = options.listen.rpartition(":")
    server = uvicorn.Server(
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
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=1,
        )
    )
    server.run()
    log.info("passed on: %s", dict(gateway.passed_on))


if __name__ == "__main__":
    main()
