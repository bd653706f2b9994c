"""A SuperLink of our own: started with TLS, node authentication and a database file, and stopped by id."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

import server
from privacy.errors import CarrierError
from privacy.private_files import write_private
from server.flower.certificates import write_certificates
from server.flower.internals import SuperLinkClient, check_flower_version
from server.flower.processes import ChildProcesses

_HOST = "127.0.0.1"
_STEP = 0.05
#: What the command ``flower-superlink`` does, wherever that is installed. The short switch interval is for
#: its mix of an event loop and worker threads: a round of three nodes takes 15% less.
_SUPERLINK = """
import sys
from flwr.superlink.cli.flower_superlink import flower_superlink
sys.setswitchinterval(0.0005)
flower_superlink()
"""


class SuperLinkFailed(CarrierError):
    """The SuperLink or its ServerApp could not be started, or ended before its work was done."""


def child_environment(flower_home: Path) -> dict[str, str]:
    """The environment of every Flower process: quiet, at home in the run's folder, and never through a proxy.

    The children find our packages where this process found them, installed or not.
    """
    _keep_off_proxies()
    env = dict(os.environ)
    env.update(
        FLWR_HOME=str(flower_home),
        FLWR_TELEMETRY_ENABLED="0",
        FLWR_DISABLE_UPDATE_CHECK="1",
        FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION="1",
        PYTHONUNBUFFERED="1",
    )
    root = Path(server.__file__).resolve().parents[1]
    if str(root) not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), env.get("PYTHONPATH")]))
    return env


def _keep_off_proxies() -> None:
    """Let no HTTP client of this process or of its children send loopback traffic through a proxy."""
    for name in ("no_proxy", "NO_PROXY"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        if _HOST not in hosts:
            os.environ[name] = ",".join([*hosts, _HOST])


class SuperLink:
    """A running SuperLink on loopback; a context manager.

    Attributes:
        folder: the run's own folder: certificates, database, logs, Flower's home.
        address: ``host:port`` that nodes connect to; known before the SuperLink listens.
        root_certificate: what nodes check its certificate with.
        log: the SuperLink's output; the ServerApp's is beside it.
    """

    def __init__(
        self, folder: Path, processes: ChildProcesses, *, preload: str | None = None, port: int | None = None
    ) -> None:
        """Prepare a SuperLink in ``folder`` (created; made readable by its owner only).

        Args:
            folder: where everything of this run goes.
            processes: who starts and stops the children.
            preload: entry (see ``server.flower.app``) that the ServerApp process imports while it waits.
            port: where to listen; a free port by default.
        """
        check_flower_version()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.address = f"{_HOST}:{port or _free_port()}"
        self.root_certificate = folder / "ca.pem"
        self.log = folder / "superlink.log"
        self.serverapp_log = folder / "serverapp.log"
        self.environment: Mapping[str, str] = child_environment(folder / "flower")
        self._processes = processes
        self._preload = [preload] if preload else []
        self._secret = secrets.token_bytes(32)
        self._superlink: subprocess.Popen[bytes] | None = None
        self._serverapp: subprocess.Popen[bytes] | None = None
        self._client: SuperLinkClient | None = None

    def __enter__(self) -> Self:
        """Start it. It does not listen yet: see ``wait_until_ready``."""
        if not self.root_certificate.exists():
            write_certificates(self.folder, host=_HOST)
        secret = self.folder / "superexec.secret"
        write_private(secret, self._secret)
        host, port = self.address.split(":")
        self._superlink = self._processes.start(
            [
                *(sys.executable, "-P", "-c", _SUPERLINK),
                *("--host", host, "--port", port),
                *("--ssl-ca-certfile", str(self.root_certificate)),
                *("--ssl-certfile", str(self.folder / "server.pem")),
                *("--ssl-keyfile", str(self.folder / "server.key")),
                "--enable-supernode-auth",
                *("--database", str(self.folder / "superlink.db")),
                # No executor of Flower's: nothing but what ``run`` starts is ever started, and the secret
                # keeps others from taking its task.
                *("--isolation", "process", "--superexec-auth-secret-file", str(secret)),
                "--disable-runtime-dependency-installation",
            ],
            log=self.log,
            env=self.environment,
        )
        self._serverapp = self._start_serverapp()
        self._client = SuperLinkClient(
            address=self.address, root_certificate=self.root_certificate, secret=self._secret
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.__exit__(None, None, None)
        # The ServerApp first: it signs off at the SuperLink.
        for child in (self._serverapp, self._superlink):
            if child is not None:
                self._processes.stop(child)

    @property
    def client(self) -> SuperLinkClient:
        """The operator's calls; only inside the ``with`` block."""
        if self._client is None:
            raise SuperLinkFailed("the SuperLink is not running", hint="use it inside its with block")
        return self._client

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Wait until the SuperLink listens.

        Raises:
            SuperLinkFailed: if it ends, or does not listen within ``timeout`` seconds.
        """
        host, port = self.address.split(":")
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self._check_alive()
            try:
                socket.create_connection((host, int(port)), timeout=1.0).close()
            except OSError:
                time.sleep(_STEP)
            else:
                return
        raise SuperLinkFailed(f"the SuperLink did not start within {timeout:g} s", hint=f"see {self.log}")

    def run(self, entry: str, settings: Mapping[str, Any], *, timeout: float | None = None) -> int:
        """Run an entry of ``server.flower.app`` in the ServerApp process and wait for its end.

        Args:
            entry: ``module:function``, one of ``ALLOWED_ENTRIES``.
            settings: JSON object given to it.
            timeout: seconds after which the ServerApp is stopped; no limit by default.

        Returns:
            The exit status: 0 if the entry returned, another number if it raised or was stopped.

        Raises:
            SuperLinkFailed: if the SuperLink or the ServerApp process is not there.
        """
        serverapp = self._serverapp if self._serverapp is not None else self._start_serverapp()
        self._serverapp = serverapp
        if serverapp.poll() is not None:
            raise SuperLinkFailed("the ServerApp process did not start", hint=f"see {self.serverapp_log}")
        try:
            run_id = self.client.start_run(entry=entry, settings=json.dumps(settings))
            token = self.client.take_task(run_id)
        except httpx.HTTPError as error:
            raise SuperLinkFailed(
                f"the SuperLink did not take the run: {type(error).__name__}", hint=f"see {self.log}"
            ) from None
        if serverapp.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it has ended; its status is told below
                serverapp.stdin.write(f"{token}\n".encode())
                serverapp.stdin.close()
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                serverapp.wait(0.5)
                break
            except subprocess.TimeoutExpired:
                self._check_alive()
                if deadline is not None and time.monotonic() > deadline:
                    break
        self._processes.stop(serverapp)
        self._serverapp = None
        return serverapp.returncode

    def _start_serverapp(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "server.flower.serverapp"]
        command += [self.address, str(self.root_certificate), *self._preload]
        return self._processes.start(command, log=self.serverapp_log, env=self.environment, stdin=True)

    def _check_alive(self) -> None:
        if self._superlink is None or self._superlink.poll() is not None:
            status = "not started" if self._superlink is None else f"status {self._superlink.returncode}"
            raise SuperLinkFailed(f"the SuperLink has ended ({status})", hint=f"see {self.log}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port
