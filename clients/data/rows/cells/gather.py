"""The queries that tables need, each asked where its feed is; only their results come over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from clients.data.cleaning.times import zone_of
from clients.data.feeds.lines import open_feed
from clients.data.origin import Origin
from clients.data.rows.cells.facts import attributes, order_facts, use_name
from clients.data.rows.cells.feed_events import FeedRows
from clients.data.rows.cells.gathered import Part
from clients.data.rows.cells.order_events import order_cells, order_rows, order_sums
from clients.data.rows.lines import counted_lines
from clients.data.several.rows import open_lines
from privacy.kernel.cells import CellRequest
from privacy.kernel.declarations import CellTable, DimensionUse
from privacy.kernel.features import IntArray
from privacy.kernel.feeds import FeedName


@dataclass(kw_only=True, eq=False)
class Found:
    """Results of queries, by what they are of.

    Attributes:
        orders: customers with orders, and their facts.
        people: customers with attributes.
        cells: of tables of events, by table.
        sums: of tables of customers, by feed; ``daily``: by table and measure.
        order_rows, touch_rows, messages: what two feeds are put together from; the last one by table.
        zones: by feed, the zone of its moments; None for UTC.
        ids: of feeds that are read for their ids only.
    """

    orders: tuple[Part, dict[str, IntArray]] | None = None
    people: Part | None = None
    cells: dict[int, Part] = field(default_factory=dict)
    sums: dict[FeedName, Part] = field(default_factory=dict)
    daily: dict[tuple[int, int], Part] = field(default_factory=dict)
    order_rows: Part | None = None
    touch_rows: dict[int, Part] = field(default_factory=dict)
    messages: dict[int, Part] = field(default_factory=dict)
    zones: dict[FeedName, str | None] = field(default_factory=dict)
    ids: dict[FeedName, Part] = field(default_factory=dict)

    @property
    def parts(self) -> list[Part]:
        """All of them."""
        single = [self.orders[0] if self.orders else None, self.people, self.order_rows]
        of_tables = [*self.cells.values(), *self.daily.values(), *self.touch_rows.values(), *self.messages.values()]
        of_feeds = [*self.sums.values(), *self.ids.values()]
        return [part for part in single if part is not None] + of_tables + of_feeds


def answered(origin: Origin, request: CellRequest) -> dict[int, CellTable]:
    """The tables in which the holder has entries, by place: those whose feeds and roles it has declared."""
    declared = origin.config.declared_feeds
    return {place: table for place, table in enumerate(request.tables) if table.is_found_in(declared)}


def is_paths(table: CellTable) -> bool:
    """Whether a table is of conversions."""
    return table.events is not None and table.events.of == "conversion"


def is_of_outcomes(table: CellTable) -> bool:
    """Whether a table says what followed on messages."""
    return any(use.dimension == "sent.outcome" for use in table.by)


def gather(origin: Origin, tables: dict[int, CellTable]) -> Found:
    """Ask the holder's feeds for everything that these tables need.

    Raises:
        DataError: if a feed cannot be opened, or its columns cannot be what they are mapped as.
    """
    found = Found()
    feeds: set[FeedName] = set().union(*(table.feeds for table in tables.values()))
    if any(use.dimension == "customer.known" for table in tables.values() for use in table.by):
        feeds |= set(origin.config.declared_feeds)
    if "order" in feeds:
        _gather_orders(origin, tables, found)
    for name in sorted(feeds - {"order"}):
        with open_feed(origin, name) as feed:
            _gather_feed(FeedRows(feed.kept, feed.reading, origin.study), name, tables, found)
    return found


def _of_customers(tables: dict[int, CellTable], feed: FeedName) -> list[tuple[int, CellTable]]:
    """Tables of customers that read a feed's events."""
    return [
        (number, table)
        for number, table in tables.items()
        if not table.feed and any(use.meaning.feed == feed for use in table.measures)
    ]


def _gather_orders(origin: Origin, tables: dict[int, CellTable], found: Found) -> None:
    with open_lines(origin) as opened:
        lines, _ = counted_lines(opened, origin)
        of_orders = [table for table in tables.values() if "order" in table.feeds]
        found.orders = order_facts(lines, origin, of_orders)
        if summed := _of_customers(tables, "order"):
            found.sums["order"] = Part.of(order_sums(lines, origin, summed), what="adding up orders")
        for number, table in tables.items():
            if table.feed == "order":
                found.cells[number] = Part.of(order_cells(lines, origin, table), what=f"counting {table.name}")
        crossing = [table for table in tables.values() if is_paths(table) or is_of_outcomes(table)]
        if crossing:
            windows = {table.events.window_days for table in crossing if table.events and table.events.window_days}
            found.order_rows = Part.of(order_rows(lines, origin, windows), what="looking at orders")
        found.zones["order"] = None if zone_of(lines.time) is not None else origin.config.source.time_zone


def _gather_feed(feed: FeedRows, name: FeedName, tables: dict[int, CellTable], found: Found) -> None:
    if name == "customer":
        uses = {use_name(use): use for use in _uses(tables, "customer") if use.dimension != "customer.known"}
        roles = sorted({role for use in _uses(tables, "customer") for role in use.roles})
        found.people = Part.of(attributes(feed, uses, roles), what="looking at customers")
        return
    found.zones[name] = feed.zone
    mine = _of_customers(tables, name)
    if mine:
        found.sums[name] = Part.of(feed.sums(mine), what=f"adding up {name}")
    for number, table in mine:
        for place, use in enumerate(table.measures):
            if use.meaning.feed == name and use.first_days is not None:
                found.daily[number, place] = Part.of(feed.daily(use), what=f"adding up {name}")
    for number, table in tables.items():
        if table.feed != name:
            continue
        what = f"counting {table.name}"
        if is_paths(table):
            found.touch_rows[number] = Part.of(feed.touches(table), what=what)
        elif is_of_outcomes(table):
            rows = feed.events(table, besides=frozenset({"sent.outcome"}))
            sums = [column for column in rows.columns if column.startswith("v_")]
            found.messages[number] = Part.of(rows.select("customer", "moment", "cell", *sums), what=what)
        else:
            found.cells[number] = Part.of(feed.cells(table), what=what)
    if not mine and _asks_who_is_in(tables, name):
        found.ids[name] = Part.of(feed.rows.select("customer").distinct(), what=f"looking at {name}")


def _asks_who_is_in(tables: dict[int, CellTable], feed: FeedName) -> bool:
    """Whether a table counts whoever is in a feed, without asking more of it."""
    portraits = any(use.dimension == "customer.known" for use in _uses(tables, "customer"))
    return portraits or any(use.is_tag and feed in use.feeds for table in tables.values() for use in table.by)


def _uses(tables: dict[int, CellTable], feed: FeedName) -> Iterable[DimensionUse]:
    return (use for table in tables.values() for use in table.by if use.meaning.feed == feed)
