"""Feeds beside purchases in ``holder.toml``: ``[customers]``, ``[events.session]`` and the like, and ``[values]``.

Names of feeds and their roles are the closed list of :data:`privacy.kernel.feeds.FEEDS`. A holder declares those that
it has; that it has them is said to the others when it joins a run, what stands in them never is.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, StringConstraints, model_validator

from clients.data.place import Form, Location, Place, Source, SourceName
from privacy.kernel.canonical import since
from privacy.kernel.features import ListedValue
from privacy.kernel.feeds import FEEDS, FeedName, RoleKind
from privacy.kernel.terms import Slug, ZoneName

#: What is read of ``[events]``: all feeds but customers' attributes and purchases, which have tables of their own.
EVENTS: tuple[FeedName, ...] = tuple(name for name in FEEDS if name not in ("customer", "order"))

#: How columns of each kind are read. Days are read by :mod:`clients.data.feeds`, which needs their year only.
_FORMS: dict[RoleKind, Form] = {
    "text": "name", "stage": "name", "flag": "flag", "money": "number", "number": "number", "id": "id"
}  # fmt: skip
#: Kinds of roles whose spellings may be replaced.
_NAMED: tuple[RoleKind, ...] = ("text", "stage", "flag")

#: Role to column of the lists that the holder drew up itself; see :mod:`clients.data.sources.campaigns`.
OF_CAMPAIGNS = {
    "customer": "customer_id", "time": "time", "campaign": "campaign", "arm": "arm", "hold_out": "hold_out"
}  # fmt: skip
_CAMPAIGNS_URL = "campaigns://state/campaigns"
#: Whose ids what is kept has, of several sources: the keys of customers, of whichever source or person.
KEYS = "*"

_Spelling = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def _near(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name.lower(), known, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else f"there is: {', '.join(known)}"


class Feed(Place):
    """Where one feed is, and which of its columns is what.

    Attributes:
        kept: ``from`` in the file: what the holder keeps itself and the rows are of, in place of a ``url`` and
            ``columns``. There is ``campaigns``, the lists of ``holder contacts`` with their arms; they are a feed
            ``sent``.
        url: as ``source.url``; not stated: where the purchases are, with that source's password, memory and CSV form.
        time_zone: what times without a zone mean; not stated: what it is of ``[source]``.
        currency_code: of the feed's money; not stated: that of ``[source]``.
        columns: role to column of the source: ``customer``, for events ``time``, and any of the feed's own roles.
        ids_of: of several sources the one whose ids ``customer`` has, or ``person`` for ids of persons; what is not
            stated is then as that source has it.
    """

    model_config = ConfigDict(populate_by_name=True)

    kept: Literal["campaigns"] | None = since("0.2.0", None, alias="from")
    url: Location | None = None
    time_zone: ZoneName | None = None
    columns: dict[str, SourceName]
    ids_of: Slug | None = since("0.2.0", None)

    @model_validator(mode="before")
    @classmethod
    def _of_what_is_kept(cls, value: Any) -> Any:
        """Where the rows of what the holder keeps are, and which column is what, follows."""
        is_kept = isinstance(value, Mapping) and value.get("from", value.get("kept")) == "campaigns"
        return {"url": _CAMPAIGNS_URL, "columns": OF_CAMPAIGNS, **value} if is_kept else value

    @model_validator(mode="after")
    def _nothing_beside(self) -> Self:
        if self.kept is None:
            return self
        told = {name: field.get_default(call_default_factory=True) for name, field in Place.model_fields.items()}
        told |= {"url": _CAMPAIGNS_URL, "columns": OF_CAMPAIGNS, "currency_code": None, "ids_of": None}
        if wrong := [name for name, value in told.items() if getattr(self, name) != value]:
            raise ValueError(f'{wrong[0]} does not go with from = "campaigns": what is kept here says it; leave it out')
        return self

    def complaint(self, name: FeedName) -> str:
        """What is wrong with the columns of a feed of this name, in words; empty where nothing is."""
        if self.kept == "campaigns" and name != "sent":
            return 'from = "campaigns" goes with [events.sent]: lists of whom to contact are messages'
        must = ("customer",) if name == "customer" else ("customer", "time")
        known = (*must, *FEEDS[name])
        for role in self.columns:
            if role not in known:
                return f"a {name} has no role {role!r}; {_near(role, known)}"
        for role in must:
            if role not in self.columns:
                return f"columns.{role} is missing: every feed needs {' and '.join(must)}"
        used = list(self.columns.values())
        twice = sorted({column for column in used if used.count(column) > 1})
        return f"column {twice[0]!r} is used for two things" if twice else ""

    def at(self, source: Source) -> Source:
        """Where the feed's rows are, with what it takes over from the source of purchases."""
        given = {name: getattr(self, name) for name in Place.model_fields if name in self.model_fields_set}
        # An id has one form in all feeds; how other columns are spelled is each feed's own.
        ids = {role: form for role, form in source.read.items() if role == "customer"}
        given["read"] = ids | given.get("read", {})
        if self.url is None:
            return source.model_copy(update={
                "where": None, "currencies": (), "status": (), "kind": "sales", "snapshot": None, **given,
                "time_zone": self.time_zone or source.time_zone,
                "currency_code": self.currency_code or source.currency_code,
            })  # fmt: skip
        return Source(
            url=self.url,
            exclude=source.exclude,
            time_zone=self.time_zone or source.time_zone,
            **{**given, "currency_code": self.currency_code or source.currency_code},
        )


@dataclass(frozen=True, kw_only=True)
class FeedColumns:
    """Mapped columns of one feed.

    Attributes:
        feed: its name.
        roles: role to column, ``customer`` and ``time`` among them.
    """

    feed: FeedName
    roles: Mapping[str, str]

    @property
    def customer(self) -> str:
        """The column of the customer's id."""
        return self.roles["customer"]

    def mapped(self) -> dict[str, str]:
        """Role to column, of all that is mapped."""
        return dict(self.roles)

    def of_form(self, form: Form) -> dict[str, str]:
        """The same, of roles that are read so."""
        forms: dict[str, Form | None] = {"customer": "id", "time": "time"}
        forms |= {role: _FORMS.get(what.kind) for role, what in FEEDS[self.feed].items()}
        return {role: column for role, column in self.roles.items() if forms[role] == form}

    def of_kind(self, kind: RoleKind) -> tuple[str, ...]:
        """Mapped roles of a kind."""
        return tuple(role for role, what in FEEDS[self.feed].items() if what.kind == kind and role in self.roles)


@dataclass(frozen=True, kw_only=True)
class FeedReading:
    """One feed as it is opened and read.

    Attributes:
        source: where its rows are.
        columns: which column is what.
        values: role to own spelling to public key.
        ids_of: the source whose ids it has, ``person``, or ``KEYS``; None where ids are those of all purchases.
    """

    source: Source
    columns: FeedColumns
    values: Mapping[str, Mapping[str, str]]
    ids_of: str | None = None

    @property
    def name(self) -> FeedName:
        """The feed's name."""
        return self.columns.feed


def _checked_feeds(value: Any) -> Any:
    for name in value if isinstance(value, Mapping) else ():
        if name not in EVENTS:
            own = {"order": "purchases stand under [source]", "customer": "attributes stand under [customers]"}
            raise ValueError(own.get(name) or f"there is no feed {name!r}; {_near(str(name), EVENTS)}")
    return value


Events = Annotated[dict[FeedName, Feed], BeforeValidator(_checked_feeds)]


def _once(value: dict[str, str]) -> dict[str, str]:
    folded = [spelling.strip().casefold() for spelling in value]
    twice = sorted({spelling for spelling in folded if folded.count(spelling) > 1})
    if twice:
        raise ValueError(f"{twice[0]!r} is spelled twice: upper and lower case are alike")
    return value


#: Own spellings of one role and the public keys that they stand for; what is not here is "other".
Values = Annotated[dict[_Spelling, ListedValue], AfterValidator(_once)]

#: Feed to role to these.
AllValues = Mapping[FeedName, Mapping[str, Values]]


def values_complaint(
    values: Mapping[FeedName, Mapping[str, Values]], declared: Mapping[FeedName, Iterable[str]]
) -> str:
    """What is wrong with ``[values]``, in words; empty where nothing is."""
    for feed, roles in values.items():
        for role in roles:
            named = [name for name, what in FEEDS[feed].items() if what.kind in _NAMED]
            if role not in named:
                return f"values.{feed}.{role}: a {feed} has no such names; {_near(role, named)}"
            if role not in declared.get(feed, ()):
                return f"values.{feed}.{role}: no column of {feed} is mapped as {role}"
    return ""


def readings(
    customers: Feed | None,
    events: Mapping[FeedName, Feed],
    values: Mapping[FeedName, Mapping[str, Values]],
    source_of: Callable[[Feed], Source],
    *,
    are_several: bool = False,
) -> dict[FeedName, FeedReading]:
    """Every feed beside purchases, as it is read.

    Args:
        customers, events, values: as in ``holder.toml``.
        source_of: the source that a feed takes over from what it does not state.
        are_several: whether purchases are of several sources.
    """
    feeds: dict[FeedName, Feed] = dict(events) if customers is None else {"customer": customers, **events}
    return {
        name: FeedReading(
            source=feed.at(source_of(feed)),
            columns=FeedColumns(feed=name, roles=feed.columns),
            values=values.get(name, {}),
            ids_of=KEYS if are_several and feed.kept is not None else feed.ids_of,
        )
        for name, feed in feeds.items()
    }
