"""Keeping a coordinator reachable: SuperLink and gateway, and the roster's nodes registered, until told to stop."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import httpx

from privacy.errors import ConfigError
from server.enrolment import Enrolment
from server.flower.processes import ChildProcesses
from server.flower.service import FleetService
from server.run import CoordinatorFolder, one_at_a_time

log = logging.getLogger("cohortium.coordinator")

#: Seconds between looks at the processes and at the roster.
_LOOK = 1.0


def node_keys(folder: CoordinatorFolder) -> dict[str, str]:
    """Public node key of every holder in the roster in force, by holder."""
    return {
        member.id: member.node_key for member in folder.roster().members if member.role == "holder" and member.node_key
    }


def serve(root: Path, *, stop: threading.Event, with_gateway: bool = True, superlink_port: int | None = None) -> None:
    """Serve until ``stop`` is set.

    A new version of the roster is taken up within seconds: new nodes are registered, those that are no longer listed
    are refused from then on.

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
    (root / "flower").mkdir(mode=0o700, exist_ok=True)
    with (
        one_at_a_time(root / "flower" / ".serve.lock", what="another process serves this folder"),
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
        log.info("stopping")


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
