"""Keeping a coordinator reachable: SuperLink and gateway, and the roster's nodes registered, until told to stop."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import httpx

from privacy.errors import ConfigError
from privacy.locks import one_at_a_time
from server.flower.processes import ChildProcesses
from server.flower.service import FleetService
from server.running.enrolment import Enrolment
from server.running.folder import CoordinatorFolder
from server.running.renewal import Renewal

log = logging.getLogger("cohortium.coordinator")

#: Seconds between looks at the processes and at the roster.
_LOOK = 1.0
#: Seconds between looks at the server's certificate.
_LOOK_AT_CERTIFICATE = 10.0


def node_keys(folder: CoordinatorFolder) -> dict[str, str]:
    """Public node key of every holder in the roster in force, by holder."""
    return {
        member.id: member.node_key for member in folder.roster().members if member.role == "holder" and member.node_key
    }


def serve(root: Path, *, stop: threading.Event, with_gateway: bool = True, superlink_port: int | None = None) -> None:
    """Serve until ``stop`` is set.

    A new version of the roster is taken up within seconds: new nodes are registered, those that are no longer listed
    are refused from then on. A new certificate of the server is taken up when all holders know its authority.

    Args:
        root: the coordinator's folder, with keys, ``coordinator.toml`` and a roster.
        stop: set it to end.
        with_gateway: False where a proxy of the operator's own stands before the SuperLink.
        superlink_port: where the SuperLink listens on loopback, for such a proxy; else any port.

    Raises:
        ConfigError: if the folder lacks something.
        Busy: if another process serves this folder.
        SuperLinkFailed: if SuperLink or gateway ends; started again they are the same to nodes and to runs.
    """
    folder = CoordinatorFolder(root=root)
    config = Enrolment(root).config
    keys = node_keys(folder)
    certificate = _Certificate(root)
    (root / "flower").mkdir(mode=0o700, exist_ok=True)
    with (
        one_at_a_time(folder.serve_lock, what="another process serves this folder"),
        ChildProcesses() as processes,
        FleetService(
            root / "flower",
            processes,
            listen=(config.listen or config.address) if with_gateway else None,
            keys=root / "keys",
            superlink_port=superlink_port,
        ) as service,
    ):
        service.wait_until_ready()
        _admit(service, keys)
        log.info("serving %s at %s; nodes of %s may connect", config.federation, config.address, ", ".join(keys))
        while not stop.wait(_LOOK):
            service.check_alive()
            current = node_keys(folder)
            if current != keys and _admit(service, current):
                keys = current
            if certificate.has_changed():
                service.restart_gateway()
        log.info("stopping")


class _Certificate:
    """The server's certificate: changed when all have joined, and its end announced in time."""

    def __init__(self, root: Path) -> None:
        self._renewal = Renewal(root)
        if self._renewal.ready:  # perhaps from a process that was stopped in the middle
            self._renewal.switch()
        self._shown = self._text()
        self._warned: int | None = None
        self._next_look = 0.0

    def has_changed(self) -> bool:
        """Whether the server is to show another one from now on; called often, looks from time to time."""
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + _LOOK_AT_CERTIFICATE
        if self._renewal.ready:
            self._renewal.switch()
            log.info("all holders know the new authority: the server changes to its new certificate")
        due, text = self._renewal.warning() or (None, "")
        if due is not None and due != self._warned:
            log.warning("%s", text)
        self._warned = due
        before, self._shown = self._shown, self._text()
        return self._shown != before

    def _text(self) -> bytes:
        path = self._renewal.keys / "server.pem"
        return (
            path.read_bytes() if path.exists() else b""
        )  # a proxy of the operator's own may have another place for it


def _admit(service: FleetService, keys: dict[str, str]) -> bool:
    """Whether the SuperLink now has these nodes; if it does not answer, it is asked again."""
    try:
        service.admit(keys)
    except ConfigError as error:  # the others are in
        log.error("%s (%s)", error.message, error.hint)
    except httpx.HTTPError as error:
        log.warning("the SuperLink does not take the list of nodes now: %s", type(error).__name__)
        return False
    return True
