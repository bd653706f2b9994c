"""From a rule's text to its tree: every node, name and function of the language is allowed here by name, or refused."""

from __future__ import annotations

import ast
import datetime as dt
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import get_args

from privacy.tags.tokens import Written, as_written, tokens_of
from privacy.tags.tree import (
    COUNT,
    DAYS,
    MAX_DAYS,
    MAX_DEPTH,
    MAX_LIST,
    MAX_NODES,
    PLAIN,
    SHARE,
    Aggregate,
    AllOf,
    AnyOf,
    Compare,
    Fact,
    Function,
    Kind,
    Known,
    Leaf,
    Node,
    Not,
    Number,
    OneOf,
    RuleError,
    Sign,
    Tagged,
    Text,
    Unit,
)

#: So that a rule of a study's ``[[rfm.rules]]`` can be pasted.
SYNONYMS = {"R": "recency_days", "F": "orders", "M": "money"}
_SIGNS: dict[type[ast.cmpop], Sign] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="
}  # fmt: skip
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FUNCTIONS: tuple[Function, ...] = get_args(Function)
#: Functions of a role's values; the others are of events.
_OF_VALUES = ("sum", "mean", "max", "min")
#: A mean is kept in so many parts of what its values are in.
MEAN_PARTS = 100
#: Functions of one text, and what facts they are called as.
_NAMED = ("segment", "changed")


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The closed lists of names that a rule may use.

    Attributes:
        facts: kinds by name: ``orders``, ``customer.region``, ``segment.eight``, ``changed.eight``.
        feeds: roles with their kinds, as a filter sees them, by feed.
        values: kinds of roles that are added up, by feed and role, where a sum is in another unit than an event.
        words: all values of facts that have few.
        absent: what to do about names that are known and not there, by name: of a fact, a feed or ``feed.role``.
    """

    facts: Mapping[str, Kind] = field(default_factory=dict)
    feeds: Mapping[str, Mapping[str, Kind]] = field(default_factory=dict)
    values: Mapping[tuple[str, str], Unit] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


def read_rule(text: str, words: Vocabulary, tags: Iterable[str] = ()) -> Node:
    """A rule's tree: a condition on one customer.

    Args:
        text: the rule.
        words: what it may name.
        tags: codes of the tags that are defined above it.

    Raises:
        RuleError: if it is anything but a condition.
    """
    reader, tree = _parsed(text, words, tags)
    return reader.whole(tree)


def read_value(text: str, words: Vocabulary) -> tuple[Leaf, Unit]:
    """The tree of a number that is known of one customer, and its unit.

    Raises:
        RuleError: if it is anything else.
    """
    reader, tree = _parsed(text, words, ())
    found, kind = reader.read(tree, 0)
    if not isinstance(found, Fact | Aggregate) or not isinstance(kind, Unit):
        raise reader.wrong(tree, "a number of a customer belongs here", "such as orders, or count(order, -365)")
    return found, kind


def _parsed(text: str, words: Vocabulary, tags: Iterable[str]) -> tuple[_Reader, ast.expr]:
    written = tokens_of(text)
    try:
        tree = ast.parse(written.text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as problem:
        place = written.place((getattr(problem, "offset", None) or 1) - 1)
        raise RuleError("this cannot be read", place, hint="a rule is conditions joined by and, or, not") from None
    return _Reader(written, words, tuple(tags)), tree


class _Reader:
    def __init__(self, written: Written, words: Vocabulary, tags: tuple[str, ...]) -> None:
        self._written, self._words, self._tags = written, words, tags
        self._nodes = 0
        self._feed = ""  # inside a filter: whose event it is

    def wrong(self, node: ast.AST, says: str, hint: str = "") -> RuleError:
        """What is wrong with a node, and where it stands."""
        return RuleError(says, self._written.place_of_byte(getattr(node, "col_offset", 0)), hint=hint)

    def whole(self, tree: ast.expr) -> Node:
        """A rule; at the top, and nowhere else, commas join conditions."""
        if isinstance(tree, ast.Tuple) and len(tree.elts) > 1:
            return AllOf(tuple(self._condition(item, 1) for item in tree.elts))
        return self._condition(tree, 0)

    def read(self, node: ast.AST, depth: int) -> tuple[Node, Kind]:
        """A node and its kind."""
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            raise self.wrong(node, "the rule is too long", "make a tag of a part of it, and use tag('..')")
        match node:
            case ast.BoolOp(op=op, values=values):
                parts = tuple(self._condition(value, depth + 1) for value in values)
                return (AllOf(parts) if isinstance(op, ast.And) else AnyOf(parts)), "flag"
            case ast.UnaryOp(op=ast.Not(), operand=item):
                return Not(self._condition(item, depth + 1)), "flag"
            case ast.Compare():
                return self._comparison(node, depth), "flag"
            case ast.Constant() | ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
                constant = self._constant(node)
                return constant, "text" if isinstance(constant, Text) else PLAIN
            case ast.Name(id=name):
                return self._fact(node, SYNONYMS.get(name, as_written(name)))
            case ast.Attribute(value=ast.Name(id="customer"), attr=role):
                return self._fact(node, f"customer.{as_written(role)}")
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self._call(node, as_written(name), args, depth)
        raise self.wrong(node, f"{_NODE_WORDS.get(type(node), 'this')} is not part of rules")

    def _condition(self, node: ast.AST, depth: int) -> Node:
        found, kind = self.read(node, depth)
        if kind != "flag":
            raise self.wrong(node, "a condition belongs here", "such as orders >= 2")
        return found

    def _constant(self, node: ast.AST) -> Number | Text:
        sign, item = (-1, node.operand) if isinstance(node, ast.UnaryOp) else (1, node)
        if isinstance(item, ast.Constant) and not isinstance(item.value, bool):
            if isinstance(item.value, str) and sign == 1:
                return Text(item.value)
            if isinstance(item.value, int | float):
                # From the text as written: 0.1 stays a tenth.
                return Number(sign * Decimal(ast.get_source_segment(self._written.text, item) or "0"))
        raise self.wrong(node, "a number or a text in quotation marks belongs here")

    def _fact(self, node: ast.AST, name: str) -> tuple[Node, Kind]:
        there = self._words.feeds[self._feed] if self._feed else self._words.facts
        if name in there:
            return Fact(name, there[name]), there[name]
        full = f"{self._feed}.{name}" if self._feed else name
        if full in self._words.absent:
            raise self.wrong(node, f"{full} is not there", self._words.absent[full])
        if not self._feed and name in self._words.feeds:
            hint = f"count({name}) is how many there are"
            raise self.wrong(node, f"{name} names events, not a value", hint)
        raise self.wrong(node, f"there is no {name!r} here", _near(name, there))

    def _comparison(self, node: ast.Compare, depth: int) -> Node:
        found: list[Node] = []
        for sign, (left, right) in zip(node.ops, pairwise([node.left, *node.comparators]), strict=True):
            item, kind = self.read(left, depth + 1)
            if kind == "flag":
                raise self.wrong(left, "a condition is not compared", "write it alone, or with not before it")
            if isinstance(sign, ast.In | ast.NotIn):
                among = self._one_of(left, item, kind, right)
                found.append(Not(among) if isinstance(sign, ast.NotIn) else among)
                continue
            if type(sign) not in _SIGNS:
                raise self.wrong(node, "`is` is not part of rules", "write =")
            other, other_kind = self.read(right, depth + 1)
            self._check_alike(right, (item, kind), (other, other_kind))
            if kind == "text" and _SIGNS[type(sign)] not in ("==", "!="):
                raise self.wrong(right, "texts are equal or not, neither more nor less", "write = or !=")
            found.append(Compare(_SIGNS[type(sign)], item, other))
        return found[0] if len(found) == 1 else AllOf(tuple(found))

    def _one_of(self, place: ast.AST, item: Node, kind: Kind, right: ast.AST) -> OneOf:
        if isinstance(right, ast.Constant) and self._is_in_brackets(right):  # ('a') is no list to Python
            listed: list[ast.expr] = [right]
        elif isinstance(right, ast.Tuple):
            listed = right.elts
        else:
            raise self.wrong(right, "a list of values belongs here", "write in ('a', 'b')")
        if not 1 <= len(listed) <= MAX_LIST:
            raise self.wrong(right, f"a list has 1 to {MAX_LIST} values")
        values = []
        for value in listed:
            constant = self._constant(value)
            self._check_alike(value, (item, kind), (constant, "text" if isinstance(constant, Text) else PLAIN))
            values.append(constant)
        return OneOf(item, tuple(values))

    def _is_in_brackets(self, node: ast.expr) -> bool:
        return self._written.text.encode()[: node.col_offset].rstrip().endswith(b"(")

    def _check_alike(self, place: ast.AST, one: tuple[Node, Kind], other: tuple[Node, Kind]) -> None:
        """Whether two values may be compared.

        Raises:
            RuleError: if not.
        """
        (left, kind), (right, other_kind) = one, other
        if isinstance(left, Number | Text) and isinstance(right, Number | Text):
            raise self.wrong(place, "two constants say nothing about a customer")
        if isinstance(kind, Unit) and isinstance(other_kind, Unit):
            if PLAIN.name in (kind.name, other_kind.name):
                return
            if kind.name != other_kind.name:
                raise self.wrong(place, f"{kind.name} and {other_kind.name} do not compare")
            if max(kind.per, other_kind.per) % min(kind.per, other_kind.per):
                raise self.wrong(place, "these are kept in parts that do not compare", "compare each with a number")
            return
        if kind != other_kind or kind == "flag":
            raise self.wrong(place, "numbers and texts do not compare", "texts stand in quotation marks")
        texts = [item for item in (left, right) if isinstance(item, Text)]
        if not texts:
            raise self.wrong(place, "a text is compared with a text in quotation marks")
        fact = next(item for item in (left, right) if not isinstance(item, Text))
        known = self._words.words.get(fact.name, ()) if isinstance(fact, Fact) and not self._feed else ()
        if known and texts[0].value.strip().casefold() not in known:
            raise self.wrong(place, f"there is no {texts[0].value!r} here", _near(texts[0].value, known))

    def _call(self, node: ast.AST, name: str, args: list[ast.expr], depth: int) -> tuple[Node, Kind]:
        if self._feed and name != "known":
            raise self.wrong(node, "inside [..] are conditions on one event only")
        if any(isinstance(item, ast.Starred) for item in args):
            raise self.wrong(node, "* is not part of rules")
        if name == "tag" and len(args) == 1:
            code = self._constant(args[0])
            if not isinstance(code, Text) or code.value not in self._tags:
                said = code.value if isinstance(code, Text) else ""
                raise self.wrong(args[0], "no tag of this code is defined above", _near(said, self._tags))
            return Tagged(code.value), "flag"
        if name in _NAMED and len(args) == 1:
            said_so = self._constant(args[0])
            fact = f"{name}.{said_so.value if isinstance(said_so, Text) else ''}"
            there = [one.partition(".")[2] for one in self._words.facts if one.startswith(f"{name}.")]
            if fact in self._words.absent:
                raise self.wrong(args[0], "this is not there", self._words.absent[fact])
            if fact not in self._words.facts:
                raise self.wrong(args[0], "there is no such segmentation", _near(fact.partition(".")[2], there))
            return Fact(fact, self._words.facts[fact]), self._words.facts[fact]
        if name == "known" and len(args) == 1:
            item, _ = self.read(args[0], depth + 1)
            if not isinstance(item, Fact | Aggregate):
                raise self.wrong(args[0], "known() is about a fact, or about events")
            return Known(item), "flag"
        function = next((one for one in _FUNCTIONS if one == name), None)
        if function is not None and 1 <= len(args) <= 3:
            return self._aggregate(function, args, depth)
        there = [*_FUNCTIONS, "tag", *_NAMED, "known"]
        raise self.wrong(node, f"there is no {name}() of this form", _near(name, there))

    def _aggregate(self, function: Function, args: list[ast.expr], depth: int) -> tuple[Node, Kind]:
        of: ast.expr = args[0]
        role, where = "", None  # what stands behind the point, and in [..]
        if isinstance(of, ast.Attribute):
            role = as_written(of.attr)
            of = of.value
        if isinstance(of, ast.Subscript):
            where = of.slice
            of = of.value
        feed = as_written(of.id) if isinstance(of, ast.Name) else ""
        if feed in self._words.absent:
            raise self.wrong(of, f"there are no events {feed!r}", self._words.absent[feed])
        if feed not in self._words.feeds:
            raise self.wrong(of, f"there are no events {feed!r}", _near(feed, self._words.feeds))
        kind = self._unit(function, feed, role, args[0])
        if function == "share" and where is None:
            raise self.wrong(args[0], "share is of some events among all", "write share(order[weekday = 5])")
        condition = None
        if where is not None:
            self._feed = feed
            condition = self._condition(where, depth + 1)
            self._feed = ""
        since, until = [*(self._day(item) for item in args[1:]), None, None][:2]
        return Aggregate(function, feed, role, condition, since, until, kind), kind

    def _unit(self, function: Function, feed: str, role: str, place: ast.AST) -> Unit:
        """What an aggregate is in."""
        if (function in _OF_VALUES) != bool(role):
            form = f"{function}({feed}.x), x being a number" if function in _OF_VALUES else f"{function}({feed})"
            raise self.wrong(place, f"{function} is of {'a role' if function in _OF_VALUES else 'events'}", form)
        if not role:
            return DAYS if function == "days_since" else SHARE if function == "share" else COUNT
        there = self._words.feeds[feed]
        if f"{feed}.{role}" in self._words.absent:
            raise self.wrong(place, f"{feed}.{role} is not there", self._words.absent[f"{feed}.{role}"])
        kind = self._words.values.get((feed, role), there.get(role))
        if not isinstance(kind, Unit):
            numbers = [one for one, found in there.items() if isinstance(found, Unit)]
            raise self.wrong(place, f"{feed} has no numbers {role!r}", _near(role, numbers))
        return Unit(kind.name, kind.per * MEAN_PARTS) if function == "mean" else kind

    def _day(self, node: ast.AST) -> dt.date | int:
        """A day, or days before the run's, which stay so: a rule does not change with the day."""
        item = self._constant(node)
        if isinstance(item, Text) and _DAY.fullmatch(item.value):
            try:
                return dt.date.fromisoformat(item.value)
            except ValueError:
                pass
        if isinstance(item, Number) and -MAX_DAYS <= item.value <= 0 and item.value == int(item.value):
            return int(item.value)
        raise self.wrong(node, "a day belongs here", "write 'YYYY-MM-DD', or -90 for days before the run's")


_NODE_WORDS: Mapping[type[ast.AST], str] = {
    ast.BinOp: "arithmetic", ast.Lambda: "lambda", ast.Subscript: "[..] here", ast.Attribute: "this point",
    ast.Tuple: "a list here", ast.List: "a list in [..]", ast.IfExp: "if", ast.NamedExpr: ":=", ast.Await: "await",
}  # fmt: skip


def _near(name: str, known: Iterable[str]) -> str:
    listed = sorted(known)
    close = difflib.get_close_matches(name.lower(), listed, n=2, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(close)}?"
    shown = ", ".join(listed[:30])
    return f"there is: {shown}{', ...' if len(listed) > 30 else ''}" if listed else "there is none"
