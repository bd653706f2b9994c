"""Names of tables as ``holder.toml`` writes them: ``table``, ``schema.table``, and in quotes where they hold a dot."""

from __future__ import annotations

import re
from collections.abc import Sequence

from privacy.errors import DataError

#: Tables that are named.
_LISTED = 20
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
        raise DataError(
            f"source.table {name!r} is no name of a table",
            hint='write it under [source] as table = \'"schema"."table"\'',
        )
    return ("", *parts)[-2:]  # type: ignore[return-value]


def no_table(place: object, name: str | None, tables: Sequence[str] = ()) -> DataError:
    """What to say where no table is named, or none is called so.

    Args:
        place: the database, for people.
        name: as in ``holder.toml``.
        tables: those that there are, where they can be listed.
    """
    wrong = "needs a table" if name is None else f"has no table {name!r}"
    there = f"; there is: {', '.join(tables[:_LISTED])}" if tables else ""
    such = tables[0] if tables else "schema.table"
    return DataError(f"{place} {wrong}", hint=f'write table = "{such}" or another under [source]{there}')


def shown_table(schema: str, table: str) -> str:
    """A name that ``parse_table`` reads: in quotes only where it must be. Without a schema, the table alone."""
    parts = [part for part in (schema, table) if part]
    if any(sign in part for part in parts for sign in '."'):
        return ".".join('"' + part.replace('"', '""') + '"' for part in parts)
    return ".".join(parts)
