"""What customers spend on a day of purchase, and how much of the differences between them is chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from privacy.analyses.history.features import DAY_VALUE, EVEN, ODD
from privacy.kernel.features import FeatureTable
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic

#: A spend of the whole cap.
_WHOLE = 1 << 20
#: What is added up of a customer; each number lies in [0, 1].
_PARTS = ("people", "value", "several", "value_of_several", "square_of_several", "halves", "inverse")
#: A part of 1 in integer units: seven of them together stay within GAMMA.
_AMPLITUDE = math.isqrt(GAMMA * GAMMA // len(_PARTS))


@dataclass(frozen=True, kw_only=True)
class DayValueSums:
    """Sums over customers; spend in parts of the cap.

    Attributes:
        people: customers.
        value: sum of u.
        several: customers with two days of purchase or more; sums of their u, u^2, (u_odd u_even) and 2/k follow.
        deviation: of each sum's noise.
    """

    people: float
    value: float
    several: float
    value_of_several: float
    square_of_several: float
    halves: float
    inverse: float
    deviation: float


class DayValues(Statistic[FeatureTable]):
    """Sums of (1, u, [k > 1], u [k > 1], u^2 [k > 1], u_odd u_even [k > 1], 2/k [k > 1]) / sqrt 7.

    k is a customer's number of days of purchase, u its mean spend on one of them in parts of the cap, from 0 to 1;
    u_odd and u_even are the same over its first, third, ... and its second, fourth, ... day. The two halves of a
    customer have its own level in common and not their chance, so the mean of their product tells how much customers
    differ.

    Sensitivity: each of the seven numbers lies in [0, 1], since u, u_odd and u_even do, and 2/k <= 1 where k > 1. With
    amplitude A = floor(GAMMA / sqrt 7) for a 1 and rounding down, the squared norm is at most 7 A^2 <= GAMMA^2. A
    customer with two days of purchase, both of the cap or more, reaches it.

    Attributes:
        day: index of the day.
        cap: public, minor units of the study's currency.
    """

    reads = FeatureTable
    kind: Literal["day_values"] = "day_values"
    day: int = Field(ge=0, le=23)
    cap: int = Field(ge=1, le=1 << 41)

    @property
    def dim(self) -> int:
        """Seven."""
        return len(_PARTS)

    @property
    def bound(self) -> ContributionBound:
        """See the class."""
        return ContributionBound(gamma=GAMMA, squared_norm=self.dim * _AMPLITUDE**2, max_abs=_AMPLITUDE)

    @property
    def looks_at(self) -> tuple[frozenset[str], int]:
        """Four features of one day."""
        return frozenset({"purchase_days", DAY_VALUE, ODD, EVEN}), self.day + 1

    def encode_rows(self, table: FeatureTable) -> IntArray:
        """Integers throughout: spend in 2^-20 of the cap, products in 2^-40, each rounded down."""
        bought, value, odd, even = (
            table.values[:, self.day, table.names.index(name)] for name in ("purchase_days", DAY_VALUE, ODD, EVEN)
        )
        there = (table.eligible[:, self.day] == 1) & (bought > 0)
        several = there & (bought > 1)
        u, first, second = (np.clip(part, 0, self.cap) * _WHOLE // self.cap for part in (value, odd, even))
        parts = {
            "people": there * _WHOLE,
            "value": there * u,
            "several": several * _WHOLE,
            "value_of_several": several * u,
            "square_of_several": several * (u * u // _WHOLE),
            "halves": several * (first * second // _WHOLE),
            "inverse": several * (2 * _WHOLE // np.maximum(bought, 2)),
        }
        return np.stack([parts[name] * _AMPLITUDE // _WHOLE for name in _PARTS], axis=1)

    def decode(self, values: IntArray, noise_deviation: float) -> DayValueSums:
        """The sums, and the deviation of each."""
        sums = values.astype(np.float64) / _AMPLITUDE
        return DayValueSums(**dict(zip(_PARTS, sums.tolist(), strict=True)), deviation=noise_deviation / _AMPLITUDE)
