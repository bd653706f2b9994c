"""Who is who, as it is said: by the table ``[person]``, and by ``columns.person`` on the lines of sources."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
from ibis.expr import types as ir

from clients.data.cleaning.columns import missing_columns
from clients.data.cleaning.ids import customer_of
from clients.data.cleaning.lines import EXCLUDED, KEPT, cleaned_lines, with_condition
from clients.data.named_sources import PERSON, PersonReading
from clients.data.origin import Origin
from clients.data.place import in_table
from clients.data.several.rooms import Room, naming
from clients.data.sources.opened import ColumnsMissing
from privacy.errors import DataError


def person_of(lines: ir.Table, own: Origin, whole: Origin) -> ir.StringValue:
    """The person that ``cleaned_lines`` of one source name, in the one form that ids of persons have; null for none."""
    # Ids of persons in lines have the form that [person] gives them, if it does.
    form = own.config if whole.config.person is None else whole.config.person.reading
    person = customer_of(lines.raw_person, form, own.study.cleaning.null_ids)
    return ibis.ifelse(person.missing, ibis.null("string"), person.text)


def links_of(origin: Origin, room: Room, lines: Mapping[str, ir.Table] | None = None) -> ir.Table | None:
    """Who is who: ``source``, ``customer`` (an id there) and ``person``, each once; None where nothing says it.

    Args:
        origin: whose.
        room: where what is said at the sources is brought.
        lines: by source, lines that are there already, with ``raw_person`` where they say it; read, if not given.

    Raises:
        DataError: if the table of persons, or a source whose lines say it, cannot be read.
    """
    config = origin.config
    if not config.has_persons:
        return None
    found = [] if config.person is None else _of_table(config.person.reading, origin, room)
    for source in config.sources:
        if source.columns.person is None:
            continue
        if lines is not None:
            found.append(_said(lines[source.name], lines[source.name].raw_person, source.name))
            continue
        own = Origin(config.of_source(source), origin.study, origin.base)
        with naming(source), room.open(own.config) as opened:
            cleaned = cleaned_lines(opened.table, own)
            said = _said(cleaned, person_of(cleaned, own, origin), source.name).distinct()
            found.append(room.bring(said, what=source.name)[0])
    return ibis.union(*found, distinct=True) if len(found) > 1 else found[0].distinct()


def _said(lines: ir.Table, person: ir.StringValue, source: str) -> ir.Table:
    has_customer = (lines.rule == KEPT) | (lines.rule >= EXCLUDED)  # no rule of before applies
    said = lines.select(
        source=ibis.literal(source), customer=lines.customer.cast("string"), person=person, _known=has_customer
    )
    return said.filter(said.person.notnull() & said["_known"]).drop("_known")


def _of_table(reading: PersonReading, origin: Origin, room: Room) -> list[ir.Table]:
    nulls = origin.study.cleaning.null_ids
    by_name = {source.name: origin.config.of_source(source) for source in origin.config.sources}
    named = {name: column for name, column in reading.columns.roles.items() if name != PERSON}
    try:
        with room.open(reading) as opened:
            table = opened.table
            if missing := missing_columns(table, reading):
                raise ColumnsMissing(missing)
            rows = _taking_part(table, reading)
            person = customer_of(rows[reading.columns.customer], reading, nulls)
            # All columns in one pass; a person without an id here and an id without a person link nothing.
            ids = {name: customer_of(rows[column], by_name[name], nulls) for name, column in named.items()}
            known = {f"id_{name}": ibis.ifelse(own.missing, ibis.null("string"), own.text) for name, own in ids.items()}
            said = rows.select(person=ibis.ifelse(person.missing, ibis.null("string"), person.text), **known)
            said = room.bring(said.filter(said.person.notnull()), what="persons")[0]
    except DataError as error:
        raise DataError(f"[person]: {error.message}", hint=in_table(error.hint, PERSON)) from None
    each = {name: said.select(customer=said[f"id_{name}"], person="person") for name in named}
    return [
        rows.filter(rows.customer.notnull()).mutate(source=ibis.literal(name)).select("source", "customer", "person")
        for name, rows in each.items()
    ]


def _taking_part(table: ir.Table, reading: PersonReading) -> ir.Table:
    if reading.source.where is None:
        return table
    rows = with_condition(table, reading.source.where)
    return rows.filter(rows["_takes_part"])
