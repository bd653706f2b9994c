"""The deployed carrier: bytes over Flower's Grid, to nodes that hold registered keys."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from server.flower.bells import MESSAGES, REPLIES, Bell, ring
from server.flower.internals import FIELD, RECORD, Inbox, Unreachable, patience, push

#: Seconds before the first look at the inbox, and between looks. Holders' replies leave at multiples of a quarter
#: of a second, so that earlier looks would only keep the SuperLink from its work. Each look in vain makes the pause
#: longer: whoever waits for a holder that is away would else take a third of a processor, and the SuperLink another.
_FIRST_LOOK, _POLL, _LONGEST, _LONGER = 0.2, 0.03, 0.25, 1.15
#: Where the gateway rings for each reply: seconds to a look all the same, should a bell have been lost; and seconds
#: from the first ring to the look, so that replies that come together are seen together.
_LOOK_ANYWAY, _TOGETHER = 1.0, 0.02
#: The largest reply, in bytes; a larger one counts as none.
_REPLY_LIMIT = 64 * 1024 * 1024
#: A message outlives its time-out by this much, so that a clock some seconds off does not kill a reply.
_CLOCK_GRACE = 5.0
#: Seconds to wait for the SuperLink's list of nodes where no other limit is given.
_LISTING = 30.0

log = logging.getLogger(__name__)


class FlowerTransport:
    """The ``Transport`` port over Flower; built inside a ServerApp.

    A holder is the name under which the coordinator's operator registered a node's public key. Flower checks
    that key on every call of a node, so a node cannot choose its holder. Should one name be registered for
    two nodes that are both online, neither is used.
    """

    name = "flower"

    def __init__(self, grid: Grid, *, bells: Path | None = None) -> None:
        """Prepare.

        Args:
            grid: Flower's.
            bells: the folder of the gateway's bells, if one is there; else nodes and inbox are polled.
        """
        self._grid = grid
        self._bells = bells
        self._bell: Bell | None = None

    def holders(self) -> tuple[str, ...]:
        """Ids of the holders that are connected now, sorted. A node that died counts for 20 seconds more."""
        return tuple(sorted(self._nodes(_LISTING)))

    def exchange(
        self,
        requests: Mapping[str, bytes],
        *,
        timeout: float,
        on_reply: Callable[[str], None] | None = None,
    ) -> dict[str, bytes]:
        """Send each holder its bytes and wait for the replies at most ``timeout`` seconds.

        Each holder gets one message. Absent from the result: holders that are not connected, did not answer
        in time, or whose reply is an error of the carrier (Flower's own, or the empty one that a node sends
        when its handler failed). Replies that come later are dropped.
        """
        deadline = time.monotonic() + timeout
        nodes = self._nodes(timeout)
        reached = [holder for holder in sorted(requests) if holder in nodes]
        if not reached or timeout <= 0:
            return {}
        messages = [self._message(nodes[holder], requests[holder], timeout + _CLOCK_GRACE) for holder in reached]
        replies: dict[str, bytes] = {}
        try:
            with patience(self._grid, deadline - time.monotonic()):
                sent = zip(push(self._grid, messages), reached, strict=True)
            waiting = {message_id: holder for message_id, holder in sent if message_id}
            inbox = Inbox(self._grid, waiting)
            rings = self._rung()
            pause = _LOOK_ANYWAY if rings else _FIRST_LOOK
            while waiting and (left := deadline - time.monotonic()) > 0:
                self._sleep(min(pause, left))
                with patience(self._grid, deadline - time.monotonic()):
                    arrived = inbox.poll()
                for message_id, data in arrived.items():
                    holder = waiting.pop(message_id)
                    if data and len(data) <= _REPLY_LIMIT:
                        replies[holder] = data
                        if on_reply is not None:
                            on_reply(holder)
                if not rings:
                    pause = _POLL if arrived or pause == _FIRST_LOOK else min(_LONGER * pause, _LONGEST)
        except Unreachable as error:
            log.warning("the SuperLink did not answer in time: %s", error)
        return replies

    def _rung(self) -> bool:
        """Tell the gateway that there are messages; whether it is there, and so tells of replies."""
        if self._bells is None:
            return False
        if self._bell is None:
            try:
                self._bell = Bell(self._bells / REPLIES)
            except OSError:
                return False
        return ring(self._bells / MESSAGES)

    def _sleep(self, seconds: float) -> None:
        if self._bell is None:
            time.sleep(seconds)
        elif self._bell.wait(seconds):
            time.sleep(_TOGETHER)

    def _nodes(self, timeout: float) -> dict[str, int]:
        """Flower's node id of every connected holder; none if the SuperLink does not answer."""
        try:
            with patience(self._grid, timeout):
                nodes = [node for node in self._grid.get_nodes() if node.name]
        except Unreachable as error:
            log.warning("the SuperLink did not say who is online: %s", error)
            return {}
        count = Counter(node.name for node in nodes)
        for name in sorted(name for name, times in count.items() if times > 1):
            log.warning("two nodes are registered as %s and online; neither is used", name)
        return {node.name: node.node_id for node in nodes if count[node.name] == 1}

    @staticmethod
    def _message(node: int, data: bytes, ttl: float) -> Message:
        content = RecordDict({RECORD: ConfigRecord({FIELD: data})})
        return Message(content, node, "query.cohortium", ttl=ttl)
