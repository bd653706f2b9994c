"""What a rule is once it is read: a tree of values, of which every kind is listed here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias

from privacy.errors import ConfigError

#: Texts of rules, values in a list, brackets in each other, nodes, and days of a window: more is refused.
MAX_TEXT, MAX_LIST, MAX_DEPTH, MAX_NODES, MAX_DAYS = 400, 64, 16, 120, 36_600
#: Characters of a text in quotation marks.
MAX_WORD = 80


class RuleError(ConfigError):
    """A rule that is none. The text says what is wrong and where; it quotes the rule, never a row.

    Attributes:
        says: what is wrong.
        place: of the character, from 0.
    """

    def __init__(self, says: str, place: int, *, hint: str = "") -> None:
        super().__init__(f"character {place + 1}: {says}", hint=hint)
        self.says = says
        self.place = place


class Unit(NamedTuple):
    """What a number is in. Columns have integers; ``per`` of them are one of what people write (cents: 100)."""

    name: str
    per: int


#: Of a value: a number in a unit, a text, or a condition.
Kind: TypeAlias = Unit | Literal["flag", "text"]

DAYS, COUNT, SHARE = Unit("days", 1), Unit("count", 1), Unit("share", 1000)
#: Of a number that is written in a rule: it fits every unit.
PLAIN = Unit("number", 1)

Function = Literal["count", "share", "days_since", "sum", "mean", "max", "min"]
Sign = Literal["<", "<=", ">", ">=", "==", "!="]


@dataclass(frozen=True)
class Number:
    """A number as it is written, exact."""

    value: Decimal


@dataclass(frozen=True)
class Text:
    """A text in quotation marks."""

    value: str


@dataclass(frozen=True)
class Fact:
    """Something that is known of a customer, or, in a filter, of one event."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Tagged:
    """Whether a customer has a tag that is defined above."""

    code: str


@dataclass(frozen=True)
class Aggregate:
    """``function`` over a customer's events of ``feed`` for which ``where`` holds, from ``since`` until ``until``.

    Attributes:
        role: of the feed, whose values are added up; empty where events are counted.
        since, until: a day, or days before the day of the run (0 or less); the first included, the second not.
        kind: the result's unit.
    """

    function: Function
    feed: str
    role: str
    where: Node | None
    since: dt.date | int | None
    until: dt.date | int | None
    kind: Unit


@dataclass(frozen=True)
class Compare:
    """A comparison of numbers, or of a text with a text in quotation marks."""

    sign: Sign
    left: Node
    right: Node


@dataclass(frozen=True)
class OneOf:
    """Whether a value is one of these."""

    item: Node
    values: tuple[Number | Text, ...]


@dataclass(frozen=True)
class Known:
    """Whether a value is known."""

    item: Node


@dataclass(frozen=True)
class Not:
    """The opposite; of what is unknown, unknown."""

    item: Node


@dataclass(frozen=True)
class AllOf:
    """Whether all hold."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class AnyOf:
    """Whether one of them holds."""

    items: tuple[Node, ...]


Node: TypeAlias = Number | Text | Fact | Tagged | Aggregate | Compare | OneOf | Known | Not | AllOf | AnyOf
#: What columns are made of.
Leaf: TypeAlias = Fact | Aggregate


def leaves(node: Node) -> Iterator[Leaf | Tagged]:
    """What a rule reads of a customer: facts, aggregates and tags. A filter belongs to its aggregate."""
    match node:
        case AllOf(items) | AnyOf(items):
            for item in items:
                yield from leaves(item)
        case Not(item) | Known(item) | OneOf(item, _):
            yield from leaves(item)
        case Compare(_, left, right):
            yield from leaves(left)
            yield from leaves(right)
        case Fact() | Aggregate() | Tagged():
            yield node
