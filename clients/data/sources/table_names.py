"""Names of tables as ``holder.toml`` writes them: ``table``, ``schema.table``, and in quotes where they hold a dot."""

from __future__ import annotations

import re

from privacy.errors import DataError

_QUOTED = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')


def parse_table(name: str) -> tuple[str, str]:
    """Schema (empty where none is named) and table. ``"crm"."we.ird"`` is read as SQL reads it.

    Raises:
        DataError: if quotes are not closed, or there are more than two parts in quotes.
    """
    if '"' not in name:
        schema, _, table = name.rpartition(".")
        return schema, table
    parts, place = [], 0
    while match := _QUOTED.match(name, place):
        parts.append((match[1] or match[2]).replace('""', '"'))
        place = match.end() + 1
        if name[match.end() : place] not in (".", ""):
            break
    if place <= len(name) or not 1 <= len(parts) <= 2:
        raise DataError(f"source.table {name!r} is no name of a table", hint='write it as "schema"."table"')
    return ("", *parts)[-2:]  # type: ignore[return-value]


def shown_table(schema: str, table: str) -> str:
    """A name that ``parse_table`` reads: in quotes only where it must be. Without a schema, the table alone."""
    parts = [part for part in (schema, table) if part]
    if any(sign in part for part in parts for sign in '."'):
        return ".".join('"' + part.replace('"', '""') + '"' for part in parts)
    return ".".join(parts)
