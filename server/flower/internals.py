"""The one place on the coordinator's side that touches Flower's internals.

Written for Flower 1.41.0; ``check_flower_version`` refuses any other, and a test holds the signatures used
here. These things are done below Flower's public surface, each for a reason:

* Replies are collected one by one. ``Grid.pull_messages`` sleeps a second whenever a reply is announced
  before its content has arrived, which is nearly always, and one holder that announces a reply and never
  sends it would keep the others' replies back.
* A run is submitted and its task is taken over the control and runtime API. Flower's own executor would start
  whatever bundle anybody who reaches the port has submitted; ours starts only what it submitted itself.
* The bundle is built here, from one constant text, so it is the same bytes everywhere and holds no code.
* The log of the coordinator's process is not uploaded, and nobody waits for it.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from flwr.app import ConfigRecord
from flwr.common.serde import fab_to_proto, user_config_to_proto
from flwr.proto.control_pb2 import ListNodesRequest, RegisterNodeRequest, StartRunRequest
from flwr.proto.message_pb2 import (
    ConfirmMessageReceivedRequest,
    ObjectTree,
    PullObjectRequest,
    PullObjectResponse,
)
from flwr.proto.runtime_pb2 import AcquireTaskRequest, PullAppMessagesRequest
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


class Inbox:
    """Collects the replies to messages that were pushed through a Grid, without ever waiting."""

    def __init__(self, grid: Any, message_ids: Iterable[str]) -> None:
        self._client: RuntimeHttpClient = grid._runtime_client
        self._node = grid.node
        self._run_id: int = grid.run.run_id
        self._open = set(message_ids)
        # Of replies that are announced and not here yet: the objects of the message and of its record.
        self._announced: dict[str, tuple[str, str]] = {}

    def poll(self) -> dict[str, bytes | None]:
        """Replies complete since the last call, by the id of the message they answer; None for an error."""
        done: dict[str, bytes | None] = {}
        if self._open:
            response = self._client.PullMessages(PullAppMessagesRequest(message_ids=self._open))
            for message, tree in zip(response.messages_list, response.message_object_trees, strict=True):
                answered = message.metadata.reply_to_message_id
                self._open.discard(answered)
                ids = object_ids(tree)
                if message.HasField("error") or not ids:
                    done[answered] = None
                else:
                    self._announced[answered] = (ids[0], ids[-1])
        for answered, (message_id, record) in list(self._announced.items()):
            # A node stores the message itself last: once that is there, the record is.
            found = self._pull(message_id)
            if found.object_found and not found.object_available:
                continue
            del self._announced[answered]
            done[answered] = unpack(self._pull(record).object_content)
            confirm = ConfirmMessageReceivedRequest(node=self._node, run_id=self._run_id, message_object_id=message_id)
            self._client.ConfirmMessageReceived(confirm)
        return done

    def _pull(self, object_id: str) -> PullObjectResponse:
        request = PullObjectRequest(node=self._node, run_id=self._run_id, object_id=object_id)
        return self._client.PullObject(request)


def object_ids(message: ObjectTree) -> tuple[str, ...]:
    """The three objects into which Flower cuts a message of ours, else none.

    They are the message itself, its dictionary of records, and the record that holds the bytes. A message
    must not be confirmed, which deletes them, before its sender has stored all three.
    """
    if len(message.children) != 1 or len(message.children[0].children) != 1:
        return ()
    record = message.children[0].children[0]
    return () if record.children else (message.object_id, message.children[0].object_id, record.object_id)


def unpack(record: bytes) -> bytes | None:
    """The bytes inside a record, or None if it is not one of ours (whatever the sender made it of)."""
    try:
        data = ConfigRecord.inflate(record)[FIELD]
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

    def register(self, *, name: str, public_key: Path) -> int:
        """Register a node's public key (OpenSSH file) under a name; returns Flower's id of the node.

        Raises:
            ConfigError: if the file is no elliptic-curve public key, or the key is registered already.
        """
        key = load_ssh_public_key(public_key.read_bytes())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ConfigError(f"{public_key} is not an elliptic-curve public key", hint="create the node key anew")
        request = RegisterNodeRequest(public_key=public_key_to_bytes(key), name=name)
        try:
            return int(self._control.RegisterNode(request).node_id)
        except httpx.HTTPStatusError:
            raise ConfigError(
                f"the SuperLink refuses to register the key {public_key}",
                hint="a key can be registered once; create a new one to come back after it was removed",
            ) from None

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
