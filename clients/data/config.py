"""``holder.toml``: where a holder's sales are, and which column is what.

It describes the source only. What the holder allows is its policy; how rows are cleaned is the study's, so that all
holders clean alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import ConfigDict, TypeAdapter, ValidationError, model_validator

from clients.data.columns import Columns, kind_complaint
from clients.data.feed_config import Events, Feed, FeedReading, Values, readings, values_complaint
from clients.data.named_sources import (
    PERSON,
    NamedSource,
    Person,
    complaint,
    currency_complaint,
    feed_complaint,
    has_persons,
    together,
)
from clients.data.place import Reading, Source
from clients.data.reading import ReadId, read_complaint
from privacy.errors import ConfigError
from privacy.kernel.canonical import Noun, since
from privacy.kernel.declarations import CellTable
from privacy.kernel.feeds import FEEDS, FeedName
from privacy.kernel.terms import Slug
from privacy.protocol.study import Study

_Sources = tuple[NamedSource, ...]


class HolderConfig(Noun):
    """One holder's ``holder.toml``, read with ``read_toml``.

    Attributes:
        holder: the holder's name in the federation's roster.
        source: where the rows are; of several sources, what they are together.
        columns: which column is what; of several sources, the roles that all of them have.
        sources: where the rows of each are, and which column is what there; none where there is one source.
        person: who is who in several sources.
        customers: attributes of customers, one row each; None where the holder has none.
        events: feeds of what customers do beside buying.
        values: feed to role to own spellings of public keys.
    """

    # A URL may hold a password by mistake: no error repeats what was given.
    model_config = ConfigDict(hide_input_in_errors=True)

    holder: Slug
    source: Source
    columns: Columns
    sources: _Sources = since("0.2.0", (), max_length=20)
    person: Person | None = since("0.2.0", None)
    customers: Feed | None = since("0.2.0", None)
    events: Events = since("0.2.0", {})
    values: dict[FeedName, dict[str, Values]] = since("0.2.0", {})

    @model_validator(mode="before")
    @classmethod
    def _together(cls, value: Any) -> Any:
        """Of several sources, ``source`` and ``columns`` follow."""
        if not isinstance(value, dict) or not value.get("sources"):
            return value
        try:
            sources = TypeAdapter(_Sources).validate_python(value["sources"])
        except ValidationError:  # the field says what is wrong; these stand in for what cannot be known then
            whole: dict[str, Any] = {
                "source": {"url": "-", "currency_code": "EUR"},
                "columns": {"customer": "c", "time": "t", "amount": "a"},
            }
        else:
            whole = together(sources)
        for name, kind in (("source", Source), ("columns", Columns)):
            if name in value and kind.model_validate(value[name]) != whole[name]:
                raise ValueError(f"[{name}] and [[sources]] are both given; write {name} into one of the sources")
        return value | whole

    @model_validator(mode="after")
    def _several_fit(self) -> Self:
        feeds = {"customers": self.customers} if self.customers is not None else {}
        feeds |= {f"events.{name}": feed for name, feed in self.events.items()}
        if not self.sources:
            if self.person is not None or self.columns.person is not None:
                raise ValueError("who is who is said for [[sources]]; with one source, map columns.customer to it")
            if alone := [name for name, feed in feeds.items() if feed.ids_of is not None]:
                raise ValueError(f"{alone[0]}: ids_of names one of [[sources]]; with one source, leave it out")
            return self
        if wrong := complaint(self.sources, self.person):
            raise ValueError(wrong)
        for name, feed in feeds.items():
            if feed.kept is not None:
                continue
            if wrong := feed_complaint(feed.ids_of, self.sources, self.person, has_url=feed.url is not None):
                raise ValueError(f"{name}: {wrong}")
        return self

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
        if wrong := currency_complaint(self.source, self.columns) or kind_complaint(self.source, self.columns):
            raise ValueError(wrong)
        return self

    @property
    def has_persons(self) -> bool:
        """Whether several sources are put together by ids of persons; else equal ids are one customer."""
        return has_persons(self.sources, self.person)

    @property
    def of_person(self) -> Reading:
        """What says how ids of persons are read: ``[person]``, else the first source whose lines name persons.

        Raises:
            StopIteration: if nothing says who is who.
        """
        if self.person is not None:
            return self.person.reading
        return self.of_source(next(source for source in self.sources if source.columns.person is not None))

    def of_source(self, source: NamedSource) -> HolderConfig:
        """One of several sources by itself."""
        plain = source.columns.model_copy(update={"person": None})
        found = HolderConfig(holder=self.holder, source=source.source, columns=plain)
        return found.model_copy(update={"columns": source.columns})

    @property
    def feeds(self) -> Mapping[FeedName, FeedReading]:
        """Every feed beside purchases, as it is read."""
        several = bool(self.sources)
        return readings(self.customers, self.events, self.values, self._beside, are_several=several)

    def _beside(self, feed: Feed) -> Source:
        """The source that a feed takes over from what it does not state."""
        if self.sources and feed.kept is not None:  # keys have the one form already, and hold every list's answer
            return self.source.model_copy(update={"exclude": None, "read": {}})
        if feed.ids_of == PERSON:
            # A list of ids that a source has is none of persons; those on it are looked for with who is who.
            return self.source.model_copy(update={"exclude": None, "read": self.of_person.source.read})
        return next((item.source for item in self.sources if item.name == feed.ids_of), self.source)

    @property
    def declared_feeds(self) -> dict[FeedName, tuple[str, ...]]:
        """Every feed that the holder has, purchases among them, with the roles that it maps: of its own declaration."""
        own = self.columns.mapped() | ({"amount": ""} if self.columns.amount is None else {})
        order: dict[FeedName, tuple[str, ...]] = {}
        if self.source.kind == "sales":
            order["order"] = tuple(role for role in FEEDS["order"] if role in own)
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

    def check_study(self, study: Study) -> None:
        """Whether the source is as the study needs it, by the holder's own declaration. Looks at no row.

        Raises:
            ConfigError: as :meth:`check_ids` and :meth:`check_currencies`.
        """
        self.check_ids(study)
        self.check_currencies(study)

    def check_ids(self, study: Study) -> None:
        """Whether ids are brought together as the study says, in every source and feed.

        Raises:
            ConfigError: if they are not, naming the line to write.
        """
        if not study.cleaning.ids:
            return
        wanted = [form for form in study.cleaning.ids if form != "exact"]
        places = {f"sources.{source.name}": source.read.get("customer") for source in self.sources}
        if self.person is not None:
            places["person"] = self.person.read.get("person")
        places |= {} if self.sources else {"source": self.source.read.get("customer")}
        for name, feed in self.feeds.items():
            places["customers" if name == "customer" else f"events.{name}"] = feed.source.read.get("customer")
        for place, read in places.items():
            named = read.form if isinstance(read, ReadId) else ()
            if {form.partition(":")[0] for form in named} - {"exact"} != set(wanted):
                line = ", ".join(f'"{form}:CN"' if form == "phone" else f'"{form}"' for form in wanted)
                table = f"{place.partition('.')[0]}.read.{'person' if place == 'person' else 'customer'}"
                raise ConfigError(
                    f"the study brings ids together by {', '.join(wanted) or 'no form'}, and {place} in holder.toml by "
                    f"{', '.join(named) or 'none'}",
                    hint=f"write [{table}] form = [{line}] in holder.toml; all holders of the study do",
                )

    def check_currencies(self, study: Study) -> None:
        """Whether the study can convert what the holder declares. Looks at no row.

        Raises:
            ConfigError: if nothing is declared, or a declared currency has no rate.
        """
        if not self.declared_currencies:
            raise ConfigError(
                "holder.toml maps a currency column but does not declare source.currencies",
                hint='write those that it has under [source]: currencies = ["EUR", "GBP"]; `holder check` lists them',
            )
        declared = dict.fromkeys((*self.declared_currencies, *self.feed_currencies))
        unknown = [code for code in declared if study.rate_of(code) is None]
        if unknown:
            raise ConfigError(
                f"the study has no rate for {', '.join(unknown)}",
                hint='ask the coordinator for rates, or leave these rows out under [source]: where = "..."',
            )
