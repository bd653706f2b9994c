"""A holder's own training with Opacus: its privacy engine, its per-customer gradients, this product's randomness.

Opacus draws noise and samples from torch's generator, whose state is 32 bits wide where it is seeded; so both come from
the system's randomness through ChaCha20 here, and Opacus' optimizer gets them by its own hooks. Clipping and rounding
are the contract's: the sum of a step is of integers, its noise is the exact discrete Gaussian, and only what has noise
becomes a float again. Per-customer gradients do not depend on which other customers are in a sample (``network.py``).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from opacus import PrivacyEngine
from opacus.optimizers import DPOptimizer

from clients.analyses.churn.column_linear import ColumnLinear
from privacy.analyses.churn.local_training import LocalTraining
from privacy.kernel.features import FeatureTable
from privacy.kernel.row_arithmetic import FloatArray
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.mechanisms.samples import PoissonSamples
from privacy.models.trained import LOGIT, PROBABILITY, WEIGHT, probability
from privacy.statistics.base import GAMMA, IntArray
from privacy.statistics.bounding import bounded
from privacy.statistics.vector import counted_days

_LOGIT_LIMIT = 30.0


class _Samples:
    """Poisson samples of row numbers, one a step, in the place of torch's loader, which draws numbers of its own."""

    def __init__(self, samples: PoissonSamples, dataset: range, steps: int) -> None:
        self._samples = samples
        self._steps = steps
        self.dataset = dataset

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[IntArray]:
        for _ in range(self._steps):
            yield self._samples.draw()


class IntegerOptimizer(DPOptimizer):  # type: ignore[misc]  # Opacus has no types
    """Opacus' optimizer with clipping on integers and exact noise.

    Attributes:
        norm: clipping norm in natural units; it has GAMMA integer units.
        noise_scale: standard deviation of a step's noise, in integer units.
    """

    norm: float
    noise_scale: int

    def clip_and_accumulate(self) -> None:
        """Add up the clipped and rounded gradients of a sample; whole numbers below 2^53, so exact."""
        (weight,) = self.params
        samples = self._get_flat_grad_sample(weight).flatten(1).numpy()
        total = bounded(samples, self.norm).sum(axis=0) if len(samples) else np.zeros(samples.shape[1])
        weight.summed_grad = torch.tensor(total, dtype=torch.float64)

    def add_noise(self) -> None:
        """Add discrete Gaussian noise; then back to natural units."""
        (weight,) = self.params
        noise = torch.tensor(discrete_gaussian(self.noise_scale, weight.numel()), dtype=torch.float64)
        weight.grad = ((weight.summed_grad + noise) * (self.norm / GAMMA)).view_as(weight)


class _Engine(PrivacyEngine):  # type: ignore[misc]  # as above
    """Opacus' engine with that optimizer."""

    def __init__(self, statistic: LocalTraining, expected: float) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of torch's generator, from which nothing is drawn here
            super().__init__()
        self._statistic = statistic
        self._expected = expected

    def _prepare_optimizer(self, *, optimizer: Any, **kwargs: Any) -> DPOptimizer:
        slot = self._statistic.slot
        made = IntegerOptimizer(
            optimizer=optimizer,
            noise_multiplier=float(slot.noise_multiplier),
            max_grad_norm=self._statistic.gradient.norm / 1000,
            expected_batch_size=self._expected,  # never Opacus' own, which is the rate times the true number
        )
        made.norm = self._statistic.gradient.norm / 1000
        made.noise_scale = slot.noise_scale
        return made


def train(statistic: LocalTraining, table: FeatureTable, *, holder: str) -> FloatArray:
    """Weights after a holder's training, shape ``(dim,)``: the mean over the second half of the steps."""
    gradient, slot = statistic.gradient, statistic.slot
    (day,) = gradient.days
    z = torch.tensor(gradient.view.apply(table, day), dtype=torch.float64)
    start = gradient.start(table, day)
    outcome, counts = table.outcome[:, day], counted_days(table, day, outcome=True)
    first = np.array([gradient.weights], dtype=np.float64) / WEIGHT
    linear = ColumnLinear(first, None, torch.device("cpu"))
    loader = _Samples(PoissonSamples(slot.rate, len(table)), range(len(table)), slot.steps)
    model, optimizer, batches = _Engine(statistic, float(statistic.expected_customers(holder))).make_private(
        module=linear,
        optimizer=torch.optim.SGD(linear.parameters(), lr=statistic.step / 1000),
        data_loader=loader,
        noise_multiplier=float(slot.noise_multiplier),
        max_grad_norm=gradient.norm / 1000,
        poisson_sampling=False,  # the loader's samples are Poisson's already
        loss_reduction="sum",
    )
    mean, half = np.zeros(statistic.dim), slot.steps // 2
    for number, rows in enumerate(batches):
        optimizer.zero_grad()
        # Opacus listens to whole modules, and torch tells these only where the inputs have gradients too.
        logits = model(z[rows].requires_grad_())[:, 0]
        units = np.trunc(np.clip(logits.detach().numpy(), -_LOGIT_LIMIT, _LOGIT_LIMIT) * LOGIT).astype(np.int64)
        residual = (probability(start[rows] + units) / PROBABILITY - outcome[rows]) * counts[rows]
        # The logistic loss' derivative by a logit is the residual.
        (logits * torch.tensor(residual, dtype=torch.float64)).sum().backward()
        optimizer.step()
        if number >= half:
            mean += linear.weight.detach().numpy()[0]
    return np.asarray(mean / (slot.steps - half))


def encode_sum(statistic: LocalTraining, table: FeatureTable, *, holder: str) -> IntArray:
    """What a holder answers with, shape ``(dim,)``."""
    return statistic.update(holder, train(statistic, table, holder=holder))
