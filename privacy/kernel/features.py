"""Features: what encoders may know of a customer at one or several days, as integers, and how they are scaled.

A holder computes the raw integers (``clients/data``). A scale is a public step function from such an integer to
[-1, 1], made of integer thresholds only, so that it gives the same integer whatever other rows are there, in
whichever order, on whichever machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints, model_validator

from privacy.kernel.canonical import Noun
from privacy.kernel.columns import Column

IntArray = NDArray[np.int64]

#: What a feature has where it cannot be computed: an interval of a customer with one order.
MISSING = -(1 << 62)

#: Scaled features are integers between -UNIT and UNIT, which stand for -1 and 1.
UNIT = 1 << 12

#: Names of the features that any analysis may read; one that only one analysis reads stands in that analysis' room.
FeatureName = Literal[
    "recency_days", "tenure_days", "orders", "money", "order_value", "basket",
    "orders_30", "orders_90", "orders_180", "orders_365", "money_30", "money_90", "money_180", "money_365",
    "interval_days", "interval_spread", "interval_variation", "recency_ratio", "overdue", "on_time", "idle_share",
    "tenure_180", "trend", "momentum", "loyalty", "purchase_days",
    "discount_share", "return_share", "weekend_share", "evening_share",
    "category_share_1", "category_share_2", "category_share_3", "category_share_4",
    "category_share_5", "category_share_6", "category_share_7", "category_share_8",
    "channel_share_1", "channel_share_2", "channel_share_3", "channel_share_4", "channel_share_5", "channel_share_6",
]  # fmt: skip

ListName = Literal["categories", "channels"]
#: A value of a source's column, as a study spells it.
ListedValue = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]+$")
]


#: Name of a feature, of an analysis' own or of :data:`FEATURES`.
AnyFeatureName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]

#: A raw value that a scale may name.
_Raw = Annotated[int, Field(ge=-(1 << 41), le=1 << 41)]


class Scale(Noun):
    """A public step function from a raw integer to a scaled one.

    The range between ``low`` and ``high`` is cut into at most ``steps`` steps of equal length (``linear``) or of equal
    ratio (``log``, of ``value + offset``); a value becomes its step's upper end's place between the ends, from -UNIT
    to UNIT. Values outside the range count as its ends. Thresholds given as ``upper`` (noisy quantiles of an earlier
    release, say) take the place of such steps; their places are their ranks.

    Attributes:
        kind: how steps are placed.
        low, high: ends of the range, in the feature's raw unit; public, never the data's own.
        offset: added before logarithms are taken; ``low + offset`` must be positive.
        steps: how finely; ignored for ``quantiles``.
        upper: ascending thresholds, for ``quantiles`` only.
        missing: scaled value of a missing raw value.
    """

    kind: Literal["linear", "log", "quantiles"]
    low: _Raw = 0
    high: _Raw = 1
    offset: _Raw = 1
    steps: int = Field(default=512, ge=2, le=4096)
    upper: tuple[_Raw, ...] = Field(default=(), max_length=4096)
    missing: int = Field(default=UNIT, ge=-UNIT, le=UNIT)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if (self.kind == "quantiles") != bool(self.upper):
            raise ValueError("thresholds go with kind 'quantiles', and it needs them")
        if self.kind != "quantiles" and self.low >= self.high:
            raise ValueError("low must be below high")
        if self.kind == "log" and self.low + self.offset < 1:
            raise ValueError("low + offset must be positive")
        if any(low >= high for low, high in pairwise(self.upper)):
            raise ValueError("thresholds must ascend")
        return self

    @property
    def thresholds(self) -> tuple[int, ...]:
        """Ascending inclusive upper ends of all steps but the last."""
        return self.upper or _steps(self.kind, self.low, self.high, self.offset, self.steps)[0]

    @property
    def levels(self) -> tuple[int, ...]:
        """Scaled value of every step, ascending from -UNIT or above to UNIT; one more than ``thresholds``."""
        if self.upper:
            return tuple((2 * rank - len(self.upper)) * UNIT // len(self.upper) for rank in range(len(self.upper) + 1))
        return _steps(self.kind, self.low, self.high, self.offset, self.steps)[1]

    def raw(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw values at places from -1 to 1 on the scale: the other way round, between steps by straight lines."""
        return np.interp(places * UNIT, np.array(self.levels[:-1]), np.array(self.thresholds, dtype=np.float64))

    def apply(self, raw: IntArray) -> IntArray:
        """Scale raw values; same shape, int64, from -UNIT to UNIT. Element by element, on integers only."""
        index = np.searchsorted(np.array(self.thresholds, dtype=np.int64), raw, side="left")
        return np.where(raw == MISSING, self.missing, np.array(self.levels, dtype=np.int64)[index])


@lru_cache(maxsize=256)  # bounded: the parameters come from plans
def _steps(kind: str, low: int, high: int, offset: int, steps: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Thresholds, and the scaled value of every step."""
    width = high - low
    if kind == "linear":
        upper = sorted({low + width * step // (steps - 1) for step in range(steps - 1)})
        places = [(value - low) / width for value in upper]
    else:
        first, ratio = low + offset, (high + offset) / (low + offset)
        upper = sorted({round(first * ratio ** (step / (steps - 1))) - offset for step in range(steps - 1)})
        places = [math.log((value + offset) / first) / math.log(ratio) for value in upper]
    return tuple(upper), tuple(round(UNIT * (2 * place - 1)) for place in [*places, 1.0])


class ScaledFeature(Noun):
    """One feature with its scale.

    Attributes:
        name: the feature.
        scale: its public scale.
        of: the category or channel that it is the share of; empty for other features.
    """

    name: FeatureName
    scale: Scale
    of: str = Field(default="", max_length=40)


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A feature: one of :data:`FEATURES`, or an analysis' own.

    Attributes:
        name: code.
        column: what it is made from, in the words of policies, beside the days of a customer's orders, which all are.
        unit: of the raw integer.
        en, zh: for people.
        scale: kind and public range where the study states none.
        money: whether the raw unit is minor currency units; the scale is then for a currency worth about a euro, with
            two digits, and is adapted to the study's (``Study.scaled``).
        needs: the source column that must be mapped, beside customer, order, time and amount.
        listed: the list of the study that the feature is about, and the place there, from 1.
    """

    name: str
    column: Column
    unit: str
    en: str
    zh: str
    scale: Scale
    money: bool = False
    needs: str | None = None
    listed: tuple[ListName, int] | None = None

    @property
    def share(self) -> bool:
        """Whether the feature is a part of a whole."""
        return "_share" in self.name

    def scale_in(self, factor: Fraction) -> Scale:
        """The scale where a euro is worth ``factor`` hundreds of minor units."""
        if not self.money or factor == 1:
            return self.scale
        ends = {name: max(1, round(getattr(self.scale, name) * factor)) for name in ("low", "high", "offset")
                if getattr(self.scale, name)}  # fmt: skip
        return self.scale.model_copy(update=ends)


def _log(high: int, *, low: int = 0, offset: int = 1, missing: int = UNIT) -> Scale:
    return Scale(kind="log", low=low, high=high, offset=offset, missing=missing)


def _linear(high: int, *, low: int = 0, missing: int = UNIT) -> Scale:
    return Scale(kind="linear", low=low, high=high, missing=missing)


#: In units of a hundredth of the study's money unit.
_MONEY = _log(2_000_000, offset=100)
_ORDER_VALUE = _log(500_000, low=1_000, offset=0)
_SHARE = _linear(1000, missing=-UNIT)
_CENTIDAYS, _MINOR, _PERMILLE = "days, hundredths", "minor units", "thousandths"


def _feature(name: FeatureName, column: Column, unit: str, en: str, zh: str, scale: Scale) -> Feature:
    needs = "discount" if column == "discount" else None
    return Feature(name=name, column=column, unit=unit, en=en, zh=zh, scale=scale, money=unit == _MINOR, needs=needs)


def _listed(name: FeatureName) -> Feature:
    """A share of a listed value: its place is the last part of its name."""
    place = int(name.rpartition("_")[2])
    if name.startswith("category"):
        words = (f"share of lines in category {place}", f"类别{place}购买占比")
        return Feature(name=name, column="category", unit=_PERMILLE, en=words[0], zh=words[1], scale=_SHARE,
                       needs="category", listed=("categories", place))  # fmt: skip
    words = (f"share of orders through channel {place}", f"渠道{place}订单占比")
    return Feature(name=name, column="channel", unit=_PERMILLE, en=words[0], zh=words[1], scale=_SHARE,
                   needs="channel", listed=("channels", place))  # fmt: skip


#: Every feature that several analyses may name, in a fixed order.
FEATURES: dict[str, Feature] = {
    feature.name: feature
    for feature in (
        _feature("recency_days", "recency", "days", "days since last purchase", "距上次购买天数", _log(730)),
        _feature("tenure_days", "recency", "days", "days since first purchase", "客户生命周期", _linear(730)),
        _feature("orders", "orders", "orders", "orders", "订单数", _log(50)),
        _feature("money", "money", _MINOR, "spend", "消费金额", _MONEY),
        _feature("order_value", "money", _MINOR, "spend per order", "客单价", _ORDER_VALUE),
        _feature("basket", "basket", "lines, hundredths", "lines per order", "每单商品行数", _log(10_000, offset=100)),
        _feature("orders_30", "orders", "orders", "orders, last 30 days", "近30天订单数", _log(5)),
        _feature("orders_90", "orders", "orders", "orders, last 90 days", "近90天订单数", _log(10)),
        _feature("orders_180", "orders", "orders", "orders, last 180 days", "近180天订单数", _log(15)),
        _feature("orders_365", "orders", "orders", "orders, last 365 days", "近365天订单数", _log(25)),
        _feature("money_30", "money", _MINOR, "spend, last 30 days", "近30天消费", _MONEY),
        _feature("money_90", "money", _MINOR, "spend, last 90 days", "近90天消费", _MONEY),
        _feature("money_180", "money", _MINOR, "spend, last 180 days", "近180天消费", _MONEY),
        _feature("money_365", "money", _MINOR, "spend, last 365 days", "近365天消费", _MONEY),
        _feature("interval_days", "orders", _CENTIDAYS, "mean days between orders",
                 "平均复购间隔", _log(73_000, offset=100)),
        _feature("interval_spread", "orders", _CENTIDAYS, "spread of days between orders", "复购间隔波动",
                 _log(73_000, offset=100)),
        _feature("interval_variation", "orders", _PERMILLE, "spread of days between orders, relative",
                 "复购间隔变异系数", _linear(1500, missing=-UNIT)),
        _feature("recency_ratio", "recency", _PERMILLE, "days since last purchase, in own intervals",
                 "距上次购买为自身间隔的倍数", _log(20_000, low=50, offset=0, missing=0)),
        _feature("overdue", "recency", _PERMILLE, "how far beyond the own interval", "超出自身复购间隔的程度",
                 _log(7_389, low=1000, offset=0, missing=-UNIT)),
        _feature("on_time", "recency", _PERMILLE, "how far into the own interval", "处于自身复购间隔内的位置",
                 _log(1000, low=135, offset=0)),
        _feature("idle_share", "recency", _PERMILLE, "share of lifetime since last purchase",
                 "沉默时间占生命周期比例", _SHARE),
        _feature("tenure_180", "recency", "days", "days since first purchase, first half year",
                 "前半年内的客户生命周期", _linear(180)),
        _feature("trend", "orders", "orders", "orders, last 180 days minus the 180 before", "近半年订单变化",
                 _linear(10, low=-10)),
        _feature("momentum", "orders", _PERMILLE, "orders, last 180 days to the 180 before", "近半年订单环比",
                 _log(8000, low=125, offset=0)),
        _feature("loyalty", "orders", _PERMILLE, "loyalty", "忠诚度", _log(1000, offset=10)),
        _feature("purchase_days", "orders", "days", "days with a purchase", "购买天数", _log(50)),
        _feature("discount_share", "discount", _PERMILLE, "share of lines on discount", "折扣购买占比", _SHARE),
        _feature("return_share", "returns", _PERMILLE, "share of lines returned", "退货占比", _SHARE),
        _feature("weekend_share", "daypart", _PERMILLE, "share of orders at weekends", "周末订单占比", _SHARE),
        _feature("evening_share", "daypart", _PERMILLE, "share of orders after 18:00", "晚间订单占比", _SHARE),
        *(_listed(name) for name in get_args(FeatureName) if name.startswith(("category_share_", "channel_share_"))),
    )
}  # fmt: skip

if set(FEATURES) != set(get_args(FeatureName)):  # a name without an entry, found when the module is loaded
    raise TypeError("FEATURES and FeatureName differ")


def listed_place(name: str) -> tuple[ListName, int] | None:
    """The list that a feature is about, and the place there; None for all others, among them analyses' own."""
    feature = FEATURES.get(name)
    return None if feature is None else feature.listed


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureTable:
    """Raw features of a holder's customers at several days; all arrays int64. One row is one customer.

    All days of one customer are in one row, because they are one contribution. There is no customer id here.

    Attributes:
        names: the features, in the order of the last axis.
        values: shape ``(customers, days, features)``; MISSING where a feature cannot be computed.
        eligible: shape ``(customers, days)``: 1 where the customer counts on that day, else 0.
        outcome: shape ``(customers, days)``: 1 for churned within the horizon after that day, 0 for bought again,
            -1 where the horizon is not over (or the study asks for none). Where a request asks for another outcome,
            1 for those who have it.
    """

    names: tuple[str, ...]
    values: IntArray
    eligible: IntArray
    outcome: IntArray

    def __post_init__(self) -> None:
        for array in (self.values, self.eligible, self.outcome):
            if not isinstance(array, np.ndarray) or array.dtype != np.int64:
                raise TypeError("features must be int64 arrays")
        if self.values.ndim != 3 or self.values.shape[2] != len(self.names):
            raise ValueError("values must have the shape (customers, days, features)")
        if self.eligible.shape != self.values.shape[:2] or self.outcome.shape != self.values.shape[:2]:
            raise ValueError("eligible and outcome must have the shape (customers, days)")

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def __repr__(self) -> str:
        return "FeatureTable(<private>)"

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_] | slice) -> FeatureTable:
        """The customers at ``index``, as a new table."""
        return FeatureTable(
            names=self.names, values=self.values[index], eligible=self.eligible[index], outcome=self.outcome[index]
        )

    def scaled(self, features: tuple[ScaledFeature, ...], day: int) -> IntArray:
        """Scaled features of one day, shape ``(customers, len(features))``, from -UNIT to UNIT."""
        columns = [feature.scale.apply(self.values[:, day, self.names.index(feature.name)]) for feature in features]
        return np.stack(columns, axis=1) if columns else np.zeros((len(self), 0), dtype=np.int64)
