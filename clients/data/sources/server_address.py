"""Where a database server is, as a URL of ``holder.toml`` says it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from privacy.errors import DataError


@dataclass(frozen=True)
class Address:
    """Where a database is: what a URL says. It has no password.

    Attributes:
        kind: of database, in words.
        host, port, user, database: None where the URL does not say; then the driver's own rules hold (PGHOST, ...).
        options: more that the driver takes.
    """

    kind: str
    host: str | None = None
    port: int | None = None
    user: str | None = None
    database: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The server in words, for messages."""
        port = f":{self.port}" if self.port else ""
        return f"the {self.kind} server {self.host or '(default host)'}{port}"

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return (
            self.host is None or self.host.startswith(("/", "127.", "@")) or self.host in ("localhost", "::1", "[::1]")
        )


def read_address(location: str, *, kind: str, options: Sequence[str]) -> Address:
    """Read what follows ``scheme://``: ``user@host:port/database?option=value``.

    Args:
        location: that text.
        kind: of database, for messages; in lower case also the scheme.
        options: those that may be given.

    Raises:
        DataError: if it is not of that form, holds a password, or an unknown option. The text repeats none of it.
    """
    main, _, query = location.partition("?")
    where, _, database = main.partition("/")
    user, _, server = where.rpartition("@")
    if ":" in user or "@" in database:
        raise DataError(
            "a password does not belong in source.url",
            hint="take it out, and write where it is under [source]: "
            'password_env = "NAME" or password_file = "path"; or set PGPASSFILE',
        )
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::([0-9]{1,5}))?", server)
    given = dict(parse_qsl(query))
    if match is None or (match[2] and not 0 < int(match[2]) < 65_536) or "/" in database:
        raise DataError(
            f"source.url is not a {kind} URL",
            hint=f'write under [source]: url = "{kind.lower()}://user@host:port/database"',
        )
    if set(given) - set(options):
        raise DataError(
            "source.url has an option that is not known here", hint=f"these may be given: {', '.join(options)}"
        )
    host = given.pop("host", None) or unquote(match[1]).strip("[]") or None
    return Address(
        kind=kind,
        host=host,
        port=int(match[2]) if match[2] else None,
        user=unquote(user) or None,
        database=unquote(database) or None,
        options=given,
    )
