"""Segments: golden tables of scores and segments, the operators' own rules, and that every scheme is a partition."""

from __future__ import annotations

import re
from decimal import Decimal

import numpy as np
import pytest
from analyses.rfm.examples import RULES
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from row_kits import INT64_MAX, INT64_MIN, Row, rows, rows_of, table, tables

from privacy.analyses.rfm.segments import (
    EIGHT,
    OTHER,
    SCHEMES,
    CutPoints,
    SegmentRules,
    ThresholdRule,
    segments_of_scores,
)
from privacy.kernel.customers import CustomerColumns

CUTS = CutPoints(
    recency_days=(10, 30, 90, 365),
    orders=(2, 3, 5, 9),
    money=(1_000, 5_000, 20_000, 100_000),
    recency_high=60,
    orders_high=2,
    money_high=10_000,
)


def scores_of(cuts: CutPoints, values: list[Row]) -> list[tuple[int, int, int]]:
    r, f, m = cuts.scores(table(values))
    return list(zip(r.tolist(), f.tolist(), m.tolist(), strict=True))


# --- scores ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "score"),
    [(-5, 5), (0, 5), (10, 5), (11, 4), (30, 4), (31, 3), (90, 3), (91, 2), (365, 2), (366, 1), (INT64_MAX, 1)],
)
def test_recency_scores_include_their_upper_end(days: int, score: int) -> None:
    assert scores_of(CUTS, [(days, 1, 0, 0)])[0][0] == score


@pytest.mark.parametrize(
    ("orders", "score"), [(INT64_MIN, 1), (1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (8, 4), (9, 5), (INT64_MAX, 5)]
)
def test_order_scores_include_their_lower_end(orders: int, score: int) -> None:
    assert scores_of(CUTS, [(0, orders, 0, 0)])[0][1] == score


@pytest.mark.parametrize(
    ("money", "score"),
    [(INT64_MIN, 1), (-1, 1), (1_000, 1), (1_001, 2), (5_000, 2), (5_001, 3), (100_000, 4), (100_001, 5)],
)
def test_money_scores_exceed_their_cut(money: int, score: int) -> None:
    assert scores_of(CUTS, [(0, 1, money, 0)])[0][2] == score


def test_equal_cuts_skip_scores_and_never_split_a_tie() -> None:
    """Over 60% with one order: several cuts coincide, and equal customers still get equal scores."""
    tied = CUTS.model_copy(update={"orders": (2, 2, 2, 3), "recency_days": (7, 7, 30, 30), "money": (0, 0, 0, 50)})
    customers = [(7, 1, 0, 0), (8, 2, 1, 0), (31, 3, 51, 0), (7, 1, 0, 0)]
    assert scores_of(tied, customers) == [(5, 1, 1), (3, 4, 4), (1, 5, 5), (5, 1, 1)]


@given(rows, rows)
@settings(max_examples=100, deadline=None)
def test_scores_are_monotone(one: Row, other: Row) -> None:
    (r1, f1, m1), (r2, f2, m2) = scores_of(CUTS, [one, other])
    assert (r1 - r2) * ((one[0] > other[0]) - (one[0] < other[0])) <= 0
    assert (f1 - f2) * ((one[1] > other[1]) - (one[1] < other[1])) >= 0
    assert (m1 - m2) * ((one[2] > other[2]) - (one[2] < other[2])) >= 0


@pytest.mark.parametrize("name", ["recency_days", "orders", "money"])
@pytest.mark.parametrize("cuts", [(1, 2, 3), (1, 2, 3, 4, 5), (4, 3, 2, 1), (1, 2, 4, 3)])
def test_cuts_are_four_and_ascend(name: str, cuts: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError):
        CutPoints.model_validate({**CUTS.model_dump(), name: cuts})


# --- eight segments ----------------------------------------------------------------------------------------------

#: R, F, M (high or low) to the segment's names, as the practice guides print the table.
EIGHT_TABLE = [
    ("high", "high", "high", "Important value", "重要价值客户"),
    ("high", "low", "high", "Important growth", "重要发展客户"),
    ("low", "high", "high", "Important retention", "重要保持客户"),
    ("low", "low", "high", "Important win-back", "重要挽留客户"),
    ("high", "high", "low", "General value", "一般价值客户"),
    ("high", "low", "low", "General growth", "一般发展客户"),
    ("low", "high", "low", "General retention", "一般保持客户"),
    ("low", "low", "low", "General win-back", "一般挽留客户"),
]


@pytest.mark.parametrize(("r", "f", "m", "en", "zh"), EIGHT_TABLE)
def test_the_eight_segments(r: str, f: str, m: str, en: str, zh: str) -> None:
    customers = [
        (days, orders, money, 0)
        for days in ((0, 60) if r == "high" else (61, 10_000))
        for orders in ((2, 50) if f == "high" else (0, 1))
        for money in ((10_001, 10**9) if m == "high" else (-5, 10_000))
    ]
    for index in RULES.assign("eight", table(customers)).tolist():
        assert (EIGHT[index].en, EIGHT[index].zh) == (en, zh)


# --- ten and eleven segments ---------------------------------------------------------------------------------------

#: The map that CRM tools and notebooks share: a pattern of (R, F) scores to a code. First fit wins.
TEN_PATTERNS = [
    (r"[12][12]", "hibernating"),
    (r"[12][34]", "at_risk"),
    (r"[12]5", "cant_lose"),
    (r"3[12]", "about_to_sleep"),
    (r"33", "need_attention"),
    (r"[34][45]", "loyal_customers"),
    (r"41", "promising"),
    (r"51", "new_customers"),
    (r"[45][23]", "potential_loyalists"),
    (r"5[45]", "champions"),
]
ELEVEN_PATTERNS = [(r"1[12]", "lost"), *TEN_PATTERNS]


@pytest.mark.parametrize(("scheme", "patterns"), [("ten", TEN_PATTERNS), ("eleven", ELEVEN_PATTERNS)])
@pytest.mark.parametrize("r", range(1, 6))
@pytest.mark.parametrize("f", range(1, 6))
def test_every_cell_of_the_grids(scheme: str, patterns: list[tuple[str, str]], r: int, f: int) -> None:
    expected = next(code for pattern, code in patterns if re.fullmatch(pattern, f"{r}{f}"))
    index = int(segments_of_scores(scheme, np.array([r]), np.array([f]))[0])
    assert RULES.segments(scheme)[index].code == expected
    days = {5: 10, 4: 30, 3: 90, 2: 365, 1: 366}[r]
    orders = {1: 1, 2: 2, 3: 4, 4: 5, 5: 9}[f]
    assert int(RULES.assign(scheme, table([(days, orders, 0, 0)]))[0]) == index


@pytest.mark.parametrize(
    ("scheme", "count"), [("eight", 8), ("ten", 10), ("eleven", 11), ("rules", 4), ("value_activity", 4)]
)
def test_segments_have_distinct_stable_codes_and_two_names(scheme: str, count: int) -> None:
    segments = RULES.segments(scheme)
    assert len(segments) == count
    assert len({segment.code for segment in segments}) == count
    for segment in segments:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", segment.code)
        assert segment.en
        assert segment.zh


# --- every scheme is a partition -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
@given(columns=tables())
@settings(max_examples=60, deadline=None)
def test_every_customer_is_in_exactly_one_segment(scheme: str, columns: CustomerColumns) -> None:
    assigned = RULES.assign(scheme, columns)
    assert assigned.shape == (len(columns),)
    assert assigned.dtype == np.int64
    assert all(0 <= index < len(RULES.segments(scheme)) for index in assigned.tolist())
    alone = [int(RULES.assign(scheme, table([row]))[0]) for row in rows_of(columns)]
    assert assigned.tolist() == alone  # nobody's segment depends on the others


# --- the operators' own rules --------------------------------------------------------------------------------------

_SLOW = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
}

_numbers = st.decimals(min_value=0, max_value=10**7, allow_nan=False, places=3).map(lambda d: format(d, "f"))
_conditions = st.one_of(
    st.tuples(st.sampled_from("RFM"), st.sampled_from(list(_SLOW)), _numbers),
    st.tuples(
        st.sampled_from("RFM"), st.just("in"), st.tuples(_numbers, _numbers).map(lambda pair: sorted(pair, key=Decimal))
    ),
)


def _text(condition: tuple) -> str:
    letter, comparison, value = condition
    return f"{letter} in {value[0]}..{value[1]}" if comparison == "in" else f"{letter}{comparison}{value}"


def _holds(condition: tuple, row: Row, unit: int) -> bool:
    letter, comparison, value = condition
    fact = Decimal(row["RFM".index(letter)]) / (unit if letter == "M" else 1)
    if comparison == "in":
        return Decimal(value[0]) <= fact <= Decimal(value[1])
    return _SLOW[comparison](fact, Decimal(value))


@given(conditions=st.lists(_conditions, min_size=1, max_size=3), unit=st.sampled_from([1, 100, 1000]), data=st.data())
@settings(max_examples=150, deadline=None)
def test_rules_mean_what_they_say(conditions: list[tuple], unit: int, data: st.DataObject) -> None:
    near = [int(Decimal(v) * u) + d for c in conditions for v in (c[2] if c[1] == "in" else [c[2]])
            for u in (1, unit) for d in (-1, 0, 1)]  # fmt: skip
    values = st.one_of(st.sampled_from(near), st.integers(-5, 10**9))
    customers = data.draw(st.lists(st.tuples(values, values, values, values), min_size=1, max_size=6))
    separator = data.draw(st.sampled_from([", ", ",", " and "]))
    rule = ThresholdRule(code="own", when=separator.join(map(_text, conditions)))
    expected = [all(_holds(condition, row, unit) for condition in conditions) for row in customers]
    assert rule.fits(table(customers), unit).tolist() == expected
    again = ThresholdRule.parse(rule.canonical())
    assert again == rule
    assert again.fits(table(customers), unit).tolist() == expected


@pytest.mark.parametrize(
    ("when", "canonical"),
    [
        ("R<30, F>=5, M>=500", "R<30, F>=5, M>=500"),
        ("R < 30 and F >= 5", "R<30, F>=5"),
        ("  R<030.50 ", "R<30.5"),
        ("R in 30..60", "R>=30, R<=60"),
        ("R in 30 .. 60", "R>=30, R<=60"),
        ("F=2", "F=2"),
        ("M>0.10", "M>0.1"),
        ("M<=10000000", "M<=10000000"),
    ],
)
def test_rules_have_one_spelling(when: str, canonical: str) -> None:
    rule = ThresholdRule(code="own", when=when)
    assert rule.when == canonical
    assert rule.digest == ThresholdRule(code="own", when=canonical).digest


@pytest.mark.parametrize(
    ("when", "complaint"),
    [
        ("R<30,", "cannot read ''"),
        ("R30", "cannot read 'R30'"),
        ("X<30", "cannot read 'X<30'"),
        ("r<30", "cannot read"),
        ("R<-1", "not a number"),
        ("R<1e3", "not a number"),
        ("R==3", "not a number"),
        ("R<NaN", "not a number"),
        ("R<1.2.3", "not a number"),
        ("R in 30", "write a range"),
        ("R in 60..30", "is empty"),
        ("R in a..b", "write a range"),
        ("R<30 or F>2", "not a number"),
        ("R<30; DROP TABLE", "not a number"),
    ],
)
def test_rules_that_cannot_be_read_say_what_to_write(when: str, complaint: str) -> None:
    with pytest.raises(ValidationError) as error:
        ThresholdRule(code="own", when=when)
    assert complaint in str(error.value)


@pytest.mark.parametrize("code", ["", "Other", "other", "1st", "a b", "a" * 41, "é"])
def test_codes_are_short_ascii_and_not_other(code: str) -> None:
    with pytest.raises(ValidationError):
        ThresholdRule(code=code, when="R<30")


def test_the_first_rule_that_fits_wins_and_the_rest_is_other() -> None:
    rules = SegmentRules(
        cuts=CUTS,
        thresholds=(
            ThresholdRule(code="fresh", when="R<30", en="Fresh", zh="新"),
            ThresholdRule(code="busy", when="F>=5"),
        ),
        money_unit=100,
    )
    assigned = rules.assign("rules", table([(5, 9, 0, 0), (40, 9, 0, 0), (40, 1, 0, 0), (5, 1, 0, 0)]))
    assert [rules.segments("rules")[index].code for index in assigned] == ["fresh", "busy", "other", "fresh"]
    assert rules.segments("rules")[-1] == OTHER
    assert rules.segments("rules")[1].en == "busy"  # the code where no name is given


def test_money_is_compared_in_the_studys_currency() -> None:
    rule = ThresholdRule(code="own", when="M>=12.345")
    for unit, inside, outside in ((100, 1235, 1234), (1, 13, 12), (1000, 12_345, 12_344)):
        assert rule.fits(table([(0, 0, inside, 0), (0, 0, outside, 0)]), unit).tolist() == [True, False]


def test_a_decimal_between_integers_is_never_equal() -> None:
    columns = table([(0, value, 0, 0) for value in (1, 2, 3)])
    fits = {c: ThresholdRule(code="own", when=f"F{c}2.5").fits(columns, 1).tolist() for c in _SLOW}
    assert fits["<"] == fits["<="] == [True, True, False]
    assert fits[">"] == fits[">="] == [False, False, True]
    assert fits["="] == [False, False, False]


def test_a_long_rule_can_be_read_again() -> None:
    """``R in 1..2`` is rewritten as ``R>=1, R<=2``, which is longer: the limit holds for what is kept."""
    rule = ThresholdRule(code="own", when=", ".join(["R in 1..2"] * 33))
    assert len(rule.when) == 394
    assert ThresholdRule.parse(rule.canonical()) == rule
    with pytest.raises(ValidationError, match="too long"):
        ThresholdRule(code="own", when=", ".join(["R in 1..2"] * 34))


@pytest.mark.parametrize("number", ["9" * 16, "1" * 30, "1.1234567", "0." + "0" * 6 + "1"])
def test_a_rule_with_a_very_long_number_is_refused(number: str) -> None:
    """What is accepted must never fail later, when the holder has charged already."""
    for text in (f"M>={number}", f"M in 0..{number}"):
        with pytest.raises(ValidationError):
            ThresholdRule(code="own", when=text)


def test_the_longest_numbers_of_a_rule_work() -> None:
    rule = ThresholdRule(code="own", when="M>=" + "9" * 15 + ".123456")
    for unit in (1, 100, 1000):
        border = int("9" * 15) * unit + (123_456 * unit) // 10**6
        columns = table([(0, 0, border, 0), (0, 0, border + 1, 0), (0, 0, INT64_MAX, 0)])
        assert rule.fits(columns, unit).tolist() == [False, True, True]


@pytest.mark.parametrize("field", ["recency_high", "orders_high", "money_high"])
def test_cuts_stay_within_what_columns_can_hold(field: str) -> None:
    for value in (-(1 << 62), 1 << 62):
        assert RULES.cuts.model_copy(update={field: value}) == type(RULES.cuts)(**{**dict(RULES.cuts), field: value})
    for value in (-(1 << 62) - 1, (1 << 62) + 1):
        with pytest.raises(ValidationError):
            type(RULES.cuts)(**{**dict(RULES.cuts), field: value})
