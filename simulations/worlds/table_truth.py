"""What declared tables mean, said slowly: plain loops over one holder's clean feeds, for truths and for tests.

Written from the words of ``privacy/kernel/declarations.py`` and ``dimensions.py``, sharing no code with the queries of
holders. A feed is a frame with ``customer``, for events ``time`` (of the holder's own clock, without a zone), and roles
in public words: texts or None, whole numbers, ``born`` as a date, money in integers of 1/10000. Purchases (``order``)
have a row a line: also ``order``, ``bought`` (False for what is set off), and money as ``quanta`` and ``cost``.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from privacy.kernel.declarations import CellTable, DimensionUse, EventChoice, MeasureUse
from privacy.kernel.dimensions import WHOLE
from privacy.kernel.feeds import STAGES, FeedName
from simulations.worlds.true_keys import Row, closed_key, customer_key, event_keys, number_key, text_key
from simulations.worlds.true_rules import OneCustomer

#: Cell to values, of one customer.
Entries = dict[int, tuple[int, ...]]

_DAY = dt.timedelta(days=1)
#: Of a unit of money.
QUANTA = 10_000


@dataclass(frozen=True, kw_only=True)
class Clean:
    """One holder's clean feeds.

    Attributes:
        feeds: those that it has, by name; nothing from the as-of day on, and nobody without an id.
        as_of: the study's day.
        until: its start on the holder's clock.
        zone: the holder's.
        per_minor: quanta in a minor unit of the study's currency.
    """

    feeds: Mapping[FeedName, pd.DataFrame]
    as_of: dt.date
    until: dt.datetime
    zone: str = "UTC"
    per_minor: int = 100


def true_entries(clean: Clean, table: CellTable) -> dict[str, Entries]:
    """Every customer who has an entry in a table, and its entries; nobody where a feed or a role is not there."""
    for feed in table.feeds:
        if feed not in clean.feeds:
            return {}
    for feed, role in table.needs:
        column = "quanta" if (feed, role) == ("order", "amount") else role
        if column not in clean.feeds[feed]:
            return {}
    everybody = _everybody(clean, table)
    return {who: found for who in sorted(everybody) if (found := _entries_of(clean, table, who, everybody[who]))}


def _everybody(clean: Clean, table: CellTable) -> dict[str, dict[FeedName, list[Row]]]:
    """Every customer's rows by feed: of feeds that the table reads, or of all for portraits."""
    portrait = any(use.dimension == "customer.known" for use in table.by)
    reads = set(clean.feeds) if portrait else set(table.feeds)
    found: dict[str, dict[FeedName, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for feed in reads:
        for row in clean.feeds[feed].to_dict("records"):
            cleaned = {str(name): None if _is_missing(value) else value for name, value in row.items()}
            found[str(cleaned["customer"])][feed].append(cleaned)
    return {who: dict(rows) for who, rows in found.items()}


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _orders(lines: list[Row]) -> list[Row]:
    """A customer's orders in time, with their lines; without a purchase line it is none."""
    by_order: dict[Any, list[Row]] = defaultdict(list)
    for line in lines:
        by_order[line["order"]].append(line)
    orders = []
    for name, parts in by_order.items():
        bought = sorted((line for line in parts if line["bought"]), key=lambda line: line["time"])
        if bought:
            orders.append({"order": name, "time": bought[0]["time"], "lines": parts})
    return sorted(orders, key=lambda order: (order["time"], str(order["order"])))


def _facts(clean: Clean, orders: list[Row], lines_of_all: list[Row]) -> dict[str, int]:
    """The features that tables may use; none without an order. Money is in whole units, rounded up."""
    if not orders:
        return {}
    lines = [line for order in orders for line in order["lines"] if line["bought"]]
    reduced = sum(bool(line.get("discount")) for line in lines)
    first, last = orders[0]["time"], max(line["time"] for line in lines)
    facts = {
        "orders": len(orders),
        "tenure_days": (clean.until - first) // _DAY,
        "recency_days": (clean.until - last) // _DAY,
        "discount_share": 1000 * reduced // len(lines),
    }
    minor = (sum(line["quanta"] for line in lines_of_all) + clean.per_minor // 2) // clean.per_minor
    facts["money"] = math.ceil(Fraction(minor * clean.per_minor, QUANTA))
    earned = most = 0
    for place in range(12):
        ends = clean.until - 30 * place * _DAY, clean.until - 30 * (place + 1) * _DAY
        weight = round(2**20 * Fraction(17, 20) ** place)
        earned += weight * min(2, sum(ends[1] <= order["time"] < ends[0] for order in orders))
        most += weight * 2
    facts["loyalty"] = 1000 * earned // most
    for days in (30, 90, 180, 365):
        facts[f"orders_{days}"] = sum(order["time"] >= clean.until - days * _DAY for order in orders)
    return facts


def _entries_of(clean: Clean, table: CellTable, who: str, rows: dict[FeedName, list[Row]]) -> Entries:
    orders = _orders(rows.get("order", []))
    facts = _facts(clean, orders, rows.get("order", []))
    for condition in table.where:
        fact = facts.get(condition.fact)
        if fact is None or (condition.least is not None and fact < condition.least):
            return {}
        if condition.below is not None and fact >= condition.below:
            return {}
    own: dict[int, int | None] = {
        place: _tag_key(clean, use, rows, orders, facts)
        if use.is_tag
        else customer_key(clean.as_of, use, rows, orders, facts)
        for place, use in enumerate(table.by)
        if use.meaning.grain == "customer"
    }
    if None in own.values():
        return {}
    if table.events is not None and table.events.of == "conversion":
        return _conversions(clean, table, rows, orders, own)
    if not table.feed:
        if not any(rows.get(feed) if feed != "order" else orders for feed in rows):
            return {}
        values = tuple(_customer_value(clean, measure, rows, orders) for measure in table.measures)
        return {_cell(table, own): values}
    return _event_entries(clean, table, rows, orders, own)


def _tag_key(
    clean: Clean, use: DimensionUse, rows: dict[FeedName, list[Row]], orders: list[Row], facts: dict[str, int]
) -> int | None:
    """A customer's key of a tag of the study."""
    if use.tag is None:
        raise TypeError(f"{use.dimension} is not written out")
    customer = OneCustomer(rows=rows, orders=orders, facts=facts, as_of=clean.as_of, until=clean.until,
                           per_minor=clean.per_minor)  # fmt: skip
    digits = round(math.log10(QUANTA // clean.per_minor))
    if use.tag.value:
        value = customer.value(use.tag.number(digits)[0])
        return number_key(None if value is None else math.ceil(value), use.keys)
    nodes = use.tag.nodes(digits)
    if use.tag.when:
        return closed_key("yes" if customer.holds(nodes[0]) else "no", use.keys)
    held = [case.key for case, node in zip(use.tag.case, nodes, strict=True) if customer.holds(node)]
    return text_key(held[0] if held else None, use.keys)


def _cell(table: CellTable, keys: Mapping[int, int | None]) -> int:
    cell = 0
    for place, size in enumerate(table.shape):
        cell = cell * size + int(keys[place] or 0)
    return cell


# --- events and values -----------------------------------------------------------------------------------------------


def _event_entries(
    clean: Clean, table: CellTable, rows: dict[FeedName, list[Row]], orders: list[Row], own: dict[int, int | None]
) -> Entries:
    feed: FeedName = table.feed  # type: ignore[assignment]
    events = orders if feed == "order" else rows.get(feed, [])
    first = orders[0]["time"].date() if orders else None
    choice = table.events or EventChoice(of=feed)
    if choice.window_days is not None:
        events = [event for event in events if event["time"] >= clean.until - choice.window_days * _DAY]
    placed = []  # each event with the keys that it, or a line of it, has
    for event in events:
        for line in _lines(feed, event, table):
            keys = dict(own)
            for place, use in enumerate(table.by):
                if use.dimension == "sent.outcome":
                    keys[place] = closed_key(_outcome(clean, event, orders, choice), use.keys)
                elif use.meaning.grain != "customer":
                    keys[place] = event_keys(use, feed, line, first)[0]
            if None not in keys.values():
                placed.append((event, line, keys))
    placed = _chosen(table, choice, placed)
    cells: dict[int, list[tuple[Row, Row]]] = defaultdict(list)
    for event, line, keys in placed:
        cells[_cell(table, keys)].append((event, line))
    values = {cell: [_sum(clean, one, feed, found, first) for one in table.measures] for cell, found in cells.items()}
    for place, measure in enumerate(table.measures):
        if measure.meaning.kind == "share" and not measure.meaning.role:
            whole = sum(value[place] for value in values.values())
            for value in values.values():
                value[place] = value[place] * WHOLE // whole
    return {cell: tuple(value) for cell, value in values.items()}


def _lines(feed: FeedName, event: Row, table: CellTable) -> list[Row]:
    """An event as it is; an order, where the table is by something of lines, once for each set of its lines' keys."""
    of_lines = [use for use in table.by if use.dimension in ("order.category", "order.brand")]
    if feed != "order" or not of_lines:
        return [event]
    parts: dict[tuple[int | None, ...], list[Row]] = defaultdict(list)
    for line in event["lines"]:
        key = tuple(text_key(line[use.dimension.partition(".")[2]], use.keys) for use in of_lines)
        parts[key].append(line)
    return [
        {**event, "lines": lines, "opening": event} for lines in parts.values() if any(line["bought"] for line in lines)
    ]


def _outcome(clean: Clean, event: Row, orders: list[Row], choice: EventChoice) -> str:
    sent = _instant(clean, event["time"])
    end = sent + choice.outcome_days * _DAY
    return "bought" if any(sent <= _instant(clean, order["time"]) < end for order in orders) else "not"


def _instant(clean: Clean, time: dt.datetime) -> dt.datetime:
    return time.replace(tzinfo=ZoneInfo(clean.zone)).astimezone(dt.UTC)


def _chosen(table: CellTable, choice: EventChoice, placed: list[Any]) -> list[Any]:
    """The events that the choice takes; of equal ones, the one in the lowest cell, or that adds most."""
    if choice.which == "all":
        return placed

    def rank(item: Any) -> tuple[Any, ...]:
        event, _, keys = item
        time = event["time"].timestamp()
        first: tuple[Any, ...] = (time,) if choice.which == "earliest" else (-time,)
        if choice.which == "longest":
            first = (-event["seconds"] if event["seconds"] is not None else 1, -time)
        if choice.which == "furthest":
            first = (-STAGES.index(event["furthest"]), -time)
        if "lines" in event:
            return first
        added = (use.meaning.role for use in table.measures)
        return (*first, _cell(table, keys), *(-(event.get(role) or 0) for role in added if role))

    groups: dict[Any, list[Any]] = defaultdict(list)
    for item in placed:
        per = next((place for place, use in enumerate(table.by) if use.dimension == choice.per), None)
        groups[None if per is None else item[2][per]].append(item)
    taken = []
    for items in groups.values():
        best = min(items, key=rank)
        taken += [item for item in items if item[0] is best[0]] if "lines" in best[0] else [best]
    return taken


def _counts(clean: Clean, use: MeasureUse, time: dt.datetime, first: dt.date | None) -> bool:
    if use.last_days is not None and time < clean.until - use.last_days * _DAY:
        return False
    return use.first_days is None or (first is not None and 0 <= (time.date() - first).days < use.first_days)


def _sum(clean: Clean, use: MeasureUse, feed: FeedName, found: list[tuple[Row, Row]], first: dt.date | None) -> int:
    """A measure's value in one cell."""
    kind, role = use.meaning.kind, use.meaning.role
    if kind == "customers":
        return 1
    counted = [(event, line) for event, line in found if _counts(clean, use, event["time"], first)]
    if kind == "count" or (kind == "share" and not role):
        return len(counted)
    if feed == "order":
        lines = [line for _, part in counted for line in part["lines"]]
        bought = [line for line in lines if line["bought"]]
        if kind == "share":
            return sum(bool(line[role]) for line in bought) * WHOLE // max(len(bought), 1)
        if role == "cost":
            return _minor(clean, sum(line["cost"] or 0 for line in bought))
        return _minor(clean, sum(line["quanta"] for line in lines))
    values = [event[role] or 0 for event, _ in counted]
    return _minor(clean, sum(values)) if use.meaning.unit == "money" else int(sum(values))


def _customer_value(clean: Clean, use: MeasureUse, rows: dict[FeedName, list[Row]], orders: list[Row]) -> int:
    """A measure's value over all of a customer's events."""
    first = orders[0]["time"].date() if orders else None
    feed = use.meaning.feed
    if not feed or feed != "order":
        events = rows.get(feed, []) if feed else []
        return _sum(clean, use, feed or "order", [(event, event) for event in events], first)
    if (use.meaning.kind, use.meaning.role) != ("sum", "amount") or not orders:
        return _sum(clean, use, "order", [(order, order) for order in orders], first)
    began = {order["order"]: order["time"] for order in orders}
    opened: dict[Any, list[Row]] = defaultdict(list)
    for line in rows.get("order", []):
        opened[line["order"]].append(line)
    total = 0  # what was only returned is set off when that was
    for name, lines in opened.items():
        time = began.get(name, min(line["time"] for line in lines))
        total += sum(line["quanta"] for line in lines) if _counts(clean, use, time, first) else 0
    return _minor(clean, total)


def _minor(clean: Clean, quanta: int) -> int:
    return (int(quanta) + clean.per_minor // 2) // clean.per_minor


def _conversions(
    clean: Clean, table: CellTable, rows: dict[FeedName, list[Row]], orders: list[Row], own: dict[int, int | None]
) -> Entries:
    choice = table.events
    if choice is None:
        return {}
    channels = next((use.keys for use in table.by if use.dimension == "touch.channel"), None)
    touches = [
        (_instant(clean, touch["time"]), text_key(touch["channel"], channels) if channels else 0)
        for touch in rows.get("touch", [])
    ]
    touches.sort(key=lambda touch: (touch[0], -1 if touch[1] is None else touch[1]))
    conversions = []
    for order in orders:
        if choice.window_days is not None and order["time"] < clean.until - choice.window_days * _DAY:
            continue
        begun = _instant(clean, order["time"])
        before = [touch for touch in touches if begun - choice.look_back_days * _DAY < touch[0] <= begun]
        if before:
            conversions.append((order, before[-choice.most_touches :]))
    if choice.which in ("earliest", "latest") and conversions:
        conversions = [conversions[0] if choice.which == "earliest" else conversions[-1]]
    weights: dict[int, int] = defaultdict(int)
    money: dict[int, int] = defaultdict(int)
    for order, before in conversions:
        worth = _minor(clean, sum(line["quanta"] for line in order["lines"]))
        credits = [("first", before[0][1], WHOLE), ("last", before[-1][1], WHOLE)]
        credits += [("linear", channel, WHOLE // len(before)) for _, channel in before]
        for model, channel, weight in credits:
            keys = dict(own)
            for place, use in enumerate(table.by):
                if use.dimension == "touch.model":
                    keys[place] = closed_key(model, use.keys)
                elif use.dimension == "touch.channel":
                    keys[place] = channel
            if None not in keys.values():
                weights[_cell(table, keys)] += weight
                money[_cell(table, keys)] += weight * worth
    return {
        cell: tuple(weight if use.meaning.kind == "weight" else _nearest(money[cell]) for use in table.measures)
        for cell, weight in weights.items()
    }


def _nearest(product: int) -> int:
    """Divided by WHOLE, to the nearest, half away from zero."""
    whole = (2 * abs(product) + WHOLE) // (2 * WHOLE)
    return whole if product >= 0 else -whole
