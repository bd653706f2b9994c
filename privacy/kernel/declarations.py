"""What a holder must know of a declared table to find each customer's entries: closed forms, checked when built."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, StringConstraints, model_validator

from privacy.kernel.canonical import ExactDecimal, Noun, since
from privacy.kernel.columns import Column
from privacy.kernel.dimensions import DIMENSIONS, Dimension, DimensionName, KeyKind, Meaning, MeasureText, meaning_of
from privacy.kernel.feeds import FEEDS, PRESENCE, FeedName
from privacy.kernel.keys import OTHER, Keys
from privacy.kernel.public_tags import PublicTag

#: Cells of one table at most: the squares of one customer's integers there must add up inside 63 bits.
MOST_CELLS = 2000
#: Measures of one table at most.
MOST_MEASURES = 8

#: Names of tables, measures and figures.
Named = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]

#: A dimension that a tag of the study is.
TagDimension = Annotated[str, StringConstraints(pattern=r"^tag\.[a-z][a-z0-9_]{0,33}$")]
#: What a table may be counted by.
AnyDimension = DimensionName | TagDimension

#: A share of a list that is drawn to be left alone, in steps of a thousandth.
HoldOut = Annotated[ExactDecimal, Field(gt=0, lt=1, multiple_of=Decimal("0.001"))]

FactName = Literal[
    "tenure_days", "recency_days", "orders", "orders_30", "orders_90", "orders_180", "orders_365", "loyalty"
]  # fmt: skip
_CONDITION = re.compile(r"^([a-z_0-9]+) *(>=|<) *(\d{1,9})$")


class Condition(Noun):
    """A condition on the customer's own facts; who does not meet it, or has no such fact, has no entry in the table.

    In a study's file: ``"tenure_days >= 365"``, ``"orders_365 < 3"``.

    Attributes:
        fact: the feature of that name, as of the as-of day.
        least: the smallest value that counts, if any.
        below: the smallest value that counts no longer, if any.
    """

    fact: FactName
    least: int | None = since("0.2.0", None, ge=0, le=1_000_000_000)
    below: int | None = since("0.2.0", None, ge=0, le=1_000_000_000)

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = _CONDITION.match(value)
        if found is None:
            raise ValueError(f'where: {value!r} is no condition; write "tenure_days >= 365" or "orders_365 < 3"')
        return {"fact": found[1], "least" if found[2] == ">=" else "below": int(found[3])}

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.least is None and self.below is None:
            raise ValueError("a condition needs a smallest value, or one that it stays below")
        return self


class DimensionUse(Noun):
    """One dimension of a table.

    Attributes:
        dimension: what it is counted by.
        keys: the keys, in order.
        roles: for ``customer.known`` only: which roles of the feed ``customer`` must have a value.
        tag: for ``tag.CODE`` only: the study's tag of that code. A study's file states it once, and the coordinator
            writes it out here.
    """

    dimension: AnyDimension
    keys: Keys
    roles: tuple[Annotated[str, Field(max_length=40)], ...] = Field(default=(), max_length=10)
    tag: PublicTag | None = since("0.2.0", None)

    @property
    def is_tag(self) -> bool:
        """Whether it is a tag of the study."""
        return self.dimension.startswith("tag.")

    @property
    def meaning(self) -> Dimension:
        """The dimension."""
        if not self.is_tag:
            return DIMENSIONS[cast(DimensionName, self.dimension)]
        code, tag = self.dimension.partition(".")[2], self.tag
        form: KeyKind = "number" if tag is None or tag.value else "closed" if tag.when else "text"
        return Dimension(
            feed="",
            needs=tag.needs if tag is not None else (),
            grain="customer",
            keys=form,
            values=tag.listed if tag is not None else (),
            en=(tag and (tag.en or tag.zh)) or code.replace("_", " "),
            zh=(tag and (tag.zh or tag.en)) or code.replace("_", " "),
        )

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        if self.tag is not None and self.dimension != f"tag.{self.tag.code}":
            raise ValueError(f"{self.dimension}: a tag goes with the dimension of its name, tag.{self.tag.code}")
        if self.is_tag and self.tag is None:  # of a study's file; looked at again once the tag is written out
            return self
        kind, values, keys = self.meaning.keys, self.meaning.values, self.keys
        fits = {
            "text": bool(keys.values) or keys.is_listed,
            "closed": bool(keys.values) and set(keys.values) <= set(values),
            "number": keys.first is not None or bool(keys.upper) or keys.is_released,
            "period": bool(keys.days) or keys.months is not None or keys.quarters is not None,
        }
        if not fits[kind]:
            how = {
                "text": 'listed texts, or {from = "lists.NAME"}',
                "closed": f"some of {', '.join(values)}",
                "number": 'a range such as "0..11", {upper = [7, 30]}, or {from = "ANALYSIS.NAME"} of an earlier run',
                "period": '{months = 12, before = "as_of"} or {quarters = 8}',
            }
            raise ValueError(f"{self.dimension}: its keys are {how[kind]}")
        if kind == "closed" and list(keys.values) != [value for value in values if value in keys.values]:
            raise ValueError(f"{self.dimension}: keep its keys in order: {', '.join(values)}")
        known = {*map(str.casefold, values), OTHER}
        if kind == "text" and values and not known.issuperset(map(str.casefold, keys.values)):
            raise ValueError(f"{self.dimension}: its keys are some of {', '.join(values)}")
        if bool(self.roles) != (self.dimension == "customer.known"):
            raise ValueError("roles go with customer.known, and it needs them")
        unknown = set(self.roles) - set(FEEDS["customer"])
        if unknown:
            raise ValueError(f"customer has no role {sorted(unknown)[0]!r}; it has: {', '.join(FEEDS['customer'])}")
        return self

    @property
    def is_written_out(self) -> bool:
        """Whether keys and rule stand for themselves: nothing is to be looked up in the study or in an earlier run."""
        return self.keys.is_written_out and self.says_its_rule

    @property
    def says_its_rule(self) -> bool:
        """Whether the rule of a tag, if it is one, stands here with every number in it."""
        return self.tag.is_written_out if self.tag is not None else not self.is_tag

    @property
    def of_a_holder(self) -> bool:
        """Whether its keys are single holders' by nature; see :class:`privacy.kernel.feeds.Role`."""
        return self.tag.of_a_holder if self.tag is not None else self.meaning.of_a_holder

    @property
    def feeds(self) -> frozenset[FeedName]:
        """The feeds whose rows say it."""
        if self.tag is not None:
            return self.tag.feeds
        feed = self.meaning.feed
        return frozenset({feed} if feed else ())

    @property
    def needs(self) -> tuple[tuple[FeedName, str], ...]:
        """Roles that a holder must have mapped."""
        return (*self.meaning.needs, *(("customer", role) for role in self.roles))

    def changed(self, **fields: Keys | PublicTag) -> DimensionUse:
        """The same with some fields otherwise, looked at again."""
        return DimensionUse.model_validate({name: getattr(self, name) for name in DimensionUse.model_fields} | fields)

    def written_out(self, keys: Keys) -> DimensionUse:
        """With keys that stand for themselves; listed texts end with :data:`OTHER`."""
        if self.meaning.keys == "text" and keys.values and keys.values[-1].casefold() != OTHER:
            keys = Keys(values=(*keys.values, OTHER))
        return self.model_copy(update={"keys": keys})


class MeasureUse(Noun):
    """What one measure of a table adds up; see :data:`privacy.kernel.dimensions.MeasureKind`.

    Attributes:
        of: the measure.
        first_days: only events of the customer's first so many days: day 0 is that of its first order.
        last_days: only events of the last so many days before the as-of day.
    """

    of: MeasureText
    first_days: int | None = since("0.2.0", None, ge=1, le=3660)
    last_days: int | None = since("0.2.0", None, ge=1, le=3660)

    @property
    def meaning(self) -> Meaning:
        """What it adds up."""
        return meaning_of(self.of)

    @model_validator(mode="after")
    def _window_fits(self) -> Self:
        if (self.first_days or self.last_days) and self.meaning.kind not in ("count", "sum"):
            raise ValueError(f"{self.of}: first_days and last_days go with count(...) and sum(...)")
        return self

    @property
    def needs(self) -> tuple[tuple[FeedName, str], ...]:
        """Roles that a holder must have mapped."""
        found = self.meaning
        return ((found.feed, found.role),) if found.feed and found.role else ()


class EventChoice(Noun):
    """Which of a customer's events a table is about.

    Of events without a key in one of the table's dimensions none is chosen.

    With ``of = "conversion"`` an event is an order that has touches: those of the ``look_back_days`` days before it
    began, that moment included, the last ``most_touches`` of them (by time, then channel). Its weight, one
    :data:`privacy.kernel.dimensions.WHOLE`, goes to the channel of the first of them (model ``first``), of the last one
    (``last``), or in equal parts to all (``linear``): WHOLE // touches each, so that a channel that is touched twice
    gets two. The measure ``weight`` adds these up; ``weight * order.amount`` adds up weight times the order's money,
    divided by WHOLE and rounded to the nearest, half away from zero.

    Attributes:
        of: the feed, or ``conversion``.
        window_days: only events of the last so many days before the as-of day; None for all before it.
        which: ``all`` of them, or one: the ``earliest``, the ``latest``, the ``longest`` (most seconds), or the
            ``furthest`` (stage); of equal ones the latest.
        per: one event for each key of this dimension instead of one in all; empty for one in all.
        look_back_days, most_touches: of conversions.
        outcome_days: of ``sent.outcome``.
        hold_out: only messages of campaigns of whose list this share was drawn to be left alone, in steps of a
            thousandth: arms that were drawn with several shares do not pool, for then they are of different shops in
            different proportions. A holder that cannot say its share (``sent.hold_out``, in thousandths) has none.
    """

    of: FeedName | Literal["conversion"]
    window_days: int | None = Field(default=None, ge=1, le=3660)
    which: Literal["all", "earliest", "latest", "longest", "furthest"] = "all"
    per: DimensionName | Literal[""] = ""
    look_back_days: int = Field(default=30, ge=1, le=365)
    most_touches: int = Field(default=50, ge=1, le=1000)
    outcome_days: int = Field(default=14, ge=1, le=365)
    hold_out: HoldOut | None = since("0.2.0", None)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.hold_out is not None and self.of != "sent":
            raise ValueError("events: hold_out goes with messages: sent")
        if self.of == "customer":
            raise ValueError("events: customer has no events")
        if self.which == "all" and self.per:
            raise ValueError("events: per goes with one event: earliest, latest, longest or furthest")
        if self.which == "furthest" and self.of != "session":
            raise ValueError("events: the furthest goes with sessions")
        if self.which == "longest" and self.of not in ("session", "view"):
            raise ValueError("events: the longest goes with sessions and views")
        return self


class CellTable(Noun):
    """Which entries each customer has in one table.

    A cell's number counts through the keys of ``by``, the last one fastest: of keys (i, j) of dimensions with m and n
    keys, ``i * n + j``. A table of customers alone (no dimension of events) has at most one entry a customer: where
    each dimension has a key and the conditions hold; its measures add up over all of the customer's events. A table of
    events has one entry for each cell in which the customer has an event that is chosen; its measures add up over the
    events in that cell, and dimensions of customers give each of its entries the same key.

    Attributes:
        name: the table's.
        by: its dimensions, with keys that are written out.
        measures: what is added up.
        where: conditions, all of which must hold.
        events: which events count; None for all of the dimensions' feed.
    """

    name: Named
    by: tuple[DimensionUse, ...] = Field(min_length=1, max_length=4)
    measures: tuple[MeasureUse, ...] = Field(min_length=1, max_length=MOST_MEASURES)
    where: tuple[Condition, ...] = Field(default=(), max_length=8)
    events: EventChoice | None = since("0.2.0", None)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len({use.dimension for use in self.by}) != len(self.by):
            raise ValueError(f"{self.name}: a dimension is named twice")
        if self.is_written_out and self.cells > MOST_CELLS:
            raise ValueError(
                f"{self.name}: {self.cells:,} cells, and at most {MOST_CELLS:,} are possible; take fewer keys"
            )
        self._check_events()
        self._check_measures()
        return self

    def _check_events(self) -> None:
        feeds = {use.meaning.feed for use in self.by if use.meaning.grain != "customer"}
        if len(feeds) > 1:
            raise ValueError(f"{self.name}: its dimensions are of events of {' and '.join(sorted(feeds))}; take one")
        models = [use for use in self.by if use.meaning.grain == "model"]
        of = self.events.of if self.events is not None else None
        if bool(models) != (of == "conversion"):
            raise ValueError(f'{self.name}: touch.model goes with events = {{of = "conversion"}}')
        if of not in (None, "conversion") and feeds != {of}:
            raise ValueError(f"{self.name}: its events are of {of}, and no dimension is")
        if any(use.meaning.grain == "ordered" for use in self.by) and (
            self.events is None or self.events.which != "furthest" or self.events.per
        ):
            raise ValueError(f'{self.name}: session.furthest goes with events = {{of = "session", which = "furthest"}}')
        if self.events is not None and self.events.per and self.events.per not in {use.dimension for use in self.by}:
            raise ValueError(f"{self.name}: events are one per {self.events.per}, which is no dimension of the table")

    def _check_measures(self) -> None:
        weighted = self.events is not None and self.events.of == "conversion"
        for measure in self.measures:
            found = measure.meaning
            if (found.kind in ("weight", "weighted")) != weighted:
                raise ValueError(f'{self.name}: "weight" goes with conversions, and they with it')
            if self.feed and not weighted and found.feed not in ("", self.feed):
                raise ValueError(f"{self.name}: {measure.of} is of {found.feed}, and its events are of {self.feed}")
            if found.kind == "share" and not found.role and not self.feed:
                raise ValueError(f"{self.name}: {measure.of} needs a dimension of events")
            if self.feed and measure.first_days and self.feed != "order":
                raise ValueError(f"{self.name}: first_days goes with orders")

    @property
    def is_written_out(self) -> bool:
        """Whether all keys stand for themselves."""
        return all(use.is_written_out for use in self.by)

    @property
    def feed(self) -> FeedName | Literal[""]:
        """Whose events give a customer its entries; empty for a table of customers alone."""
        return next((use.meaning.feed for use in self.by if use.meaning.grain != "customer"), "")

    @property
    def shape(self) -> tuple[int, ...]:
        """How many keys each dimension has."""
        return tuple(use.keys.count for use in self.by)

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return math.prod(self.shape)

    @property
    def feeds(self) -> frozenset[FeedName]:
        """The feeds that are read."""
        return frozenset(self._feeds())

    def _feeds(self) -> Iterator[FeedName]:
        for use in self.by:
            yield from use.feeds
        yield from (measure.meaning.feed for measure in self.measures if measure.meaning.feed)
        if self.where or (self.events is not None and self.events.of == "conversion"):
            yield "order"
        if any(use.dimension == "sent.outcome" for use in self.by) or any(m.first_days for m in self.measures):
            yield "order"

    @property
    def needs(self) -> frozenset[tuple[FeedName, str]]:
        """Roles, beside ids and times, without which a holder has no entries in the table: it answers zeros."""
        uses = [use.needs for use in self.by] + [measure.needs for measure in self.measures]
        if self.events is not None and self.events.hold_out is not None:
            uses.append((("sent", "hold_out"),))
        return frozenset(need for needs in uses for need in needs)

    def is_found_in(self, declared: Mapping[FeedName, Collection[str]]) -> bool:
        """Whether a holder that has these feeds, each with these roles, has entries in the table; else it has none."""
        return all(feed in declared for feed in self.feeds) and all(role in declared[feed] for feed, role in self.needs)

    @property
    def columns(self) -> frozenset[Column]:
        """What it says of a customer, in the words of policies."""
        named = {FEEDS[feed][role].column for feed, role in self.needs}
        read = {PRESENCE[feed] for feed in self.feeds}
        times = {"order.month", "order.months_since_first", "first_order.month", "tenure_band", "recency_band",
                 "second_order.outcome", "second_order.days", "loyalty_band"}  # fmt: skip
        used = {use.dimension for use in self.by}
        more: set[Column] = {"daypart"} if used & {"order.daypart", "order.weekday"} else set()
        if used & times or self.where:
            more.add("recency")
        of_tags = frozenset[Column]().union(*(use.tag.columns for use in self.by if use.tag is not None))
        return frozenset(named | read | more) | of_tags
