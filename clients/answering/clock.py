"""When replies leave: on a public grid, so that the time taken says next to nothing about the rows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

#: Seconds between the moments at which answers may leave.
GRID = 0.25


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


def steady_delay(elapsed: float) -> float:
    """Seconds to wait so that the reply leaves at a multiple of ``GRID`` after the request came."""
    return max(1, math.ceil(elapsed / GRID)) * GRID - elapsed


def doubling_delay(elapsed: float) -> float:
    """Seconds to wait so that the reply leaves ``GRID`` x 1, 2, 4, 8, ... after the request came.

    For the one step whose length grows with the data (building the customer table): it shows the order of
    magnitude of the time and no more.
    """
    slots = max(1, math.ceil(elapsed / GRID))
    return (1 << (slots - 1).bit_length()) * GRID - elapsed


def on_grid(clock: Clock, started: float, delay: Callable[[float], float]) -> None:
    """Sleep until the reply to a request that came at ``started`` may leave."""
    clock.sleep(delay(clock.monotonic() - started))
