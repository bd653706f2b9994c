"""Connections of the gateway: how many there may be, from whom, and for how long without a word.

Whoever has not shown the signature of a registered node is a stranger. Strangers are bounded in number, in all and
from each address, before TLS begins, and a stranger who comes to a full house takes the place of the one who has been
there longest without showing a key, so that nobody can keep partners out by holding connections open.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

#: Connections of strangers at once, in all and from one address; and of one registered key.
STRANGERS, STRANGERS_OF_ADDRESS, CONNECTIONS_OF_KEY = 256, 32, 8
#: Seconds for a TLS handshake, and again for the head of each request.
HEAD_TIME = 10.0
#: Seconds that a connection is kept between two requests.
KEEP_ALIVE = 20
#: Seconds for the other side to say good-bye.
_CLOSING_TIME = 2.0

log = logging.getLogger("cohortium.gateway")


class Visitor:
    """One connection: where it comes from, and which key it showed."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.key: bytes | None = None
        self.transport: asyncio.Transport | None = None
        self.task: asyncio.Task[None] | None = None

    def turn_out(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()
        elif self.task is not None:
            self.task.cancel()


class Doors:
    """Counts visitors."""

    def __init__(self) -> None:
        self._strangers: dict[Visitor, None] = {}  # in the order of their coming
        self._addresses: Counter[str] = Counter()
        self._known: dict[bytes, dict[Visitor, None]] = {}

    def enter(self, address: str) -> Visitor | None:
        """Let a stranger in; None if there are too many from that address."""
        if self._addresses[address] >= STRANGERS_OF_ADDRESS:
            return None
        if len(self._strangers) >= STRANGERS:
            eldest = next(iter(self._strangers))
            self.leave(eldest)
            eldest.turn_out()
        visitor = Visitor(address)
        self._strangers[visitor] = None
        self._addresses[address] += 1
        return visitor

    def recognise(self, visitor: Visitor, key: bytes) -> None:
        """A visitor showed a registered key's signature: it counts as that node's from here on.

        Of too many connections of one key the eldest goes: a node that lost its network leaves such behind.
        """
        if visitor.key == key:
            return
        self.leave(visitor)
        visitor.key = key
        own = self._known.setdefault(key, {})
        own[visitor] = None
        if len(own) > CONNECTIONS_OF_KEY:
            eldest = next(iter(own))
            self.leave(eldest)
            eldest.turn_out()

    def leave(self, visitor: Visitor) -> None:
        """A visitor is gone, or is none any more."""
        if visitor in self._strangers:
            del self._strangers[visitor]
            self._addresses -= Counter([visitor.address])  # keeps no address that nobody is from
        elif visitor.key is not None:
            own = self._known.get(visitor.key, {})
            own.pop(visitor, None)
            if not own:
                self._known.pop(visitor.key, None)

    @property
    def strangers(self) -> int:
        """How many visitors have not shown a key."""
        return len(self._strangers)


class PatientProtocol(H11Protocol):
    """HTTP/1.1 of one visitor, with an end to waiting for the head of a request."""

    def __init__(self, *, doors: Doors, visitor: Visitor, **options: Any) -> None:
        super().__init__(app_state={"doors": doors, "visitor": visitor}, **options)
        self._doors = doors
        self._visitor = visitor
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._visitor.transport = transport
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Go on; the wait ends with a whole head, not with some bytes of one."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._stop_waiting()
        elif self.cycle is None or self.cycle.response_complete:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the visitor."""
        self._stop_waiting()
        self._doors.leave(self._visitor)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, where an answer can still be given."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.abort()

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIME, self._visitor.turn_out)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class DoorServer(uvicorn.Server):
    """uvicorn behind doors of our own: who comes is counted before TLS begins, and a handshake has an end."""

    def __init__(self, config: uvicorn.Config, doors: Doors, *, on_start: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._on_start = on_start
        self._doors = doors
        self._tasks: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        config = self.config
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        try:
            listener = socket.create_server((config.host, config.port), family=family, backlog=256)
        except OSError as error:
            log.error("cannot listen on %s port %d: %s", config.host, config.port, error.strerror)
            sys.exit(1)
        listener.setblocking(False)
        self._listener = listener
        self.servers = []
        if self._on_start is not None:
            self._on_start()
        self._accepting = asyncio.get_running_loop().create_task(self._accept(listener))
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, and end what is under way."""
        self._accepting.cancel()
        self._listener.close()
        for task in list(self._tasks):
            task.cancel()
        await super().shutdown(sockets)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listener)
            except OSError:  # no file descriptor left, or the caller is gone already
                await asyncio.sleep(0.05)
                continue
            visitor = self._doors.enter(str(address[0]))
            if visitor is None:
                connection.close()
                continue
            visitor.task = loop.create_task(self._let_in(connection, visitor))
            self._tasks.add(visitor.task)
            visitor.task.add_done_callback(self._tasks.discard)

    async def _let_in(self, connection: socket.socket, visitor: Visitor) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                lambda: PatientProtocol(
                    doors=self._doors, visitor=visitor, config=self.config, server_state=self.server_state, _loop=loop
                ),
                connection,
                ssl=self.config.ssl,
                ssl_handshake_timeout=HEAD_TIME,
                ssl_shutdown_timeout=_CLOSING_TIME,
            )
        except (OSError, ssl.SSLError, TimeoutError, asyncio.CancelledError):
            # Whatever it was that came, it is not one that could be spoken to.
            self._doors.leave(visitor)
            connection.close()
