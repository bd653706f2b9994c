"""Rules of a study's tags, said slowly: one customer, plain loops and fractions; see :mod:`.table_truth`.

Written from the words of docs/tags.md, sharing the tree of a rule with holders and nothing of how they answer it.
"""

from __future__ import annotations

import datetime as dt
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from privacy.kernel.feeds import FeedName
from privacy.tags import tree

#: One event, or one customer's attributes.
Row = dict[str, Any]
#: A number in the unit that people write, a text as it is compared, or whether; None where it is unknown.
Value = Fraction | str | bool | None

_DAY = dt.timedelta(days=1)
_QUANTA = 10_000
_SIGNS = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OneCustomer:
    """What is known of one customer.

    Attributes:
        rows: by feed; purchases as lines, with ``bought``.
        orders: in time, each with ``time`` and ``lines``.
        facts: features, as integers.
        as_of, until: the study's day, and its start on the holder's clock.
        per_minor: quanta in a minor unit of money.
    """

    rows: Mapping[FeedName, list[Row]]
    orders: list[Row]
    facts: Mapping[str, int]
    as_of: dt.date
    until: dt.datetime
    per_minor: int

    def holds(self, node: tree.Node) -> bool | None:
        """Whether a condition holds; None where that is unknown (Kleene's logic)."""
        return _holds(node, self._value)

    def value(self, leaf: tree.Leaf) -> Fraction | None:
        """A number of the customer."""
        found = self._value(leaf)
        return found if isinstance(found, Fraction) else None

    def _value(self, leaf: tree.Node) -> Value:
        if isinstance(leaf, tree.Aggregate):
            return self._of_orders(leaf) if leaf.feed == "order" else self._of_events(leaf)
        if not isinstance(leaf, tree.Fact):
            raise TypeError("a leaf is a fact or an aggregate")
        if leaf.name.startswith("customer."):
            return self._attribute(leaf.name.partition(".")[2])
        if leaf.name == "money":
            return self._money(sum(line["quanta"] for line in self.rows.get("order", [])) if self.orders else 0)
        if leaf.name == "orders":
            return Fraction(len(self.orders))
        if leaf.name not in self.facts:
            return None
        per = leaf.kind.per if isinstance(leaf.kind, tree.Unit) else 1
        return Fraction(self.facts[leaf.name], per)

    def _money(self, quanta: int) -> Fraction:
        minor = (quanta + self.per_minor // 2) // self.per_minor
        return Fraction(minor * self.per_minor, _QUANTA)

    def _attribute(self, name: str) -> Value:
        role = "born" if name in ("age", "birthday") else name
        values = {row[role] for row in self.rows.get("customer", []) if row.get(role) is not None}
        if len(values) != 1:
            return None
        value = values.pop()
        if name == "age":
            age = self.as_of.year - value.year - ((self.as_of.month, self.as_of.day) < (value.month, value.day))
            return Fraction(age) if 0 <= age <= 120 else None
        return value if isinstance(value, bool) else str(value).strip().casefold()

    def _within(self, one: tree.Aggregate, time: dt.datetime) -> bool:
        return (one.since is None or time >= self._bound(one.since)) and (
            one.until is None or time < self._bound(one.until)
        )

    def _bound(self, day: dt.date | int) -> dt.datetime:
        return self.until + (day if isinstance(day, int) else (day - self.as_of).days) * _DAY

    def _of_events(self, one: tree.Aggregate) -> Value:
        feed: FeedName = one.feed  # type: ignore[assignment]
        seen = [row for row in self.rows.get(feed, []) if self._within(one, row["time"])]
        chosen = [row for row in seen if one.where is None or _holds(one.where, _of_row(row)) is True]
        if one.function in ("count", "share", "days_since"):
            return self._counted(one, len(seen), [row["time"] for row in chosen])
        values = [row[one.role] for row in chosen if row[one.role] is not None]
        return self._added(one, values)

    def _of_orders(self, one: tree.Aggregate) -> Value:
        """Orders with their chosen lines: one counts where a purchase line of it is chosen."""
        if not self.orders:
            return Fraction(0) if one.function in ("count", "sum") else None
        if one.function == "sum":
            return self._sum_of_lines(one)
        seen = [order for order in self.orders if self._within(one, order["time"])]
        parts = [(order, [line for line in order["lines"] if self._chosen(one, line)]) for order in seen]
        counted = [(order, lines) for order, lines in parts if any(line["bought"] for line in lines)]
        if one.function in ("count", "share", "days_since"):
            last = [max(line["time"] for line in lines if line["bought"]) for _, lines in counted]
            return self._counted(one, len(seen), last)
        name = "quanta" if one.role == "amount" else one.role
        return self._added(one, [sum(line[name] or 0 for line in lines) for _, lines in counted])

    def _sum_of_lines(self, one: tree.Aggregate) -> Value:
        """Returns belong to the order that they are of, whether it is a purchase or not."""
        lines = self.rows.get("order", [])
        name, total = "quanta" if one.role == "amount" else one.role, 0
        for line in lines:
            opened = min(other["time"] for other in lines if other["order"] == line["order"])
            if self._within(one, opened) and self._chosen(one, line):
                total += line[name] or 0
        return self._money(total)

    def _chosen(self, one: tree.Aggregate, line: Row) -> bool:
        return one.where is None or _holds(one.where, _of_row(line)) is True

    def _counted(self, one: tree.Aggregate, seen: int, times: list[dt.datetime]) -> Value:
        if one.function == "count":
            return Fraction(len(times))
        if one.function == "share":
            return Fraction(1000 * len(times) // seen, 1000) if seen else None
        return Fraction((self.until - max(times)) // _DAY) if times else None

    def _added(self, one: tree.Aggregate, values: list[int]) -> Value:
        money = one.kind.name == "money"
        if one.function == "sum":
            return self._money(sum(values)) if money else Fraction(sum(values))
        if not values:
            return None
        if one.function == "mean":
            each = self.per_minor if money else 1
            parts = Fraction(math.floor(Fraction(100 * sum(values), len(values) * each)), 100)
            return parts * Fraction(self.per_minor, _QUANTA) if money else parts
        found = max(values) if one.function == "max" else min(values)
        return self._money(found) if money else Fraction(found)


def _of_row(row: Row) -> Any:
    """How a filter sees one event."""

    def value(leaf: tree.Node) -> Value:
        if not isinstance(leaf, tree.Fact):
            raise TypeError("a filter looks at one event")
        time = row["time"]
        if leaf.name in ("weekday", "hour", "month"):
            return Fraction(time.isoweekday() if leaf.name == "weekday" else getattr(time, leaf.name))
        found = row["quanta" if leaf.name == "amount" and "quanta" in row else leaf.name]
        if found is None or isinstance(found, bool):
            return found
        if isinstance(leaf.kind, tree.Unit):
            return Fraction(int(found), leaf.kind.per)
        return str(found).strip().casefold() or None

    return value


def _holds(node: tree.Node, value: Any) -> bool | None:
    match node:
        case tree.AllOf(items) | tree.AnyOf(items):
            found = [_holds(item, value) for item in items]
            decides = isinstance(node, tree.AnyOf)
            return decides if decides in found else None if None in found else not decides
        case tree.Not(item):
            inner = _holds(item, value)
            return None if inner is None else not inner
        case tree.Known(item):
            return value(item) is not None
        case tree.OneOf(item, among):
            own = value(item)
            return None if own is None else own in [_constant(one) for one in among]
        case tree.Compare(sign, left, right):
            one, other = (
                _constant(side) if isinstance(side, tree.Number | tree.Text) else value(side) for side in (left, right)
            )
            return None if one is None or other is None else bool(_SIGNS[sign](one, other))
        case tree.Fact():
            flag = value(node)
            return None if flag is None else bool(flag)
    raise TypeError("no condition")


def _side(node: tree.Node, value: Any) -> Value:
    found: Value = _constant(node) if isinstance(node, tree.Number | tree.Text) else value(node)
    return found


def _constant(node: tree.Number | tree.Text) -> Value:
    return Fraction(node.value) if isinstance(node, tree.Number) else node.value.strip().casefold()
