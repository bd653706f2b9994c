"""``holder.toml``: where a holder's sales are, and which column is what.

It describes the source only. What the holder allows is its policy; how rows are cleaned is the study's, so that all
holders clean alike.
"""

from __future__ import annotations

import codecs
import re
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from privacy.errors import ConfigError
from privacy.kernel.canonical import Noun
from privacy.kernel.terms import CurrencyCode, Slug, ZoneName
from privacy.protocol.study import Study

_Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=255)]

#: What comes before ``:/`` in a URL of a server; paths and URLs of files have no user and no password.
_SERVER = re.compile(r"^(?!(?:csv|parquet|duckdb|file):)[a-z][a-z0-9+.]*:/+(.*)$", re.DOTALL | re.IGNORECASE)
_SECRET_OPTION = re.compile(r"[?&][a-z]*password=", re.IGNORECASE)


#: Python's encodings that are notations within a text, not encodings of files.
_NO_FILES = re.compile(r"idna|punycode|(raw_)?unicode_escape|undefined", re.IGNORECASE)
#: Encodings in which a line feed is another byte, or several.
_OTHER_LINE_ENDS = re.compile(r"utf-8-sig|utf-(16|32)(-[lb]e)?|cp\d+")


class CsvFormat(Noun):
    """How to read CSV text; the defaults fit comma-separated UTF-8 with ISO dates.

    Attributes:
        separator: between the columns, one character; no quote and no end of a line.
        encoding: of the file, ``utf-8``, ``utf-16``, ``latin-1``, or another that Python knows.
        decimal: the decimal sign, ``.`` or ``,``.
        thousands: a sign between groups of digits, taken out before a number is read; empty for none.
        date_format: of the time column in strptime notation, such as ``%d.%m.%Y %H:%M``; empty means ISO 8601.
    """

    separator: str = Field(default=",", min_length=1, max_length=1, pattern=r'^[^"\r\n\x00]$')
    encoding: str = "utf-8"
    decimal: str = Field(default=".", pattern=r"^[.,]$")
    thousands: str = Field(default="", max_length=1)
    date_format: str = Field(default="", max_length=60)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            name = codecs.lookup(value).name
            end = "\n".encode(name)
        except (LookupError, UnicodeError):
            raise ValueError(f"unknown encoding {value!r}; use a name such as utf-8 or latin-1") from None
        if _NO_FILES.fullmatch(name) or (end != b"\n" and not _OTHER_LINE_ENDS.fullmatch(name)):
            raise ValueError(f"{value!r} is no encoding of text files; use a name such as utf-8 or latin-1")
        return name

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
            ``duckdb:///path/file.duckdb``, ``parquet://sales/*.parquet``, ``csv://sales.txt``, ``file:///path``,
            ``postgresql://user@host:port/database``. Never with a password.
        table: the table, for a database; ``schema.table`` where it has schemas.
        where: SQL condition over the source's columns; only rows for which it is true take part (consent, brand).
        exclude: a file with one customer id per line (or in the first column of a CSV); these customers never take
            part.
        time_zone: what times without a zone mean.
        currency_code: the currency of all rows, where there is no currency column.
        currencies: with a currency column, the currencies that may appear in it. A declaration, so that whether the
            study has rates for them is answered without looking at a row; ``holder check`` lists what it found.
        password_env: the environment variable that holds a database's password.
        password_file: a file that holds it, readable by its owner only; relative to the folder of ``holder.toml``.
        memory: most that the embedded database may hold in memory, such as ``4GB``; what does not fit goes to a
            private folder on disk. Not stated means half of the machine's.
        csv: how to read CSV files.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    url: _Text
    table: _ColumnName | None = None
    where: _Text | None = None
    exclude: _Text | None = None
    time_zone: ZoneName = "UTC"
    currency_code: CurrencyCode | None = None
    currencies: tuple[CurrencyCode, ...] = ()
    password_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")
    password_file: _Text | None = None
    memory: str | None = Field(default=None, pattern=r"^\d{1,6} ?(MB|GB|MiB|GiB)$")
    csv: CsvFormat = CsvFormat()

    @field_validator("url")
    @classmethod
    def _no_password(cls, value: str) -> str:
        server = _SERVER.match(value)
        if server and (":" in server[1].partition("?")[0].rpartition("@")[0] or _SECRET_OPTION.search(value)):
            raise ValueError(
                "a password does not belong in the URL; take it out, change it if this file was shared, and name "
                'where it is: password_env = "NAME" or password_file = "path" under [source], or PGPASSFILE'
            )
        return value

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password_env is not None and self.password_file is not None:
            raise ValueError("password_env and password_file are both given; give one of them")
        return self


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

    customer: _ColumnName
    order: _ColumnName | None = None
    time: _ColumnName
    amount: _ColumnName | None = None
    quantity: _ColumnName | None = None
    price: _ColumnName | None = None
    currency: _ColumnName | None = None
    product: _ColumnName | None = None
    category: _ColumnName | None = None
    channel: _ColumnName | None = None
    store: _ColumnName | None = None
    discount: _ColumnName | None = None

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
