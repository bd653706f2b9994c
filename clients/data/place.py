"""Where rows are and how they are written: ``[source]`` of ``holder.toml``, and the same of a feed."""

from __future__ import annotations

import codecs
import datetime as dt
import re
from typing import Annotated, Literal, Protocol, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from clients.data.reading import ReadColumns, check_format
from privacy.kernel.canonical import Noun, since
from privacy.kernel.terms import CurrencyCode, ZoneName

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
#: Name of a table or of a column.
SourceName = Annotated[str, StringConstraints(min_length=1, max_length=255)]

_Values = Annotated[tuple[Annotated[str, StringConstraints(max_length=200)], ...], Field(max_length=200)]

#: What comes before ``:/`` in a URL of a server; paths and URLs of files have no user and no password.
_PATHS = "csv|parquet|duckdb|excel|jsonl|sqlite|file"
_SERVER = re.compile(rf"^(?!(?:{_PATHS}):)[a-z][a-z0-9+.]*:/+(.*)$", re.DOTALL | re.IGNORECASE)
_SECRET_OPTION = re.compile(r"[?&][a-z]*password=", re.IGNORECASE)


def _without_password(value: str) -> str:
    server = _SERVER.match(value)
    if server and (":" in server[1].partition("?")[0].rpartition("@")[0] or _SECRET_OPTION.search(value)):
        raise ValueError(
            "a password does not belong in the URL; take it out, change it if this file was shared, and name "
            'where it is: password_env = "NAME" or password_file = "path" under [source], or PGPASSFILE'
        )
    return value


#: A path or URL, never with a password.
Location = Annotated[Text, AfterValidator(_without_password)]

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
        header: the line that names the columns, from 1; not stated: the first that is not empty; 0: none does.
        names: of the columns, from the left, where no line of the files says them.
        fields: how many fields lines may have, where files gained columns; empty: as many as the header.
        fill_down: roles whose columns later lines of an order leave empty: a line in which all of them are empty takes
            them from the line above.
        goods: with ``fill_down``, columns of which every line that takes from the one above has at least one; a line
            that has none is a total, and is left out.
        multiline: whether line breaks may stand inside quotes; then every quote of a file must be where it belongs,
            or the file is refused. Otherwise a record is one line, whatever its quotes say.
    """

    separator: str = Field(default=",", min_length=1, max_length=1, pattern=r'^[^"\r\n\x00]$')
    encoding: str = "utf-8"
    decimal: str = Field(default=".", pattern=r"^[.,]$")
    thousands: str = Field(default="", max_length=1)
    date_format: str = Field(default="", max_length=60)
    header: int | None = since("0.2.0", None, ge=0, le=1000)
    names: tuple[SourceName, ...] = since("0.2.0", (), max_length=10_000)
    fields: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = since("0.2.0", (), max_length=50)
    fill_down: tuple[str, ...] = since("0.2.0", (), max_length=50)
    goods: tuple[SourceName, ...] = since("0.2.0", (), max_length=50)
    multiline: bool = since("0.2.0", False)

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
        if (self.header == 0) != bool(self.names):
            raise ValueError(
                'header = 0 and names = ["...", "..."] go together: no line of the files names the columns'
            )
        if self.goods and not self.fill_down:
            raise ValueError("goods goes with fill_down: it tells totals among lines that continue the one above")
        if self.date_format:
            if "%" not in self.date_format:
                raise ValueError("date_format needs strptime codes, such as %d.%m.%Y %H:%M")
            check_format(self.date_format)
        return self


class Place(Noun):
    """What every source of rows says of itself, beside where it is. Opened read-only.

    Attributes:
        table: the table, for a database; ``schema.table`` where it has schemas.
        where: SQL condition over the source's columns; only rows for which it is true take part (consent, brand).
        currency_code: the currency of all rows, where there is no currency column.
        password_env: the environment variable that holds a database's password.
        password_file: a file that holds it, readable by its owner only; relative to the folder of ``holder.toml``.
        memory: most that the embedded database may hold in memory, such as ``4GB``; what does not fit goes to a
            private folder on disk. Not stated means half of the machine's.
        csv: how to read CSV files.
        read: how columns are spelled, by role, whatever the source is.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    table: SourceName | None = None
    where: Text | None = None
    currency_code: CurrencyCode | None = None
    password_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")
    password_file: Text | None = None
    memory: str | None = Field(default=None, pattern=r"^\d{1,6} ?(MB|GB|MiB|GiB)$")
    csv: CsvFormat = CsvFormat()
    read: ReadColumns = since("0.2.0", {})

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password_env is not None and self.password_file is not None:
            raise ValueError("password_env and password_file are both given; give one of them")
        return self


class Status(Noun):
    """Values of a column that says what a row is; compared trimmed and in any case. All others are no sales.

    Attributes:
        column: of states or types of rows.
        sale: rows with these values are sales.
        returned: rows with these are returns, whatever sign they have; ``return`` in the file.
        none: rows with these are neither: cancelled, unpaid, tests. So are those that are named nowhere, but these are
            no news to ``holder check``.
    """

    model_config = ConfigDict(populate_by_name=True)

    column: SourceName
    sale: _Values = ()
    returned: _Values = Field(default=(), alias="return")
    none: _Values = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        folded = [value.strip().lower() for value in (*self.sale, *self.returned, *self.none)]
        twice = sorted({value for value in folded if folded.count(value) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} is named twice")
        if not self.sale:
            raise ValueError("sale names no value, so no row would count")
        return self


def _as_several(value: object) -> object:
    """One table stands for a list of one."""
    return (value,) if isinstance(value, dict | Status) else () if value is None else value


_Statuses = Annotated[tuple[Status, ...], BeforeValidator(_as_several), Field(max_length=10)]


class Source(Place):
    """The rows: a file, many files, or a table of a database.

    Attributes:
        url: a path or a glob of Parquet or CSV files, relative to the folder of ``holder.toml``, or a URL such as
            ``duckdb:///path/file.duckdb``, ``parquet://sales/*.parquet``, ``csv://sales.txt``, ``file:///path``,
            ``postgresql://user@host:port/database``. Never with a password.
        exclude: a file with one customer id per line (or in the first column of a CSV); these customers never take
            part.
        time_zone: what times without a zone mean.
        currencies: with a currency column, the currencies that may appear in it. A declaration, so that whether the
            study has rates for them is answered without looking at a row; ``holder check`` lists what it found.
        status: which rows are sales, by columns that say so, ``[[source.status]]`` where there are several: a row is a
            sale if all of them say so. None: all rows are.
        kind: ``sales``, or ``customers``: one row each, with their last order, orders and money.
        snapshot: of customers, the day before whose start all of it was: the as-of day of studies that it can serve.
    """

    url: Location
    exclude: Text | None = None
    time_zone: ZoneName = "UTC"
    currencies: tuple[CurrencyCode, ...] = ()
    status: _Statuses = since("0.2.0", ())
    kind: Literal["sales", "customers"] = since("0.2.0", "sales")
    snapshot: dt.date | None = since("0.2.0", None)


#: What a mapped column is read as: a time; a number; the name of something; whether something holds; an id.
Form = Literal["time", "number", "name", "flag", "id"]


class Mapped(Protocol):
    """Which columns of a source are mapped, and what they are read as."""

    @property
    def customer(self) -> str:
        """The column of the customer's id."""

    def mapped(self) -> dict[str, str]:
        """Role to column, of all that is mapped."""

    def of_form(self, form: Form) -> dict[str, str]:
        """The same, of roles that are read so."""


def beside(source: Source) -> dict[str, str]:
    """Columns that settings name beside the mapped ones, by the setting."""
    numbered = enumerate(source.status, start=1)
    found = {f"source.status{f' {number}' * (number > 1)}": status.column for number, status in numbered}
    clocks = {f"source.read.{role}.clock": getattr(form, "clock", "") for role, form in source.read.items()}
    named = enumerate(source.csv.goods, start=1)
    found |= {f"source.csv.goods{f' {number}' * (number > 1)}": name for number, name in named}
    return found | {setting: name for setting, name in clocks.items() if name}


def in_table(hint: str, table: str) -> str:
    """What to write for one source, said for the table of ``holder.toml`` that another one stands in.

    Args:
        hint: with ``[source]``, ``[source.csv]``, ``[columns]`` and ``source.url``.
        table: as in brackets, such as ``events.session``, ``person`` or ``[sources]``.
    """
    name = table.strip("[]")
    for own, other in (("[source]", f"[{table}]"), ("[source.", f"[{name}."), ("[columns]", f"[{name}.columns]")):
        hint = hint.replace(own, other)
    return re.sub(r"(?<![\w.\[])source\.", f"{name}.", hint)


class Reading(Protocol):
    """What an opener and the cleaning of single columns need to know of a source."""

    @property
    def source(self) -> Source:
        """Where the rows are."""

    @property
    def columns(self) -> Mapped:
        """Which column is what."""
