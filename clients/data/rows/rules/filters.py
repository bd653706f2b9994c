"""Conditions on one event as expressions of the database where the events are. Nothing unknown is ever true."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from typing import Protocol

import ibis
from ibis.expr import types as ir

from privacy.tags.tree import AllOf, AnyOf, Compare, Fact, Known, Node, Not, Number, OneOf, Sign, Text, Unit
from privacy.tags.truth import MIRRORED, whole_threshold

_OPERATORS: Mapping[Sign, Callable[[ir.Value, ir.Value | int], ir.BooleanValue]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


class EventColumns(Protocol):
    """Rows of one feed as filters see them."""

    def value(self, name: str) -> ir.Value:
        """An event's value: integers in parts of the unit, names as they are compared (blank: null), or flags."""
        ...

    def spellings(self, name: str, word: str) -> tuple[str, ...]:
        """How the source may spell a name, in any case."""
        ...


def holds(node: Node, events: EventColumns) -> ir.BooleanValue:
    """Whether a condition holds for an event; null where that is unknown.

    Names come from the reader's closed lists, and texts go in as literals of the expression.
    """
    match node:
        case AllOf(items):
            return functools.reduce(operator.and_, [holds(item, events) for item in items])
        case AnyOf(items):
            return functools.reduce(operator.or_, [holds(item, events) for item in items])
        case Not(item):
            return ~holds(item, events)
        case Known(Fact(name)):
            return events.value(name).notnull()
        case Fact(name, kind="flag"):
            return events.value(name)
        case OneOf(Fact() as fact, values):
            return functools.reduce(operator.or_, [_equal(fact, value, events) for value in values])
        case Compare():
            return _compared(node, events)
    raise TypeError(f"{type(node).__name__} is no condition on an event")


def _compared(node: Compare, events: EventColumns) -> ir.BooleanValue:
    sign, left, right = node.sign, node.left, node.right
    if isinstance(left, Number | Text):
        sign, left, right = MIRRORED[sign], right, left
    if not isinstance(left, Fact):
        raise TypeError("a comparison of an event is of one of its values")
    if isinstance(right, Text):
        equal = _equal(left, right, events)
        return equal if sign == "==" else ~equal
    value = events.value(left.name)
    if isinstance(right, Number):
        return _against(value, sign, right, left)
    if not isinstance(right, Fact):
        raise TypeError("a comparison of an event is with another of its values")
    return _OPERATORS[sign](value, events.value(right.name))


def _equal(fact: Fact, wanted: Number | Text, events: EventColumns) -> ir.BooleanValue:
    value = events.value(fact.name)
    if isinstance(wanted, Number):
        return _against(value, "==", wanted, fact)
    # The database folds both sides, whatever its rules are.
    words = [ibis.literal(word).strip().lower() for word in events.spellings(fact.name, wanted.value)]
    return functools.reduce(operator.or_, [value == word for word in words]) if words else value != value


def _against(value: ir.Value, sign: Sign, number: Number, fact: Fact) -> ir.BooleanValue:
    per = fact.kind.per if isinstance(fact.kind, Unit) else 1
    found = whole_threshold(sign, number.value * per)
    if isinstance(found, bool):
        return ibis.ifelse(value.isnull(), ibis.null("boolean"), found)
    return _OPERATORS[found[0]](value, found[1])


def spellings_of(word: str, values: Mapping[str, str]) -> tuple[str, ...]:
    """How a source spells a name, where some of its own spellings stand for public keys.

    Args:
        word: as a rule says it: a public key, or an own spelling that stands for none.
        values: own spelling to public key.
    """
    wanted = word.strip().casefold()
    keys = {own: key.strip().casefold() for own, key in values.items()}
    found = [own for own, key in keys.items() if key == wanted]
    replaced = {own.strip().casefold() for own in keys}
    return tuple(found if wanted in replaced else [*found, word])
