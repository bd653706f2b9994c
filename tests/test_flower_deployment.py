"""The deployed carrier with nothing replaced: SuperLink, TLS, registered keys, a process per holder."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("flwr")

from clients.flower import connection
from clients.flower.node import FAILED_REPLY, run_node
from privacy.errors import ConfigError, ProtocolError
from privacy.private_keys import create_node_key
from server.flower import internals
from server.flower.app import load_entry
from server.flower.certificates import write_certificates
from server.flower.processes import ChildProcesses
from server.flower.superlink import SuperLink, child_environment
from simulations.worlds.deployment import LocalDeployment, NodeFiles

HOLDERS = ("alpha", "beta", "gamma")
PROBE = "server.flower.probe:probe"
SECRET = "row-4711-of-Mrs-Example"

#: A holder's process whose handler does what the request says: echo, raise, or die.
NODE = f"""
import os, sys, threading
from pathlib import Path
from clients.flower.node import run_node

address, root_certificate, node_key, holder = sys.argv[1:]

def handler(request):
    if request.startswith(b"raise") and holder == "beta":
        raise ValueError("{SECRET}")
    if request.startswith(b"die") and holder == "gamma":
        os._exit(7)
    return holder.encode() + b" got " + request

run_node(address=address, root_certificate=Path(root_certificate), node_key=Path(node_key), holder=holder,
         handler=handler, stop=threading.Event(), on_event=lambda event: print(event, flush=True))
"""

#: A program that opens a deployment with one holder, says so, and then ends or waits to be ended.
PARENT = """
import sys, time
from pathlib import Path
from simulations.worlds.deployment import LocalDeployment

def node(files):
    where = [files.address, str(files.root_certificate), str(files.node_key)]
    return [sys.executable, str(Path(sys.argv[1]) / "node.py"), *where, files.holder]

with LocalDeployment(Path(sys.argv[1]) / "run", ["alpha"], node):
    print("open", flush=True)
    while sys.argv[2] == "wait":
        time.sleep(0.1)
"""


def deployed(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that starts real Flower processes."""
    return pytest.mark.slow(pytest.mark.flower(test))


class Running:
    """A deployment shared by the tests below, and what a probe of it reports."""

    def __init__(self, deployment: LocalDeployment, folder: Path) -> None:
        self.deployment = deployment
        self.folder = folder

    def probe(self, **settings: object) -> dict:
        report = self.folder / f"{uuid.uuid4()}.json"
        wanted = {"report": str(report), "holders": list(HOLDERS), **settings}
        assert self.deployment.run(PROBE, wanted, timeout=60) == 0, self.deployment.serverapp_log.read_text()
        return json.loads(report.read_text())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("deployment")
    script = folder / "node.py"
    script.write_text(NODE)

    def node(files: NodeFiles) -> list[str]:
        where = [files.address, str(files.root_certificate), str(files.node_key)]
        return [sys.executable, str(script), *where, files.holder]

    started = time.monotonic()
    with LocalDeployment(folder / "run", HOLDERS, node, preload=PROBE) as deployment:
        print(f"start {time.monotonic() - started:.1f} s", deployment.timings)
        yield Running(deployment, folder)
    assert deployment.timings[-1][0] == "everything stopped"
    assert deployment.timings[-1][1] < 5


@deployed
def test_rounds_reach_every_holder_and_come_back(running: Running) -> None:
    report = running.probe(rounds=4, size=200_000)
    assert report["connected"] == list(HOLDERS)
    seconds = [one["seconds"] for one in report["rounds"]]
    print("seconds a round", seconds)
    for number, one in enumerate(report["rounds"]):
        request = f"probe {number} ".encode().ljust(200_000, b".")
        expected = {holder: (holder.encode() + b" got " + request).hex() for holder in HOLDERS}
        assert one["replies"] == expected
        assert sorted(one["order"]) == list(HOLDERS)
    # Flower's own node and Grid take 3 to 6 s; the bar leaves room for a busy machine.
    assert sorted(seconds)[1] < 3


@deployed
def test_a_handler_that_raises_says_nothing(running: Running) -> None:
    report = running.probe(message="raise", timeout=20.0)
    (one,) = report["rounds"]
    assert sorted(one["replies"]) == ["alpha", "gamma"]
    assert one["seconds"] < 10, "a failure is told at once, not waited for"
    assert FAILED_REPLY == b""
    beta_log = running.deployment.node_log("beta")
    assert SECRET in beta_log.read_text(), "the holder itself sees what happened"
    others = [path for path in running.folder.rglob("*") if path.is_file() and path != beta_log]
    assert running.folder / "run" / "superlink.db" in others
    assert [path for path in others if path.name != "node.py" and SECRET.encode() in path.read_bytes()] == []


@deployed
def test_the_bundle_is_never_asked_for(running: Running) -> None:
    log = (running.folder / "run" / "superlink.log").read_text()
    assert "Fleet.PushMessages" in log
    assert "GetFab" not in log
    assert "get-fab" not in log
    installed = list((running.folder / "run" / "flower" / "apps").rglob("*.*"))
    assert not [path for path in installed if path.suffix == ".py"], "what is shipped holds no code"


@deployed
def test_an_unregistered_key_is_refused(running: Running, tmp_path: Path) -> None:
    create_node_key(tmp_path / "stranger.key")
    called = []
    with pytest.raises(ConfigError, match="does not accept the node key"):
        run_node(
            address=running.deployment.address,
            root_certificate=running.deployment.root_certificate,
            node_key=tmp_path / "stranger.key",
            holder="alpha",
            handler=lambda request: called.append(request) or b"",
            stop=threading.Event(),
            wait_for_registration=0.0,
        )
    assert called == []


@deployed
def test_a_superlink_of_another_authority_is_refused(running: Running, tmp_path: Path) -> None:
    write_certificates(tmp_path)
    create_node_key(tmp_path / "n.key")
    with pytest.raises(ConfigError, match="not signed"):
        run_node(
            address=running.deployment.address,
            root_certificate=tmp_path / "ca.pem",
            node_key=tmp_path / "n.key",
            holder="alpha",
            handler=bytes,
            stop=threading.Event(),
        )


@deployed
def test_an_entry_that_is_not_on_the_list_fails(running: Running) -> None:
    assert running.deployment.run("os:system", {}, timeout=60) != 0


@deployed
@pytest.mark.filterwarnings("ignore::DeprecationWarning:pathspec")
def test_a_run_that_somebody_else_submitted_is_never_started(running: Running, tmp_path: Path) -> None:
    from flwr.cli.build import build_fab_from_files
    from flwr.common.serde import fab_to_proto
    from flwr.proto.control_pb2 import StartRunRequest
    from flwr.supercore.control import ControlHttpClient
    from flwr.supercore.fab import Fab

    planted = internals.BUNDLE_TOML.replace("server.flower.app:app", "planted:app").encode()
    code = f"from pathlib import Path\nPath({str(tmp_path / 'started')!r}).touch()\napp = None\n".encode()
    content, _ = build_fab_from_files({"pyproject.toml": planted, "planted.py": code})
    certificate = running.deployment.root_certificate.read_bytes()
    with ControlHttpClient.from_server_address(
        running.deployment.service.superlink.address, False, certificate, interceptors=[]
    ) as anybody:
        fab = fab_to_proto(Fab(hashlib.sha256(content).hexdigest(), content, {}))
        assert anybody.StartRun(StartRunRequest(fab=fab)).HasField("run_id")
    assert sorted(running.probe()["rounds"][0]["replies"]) == list(HOLDERS)
    assert not (tmp_path / "started").exists()


@deployed
def test_a_task_cannot_be_taken_without_the_secret(running: Running) -> None:
    with (
        internals.SuperLinkClient(
            address=running.deployment.service.superlink.address,
            root_certificate=running.deployment.root_certificate,
            secret=b"guessed",
        ) as client,
        pytest.raises(httpx.HTTPStatusError),
    ):
        client.take_task(1)


@deployed
def test_a_node_that_dies_is_absent_and_the_others_are_not(running: Running) -> None:
    report = running.probe(message="die", timeout=4.0)
    (one,) = report["rounds"]
    assert sorted(one["replies"]) == ["alpha", "beta"]
    assert 3.9 < one["seconds"] < 6
    assert running.deployment.node_process("gamma").wait(5) == 7


@deployed
def test_a_node_comes_back_when_its_superlink_does(tmp_path: Path) -> None:
    public_key = create_node_key(tmp_path / "alpha.key")
    events: list[str] = []
    stop = threading.Event()
    port = None
    with ChildProcesses() as processes:
        for life in (1, 2):
            with SuperLink(tmp_path / "link", processes, port=port) as link:
                link.wait_until_ready()
                if life == 1:
                    port = int(link.address.rpartition(":")[2])
                    link.client.register(name="alpha", public_key=public_key)
                    arguments = {
                        "address": link.address,
                        "root_certificate": link.files.root_certificate,
                        "node_key": tmp_path / "alpha.key",
                        "holder": "alpha",
                        "handler": bytes,
                        "stop": stop,
                        "on_event": events.append,
                    }
                    node = threading.Thread(target=run_node, kwargs=arguments)
                    node.start()
                try:
                    _wait_for(lambda life=life: events.count("connected") == life)
                    assert list(link.client.online()) == ["alpha"]
                finally:
                    if life == 2 or events.count("connected") < life:
                        stop.set()
                        node.join()
            if life == 1:
                _wait_for(lambda: "lost" in events)
    assert events == ["connecting", "connected", "lost", "connected", "stopped"]


@deployed
@pytest.mark.parametrize("ending", ["end", "SIGINT", "SIGTERM", "SIGKILL"])
def test_no_process_is_left(ending: str, tmp_path: Path) -> None:
    (tmp_path / "node.py").write_text(NODE)
    mark = f"COHORTIUM_TEST_MARK={uuid.uuid4()}"
    env = child_environment(tmp_path / "flower") | dict([mark.split("=")])
    command = [sys.executable, "-c", PARENT, str(tmp_path), "stay" if ending == "end" else "wait"]
    parent = subprocess.Popen(
        command,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # A suite started in the background of a shell inherits SIGINT ignored; a person's terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "open\n"
        if ending != "end":
            assert len(_marked(mark)) >= 5, "parent, watchdog, SuperLink, gateway, ServerApp, node"
            parent.send_signal(getattr(signal, ending))
        parent.wait(30)
        _wait_for(lambda: not _marked(mark), seconds=6)
    finally:
        parent.kill()
        parent.wait()
        for pid in _marked(mark):
            os.kill(pid, signal.SIGKILL)


def _marked(mark: str) -> list[int]:
    """Processes that carry a mark in their environment: what a test's program has started."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("needs /proc to find processes")
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def _wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


class TestFlowerIsTheOneWrittenFor:
    """Fails loudly when a Flower is installed whose insides are not those that the two adapter files use."""

    def test_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (connection, internals):
            module.check_flower_version()
            monkeypatch.setattr(module, "version", lambda name: "1.42.0")
            with pytest.raises(ConfigError, match=r"1\.42\.0"):
                module.check_flower_version()

    def test_both_sides_agree(self) -> None:
        assert (connection.RECORD, connection.FIELD) == (internals.RECORD, internals.FIELD)
        assert connection.FLOWER_VERSION == internals.FLOWER_VERSION

    @pytest.mark.parametrize(
        ("place", "parameters"),
        [
            (
                "flwr.supercore.protobuf.client:ProtobufClient.from_server_address",
                "server_address insecure root_certificates interceptors retry_invoker",
            ),
            ("flwr.supernode.fleet_http_client:FleetHttpClient.ActivateNode", "self request"),
            ("flwr.supernode.fleet_http_client:FleetHttpClient.DeactivateNode", "self request"),
            ("flwr.supernode.fleet_http_client:FleetHttpClient.SendNodeHeartbeat", "self request"),
            ("flwr.supernode.fleet_http_client:FleetHttpClient.PullMessages", "self request"),
            ("flwr.supernode.fleet_http_client:FleetHttpClient.PushMessages", "self request"),
            (
                "flwr.supernode.node_auth_http_interceptor:NodeAuthHttpInterceptor",
                "private_key public_key",
            ),
            ("flwr.supercore.interceptors:RuntimeVersionHttpInterceptor", "component_name"),
            ("flwr.supercore.interceptors:SuperExecAuthHttpInterceptor", "master_secret protected_methods"),
            ("flwr.supercore.primitives.asymmetric:public_key_to_bytes", "public_key"),
            ("flwr.common.serde:message_to_proto", "message"),
            ("flwr.common.serde:message_from_proto", "message_proto"),
            ("flwr.common.serde:recorddict_from_proto", "recorddict_proto"),
            ("flwr.supercore.control:ControlHttpClient.StartRun", "self request"),
            ("flwr.supercore.control:ControlHttpClient.RegisterNode", "self request"),
            ("flwr.supercore.control:ControlHttpClient.ListNodes", "self request"),
            ("flwr.supercore.control:ControlHttpClient.UnregisterNode", "self request"),
            ("flwr.supercore.runtime:RuntimeHttpClient.AcquireTask", "self request"),
            ("flwr.supercore.runtime:RuntimeHttpClient.PullMessages", "self request"),
            ("flwr.supercore.runtime:RuntimeHttpClient.PushMessages", "self request"),
            ("flwr.superlink.grid:HttpGrid.get_nodes", "self"),
            (
                "flwr.superlink.runtime:run_serverapp",
                "runtime_api_address log_queue token insecure certificates parent_pid runtime_dependency_install",
            ),
            ("flwr.supercore.logger:flush_logs", "log_queue timeout"),
            ("flwr.superlink.cli.flower_superlink:flower_superlink", ""),
        ],
    )
    def test_signature(self, place: str, parameters: str) -> None:
        module, _, path = place.partition(":")
        found = importlib.import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
        assert list(inspect.signature(found).parameters) == parameters.split()

    def test_attributes(self) -> None:
        from flwr.proto import control_pb2, fleet_pb2, message_pb2, node_pb2, runtime_pb2
        from flwr.superlink.grid import HttpGrid

        grid = HttpGrid(token="none")
        assert isinstance(grid.node, node_pb2.Node)
        assert isinstance(inspect.getattr_static(HttpGrid, "_runtime_client"), property)
        assert grid._retry_invoker.max_time is None
        runtime = importlib.import_module("flwr.superlink.runtime.run_serverapp")
        assert callable(runtime.flush_logs)
        for message, names in (
            (node_pb2.NodeInfo, "node_id status public_key name"),
            (fleet_pb2.PullMessagesResponse, "messages_list"),
            (fleet_pb2.PushMessagesRequest, "node messages_list message_object_trees"),
            (message_pb2.Message, "metadata content"),
            (message_pb2.ObjectTree, "object_id"),
            (runtime_pb2.PushAppMessagesRequest, "messages_list message_object_trees"),
            (runtime_pb2.PullAppMessagesResponse, "messages_list"),
            (runtime_pb2.AcquireTaskResponse, "task token"),
            (control_pb2.StartRunRequest, "fab override_config"),
        ):
            assert set(names.split()) <= {field.name for field in message.DESCRIPTOR.fields}

    @pytest.mark.filterwarnings("ignore::DeprecationWarning:pathspec")
    def test_the_bundle_is_what_flower_itself_would_build(self) -> None:
        from flwr.cli.build import build_fab_from_files
        from flwr.common.config import get_fab_config

        ours = internals.build_bundle()
        theirs, _ = build_fab_from_files({"pyproject.toml": internals.BUNDLE_TOML.encode()})
        assert get_fab_config(ours) == get_fab_config(theirs)
        with zipfile.ZipFile(io.BytesIO(ours)) as mine, zipfile.ZipFile(io.BytesIO(theirs)) as its:
            assert sorted(mine.namelist()) == sorted(its.namelist())
        assert ours == internals.build_bundle()

    def test_entries_come_from_the_list_only(self) -> None:
        assert callable(load_entry(PROBE))
        with pytest.raises(ProtocolError, match="not allowed"):
            load_entry("os:system")
