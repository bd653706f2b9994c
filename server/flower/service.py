"""What a coordinator keeps running: a SuperLink on loopback, the gateway before it, and the list of nodes."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from privacy.errors import ConfigError
from server.flower.gateway import gateway_command
from server.flower.internals import node_key_bytes
from server.flower.node_keys import write_nodes
from server.flower.processes import ChildProcesses
from server.flower.superlink import SuperLink, SuperLinkFailed, wait_for_port

log = logging.getLogger("cohortium.coordinator")


class FleetService:
    """SuperLink and gateway as processes; a context manager.

    Attributes:
        superlink: on loopback; never reached from outside.
        address: ``host:port`` that the gateway listens on.
        nodes: the gateway's list of registered nodes.
    """

    def __init__(
        self,
        folder: Path,
        processes: ChildProcesses,
        *,
        listen: str | None,
        keys: Path | None = None,
        superlink_port: int | None = None,
    ) -> None:
        """Prepare.

        Args:
            folder: the SuperLink's own.
            processes: who starts and stops the children.
            listen: ``host:port`` for the gateway; None where another proxy stands before the SuperLink.
            keys: folder with the gateway's ``server.pem`` and ``server.key``; by default the SuperLink's.
            superlink_port: where the SuperLink listens on loopback; by default where it did last time, or a free port.
        """
        self.superlink = SuperLink(folder, processes, port=superlink_port)
        self.address = listen or self.superlink.address
        self.nodes = folder / "nodes"
        self.gateway_log = folder / "gateway.log"
        self._has_gateway = listen is not None
        self._keys = keys or folder
        self._processes = processes
        self._gateway: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start both; see ``wait_until_ready``."""
        self.superlink.__enter__()
        try:
            if self._has_gateway:
                self.start_gateway()
        except BaseException:
            self.superlink.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_gateway()
        self.superlink.__exit__(kind, error, trace)

    def start_gateway(self) -> None:
        """Let partners in, also again after ``stop_gateway``."""
        self._gateway = self._processes.start(
            gateway_command(
                listen=self.address,
                superlink=self.superlink.address,
                authority=self.superlink.files.root_certificate,
                keys=self._keys,
                nodes=self.nodes,
            ),
            log=self.gateway_log,
            env=self.superlink.files.environment,
        )

    def stop_gateway(self) -> None:
        """Cut the partners off; what they send meanwhile is refused by nobody listening."""
        if self._gateway is not None:
            self._processes.stop(self._gateway)
            self._gateway = None

    def restart_gateway(self, timeout: float = 60.0) -> None:
        """Let the gateway show the certificate that is in its folder now; nodes and runs go on by themselves.

        Where another proxy stands before the SuperLink, that one is its operator's to reload.

        Raises:
            SuperLinkFailed: if it does not listen again.
        """
        if self._has_gateway:
            self.stop_gateway()
            self.start_gateway()
            self.wait_until_ready(timeout)
        else:
            log.warning("the server's certificate has changed: reload the proxy that shows it")

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Wait until both listen.

        Raises:
            SuperLinkFailed: if one of them ends, or does not listen within ``timeout`` seconds.
        """
        self.superlink.wait_until_ready(timeout)
        host, _, port = self.address.rpartition(":")
        here = f"127.0.0.1:{port}" if host in ("0.0.0.0", "[::]") else self.address
        wait_for_port(here, self.check_alive, log=self.gateway_log, what="the gateway", timeout=timeout)

    def check_alive(self) -> None:
        """Raise ``SuperLinkFailed`` if one of the two has ended."""
        self.superlink.check_alive()
        if self._gateway is not None and self._gateway.poll() is not None:
            raise SuperLinkFailed(
                f"the gateway has ended (status {self._gateway.returncode})", hint=f"see {self.gateway_log}"
            )

    def admit(self, nodes: Mapping[str, str]) -> None:
        """Make these nodes, and no others, the registered ones.

        Args:
            nodes: public key (OpenSSH text) by holder.

        Raises:
            ConfigError: if a key is not usable; all others are registered then.
        """
        write_nodes(self.nodes, nodes)  # the gateway first: who was removed is out at once
        client = self.superlink.client
        wanted: dict[bytes, str] = {}
        failed: list[ConfigError] = []
        for name, key in sorted(nodes.items()):
            try:
                wanted[node_key_bytes(key, name)] = name
            except ConfigError as error:
                failed.append(error)
        registered = client.registered()
        for public_key, (node_id, name) in registered.items():
            if wanted.get(public_key) != name:
                client.unregister(node_id)
                log.info("unregistered the node of %s", name)
        for public_key, name in wanted.items():
            if registered.get(public_key, (0, ""))[1] != name:
                try:
                    client.register(name=name, public_key=nodes[name])
                    log.info("registered the node of %s", name)
                except ConfigError as error:
                    failed.append(error)
        if failed:
            raise ConfigError("; ".join(error.message for error in failed), hint=failed[0].hint)
