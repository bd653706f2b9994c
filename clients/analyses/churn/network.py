"""The perceptron in torch, with Opacus' per-customer gradients; on a GPU where there is one.

Layers add up column by column in double precision and the two curved functions are looked up in the contract's tables,
so that a customer's gradient depends on no other customer, and is the same on every device: no matrix product decides
in which order to add.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from opacus import GradSampleModule
from torch import nn

from clients.analyses.churn.column_linear import ColumnLinear
from privacy.analyses.churn.network_gradient import HIDDEN_SCALE, Layers, NetworkGradient, activation, expected
from privacy.kernel.features import FeatureTable
from privacy.statistics.base import IntArray
from privacy.statistics.vector import counted_days


class _TabulatedTangent(torch.autograd.Function):
    """The contract's hyperbolic tangent, with the derivative that goes with its values."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        units = torch.tensor(activation(values.detach().cpu().numpy()), dtype=torch.float64, device=values.device)
        ctx.save_for_backward(units)
        return units

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (units,) = ctx.saved_tensors
        gradient: torch.Tensor = gradients[0] * (1 - units * units)
        return gradient


class Perceptron(nn.Module):
    """The contract's network (:class:`privacy.analyses.churn.network_gradient.Network`)."""

    def __init__(self, layers: Layers, device: torch.device) -> None:
        super().__init__()
        self.direct = ColumnLinear(layers.direct[None], None, device)
        self.hidden = ColumnLinear(layers.hidden, layers.bias, device)
        self.output = ColumnLinear(layers.output[None], None, device)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Logits, shape ``(customers,)``."""
        tangent: Callable[[torch.Tensor], torch.Tensor] = _TabulatedTangent.apply
        logits: torch.Tensor = self.direct(z) + HIDDEN_SCALE * self.output(tangent(self.hidden(z)))
        return logits[:, 0]


def encode_sum(statistic: NetworkGradient, table: FeatureTable) -> IntArray:
    """What ``statistic.encode_sum`` returns, with Opacus' gradients."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = GradSampleModule(Perceptron(Layers.of(statistic.network), device), loss_reduction="sum")
    total = np.zeros(statistic.dim, dtype=np.int64)
    for start in range(0, len(table), statistic.CHUNK):
        total += _encode_rows(statistic, network, table.take(slice(start, start + statistic.CHUNK)), device).sum(axis=0)
    return total


def _encode_rows(
    statistic: NetworkGradient, network: GradSampleModule, table: FeatureTable, device: torch.device
) -> IntArray:
    total = np.zeros((len(table), statistic.dim))
    for day in statistic.days:
        # Opacus listens to whole modules, and torch tells these only where the inputs have gradients too.
        z = torch.tensor(statistic.view.apply(table, day), dtype=torch.float64, device=device, requires_grad=True)
        network.zero_grad()
        logits = network(z)
        probability = expected(logits.detach().cpu().numpy())
        residual = (probability - table.outcome[:, day]) * counted_days(table, day, outcome=True)
        # The logistic loss' derivative by a logit is the residual.
        (logits * torch.tensor(residual, dtype=torch.float64, device=device)).sum().backward()
        inner: Any = network._module
        parts = [inner.direct.weight, inner.hidden.weight, inner.hidden.bias, inner.output.weight]
        total += torch.cat([part.grad_sample.flatten(1) for part in parts], dim=1).cpu().numpy()
    return statistic.clip(total)
