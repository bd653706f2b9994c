"""The port that partners reach, before a real SuperLink: a node works through it, and nothing else gets in."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import inspect
import io
import json
import socket
import ssl
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("flwr")

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from clients.flower import connection
from clients.flower.node import run_node
from privacy.errors import ConfigError
from privacy.private_keys import create_node_key, load_node_key, public_node_key
from server.flower import gateway, internals, node_keys
from server.flower.internals import BUNDLE_TOML
from simulations.worlds.deployment import LocalDeployment, NodeFiles

pytestmark = [pytest.mark.slow, pytest.mark.flower]

NODE = """
import sys, threading
from pathlib import Path
from clients.flower.node import run_node

address, root_certificate, node_key, holder = sys.argv[1:]
run_node(address=address, root_certificate=Path(root_certificate), node_key=Path(node_key), holder=holder,
         handler=lambda request: b"got " + request, stop=threading.Event())
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDeployment]:
    folder = tmp_path_factory.mktemp("gateway")
    script = folder / "node.py"
    script.write_text(NODE)

    def node(files: NodeFiles) -> list[str]:
        where = [files.address, str(files.root_certificate), str(files.node_key)]
        return [sys.executable, str(script), *where, files.holder]

    with LocalDeployment(folder / "run", ["alpha"], node) as running:
        yield running


def send(deployment: LocalDeployment, request: bytes) -> bytes:
    """Bytes over TLS to the gateway, and all that comes back before it closes or falls silent."""
    context = ssl.create_default_context(cafile=str(deployment.root_certificate))
    host, _, port = deployment.address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        secure.settimeout(0.5)
        secure.sendall(request)
        answer = b""
        try:
            while part := secure.recv(65536):
                answer += part
        except TimeoutError:
            pass
        return answer


def signed(deployment: LocalDeployment, holder: str = "alpha") -> bytes:
    """Header lines of one call of a registered node."""
    key = load_node_key(Path(deployment.node_log(holder)).parent / f"{holder}.key")
    now = dt.datetime.now(dt.UTC).isoformat().encode()
    signature = base64.b64encode(key.sign(now, ec.ECDSA(hashes.SHA256())))
    own = node_keys.header_of(public_node_key(key))
    return b"flwr-public-key: %s\r\nflwr-timestamp: %s\r\nflwr-signature: %s\r\n" % (own, now, signature)


def post(path: bytes, body: bytes = b"", *, extra: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    head = b"POST " + path + b" " + version + b"\r\nhost: x\r\ncontent-type: application/protobuf\r\n" + extra
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def calls_seen(deployment: LocalDeployment) -> int:
    """Calls of the interfaces that partners must not reach, in the SuperLink's log; ours for nodes are counted."""
    text = deployment.service.superlink.files.log.read_text(errors="replace")
    return sum(text.count(word) for word in ("/v1/control/", "/v1/runtime/", "get-fab", "/docs", "/openapi", "/health"))


TRICKS = [
    b"/v1/control/list-nodes",
    b"/v1/control/start-run",
    b"/v1/runtime/acquire-task",
    b"/v1/fleet/get-fab",
    b"/v1/fleet/get-run",
    b"/v1/fleet/register-node",
    b"/v1/fleet/pull-object",
    b"/",
    b"/health",
    b"/docs",
    b"/openapi.json",
    b"//v1/control/list-nodes",
    b"/v1/fleet//pull-messages",
    b"/v1/fleet/pull-messages/",
    b"/v1/fleet/../control/list-nodes",
    b"/v1/fleet/%2e%2e/control/list-nodes",
    b"/v1/fleet/..%2fcontrol/list-nodes",
    b"/v1/fleet/pull-messages/../../control/list-nodes",
    b"/v1/fleet/pull%2dmessages",
    b"/V1/FLEET/PULL-MESSAGES",
    b"/v1/fleet/pull-messages?x=1",
    b"/v1/fleet/pull-messages%00",
    b"/v1/fleet/pull-messages;x",
    b"https://127.0.0.1/v1/control/list-nodes",
    b"https://127.0.0.1/v1/fleet/pull-messages",
]


@pytest.mark.parametrize("path", TRICKS)
def test_other_paths_and_spellings_are_closed(deployment: LocalDeployment, path: bytes) -> None:
    before = calls_seen(deployment)
    known = signed(deployment) + b"connection: close\r\n"
    answer = send(deployment, post(path, extra=known))
    assert answer.split(b" ")[1] in (b"404", b"400")
    assert calls_seen(deployment) == before


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"CONNECT", b"TRACE"])
def test_other_methods_are_closed(deployment: LocalDeployment, method: bytes) -> None:
    request = post(b"/v1/fleet/pull-messages", extra=b"connection: close\r\n").replace(b"POST", method, 1)
    assert send(deployment, request).split(b" ")[1] in (b"404", b"400")


def test_only_registered_keys_get_as_far_as_the_superlink(deployment: LocalDeployment, tmp_path: Path) -> None:
    stranger = node_keys.header_of(create_node_key(tmp_path / "stranger.key"))
    for key in (b"", b"flwr-public-key: " + stranger + b"\r\n", b"flwr-public-key: guess\r\n"):
        answer = send(deployment, post(b"/v1/fleet/pull-messages", extra=key + b"connection: close\r\n"))
        assert answer.split(b" ")[1] == b"401"
    # A registered key in the header is not enough: its signature is wanted, here and at the SuperLink.
    known = [line for line in signed(deployment).split(b"\r\n") if b"signature" not in line]
    call = post(b"/v1/fleet/pull-messages", extra=b"\r\n".join(known) + b"connection: close\r\n")
    assert send(deployment, call).split(b" ")[1] == b"401"


def test_a_body_over_the_limit_is_refused_before_it_is_read(deployment: LocalDeployment) -> None:
    for path, limit in gateway.FLEET_CALLS.items():
        head = b"POST " + path + b" HTTP/1.1\r\nhost: x\r\ncontent-type: application/protobuf\r\n"
        over = head + signed(deployment) + b"content-length: %d\r\n\r\n" % (limit + 1)
        assert send(deployment, over).split(b" ")[1] == b"413"
    chunk = b"10001\r\n" + bytes(0x10001) + b"\r\n0\r\n\r\n"
    chunked = post(b"/v1/fleet/pull-messages", extra=signed(deployment)).split(b"content-length")[0]
    assert send(deployment, chunked + b"transfer-encoding: chunked\r\n\r\n" + chunk).split(b" ")[1] == b"411"


def test_smuggled_requests_do_not_get_through(deployment: LocalDeployment) -> None:
    before = calls_seen(deployment)
    hidden = post(b"/v1/control/list-nodes", extra=b"connection: close\r\n")
    length = b"content-length: %d\r\n" % (len(hidden) + 5)
    ends = [
        length + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,  # CL and TE
        b"content-length: 0\r\n" + length + b"\r\n" + hidden,  # two lengths
        b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
        b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n" + hidden,
        b"content-length: 0\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n" + hidden,
        b"content-length: 0\r\nx-forwarded-uri: /v1/control/list-nodes\r\n\r\n",
        signed(deployment) + b"content-length: 0\r\n\r\n",  # the same headers twice
    ]
    attempts = [  # each signed for itself: none is refused for being the same call again
        post(b"/v1/fleet/pull-messages", extra=signed(deployment)).split(b"content-length")[0] + end for end in ends
    ]
    attempts.append(post(b"/v1/fleet/pull-messages\r\nx: y", extra=signed(deployment)) + hidden)
    for attempt in attempts:
        answer = send(deployment, attempt)
        statuses = [part.split(b" ")[1] for part in answer.split(b"HTTP/1.1")[1:] if b" " in part]
        assert set(statuses) <= {b"400", b"401", b"404", b"411", b""} or answer == b"", attempt
        assert b"200" not in [line.split(b" ")[1] for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert calls_seen(deployment) == before


def test_nothing_but_the_gateway_listens_for_partners_and_the_node_for_nobody(deployment: LocalDeployment) -> None:
    assert deployment.service.superlink.address.startswith("127.0.0.1:")
    assert listening(deployment.node_process("alpha").pid) == set()
    # The check itself sees a port that is open.
    assert listening(deployment.service.superlink.process.pid) == {
        int(deployment.service.superlink.address.rpartition(":")[2])
    }


def listening(pid: int) -> set[int]:
    """TCP ports on which a process listens."""
    sockets = set()
    for link in (Path("/proc") / str(pid) / "fd").iterdir():
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in (Path("/proc") / str(pid) / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def test_the_list_is_of_the_calls_that_a_node_makes() -> None:
    from flwr.supernode.fleet_http_client import FleetHttpClient

    source = inspect.getsource(connection)
    made = set()
    for name, method in inspect.getmembers(FleetHttpClient, inspect.isfunction):
        if name[0].isupper() and f"FleetHttpClient.{name}" in source:
            made.add(inspect.getsource(method).split('path="')[1].split('"')[0].encode())
    assert made == gateway.FLEET_CALLS.keys()


def test_the_header_names_are_flowers() -> None:
    from flwr.common.constant import TIMESTAMP_HEADER
    from flwr.supercore import constant
    from flwr.supercore.protobuf.constants import PROTOBUF_MEDIA_TYPE

    assert constant.FLEET_HTTP_PUBLIC_KEY_HEADER.encode() == node_keys.PUBLIC_KEY_HEADER
    theirs = {
        constant.FLEET_HTTP_PUBLIC_KEY_HEADER,
        constant.FLEET_HTTP_SIGNATURE_HEADER,
        constant.FLWR_PACKAGE_NAME_METADATA_KEY,
        constant.FLWR_PACKAGE_VERSION_METADATA_KEY,
        constant.FLWR_COMPONENT_NAME_METADATA_KEY,
        TIMESTAMP_HEADER,
    }
    assert {name.encode() for name in theirs} == gateway._PASSED_ON - {b"accept", b"content-type"}
    assert PROTOBUF_MEDIA_TYPE == "application/protobuf"


def test_a_revoked_node_is_refused_and_an_admitted_one_comes_in(deployment: LocalDeployment, tmp_path: Path) -> None:
    service = deployment.service
    alpha = next(key for line in service.nodes.read_text().splitlines() for _, key in [line.split(maxsplit=1)])
    beta = create_node_key(tmp_path / "beta.key")
    service.admit({"alpha": alpha, "beta": beta})
    events: list[str] = []
    stop = threading.Event()
    arguments = {
        "address": deployment.address,
        "root_certificate": deployment.root_certificate,
        "node_key": tmp_path / "beta.key",
        "holder": "beta",
        "handler": bytes,
        "stop": stop,
        "on_event": lambda event: (events.append(event), event == "connected" and stop.set()),
    }
    run_node(**arguments)
    assert "connected" in events
    service.admit({"alpha": alpha})
    assert "beta" not in service.nodes.read_text()
    stop.clear()
    with pytest.raises(ConfigError, match="does not accept the node key"):
        run_node(**arguments, wait_for_registration=0.0)
    with pytest.raises(ConfigError, match="refuses to register"):  # and Flower never takes that key again
        service.admit({"alpha": alpha, "beta": beta})
    service.admit({"alpha": alpha})
    assert list(service.superlink.client.online()) == ["alpha"]


def test_a_list_that_cannot_be_read_admits_nobody(tmp_path: Path) -> None:
    nodes = node_keys.NodeList(tmp_path / "nodes")
    known = create_node_key(tmp_path / "a.key")
    assert nodes.key_of(node_keys.header_of(known)) is None
    node_keys.write_nodes(tmp_path / "nodes", {"a": known})
    assert nodes.key_of(node_keys.header_of(known)) is not None
    (tmp_path / "nodes").write_text("a not-a-key\n")
    assert nodes.key_of(node_keys.header_of(known)) is None


def test_a_bundle_that_differs_by_one_character_is_neither_fetched_nor_run(
    deployment: LocalDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers, stolen = tmp_path / "customers.csv", tmp_path / "stolen"
    customers.write_text("4711,Example\n")
    code = f"from pathlib import Path\nPath({str(stolen)!r}).write_bytes(Path({str(customers)!r}).read_bytes())\n"
    exec(code)  # it would do what it says, wherever it is run
    assert stolen.read_bytes() == customers.read_bytes()
    stolen.unlink()
    # One other character in the name of the ClientApp, and behind the name a module that is shipped along.
    bundle = _bundle(BUNDLE_TOML.replace("nothing:nothing", "nothinG:nothing"), code)
    monkeypatch.setattr(internals, "build_bundle", lambda: bundle)
    # The coordinator is in on it: it submits this bundle, and asks the node within that very run.
    report = tmp_path / "report.json"
    assert deployment.run("server.flower.probe:probe", {"report": str(report), "holders": ["alpha"]}, timeout=60) == 0
    assert json.loads(report.read_text())["rounds"][0]["replies"].keys() == {"alpha"}
    shipped = (deployment.service.superlink.files.folder / "flower" / "apps").rglob("nothinG.py")
    assert list(shipped), "the coordinator itself has unpacked it"
    assert not stolen.exists()
    service = deployment.service
    assert "get-fab" not in service.gateway_log.read_text(), "the gateway would have named it as refused"
    assert "GetFab" not in service.superlink.files.log.read_text(errors="replace")


def _bundle(toml: str, code: str) -> bytes:
    files = {"pyproject.toml": toml.encode(), "nothinG.py": code.encode()}
    listing = [f"{name},{hashlib.sha256(data).hexdigest()},{8 * len(data)}" for name, data in sorted(files.items())]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, data in files.items():
            bundle.writestr(name, data)
        bundle.writestr(".info/CONTENT", "\n".join(listing))
    return buffer.getvalue()
