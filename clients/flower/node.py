"""The holder's node: a loop that answers requests with the handler that is installed here, and nothing else.

It activates a registered key at the SuperLink, polls, hands the bytes of a request to the handler and sends
the bytes of its reply. What the coordinator ships as code is never asked for.
"""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import SystemRandom
from types import FrameType, TracebackType
from typing import Literal

from clients.flower.connection import (
    FleetConnection,
    Refused,
    Request,
    Unreachable,
    check_flower_version,
)
from privacy.errors import ConfigError
from privacy.private_keys import load_node_key
from privacy.protocol.transport import Handler

#: What is sent when the handler raised, or when a message is malformed or too large. It says nothing.
FAILED_REPLY = b""
#: The largest request and the largest reply, in bytes.
MESSAGE_LIMIT = 64 * 1024 * 1024

NodeEvent = Literal["connecting", "away", "waiting", "connected", "lost", "request", "replied", "failed", "stopped"]

#: Seconds between looks. After a request the next one comes soon; every look in vain makes the pause a fifth longer, up
#: to the idle one. So a request waits at most for a sixth of the time that has passed since the last, or a second; and
#: of several nodes that wait for a coordinator at work the SuperLink has little to do.
_BUSY_POLL = 0.05
_IDLE_POLL = 1.0
_LONGER = 1.2
_HEARTBEAT_PAUSE = 5.0
#: Seconds for which a pull may wait at the gateway: less than Flower's client waits for an answer (30). Outside the
#: main thread nothing can end it earlier, and a stop waits for it.
_WAIT, _WAIT_IN_THREAD = 20, 1
#: A pull that took so many seconds was held: the next one follows at once.
_HELD = 0.5
#: Seconds for which a reply is tried to be sent.
_SEND_AGAIN = 120.0

#: While the server does not answer, that is said once in so many seconds.
_SAY_AGAIN = 60.0

log = logging.getLogger(__name__)


def run_node(  # noqa: PLR0913  all that a process of its own is told
    *,
    address: str,
    root_certificate: Path,
    node_key: Path,
    holder: str,
    handler: Handler,
    stop: threading.Event,
    on_event: Callable[[NodeEvent], None] | None = None,
    wait_for_registration: float = 60.0,
) -> None:
    """Answer the coordinator's requests until ``stop`` is set, or SIGTERM or SIGINT arrives.

    Signals are handled when this runs in the main thread; a second one interrupts a handler at work.
    While the SuperLink is away the node waits and comes back by itself.

    Args:
        address: ``host:port`` of the SuperLink.
        root_certificate: PEM file of the authority that signed the SuperLink's certificate.
        node_key: OpenSSH file of this node's private key, registered at the SuperLink.
        holder: id of this holder; for its own log only. The coordinator knows it by the registered key.
        handler: gets the bytes of a request, returns the bytes of the reply.
        stop: set it to end the loop; the node then signs off.
        on_event: told what happens, in one word.
        wait_for_registration: seconds to go on trying while the SuperLink refuses the key. It refuses an
            unregistered key, and for up to 20 seconds the key of a node that died without signing off.

    Raises:
        ConfigError: the key or certificate cannot be used, Flower has another version, or the SuperLink still
            refuses the key after ``wait_for_registration`` seconds.
    """
    check_flower_version()
    tell = on_event or (lambda event: None)
    key = load_node_key(node_key)
    with (
        _stopping_on_signals(stop) as pull,
        FleetConnection(address=address, root_certificate=root_certificate, key=key) as connection,
    ):
        node = _Node(connection, handler, pull, tell, holder, wait_for_registration)
        try:
            node.serve()
        finally:
            tell("stopped")


class _Stopped(Exception):
    """A signal to stop came while nothing was done but wait."""


class _Pull:
    """Around a pull: whether a signal may interrupt it, and for how many seconds it may wait.

    Attributes:
        stop: set when the node is to end.
        waits: whether nothing is done but wait.
    """

    def __init__(self, stop: threading.Event, wait: int) -> None:
        self.stop = stop
        self._wait = wait
        self.waits = False

    def __enter__(self) -> int:
        self.waits = True
        if self.stop.is_set():  # the signal came just before
            self.waits = False
            raise _Stopped
        return self._wait

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.waits = False


class _Node:
    """The loop's state: connected or not, and when it was last busy."""

    def __init__(
        self,
        connection: FleetConnection,
        handler: Handler,
        pull: _Pull,
        tell: Callable[[NodeEvent], None],
        holder: str,
        wait_for_registration: float,
    ) -> None:
        self._connection = connection
        self._pull = pull
        self._handler = handler
        self._stop = pull.stop
        self._tell = tell
        self._holder = holder
        self._wait_for_registration = wait_for_registration
        self._forgotten = threading.Event()
        self._unsent: tuple[Request, bytes, float] | None = None

    def serve(self) -> None:
        if not self._activate():
            return
        heart = threading.Thread(target=self._beat, name=f"heartbeat {self._holder}", daemon=True)
        heart.start()
        try:
            self._loop()
        finally:
            self._stop.set()
            heart.join()
            with contextlib.suppress(Unreachable, Refused, ConfigError):
                self._connection.deactivate()

    def _activate(self) -> bool:
        """Connect; False if told to stop before that succeeded."""
        self._tell("connecting")
        pauses = _backoff()
        refused_since: float | None = None
        said_away = -math.inf
        while not self._stop.is_set():
            try:
                self._connection.activate()
            except Unreachable:
                refused_since = None
                if time.monotonic() - said_away >= _SAY_AGAIN:
                    said_away = time.monotonic()
                    self._tell("away")
            except Refused:
                if refused_since is None:
                    refused_since = time.monotonic()
                    self._tell("waiting")
                if time.monotonic() - refused_since >= self._wait_for_registration:
                    raise ConfigError(
                        f"the coordinator does not accept the node key of holder {self._holder}",
                        hint="send the public node key to the coordinator's operator and ask to register it; "
                        "if it is registered, make sure that no other node runs with the same key",
                    ) from None
            else:
                self._forgotten.clear()
                self._tell("connected")
                return True
            self._stop.wait(next(pauses))
        return False

    def _loop(self) -> None:
        pause = _BUSY_POLL
        lost = False
        pauses = _backoff()
        while not self._stop.is_set():
            try:
                if self._forgotten.is_set() and not self._activate():
                    return
                begun = time.monotonic()
                answered = self._answer_one()
            except _Stopped:
                return
            except Unreachable:
                if not lost:
                    self._tell("lost")
                lost = True
                self._stop.wait(next(pauses))
                continue
            except Refused:
                # The run has ended, or the SuperLink has forgotten this node: the heartbeat tells which.
                if self._check_known():
                    self._unsent = None
                self._stop.wait(_BUSY_POLL)
                continue
            if lost:
                lost, pauses = False, _backoff()
                self._tell("connected")
            if answered or time.monotonic() - begun >= _HELD:
                pause = _BUSY_POLL
                continue
            pause = min(_LONGER * pause, _IDLE_POLL)
            self._stop.wait(pause)

    def _answer_one(self) -> bool:
        if self._unsent is None:
            with self._pull as wait:
                request = self._connection.receive(MESSAGE_LIMIT, wait=wait)
            if request is None:
                return False
            self._tell("request")
            reply = FAILED_REPLY if request.data is None else self._handle(request.data)
            if reply == FAILED_REPLY:
                self._tell("failed")
            self._unsent = request, reply, time.monotonic() + _SEND_AGAIN
        # What was computed, and perhaps charged, is sent again after an outage: its request does not come twice.
        request, reply, until = self._unsent
        if time.monotonic() > until:
            self._unsent = None
            return False
        self._connection.reply(request, reply)
        self._unsent = None
        self._tell("replied")
        return True

    def _handle(self, data: bytes) -> bytes:
        try:
            reply = self._handler(data)
        except Exception:
            # The text may quote a row: it stays in the holder's own log.
            log.exception("the handler of holder %s failed", self._holder)
            return FAILED_REPLY
        if not isinstance(reply, bytes) or len(reply) > MESSAGE_LIMIT:
            log.error("the handler of holder %s returned no bytes, or too many", self._holder)
            return FAILED_REPLY
        return reply

    def _beat(self) -> None:
        """Say every few seconds that this node is alive, also while the handler computes."""
        while not self._stop.wait(_HEARTBEAT_PAUSE):
            self._check_known()

    def _check_known(self) -> bool:
        """Whether the SuperLink knows this node, as far as it answers; if not, it is to be activated again."""
        try:
            known = self._connection.heartbeat()
        except (Unreachable, ConfigError):
            return False
        except Refused:
            known = False
        if not known:
            self._forgotten.set()
        return known


def _backoff() -> Iterator[float]:
    """Pauses between attempts to connect: 0.2 s, growing to 3 s, spread so that nodes do not come at once."""
    spread = SystemRandom()
    pause = 0.2
    while True:
        yield pause * spread.uniform(0.8, 1.2)
        pause = min(1.3 * pause, 3.0)


@contextlib.contextmanager
def _stopping_on_signals(stop: threading.Event) -> Iterator[_Pull]:
    """In the main thread, let the first SIGTERM or SIGINT set ``stop`` and end a pull; a second acts as before."""
    if threading.current_thread() is not threading.main_thread():
        yield _Pull(stop, _WAIT_IN_THREAD)
        return
    pull = _Pull(stop, _WAIT)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, action in before.items():
            signal.signal(number, action)

    def on_signal(number: int, frame: FrameType | None) -> None:
        restore()
        stop.set()
        if pull.waits:
            pull.waits = False
            raise _Stopped

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield pull
    finally:
        restore()
