"""When replies leave: at public moments, so that the time taken says next to nothing about the rows."""

from __future__ import annotations

import math
import time

from privacy.protocol.messages import FinishRequest, HelloRequest, OpenRequest, ReadyRequest, WitnessRequest

#: Seconds until a reply may leave that touched the rows: of a request that works through all of the data, and of a
#: question. After that it leaves at twice, four times, eight times ... as much.
PREPARED, ANSWERED = 0.25, 0.05
#: Of a request that touches no row: its time is the ledger's and the cryptography's, and waits for nothing.
AT_ONCE = 0.0
#: The same by the kind of request; of all others, and of what is none, as an answer's.
FIRST = {
    HelloRequest.__name__: PREPARED,
    FinishRequest.__name__: PREPARED,
    ReadyRequest.__name__: AT_ONCE,
    OpenRequest.__name__: AT_ONCE,
    WitnessRequest.__name__: AT_ONCE,
}


class Clock:
    """The two clocks a node needs, in one place so that tests can stand in for them."""

    def now(self) -> int:
        """Seconds since 1970, UTC."""
        return int(time.time())

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def delay(elapsed: float, first: float) -> float:
    """Seconds to wait so that a reply leaves ``first`` x 1, 2, 4, 8, ... after the request came.

    So it shows the order of magnitude of the time that it took and no more: of anything up to a minute of work one of
    ten moments, where a grid of equal steps as short as the first would show one of a thousand.

    Args:
        elapsed: seconds since the request came.
        first: seconds; 0 for a reply that leaves as soon as it is there.
    """
    if first == AT_ONCE:
        return 0.0
    slots = max(1, math.ceil(elapsed / first))
    return (1 << (slots - 1).bit_length()) * first - elapsed


def leave(clock: Clock, started: float, first: float) -> None:
    """Sleep until the reply to a request that came at ``started`` may leave; see :func:`delay`."""
    clock.sleep(delay(clock.monotonic() - started, first))
