"""``holder.toml``: where a holder's sales are, and which column is what.

It describes the source only. What the holder allows is its policy; how rows are cleaned is the study's, so that all
holders clean alike.
"""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, model_validator

from clients.data.place import Source, SourceName
from privacy.errors import ConfigError
from privacy.kernel.canonical import Noun
from privacy.kernel.terms import Slug
from privacy.protocol.study import Study


class Columns(Noun):
    """Which column of the source is what. Either ``amount``, or both ``quantity`` and ``price``.

    Attributes:
        customer: the customer's id, as text or number.
        order: the id of the order or receipt; the lines of one order share it. Where it is not given, an order is all
            that a customer buys on one day.
        time: when the order was placed: a timestamp, a day, or ISO text.
        amount: money of the line.
        quantity, price: pieces and money for one piece.
        currency: three-letter code of the line's currency.
        product: product code; the study may name codes that are not goods.
        category: what kind of goods the line is; used by features of categories.
        channel: where the order was placed, such as online; used by features of channels.
        store: the shop of the order.
        discount: whether, or by how much, the line was reduced, as a number, a truth value or text; used by features
            of discounts (``cleaning.is_discounted``).
    """

    customer: SourceName
    order: SourceName | None = None
    time: SourceName
    amount: SourceName | None = None
    quantity: SourceName | None = None
    price: SourceName | None = None
    currency: SourceName | None = None
    product: SourceName | None = None
    category: SourceName | None = None
    channel: SourceName | None = None
    store: SourceName | None = None
    discount: SourceName | None = None

    @model_validator(mode="after")
    def _one_way_to_money(self) -> Self:
        both = "give either amount, or both quantity and price"
        if self.amount is not None and (self.quantity is not None or self.price is not None):
            raise ValueError(f"amount and quantity/price are both given; {both}")
        if self.amount is None and (self.quantity is None or self.price is None):
            given = [name for name in ("quantity", "price") if getattr(self, name) is not None]
            raise ValueError(f"only {given[0]} is given; {both}" if given else f"there is no money column; {both}")
        used = list(self.mapped().values())
        twice = sorted({name for name in used if used.count(name) > 1})
        if twice:
            raise ValueError(f"column {twice[0]!r} is used for two things")
        return self

    def mapped(self) -> dict[str, str]:
        """What is mapped to which column of the source, without what is not mapped."""
        return {role: name for role, name in self.model_dump().items() if name is not None}


class HolderConfig(Noun):
    """One holder's ``holder.toml``, read with ``read_toml``.

    Attributes:
        holder: the holder's name in the federation's roster.
        source: where the rows are.
        columns: which column is what.
    """

    # A URL may hold a password by mistake: no error repeats what was given.
    model_config = ConfigDict(hide_input_in_errors=True)

    holder: Slug
    source: Source
    columns: Columns

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
    def declared_currencies(self) -> tuple[str, ...]:
        """Currencies that the source may hold, by the holder's own declaration."""
        code = self.source.currency_code
        return self.source.currencies if code is None else (code,)

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
        unknown = [code for code in self.declared_currencies if study.rate_of(code) is None]
        if unknown:
            raise ConfigError(
                f"the study has no rate for {', '.join(unknown)}",
                hint="ask the coordinator for rates in the study, or leave these rows out with source.where",
            )
