"""A linear layer in torch whose per-customer gradients depend on no other customer.

It adds up column by column in double precision: no matrix product decides in which order to add.
"""

from __future__ import annotations

import torch
from opacus.grad_sample import register_grad_sampler
from torch import nn

from privacy.kernel.row_arithmetic import FloatArray


class ColumnLinear(nn.Module):
    """``x @ weight.T + bias``, one input column after the other."""

    def __init__(self, weight: FloatArray, bias: FloatArray | None, device: torch.device) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float64, device=device))
        self.bias = None if bias is None else nn.Parameter(torch.tensor(bias, dtype=torch.float64, device=device))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shapes ``(customers, inputs)`` to ``(customers, outputs)``."""
        out = x.new_zeros((x.shape[0], self.weight.shape[0]))
        for column in range(x.shape[1]):
            out = out + x[:, column : column + 1] * self.weight[:, column]
        return out if self.bias is None else out + self.bias


def _column_linear_gradients(
    layer: ColumnLinear, activations: list[torch.Tensor], backprops: torch.Tensor
) -> dict[nn.Parameter, torch.Tensor]:
    """Per customer the product of what came out wrong and what went in; no sums."""
    found = {layer.weight: backprops[:, :, None] * activations[0][:, None, :]}
    if layer.bias is not None:
        found[layer.bias] = backprops
    return found


register_grad_sampler(ColumnLinear)(_column_linear_gradients)
