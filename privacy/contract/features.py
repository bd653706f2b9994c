"""Features: what encoders may know of a customer at one or several days, as integers, and how they are scaled.

A holder computes the raw integers (``clients/data``). A scale is a public step function from such an integer to
[-1, 1], made of integer thresholds only, so that it gives the same integer whatever other rows are there, in
whichever order, on whichever machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from privacy.contract.canonical import Noun

IntArray = NDArray[np.int64]

#: What a feature has where it cannot be computed: an interval of a customer with one order.
MISSING = -(1 << 62)

#: Scaled features are integers between -UNIT and UNIT, which stand for -1 and 1.
UNIT = 1 << 12

FeatureName = Literal[
    "recency_days", "tenure_days", "orders", "money", "order_value", "basket",
    "orders_30", "orders_90", "orders_180", "orders_365", "money_30", "money_90", "money_180", "money_365",
    "interval_days", "interval_spread", "recency_ratio", "trend",
    "discount_share", "return_share", "weekend_share", "evening_share",
]  # fmt: skip


class Scale(Noun):
    """A public step function from a raw integer to a scaled one.

    The range between ``low`` and ``high`` is cut into at most ``steps`` steps of equal length (``linear``) or of equal
    ratio (``log``, of ``value - low + 1``); a value becomes its step's upper end's place between the ends, from -UNIT
    to UNIT. Values outside the range count as its ends. Thresholds given as ``upper`` (noisy quantiles of an earlier
    release, say) take the place of such steps; their places are their ranks.

    Attributes:
        kind: how steps are placed.
        low, high: ends of the range, in the feature's raw unit; public, never the data's own.
        steps: how finely; ignored for ``quantiles``.
        upper: ascending thresholds, for ``quantiles`` only.
        missing: scaled value of a missing raw value.
    """

    kind: Literal["linear", "log", "quantiles"]
    low: int = Field(default=0, ge=-(1 << 41), le=1 << 41)
    high: int = Field(default=1, ge=-(1 << 41), le=1 << 41)
    steps: int = Field(default=512, ge=2, le=4096)
    upper: tuple[int, ...] = Field(default=(), max_length=4096)
    missing: int = Field(default=UNIT, ge=-UNIT, le=UNIT)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if (self.kind == "quantiles") != bool(self.upper):
            raise ValueError("thresholds go with kind 'quantiles', and it needs them")
        if self.kind != "quantiles" and self.low >= self.high:
            raise ValueError("low must be below high")
        if any(low >= high for low, high in pairwise(self.upper)):
            raise ValueError("thresholds must ascend")
        if self.upper and (self.upper[0] < -(1 << 41) or self.upper[-1] > 1 << 41):
            raise ValueError("thresholds are out of range")
        return self

    @property
    def thresholds(self) -> tuple[int, ...]:
        """Ascending inclusive upper ends of all steps but the last."""
        return self.upper or _steps(self.kind, self.low, self.high, self.steps)[0]

    @property
    def levels(self) -> tuple[int, ...]:
        """Scaled value of every step, ascending from -UNIT or above to UNIT; one more than ``thresholds``."""
        if self.upper:
            return tuple((2 * rank - len(self.upper)) * UNIT // len(self.upper) for rank in range(len(self.upper) + 1))
        return _steps(self.kind, self.low, self.high, self.steps)[1]

    def apply(self, raw: IntArray) -> IntArray:
        """Scale raw values; same shape, int64, from -UNIT to UNIT. Element by element, on integers only."""
        index = np.searchsorted(np.array(self.thresholds, dtype=np.int64), raw, side="left")
        return np.where(raw == MISSING, self.missing, np.array(self.levels, dtype=np.int64)[index])


@lru_cache(maxsize=256)  # bounded: the parameters come from plans
def _steps(kind: str, low: int, high: int, steps: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Thresholds, and the scaled value of every step."""
    width = high - low
    if kind == "linear":
        upper = sorted({low + width * step // (steps - 1) for step in range(steps - 1)})
        places = [(value - low) / width for value in upper]
    else:
        upper = sorted({low - 1 + round((width + 1) ** (step / (steps - 1))) for step in range(steps - 1)})
        places = [math.log(value - low + 1) / math.log(width + 1) for value in upper]
    return tuple(upper), tuple(round(UNIT * (2 * place - 1)) for place in [*places, 1.0])


class ScaledFeature(Noun):
    """One feature with its scale."""

    name: FeatureName
    scale: Scale


@dataclass(frozen=True, kw_only=True)
class Feature:
    """An entry of the catalogue.

    Attributes:
        name: code.
        unit: of the raw integer.
        en, zh: for people.
        scale: kind and public range where the study states none; a ``money`` range is multiplied by the study's
            money unit (minor units a major unit, times what its currency is worth, see ``Study.money_bounds``).
        money: whether the raw unit is minor currency units.
        needs: the source column that must be mapped, beside customer, order, time and amount.
    """

    name: FeatureName
    unit: str
    en: str
    zh: str
    scale: Scale
    money: bool = False
    needs: str | None = None


def _days(high: int = 3650) -> Scale:
    return Scale(kind="log", low=0, high=high)


def _orders(high: int) -> Scale:
    return Scale(kind="log", low=0, high=high)


_MONEY = Scale(kind="log", low=0, high=100_000)
_SHARE = Scale(kind="linear", low=0, high=1000, missing=-UNIT)

#: Every feature that a study may name, in a fixed order.
FEATURES: dict[FeatureName, Feature] = {
    feature.name: feature
    for feature in (
        Feature(name="recency_days", unit="days", en="days since last purchase", zh="距上次购买天数", scale=_days()),
        Feature(name="tenure_days", unit="days", en="days since first purchase", zh="客户生命周期", scale=_days()),
        Feature(name="orders", unit="orders", en="orders", zh="订单数", scale=_orders(200)),
        Feature(name="money", unit="minor units", en="spend", zh="消费金额", scale=_MONEY, money=True),
        Feature(name="order_value", unit="minor units", en="spend per order", zh="客单价", scale=_MONEY, money=True),
        Feature(name="basket", unit="lines, hundredths", en="lines per order", zh="每单商品行数",
                scale=Scale(kind="log", low=0, high=20_000)),
        Feature(name="orders_30", unit="orders", en="orders, last 30 days", zh="近30天订单数", scale=_orders(20)),
        Feature(name="orders_90", unit="orders", en="orders, last 90 days", zh="近90天订单数", scale=_orders(50)),
        Feature(name="orders_180", unit="orders", en="orders, last 180 days", zh="近180天订单数", scale=_orders(100)),
        Feature(name="orders_365", unit="orders", en="orders, last 365 days", zh="近365天订单数", scale=_orders(200)),
        Feature(name="money_30", unit="minor units", en="spend, last 30 days", zh="近30天消费", scale=_MONEY,
                money=True),
        Feature(name="money_90", unit="minor units", en="spend, last 90 days", zh="近90天消费", scale=_MONEY,
                money=True),
        Feature(name="money_180", unit="minor units", en="spend, last 180 days", zh="近180天消费", scale=_MONEY,
                money=True),
        Feature(name="money_365", unit="minor units", en="spend, last 365 days", zh="近365天消费", scale=_MONEY,
                money=True),
        Feature(name="interval_days", unit="days, hundredths", en="mean days between orders", zh="平均复购间隔",
                scale=_days(100_000)),
        Feature(name="interval_spread", unit="days, hundredths", en="spread of days between orders", zh="复购间隔波动",
                scale=_days(100_000)),
        Feature(name="recency_ratio", unit="thousandths", en="days since last purchase, in own intervals",
                zh="距上次购买与自身复购间隔之比", scale=Scale(kind="log", low=0, high=20_000)),
        Feature(name="trend", unit="orders", en="orders, last 180 days minus the 180 before", zh="近半年订单变化",
                scale=Scale(kind="linear", low=-10, high=10)),
        Feature(name="discount_share", unit="thousandths", en="share of lines on discount", zh="折扣购买占比",
                scale=_SHARE, needs="discount"),
        Feature(name="return_share", unit="thousandths", en="share of lines returned", zh="退货占比", scale=_SHARE),
        Feature(name="weekend_share", unit="thousandths", en="share of orders at weekends", zh="周末订单占比",
                scale=_SHARE),
        Feature(name="evening_share", unit="thousandths", en="share of orders after 18:00", zh="晚间订单占比",
                scale=_SHARE),
    )
}  # fmt: skip

if set(FEATURES) != set(get_args(FeatureName)):  # a name without an entry, found when the module is loaded
    raise TypeError("FEATURES and FeatureName differ")


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureTable:
    """Raw features of a holder's customers at several days; all arrays int64. One row is one customer.

    All days of one customer are in one row, because they are one contribution. There is no customer id here.

    Attributes:
        names: the features, in the order of the last axis.
        values: shape ``(customers, days, features)``; MISSING where a feature cannot be computed.
        eligible: shape ``(customers, days)``: 1 where the customer counts on that day, else 0.
        outcome: shape ``(customers, days)``: 1 for churned within the horizon after that day, 0 for bought again,
            -1 where the horizon is not over (or the study asks for none).
    """

    names: tuple[FeatureName, ...]
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
