"""A whole deployment on one machine: SuperLink, gateway, one node process per holder, and the coordinator's runs.

Everything is the real thing except the network, which is loopback: TLS, registered node keys, a database file
and a process per holder. Nothing is left running afterwards, however this process ends.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from privacy.errors import NotEnoughHolders
from privacy.private_keys import create_node_key
from server.flower.processes import ChildProcesses
from server.flower.runs import RunStarter
from server.flower.service import FleetService
from server.flower.superlink import free_port
from server.running.termination import exiting_on_sigterm


@dataclass(frozen=True, kw_only=True)
class NodeFiles:
    """What a holder's node process needs to connect; the arguments of ``clients.flower.node.run_node``."""

    holder: str
    address: str
    root_certificate: Path
    node_key: Path


class LocalDeployment:
    """SuperLink, gateway and nodes as processes of this machine; a context manager.

    Entering returns when all nodes are online. Leaving stops everything, in order, in about a second. While
    it is open in the main thread, SIGTERM ends the program as an exception would, so that nothing is left.

    Attributes:
        service: SuperLink and gateway; only while it is open.
        starter: starts runs; only while it is open.
        timings: (step, seconds), in the order they happened.
    """

    def __init__(
        self,
        folder: Path,
        holders: Sequence[str],
        node_command: Callable[[NodeFiles], list[str]],
        *,
        preload: str | None = None,
        timeout: float = 90.0,
    ) -> None:
        """Describe a deployment.

        Args:
            folder: where keys, database and logs go; created.
            holders: ids of the holders.
            node_command: the command line that starts a holder's node process. It gets the environment of
                ``child_environment`` and must end on SIGTERM.
            preload: entry that ``run`` will be asked for, so that it is imported while the SuperLink starts.
            timeout: seconds within which all nodes must be online.
        """
        self.timings: list[tuple[str, float]] = []
        self._folder = folder
        self._holders = tuple(holders)
        self._node_command = node_command
        self._preload = preload
        self._timeout = timeout
        self._stack = contextlib.ExitStack()
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(exiting_on_sigterm())
            self._processes = stack.enter_context(ChildProcesses())
            with self._timed("processes started"):
                self.service = FleetService(self._folder, self._processes, listen=f"127.0.0.1:{free_port()}")
                stack.enter_context(self.service)
                starter = RunStarter(self.service.superlink.files, self._processes, preload=self._preload)
                self.starter = stack.enter_context(starter)
                keys = {holder: self._node_key(holder) for holder in self._holders}
                for holder in self._holders:
                    self.start_node(holder)
                # Last in, first out: nodes sign off while the SuperLink still listens.
                stack.callback(lambda: self._processes.stop(*self._nodes.values()))
            with self._timed("SuperLink listening"):
                self.service.wait_until_ready(self._timeout)
            with self._timed("nodes registered"):
                self.service.admit(keys)
            with self._timed("nodes online"):
                self._wait_for_nodes()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._timed("everything stopped"):
            self._stack.close()

    @property
    def address(self) -> str:
        """``host:port`` of the gateway."""
        return self.service.address

    @property
    def root_certificate(self) -> Path:
        """The certificate that nodes check the gateway with."""
        return self.service.superlink.files.root_certificate

    def node_log(self, holder: str) -> Path:
        """The output of a holder's node process."""
        return self._folder / f"{holder}.log"

    @property
    def serverapp_log(self) -> Path:
        """The output of the coordinator's ServerApp process."""
        return self.service.superlink.files.serverapp_log

    def node_process(self, holder: str) -> subprocess.Popen[bytes]:
        """A holder's node process."""
        return self._nodes[holder]

    def start_node(self, holder: str) -> None:
        """Start a holder's node process, or start it again after it has ended."""
        files = NodeFiles(
            holder=holder,
            address=self.address,
            root_certificate=self.root_certificate,
            node_key=self._folder / f"{holder}.key",
        )
        self._nodes[holder] = self._processes.start(
            self._node_command(files), log=self.node_log(holder), env=self.service.superlink.files.environment
        )

    def run(self, entry: str, settings: Mapping[str, Any], *, timeout: float | None = None) -> int:
        """Run an entry of ``server.flower.app`` and wait for its end; 0 if it returned, else another number.

        Raises:
            SuperLinkFailed: if the SuperLink ends meanwhile.
        """
        with self._timed("run"):
            return self.starter.run(entry, settings, timeout=timeout, check_alive=self.service.check_alive)

    def _node_key(self, holder: str) -> str:
        """Make a node's key for this deployment; returns its public half, OpenSSH text."""
        path = self._folder / f"{holder}.key"
        path.unlink(missing_ok=True)
        return create_node_key(path)

    def _wait_for_nodes(self) -> None:
        deadline = time.monotonic() + self._timeout
        while missing := set(self._holders) - self.service.superlink.client.online().keys():
            for holder in sorted(missing):
                status = self._nodes[holder].poll()
                if status is not None:
                    raise NotEnoughHolders(
                        f"the node of holder {holder} ended with status {status} before it was online",
                        hint=f"see {self.node_log(holder)}",
                    )
            if time.monotonic() > deadline:
                first = min(missing)
                raise NotEnoughHolders(
                    f"not online after {self._timeout:g} s: {', '.join(sorted(missing))}",
                    hint=f"see {self.node_log(first)}",
                )
            time.sleep(0.2)

    @contextlib.contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.timings.append((step, time.monotonic() - started))
