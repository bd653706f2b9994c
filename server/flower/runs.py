"""Starting a run over a SuperLink from another process than the SuperLink's own, and waiting for its end."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from server.flower.processes import ChildProcesses
from server.flower.superlink import SuperLinkFailed, SuperLinkFiles


class RunStarter:
    """Starts runs of ``server.flower.app`` in a ServerApp process of its own; a context manager.

    Whoever can read the SuperLink's folder can use it: it holds the secret with which a run's task is taken. One run
    at a time: see ``privacy.locks.one_at_a_time``.
    """

    def __init__(self, files: SuperLinkFiles, processes: ChildProcesses, *, preload: str | None = None) -> None:
        """Prepare.

        Args:
            files: the SuperLink's folder.
            processes: who starts and stops the ServerApp process.
            preload: entry (see ``server.flower.app``) that the process imports while it waits.
        """
        self._files = files
        self._processes = processes
        self._preload = [preload] if preload else []
        self._serverapp: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the ServerApp process, which imports what it needs and waits."""
        self._serverapp = self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._serverapp is not None:
            self._processes.stop(self._serverapp)
            self._serverapp = None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The ServerApp process that waits or runs; None between runs."""
        return self._serverapp

    def run(
        self,
        entry: str,
        settings: Mapping[str, Any],
        *,
        timeout: float | None = None,
        check_alive: Callable[[], None] | None = None,
    ) -> int:
        """Run an entry and wait for its end.

        Args:
            entry: ``module:function``, one of ``ALLOWED_ENTRIES``.
            settings: JSON object given to it.
            timeout: seconds after which the ServerApp is stopped; no limit by default.
            check_alive: called every half second; what it raises ends the run.

        Returns:
            The exit status: 0 if the entry returned, another number if it raised or was stopped.

        Raises:
            SuperLinkFailed: if the SuperLink or the ServerApp process is not there.
        """
        serverapp = self._serverapp = self._serverapp or self._start()
        if serverapp.poll() is not None:
            raise SuperLinkFailed("the ServerApp process did not start", hint=f"see {self._files.serverapp_log}")
        try:
            with self._files.client() as client:
                token = client.take_task(client.start_run(entry=entry, settings=json.dumps(settings)))
        except httpx.HTTPError as error:
            raise SuperLinkFailed(
                f"the SuperLink did not take the run: {type(error).__name__}",
                hint=f"is `cohortium coordinator serve` running? Its log is {self._files.log}",
            ) from None
        if serverapp.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it has ended; its status is told below
                serverapp.stdin.write(f"{token}\n".encode())
                serverapp.stdin.close()
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                serverapp.wait(0.5)
                break
            except subprocess.TimeoutExpired:
                if check_alive is not None:
                    check_alive()
                if deadline is not None and time.monotonic() > deadline:
                    break
        self._processes.stop(serverapp)
        self._serverapp = None
        return serverapp.returncode

    def _start(self) -> subprocess.Popen[bytes]:
        files = self._files
        command = [sys.executable, "-P", "-m", "server.flower.serverapp"]
        command += [files.address(), str(files.root_certificate), *self._preload]
        return self._processes.start(command, log=files.serverapp_log, env=files.environment, stdin=True)
