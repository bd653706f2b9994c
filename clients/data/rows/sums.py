"""From orders to customers: the sums that recipes are made of, for each day of a request, and no others."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass

import ibis
from ibis.expr import types as ir

from clients.data.origin import Origin
from clients.data.recipes.facts import SumName
from clients.data.rows.orders import IN_KIND, cut_orders, listed, start_of
from privacy.kernel.feature_request import CategoryKind, FeatureRequest

#: Sums are kept inside this, as in the customer table.
_SUM_LIMIT = 9 * 10**17
#: Sums of every request: who has an order before a day, and since when it has bought nothing.
_ALWAYS: frozenset[SumName] = frozenset({"orders", "last"})
#: A sum over the days before the day.
_OF_DAYS = re.compile(r"(orders|quanta)_(\d{1,4})")


@dataclass(frozen=True, kw_only=True)
class _Before:
    """Orders as of one day.

    Attributes:
        parts: orders as ``cut_orders`` has them.
        past: whether a row's lines are before the day.
        begun: whether a row begins an order before the day.
        ago: the start of the day so many days before.
    """

    parts: ir.Table
    past: ir.BooleanValue
    begun: ir.BooleanValue
    ago: Callable[[int], ir.Value]

    def added(self, name: str) -> ir.Value:
        """A column of lines, added up."""
        return _total(self.parts[name], self.past)

    def counted(self, name: str) -> ir.Value:
        """Orders for which a column is true."""
        return _total(self.parts[name].cast("int64"), self.begun)

    def half(self, rest: int) -> ir.Value:
        """What was bought in orders on days of purchase whose number, from 0, has this rest by two."""
        ours = (self.parts.since < self.ago(0)) & (self.parts.number % 2 == rest)
        return _total(self.parts.quanta, self.past & ours.fill_null(False))

    def wall(self, place: int) -> ir.Value:
        """When the order at a place among the customer's began, by the clock on the holder's wall."""
        return self.parts.wall.max(where=self.begun & (self.parts.place == place))


#: What each sum is, as of one day. An order is before a day where its first purchase line is.
SUMS: dict[SumName, Callable[[_Before], ir.Value]] = {
    "orders": lambda day: day.parts.begun.count(where=day.begun),
    "first": lambda day: day.parts.begun.min(where=day.begun),  # the beginning of the first order, of the last one
    "latest": lambda day: day.parts.begun.max(where=day.begun),
    "last": lambda day: day.parts["last"].max(where=day.past),  # the last purchase line, of whichever order
    "first_wall": lambda day: day.wall(0),  # the beginning of the first order, of the second one, by the wall's clock
    "second_wall": lambda day: day.wall(1),
    "latest_wall": lambda day: day.parts.wall.max(where=day.begun),  # of the last order, and of the one before it
    "previous_wall": lambda day: day.parts.before.max(where=day.begun),
    "bought_days": lambda day: day.counted("opens_day"),  # on which orders began, by that clock
    "odd_quanta": lambda day: day.half(0),  # of orders on every other day of purchase: the first, third, ...
    "even_quanta": lambda day: day.half(1),
    "gaps": lambda day: _total(day.parts.gap * day.parts.gap, day.begun),  # squares of hundredths of a day
    "weekend": lambda day: day.counted("weekend"),
    "evening": lambda day: day.counted("evening"),
    "quanta": lambda day: day.added("quanta"),
    "lines": lambda day: day.added("lines"),
    "returned": lambda day: day.added("returned"),
    "discounted": lambda day: day.added("discounted"),
}


def _total(value: ir.Value, where: ir.BooleanValue) -> ir.Value:
    added = value.sum(where=where).fill_null(0)
    return ibis.greatest(ibis.least(added, _SUM_LIMIT), -_SUM_LIMIT).cast("int64")


def needed_sums(origin: Origin, request: FeatureRequest) -> frozenset[SumName]:
    """The sums that the request's features are made of, beside those of every request."""
    return _ALWAYS.union(*(origin.recipes[name].sums for name in request.names))


def customer_sums(
    lines: ir.Table, origin: Origin, request: FeatureRequest, *, more: frozenset[SumName] = frozenset()
) -> ir.Table:
    """One row per customer: ``customer_id``, and for the i-th day the sums that the features need, and any more.

    The names of the i-th day's end in ``_i``. Where the request asks for outcomes, ``after_i`` is the number of orders
    from the day to its horizon. Where it asks who becomes a customer of a kind, ``kind_before_i`` and ``kind_after_i``
    are what the kind is told by, of orders that began in a horizon before the day, and after it: quanta, or lines.
    """
    needed = needed_sums(origin, request) | more
    parts = cut_orders(lines, origin, request, needed)

    def start(day: dt.date) -> ir.Value:
        return start_of(day, origin, parts["at"])

    sums: dict[str, ir.Value] = {}
    for i, day in enumerate(request.days):
        before = _Before(
            parts=parts,
            past=parts["at"] < start(day),
            begun=(parts.begun < start(day)).fill_null(False),
            ago=lambda days, day=day: start(day - dt.timedelta(days=days)),  # type: ignore[misc]
        )
        sums |= {f"{name}_{i}": _sum(name, before, request) for name in sorted(needed)}
        if request.horizon_days:
            end = start(day + dt.timedelta(days=request.horizon_days))
            after = (parts.begun >= start(day)).fill_null(False) & (parts.begun < end)
            sums[f"after_{i}"] = parts.begun.count(where=after)
        if request.becoming is not None:
            told = parts[IN_KIND] if isinstance(request.becoming, CategoryKind) else parts.quanta
            sums[f"kind_before_{i}"] = _total(told, before.past & (parts.opened >= before.ago(request.horizon_days)))
            # The horizon ends on a day of the request, at which orders are cut.
            sums[f"kind_after_{i}"] = _total(told, (parts["at"] < end) & (parts.opened >= start(day)))
    rows = parts.group_by("customer").agg(**sums)
    return rows.select(*sums, customer_id=rows.customer.cast("string"))


def _sum(name: SumName, day: _Before, request: FeatureRequest) -> ir.Value:
    if name in SUMS:
        return SUMS[name](day)
    if found := _OF_DAYS.fullmatch(name):
        ago = day.ago(int(found[2]))
        if found[1] == "orders":
            return day.parts.begun.count(where=day.begun & (day.parts.begun >= ago))
        return _total(day.parts.quanta, day.past & (day.parts.opened >= ago))
    return day.counted(name) if name in listed(request, "channels") else day.added(name)
