"""Models as holders apply them: integers only, so that a score is the same on every machine.

A scaled feature is an integer x that stands for x / UNIT; a weight is an integer w that stands for w / WEIGHT. Their
products add up to a logit in units of 1 / LOGIT. Nothing here trains: that is done in the other rooms of the analysis.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from privacy.kernel.canonical import Noun
from privacy.kernel.features import UNIT, ScaledFeature

IntArray = NDArray[np.int64]

#: A weight of 1.0.
WEIGHT = 1 << 16
#: A logit of 1.0.
LOGIT = UNIT * WEIGHT
#: A probability of 1.0.
PROBABILITY = 1 << 12

#: Largest weight in absolute value: 256.0. Sums of 64 products then fit 64 bits.
_WEIGHT_LIMIT = 1 << 24
Weight = Annotated[int, Field(ge=-_WEIGHT_LIMIT, le=_WEIGHT_LIMIT)]
#: Of one sum of products.
Weights = Annotated[tuple[Weight, ...], Field(min_length=2, max_length=65)]

#: Probabilities are tabulated between logits of -16 and 16, in steps of 1/256.
_TABLE_RANGE = 16
_TABLE_SHIFT = LOGIT.bit_length() - 1 - 8


@lru_cache(maxsize=1)
def _probabilities() -> IntArray:
    half = _TABLE_RANGE << 8
    return np.array([round(PROBABILITY / (1 + math.exp(-step / 256))) for step in range(-half, half + 1)])


def probability(logits: IntArray) -> IntArray:
    """Logistic function of the nearest tabulated logits, in units of 1 / PROBABILITY; same shape."""
    half = _TABLE_RANGE << 8
    limited = np.clip(logits, -_TABLE_RANGE * LOGIT, _TABLE_RANGE * LOGIT)
    units: IntArray = _probabilities()[((limited + (1 << _TABLE_SHIFT - 1)) >> _TABLE_SHIFT) + half]
    return units


def tangent(values: IntArray) -> IntArray:
    """Hyperbolic tangent of values in units of 1 / LOGIT, in units of 1 / UNIT: ``2 probability(2 v) - 1``."""
    return (2 * probability(2 * np.clip(values, -_TABLE_RANGE * LOGIT, _TABLE_RANGE * LOGIT)) - PROBABILITY) * (
        UNIT // PROBABILITY
    )


def weight(value: float) -> int:
    """A weight as an integer, clipped to what a model can hold.

    Raises:
        ValueError: if it is not a number.
    """
    return round(max(min(value * WEIGHT, _WEIGHT_LIMIT), -_WEIGHT_LIMIT))  # in this order NaN stays NaN


def linear_logits(inputs: IntArray, row: tuple[int, ...]) -> IntArray:
    """``inputs @ row[:-1] + UNIT * row[-1]``, one column after the other: no sum depends on the number of rows."""
    total = np.full(inputs.shape[0], UNIT * row[-1], dtype=np.int64)
    for column, factor in enumerate(row[:-1]):
        if factor:
            total += inputs[:, column] * factor
    return total


class LogisticModel(Noun):
    """A logistic regression.

    Attributes:
        features: its inputs.
        weights: one per feature, then the intercept.
    """

    kind: Literal["logistic"] = "logistic"
    features: tuple[ScaledFeature, ...] = Field(min_length=1, max_length=64)
    weights: Weights

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.weights) != len(self.features) + 1:
            raise ValueError("a logistic model has one weight per feature and an intercept")
        return self

    def logits(self, scaled: IntArray) -> IntArray:
        """Logits in units of 1 / LOGIT, shape ``(customers,)``, of inputs of shape ``(customers, features)``."""
        return linear_logits(scaled, self.weights)


class NetworkModel(Noun):
    """A perceptron with one hidden layer (hyperbolic tangent) beside a direct path.

    Attributes:
        features: its inputs.
        hidden: per hidden unit one weight per feature, then its bias.
        output: one weight per hidden unit, one per feature (a direct path), then the intercept.
    """

    kind: Literal["network"] = "network"
    features: tuple[ScaledFeature, ...] = Field(min_length=1, max_length=40)
    hidden: tuple[Weights, ...] = Field(min_length=1, max_length=24)
    output: Weights

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(len(row) != len(self.features) + 1 for row in self.hidden):
            raise ValueError("a hidden unit has one weight per feature and a bias")
        if len(self.output) != len(self.hidden) + len(self.features) + 1:
            raise ValueError("the output has one weight per hidden unit and per feature, and an intercept")
        return self

    def logits(self, scaled: IntArray) -> IntArray:
        """As :meth:`LogisticModel.logits`."""
        units = [tangent(linear_logits(scaled, row)) for row in self.hidden]
        return linear_logits(np.concatenate([np.stack(units, axis=1), scaled], axis=1), self.output)


class FeatureRank(Noun):
    """No model: one feature by itself, as what every model must beat. Its logit is the scaled feature."""

    kind: Literal["feature"] = "feature"
    features: tuple[ScaledFeature, ...] = Field(min_length=1, max_length=1)

    def logits(self, scaled: IntArray) -> IntArray:
        """As :meth:`LogisticModel.logits`; from -1 to 1."""
        return scaled[:, 0] * WEIGHT
