"""When a process lets go of a run that it takes part in: rules, without a clock of their own.

Each run keeps a customer table in memory, and a process takes part in few at once. A run is over after FINISH. Two more
ends are here, for FINISH may never come: who was not asked for long makes room for a new one, and a wall clock that
jumped ends all, for what was agreed in them was agreed at another time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from privacy.protocol.study import Study

#: Seconds by which the wall clock may drift from the monotonic one while a run lasts.
MAX_JUMP = 60


class Moment(NamedTuple):
    """One moment on both clocks.

    Attributes:
        wall: seconds since 1970, UTC.
        monotonic: seconds on a clock that nobody sets.
    """

    wall: int
    monotonic: float


class UnderWay(Protocol):
    """A run, as these rules see it.

    Attributes:
        began: when this process said HELLO in it.
        used: monotonic seconds of the last request of it.
        asked: whether a plan of it was shown; before that, other holders may still prepare their tables.
    """

    began: Moment
    used: float

    @property
    def study(self) -> Study:
        """The run's study."""
        ...

    @property
    def asked(self) -> bool:
        """See the class."""
        ...


def jumped(run: UnderWay, now: Moment) -> bool:
    """Whether the wall clock was set since a run began, by more than clocks drift."""
    wall, monotonic = now.wall - run.began.wall, now.monotonic - run.began.monotonic
    return abs(wall - monotonic) > MAX_JUMP


def longest_idle(runs: Mapping[str, UnderWay], monotonic: float) -> str | None:
    """The run that may make room for a new one; None while the coordinator may still come back to each.

    It waits for holders as long as the study says: ``waits.answering``, and before the first plan ``waits.joining``.
    """
    idle = {
        name: monotonic - run.used
        for name, run in runs.items()
        if monotonic - run.used > (run.study.waits.answering if run.asked else run.study.waits.joining)
    }
    return max(idle, key=lambda name: idle[name], default=None)
