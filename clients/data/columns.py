"""``[columns]`` of ``holder.toml``: which column of purchases is what."""

from __future__ import annotations

from typing import Any, Self

from pydantic import model_validator

from clients.data.place import Form, Source, SourceName
from privacy.kernel.canonical import Noun, since

#: How columns of purchase lines are read; currencies and products are read where they are needed.
_FORMS: dict[str, Form] = {
    "customer": "id", "order": "id", "person": "id", "time": "time",
    "amount": "number", "orders": "number", "recency_days": "number", "first": "time",
    "order_amount": "number", "quantity": "number", "price": "number", "cost": "number",
    "category": "name", "channel": "name", "store": "name", "brand": "name", "discount": "flag",
}  # fmt: skip


class Columns(Noun):
    """Which column of the source is what. Either ``amount``, or both ``quantity`` and ``price``.

    Attributes:
        customer: the customer's id, as text or number.
        order: the id of the order or receipt; the lines of one order share it. Where it is not given, an order is all
            that a customer buys on one day.
        time: when the order was placed: a timestamp, a day, or ISO text. Of a source of customers, when the last was;
            ``last`` in the file.
        amount: money of the line.
        order_amount: in its place, money of the whole order, repeated on its lines or on the first one only: the
            largest is counted once an order.
        quantity, price: pieces and money for one piece.
        currency: three-letter code of the line's currency.
        product: product code; the study may name codes that are not goods.
        category: what kind of goods the line is; used by features of categories.
        channel: where the order was placed, such as online; used by features of channels.
        store: the shop of the order.
        discount: whether, or by how much, the line was reduced, as a number, a truth value or text; used by features
            of discounts (``cleaning.is_discounted``).
        also: other names of columns in some of the files, by role: ``customer = ["Customer ID", "Cust No"]``.
        brand: whose goods the line is.
        cost: what the holder paid for the line's goods, in the line's currency.
        orders: of a source of customers, how many orders each has placed.
        first: of such a source, when the first one was.
        recency_days: of such a source in place of ``time``, days since the last order, on the source's day.
        person: who the customer is in all of the holder's ``[[sources]]``, such as a member number; empty where nobody
            knows.
    """

    customer: SourceName
    order: SourceName | None = None
    time: SourceName
    amount: SourceName | None = None
    order_amount: SourceName | None = since("0.2.0", None)
    quantity: SourceName | None = None
    price: SourceName | None = None
    currency: SourceName | None = None
    product: SourceName | None = None
    category: SourceName | None = None
    channel: SourceName | None = None
    store: SourceName | None = None
    discount: SourceName | None = None
    also: dict[str, tuple[SourceName, ...]] = since("0.2.0", {})
    brand: SourceName | None = since("0.2.0", None)
    cost: SourceName | None = since("0.2.0", None)
    person: SourceName | None = since("0.2.0", None)
    orders: SourceName | None = since("0.2.0", None)
    first: SourceName | None = since("0.2.0", None)
    recency_days: SourceName | None = since("0.2.0", None)

    @model_validator(mode="before")
    @classmethod
    def _other_names(cls, value: Any) -> Any:
        """``customer = ["Customer ID", "Cust No"]``: the first is the name, the others it has in some files."""
        if not isinstance(value, dict):
            return value
        # Of customers the last order is when it was, or so many days ago.
        last = next((value[name] for name in ("last", "recency_days") if name in value), None)
        if last is not None and "time" not in value:
            value = {name: column for name, column in value.items() if name != "last"} | {"time": last}
        lists = {role: names for role, names in value.items() if isinstance(names, list) and names}
        also = {role: tuple(names[1:]) for role, names in lists.items() if len(names) > 1}
        firsts = {role: names[0] for role, names in lists.items()}
        return value | firsts | ({"also": {**value.get("also", {}), **also}} if also else {})

    @model_validator(mode="after")
    def _one_way_to_money(self) -> Self:
        both = "give either amount, or both quantity and price"
        if self.amount is not None and (self.quantity is not None or self.price is not None):
            raise ValueError(f"amount and quantity/price are both given; {both}")
        if self.order_amount is not None:
            return self._of_orders()
        if self.amount is None and (self.quantity is None or self.price is None):
            given = [name for name in ("quantity", "price") if getattr(self, name) is not None]
            raise ValueError(f"only {given[0]} is given; {both}" if given else f"there is no money column; {both}")
        return self._each_once()

    def _of_orders(self) -> Self:
        if self.amount is not None or self.price is not None:
            raise ValueError("order_amount and amount or price are both given; give one of them")
        if self.order is None:
            raise ValueError("order_amount needs columns.order: it is counted once an order")
        return self._each_once()

    def _each_once(self) -> Self:
        # Ids of one source may be those of persons, and days since the last order say when it was.
        same = {"person": self.customer, "recency_days": self.time}
        used = [name for role, name in self.mapped().items() if name != same.get(role)]
        twice = sorted({name for name in used if used.count(name) > 1})
        if twice:
            raise ValueError(f"column {twice[0]!r} is used for two things")
        return self

    def mapped(self) -> dict[str, str]:
        """What is mapped to which column of the source, without what is not mapped."""
        return {role: name for role, name in self.model_dump(exclude={"also"}).items() if name is not None}

    def of_form(self, form: Form) -> dict[str, str]:
        """The same, of roles that are read so."""
        of = {role: name for role, name in self.mapped().items() if _FORMS.get(role) == form}
        if self.recency_days is not None:  # read where it is counted back from the source's day
            of.pop("time" if form == "time" else "recency_days", None)
        return of


def kind_complaint(source: Source, columns: Columns) -> str:
    """What is wrong with the columns and settings of a kind of source, in words; empty where nothing is."""
    of_customers = [role for role in ("orders", "first", "recency_days") if getattr(columns, role) is not None]
    if source.kind == "sales":
        if source.snapshot is not None or of_customers:
            name = f"columns.{of_customers[0]}" if of_customers else "snapshot"
            return f'{name} is of a table with one row a customer; write kind = "customers" under [source]'
        return ""
    allowed = {"customer", "time", "recency_days", "first", "orders", "amount", "currency"}
    if wrong := [role for role in columns.mapped() if role not in allowed]:
        return f"columns.{wrong[0]}: a source of customers has customer, last or recency_days, first, orders and amount"
    if columns.orders is None or columns.amount is None:
        return "a source of customers needs columns.orders and columns.amount"
    if source.snapshot is None:
        return "a source of customers needs snapshot = 2024-06-01, the day before whose start it counts"
    if source.status:
        return "source.status is of lines of sales; leave customers out with where"
    return ""
