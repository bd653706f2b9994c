"""Bells between two processes of one operator's account: named pipes through which one wakes another.

A bell says "look again" and nothing else. Who does not hear one looks a little later by itself.
"""

from __future__ import annotations

import contextlib
import os
import select
from pathlib import Path
from types import TracebackType
from typing import Self

#: Rung after messages for nodes were given to the SuperLink, and after a node's reply was.
MESSAGES, REPLIES = "messages.bell", "replies.bell"
#: Where the bells of a SuperLink's processes are: a variable of their environment.
FOLDER = "COHORTIUM_BELLS"


class Bell:
    """A bell that this process listens to; a context manager.

    Raises:
        OSError: where the folder cannot have one.
    """

    def __init__(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()  # of a process that ended; whoever holds it open rings a bell that nobody hears
        os.mkfifo(path, 0o600)
        # For writing, too: else it would be at its end whenever nobody else has it open.
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._pipe)

    def fileno(self) -> int:
        """What a loop waits on; then call :meth:`heard`."""
        return self._pipe

    def heard(self) -> None:
        """Forget how often it rang."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._pipe, 4096)

    def wait(self, seconds: float) -> bool:
        """Wait until it rings; False if it did not within so many seconds."""
        found, _, _ = select.select([self._pipe], [], [], max(seconds, 0.0))
        if found:
            self.heard()
        return bool(found)


def ring(path: Path) -> bool:
    """Ring a bell without waiting; whether somebody listens to it."""
    try:
        pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # there is none, or nobody has it open
        return False
    try:
        with contextlib.suppress(BlockingIOError):  # it is full: it rings already
            os.write(pipe, b"!")
        return True
    finally:
        os.close(pipe)
