"""Per-customer gradients of a small perceptron's logistic loss, clipped and added up.

The gradient is written out here, column by column. A holder that has torch and Opacus computes the same integers with
them (``clients/analyses/churn/network.py``), bit for bit.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from privacy.kernel.canonical import Noun
from privacy.kernel.features import UNIT, FeatureTable
from privacy.kernel.row_arithmetic import FloatArray, combined
from privacy.models.trained import LOGIT, PROBABILITY, WEIGHT, probability, tangent
from privacy.statistics.base import IntArray
from privacy.statistics.vector import VectorStatistic, counted_days

_LIMIT = 1 << 40
_Weight = Annotated[int, Field(ge=-_LIMIT, le=_LIMIT)]
_Row = Annotated[tuple[_Weight, ...], Field(min_length=1, max_length=65)]

#: What the hidden layer counts beside the direct path; a power of two, so that it rounds nothing.
HIDDEN_SCALE = 0.5
_ARGUMENT_LIMIT = 30.0


def _grid(values: FloatArray) -> IntArray:
    """Real numbers on the grid of LOGIT."""
    return np.floor(np.clip(values, -_ARGUMENT_LIMIT, _ARGUMENT_LIMIT) * LOGIT).astype(np.int64)


def expected(logits: FloatArray) -> FloatArray:
    """Tabulated logistic function; shape kept."""
    return probability(_grid(logits)) / PROBABILITY


def activation(values: FloatArray) -> FloatArray:
    """Tabulated hyperbolic tangent; shape kept."""
    return tangent(_grid(values)) / UNIT


class Network(Noun):
    """Weights of ``logit = direct z + HIDDEN_SCALE output tanh(hidden z + bias)``, all in units of 1 / WEIGHT.

    Attributes:
        direct: one per coordinate.
        hidden: one row per hidden unit, over the coordinates.
        bias, output: one per hidden unit.
    """

    direct: _Row
    hidden: tuple[_Row, ...] = Field(min_length=1, max_length=32)
    bias: _Row
    output: _Row

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(len(row) != len(self.direct) for row in self.hidden):
            raise ValueError("a hidden unit has one weight per coordinate")
        if not len(self.hidden) == len(self.bias) == len(self.output):
            raise ValueError("a hidden unit has one bias and one output weight")
        return self

    @property
    def size(self) -> int:
        """Number of weights."""
        return len(self.direct) + len(self.hidden) * (len(self.direct) + 2)


class Layers(NamedTuple):
    """A network's weights as floats."""

    direct: FloatArray
    hidden: FloatArray
    bias: FloatArray
    output: FloatArray

    @classmethod
    def of(cls, network: Network) -> Layers:
        """Shapes ``(n,)``, ``(units, n)``, ``(units,)``, ``(units,)``."""
        parts = (network.direct, network.hidden, network.bias, network.output)
        return cls(*(np.array(part, dtype=np.float64) / WEIGHT for part in parts))


class NetworkGradient(VectorStatistic):
    """Sum over customers of the loss' gradient by all weights: direct, hidden row by row, bias, output.

    A customer's days are averaged, then its gradient is clipped to ``norm`` and rounded
    (:mod:`privacy.statistics.bounding`), as in :mod:`privacy.statistics.logistic_gradient`.
    """

    kind: Literal["network_gradient"] = "network_gradient"
    network: Network

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.network.direct) != self.view.dim:
            raise ValueError("the network has one input per coordinate of the view")
        return self

    @property
    def dim(self) -> int:
        """One coordinate per weight."""
        return self.network.size

    def vectors(self, table: FeatureTable, day: int) -> FloatArray:
        """The customer's gradient of one day."""
        counts = counted_days(table, day, outcome=True)
        return self._gradients(self.view.apply(table, day), table.outcome[:, day], counts)

    def _gradients(self, z: FloatArray, outcome: IntArray, counts: FloatArray) -> FloatArray:
        layers = Layers.of(self.network)
        units = activation(combined(z, layers.hidden) + layers.bias)
        logits = combined(z, layers.direct[None])[:, 0] + HIDDEN_SCALE * combined(units, layers.output[None])[:, 0]
        residual = (expected(logits) - outcome) * counts
        inner = (residual * HIDDEN_SCALE)[:, None] * layers.output * (1 - units * units)
        parts = [z * residual[:, None], *(z * inner[:, [unit]] for unit in range(len(layers.bias)))]
        return np.concatenate([*parts, inner, units * (residual * HIDDEN_SCALE)[:, None]], axis=1)

    def decode(self, values: IntArray, noise_deviation: float) -> tuple[Layers, float]:
        """The gradient's sum in natural units by layer, and the standard deviation of its noise."""
        natural = values.astype(np.float64) * self.unit
        inputs, units = self.view.dim, len(self.network.bias)
        direct, hidden, bias, output = np.split(natural, np.cumsum([inputs, inputs * units, units]))
        return Layers(direct, hidden.reshape(units, inputs), bias, output), noise_deviation * self.unit
