"""Pulls that wait at the gateway for a message, so that nobody has to ask the SuperLink whether there is one.

An empty answer costs a SuperLink some 17 ms of processor, and a node that polls wants twenty of them a second. Here the
empty answer to a node's pull is kept back for as long as the node said that it would wait (``Prefer: wait=SECONDS``,
RFC 7240); when the coordinator's bell rings, the same request goes to the SuperLink again. Until then none of that node
goes there. Empty means status 200 and a body without bytes, which is what an empty answer of Flower's is: nothing of
what passes is read.

The SuperLink gives a message out once. So a pull is made only for a caller who is still there: a newer pull of the same
key ends the older one, a closed connection ends its pull, and an answer that comes too late for its caller is kept for
the next pull of that key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import httpx

PULL, PUSH = "/v1/fleet/pull-messages", "/v1/fleet/push-messages"
HEARTBEAT, ACTIVATE = "/v1/fleet/send-node-heartbeat", "/v1/fleet/activate-node"
#: Seconds that a pull is held at most: less than a node's client waits for an answer (30), and much less than Flower's
#: signatures are good for (300).
LONGEST = 20.0
#: How a node says for how long it would wait.
PREFER_HEADER = b"prefer"
#: Seconds for which an answer that found no caller is kept for the next pull of its key.
_KEPT = 60.0

Headers = Sequence[tuple[bytes, bytes]]


class _Hold:
    """A pull that waits."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self.over = False

    def end(self) -> None:
        """Have it answered now, whatever there is."""
        self.over = True
        self.woken.set()


class HeldPulls:
    """Calls of nodes to the SuperLink."""

    def __init__(self, client: httpx.AsyncClient, *, is_known: Callable[[bytes], bool], on_reply: Callable[[], None]):
        """Prepare.

        Args:
            client: of the SuperLink.
            is_known: whether a key is still registered.
            on_reply: called after each reply that the SuperLink took.
        """
        self._client = client
        self._is_known = is_known
        self._on_reply = on_reply
        self._holds: dict[bytes, _Hold] = {}
        #: Keys for which the SuperLink said that nothing is there, and no bell has rung since.
        self._empty: set[bytes] = set()
        self._late: dict[bytes, tuple[httpx.Response, float]] = {}

    def rung(self) -> None:
        """There may be messages: ask again for all nodes."""
        self._empty.clear()
        for hold in self._holds.values():
            hold.woken.set()

    async def post(
        self, key: bytes, path: str, body: bytes, headers: Headers, *, wait: float, gone: Callable[[], Awaitable[None]]
    ) -> httpx.Response | None:
        """One call of a node; None if its caller is gone.

        Args:
            key: the caller's.
            path: one of Flower's fleet calls.
            body, headers: as they are passed on.
            wait: seconds that a pull may be held; 0 for an answer at once.
            gone: ends when the caller has closed the connection.

        Raises:
            httpx.HTTPError: if the SuperLink does not answer.
        """
        if path == PULL and wait > 0:
            return await self._unless_gone(key, body, headers, min(wait, LONGEST), gone)
        answer = await self._send(path, body, headers)
        if path == PUSH and answer.status_code == 200:
            self._on_reply()
        elif path == ACTIVATE:
            self._empty.discard(key)
        elif path == HEARTBEAT and not answer.content and key in self._holds:
            self._holds[key].end()  # the SuperLink does not know this node any more: it has to hear so
        return answer

    async def _unless_gone(
        self, key: bytes, body: bytes, headers: Headers, wait: float, gone: Callable[[], Awaitable[None]]
    ) -> httpx.Response | None:
        hold = _Hold()
        pulling = asyncio.ensure_future(self._pull(key, body, headers, wait, hold))
        leaving = asyncio.ensure_future(gone())
        try:
            await asyncio.wait((pulling, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not leaving.done():
                return await pulling
            hold.end()
            answer = await pulling  # what was asked of the SuperLink already is not given out again
            if answer.status_code == 200 and answer.content:
                self._late[key] = answer, asyncio.get_running_loop().time() + _KEPT
            return None
        finally:
            for task in (pulling, leaving):
                task.cancel()

    async def _pull(self, key: bytes, body: bytes, headers: Headers, wait: float, hold: _Hold) -> httpx.Response:
        clock = asyncio.get_running_loop().time
        until = clock() + wait
        late, good_until = self._late.pop(key, (None, 0.0))
        if late is not None and clock() < good_until:
            return late
        if key in self._holds:
            self._holds[key].end()
        self._holds[key] = hold
        try:
            while True:
                hold.woken.clear()  # before asking: what rings from here on is not missed
                if key not in self._empty:
                    answer = await self._ask(key, body, headers)
                    if answer is not None:
                        return answer
                if hold.over or clock() >= until:
                    return httpx.Response(200)
                try:
                    async with asyncio.timeout_at(until):
                        await hold.woken.wait()
                except TimeoutError:
                    self._empty.discard(key)  # look once at the end, should a bell have been lost
                if hold.over or not self._is_known(key):  # who was taken off the list meanwhile gets nothing more
                    return httpx.Response(200)
        finally:
            if self._holds.get(key) is hold:
                del self._holds[key]

    async def _ask(self, key: bytes, body: bytes, headers: Headers) -> httpx.Response | None:
        """Ask the SuperLink; None if nothing is there."""
        self._empty.add(key)  # before asking: a bell that rings meanwhile takes it away again
        try:
            answer = await self._send(PULL, body, headers)
        except BaseException:
            self._empty.discard(key)
            raise
        if answer.status_code == 200 and not answer.content:
            return None
        self._empty.discard(key)  # there may be more, or nobody knows
        return answer

    async def _send(self, path: str, body: bytes, headers: Headers) -> httpx.Response:
        try:
            return await self._client.post(path, content=body, headers=list(headers))
        except httpx.RemoteProtocolError:
            # A kept connection was closed as we wrote. Every fleet call may come twice: a reply that is there already
            # is taken for the same one, and a message is given out once, whether or not its pull is asked again.
            return await self._client.post(path, content=body, headers=list(headers))


def wait_of(headers: dict[bytes, bytes]) -> float:
    """For how many seconds a caller would wait; 0 where it does not say, or not in this form."""
    name, _, seconds = headers.get(PREFER_HEADER, b"").partition(b"=")
    return float(seconds) if name.strip() == b"wait" and seconds.isdigit() and len(seconds) <= 4 else 0.0
