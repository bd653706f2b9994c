"""Rows of a feed whose ids are those of one source, or of persons: put under the keys of persons."""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from clients.data.cleaning.lines import KEPT
from clients.data.cleaning.times import zone_of
from clients.data.feed_config import KEYS, FeedReading
from clients.data.named_sources import PERSON
from clients.data.origin import Origin
from clients.data.several.keys import MARK
from clients.data.several.links import links_of
from clients.data.several.persons import keyed, who_is_who
from clients.data.several.rooms import Room
from privacy.kernel.feeds import FEEDS


def portable(kept: ir.Table, reading: FeedReading) -> ir.Table:
    """Rows of a feed that count, in types that mean the same in another database.

    Args:
        kept: as :attr:`clients.data.feeds.lines.OpenFeed.kept` has them.
        reading: what they are.
    """
    columns: dict[str, ir.Value] = {"customer": kept.customer.cast("string")}
    if "time" in kept.columns:
        columns["time"] = kept.time if zone_of(kept.time) is None else kept.time.cast("timestamp('UTC', 6)")
    for role, what in FEEDS[reading.name].items():
        if (name := f"raw_{role}") not in kept.columns:
            continue
        column, kind = kept[name], kept[name].type()
        is_plain = kind.is_integer() or kind.is_floating()
        match what.kind:
            case "money" | "number":
                columns[name] = column if is_plain else column.cast("float64")
            case "flag":
                columns[name] = column.cast("float64") if kind.is_decimal() else column
            case "day":
                columns[name] = column if kind.is_date() else column.cast("string")
            case _:
                columns[name] = column.cast("string")
    return kept.select(**columns)


def under_persons(
    brought: ir.Table, reading: FeedReading, origin: Origin, room: Room
) -> tuple[ir.Table, ir.Table | None]:
    """Rows of a feed, brought to the others, under the keys of persons, with ``rule``; and all keys that are linked.

    The latter have ``customer``, and are None where nothing says who is who.

    Raises:
        DataError: if it cannot be read who is who.
    """
    who = who_is_who(origin, links_of(origin, room))
    rows = brought.mutate(source=ibis.literal(reading.ids_of), rule=ibis.literal(KEPT, "int16"))
    if reading.ids_of == KEYS and who.links is not None:
        parts = f"^([^{MARK}]*){MARK}(.*)$"
        rows = rows.mutate(source=brought.customer.re_extract(parts, 1), customer=brought.customer.re_extract(parts, 2))
    links = who.links
    persons = None if links is None else links.select(customer=PERSON + MARK + links.person).distinct()
    return keyed(rows, who).drop("source"), persons
