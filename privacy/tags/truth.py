"""Whether conditions hold, exactly and element by element: yes, no, or unknown.

What one customer gets depends on that customer's numbers alone. Numbers are integers and thresholds exact decimals, so
nothing is rounded. ``and``, ``or`` and ``not`` are those of Kleene's strong logic of three values (Kleene 1952,
"Introduction to Metamathematics", section 64).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from privacy.tags.tree import (
    AllOf,
    AnyOf,
    Compare,
    Fact,
    Known,
    Leaf,
    Node,
    Not,
    Number,
    OneOf,
    Sign,
    Tagged,
    Text,
    Unit,
)

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
#: Thresholds beyond this hold for all columns or for none.
_FAR = 1 << 62
_OPERATORS: Mapping[Sign, Callable[[IntArray, IntArray | int], BoolArray]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
MIRRORED: Mapping[Sign, Sign] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class Column(NamedTuple):
    """A value of every customer, in one order for all columns.

    Attributes:
        raw: integers, shape ``(customers,)``: in parts of the unit; of texts the place in ``words``; of flags 0, 1.
        known: where it is known, same shape.
        words: texts, trimmed and in lower case.
    """

    raw: IntArray
    known: BoolArray
    words: tuple[str, ...] = ()


class Truth(NamedTuple):
    """Where a condition holds and where it does not; neither is unknown. Both of shape ``(customers,)``."""

    yes: BoolArray
    no: BoolArray


class Answers:
    """Conditions on customers, answered.

    Args:
        columns: what rules read, by leaf.
        size: number of customers.
        tags: who has which tag, by code; grows as tags are worked out.
    """

    def __init__(self, columns: Mapping[Node, Column], size: int) -> None:
        self._columns, self.size = columns, size
        self.tags: dict[str, BoolArray] = {}

    def truth(self, node: Node) -> Truth:
        """Where a condition holds.

        Raises:
            KeyError: if a column or tag that it reads was not given.
            TypeError: if the node is no condition.
        """
        match node:
            case AllOf(items):
                found = [self.truth(item) for item in items]
                return Truth(_all(one.yes for one in found), _any(one.no for one in found))
            case AnyOf(items):
                found = [self.truth(item) for item in items]
                return Truth(_any(one.yes for one in found), _all(one.no for one in found))
            case Not(item):
                inner = self.truth(item)
                return Truth(inner.no, inner.yes)
            case Tagged(code):
                return Truth(self.tags[code], ~self.tags[code])
            case Known(item):
                known = self.column(item).known
                return Truth(known, ~known)
            case Fact(kind="flag"):
                column = self.column(node)
                return _where(column.raw != 0, column.known)
            case OneOf(item, values):
                column = self.column(item)
                hits = [_equal(column, value, _per(item)) for value in values]
                return _where(_any(hits), column.known)
            case Compare():
                return self._compared(node)
        raise TypeError(f"{type(node).__name__} is no condition")

    def levels(self, value: Leaf, bands: Sequence[Decimal]) -> IntArray:
        """How many of ascending bands a value reaches, shape ``(customers,)``; 0 where it is unknown."""
        column = self.column(value)
        reached = [_against(column.raw, ">=", band * _per(value)).astype(np.int64) for band in bands]
        return np.where(column.known, np.sum(reached, axis=0), 0).astype(np.int64)

    def column(self, node: Node) -> Column:
        """What is known of a leaf."""
        return self._columns[node]

    def _compared(self, node: Compare) -> Truth:
        sign, left, right = node.sign, node.left, node.right
        if isinstance(left, Number | Text):
            sign, left, right = MIRRORED[sign], right, left
        column = self.column(left)
        if isinstance(right, Text):
            equal = _equal(column, right, 1)
            return _where(equal if sign == "==" else ~equal, column.known)
        if isinstance(right, Number):
            return _where(_against(column.raw, sign, right.value * _per(left)), column.known)
        other = self.column(right)
        return _where(_beside(column.raw, sign, other.raw, _per(left), _per(right)), column.known & other.known)


def _where(holds: BoolArray, known: BoolArray) -> Truth:
    return Truth(holds & known, ~holds & known)


def _any(parts: Iterable[BoolArray]) -> BoolArray:
    return np.asarray(np.logical_or.reduce(list(parts)))


def _all(parts: Iterable[BoolArray]) -> BoolArray:
    return np.asarray(np.logical_and.reduce(list(parts)))


def _per(node: Node) -> int:
    """Parts of a leaf's unit that its integers are."""
    kind = getattr(node, "kind", None)
    return kind.per if isinstance(kind, Unit) else 1


def _equal(column: Column, value: Number | Text, per: int) -> BoolArray:
    if isinstance(value, Number):
        return _against(column.raw, "==", value.value * per)
    word = value.value.strip().casefold()
    place = column.words.index(word) if word in column.words else -1
    return np.asarray(column.raw == place, dtype=bool)


def whole_threshold(sign: Sign, bound: Decimal) -> tuple[Sign, int] | bool:
    """A comparison of integers with an exact decimal as one with an integer, or what it says of all integers.

    Between two integers ``>`` and ``>=`` agree, ``<`` and ``<=`` agree, and ``=`` never holds.
    """
    whole = math.floor(bound)
    if abs(whole) >= _FAR:
        whole = _FAR if whole > 0 else -_FAR
    elif bound != whole:
        if sign in ("==", "!="):
            return sign == "!="
        return (">" if sign in (">", ">=") else "<="), whole
    return sign, whole


def _against(raw: IntArray, sign: Sign, bound: Decimal) -> BoolArray:
    found = whole_threshold(sign, bound)
    if isinstance(found, bool):
        return np.full(len(raw), found, dtype=bool)
    return np.asarray(_OPERATORS[found[0]](raw, found[1]), dtype=bool)


def _beside(left: IntArray, sign: Sign, right: IntArray, per_left: int, per_right: int) -> BoolArray:
    """Two columns of one unit in different parts of it, compared without a product that might not fit.

    With b in k times finer parts, a < b / k is a < ceil(b / k), and a <= b / k is a <= floor(b / k).
    """
    if per_left > per_right:
        return _beside(right, MIRRORED[sign], left, per_right, per_left)
    parts = per_right // per_left
    down = right // parts
    if sign in ("==", "!="):
        equal = (left == down) & (right % parts == 0)
        return np.asarray(equal if sign == "==" else ~equal)
    return np.asarray(_OPERATORS[sign](left, down if sign in ("<=", ">") else -(-right // parts)))
