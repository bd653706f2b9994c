"""Child processes that cannot outlive this one: each in a session of its own, stopped by id, watched over.

A small watchdog process holds the other end of a pipe. When this process ends without having stopped its
children, be it by SIGKILL, the pipe closes and the watchdog ends them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from server.flower import watchdog

_GRACE = 3.0


class ChildProcesses:
    """Starts processes and makes sure that none is left behind; a context manager.

    Each child leads a session of its own, so a Ctrl-C at the terminal reaches only this process, which then
    stops the children in order. A child's own children that stay in its process group end with it.
    """

    def __init__(self) -> None:
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._watchdog: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop(*self._children.values())
        finally:
            # Closing the pipe makes the watchdog end whatever is still there, then itself.
            if self._watchdog is not None and self._watchdog.stdin is not None:
                self._watchdog.stdin.close()
                self._watchdog.wait()

    def start(
        self, argv: Sequence[str], *, log: Path, env: Mapping[str, str], stdin: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a child whose output goes to the file ``log``; with ``stdin``, keep a pipe to its input."""
        with log.open("ab") as output:
            child = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                start_new_session=True,
            )
        self._children[child.pid] = child
        self._tell(f"+{child.pid}")
        return child

    def stop(self, *children: subprocess.Popen[bytes], grace: float = _GRACE) -> None:
        """Ask these children to end, wait at most ``grace`` seconds, then end them with their groups."""
        for child in children:
            if child.stdin is not None:
                with contextlib.suppress(OSError):
                    child.stdin.close()
            if child.poll() is None:
                _signal_group(child, signal.SIGTERM)
        deadline = time.monotonic() + grace
        for child in children:
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal_group(child, signal.SIGKILL)
                child.wait()
            if self._children.pop(child.pid, None) is not None:
                self._tell(f"-{child.pid}")

    def _tell(self, line: str) -> None:
        if self._watchdog is not None and self._watchdog.stdin is not None:
            with contextlib.suppress(OSError):
                self._watchdog.stdin.write(f"{line}\n".encode())


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a child and its group. Only before it is waited for: until then the id is surely its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
