"""What a decoded release says, in one form for all statistics, and slow obvious code for what several of them share."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from row_kits import FEATURE_NAMES, FeatureDay, FeatureRow

from privacy.kernel.features import MISSING, UNIT, Scale, ScaledFeature
from privacy.kernel.linear_view import ENTRY, LinearView
from privacy.statistics import GAMMA

SCALED: tuple[ScaledFeature, ...] = (
    ScaledFeature(name="recency_days", scale=Scale(kind="log", high=3650)),
    ScaledFeature(name="orders_90", scale=Scale(kind="linear", high=5, steps=4)),
    ScaledFeature(name="money", scale=Scale(kind="log", low=-100, high=10_000_000, offset=101, steps=64)),
    ScaledFeature(name="interval_days", scale=Scale(kind="quantiles", upper=(-5, 0, 700, 30_000), missing=100)),
)

PLAIN_VIEW = LinearView(features=SCALED, radius=2 * UNIT)

TURNED_VIEW = LinearView(
    features=SCALED[:3],
    centre=(1000, -4096, 4096),
    radius=UNIT,
    constant=UNIT // 2,
    matrix=((3 * ENTRY, 0, ENTRY // 3, -ENTRY), (0, -7, ENTRY, 12_345)),
    reach=2 * UNIT,
)

#: One coordinate, of five places: -1, -1/2, 0, 1/2, 1.
LINE_VIEW = LinearView(features=SCALED[3:], radius=UNIT, matrix=((0, ENTRY),))

#: Coordinates that go beyond [-1, 1]; nothing is cut and every number is a multiple of 1 / UNIT, so that customers
#: stand exactly on borders of cells and exactly between anchors.
WIDE_VIEW = LinearView(
    features=SCALED[1:], radius=2 * UNIT, matrix=((0, 0, 0, 2 * ENTRY), (0, 3 * ENTRY, 0, 0), (0, 0, ENTRY, -ENTRY))
)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a statistic's estimates say.

    Attributes:
        values, deviations: figures and their stated standard deviations, flat and in one order.
        covariances: (index, index, stated covariance).
    """

    values: NDArray[np.float64]
    deviations: NDArray[np.float64]
    covariances: tuple[tuple[int, int, float], ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class ReadingOf:
    """How to read a kind of statistic, and what it should say, from slow obvious code.

    Attributes:
        read: a statistic's sum, and the standard deviation of the noise in it, to figures.
        truth: exact figures of a table, with Python numbers, customer by customer.
        tolerance: largest error of each figure from rounding on integers, for a table of so many customers.
        reached: share of the bound's norm that the longest vector must have; exactly all of it, or, where vectors are
            cut to a length and rounded towards zero, nearly all.
        witness: the customer with the longest vector of a statistic, as a row of its table (features in the order of
            their names), where it is none at the ends of what a table can hold: of a window with two ends, say.
    """

    read: Callable[[Any, NDArray[np.int64], float], Reading]
    truth: Callable[[Any, Sequence[Any]], Sequence[float]]
    tolerance: Callable[[Any, int], NDArray[np.float64]]
    reached: float = 1.0
    witness: Callable[[Any], Any] | None = None


def slow_scaled(scale: Scale, raw: int) -> int:
    """One scaled value, by looking it up."""
    return scale.missing if raw == MISSING else scale.levels[bisect_left(scale.thresholds, raw)]


def slow_inputs(features: Sequence[ScaledFeature], day: FeatureDay, names: Sequence[str] = FEATURE_NAMES) -> list[int]:
    """One customer's scaled features; ``names`` of the table's."""
    return [slow_scaled(item.scale, day[2][names.index(item.name)]) for item in features]


def cut(vector: list[float], norm: float) -> list[float]:
    length = math.hypot(*vector)
    return [value * norm / length for value in vector] if length > norm else vector


def slow_view(view: LinearView, day: FeatureDay, names: Sequence[str] = FEATURE_NAMES) -> list[float]:
    """A view's coordinates of one customer."""
    scaled = slow_inputs(view.features, day, names)
    centred = [x - c for x, c in zip(scaled, view.centre or (0,) * len(scaled), strict=True)]
    base = [view.constant / UNIT, *(x / UNIT for x in cut(centred, view.radius))]
    if view.matrix:
        base = [math.fsum(x * m / ENTRY for x, m in zip(base, row, strict=True)) for row in view.matrix]
    return cut(base, view.reach / UNIT)


def true_vectors(
    statistic: Any, customers: Sequence[FeatureRow], encode: Callable[[list[float], int], list[float]], outcome: bool
) -> list[float]:
    """Sum over customers of the mean over days, cut to the norm, of what is encoded from view and outcome."""
    total = np.zeros(statistic.dim)
    for row in customers:
        mean = np.zeros(statistic.dim)
        for number in statistic.days:
            eligible, result, _ = day = row[number]
            if eligible == 1 and (not outcome or result in (0, 1)):
                mean += np.array(encode(slow_view(statistic.view, day), result)) / len(statistic.days)
        total += cut(mean.tolist(), statistic.norm / 1000)
    return total.tolist()


def read_vector(statistic: Any, values: NDArray[np.int64], noise: float) -> Reading:
    found, deviation = statistic.decode(values, noise)
    return Reading(values=found, deviations=np.full(len(found), deviation))


def vector_tolerance(statistic: Any, customers: int) -> NDArray[np.float64]:
    # Less than one unit each, and 2^-40 of the length.
    return np.full(statistic.dim, customers * statistic.norm / 1000 * (1 / GAMMA + 2.0**-38) + 1e-9)
