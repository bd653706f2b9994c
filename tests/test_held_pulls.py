"""Pulls that wait at the gateway: a message goes to a caller who is there, once, and nobody asks for nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

pytest.importorskip("flwr")

import httpx

from clients.flower.node import _Stopped, _stopping_on_signals
from server.flower.bells import Bell, ring
from server.flower.held import ACTIVATE, HEARTBEAT, PULL, PUSH, HeldPulls, wait_of

KEY, OTHER = b"alpha", b"beta"


class SuperLink:
    """Answers calls as a SuperLink does: a message is given out once, and an empty answer has no bytes."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.pulls = 0
        self.knows = True
        self.faults: list[Exception] = []
        self.during: Callable[[], Awaitable[None]] | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.faults:
            raise self.faults.pop(0)
        if request.url.path == HEARTBEAT:
            return httpx.Response(200, content=b"ok" if self.knows else b"")
        if request.url.path != PULL:
            return httpx.Response(200, content=b"taken")
        self.pulls += 1
        found = self.messages.pop(0) if self.messages else b""
        if self.during is not None:
            await self.during()
        return httpx.Response(200, content=found)


class World:
    """A SuperLink, what stands before it, and callers."""

    def __init__(self) -> None:
        self.superlink = SuperLink()
        self.known = {KEY, OTHER}
        self.replies = 0
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.superlink), base_url="https://x")
        self.held = HeldPulls(client, is_known=self.known.__contains__, on_reply=self._replied)

    def _replied(self) -> None:
        self.replies += 1

    def pull(
        self, key: bytes = KEY, wait: float = 5.0, left: asyncio.Event | None = None
    ) -> asyncio.Task[bytes | None]:
        async def call() -> bytes | None:
            gone = left or asyncio.Event()

            async def ends() -> None:
                await gone.wait()

            answer = await self.held.post(key, PULL, b"", [], wait=wait, gone=ends)
            return None if answer is None else answer.content

        return asyncio.ensure_future(call())

    async def call(self, path: str, key: bytes = KEY) -> bytes:
        async def never() -> None:
            await asyncio.Event().wait()

        answer = await self.held.post(key, path, b"", [], wait=0.0, gone=never)
        assert answer is not None
        return answer.content


async def settled() -> None:
    """Everything that can go on has."""
    for _ in range(50):
        await asyncio.sleep(0)


Story = Callable[[World], Awaitable[None]]


def played(story: Story) -> World:
    async def play() -> World:
        world = World()
        await asyncio.wait_for(story(world), 30)
        return world

    return asyncio.run(play())


def test_a_pull_waits_for_the_bell_and_no_longer() -> None:
    async def story(world: World) -> None:
        pull = world.pull()
        await settled()
        assert not pull.done()
        world.superlink.messages.append(b"question")
        await settled()
        assert not pull.done()
        assert world.superlink.pulls == 1, "nobody looks meanwhile"
        world.held.rung()
        assert await pull == b"question"
        assert world.superlink.pulls == 2

    played(story)


def test_what_is_there_already_comes_at_once() -> None:
    async def story(world: World) -> None:
        world.superlink.messages += [b"one", b"two"]
        assert await world.pull() == b"one"
        assert await world.pull() == b"two"

    played(story)


def test_after_its_time_a_pull_looks_once_more_and_the_next_waits_without_a_look() -> None:
    async def story(world: World) -> None:
        assert await world.pull(wait=0.01) == b""
        assert world.superlink.pulls == 2, "at the beginning and, should a bell have been lost, at the end"
        pull = world.pull()
        world.superlink.messages.append(b"question")
        await settled()
        assert world.superlink.pulls == 2
        world.held.rung()
        assert await pull == b"question"

    played(story)


def test_a_bell_while_the_superlink_is_asked_is_heard() -> None:
    async def story(world: World) -> None:
        async def meanwhile() -> None:
            world.superlink.during = None
            world.superlink.messages.append(b"just now")
            world.held.rung()

        world.superlink.during = meanwhile
        assert await world.pull() == b"just now"

    played(story)


def test_a_newer_pull_of_a_key_ends_the_older_and_gets_what_comes() -> None:
    async def story(world: World) -> None:
        older = world.pull()
        await settled()
        newer = world.pull()
        assert await older == b""
        assert not newer.done()
        world.superlink.messages.append(b"question")
        world.held.rung()
        assert await newer == b"question"

    played(story)


def test_nothing_is_asked_for_a_caller_who_left() -> None:
    async def story(world: World) -> None:
        left = asyncio.Event()
        pull = world.pull(left=left)
        await settled()
        left.set()
        assert await pull is None
        world.superlink.messages.append(b"question")
        world.held.rung()
        await settled()
        assert world.superlink.pulls == 1
        assert await world.pull() == b"question"

    played(story)


def test_what_the_superlink_gave_out_for_a_caller_who_left_is_kept_for_the_next() -> None:
    async def story(world: World) -> None:
        left = asyncio.Event()

        async def meanwhile() -> None:
            left.set()
            await settled()

        world.superlink.messages.append(b"question")
        world.superlink.during = meanwhile
        assert await world.pull(left=left) is None
        world.superlink.during = None
        assert await world.pull(OTHER, wait=0.01) == b""
        assert await world.pull() == b"question"
        assert await world.pull(wait=0.01) == b""

    played(story)


def test_a_node_that_is_not_known_any_more_hears_so() -> None:
    """By its heartbeat, after which it activates; and whoever was taken off the list gets nothing."""

    async def story(world: World) -> None:
        pull = world.pull()
        await settled()
        world.superlink.knows = False
        assert await world.call(HEARTBEAT) == b""
        assert await pull == b""
        await world.call(ACTIVATE)
        pull = world.pull()
        await settled()
        assert world.superlink.pulls == 2, "an activated node is looked for anew"
        world.known.remove(KEY)
        world.superlink.messages.append(b"question")
        world.held.rung()
        assert await pull == b""
        assert world.superlink.messages == [b"question"]

    played(story)


def test_the_coordinator_is_told_of_replies_that_were_taken() -> None:
    async def story(world: World) -> None:
        await world.call(PUSH)
        await world.call(HEARTBEAT)
        assert world.replies == 1
        world.superlink.faults = [httpx.ConnectError("away")]
        with pytest.raises(httpx.ConnectError):
            await world.call(PUSH)
        assert world.replies == 1

    played(story)


def test_a_connection_that_was_closed_as_we_wrote_is_tried_again_once() -> None:
    async def story(world: World) -> None:
        world.superlink.faults = [httpx.RemoteProtocolError("closed")]
        assert await world.call(PUSH) == b"taken"
        world.superlink.faults = [httpx.RemoteProtocolError("closed")] * 2
        with pytest.raises(httpx.RemoteProtocolError):
            await world.call(PUSH)
        pull = world.pull()
        world.superlink.faults = [httpx.ConnectError("away")]
        with pytest.raises(httpx.ConnectError):
            await pull
        world.superlink.messages.append(b"question")
        assert await world.pull() == b"question", "after a fault nobody takes it that nothing is there"

    played(story)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(b"wait=20", 20.0), (b"", 0.0), (b"wait", 0.0), (b"wait=-1", 0.0), (b"wait=1e9", 0.0), (b"wait=99999", 0.0),
     (b"respond-async", 0.0), ("wait=²".encode(), 0.0)],
)  # fmt: skip
def test_who_does_not_say_that_it_would_wait_does_not(header: bytes, seconds: float) -> None:
    assert wait_of({b"prefer": header} if header else {}) == seconds


def _end_myself() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(60)


def test_a_signal_ends_a_pull_and_nothing_else() -> None:
    """What was received is answered before the node ends; while it only waits, it ends at once."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread only")
    stop = threading.Event()
    with _stopping_on_signals(stop) as pull:
        with pytest.raises(_Stopped), pull:
            _end_myself()
        assert stop.is_set()
        with pytest.raises(_Stopped), pull:
            raise AssertionError("a pull after the signal is not begun")
    stop = threading.Event()
    with _stopping_on_signals(stop) as pull:
        with pull:
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(60), "outside a pull the signal is noted only"


def test_a_bell_is_heard_once_however_often_it_rang(tmp_path: Path) -> None:
    path = tmp_path / "a.bell"
    assert not ring(path)
    with Bell(path) as bell:
        assert path.stat().st_mode & 0o077 == 0
        assert not bell.wait(0.0)
        assert all(ring(path) for _ in range(100_000)), "a full pipe rings"
        assert bell.wait(0.0)
        while bell.wait(0.0):
            pass
        threading.Timer(0.05, ring, [path]).start()
        assert bell.wait(20.0)
    assert not ring(path), "nobody listens any more"
    with Bell(path) as anew:
        assert ring(path)
        assert anew.wait(0.0)
