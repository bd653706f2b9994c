"""Where a PostgreSQL server is, and a connection to it; the password is read then and kept nowhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import psycopg

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


@dataclass(frozen=True)
class Address:
    """Where a database is: what a ``postgresql://`` URL says. It has no password.

    Attributes:
        host, port, user, database: None where the URL does not say; then libpq's own rules hold (PGHOST, ...).
        options: more of ``OPTIONS``.
    """

    host: str | None = None
    port: int | None = None
    user: str | None = None
    database: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The server in words, for messages."""
        port = f":{self.port}" if self.port else ""
        return f"the PostgreSQL server {self.host or '(default host)'}{port}"

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return (
            self.host is None or self.host.startswith(("/", "127.", "@")) or self.host in ("localhost", "::1", "[::1]")
        )


def parse_address(location: str) -> Address:
    """Read what follows ``postgresql://``: ``user@host:port/database?sslmode=verify-full``.

    Raises:
        DataError: if it is not of that form, holds a password, or an unknown option. The text repeats none of it.
    """
    main, _, query = location.partition("?")
    where, _, database = main.partition("/")
    user, _, server = where.rpartition("@")
    if ":" in user or "@" in database:
        raise DataError(
            "a password does not belong in source.url",
            hint="take it out, and set source.password_env, source.password_file or PGPASSFILE",
        )
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::([0-9]{1,5}))?", server)
    options = dict(parse_qsl(query))
    unknown = sorted(set(options) - set(OPTIONS))
    if match is None or (match[2] and not 0 < int(match[2]) < 65_536) or "/" in database:
        raise DataError("source.url is not a PostgreSQL URL", hint="write postgresql://user@host:port/database")
    if unknown:
        raise DataError(
            "source.url has an option that is not known here", hint=f"these may be given: {', '.join(OPTIONS)}"
        )
    host = options.pop("host", None) or unquote(match[1]).strip("[]") or None
    return Address(
        host=host,
        port=int(match[2]) if match[2] else None,
        user=unquote(user) or None,
        database=unquote(database) or None,
        options=options,
    )


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
        raise DataError(f"{address.place} cannot be reached", hint="check source.url") from None


def _default(option: str) -> str:
    """What libpq takes where nothing is said: PGSSLMODE, for example, or what it was built with."""
    found = (item.val for item in psycopg.pq.Conninfo.get_defaults() if item.keyword == option.encode())
    return (next(found, None) or b"").decode()
