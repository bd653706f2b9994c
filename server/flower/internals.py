"""The one place on the coordinator's side that touches Flower's internals.

Written for Flower 1.41.0; ``check_flower_version`` refuses any other, and a test holds the signatures used
here. These things are done below Flower's public surface, each for a reason:

* Messages carry their bytes in themselves. ``Grid`` cuts each into three objects and moves every one in a call
  of its own; and its ``pull_messages`` sleeps a second whenever a reply is announced before its objects have
  arrived, which is nearly always.
* A run is submitted and its task is taken over the control and runtime API. Flower's own executor would start
  whatever bundle anybody who reaches the port has submitted; ours starts only what it submitted itself.
* The bundle is built here, from one constant text, so it is the same bytes everywhere and holds no code.
* The log of the coordinator's process is not uploaded, and nobody waits for it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from flwr.app import Message
from flwr.common.serde import fab_to_proto, message_to_proto, recorddict_from_proto, user_config_to_proto
from flwr.proto.control_pb2 import ListNodesRequest, RegisterNodeRequest, StartRunRequest, UnregisterNodeRequest
from flwr.proto.message_pb2 import Message as MessageProto
from flwr.proto.message_pb2 import ObjectTree
from flwr.proto.runtime_pb2 import AcquireTaskRequest, PullAppMessagesRequest, PushAppMessagesRequest
from flwr.supercore.constant import TaskType
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.fab import Fab
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supercore.runtime import RuntimeHttpClient

from privacy.errors import ConfigError, ProtocolError

FLOWER_VERSION = "1.41.0"

#: Where the bytes sit in a Flower message, on both sides.
RECORD, FIELD = "cohortium", "bytes"

#: All that ``flwr run`` would ship. Holders never fetch it; the coordinator imports the installed release.
BUNDLE_TOML = """\
[project]
name = "cohortium"
version = "1.0.0"
description = "Names the installed Cohortium release; holds no code"

[tool.flwr.app]
publisher = "cohortium"

[tool.flwr.app.components]
serverapp = "server.flower.app:app"
clientapp = "nothing:nothing"

[tool.flwr.app.config]
entry = ""
settings = "{}"
"""


def check_flower_version() -> None:
    """Refuse to run on a Flower that this file was not written for.

    Raises:
        ConfigError: if Flower is missing or has another version.
    """
    try:
        found = version("flwr")
    except PackageNotFoundError:
        found = "none"
    if found != FLOWER_VERSION:
        raise ConfigError(
            f"this release works with Flower {FLOWER_VERSION}; installed is: {found}",
            hint=f"pip install 'flwr=={FLOWER_VERSION}'",
        )


def build_bundle() -> bytes:
    """The Flower app bundle: a zip of ``BUNDLE_TOML`` and a table of contents, always the same bytes."""
    content = BUNDLE_TOML.encode()
    digest = hashlib.sha256(content).hexdigest()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr(zipfile.ZipInfo("pyproject.toml"), content)
        bundle.writestr(zipfile.ZipInfo(".info/CONTENT"), f"pyproject.toml,{digest},{8 * len(content)}")
    return buffer.getvalue()


# --- Inside the ServerApp ---


class Unreachable(Exception):
    """The SuperLink does not answer, or refuses, within the time that was given."""


@contextmanager
def patience(grid: Any, seconds: float) -> Iterator[None]:
    """Calls of a Grid try again for at most so long while the SuperLink is away; Flower itself would for ever.

    Raises:
        Unreachable: in place of what the HTTP client raises then.
    """
    grid._retry_invoker.max_time = max(seconds, 0.0)
    try:
        yield
    except httpx.HTTPError as error:
        raise Unreachable(type(error).__name__) from None
    finally:
        grid._retry_invoker.max_time = None


def push(grid: Any, messages: Sequence[Message]) -> list[str]:
    """Send messages to nodes, in one call; returns their ids, "" for one that the SuperLink did not take."""
    protos, trees = [], []
    for message in messages:
        message.metadata.__dict__["_message_id"] = message.object_id
        protos.append(message_to_proto(message))
        # Flower knows a message by its tree of objects; this one has no others, and is never pushed itself.
        trees.append(ObjectTree(object_id=message.object_id))
    request = PushAppMessagesRequest(messages_list=protos, message_object_trees=trees)
    return list(grid._runtime_client.PushMessages(request).message_ids)


class Inbox:
    """Collects the replies to messages that were pushed through a Grid, without ever waiting."""

    def __init__(self, grid: Any, message_ids: Iterable[str]) -> None:
        self._client: RuntimeHttpClient = grid._runtime_client
        self._open = set(message_ids)

    def poll(self) -> dict[str, bytes | None]:
        """Replies that came since the last call, by the id of the message they answer; None for an error."""
        if not self._open:
            return {}
        response = self._client.PullMessages(PullAppMessagesRequest(message_ids=self._open))
        done = {message.metadata.reply_to_message_id: unpack(message) for message in response.messages_list}
        self._open -= done.keys()
        return done


def unpack(message: MessageProto) -> bytes | None:
    """The bytes inside a message, or None if it is not one of ours (whatever the sender made it of)."""
    try:
        data = recorddict_from_proto(message.content)[RECORD][FIELD]
    except Exception:
        return None
    return data if isinstance(data, bytes) else None


def upload_no_log() -> None:
    """Keep Flower from waiting a second, at the end of a ServerApp, for the upload of a log that is empty.

    To be called in the ServerApp's process before ``run_serverapp``.
    """
    runtime: Any = import_module("flwr.superlink.runtime.run_serverapp")
    runtime.flush_logs = _log_is_flushed


def _log_is_flushed(*_: object) -> bool:
    return True


# --- Beside the SuperLink ---


def node_key_bytes(public_key: str, name: str) -> bytes:
    """A node's public key, from OpenSSH text, as Flower keeps it.

    Raises:
        ConfigError: if it is no elliptic-curve public key.
    """
    try:
        key = load_ssh_public_key(public_key.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ConfigError(f"the node key of {name} is no elliptic-curve public key", hint="make the node key anew")
    return public_key_to_bytes(key)


class SuperLinkClient:
    """What the coordinator's operator does at a SuperLink: register nodes, submit a run, take its task.

    ``httpx.HTTPError`` means that the SuperLink does not answer or refuses; it is left to the caller.
    """

    def __init__(self, *, address: str, root_certificate: Path, secret: bytes) -> None:
        certificate = root_certificate.read_bytes()
        self._control = ControlHttpClient.from_server_address(
            address,
            False,
            certificate,
            interceptors=[RuntimeVersionHttpInterceptor(component_name="flwr CLI")],
        )
        self._runtime = RuntimeHttpClient.from_server_address(
            address,
            False,
            certificate,
            interceptors=[
                RuntimeVersionHttpInterceptor(component_name="SuperExec"),
                SuperExecAuthHttpInterceptor(
                    master_secret=secret, protected_methods={"/flwr.proto.Runtime/AcquireTask"}
                ),
            ],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._control.close()
        self._runtime.close()

    def online(self) -> dict[str, int]:
        """Node ids of the registered nodes that are online, by registered name."""
        nodes = self._control.ListNodes(ListNodesRequest()).nodes_info
        return {node.name: node.node_id for node in nodes if node.status == "online"}

    def seen(self) -> dict[str, tuple[bool, str]]:
        """Of the registered nodes, by registered name: whether each is online, and since when (ISO; empty: never was).

        A node that fell silent is offline from when its last heartbeat ran out.
        """
        found = {}
        for node in self._control.ListNodes(ListNodesRequest()).nodes_info:
            if node.status == "online":
                found[node.name] = (True, node.last_activated_at)
            elif node.status != "unregistered":
                until = dt.datetime.fromtimestamp(node.online_until, dt.UTC).isoformat() if node.online_until else ""
                found[node.name] = (False, until)
        return found

    def registered(self) -> dict[bytes, tuple[int, str]]:
        """Node id and name of the registered nodes, by public key (PEM)."""
        nodes = self._control.ListNodes(ListNodesRequest()).nodes_info
        return {bytes(node.public_key): (node.node_id, node.name) for node in nodes if node.status != "unregistered"}

    def register(self, *, name: str, public_key: str) -> int:
        """Register a node's public key (OpenSSH text) under a name; returns Flower's id of the node.

        Raises:
            ConfigError: if it is no elliptic-curve public key, or is registered already, or was once.
        """
        request = RegisterNodeRequest(public_key=node_key_bytes(public_key, name), name=name)
        try:
            return int(self._control.RegisterNode(request).node_id)
        except httpx.HTTPStatusError:
            raise ConfigError(
                f"the SuperLink refuses to register the node key of {name}",
                hint="a key can be registered once; make a new one to come back after it was removed",
            ) from None

    def unregister(self, node_id: int) -> None:
        """Take a node off the list; its key never comes back."""
        self._control.UnregisterNode(UnregisterNodeRequest(node_id=node_id))

    def start_run(self, *, entry: str, settings: str) -> int:
        """Submit a run of our bundle; returns its id."""
        content = build_bundle()
        fab = Fab(hashlib.sha256(content).hexdigest(), content, {})
        request = StartRunRequest(
            fab=fab_to_proto(fab),
            override_config=user_config_to_proto({"entry": entry, "settings": settings}),
        )
        response = self._control.StartRun(request)
        if not response.HasField("run_id"):
            raise ProtocolError("the SuperLink did not accept the run", hint="see superlink.log")
        return int(response.run_id)

    def take_task(self, run_id: int) -> str:
        """Take the task of a run that was submitted here; returns the token its ServerApp process needs.

        Tasks of runs that anybody else submitted are taken and dropped: their code is never started.
        """
        bundle = hashlib.sha256(build_bundle()).hexdigest()
        request = AcquireTaskRequest(supported_task_types=[TaskType.SERVER_APP])
        while True:
            response = self._runtime.AcquireTask(request)
            if not response.HasField("task"):
                raise ProtocolError("the SuperLink has lost the run", hint="see superlink.log")
            if response.task.run_id == run_id and response.task.fab_hash == bundle:
                return str(response.token)
