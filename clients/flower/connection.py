"""The one place on the holder's side that touches Flower's internals: bytes in, bytes out.

Written for Flower 1.41.0. Public Flower has no way to run a node without fetching and running the code that
the coordinator ships, so this file speaks the fleet API itself. It has no call that fetches a bundle.
``check_flower_version`` refuses any other version, and a test holds the signatures used here.

What is used: ``FleetHttpClient`` with its two interceptors (version headers; the node key's signature over a
time stamp), the protobuf requests of the fleet API, and the "inflatable" objects into which Flower cuts a
message.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PushMessagesRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import (
    ConfirmMessageReceivedRequest,
    ObjectTree,
    PullObjectRequest,
    PushObjectRequest,
)
from flwr.proto.node_pb2 import Node
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

from privacy.errors import ConfigError

FLOWER_VERSION = "1.41.0"

#: Where the bytes sit in a Flower message, on both sides.
RECORD, FIELD = "cohortium", "bytes"
#: Seconds between heartbeats; the shortest that Flower accepts. A dead node counts as online for two of them.
HEARTBEAT_INTERVAL = 10
_OBJECT_WAIT = 30.0

_T = TypeVar("_T")


class Unreachable(Exception):
    """The SuperLink does not answer now; try again later."""


class Refused(Exception):
    """The SuperLink answers, and does not accept this node or this request."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request: its bytes (None if it is not a message of ours) and what a reply refers to."""

    data: bytes | None
    header: Message


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


class FleetConnection:
    """A registered node's calls to the SuperLink over TLS.

    Every method raises ``Unreachable`` or ``Refused`` and nothing else of the carrier.
    """

    def __init__(self, *, address: str, root_certificate: Path, key: ec.EllipticCurvePrivateKey) -> None:
        try:
            certificate = root_certificate.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"the root certificate {root_certificate} cannot be read: {error.strerror}",
                hint="ask the coordinator's operator for ca.pem",
            ) from None
        self._public_key = public_key_to_bytes(key.public_key())
        self._node = Node()
        try:
            self._client = FleetHttpClient.from_server_address(
                address,
                False,
                certificate,
                interceptors=[
                    RuntimeVersionHttpInterceptor(component_name="SuperNode"),
                    NodeAuthHttpInterceptor(key, key.public_key()),
                ],
            )
        except (ValueError, OSError):  # ssl.SSLError is an OSError
            raise ConfigError(
                f"{root_certificate} is not a PEM certificate",
                hint="ask the coordinator's operator for ca.pem",
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def activate(self) -> None:
        """Say that this node is here; needed once, and again when the SuperLink has forgotten it."""
        request = ActivateNodeRequest(public_key=self._public_key, heartbeat_interval=HEARTBEAT_INTERVAL)
        self._node = Node(node_id=_call(self._client.ActivateNode, request).node_id)

    def deactivate(self) -> None:
        """Say that this node leaves; a registered node may come back."""
        _call(self._client.DeactivateNode, DeactivateNodeRequest(node_id=self._node.node_id))

    def heartbeat(self) -> bool:
        """Say that this node is alive; False if the SuperLink wants it to activate again."""
        request = SendNodeHeartbeatRequest(node=self._node, heartbeat_interval=HEARTBEAT_INTERVAL)
        return bool(_call(self._client.SendNodeHeartbeat, request).success)

    def receive(self, limit: int) -> Request | None:
        """The next request, or None; its data is None if it is malformed or over ``limit`` bytes."""
        response = _call(self._client.PullMessages, PullMessagesRequest(node=self._node))
        if not response.messages_list:
            return None
        header = message_from_proto(response.messages_list[0])
        run_id, message_id = header.metadata.run_id, header.metadata.message_id
        ids = object_ids(response.message_object_trees[0])
        contents = [self._pull(run_id, object_id) for object_id in ids]
        confirm = ConfirmMessageReceivedRequest(node=self._node, run_id=run_id, message_object_id=message_id)
        _call(self._client.ConfirmMessageReceived, confirm)
        data = unpack(contents[-1]) if contents and None not in contents else None
        return Request(data=None if data is None or len(data) > limit else data, header=header)

    def _pull(self, run_id: int, object_id: str) -> bytes | None:
        """An object, which may reach the SuperLink a moment after its message; None if there is none."""
        request = PullObjectRequest(node=self._node, run_id=run_id, object_id=object_id)
        deadline = time.monotonic() + _OBJECT_WAIT
        pause = 0.01
        while True:
            response = _call(self._client.PullObject, request)
            if response.object_available:
                return response.object_content
            if not response.object_found or time.monotonic() > deadline:
                return None
            time.sleep(pause)
            pause = min(2 * pause, 0.2)

    def reply(self, request: Request, data: bytes) -> None:
        """Send the reply to a request. No running time is reported: it would depend on the holder's data."""
        content = RecordDict({RECORD: ConfigRecord({FIELD: data})})
        message = Message(content, reply_to=request.header)
        message.metadata.__dict__["_message_id"] = message.object_id
        push = PushMessagesRequest(
            node=self._node,
            messages_list=[message_to_proto(remove_content_from_message(message))],
            message_object_trees=[get_object_tree(message)],
        )
        response = _call(self._client.PushMessages, push)
        # In Flower's order the message itself comes last: to the coordinator a sign that all is there.
        for object_id, part in get_all_nested_objects(message).items():
            if object_id in response.objects_to_push:
                stored = _call(
                    self._client.PushObject,
                    PushObjectRequest(
                        node=self._node,
                        run_id=message.metadata.run_id,
                        object_id=object_id,
                        object_content=part.deflate(),
                        session_id=response.session_id,
                    ),
                ).stored
                if not stored:
                    raise Refused("the SuperLink did not store the reply")


def object_ids(message: ObjectTree) -> tuple[str, ...]:
    """The three objects into which Flower cuts a message of ours, else none.

    They are the message itself, its dictionary of records, and the record that holds the bytes. A message
    must not be confirmed, which deletes them, before its sender has stored all three.
    """
    if len(message.children) != 1 or len(message.children[0].children) != 1:
        return ()
    record = message.children[0].children[0]
    return () if record.children else (message.object_id, message.children[0].object_id, record.object_id)


def unpack(record: bytes | None) -> bytes | None:
    """The bytes inside a record, or None if it is not one of ours (whatever the sender made it of)."""
    try:
        data = ConfigRecord.inflate(record or b"")[FIELD]
    except Exception:
        return None
    return data if isinstance(data, bytes) else None


def _call(method: Callable[[Any], _T], request: object) -> _T:
    try:
        return method(request)
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if status >= 500 or status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS):
            raise Unreachable(f"HTTP {status}") from None
        raise Refused(f"HTTP {status}") from None
    except httpx.TransportError as error:
        # A certificate that does not verify is a wrong set-up or an attack: waiting does not mend it.
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise ConfigError(
                "the SuperLink's certificate is not signed by the given root certificate",
                hint="compare ca.pem with the coordinator's operator before you go on",
            ) from None
        raise Unreachable(type(error).__name__) from None
    except ValueError:  # Flower raises it for a body that is no protobuf
        raise Unreachable("unreadable answer") from None
