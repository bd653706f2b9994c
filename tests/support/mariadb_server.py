"""A real MariaDB server for tests, where its packages are installed; on a socket alone, stopped at the end."""

from __future__ import annotations

import contextlib
import getpass
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

PASSWORD = "Geheim-7/§ §%20x"
#: Debian's mariadb-server-core and mariadb-client-core.
PROGRAMS = ("mariadbd", "mariadb-install-db", "my_print_defaults")


def missing() -> str:
    """Which program there is not; empty where all are here."""
    return next((name for name in PROGRAMS if _program(name) is None), "")


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/libexec")


@dataclass(frozen=True)
class MariaServer:
    """A running server: ``reader`` may log in with ``PASSWORD`` and read all of ``shop``."""

    socket: Path

    @property
    def url(self) -> str:
        return f"mysql://reader@localhost/shop?socket={quote(str(self.socket))}"

    def admin(self, *statements: str, rows: Any = ()) -> None:
        """Run statements with all rights; the last one once for each of the rows, where there are some."""
        import pymysql

        root = pymysql.connect(unix_socket=str(self.socket), user="root", charset="utf8mb4", autocommit=True)
        with root, root.cursor() as cursor:
            for number, statement in enumerate(statements, start=1):
                if rows and number == len(statements):
                    cursor.executemany(statement, rows)
                else:
                    cursor.execute(statement)

    def empty(self) -> None:
        """Put an empty database in the place of ``shop``."""
        self.admin("DROP DATABASE IF EXISTS shop", "CREATE DATABASE shop CHARACTER SET utf8mb4", "USE shop")


@contextlib.contextmanager
def running_mariadb() -> Iterator[MariaServer]:
    """Start a server; its data lie in a folder that is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="my-"))
    data, socket = folder / "data", folder / "s"
    user = f"--user={getpass.getuser()}"
    install = [_program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", user, "--skip-test-db"]
    try:
        subprocess.run([*install, "--auth-root-authentication-method=normal"], check=True, capture_output=True)
        options = ["--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M"]
        command = [_program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={socket}", user, *options]
        with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                _wait(socket, process)
                server = MariaServer(socket)
                server.admin(
                    f"CREATE USER reader@localhost IDENTIFIED BY '{PASSWORD}'",
                    "GRANT SELECT, SHOW VIEW, INSERT ON shop.* TO reader@localhost",
                )
                server.empty()
                yield server
            finally:
                process.terminate()
                process.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(socket: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if socket.exists():
            return
        if process.poll() is not None:
            raise RuntimeError("mariadbd ended")
        time.sleep(0.1)
    raise RuntimeError("mariadbd does not come up")
