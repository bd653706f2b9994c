"""Who is who in several sources: one key for all ids of a person.

What a line's key and rule are follows from that person's lines and from the rows of ``[person]`` that name one of the
person's ids: taking all of these out changes nothing for anybody else. So an id that two persons have makes them
neither one (a third could then join whole families) nor goes to either: its lines are left out, and counted.
"""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from clients.data.cleaning.ids import customer_of, read_exclusion_list
from clients.data.cleaning.lines import EXCLUDED, SEVERAL_PERSONS
from clients.data.named_sources import PERSON
from clients.data.origin import Origin
from clients.data.several.keys import MARK


def whole_persons(lines: ir.Table, links: ir.Table | None, origin: Origin) -> ir.Table:
    """Lines of all sources under the keys of persons.

    Args:
        lines: as ``cleaned_lines`` has them, ids and orders as text, and with ``source``.
        links: who is who; None where equal ids are one customer.
        origin: whose exclusion lists they are.

    Returns:
        The same with ``raw_source`` for ``source``. ``order`` is told from those of other sources; ``customer`` is the
        id where there are no links, else ``person:ID`` or ``SOURCE:ID``, as ``source_id`` is then.
    """
    own = lines.mutate(order=lines.source + MARK + lines.order, raw_source=lines.source)
    listed = _listed(origin)
    if links is None:
        hit = None if listed is None else own.customer.isin(listed.customer)
        return _left_out(own, hit, None).drop("source")
    claims = links.group_by("source", "customer").agg(persons=links.person.nunique(), person=links.person.min())
    found = own.left_join(claims, ["source", "customer"]).select(
        *(own[name] for name in own.columns), persons=claims.persons, person=claims.person
    )
    hit = None if listed is None else _key(found).isin(_never(links, listed).key)
    found = _left_out(found, hit, found.persons > 1)
    is_one = found.persons.fill_null(0) == 1
    return found.mutate(
        customer=ibis.ifelse(is_one, PERSON + MARK + found.person, _key(found)),
        source_id=found.source + MARK + found.source_id,
    ).drop("source", "persons", "person")


def _key(rows: ir.Table) -> ir.StringValue:
    return rows.source + MARK + rows.customer


def _never(links: ir.Table, listed: ir.Table) -> ir.Table:
    """``key`` of every id whose person has an id on a list, and of those on lists that are nobody's."""
    persons = links.semi_join(listed, ["source", "customer"]).person
    theirs = links.filter(links.person.isin(persons))
    return ibis.union(theirs.select(key=_key(theirs)), listed.select(key=_key(listed)))


def _left_out(lines: ir.Table, excluded: ir.BooleanValue | None, several: ir.BooleanValue | None) -> ir.Table:
    """Lines under the rules of who a person is, where no rule before these applies."""
    rule = lines.rule
    if several is not None:
        later = (rule == 0) | (rule > SEVERAL_PERSONS)
        rule = ibis.ifelse(later & several.fill_null(False), ibis.literal(SEVERAL_PERSONS, "int16"), rule)
    if excluded is not None:
        later = (lines.rule == 0) | (lines.rule > EXCLUDED)
        rule = ibis.ifelse(later & excluded.fill_null(False), ibis.literal(EXCLUDED, "int16"), rule)
    return lines.mutate(rule=rule)


def _listed(origin: Origin) -> ir.Table | None:
    """Ids on the exclusion lists: ``source`` and ``customer``; None where there are none."""
    tables = []
    for source in origin.config.sources:
        config = origin.config.of_source(source)
        ids = read_exclusion_list(config, base=origin.base)
        if ids:
            listed = ibis.memtable({"id": list(ids)}, schema={"id": "string"})
            text = customer_of(listed.id, config, ()).text
            tables.append(listed.select(source=ibis.literal(source.name), customer=text))
    return ibis.union(*tables) if len(tables) > 1 else tables[0] if tables else None
