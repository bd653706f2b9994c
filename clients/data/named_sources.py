"""``[[sources]]`` and ``[person]`` of ``holder.toml``, and what they are together: one source of purchases.

Every later step reads ``source`` and ``columns`` of the whole: roles that all sources have, in the form in which
:mod:`clients.data.several.rows` writes the lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from clients.data.columns import Columns, kind_complaint
from clients.data.place import Form, Location, Place, Source, SourceName
from clients.data.reading import ReadId, read_complaint
from privacy.kernel.terms import Slug

#: Where the lines of several sources are: no place of its own.
TOGETHER = "sources:"
#: The role of a person's id, in ``[person]``; no source is called so.
PERSON = "person"
#: Roles that the whole has where every source has them. Money and orders it has anyway.
_OF_ALL = ("product", "category", "store", "discount", "brand", "cost")


class NamedSource(Source):
    """One of several sources: all of ``[source]``, with a name and its own columns.

    Attributes:
        name: how ids and orders of this source are told from those of others, and what people call it.
        columns: which column is what, here.
        channel: the channel of all its orders, where no column says it; the source's name where nothing does.
    """

    name: Slug
    columns: Columns
    channel: SourceName | None = None

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.name == PERSON:
            raise ValueError(f"a source cannot be called {PERSON!r}; ids of persons are")
        if self.channel is not None and self.columns.channel is not None:
            raise ValueError("channel and columns.channel are both given; give one of them")
        if wrong := read_complaint(self.read, self.columns.of_form):
            raise ValueError(wrong)
        if wrong := currency_complaint(self, self.columns) or kind_complaint(self, self.columns):
            raise ValueError(wrong)
        if self.kind == "customers":
            raise ValueError("a source of customers stands alone: it has no lines that others' could be put to")
        return self

    @property
    def source(self) -> Source:
        """Where its rows are."""
        return Source(**{name: getattr(self, name) for name in Source.model_fields})

    @property
    def spoken_channel(self) -> str:
        """The channel of its orders, where no column says it."""
        return self.channel or self.name


def currency_complaint(source: Source, columns: Columns) -> str:
    """What is wrong with how a source says its currency, in words; empty where nothing is."""
    column, code = columns.currency, source.currency_code
    if column is not None and code is not None:
        return "columns.currency and source.currency_code are both given; give one of them"
    if column is None and code is None:
        return (
            'the currency is missing; give columns.currency, or source.currency_code = "EUR" '
            "where all rows are in one currency"
        )
    if code is not None and source.currencies:
        return "source.currencies goes with columns.currency; source.currency_code says it already"
    return ""


class Person(Place):
    """``[person]``: a table that says which ids of which sources are one person's.

    Attributes:
        url: where it is, as of a source.
        columns: ``person`` to the column of the person's id, and each source's name to the column of its ids; a row
            may leave some of them empty, and a person may have several rows.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    url: Location
    columns: dict[str, SourceName] = Field(min_length=2, max_length=100)

    @model_validator(mode="after")
    def _has_persons(self) -> Self:
        if PERSON not in self.columns:
            raise ValueError('columns has no person; write columns = {person = "...", NAME_OF_A_SOURCE = "..."}')
        if wrong := [role for role in self.read if role != PERSON]:
            raise ValueError(f"read.{wrong[0]}: ids of a source are read as the source says; only person is said here")
        if not all(isinstance(form, ReadId) for form in self.read.values()):
            raise ValueError("read.person needs the settings of an id")
        return self

    @property
    def reading(self) -> PersonReading:
        """The table as it is opened."""
        # An id has one form wherever it is read: what is said of persons stands where ids of customers are looked for.
        read = {} if PERSON not in self.read else {"customer": self.read[PERSON]}
        given = {name: getattr(self, name) for name in Place.model_fields if name != "read"}
        return PersonReading(source=Source(url=self.url, **given, read=read), columns=PersonColumns(roles=self.columns))


@dataclass(frozen=True, kw_only=True)
class PersonColumns:
    """Columns of the table of persons: ``Mapped``, the person's id being the customer's."""

    roles: dict[str, str]

    @property
    def customer(self) -> str:
        """The column of the person's id."""
        return self.roles[PERSON]

    def mapped(self) -> dict[str, str]:
        """Role to column, of all that is mapped."""
        return dict(self.roles)

    def of_form(self, form: Form) -> dict[str, str]:
        """The same, of roles that are read so."""
        return dict(self.roles) if form == "id" else {}


@dataclass(frozen=True, kw_only=True)
class PersonReading:
    """The table of persons as it is opened and read."""

    source: Source
    columns: PersonColumns


def has_persons(sources: Sequence[NamedSource], person: Person | None) -> bool:
    """Whether anything says who is who; else equal ids are one customer."""
    return person is not None or any(item.columns.person is not None for item in sources)


def person_place(person: Person | None) -> str:
    """Where ``holder.toml`` says who is who."""
    return "[person]" if person is not None else "columns.person"


def complaint(sources: Sequence[NamedSource], person: Person | None) -> str:
    """What is wrong with several sources together, in words; empty where nothing is."""
    names = [item.name for item in sources]
    if twice := [name for name in names if names.count(name) > 1]:
        return f"two sources are called {twice[0]!r}"
    for name in person.columns if person is not None else ():
        if name != PERSON and name not in names:
            return f"person.columns.{name}: there is no source of this name; there is: {', '.join(names)}"
    return ""


def feed_complaint(ids_of: str | None, sources: Sequence[NamedSource], person: Person | None, *, has_url: bool) -> str:
    """What is wrong with whose ids a feed beside several sources has, in words; empty where nothing is."""
    names = [item.name for item in sources]
    said = [*names, PERSON] if has_persons(sources, person) else names
    others = f", or {', '.join(said[1:])}" if len(said) > 1 else ""
    write = f'write ids_of = "{names[0]}"{others}'
    if ids_of is None:
        if has_persons(sources, person):
            return f"it does not say whose ids it has; {write}"
        if not has_url:
            return f"it has no url; with several sources a feed says where it is, or whose place it shares: {write}"
        if len({item.exclude for item in sources}) > 1:
            return f"the sources name several exclusion lists; say whose ids it has ({write}), or give all one exclude"
        if any(item.read.get("customer") != sources[0].read.get("customer") for item in sources):
            return f"the sources' ids have several forms; say whose ids it has ({write}), or give all one read.customer"
        return ""
    if ids_of not in said:
        wrong = "nothing says who is who" if ids_of == PERSON else f"there is no source {ids_of!r}"
        return f"ids_of: {wrong}; {write}"
    if ids_of == PERSON and not has_url:
        return "it has no url; ids of persons are of no source, whose place it could share"
    return ""


def together(sources: Sequence[NamedSource]) -> dict[str, Any]:
    """``source`` and ``columns`` of the whole, as ``HolderConfig`` has them."""
    codes = tuple(dict.fromkeys(code for item in sources for code in _codes(item)))
    one_code = codes[0] if len(codes) == 1 and all(item.currency_code for item in sources) else None
    lists = {item.exclude for item in sources}
    ids = sources[0].read.get("customer")
    is_alike = ids is not None and all(item.read.get("customer") == ids for item in sources)
    source = Source(
        url=TOGETHER,
        # The clock on the holder's wall, and of times without a zone where all are of this one.
        time_zone=sources[0].time_zone,
        memory=sources[0].memory,
        currency_code=one_code,
        currencies=() if one_code else codes if all(_codes(item) for item in sources) else (),
        # What feeds go by: a list and a form of ids that all sources share.
        exclude=lists.pop() if len(lists) == 1 else None,
        read={"customer": ids} if is_alike and ids is not None else {},
    )
    roles = ["customer", "order", "time", "channel"]
    roles += [role for role in _OF_ALL if all(getattr(item.columns, role) is not None for item in sources)]
    roles += ["quantity", "price"] if counts_pieces(sources) else ["amount"]
    roles += [] if one_code else ["currency"]
    return {"source": source, "columns": Columns(**{role: role for role in roles})}


def counts_pieces(sources: Sequence[NamedSource]) -> bool:
    """Whether every source says pieces and the price of one."""
    return all(item.columns.price is not None for item in sources)


def _codes(source: NamedSource) -> tuple[str, ...]:
    """Currencies that a source may hold, by declaration."""
    return source.currencies if source.currency_code is None else (source.currency_code,)
