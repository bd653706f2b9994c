"""A SuperLink of our own: started with TLS, node authentication and a database file, and stopped by id."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import server
from privacy.errors import CarrierError
from privacy.private_files import write_private
from server.flower.bells import FOLDER
from server.flower.certificates import expires_within, write_certificates
from server.flower.internals import SuperLinkClient, check_flower_version
from server.flower.processes import ChildProcesses

_HOST = "127.0.0.1"
_STEP = 0.05
#: Longer than a SuperLink runs without a restart, and no longer than certificates may be valid.
_CERTIFICATE_DAYS = 825
#: What the command ``flower-superlink`` does, wherever that is installed. The short switch interval is for
#: its mix of an event loop and worker threads: a round of three nodes takes 15% less. Flower imports half a million
#: objects that stay, and Python looks through them for garbage at every 700 of them, if it isn't told to do so less.
_SUPERLINK = """
import gc, sys
gc.set_threshold(50_000)
from flwr.superlink.cli.flower_superlink import flower_superlink
sys.setswitchinterval(0.0005)
flower_superlink()
"""


class SuperLinkFailed(CarrierError):
    """The SuperLink, its gateway or a ServerApp could not be started, or ended before its work was done."""


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


@dataclass(frozen=True)
class SuperLinkFiles:
    """What a SuperLink leaves in its folder, for the processes of its operator.

    Attributes:
        folder: readable by its owner only; database, logs and Flower's home are there too.
    """

    folder: Path

    @property
    def root_certificate(self) -> Path:
        """What the SuperLink's certificate is checked with."""
        return self.folder / "ca.pem"

    @property
    def secret(self) -> Path:
        """With it runs' tasks are taken."""
        return self.folder / "superexec.secret"

    @property
    def log(self) -> Path:
        """The SuperLink's output."""
        return self.folder / "superlink.log"

    @property
    def serverapp_log(self) -> Path:
        """The output of the ServerApp processes."""
        return self.folder / "serverapp.log"

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of every Flower process."""
        return {**child_environment(self.folder / "flower"), FOLDER: str(self.folder)}

    def write_address(self, address: str) -> None:
        """Say where the SuperLink listens."""
        write_private(self._address, f"{address}\n".encode())

    def address(self) -> str:
        """Where the SuperLink listens, as ``host:port``, or did when it was last started.

        Raises:
            CarrierError: if it was never started.
        """
        try:
            return self._address.read_text(encoding="ascii").strip()
        except OSError:
            raise CarrierError(
                f"no SuperLink was started in {self.folder}", hint="start it with `cohortium coordinator serve`"
            ) from None

    @property
    def _address(self) -> Path:
        return self.folder / "superlink.address"

    def client(self) -> SuperLinkClient:
        """The operator's calls.

        Raises:
            CarrierError: if the SuperLink was never started.
        """
        address = self.address()
        _keep_off_proxies()
        return SuperLinkClient(address=address, root_certificate=self.root_certificate, secret=self.secret.read_bytes())


class SuperLink:
    """A running SuperLink on loopback; a context manager.

    Attributes:
        files: what is in its folder.
        address: ``host:port`` that the gateway connects to; known before the SuperLink listens.
    """

    def __init__(self, folder: Path, processes: ChildProcesses, *, port: int | None = None) -> None:
        """Prepare a SuperLink in ``folder`` (created; made readable by its owner only).

        Args:
            folder: where everything of it goes. Started there again it is the same to nodes and runs.
            processes: who starts and stops the children.
            port: where to listen; by default a free port, the same as last time if that is free.
        """
        check_flower_version()
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.files = SuperLinkFiles(folder)
        self.address = f"{_HOST}:{port or free_port(self._last_port())}"
        self._processes = processes
        self._process: subprocess.Popen[bytes] | None = None
        self._client: SuperLinkClient | None = None

    def _last_port(self) -> int:
        try:
            return int(self.files.address().rpartition(":")[2])
        except (CarrierError, ValueError):
            return 0

    def __enter__(self) -> Self:
        """Start it. It does not listen yet: see ``wait_until_ready``."""
        files = self.files
        if not files.root_certificate.exists() or expires_within(files.folder / "server.pem", days=90):
            write_certificates(files.folder, host=_HOST, days=_CERTIFICATE_DAYS)
        if not files.secret.exists():
            write_private(files.secret, secrets.token_bytes(32))
        files.write_address(self.address)
        host, port = self.address.split(":")
        self._process = self._processes.start(
            [
                *(sys.executable, "-P", "-c", _SUPERLINK),
                *("--host", host, "--port", port),
                *("--ssl-ca-certfile", str(files.root_certificate)),
                *("--ssl-certfile", str(files.folder / "server.pem")),
                *("--ssl-keyfile", str(files.folder / "server.key")),
                "--enable-supernode-auth",
                *("--database", str(files.folder / "superlink.db")),
                # No executor of Flower's: nothing but what our own runs start is ever started, and the secret
                # keeps others from taking its task.
                *("--isolation", "process", "--superexec-auth-secret-file", str(files.secret)),
                "--disable-runtime-dependency-installation",
            ],
            log=files.log,
            env=files.environment,
        )
        self._client = files.client()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.__exit__(None, None, None)
        if self._process is not None:
            self._processes.stop(self._process)

    @property
    def client(self) -> SuperLinkClient:
        """The operator's calls; only inside the ``with`` block."""
        if self._client is None:
            raise SuperLinkFailed("the SuperLink is not running", hint="use it inside its with block")
        return self._client

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The SuperLink's process; only inside the ``with`` block."""
        if self._process is None:
            raise SuperLinkFailed("the SuperLink is not running", hint="use it inside its with block")
        return self._process

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Wait until the SuperLink listens.

        Raises:
            SuperLinkFailed: if it ends, or does not listen within ``timeout`` seconds.
        """
        wait_for_port(self.address, self.check_alive, log=self.files.log, what="the SuperLink", timeout=timeout)

    def check_alive(self) -> None:
        """Raise ``SuperLinkFailed`` if it has ended."""
        if self.process.poll() is not None:
            raise SuperLinkFailed(
                f"the SuperLink has ended (status {self.process.returncode})", hint=f"see {self.files.log}"
            )


def wait_for_port(
    address: str, check_alive: Callable[[], None], *, log: Path, what: str, timeout: float = 60.0
) -> None:
    """Wait until somebody listens at ``host:port``, calling ``check_alive`` meanwhile.

    Raises:
        SuperLinkFailed: if nobody does within ``timeout`` seconds; and whatever ``check_alive`` raises.
    """
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        check_alive()
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=1.0).close()
        except OSError:
            time.sleep(_STEP)
        else:
            return
    raise SuperLinkFailed(f"{what} did not start within {timeout:g} s", hint=f"see {log}")


def free_port(wished: int = 0) -> int:
    """A free port on loopback: the wished one if it is free."""
    for port in (wished, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise SuperLinkFailed(f"there is no free port on {_HOST}")
