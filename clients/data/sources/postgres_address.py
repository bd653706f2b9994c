"""Where a PostgreSQL server is, and a connection to it; the password is read then and kept nowhere."""

from __future__ import annotations

import re
from typing import Any

import psycopg

from clients.data.sources.server_address import Address, read_address
from privacy.errors import DataError

#: Options of a URL that may be given; they go to libpq as they are.
OPTIONS = ("host", "sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout")
_TIMEOUT = "15"
#: What libpq says, and what is said instead; its own texts may quote more than a screen or a log should keep.
_REFUSALS = (
    ("password authentication failed", "the user or the password is wrong", "check the user and the password"),
    ("no password supplied", "it asks for a password", "set source.password_env or password_file, or PGPASSFILE"),
    ("fe_sendauth", "it asks for a password", "set source.password_env or password_file, or PGPASSFILE"),
    ("translate host name|resolve host|Name or service", "the host is unknown", "check the host in source.url"),
    ("refused", "nothing listens there", "check host and port, and that the server is running"),
    ("No such file", "there is no such socket", "check the host in source.url, and that the server is running"),
    ("timeout|timed out", "it does not answer", "check host and port, and firewalls on the way"),
    ("role .* does not exist", "the user does not exist", "check the user in source.url"),
    ("database .* does not exist", "the database does not exist", "check the database in source.url"),
    ("pg_hba", "it does not let this user in from this machine", "ask its administrator (pg_hba.conf)"),
    ("SSL|certificate", "no encrypted connection", "add ?sslmode=... to source.url as its administrator says"),
    ("too many", "it has no connection left", "try again later"),
)


def parse_address(location: str) -> Address:
    """Read what follows ``postgresql://``.

    Raises:
        DataError: as of ``read_address``.
    """
    return read_address(location, kind="PostgreSQL", options=OPTIONS)


def connect(address: Address, *, password: str | None) -> psycopg.Connection[Any]:
    """Connect. To another machine the connection is encrypted unless the URL (or PGSSLMODE) says otherwise.

    Raises:
        DataError: if that does not work; the text never holds the password.
    """
    options = {"connect_timeout": _TIMEOUT} | address.options
    if not address.is_local and _default("sslmode") == "prefer":
        options.setdefault("sslmode", "require")
    try:
        return psycopg.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=password,
            dbname=address.database,
            application_name="cohortium",
            **options,  # type: ignore[arg-type]
        )
    except (psycopg.Error, UnicodeError) as problem:
        says = str(problem)
        for pattern, reason, hint in _REFUSALS:
            if re.search(pattern, says):
                raise DataError(f"{address.place}: {reason}", hint=hint) from None
        raise DataError(
            f"{address.place} cannot be reached",
            hint='write where it is under [source]: url = "postgresql://user@host:port/database"',
        ) from None


def _default(option: str) -> str:
    """What libpq takes where nothing is said: PGSSLMODE, for example, or what it was built with."""
    found = (item.val for item in psycopg.pq.Conninfo.get_defaults() if item.keyword == option.encode())
    return (next(found, None) or b"").decode()
