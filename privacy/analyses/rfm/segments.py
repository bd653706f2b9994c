"""Segments: from cut points to scores, and from scores to named segments.

Holders label their own customers with these rules, and the coordinator asks for totals by them; both must do it
alike, so it stands in the contract. All rules look at one customer's row only.
"""

from __future__ import annotations

import operator
import re
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints, field_validator, model_validator

from privacy.kernel.canonical import Noun, plain_decimal
from privacy.kernel.customers import CustomerColumns

RULES_LIMIT = 40

IntArray = NDArray[np.int64]


class Segment(NamedTuple):
    """A segment's stable ASCII code and its names."""

    code: str
    en: str
    zh: str


EIGHT: tuple[Segment, ...] = (
    Segment("important_value", "Important value", "重要价值客户"),
    Segment("important_growth", "Important growth", "重要发展客户"),
    Segment("important_retention", "Important retention", "重要保持客户"),
    Segment("important_win_back", "Important win-back", "重要挽留客户"),
    Segment("general_value", "General value", "一般价值客户"),
    Segment("general_growth", "General growth", "一般发展客户"),
    Segment("general_retention", "General retention", "一般保持客户"),
    Segment("general_win_back", "General win-back", "一般挽留客户"),
)

#: Value (M) by activity (R and F): the four groups, and which of the eight each is put together from.
VALUE_ACTIVITY: tuple[tuple[Segment, tuple[int, ...]], ...] = (
    (Segment("valued_active", "High value, active", "高价值高活跃"), (0,)),
    (Segment("valued_quiet", "High value, quiet", "高价值低活跃"), (1, 2, 3)),
    (Segment("modest_active", "Low value, active", "低价值高活跃"), (4,)),
    (Segment("modest_quiet", "Low value, quiet", "低价值低活跃"), (5, 6, 7)),
)

_NAMED = {
    "champions": Segment("champions", "Champions", "冠军客户"),
    "loyal": Segment("loyal_customers", "Loyal customers", "忠诚客户"),
    "potential": Segment("potential_loyalists", "Potential loyalists", "潜在忠诚客户"),
    "new": Segment("new_customers", "New customers", "新客户"),
    "promising": Segment("promising", "Promising", "有希望的客户"),
    "attention": Segment("need_attention", "Need attention", "需要关注的客户"),
    "sleep": Segment("about_to_sleep", "About to sleep", "即将沉睡的客户"),
    "risk": Segment("at_risk", "At risk", "有流失风险的客户"),
    "cant_lose": Segment("cant_lose", "Cannot lose", "不能失去的客户"),
    "hibernating": Segment("hibernating", "Hibernating", "沉睡客户"),
    "lost": Segment("lost", "Lost", "已流失客户"),
}

#: The grids of the schemes on (R, F): row = R score 1 to 5, column = F score 1 to 5. The ten-segment grid is the
#: one that CRM tools and course notebooks share; the eleven-segment grid splits ``lost`` off ``hibernating``.
_TEN_GRID = (
    ("hibernating", "hibernating", "risk", "risk", "cant_lose"),
    ("hibernating", "hibernating", "risk", "risk", "cant_lose"),
    ("sleep", "sleep", "attention", "loyal", "loyal"),
    ("promising", "potential", "potential", "loyal", "loyal"),
    ("new", "potential", "potential", "champions", "champions"),
)
_ELEVEN_GRID = (("lost", "lost", "risk", "risk", "cant_lose"), *_TEN_GRID[1:])

_TEN_ORDER = (
    "champions", "loyal", "potential", "new", "promising", "attention", "sleep", "risk", "cant_lose", "hibernating",
)  # fmt: skip
_ELEVEN_ORDER = (*_TEN_ORDER, "lost")

OTHER = Segment("other", "Other", "其他客户")
#: Code of labels for customers who are in no segment, because they bought nothing in a study's window of days.
OUTSIDE = "outside_window"


def outside_window(days: int) -> Segment:
    """What customers are labelled with who have bought, but nothing in the last ``days`` days."""
    return Segment(OUTSIDE, f"No purchase in {days:,} days", f"近 {days:,} 天无购买")


_OPERATORS = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_CONDITION = re.compile(r"^([RFM])\s*(<=|>=|<|>|=|in)\s*(\S.*)$")
_COLUMN = {"R": "recency_days", "F": "orders", "M": "money"}
_NUMBER_TEXT = r"\d{1,15}(?:\.\d{1,6})?"
_RANGE = re.compile(rf"^({_NUMBER_TEXT})\s*\.\.\s*({_NUMBER_TEXT})$")
_NUMBER = re.compile(rf"^{_NUMBER_TEXT}$")
#: Length of a rule's text, as written and as rewritten.
_RULE_LENGTH = 400


class _Condition(NamedTuple):
    column: str
    comparison: str
    value: Decimal


def _parse_conditions(text: str) -> tuple[_Condition, ...]:
    conditions: list[_Condition] = []
    for part in re.split(r",|\band\b", text):
        part = part.strip()
        match = _CONDITION.match(part)
        if match is None:
            raise ValueError(
                f"cannot read {part!r}; write conditions such as 'R<30, F>=5, M>=500' or 'R in 30..60' "
                "(R: days since the last purchase, F: orders, M: money)"
            )
        letter, comparison, value = match.groups()
        if comparison == "in":
            bounds = _RANGE.match(value)
            if bounds is None:
                raise ValueError(f"cannot read {part!r}; write a range as 'R in 30..60'")
            low, high = Decimal(bounds[1]), Decimal(bounds[2])
            if low > high:
                raise ValueError(f"the range in {part!r} is empty")
            conditions += [_Condition(letter, ">=", low), _Condition(letter, "<=", high)]
        elif _NUMBER.match(value):
            conditions.append(_Condition(letter, comparison, Decimal(value)))
        else:
            raise ValueError(f"{value!r} in {part!r} is not a number")
    return tuple(conditions)


class ThresholdRule(Noun):
    """An operator's own segment, such as ``R<30, F>=5, M>=500``; all conditions must hold.

    Attributes:
        code: stable ASCII code of the segment.
        when: conditions on R (recency_days), F (orders) and M (money, in the study's currency), joined by
            commas or ``and``; ``R in 30..60`` includes both ends.
        en, zh: names for people; the code where not given.
    """

    code: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    when: str = Field(min_length=3, max_length=_RULE_LENGTH)
    en: str = Field(default="", max_length=60)
    zh: str = Field(default="", max_length=60)

    @field_validator("code")
    @classmethod
    def _not_other(cls, value: str) -> str:
        if value == OTHER.code:
            raise ValueError("'other' names the customers that no rule fits")
        return value

    @field_validator("when")
    @classmethod
    def _readable(cls, value: str) -> str:
        text = ", ".join(f"{c.column}{c.comparison}{plain_decimal(c.value)}" for c in _parse_conditions(value))
        if len(text) > _RULE_LENGTH:
            raise ValueError("the rule is too long")
        return text

    def between(self, letter: str) -> tuple[Decimal | None, Decimal | None]:
        """Least and most that the rule lets a fact be (``F`` or ``M``), in its own unit; None where it says nothing.

        Ends that a condition excludes are taken in: the range is at most one minor unit too wide.
        """
        low: list[Decimal] = []
        high: list[Decimal] = []
        for column, comparison, value in _parse_conditions(self.when):
            if column == letter:
                low += [value] if comparison in (">", ">=", "=") else []
                high += [value] if comparison in ("<", "<=", "=") else []
        return max(low, default=None), min(high, default=None)

    def fits(self, columns: CustomerColumns, money_unit: int) -> NDArray[np.bool_]:
        """Which customers the rule fits, shape ``(customers,)``; ``money_unit`` is minor units per unit."""
        result = np.ones(len(columns), dtype=bool)
        for column, comparison, value in _parse_conditions(self.when):
            scaled = value * money_unit if column == "M" else value
            values = getattr(columns, _COLUMN[column])
            result &= _compare(values, comparison, scaled)
        return result


def _compare(values: IntArray, comparison: str, bound: Decimal) -> NDArray[np.bool_]:
    """Compare integers with an exact decimal without going through floats."""
    whole = int(bound // 1)
    if bound != whole:  # between two integers: > and >= agree, < and <= agree, = never holds
        if comparison == "=":
            return np.zeros(len(values), dtype=bool)
        return values > whole if comparison in (">", ">=") else values <= whole
    return np.asarray(_OPERATORS[comparison](values, whole))


Cut = Annotated[int, Field(ge=-(1 << 62), le=1 << 62)]
FourCuts = Annotated[tuple[Cut, ...], Field(min_length=4, max_length=4)]


class CutPoints(Noun):
    """Cut points of the three facts, all inclusive as stated; integers in the customer table's units.

    Attributes:
        recency_days: ascending; R is 5 at or below the first, 4 at or below the second, ... 1 above the last.
        orders: ascending; F is 1 plus the number of these that the order count reaches (``>=``).
        money: ascending, minor units; M is 1 plus the number of these that the spend exceeds (``>``).
        recency_high: R is high at or below this many days.
        orders_high: F is high at or above this count.
        money_high: M is high above this spend, in minor units.
    """

    recency_days: FourCuts
    orders: FourCuts
    money: FourCuts
    recency_high: Cut
    orders_high: Cut
    money_high: Cut

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for name in ("recency_days", "orders", "money"):
            cuts = getattr(self, name)
            if list(cuts) != sorted(cuts):
                raise ValueError(f"{name} must ascend")
        return self

    def scores(self, columns: CustomerColumns) -> tuple[IntArray, IntArray, IntArray]:
        """R, F and M scores 1 to 5, each of shape ``(customers,)``; 5 is best."""
        r = 5 - np.searchsorted(np.array(self.recency_days), columns.recency_days, side="left")
        f = 1 + np.searchsorted(np.array(self.orders), columns.orders, side="right")
        m = 1 + np.searchsorted(np.array(self.money), columns.money, side="left")
        return r.astype(np.int64), f.astype(np.int64), m.astype(np.int64)


class SegmentRules(Noun):
    """Everything that turns a customer's R, F and M into segments; public once released.

    Attributes:
        cuts: the released cut points.
        thresholds: the operators' own rules, first fit wins.
        money_unit: minor units in one unit of the study's currency (100 for EUR).
    """

    cuts: CutPoints
    thresholds: tuple[ThresholdRule, ...] = Field(default=(), max_length=RULES_LIMIT)
    money_unit: int = Field(ge=1, le=1000)

    def segments(self, scheme: str) -> tuple[Segment, ...]:
        """The segments of a scheme in their fixed order."""
        return SCHEMES[scheme].segments(self)

    def assign(self, scheme: str, columns: CustomerColumns) -> IntArray:
        """Index into ``segments(scheme)`` for every customer, shape ``(customers,)``."""
        return SCHEMES[scheme].assign(self, columns)


class Scheme(Protocol):
    """A segmentation: assigns every customer exactly one segment."""

    def segments(self, rules: SegmentRules) -> tuple[Segment, ...]:
        """The segments in their fixed order."""
        ...

    def assign(self, rules: SegmentRules, columns: CustomerColumns) -> IntArray:
        """Index into the segments for every customer, shape ``(customers,)``."""
        ...


class _Eight:
    def segments(self, rules: SegmentRules) -> tuple[Segment, ...]:
        return EIGHT

    def assign(self, rules: SegmentRules, columns: CustomerColumns) -> IntArray:
        cuts = rules.cuts
        r = columns.recency_days <= cuts.recency_high
        f = columns.orders >= cuts.orders_high
        m = columns.money > cuts.money_high
        # Order of EIGHT: M high before low; within, (R,F) = hh, hl, lh, ll.
        index: IntArray = ((~m) * 4 + (~r) * 2 + (~f) * 1).astype(np.int64)
        return index


class _ValueActivity:
    """Sums of the eight: totals by them are in those of the eight, and are asked nobody."""

    def segments(self, rules: SegmentRules) -> tuple[Segment, ...]:
        return tuple(segment for segment, _ in VALUE_ACTIVITY)

    def assign(self, rules: SegmentRules, columns: CustomerColumns) -> IntArray:
        group = {eight: place for place, (_, members) in enumerate(VALUE_ACTIVITY) for eight in members}
        by_eight = np.array([group[place] for place in range(len(EIGHT))], dtype=np.int64)
        return np.asarray(by_eight[_Eight().assign(rules, columns)])


class _Grid:
    def __init__(self, grid: tuple[tuple[str, ...], ...], order: tuple[str, ...]) -> None:
        self._segments = tuple(_NAMED[name] for name in order)
        self._index = np.array([[order.index(name) for name in row] for row in grid], dtype=np.int64)

    def segments(self, rules: SegmentRules) -> tuple[Segment, ...]:
        return self._segments

    def f_scores(self) -> list[list[int]]:
        """F scores of each segment's cells, counted from 0, ascending."""
        return [sorted(np.nonzero(self._index == place)[1].tolist()) for place in range(len(self._segments))]

    def by_scores(self, r: IntArray, f: IntArray) -> IntArray:
        return np.asarray(self._index[r - 1, f - 1])

    def assign(self, rules: SegmentRules, columns: CustomerColumns) -> IntArray:
        r, f, _ = rules.cuts.scores(columns)
        return self.by_scores(r, f)


class _Rules:
    def segments(self, rules: SegmentRules) -> tuple[Segment, ...]:
        own = (Segment(rule.code, rule.en or rule.code, rule.zh or rule.code) for rule in rules.thresholds)
        return (*own, OTHER)

    def assign(self, rules: SegmentRules, columns: CustomerColumns) -> IntArray:
        result = np.full(len(columns), len(rules.thresholds), dtype=np.int64)
        for index in reversed(range(len(rules.thresholds))):
            result[rules.thresholds[index].fits(columns, rules.money_unit)] = index
        return result


_GRIDS = {"ten": _Grid(_TEN_GRID, _TEN_ORDER), "eleven": _Grid(_ELEVEN_GRID, _ELEVEN_ORDER)}

#: The catalogue of segmentations.
SCHEMES: dict[str, Scheme] = {"eight": _Eight(), **_GRIDS, "rules": _Rules(), "value_activity": _ValueActivity()}

SchemeName = Literal["eight", "ten", "eleven", "rules", "value_activity"]
#: Those by which totals are asked.
MeasuredName = Literal["eight", "ten", "eleven", "rules"]


def orders_of_grid(cuts: CutPoints, scheme: str) -> tuple[tuple[int | None, int | None], ...]:
    """Least and most orders of each segment of ``ten`` or ``eleven``: the hull of its F scores; None where open."""
    lows, highs = (None, *cuts.orders), (*(cut - 1 for cut in cuts.orders), None)
    return tuple((lows[scores[0]], highs[scores[-1]]) for scores in _GRIDS[scheme].f_scores())


def segments_of_scores(scheme: Literal["ten", "eleven"], r: IntArray, f: IntArray) -> IntArray:
    """Index of the segment for given R and F scores (1 to 5), for scores that come from elsewhere."""
    return _GRIDS[scheme].by_scores(r, f)
