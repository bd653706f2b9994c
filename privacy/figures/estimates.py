"""A released number with its margin: what every result is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from privacy.kernel.canonical import since

#: Half-width of the 95% interval of a standard normal deviate.
Z95 = 1.959963984540054


class Value(BaseModel):
    """Base of everything in a result: frozen, and no field that is not named."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(Value):
    """A released number and its 95% interval.

    Attributes:
        value: the number.
        margin: half-width of the interval; where it is not even, the larger side.
        low, high: its ends, where it is not even; None where they are ``value - margin`` and ``value + margin``.
    """

    value: float
    margin: float
    low: float | None = since("0.2.0", None)
    high: float | None = since("0.2.0", None)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.low, self.high
        if (low is not None and low > self.value) or (high is not None and high < self.value):
            raise ValueError("an estimate lies outside its own interval")
        return self

    @classmethod
    def between(cls, low: float, value: float, high: float) -> Self:
        """With an interval that need not be even; the margin is the larger side."""
        return cls(value=value, margin=max(value - low, high - value), low=low, high=high)

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends."""
        low, high = self.low, self.high
        return (self.value - self.margin if low is None else low, self.value + self.margin if high is None else high)

    @property
    def sides(self) -> tuple[float, float]:
        """How far the interval reaches below and above the value."""
        low, high = self.low, self.high
        return (self.margin if low is None else self.value - low, self.margin if high is None else high - self.value)

    @property
    def deviation(self) -> float:
        """Standard deviation of a normal error with this margin."""
        return self.margin / Z95

    def moved(self, value: float) -> Estimate:
        """Another value in the same interval, which is stretched to it where it lies outside."""
        low, high = self.interval
        return Estimate.between(min(low, value), value, max(high, value))

    def towards(self, other: float) -> float:
        """Length of the side on which another figure lies."""
        return self.sides[1 if other > self.value else 0]

    def minus(self, other: Estimate) -> Estimate:
        """The difference from an independent estimate, with the interval that follows from both.

        The side below comes from the own side below and the other's side above, in quadrature, and the other way
        round. Source: G. Y. Zou, A. Donner, "Construction of confidence limits about effect measures: a general
        approach", Statistics in Medicine 27 (2008), section 2.
        """
        value = self.value - other.value
        below, above = (math.hypot(mine, its) for mine, its in zip(self.sides, reversed(other.sides), strict=True))
        if below == above:
            return Estimate(value=value, margin=below)
        return Estimate(value=value, margin=max(below, above), low=value - below, high=value + above)


def strictness(comparisons: int) -> float:
    """Factor on 95% margins under which so many comparisons hold together at 95% (Bonferroni).

    >>> round(strictness(1), 3), round(strictness(7), 3)
    (1.0, 1.373)
    """
    return NormalDist().inv_cdf(1 - 0.025 / comparisons) / Z95


class Figures(Value):
    """Base of an analysis' result: what of it goes with a study that withholds totals, and what with others."""

    def cuts(self) -> Mapping[str, tuple[int, ...]]:
        """Numbers by which later studies may cut bands and values, by name; money in minor units. None for most."""
        return {}

    def check_complete(self) -> None:
        """Raise ValueError if a total is missing; for studies that withhold none."""

    def check_shares_only(self) -> None:
        """Raise ValueError if a total is there, or a figure finer than the public grid; for studies that withhold."""
        raise ValueError("the analysis has no form without totals, and the study withholds totals")
