"""What rules need of purchases: lines become orders, and orders one row a customer, in one query.

An order is when its first purchase line is, as it is for features. A filter looks at one line; an order is counted
where one of its purchase lines is chosen, and is worth what its chosen lines are. Returns are set off where the study
says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ibis.expr import types as ir

from clients.data.cleaning.columns import is_discounted
from clients.data.cleaning.ids import is_untidy
from clients.data.cleaning.lines import KEPT, of_somebody
from clients.data.cleaning.money import cost_of, money_of
from clients.data.origin import Origin
from clients.data.rows.cells.events import limited
from clients.data.rows.cells.keys import folded
from clients.data.rows.customers import customer_query
from clients.data.rows.lines import used_rules
from clients.data.rows.orders import wall_clock
from clients.data.rows.rules.events import filters_of, part_of_time, within
from clients.data.rows.rules.filters import holds, spellings_of
from clients.data.rows.rules.repeats import may_repeat, witnesses
from privacy.kernel.rule_words import OF_TIME
from privacy.tags.tree import Aggregate, Fact, Node, leaves


class LineColumns:
    """Purchase lines as filters see them.

    Args:
        lines: cleaned.
        origin: what they are.
    """

    def __init__(self, lines: ir.Table, origin: Origin) -> None:
        self._lines, self._origin = lines, origin

    def value(self, name: str) -> ir.Value:
        """See :class:`clients.data.rows.rules.filters.EventColumns`."""
        lines, origin = self._lines, self._origin
        if name in OF_TIME:
            return part_of_time(name, wall_clock(lines.time, origin.config, origin.study))
        if name in ("amount", "cost"):
            return lines[f"q_{name}"]
        if name == "discount":
            return is_discounted(lines)
        return folded(lines.order if name == "order" else lines[f"raw_{name}"]).nullif("")

    def spellings(self, name: str, word: str) -> tuple[str, ...]:
        """See :class:`clients.data.rows.rules.filters.EventColumns`."""
        return spellings_of(word, self._origin.config.values.get("order", {}).get(name, {}))


def order_query(lines: ir.Table, origin: Origin, wanted: Sequence[Aggregate]) -> ir.Table:
    """One row a customer who bought: ``customer``; ``orders``, ``quanta``, ``first``, ``last``; ``x<place>``.

    Args:
        lines: cleaned lines, with ``rule``.
        origin: whose they are; of a source with one row a customer nothing is wanted beside the four.
        wanted: aggregates of orders.
    """
    if origin.config.source.kind == "customers":
        found = customer_query(lines, origin)
        return found.select("orders", "quanta", "first", "last", customer=found.customer_id)
    rows = _customers(_orders(lines, origin, wanted), origin, wanted)
    return rows.filter(rows.orders > 0)


def orders_of_anybody(
    lines: ir.Table, origin: Origin, wanted: Sequence[Aggregate], *, with_repeats: bool = False
) -> ir.Table:
    """The same of lines as :func:`clients.data.rows.lines.lines_as_spelled` has them, but for who is nobody.

    Whoever bought nothing is among them, with 0 orders: what was returned by another spelling of an id has to be seen.
    ``untidy`` says, where ids of orders are text, whether one of the customer's is not in the one form that ids have.

    Args:
        lines, origin, wanted: as of :func:`order_query`.
        with_repeats: leave lines in that repeat another; ``doubtful`` says whether the customer may have any.
    """
    orders = _orders(lines, origin, wanted, with_repeats=with_repeats)
    is_text = origin.config.columns.order is not None and orders.order.type().is_string()
    more = {"untidy": is_untidy(orders.order).any()} if is_text else {}
    if with_repeats:
        more["doubtful"] = may_repeat(orders).any()
    rows = _customers(orders, origin, wanted, rows=orders.count(), **more)
    return of_somebody(rows, origin.config, origin.study, base=origin.base)


def _customers(orders: ir.Table, origin: Origin, wanted: Sequence[Aggregate], **more: ir.Value) -> ir.Table:
    return orders.group_by("customer").agg(
        orders=orders.begun.count(),
        quanta=limited(orders.quanta.sum()),
        first=orders.begun.min(),
        last=orders["last"].max(),
        **more,
        **_OfCustomers(orders, origin, filters_of(wanted)).all(wanted),
    )


def _orders(lines: ir.Table, origin: Origin, wanted: Sequence[Aggregate], *, with_repeats: bool = False) -> ir.Table:
    """One row an order: ``begun`` (null where nothing was bought), ``opened``, ``last``, ``quanta``; and by filter."""
    study = origin.study
    net = study.cleaning.returns == "net"
    kept = lines.filter(lines.rule.isin(used_rules(study))) if net else lines.filter(lines.rule == KEPT).drop("rule")
    if study.cleaning.duplicates == "drop" and not with_repeats:
        kept = kept.distinct()
    told_apart = [name for name in kept.columns if name not in ("customer", "order")]
    cost = {"q_cost": cost_of(kept, origin)} if any(_reads_cost(one) for one in wanted) else {}
    kept = kept.mutate(q_amount=money_of(kept, origin).quanta, **cost)
    columns = LineColumns(kept, origin)
    filters = filters_of(wanted)
    kept = kept.mutate(**{name: holds(node, columns).fill_null(False) for node, name in filters.items()})
    bought = kept.rule == KEPT if net else None
    found: dict[str, ir.Value] = {
        "quanta": kept.q_amount.sum(),
        "opened": kept.time.min(),
        "begun": kept.time.min(where=bought),
        "last": kept.time.max(where=bought),
    }
    found |= witnesses(kept, told_apart) if with_repeats else {}
    for one in wanted:
        found |= _of_order(one, kept, filters, bought)
    return kept.group_by("customer", "order").agg(**found)


def _reads_cost(one: Aggregate) -> bool:
    return "cost" in (one.role, *_named(one.where))


def _named(node: Node | None) -> list[str]:
    """Names that a filter reads."""
    return [] if node is None else [leaf.name for leaf in leaves(node) if isinstance(leaf, Fact)]


def _of_order(
    one: Aggregate, kept: ir.Table, filters: dict[Node, str], bought: ir.BooleanValue | None
) -> dict[str, ir.Value]:
    """What an order must say for an aggregate."""
    chosen = kept[filters[one.where]] if one.where is not None else None
    end = f"_{filters[one.where]}" if one.where is not None else ""
    lines = bought if chosen is None else chosen if bought is None else chosen & bought
    found: dict[str, ir.Value] = {}
    if chosen is not None:
        found[f"has{end}"] = (chosen if bought is None else chosen & bought).cast("int8").max()
    if one.function == "days_since" and chosen is not None:
        found[f"last{end}"] = kept.time.max(where=lines)
    if one.role and (chosen is not None or one.role != "amount"):
        value = kept[f"q_{one.role}"]
        found[f"{one.role}{end}"] = value.sum(where=chosen).fill_null(0)
    return found


@dataclass(frozen=True)
class _OfCustomers:
    """Aggregates over orders."""

    orders: ir.Table
    origin: Origin
    filters: dict[Node, str]

    def all(self, wanted: Sequence[Aggregate]) -> dict[str, ir.Value]:
        found: dict[str, ir.Value] = {}
        for place, one in enumerate(wanted):
            found |= self._one(f"x{place}", one)
        return found

    def _one(self, name: str, one: Aggregate) -> dict[str, ir.Value]:
        orders, end = self.orders, f"_{self.filters[one.where]}" if one.where is not None else ""
        window = within(one, orders.begun, self.origin.config, self.origin.study)
        has = orders[f"has{end}"] == 1 if end else orders.begun.notnull()
        chosen = has if window is None else has & window
        if one.function == "count":
            return {name: orders.count(where=chosen)}
        if one.function == "share":
            whole = orders.begun.notnull() if window is None else window
            return {name: orders.count(where=chosen), f"{name}_of": orders.count(where=whole)}
        if one.function == "days_since":
            return {name: orders[f"last{end}"].max(where=chosen)}
        value = orders["quanta" if one.role == "amount" and not end else f"{one.role}{end}"]
        if one.function == "sum":  # returns belong to the order that they are of, whether it is a purchase or not
            window = within(one, orders.opened, self.origin.config, self.origin.study)
            return {name: limited(value.sum(where=window).fill_null(0))}
        if one.function == "mean":
            return {name: limited(value.sum(where=chosen).fill_null(0)), f"{name}_of": orders.count(where=chosen)}
        return {name: value.max(where=chosen) if one.function == "max" else value.min(where=chosen)}
