"""Who is who in several sources: one key for all ids of a person.

What a row's key and rule are follows from that person's rows and from the rows of ``[person]`` that name one of the
person's ids: taking all of these out changes nothing for anybody else. So an id that two persons have makes them
neither one (a third could then join whole families) nor goes to either: its rows are left out, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis
from ibis.expr import types as ir

from clients.data.cleaning.ids import customer_of, normal_ids, read_exclusion_list
from clients.data.cleaning.lines import EXCLUDED, SEVERAL_PERSONS
from clients.data.named_sources import PERSON
from clients.data.origin import Origin
from clients.data.several.keys import MARK, named_person


@dataclass(frozen=True, kw_only=True)
class WhoIsWho:
    """What is known of ids of several sources.

    Attributes:
        links: ``source``, ``customer`` (an id there) and ``person``; None where equal ids are one customer.
        listed: ids on the exclusion lists, ``source`` and ``customer``, of persons with ``person`` for the source;
            None where there are none.
    """

    links: ir.Table | None
    listed: ir.Table | None


def who_is_who(origin: Origin, links: ir.Table | None) -> WhoIsWho:
    """What is known, with the holder's exclusion lists."""
    return WhoIsWho(links=links, listed=_listed(origin))


def keyed(rows: ir.Table, who: WhoIsWho) -> ir.Table:
    """Rows under the keys of persons.

    Args:
        rows: with ``source``, ``customer`` (an id there, as text; of the source ``person`` that of a person) and
            ``rule``.
        who: what is known of ids.

    Returns:
        The same: ``customer`` is the id where there are no links, else ``person:ID`` or ``SOURCE:ID``; ``rule`` is that
        of who never takes part, or of an id of several persons, where no rule before these applies.
    """
    if who.links is None:
        return _left_out(rows, None if who.listed is None else rows.customer.isin(who.listed.customer), None)
    claims = who.links.group_by("source", "customer").agg(
        persons=who.links.person.nunique(), person=who.links.person.min()
    )
    found = rows.left_join(claims, ["source", "customer"]).select(
        *(rows[name] for name in rows.columns), persons=claims.persons, person=claims.person
    )
    hit = None if who.listed is None else _key(found).isin(_never(who.links, who.listed).key)
    found = _left_out(found, hit, found.persons > 1)
    is_one = found.persons.fill_null(0) == 1
    key = ibis.ifelse(is_one, PERSON + MARK + found.person, _key(found))
    return found.mutate(customer=key).drop("persons", "person")


def whole_persons(lines: ir.Table, who: WhoIsWho) -> ir.Table:
    """Lines of all sources under the keys of persons.

    Args:
        lines: as ``cleaned_lines`` has them, ids and orders as text, and with ``source``.
        who: what is known of ids.

    Returns:
        The same with ``raw_source`` for ``source``, and keys as :func:`keyed` has them. ``order`` is told from those
        of other sources; so is ``source_id`` where there are links.
    """
    own = lines.mutate(order=lines.source + MARK + lines.order, raw_source=lines.source)
    if who.links is not None:
        own = own.mutate(source_id=own.source + MARK + own.source_id)
    return keyed(own, who).drop("source")


def _key(rows: ir.Table) -> ir.StringValue:
    return rows.source + MARK + rows.customer


def _never(links: ir.Table, listed: ir.Table) -> ir.Table:
    """``key`` of every id whose person is on a list or has an id there, of these persons, and of what is nobody's."""
    named = listed.filter(listed.source == PERSON)
    of_ids = links.semi_join(listed, ["source", "customer"])
    persons = ibis.union(of_ids.select("person"), named.select(person=named.customer))
    theirs = links.filter(links.person.isin(persons.person))
    own = persons.select(key=PERSON + MARK + persons.person)
    return ibis.union(theirs.select(key=_key(theirs)), listed.select(key=_key(listed)), own)


def _left_out(rows: ir.Table, excluded: ir.BooleanValue | None, several: ir.BooleanValue | None) -> ir.Table:
    """Rows under the rules of who a person is, where no rule before these applies."""
    rule = rows.rule
    if several is not None:
        later = (rule == 0) | (rule > SEVERAL_PERSONS)
        rule = ibis.ifelse(later & several.fill_null(False), ibis.literal(SEVERAL_PERSONS, "int16"), rule)
    if excluded is not None:
        later = (rows.rule == 0) | (rows.rule > EXCLUDED)
        rule = ibis.ifelse(later & excluded.fill_null(False), ibis.literal(EXCLUDED, "int16"), rule)
    return rows.mutate(rule=rule)


def _listed(origin: Origin) -> ir.Table | None:
    """Ids on the exclusion lists: ``source`` and ``customer``; None where there are none."""
    tables, config = [], origin.config
    for source in config.sources:
        own = config.of_source(source)
        ids = read_exclusion_list(own, base=origin.base)
        if ids:
            listed = ibis.memtable({"id": list(ids)}, schema={"id": "string"})
            text = customer_of(listed.id, own, ()).text
            tables.append(listed.select(source=ibis.literal(source.name), customer=text))
        # A person may be known by no id of any source, so a list may name persons, too.
        persons = [person for item in ids if config.has_persons and (person := named_person(item)) is not None]
        if persons:
            normal = ibis.memtable({"customer": normal_ids(persons, config.of_person)}, schema={"customer": "string"})
            tables.append(normal.select(source=ibis.literal(PERSON), customer=normal.customer))
    return ibis.union(*tables) if len(tables) > 1 else tables[0] if tables else None
