"""Lock files: one process at a time, and whether there is one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from privacy.errors import Busy


@contextmanager
def one_at_a_time(lock: Path, *, what: str = "another process works here") -> Iterator[None]:
    """Hold a lock file; it is let go when the process ends, however it ends.

    Raises:
        Busy: if another run holds it.
    """
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(what, hint="wait for it to end") from None
        yield
    finally:
        os.close(descriptor)


def is_held(lock: Path) -> bool:
    """Whether another process holds a lock file."""
    if not lock.exists():
        return False
    try:
        with one_at_a_time(lock):
            return False
    except Busy:
        return True
