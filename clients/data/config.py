"""``holder.toml``: where a holder's sales are, and which column is what.

It describes the source only. What the holder allows is its policy; how rows are cleaned is the study's, so that all
holders clean alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import ConfigDict, model_validator

from clients.data.feed_config import Events, Feed, FeedReading, Values, readings, values_complaint
from clients.data.place import Form, Reading, Source, SourceName
from clients.data.reading import read_complaint
from privacy.errors import ConfigError
from privacy.kernel.canonical import Noun, since
from privacy.kernel.declarations import CellTable
from privacy.kernel.feeds import FEEDS, FeedName
from privacy.kernel.terms import Slug
from privacy.protocol.study import Study

#: How columns of purchase lines are read; currencies and products are read where they are needed.
_FORMS: dict[str, Form] = {
    "customer": "id", "order": "id", "time": "time",
    "amount": "number", "order_amount": "number", "quantity": "number", "price": "number", "cost": "number",
    "category": "name", "channel": "name", "store": "name", "brand": "name", "discount": "flag",
}  # fmt: skip


class Columns(Noun):
    """Which column of the source is what. Either ``amount``, or both ``quantity`` and ``price``.

    Attributes:
        customer: the customer's id, as text or number.
        order: the id of the order or receipt; the lines of one order share it. Where it is not given, an order is all
            that a customer buys on one day.
        time: when the order was placed: a timestamp, a day, or ISO text.
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

    @model_validator(mode="before")
    @classmethod
    def _other_names(cls, value: Any) -> Any:
        """``customer = ["Customer ID", "Cust No"]``: the first is the name, the others it has in some files."""
        if not isinstance(value, dict):
            return value
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
        used = list(self.mapped().values())
        twice = sorted({name for name in used if used.count(name) > 1})
        if twice:
            raise ValueError(f"column {twice[0]!r} is used for two things")
        return self

    def mapped(self) -> dict[str, str]:
        """What is mapped to which column of the source, without what is not mapped."""
        return {role: name for role, name in self.model_dump(exclude={"also"}).items() if name is not None}

    def of_form(self, form: Form) -> dict[str, str]:
        """The same, of roles that are read so."""
        return {role: name for role, name in self.mapped().items() if _FORMS.get(role) == form}


class HolderConfig(Noun):
    """One holder's ``holder.toml``, read with ``read_toml``.

    Attributes:
        holder: the holder's name in the federation's roster.
        source: where the rows are.
        columns: which column is what.
        customers: attributes of customers, one row each; None where the holder has none.
        events: feeds of what customers do beside buying.
        values: feed to role to own spellings of public keys.
    """

    # A URL may hold a password by mistake: no error repeats what was given.
    model_config = ConfigDict(hide_input_in_errors=True)

    holder: Slug
    source: Source
    columns: Columns
    customers: Feed | None = since("0.2.0", None)
    events: Events = since("0.2.0", {})
    values: dict[FeedName, dict[str, Values]] = since("0.2.0", {})

    @model_validator(mode="after")
    def _known_roles(self) -> Self:
        if self.customers is not None and (wrong := self.customers.complaint("customer")):
            raise ValueError(f"customers: {wrong}")
        for name, feed in self.events.items():
            if wrong := feed.complaint(name):
                raise ValueError(f"events.{name}: {wrong}")
        if wrong := values_complaint(self.values, self.declared_feeds):
            raise ValueError(wrong)
        for name, reading in self.feeds.items():
            money = reading.columns.of_kind("money")
            if money and reading.source.currency_code is None:
                raise ValueError(f"{name}.{money[0]} has no currency; give the feed a currency_code")
        return self

    @model_validator(mode="after")
    def _read_as_mapped(self) -> Self:
        every: list[tuple[str, Reading]] = [("source", self), *self.feeds.items()]
        for name, reading in every:
            if wrong := read_complaint(reading.source.read, reading.columns.of_form):
                raise ValueError(f"{name}.{wrong}")
        return self

    @model_validator(mode="after")
    def _one_currency(self) -> Self:
        column, code = self.columns.currency, self.source.currency_code
        if column is not None and code is not None:
            raise ValueError("columns.currency and source.currency_code are both given; give one of them")
        if column is None and code is None:
            raise ValueError(
                'the currency is missing; give columns.currency, or source.currency_code = "EUR" '
                "where all rows are in one currency"
            )
        if code is not None and self.source.currencies:
            raise ValueError("source.currencies goes with columns.currency; source.currency_code says it already")
        return self

    @property
    def feeds(self) -> Mapping[FeedName, FeedReading]:
        """Every feed beside purchases, as it is read."""
        return readings(self.customers, self.events, self.values, self.source)

    @property
    def declared_feeds(self) -> dict[FeedName, tuple[str, ...]]:
        """Every feed that the holder has, purchases among them, with the roles that it maps: of its own declaration."""
        own = self.columns.mapped() | ({"amount": ""} if self.columns.amount is None else {})
        order: dict[FeedName, tuple[str, ...]] = {"order": tuple(role for role in FEEDS["order"] if role in own)}
        return order | {
            name: tuple(role for role in FEEDS[name] if role in feed.columns.roles) for name, feed in self.feeds.items()
        }

    def feeds_for(self, tables: Iterable[CellTable]) -> dict[FeedName, tuple[str, ...]]:
        """Of the feeds and roles that declared tables read, those that the holder has."""
        own, read = self.declared_feeds, set[FeedName]()
        roles: set[tuple[FeedName, str]] = set()
        for table in tables:
            read |= table.feeds
            roles |= table.needs
        return {
            feed: tuple(sorted(role for role in own[feed] if (feed, role) in roles)) for feed in sorted(read & set(own))
        }

    @property
    def declared_currencies(self) -> tuple[str, ...]:
        """Currencies that the source may hold, by the holder's own declaration."""
        code = self.source.currency_code
        return self.source.currencies if code is None else (code,)

    @property
    def feed_currencies(self) -> tuple[str, ...]:
        """Currencies of money in feeds beside purchases."""
        codes = (feed.source.currency_code for feed in self.feeds.values() if feed.columns.of_kind("money"))
        return tuple(dict.fromkeys(code for code in codes if code is not None))

    def check_currencies(self, study: Study) -> None:
        """Whether the study can convert what the holder declares. Looks at no row.

        Raises:
            ConfigError: if nothing is declared, or a declared currency has no rate.
        """
        if not self.declared_currencies:
            raise ConfigError(
                "holder.toml maps a currency column but does not declare source.currencies",
                hint="`cohortium holder check holder.toml` lists the currencies found; declare them",
            )
        declared = dict.fromkeys((*self.declared_currencies, *self.feed_currencies))
        unknown = [code for code in declared if study.rate_of(code) is None]
        if unknown:
            raise ConfigError(
                f"the study has no rate for {', '.join(unknown)}",
                hint="ask the coordinator for rates in the study, or leave these rows out with source.where",
            )
