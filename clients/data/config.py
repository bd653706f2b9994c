"""``holder.toml``: where a holder's sales are, and which column is what.

It describes the source only. What the holder allows is its policy; how rows are cleaned is the study's, so that all
holders clean alike.
"""

from __future__ import annotations

import codecs
import zoneinfo
from typing import Annotated, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from privacy.contract.canonical import Noun
from privacy.contract.study import CurrencyCode, Slug

_Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class CsvFormat(Noun):
    """How to read CSV text; the defaults fit comma-separated UTF-8 with ISO dates.

    Attributes:
        separator: between the columns, one character.
        encoding: of the file, ``utf-8``, ``utf-16``, ``latin-1``, or another that Python knows.
        decimal: the decimal sign, ``.`` or ``,``.
        thousands: a sign between groups of digits, taken out before a number is read; empty for none.
        date_format: of the time column in strptime notation, such as ``%d.%m.%Y %H:%M``; empty means ISO 8601.
    """

    separator: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    decimal: str = Field(default=".", pattern=r"^[.,]$")
    thousands: str = Field(default="", max_length=1)
    date_format: str = Field(default="", max_length=60)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name
        except LookupError:
            raise ValueError(f"unknown encoding {value!r}; use a name such as utf-8 or latin-1") from None

    @model_validator(mode="after")
    def _signs_differ(self) -> Self:
        if self.thousands == self.decimal:
            raise ValueError("decimal and thousands are the same sign")
        if self.date_format and "%" not in self.date_format:
            raise ValueError("date_format needs strptime codes, such as %d.%m.%Y %H:%M")
        return self


class Source(Noun):
    """The rows: a file, many files, or a table of a database. Opened read-only.

    Attributes:
        url: a path or a glob of Parquet or CSV files, relative to the folder of ``holder.toml``, or a URL such as
            ``duckdb:///path/file.duckdb``, ``parquet://sales/*.parquet``, ``csv://sales.txt``, ``file:///path``.
        table: the table, for a database; ``schema.table`` where it has schemas.
        where: SQL condition over the source's columns; only rows for which it is true take part (consent, brand).
        exclude: a file with one customer id per line (or in the first column of a CSV); these customers never take
            part.
        time_zone: what times without a zone mean.
        currency_code: the currency of all rows, where there is no currency column.
        memory: most that the embedded database may hold in memory, such as ``4GB``; what does not fit goes to a
            private folder on disk. Not stated means half of the machine's.
        csv: how to read CSV files.
    """

    url: _Text
    table: _ColumnName | None = None
    where: _Text | None = None
    exclude: _Text | None = None
    time_zone: str = "UTC"
    currency_code: CurrencyCode | None = None
    memory: str | None = Field(default=None, pattern=r"^\d{1,6} ?(MB|GB|MiB|GiB)$")
    csv: CsvFormat = CsvFormat()

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"unknown time zone {value!r}; use a name such as Europe/Berlin or UTC") from None
        return value


class Columns(Noun):
    """Which column of the source is what. Either ``amount``, or both ``quantity`` and ``price``.

    Attributes:
        customer: the customer's id, as text or number.
        order: the id of the order or receipt; the lines of one order share it.
        time: when the order was placed: a timestamp, a day, or ISO text.
        amount: money of the line.
        quantity, price: pieces and money for one piece.
        currency: three-letter code of the line's currency.
        product: product code; the study may name codes that are not goods.
        channel, store: where the order was placed.
    """

    customer: _ColumnName
    order: _ColumnName
    time: _ColumnName
    amount: _ColumnName | None = None
    quantity: _ColumnName | None = None
    price: _ColumnName | None = None
    currency: _ColumnName | None = None
    product: _ColumnName | None = None
    channel: _ColumnName | None = None
    store: _ColumnName | None = None

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
        return self
