"""On which side of a few given values customers are: a closer look at cut points that an earlier answer has found.

Every customer adds plus or minus the same amount to each value's coordinate, so the vector of each is as long as the
bound, and the noise of a count is half of what it were if only those below were counted. That number is then known but
for half of all customers, which the answer before has measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from privacy.kernel.canonical import Noun
from privacy.kernel.customers import CustomerColumns
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic
from privacy.statistics.bins import ASCENDING, amplitude_of, check_parts

FloatArray = NDArray[np.float64]
_Value = Annotated[int, Field(ge=-(1 << 62), le=1 << 62)]


class FactCuts(Noun):
    """One fact's values and its part of the sensitivity.

    Attributes:
        fact: column of the customer table.
        at: ascending values, integers in the column's unit; who has the value itself is below.
        permille: this fact's share of the squared sensitivity, in thousandths.
    """

    fact: Literal["recency_days", "orders", "money", "tenure_days"]
    at: Annotated[tuple[_Value, ...], ASCENDING] = Field(min_length=1, max_length=64)
    permille: int = Field(ge=1, le=1000)

    @property
    def amplitude(self) -> int:
        """What each customer adds or takes away, in integer units: ``gamma sqrt(permille/1000) / sqrt(values)``."""
        return math.isqrt(amplitude_of(self.permille) ** 2 // len(self.at))


@dataclass(frozen=True, kw_only=True, eq=False)
class SidesEstimate:
    """One fact's estimated numbers of customers.

    Attributes:
        cuts: the values.
        beyond_half: number of customers at or below each value, less half of all; unbiased; shape ``(values,)``.
        deviation: standard deviation of each, in customers; their noises are independent.
    """

    cuts: FactCuts
    beyond_half: FloatArray
    deviation: float


class CutSides(Statistic[CustomerColumns]):
    """Noisy numbers of customers at or below a few values of several facts. See the module's text.

    Sensitivity: each coordinate moves by exactly its fact's amplitude, so squared amplitudes add up. It is computed on
    the very integers that are sent.
    """

    reads = CustomerColumns
    kind: Literal["cut_sides"] = "cut_sides"
    facts: tuple[FactCuts, ...] = Field(min_length=1, max_length=4)

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        check_parts([(one.fact, one.permille) for one in self.facts], what="fact")
        return self

    @property
    def dim(self) -> int:
        """One coordinate a value."""
        return sum(len(one.at) for one in self.facts)

    @property
    def bound(self) -> ContributionBound:
        """Exact; every customer reaches it."""
        return ContributionBound(
            gamma=GAMMA,
            squared_norm=sum(len(one.at) * one.amplitude**2 for one in self.facts),
            max_abs=max(one.amplitude for one in self.facts),
        )

    def encode_rows(self, columns: CustomerColumns) -> IntArray:
        """Plus the amplitude at or below each value, minus it above; shape ``(customers, dim)``."""
        parts = []
        for one in self.facts:
            below = getattr(columns, one.fact)[:, np.newaxis] <= np.array(one.at, dtype=np.int64)
            parts.append(np.where(below, one.amplitude, -one.amplitude))
        return np.concatenate(parts, axis=1).astype(np.int64)

    def decode(self, values: IntArray, noise_deviation: float) -> tuple[SidesEstimate, ...]:
        """Numbers of customers from the released vector.

        Args:
            values: the release, shape ``(dim,)``.
            noise_deviation: standard deviation of its noise, in integer units (0 for an exact sum).
        """
        estimates = []
        start = 0
        for one in self.facts:
            part = values[start : start + len(one.at)]
            start += len(one.at)
            unit = 2 * one.amplitude
            estimates.append(SidesEstimate(cuts=one, beyond_half=part / unit, deviation=noise_deviation / unit))
        return tuple(estimates)
