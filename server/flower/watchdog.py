"""Ends the process groups named on standard input as soon as whoever writes there is gone.

Run as a script by ``processes.py`` with nothing but the standard library, so that it starts at once.
Lines: ``+<group>`` to watch a group, ``-<group>`` when it has ended. At the end of the input every group
still watched gets SIGTERM and, two seconds later, SIGKILL.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time


def watch() -> None:
    """Read until the end of the input, then end what is left."""
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        deadline = time.monotonic() + 2.0
        while any(_alive(group) for group in groups) and time.monotonic() < deadline:
            time.sleep(0.05)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    # Signals are for the process that is watched; this one ends with its input.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    watch()
