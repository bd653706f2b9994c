"""The one place on the holder's side that touches Flower's internals: bytes in, bytes out.

Written for Flower 1.41.0. Public Flower has no way to run a node without fetching and running the code that
the coordinator ships, so this file speaks the fleet API itself. It has no call that fetches a bundle.
``check_flower_version`` refuses any other version, and a test holds the signatures used here.

What is used: ``FleetHttpClient`` with its two interceptors (version headers; the node key's signature over a
time stamp) and the protobuf requests of the fleet API. Flower's own nodes cut a message into objects and move
them one call each, nine calls for one answer; ours lie in the message itself, in the field for its content,
which takes two.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.common.serde import message_from_proto, message_to_proto, recorddict_from_proto
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PushMessagesRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import Message as MessageProto
from flwr.proto.message_pb2 import ObjectTree
from flwr.proto.node_pb2 import Node
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supercore.protobuf.client import ProtobufCall, ProtobufRequestContext
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

from privacy.errors import ConfigError

FLOWER_VERSION = "1.41.0"

#: Where the bytes sit in a Flower message, on both sides.
RECORD, FIELD = "cohortium", "bytes"
#: Seconds between heartbeats; the shortest that Flower accepts. A dead node counts as online for two of them.
HEARTBEAT_INTERVAL = 10

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


class _Patience:
    """Says with each pull for how long this node would wait for a message (RFC 7240): our gateway holds it so long.

    Attributes:
        seconds: for how long.
    """

    def __init__(self) -> None:
        self.seconds = 0

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        """Add the header."""
        if self.seconds and isinstance(context.message, PullMessagesRequest):
            context.request.headers["prefer"] = f"wait={self.seconds}"
        return call_next(context)


class FleetConnection:
    """A registered node's calls to the SuperLink over TLS.

    Every method raises ``Unreachable`` or ``Refused`` and nothing else of the carrier.
    """

    def __init__(self, *, address: str, root_certificate: Path, key: ec.EllipticCurvePrivateKey) -> None:
        self._address = address
        self._root_certificate = root_certificate
        self._key = key
        self._public_key = public_key_to_bytes(key.public_key())
        self._node = Node()
        self._patience = _Patience()
        self._lock = threading.Lock()
        self._authorities = self._read_authorities()
        self._client = self._connect(self._authorities)
        self._left: list[FleetHttpClient] = []

    def _read_authorities(self) -> bytes:
        try:
            return self._root_certificate.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"the root certificate {self._root_certificate} cannot be read: {error.strerror}",
                hint="ask the coordinator's operator for ca.pem",
            ) from None

    def _connect(self, authorities: bytes) -> FleetHttpClient:
        try:
            return FleetHttpClient.from_server_address(
                self._address,
                False,
                authorities,
                interceptors=[
                    RuntimeVersionHttpInterceptor(component_name="SuperNode"),
                    NodeAuthHttpInterceptor(self._key, self._key.public_key()),
                    self._patience,
                ],
            )
        except (ValueError, OSError):  # ssl.SSLError is an OSError
            raise ConfigError(
                f"{self._root_certificate} is not a PEM certificate",
                hint="ask the coordinator's operator for ca.pem",
            ) from None

    def _trust_anew(self, used: FleetHttpClient) -> bool:
        """Whether other authorities have come with a version of the roster that was accepted since; they are used now.

        A client that another thread may be using is closed at the end only.

        Args:
            used: the client that did not trust the server.
        """
        with self._lock:
            if self._client is not used:  # the other thread was first
                return True
            authorities = self._read_authorities()
            if authorities == self._authorities:
                return False
            self._left.append(self._client)
            self._client, self._authorities = self._connect(authorities), authorities
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in (*self._left, self._client):
            client.close()

    def activate(self) -> None:
        """Say that this node is here; needed once, and again when the SuperLink has forgotten it."""
        request = ActivateNodeRequest(public_key=self._public_key, heartbeat_interval=HEARTBEAT_INTERVAL)
        self._node = Node(node_id=self._call(FleetHttpClient.ActivateNode, request).node_id)

    def deactivate(self) -> None:
        """Say that this node leaves; a registered node may come back."""
        self._call(FleetHttpClient.DeactivateNode, DeactivateNodeRequest(node_id=self._node.node_id))

    def heartbeat(self) -> bool:
        """Say that this node is alive; False if the SuperLink wants it to activate again."""
        request = SendNodeHeartbeatRequest(node=self._node, heartbeat_interval=HEARTBEAT_INTERVAL)
        return bool(self._call(FleetHttpClient.SendNodeHeartbeat, request).success)

    def receive(self, limit: int, *, wait: int = 0) -> Request | None:
        """The next request, or None; its data is None if it is malformed or over ``limit`` bytes.

        Args:
            limit: most bytes.
            wait: seconds for which the gateway may wait for one. Not every server does: None may come at once.
        """
        self._patience.seconds = wait
        response = self._call(FleetHttpClient.PullMessages, PullMessagesRequest(node=self._node))
        if not response.messages_list:
            return None
        message = response.messages_list[0]
        data = unpack(message)
        header = MessageProto(metadata=message.metadata)
        header.content.SetInParent()
        try:
            reply_to = message_from_proto(header)
        except Exception as error:  # nothing that could be replied to
            raise Unreachable(f"unreadable message ({type(error).__name__})") from None
        return Request(data=None if data is None or len(data) > limit else data, header=reply_to)

    def reply(self, request: Request, data: bytes) -> None:
        """Send the reply to a request. No running time is reported: it would depend on the holder's data."""
        content = RecordDict({RECORD: ConfigRecord({FIELD: data})})
        message = Message(content, reply_to=request.header)
        message.metadata.__dict__["_message_id"] = message.object_id
        push = PushMessagesRequest(
            node=self._node,
            messages_list=[message_to_proto(message)],
            # Flower knows a message by its tree of objects; this one has no others, and is never pushed itself.
            message_object_trees=[ObjectTree(object_id=message.object_id)],
        )
        self._call(FleetHttpClient.PushMessages, push)

    def _call(self, method: Callable[[FleetHttpClient, Any], _T], request: object) -> _T:
        client = self._client
        try:
            return method(client, request)
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            if status >= 500 or status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS):
                raise Unreachable(f"HTTP {status}") from None
            raise Refused(f"HTTP {status}") from None
        except httpx.TransportError as error:
            # A certificate that does not verify is a new one, a wrong set-up or an attack; only the first mends itself.
            if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                raise Unreachable(type(error).__name__) from None
            if self._trust_anew(client):
                raise Unreachable("the roster has brought another authority") from None
            raise ConfigError(
                "the SuperLink's certificate is not signed by the given root certificate",
                hint="compare ca.pem with the coordinator's operator before you go on",
            ) from None
        except ValueError:  # Flower raises it for a body that is no protobuf
            raise Unreachable("unreadable answer") from None


def unpack(message: MessageProto) -> bytes | None:
    """The bytes inside a message, or None if it is not one of ours (whatever the sender made it of)."""
    try:
        data = recorddict_from_proto(message.content)[RECORD][FIELD]
    except Exception:
        return None
    return data if isinstance(data, bytes) else None
