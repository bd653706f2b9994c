"""MySQL and MariaDB as a source: one consistent read-only snapshot, rows copied as text.

Nothing is cast by the server, for there ``'abc'`` becomes 0. Rows come as a stream, each cell with a kind of its own.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.cursors import SSCursor

from clients.data.place import Reading, Source
from clients.data.secrets import read_password
from clients.data.sources.cells import Copies
from clients.data.sources.embedded import embedded
from clients.data.sources.header import unique_names
from clients.data.sources.opened import Opened, read_as
from clients.data.sources.server_address import Address, read_address
from clients.data.sources.table_names import no_table, parse_table, shown_table
from privacy.errors import DataError

#: Options of a URL: a socket's path, a file of certificates, ``off`` for no encryption.
OPTIONS = ("socket", "ssl_ca", "ssl")
_TIMEOUT = 15
#: Seconds for which a query waits for somebody who changes the table.
LOCK_SECONDS = 30
_SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")
#: By the server's number of an error, what is said of it; its own text may quote what stands in a row.
_REFUSALS = {
    1040: ("it has no connection left", "try again later"),
    1044: ("the user may not read this database", "its administrator can: GRANT SELECT"),
    1045: ("the user or the password is wrong", "check the user, and source.password_env or password_file"),
    1049: ("the database does not exist", "check the database in source.url"),
    1142: ("the user may not read this table", "its administrator can: GRANT SELECT"),
    1143: ("the user may not read all columns of this table", "its administrator can: GRANT SELECT"),
    1146: ("there is no such table", 'check source.table; write it as "database.table"'),
    1205: ("somebody who changes the table holds it locked", "try again later, or ask its administrator who"),
    1698: ("the user or the password is wrong", "check the user, and source.password_env or password_file"),
    1969: ("the server ended the query after its time limit", "ask its administrator for a longer one"),
    2003: ("nothing answers there", "check host and port, that the server is running, and firewalls on the way"),
    2013: ("the connection was lost", "try again; ask its administrator about time limits"),
    3024: ("the server ended the query after its time limit", "ask its administrator for a longer one"),
}


@contextlib.contextmanager
def open_mysql(config: Reading, location: str, base: Path, mapped: Mapping[str, str]) -> Iterator[Opened]:
    """Open a table or view; its rows are copied as text.

    Raises:
        DataError: if the server, the table or the right to read it is missing.
    """
    if config.source.table is None:
        raise no_table(config.source.url, None)
    schema, table = parse_table(config.source.table)
    where = ".".join(f"`{part.replace('`', '``')}`" for part in (schema, table) if part)
    with embedded(config, base) as (connection, scratch):
        copies = Copies(config, scratch)
        with _reading(config.source, location, base) as database, database.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {where}")
            names = unique_names(item[0] for item in cursor.description)
            moments = [place for place, item in enumerate(cursor.description) if item[1] == FIELD_TYPE.TIMESTAMP]
            copies.instants = frozenset(names[place] for place in moments)
            copies.write(names, _rows(cursor, moments))
        yield read_as(copies.raw(connection), copies.spelled)


def _rows(cursor: SSCursor, moments: Sequence[int]) -> Iterator[Sequence[object]]:
    """Rows as they come; a ``TIMESTAMP`` is an instant, stated in UTC."""
    for row in cursor:
        if moments:
            cells = list(row)
            for place in moments:
                if isinstance(cells[place], dt.datetime):
                    cells[place] = cells[place].replace(tzinfo=dt.UTC)
            yield cells
        else:
            yield row


def list_mysql_tables(config: Reading, location: str, base: Path) -> tuple[str, ...]:
    """Tables and views: of the URL's database by their names, else of all as ``database.table``.

    Raises:
        DataError: if the server cannot be reached.
    """
    with _reading(config.source, location, base) as database, database.cursor() as cursor:
        cursor.execute("SELECT DATABASE()")
        [(here,)] = cursor.fetchall()
        cursor.execute("SELECT table_schema, table_name FROM information_schema.tables ORDER BY 1, 2")
        found = [(str(schema), str(table)) for schema, table in cursor.fetchall()]
    some = [item for item in found if item[0] == here or (here is None and item[0] not in _SYSTEM)]
    return tuple(shown_table("" if schema == here else schema, table) for schema, table in some)


@contextlib.contextmanager
def _reading(source: Source, location: str, base: Path) -> Iterator[Any]:
    """A connection in one read-only transaction that sees one state of the database."""
    address = read_address(location, kind="MySQL", options=OPTIONS)
    try:
        connection = _connect(address, read_password(source, base=base))
        try:
            with connection.cursor() as cursor:
                if not address.is_local and address.options.get("ssl") != "off":
                    cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
                    if not any(cipher for _, cipher in cursor.fetchall()):
                        raise DataError(
                            f"{address.place}: no encrypted connection",
                            hint="add ?ssl_ca=/path/ca.pem, or ?ssl=off, to url under [source]",
                        )
                for statement in (
                    "SET SESSION time_zone = '+00:00'",
                    f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}",
                    "SET SESSION net_write_timeout = 600",
                    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
                ):
                    cursor.execute(statement)
            yield connection
        finally:
            connection.close()
    except pymysql.MySQLError as problem:
        number = problem.args[0] if problem.args else 0
        why, hint = _REFUSALS.get(number, (f"it failed with error {number}", "check source.url and source.table"))
        raise DataError(f"{address.place}: {why}", hint=hint) from None


def _connect(address: Address, password: str | None) -> Any:
    """Connect; to another machine encrypted, unless the URL says otherwise."""
    secure = None
    if not address.is_local and address.options.get("ssl") != "off":
        secure = ssl.create_default_context(cafile=address.options.get("ssl_ca"))
        if "ssl_ca" not in address.options:  # as with PostgreSQL's sslmode=require: encrypted, whoever it is
            secure.check_hostname, secure.verify_mode = False, ssl.CERT_NONE
    return pymysql.connect(
        host=address.host,
        port=address.port or 0,
        user=address.user,
        password=(password or "").encode(),  # of text the driver makes Latin-1
        database=address.database,
        unix_socket=address.options.get("socket"),
        charset="utf8mb4",
        cursorclass=SSCursor,
        connect_timeout=_TIMEOUT,
        ssl=secure,
        program_name="cohortium",
    )
