"""Public tags: one-line rules that a study states, and every holder evaluates on its own customers' rows.

A public tag reads one customer's rows and public numbers, nothing else: no scores, labels, ranks or tags of a holder's
own. So a customer's key does not change with other customers. What a rule reads is listed here for policies
(:attr:`PublicTag.columns`), in the same words as what tables read themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache, lru_cache
from typing import Annotated, NamedTuple, Self

from pydantic import StringConstraints, model_validator

from privacy.errors import ConfigError
from privacy.kernel.canonical import Noun, since
from privacy.kernel.columns import Column
from privacy.kernel.features import FEATURES, ListedValue
from privacy.kernel.feeds import FEEDS, PRESENCE, FeedName, Role
from privacy.kernel.keys import OTHER
from privacy.kernel.rule_words import (
    OF_BIRTH,
    OF_TIME,
    kind_of_attribute,
    kind_of_role,
    unit_of_feature,
)
from privacy.tags.reader import Vocabulary, read_rule, read_value
from privacy.tags.tree import MAX_TEXT, Aggregate, Fact, Kind, Leaf, Node, RuleError, Unit, leaves

#: A number that an earlier run has released, in a rule: ``money > {rfm.money_high}``.
_RELEASED = re.compile(r"\{([a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39})\}")

_RuleText = Annotated[str, StringConstraints(max_length=MAX_TEXT)]

#: What a rule that is a condition gives.
YES_NO = ("yes", "no")


@cache
def public_words(digits: int = 2) -> Vocabulary:
    """The names that rules of a study may use: alike at all holders.

    Ids of events are not among them: a rule is about kinds of customers, never about one order.

    Args:
        digits: of the study's currency; thresholds of money are exact in its minor units.
    """
    money = Unit("money", 10**digits)
    facts: dict[str, Kind] = {
        name: unit_of_feature(feature, money) for name, feature in FEATURES.items() if not feature.listed
    }
    for name, role in FEEDS["customer"].items():
        if (kind := kind_of_attribute(role)) is not None:
            facts[f"customer.{name}"] = kind
    facts |= OF_BIRTH
    feeds: dict[str, dict[str, Kind]] = {}
    values: dict[tuple[str, str], Unit] = {}
    for feed, roles in FEEDS.items():
        if feed == "customer":
            continue
        named = {name: role for name, role in roles.items() if role.kind != "id"}
        feeds[feed] = dict(OF_TIME) | {name: kind_of_role(name, role) for name, role in named.items()}
        values |= {(feed, name): money for name, role in named.items() if role.kind == "money"}
    return Vocabulary(facts=facts, feeds=feeds, values=values)


class Case(Noun):
    """One of the keys of a tag with several, and who has it.

    Attributes:
        key: the key.
        when: the condition; a customer has the first key whose condition holds.
    """

    key: ListedValue
    when: _RuleText


class Reads(NamedTuple):
    """Something that a rule reads of a customer.

    Attributes:
        feed: whose rows.
        role: which of its roles; empty where the rows are counted, or their times looked at.
        column: what policies call it.
    """

    feed: FeedName
    role: str
    column: Column


class PublicTag(Noun):
    """A tag of a study: exactly one of a condition, a number and several conditions.

    Numbers that an earlier run has released may stand in its rules as ``{ANALYSIS.NAME}``; the coordinator writes them
    out before holders see the study (:meth:`with_released`).

    Attributes:
        code: its name; tables count by ``tag.CODE``.
        when: a condition. Its keys are ``yes`` and ``no``; where it cannot be told, it is ``no``.
        value: a number of a customer, in days, a count, or money in whole units. Its keys are bins or a range; where it
            is not known, the customer has no key.
        case: keys with conditions, of which the first that holds counts; ``other`` where none does.
        en, zh: its title; its name where it has none.
    """

    code: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,33}$")]
    when: _RuleText = since("0.2.0", "")
    value: _RuleText = since("0.2.0", "")
    case: tuple[Case, ...] = since("0.2.0", (), max_length=40)
    en: str = since("0.2.0", "", max_length=80)
    zh: str = since("0.2.0", "", max_length=80)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if sum(map(bool, (self.when, self.value, self.case))) != 1:
            raise ValueError(f"tag {self.code}: state one of when, value and case")
        keys = [case.key.casefold() for case in self.case]
        if len(set(keys)) != len(keys) or OTHER in keys:
            raise ValueError(f'tag {self.code}: its keys differ, and none is "{OTHER}", which stands for all the rest')
        try:
            self.nodes(2)
            unit = self.number(2)[1] if self.value else None
        except ConfigError as error:  # as pydantic has it: with the field's place in the study
            hint = f" ({error.hint})" if error.hint else ""
            raise ValueError(f"tag {self.code}: {error.message}{hint}") from None
        if unit is not None and unit.per > 1 and unit.name != "money":
            raise ValueError(f'tag {self.code}: {self.value} is no whole number; write when = "{self.value} >= .."')
        return self

    def nodes(self, digits: int) -> tuple[Node, ...]:
        """The rules as trees: the condition, the number, or one condition a case.

        Args:
            digits: of the study's currency.

        Raises:
            RuleError: if one cannot be read, with its place.
        """
        if self.value:
            return (self.number(digits)[0],)
        texts = [self.when] if self.when else [one.when for one in self.case]
        return tuple(read_rule(_RELEASED.sub("1", text), public_words(digits)) for text in texts)

    def number(self, digits: int) -> tuple[Leaf, Unit]:
        """The number that it is, and its unit.

        Raises:
            RuleError: as :meth:`nodes`, or if it is none.
        """
        return read_value(self.value, public_words(digits))

    @property
    def is_written_out(self) -> bool:
        """Whether every number stands in it."""
        return not any(_RELEASED.search(text) for text in self.texts)

    def with_released(self, cuts: Callable[[str], tuple[int, ...]], minor_digits: int) -> PublicTag:
        """The same with the numbers of an earlier run, as people write them.

        Args:
            cuts: numbers by ``ANALYSIS.NAME``, money in minor units of the currency; raises where none are known.
            minor_digits: of that currency.

        Raises:
            ValueError: if several numbers are known by a name, where one belongs.
        """

        def number(found: re.Match[str]) -> str:
            cut = cuts(found[1])
            if len(cut) != 1:
                raise ValueError(f"tag {self.code}: {found[1]} is {len(cut)} numbers, and one belongs in a rule")
            money = found[1].partition(".")[2].startswith("money")
            return f"{Decimal(cut[0]).scaleb(-minor_digits):f}" if money else str(cut[0])

        case = tuple(one.model_copy(update={"when": _RELEASED.sub(number, one.when)}) for one in self.case)
        fields = {name: getattr(self, name) for name in PublicTag.model_fields}
        return PublicTag.model_validate(fields | {"when": _RELEASED.sub(number, self.when), "case": case})

    @property
    def listed(self) -> tuple[str, ...]:
        """Every key, in order; none of a number."""
        return () if self.value else YES_NO if self.when else tuple(case.key for case in self.case)

    @property
    def reads(self) -> frozenset[Reads]:
        """Everything that its rules read."""
        return _all_reads(self)

    @property
    def feeds(self) -> frozenset[FeedName]:
        """The feeds that are read; a customer in any of them has a key."""
        return frozenset(one.feed for one in self.reads)

    @property
    def needs(self) -> tuple[tuple[FeedName, str], ...]:
        """Roles that a holder must have mapped, as (feed, role)."""
        return tuple(sorted({(one.feed, one.role) for one in self.reads if one.role}))

    @property
    def columns(self) -> frozenset[Column]:
        """What it says of a customer, in the words of policies."""
        return frozenset(one.column for one in self.reads)

    @property
    def of_a_holder(self) -> bool:
        """Whether what it looks at is single holders' by nature."""
        return any(FEEDS[feed][role].of_a_holder for feed, role in self.needs)

    @property
    def texts(self) -> tuple[str, ...]:
        """Its rules, for people."""
        return tuple(f"{case.key}: {case.when}" for case in self.case) or (self.when or self.value,)


@lru_cache(maxsize=256)  # bounded: tags come from plans
def _all_reads(tag: PublicTag) -> frozenset[Reads]:
    return frozenset(one for node in tag.nodes(2) for leaf in leaves(node) for one in _reads(leaf))


def _reads(leaf: Leaf | Node) -> Iterator[Reads]:
    """What a leaf reads. Whatever is said of orders says when they were, too."""
    if isinstance(leaf, Aggregate):
        feed = next(name for name in FEEDS if name == leaf.feed)
        yield from _presence(feed)
        if leaf.role:
            yield _role(feed, leaf.role)
        for name in _named(leaf.where):
            if name not in OF_TIME:
                yield _role(feed, name)
            elif feed == "order":
                yield Reads("order", "", "daypart")
    elif isinstance(leaf, Fact) and leaf.name.startswith("customer."):
        yield from _presence("customer")
        yield _role("customer", "born" if leaf.name in OF_BIRTH else leaf.name.partition(".")[2])
    elif isinstance(leaf, Fact):
        feature = FEATURES[leaf.name]
        yield from _presence("order")
        yield Reads("order", "", feature.column)
        if feature.column == "money":
            yield _role("order", "amount")
        if feature.needs is not None:
            yield _role("order", feature.needs)
    else:
        raise RuleError("a rule of a study reads rows alone", 0)


def _presence(feed: FeedName) -> Iterator[Reads]:
    yield Reads(feed, "", PRESENCE[feed])
    if feed == "order":
        yield Reads("order", "", "recency")


def _role(feed: FeedName, name: str) -> Reads:
    role: Role = FEEDS[feed][name]
    return Reads(feed, name, role.column)


def _named(where: Node | None) -> Iterator[str]:
    """Names of what a filter looks at of an event."""
    if where is not None:
        yield from (leaf.name for leaf in leaves(where) if isinstance(leaf, Fact))
