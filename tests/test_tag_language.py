"""The language of tags: what it takes, what it refuses and where, and answers beside those of slow obvious code."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tag_kit import HOSTILE, RULES, WORDS

from privacy.tags.reader import read_rule, read_value
from privacy.tags.tree import (
    COUNT,
    SHARE,
    Aggregate,
    AllOf,
    AnyOf,
    Compare,
    Fact,
    Known,
    Node,
    Not,
    Number,
    OneOf,
    RuleError,
    Tagged,
    Text,
    Unit,
    leaves,
)
from privacy.tags.truth import Answers, Column


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_rule_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(RuleError) as caught:
        read_rule(text, WORDS, ["x"])
    assert 0 <= caught.value.place <= 400
    assert caught.value.message.startswith(f"character {caught.value.place + 1}: ")


@pytest.mark.parametrize("text", RULES)
def test_what_is_a_rule_is_read(text: str) -> None:
    assert list(leaves(read_rule(text, WORDS, ["leaving"])))


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("count(ordr) > 4", "ordr", "did you mean order?"),
        ("orders > 1 and moeny > 3", "moeny", "did you mean money?"),
        ("customer.region = '北' and orders ＞ 1", "＞", "write >"),
        ("customer.region = '北京' and ordes > 1", "ordes", "did you mean orders"),
        ("money > recency_days", "recency_days", "money and days do not compare"),
        ("segment('eight') = 'important_valu'", "'important_valu'", "did you mean important_value"),
        ("count(touch) > 1", "touch", "add [events.touch] to holder.toml"),
        ("count(order[zz = 'red']) > 1", "zz", "there is: "),
        ("R in 30..60", "30", "30 <= recency_days <= 60"),
        ("share(order, -90) > 0.5", "order", "write share(order[weekday = 5])"),
        ("order > 1", "order", "count(order) is how many"),
        ("count(order, '2024-02-30') > 1", "'2024", "YYYY-MM-DD"),
    ],
)
def test_errors_say_where_and_what_to_write(text: str, at: str, says: str) -> None:
    with pytest.raises(RuleError) as caught:
        read_rule(text, WORDS)
    assert caught.value.place == text.index(at)
    assert says in f"{caught.value.message} {caught.value.hint}"


def test_a_tree_has_what_was_written() -> None:
    found = read_rule(
        "0.1 < money <= 500, sum(order[category = 'a=b' and weekday = 5].amount, -365, '2024-01-31') >= 2", WORDS
    )
    money = Fact("money", Unit("money", 100))
    assert isinstance(found, AllOf)
    assert found.items[0] == AllOf(
        (Compare("<", Number(Decimal("0.1")), money), Compare("<=", money, Number(Decimal(500))))
    )
    where = AllOf(
        (
            Compare("==", Fact("category", "text"), Text("a=b")),
            Compare("==", Fact("weekday", COUNT), Number(Decimal(5))),
        )
    )
    spent = Aggregate("sum", "order", "amount", where, -365, dt.date(2024, 1, 31), Unit("money", 100))
    assert found.items[1] == Compare(">=", spent, Number(Decimal(2)))
    assert read_rule("R < 30, F >= 5, M > 1", WORDS) == read_rule("recency_days<30 and orders>=5 and money>1", WORDS)
    assert read_rule("customer.region in ('a')", WORDS) == OneOf(Fact("customer.region", "text"), (Text("a"),))
    assert read_value("share(order[weekday = 5])", WORDS)[1] == SHARE
    for wrong in ("orders > 1", "customer.region", "1", "tag('x')"):
        with pytest.raises(RuleError):
            read_value(wrong, WORDS)


def test_ten_thousand_rules_gone_wrong_are_read_or_refused() -> None:
    """Signs, words and pieces of rules put in, taken out and swapped: never an error of another kind."""
    rng = random.Random(5)
    pieces = [*"()[],.<>='\"- ", "==", "!=", "and", "or", "not", "in", "count", "order", "'a'", "0.5", "é", "＞", "\\"]
    pieces += ["\x00", "lambda", "for", "if", "1e9", "**", ":=", "await", "\u2028", "\ud800", "None"]
    refused = 0
    for _ in range(10_000):
        text = rng.choice(RULES)
        for _ in range(rng.randint(1, 4)):
            at, end = rng.randint(0, len(text)), rng.randint(0, 6)
            piece = rng.choice(["", rng.choice(pieces), rng.choice(RULES)[:end]])
            text = text[:at] + piece + text[at + rng.choice([0, end]) :]
        place = refusal(text)
        assert place is None or 0 <= place <= max(len(text), 400)
        refused += place is not None
    assert 5000 < refused < 10_000


def refusal(text: str) -> int | None:
    """Where a rule is refused; None if it is read. Any other error goes through."""
    try:
        read_rule(text, WORDS, ["leaving"])
    except RuleError as error:
        return error.place
    return None


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_at_a_place_in_it(text: str) -> None:
    """Nothing but a :class:`RuleError` comes of any text, and it names a place that an editor can show."""
    rule = f"{text} orders"
    place = refusal(rule)
    assert place is None or 0 <= place <= len(rule)


def test_a_number_alone_is_no_condition() -> None:
    assert refusal(" orders") is not None
    assert refusal("0< orders") is None


# --- answers ------------------------------------------------------------------------------------------------------

_SIZE = 40
_LEAVES: tuple[Node, ...] = (
    Fact("orders", COUNT), Fact("money", Unit("money", 100)), Fact("order_value", Unit("money", 10_000)),
    Fact("customer.region", "text"), Fact("customer.company", "flag"),
)  # fmt: skip
_NUMBERS = _LEAVES[:3]
_WORDS = ("north", "south", "")


def slowly(node: Node, row: dict[Node, Any], tags: dict[str, bool]) -> bool | None:
    """One customer's answer, from exact numbers: what is unknown is None."""
    match node:
        case AllOf(items) | AnyOf(items):
            found = [slowly(item, row, tags) for item in items]
            decides = isinstance(node, AnyOf)
            return decides if decides in found else None if None in found else not decides
        case Not(item):
            inner = slowly(item, row, tags)
            return None if inner is None else not inner
        case Tagged(code):
            return tags[code]
        case Known(item):
            return row[item] is not None
        case OneOf(item, values):
            return None if row[item] is None else row[item] in [value.value for value in values]
        case Compare(sign, left, right):
            one, other = (item.value if isinstance(item, Number | Text) else row[item] for item in (left, right))
            if one is None or other is None:
                return None
            signs = {"<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__", "==": "__eq__", "!=": "__ne__"}
            return bool(getattr(one, signs[sign])(other))
    return row[node]


_SIGN = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
_NUMBER = st.decimals(-20, 20, allow_nan=False, places=4).map(Number)
_MONEY = st.sampled_from(_LEAVES[1:3])
_LIST = st.lists(_NUMBER, min_size=1, max_size=3).map(tuple)
_ATOMS = st.one_of(
    st.builds(Compare, _SIGN, st.sampled_from(_NUMBERS), _NUMBER),
    st.builds(Compare, _SIGN, _NUMBER, st.sampled_from(_NUMBERS)),
    st.builds(Compare, _SIGN, _MONEY, _MONEY),
    st.builds(OneOf, st.sampled_from(_NUMBERS), _LIST),
    st.builds(Compare, st.sampled_from(["==", "!="]), st.just(_LEAVES[3]), st.sampled_from(_WORDS).map(Text)),
    st.builds(Known, st.sampled_from(_LEAVES)),
    st.just(_LEAVES[4]),
    st.just(Tagged("x")),
)
_TREES = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(AllOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(_TREES, st.integers(0, 2**32))
def test_answers_are_those_of_slow_obvious_code(node: Node, seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns: dict[Node, Column] = {}
    for leaf in _LEAVES:
        per = leaf.kind.per if isinstance(leaf, Fact) and isinstance(leaf.kind, Unit) else 1
        high = {"text": 2, "flag": 2}.get(str(getattr(leaf, "kind", "")), 21 * per)
        raw = rng.integers(0 if high == 2 else -high, high, _SIZE) // (per if rng.random() < 0.5 else 1)
        columns[leaf] = Column(raw.astype(np.int64), rng.random(_SIZE) < 0.7, _WORDS[:2])
    tagged = rng.random(_SIZE) < 0.5
    answers = Answers(columns, _SIZE)
    answers.tags["x"] = tagged
    truth = answers.truth(node)
    assert not (truth.yes & truth.no).any()
    for place in range(_SIZE):
        row: dict[Node, Any] = {}
        for leaf, column in columns.items():
            value: Any = int(column.raw[place])
            kind = leaf.kind if isinstance(leaf, Fact) else None
            value = _WORDS[value] if kind == "text" else bool(value) if kind == "flag" else Decimal(value) / kind.per
            row[leaf] = value if column.known[place] else None
        expected = slowly(node, row, {"x": bool(tagged[place])})
        assert expected is (True if truth.yes[place] else False if truth.no[place] else None)


def test_bands_count_what_is_reached() -> None:
    orders = Fact("orders", COUNT)
    columns: dict[Node, Column] = {
        orders: Column(np.array([0, 2, 3, 4, 99]), np.array([True, True, True, True, False]))
    }
    assert Answers(columns, 5).levels(orders, [Decimal(2), Decimal("3.5")]).tolist() == [0, 1, 1, 2, 0]


def test_thresholds_are_exact_far_from_zero() -> None:
    money = Fact("money", Unit("money", 100))
    columns: dict[Node, Column] = {money: Column(np.array([9 * 10**17 - 1, 9 * 10**17]), np.array([True, True]))}
    answers = Answers(columns, 2)
    limit = Decimal(9 * 10**15)
    assert answers.truth(Compare("<", money, Number(limit))).yes.tolist() == [True, False]
    assert answers.truth(Compare("<", money, Number(Decimal(10**15 * 999)))).yes.all()
