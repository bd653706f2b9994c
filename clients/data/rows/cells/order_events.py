"""Orders as events of tables, and what orders give to tables of customers. Orders are those of the customer table."""

from __future__ import annotations

from collections.abc import Iterable

import ibis
from ibis.expr import types as ir

from clients.data.cleaning.columns import is_discounted
from clients.data.cleaning.lines import KEPT, NETTED
from clients.data.cleaning.money import cost_of, money_of
from clients.data.origin import Origin
from clients.data.rows.cells.events import celled, chosen, grouped, sums_of
from clients.data.rows.cells.keys import (
    day_number,
    folded,
    month_number,
    place_of_day,
    place_of_listed,
    place_of_name,
    place_of_number,
    seconds_of,
)
from clients.data.rows.orders import start_at, wall_clock
from privacy.kernel.declarations import CellTable, DimensionUse, MeasureUse
from privacy.kernel.dimensions import DAYPARTS, WEEKDAYS

#: Dimensions of purchase lines, and of an order's first purchase line.
_OF_LINES = ("category", "brand")
_OF_FIRST = ("channel", "store")
#: More than a dimension has keys: a place is packed behind the second of its line, so that the first line's is least.
_PACK = 1024


def order_cells(lines: ir.Table, origin: Origin, table: CellTable) -> ir.Table:
    """One row for each customer and cell of a table of orders, as :func:`grouped` has them."""
    rows = _events(lines, origin, table)
    uses = dict(enumerate(table.by))
    places = {place: rows[f"place_{place}"] for place, use in uses.items() if use.meaning.grain != "customer"}
    found = celled(rows, table, places)
    per = next(
        (f"place_{place}" for place, use in uses.items() if table.events and use.dimension == table.events.per), ""
    )
    return grouped(chosen(found, table.events, per, whole="order"), table)


def order_sums(lines: ir.Table, origin: Origin, tables: Iterable[tuple[int, CellTable]]) -> ir.Table:
    """What orders give to tables of customers: one row per customer; sums ``v_<table>_<measure>``, and ``w_...``.

    An order that has no purchase line counts for nothing but money, which it sets off.
    """
    tables = list(tables)
    parts = _parts(lines, origin, (), purchases=_are_purchases(origin, [table for _, table in tables]))
    named: dict[str, ir.Value] = {}
    for number, table in tables:
        for place, use in enumerate(table.measures):
            if use.meaning.feed == "order":
                for name, value in _values(parts, use, place, origin, parts.begun.notnull()).items():
                    named[f"{name[:2]}{number}_{place}"] = value
    rows = parts.mutate(**named) if named else parts
    found = rows.group_by("customer").agg(orders=rows.begun.count(), **sums_of(rows))
    return found.filter(found.orders > 0)


def order_rows(lines: ir.Table, origin: Origin, windows: Iterable[int]) -> ir.Table:
    """Every order that begins: ``customer``, ``moment``, ``quanta``, and ``within_<days>``, 1 inside the window."""
    parts = _parts(lines, origin, (), purchases=origin.study.cleaning.returns == "drop")
    begun = parts.filter(parts.begun.notnull())
    within = {
        f"within_{days}": (begun.begun >= _ago(days, origin, begun.begun)).cast("int64") for days in sorted(windows)
    }
    return begun.select("customer", "quanta", moment=seconds_of(_plain(begun.begun)), **within)


def _are_purchases(origin: Origin, tables: Iterable[CellTable]) -> bool:
    """Whether purchase lines are all that tables need: returns may be taken off what orders are worth, no more."""
    uses = [use.meaning for table in tables for use in table.measures]
    of_money = any((use.feed, use.role) == ("order", "amount") for use in uses)
    return origin.study.cleaning.returns == "drop" or not of_money


def _parts(lines: ir.Table, origin: Origin, uses: Iterable[tuple[int, DimensionUse]], *, purchases: bool) -> ir.Table:
    """Lines added up to orders, and within an order to keys of lines, if there are dimensions of lines.

    Columns: ``customer``, ``order``, ``begun`` (null where nothing was bought), ``opened``, ``quanta``, ``cost``,
    ``lines``, ``discounted``, ``line_<place>`` and, packed, ``first_<place>``.

    Args:
        purchases: whether purchase lines are enough. They are quicker to tell apart and to add up, and each of their
            orders has begun.
    """
    study, columns = origin.study, origin.config.columns.mapped()
    kept = lines.filter(lines.rule == KEPT if purchases else lines.rule.isin((KEPT, *NETTED)))
    kept = (kept if purchases else kept.mutate(bought=kept.rule == KEPT)).drop("rule")
    if study.cleaning.duplicates == "drop":
        kept = kept.distinct()
    of_lines, of_first = {}, {}
    for place, use in uses:
        role = use.dimension.removeprefix("order.")
        if role in (*_OF_LINES, *_OF_FIRST):
            spelled = origin.config.values.get("order", {}).get(role, {})
            key = place_of_name(folded(kept[f"raw_{role}"], spelled or use.keys.values), use.keys, spelled)
            if role in _OF_LINES:
                of_lines[f"line_{place}"] = key
            else:
                of_first[f"first_{place}"] = seconds_of(_plain(kept.time)) * _PACK + key.fill_null(_PACK - 1)
    kept = kept.mutate(
        quanta=money_of(kept, origin).quanta,
        cost_quanta=cost_of(kept, origin) if "cost" in columns else ibis.null("int64"),
        reduced=is_discounted(kept),
        **of_lines,
        **of_first,
    )
    bought = None if purchases else kept.bought
    return kept.group_by("customer", "order", *of_lines).agg(
        quanta=kept.quanta.sum().fill_null(0),
        cost=kept.cost_quanta.sum(where=bought).fill_null(0),
        opened=kept.time.min(),
        begun=kept.time.min(where=bought),
        lines=kept.count(where=bought),
        discounted=kept.reduced.cast("int64").sum(where=bought).fill_null(0),
        **{name: kept[name].min(where=bought) for name in of_first},
    )


def _plain(time: ir.Value) -> ir.TimestampValue:
    """A time without its zone: differences are what counts."""
    return time if time.type().timezone is None else time.cast("timestamp('UTC')").cast("timestamp(6)")


def _events(lines: ir.Table, origin: Origin, table: CellTable) -> ir.Table:
    """Orders, or their parts by keys of lines, with ``place_<place>``, ``moment`` and what they add."""
    uses = [(place, use) for place, use in enumerate(table.by) if use.meaning.grain != "customer"]
    purchases = _are_purchases(origin, [table])
    parts = _parts(lines, origin, uses, purchases=purchases)
    parts = parts if purchases else parts.filter(parts.begun.notnull())
    has_lines = any(name.startswith("line_") for name in parts.columns)
    first = [name for name in parts.columns if name.startswith("first_")]
    if has_lines and (first or _is_dated(table)):  # an order begins with its first line of whichever key
        whole = ibis.window(group_by=[parts.customer, parts.order])
        parts = parts.mutate(**{name: parts[name].min().over(whole) for name in ("begun", *first)})
    needs_first = any(use.dimension == "order.months_since_first" for _, use in uses) or any(
        use.first_days for use in table.measures
    )
    if needs_first:
        parts = parts.mutate(began=parts.begun.min().over(ibis.window(group_by=[parts.customer])))
    places = {f"place_{place}": _place(parts, place, use, origin) for place, use in uses}
    values: dict[str, ir.Value] = {}
    for place, use in enumerate(table.measures):
        values |= _values(parts, use, place, origin, ibis.literal(True))
    rows = parts.mutate(moment=seconds_of(_plain(parts.begun)), **places, **values)
    days = table.events.window_days if table.events is not None else None
    return rows if days is None else rows.filter(rows.begun >= _ago(days, origin, rows.begun))


def _is_dated(table: CellTable) -> bool:
    """Whether it matters when an order began."""
    dated = {"order.month", "order.months_since_first", "order.daypart", "order.weekday"}
    windows = any(use.first_days or use.last_days for use in table.measures)
    return table.events is not None or windows or any(use.dimension in dated for use in table.by)


def _ago(days: int, origin: Origin, time: ir.Value) -> ir.Value:
    day = type(origin.study.as_of).fromordinal(max(origin.study.as_of.toordinal() - days, 693_596))
    return start_at(day, origin.config, origin.study, time)


def _place(parts: ir.Table, place: int, use: DimensionUse, origin: Origin) -> ir.IntegerValue:
    """Of one dimension's key."""
    wall = wall_clock(parts.begun, origin.config, origin.study)
    match use.dimension:
        case "order.month":
            return place_of_day(day_number(wall), use.keys)
        case "order.months_since_first":
            first = wall_clock(parts.began, origin.config, origin.study)
            return place_of_number(month_number(wall) - month_number(first), use.keys)
        case "order.daypart":
            return place_of_listed((wall.hour() // 6).cast("int64"), DAYPARTS, use.keys)
        case "order.weekday":
            return place_of_listed(wall.day_of_week.index().cast("int64"), WEEKDAYS, use.keys)
    if f"line_{place}" in parts.columns:
        return parts[f"line_{place}"]
    # Seconds before 1970 are negative, and so are rests of them.
    rest = (parts[f"first_{place}"] % _PACK + _PACK) % _PACK
    return ibis.ifelse(rest == _PACK - 1, ibis.null("int64"), rest).cast("int64")


def _values(
    parts: ir.Table, use: MeasureUse, place: int, origin: Origin, began: ir.BooleanValue
) -> dict[str, ir.Value]:
    """What a row adds to a measure; ``began``: whether something was bought."""
    found, name = use.meaning, f"v_{place}"
    counts: ir.BooleanValue = ibis.literal(True)
    at = parts.begun.fill_null(parts.opened) if "opened" in parts.columns else parts.begun
    if use.last_days is not None:
        counts = counts & (at >= _ago(use.last_days, origin, at))
    if use.first_days is not None:
        first = parts.began if "began" in parts.columns else _first(parts)
        day, zero = (day_number(wall_clock(time, origin.config, origin.study)) for time in (at, first))
        counts = counts & ((day - zero) < use.first_days).fill_null(False)

    def of(value: ir.Value, when: ir.BooleanValue = counts) -> ir.Value:
        return ibis.ifelse(when, value, 0).cast("int64")

    match found.kind, found.role:
        case "count", _:
            return {name: of(ibis.literal(1), counts & began)}
        case "sum", "amount":
            return {name: of(parts.quanta)}
        case "sum", _:
            return {name: of(parts.cost)}
        case "share", "":
            return {name: of(ibis.literal(1), began)}
        case "share", _:
            return {name: of(parts.discounted), f"w_{place}": of(parts.lines)}
    return {}


def _first(parts: ir.Table) -> ir.Value:
    return parts.begun.min().over(ibis.window(group_by=[parts.customer]))
