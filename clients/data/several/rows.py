"""The purchase lines of a holder, of one source or of several: what every kind of rows is made from.

Each of several sources is cleaned where it is, by its own columns, time zone, currency and conditions. The mapped
columns of its lines, and nothing else, are copied into the holder's scratch folder, and put together there; where all
sources are tables of one Spark they stay there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import ibis
from ibis.expr import types as ir

from clients.data.cleaning.columns import is_discounted
from clients.data.cleaning.lines import cleaned_lines
from clients.data.cleaning.money import money_of
from clients.data.cleaning.times import zone_of
from clients.data.named_sources import NamedSource
from clients.data.origin import Origin
from clients.data.several.links import links_of, person_of
from clients.data.several.persons import who_is_who, whole_persons
from clients.data.several.rooms import Room, naming, open_room
from clients.data.sources import open_source
from clients.data.sources.opened import FileLines, Opened
from clients.data.sources.spelling import instant_in

_NAMES = ("product", "category", "store", "brand")


@contextlib.contextmanager
def open_lines(origin: Origin) -> Iterator[Opened]:
    """Open a holder's purchases, read-only; closed, and copies removed, on leaving the ``with`` block.

    Raises:
        DataError: as of :func:`clients.data.sources.open_source`; of several sources the text names the one.
    """
    config = origin.config
    if not config.sources:
        with open_source(config, base=origin.base) as opened:
            yield opened
        return
    with open_room(origin) as room:
        found = {source.name: _brought(source, origin, room) for source in config.sources}
        parts = {name: table for name, (table, _) in found.items()}
        files = [item for _, own in found.values() for item in own]
        lines = whole_persons(_in_one_time(parts, origin), who_is_who(origin, links_of(origin, room, parts)))
        yield Opened(table=lines, files=tuple(files), cleaned=lines)


def _brought(source: NamedSource, origin: Origin, room: Room) -> tuple[ir.Table, tuple[FileLines, ...]]:
    """One source's lines, where all are; what the lines of its files are.

    Raises:
        DataError: naming the source.
    """
    own = Origin(origin.config.of_source(source), origin.study, origin.base)
    with naming(source), room.open(own.config) as opened:
        lines = cleaned_lines(opened.table, own, exact_ids=True)
        table, count = room.bring(_alike(lines, source, own, origin), what=source.name)
        opened.check_rows(count)
        return table, opened.files


def _alike(lines: ir.Table, source: NamedSource, own: Origin, whole: Origin) -> ir.Table:
    """One source's cleaned lines in the form that the lines of all have."""
    columns = whole.config.columns
    exact = lines.source_id if "source_id" in lines.columns else lines.customer.cast("string")
    has_channel = "raw_channel" in lines.columns
    kept: dict[str, ir.Value] = {
        "raw_channel": lines.raw_channel.cast("string") if has_channel else ibis.literal(source.spoken_channel)
    }
    money = money_of(lines, own)
    if columns.amount is None:
        kept |= {f"raw_{role}": lines[f"raw_{role}"].cast("float64") for role in ("quantity", "price")}
    else:
        kept["raw_amount"] = money.own
    if columns.currency is not None:
        kept["raw_currency"] = money.currency
    if columns.cost is not None:
        kept["raw_cost"] = lines.raw_cost.cast("float64")
    if columns.discount is not None:
        kept["raw_discount"] = is_discounted(lines)
    kept |= {f"raw_{role}": lines[f"raw_{role}"].cast("string") for role in _NAMES if getattr(columns, role)}
    if "raw_person" in lines.columns:
        kept["raw_person"] = person_of(lines, own, whole)
    return lines.select(
        customer=lines.customer.cast("string"),
        source_id=exact,
        order=lines.order.cast("string"),
        time=lines.time,
        **kept,
        rule=lines.rule.cast("int16"),
    )


def _in_one_time(lines: dict[str, ir.Table], origin: Origin) -> ir.Table:
    """All lines with their source; times stay as they are written where that means the same in all sources."""
    zones = {source.name: source.time_zone for source in origin.config.sources}
    are_plain = all(zone_of(table.time) is None for table in lines.values())
    tables = []
    for name, table in lines.items():
        time = table.time
        if not (are_plain and len(set(zones.values())) == 1):
            time = time if zone_of(time) is not None else instant_in(zones[name], time)
            time = time.cast("timestamp('UTC', 6)")
        table = table.drop("raw_person") if "raw_person" in table.columns else table
        tables.append(table.mutate(time=time, source=ibis.literal(name)))
    return ibis.union(*tables) if len(tables) > 1 else tables[0]
