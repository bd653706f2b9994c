"""A holder's own training under attack: one step over all its customers, which is what Opacus' own claim is about.

With rate 1 a training of one step is a Gaussian sum of mu = 1 / noise multiplier, so the best attack is known and a
wrong scale shows as in any other sum. What lower rates save rests on samples, which tests look at by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clients.analyses.churn.engine import has_opacus
from clients.answering.engines import encode_sum
from privacy.accounting.sampled import Slot
from privacy.analyses.churn.local_training import LocalTraining
from privacy.audit.empirical import Attack
from privacy.mechanisms import Placement
from privacy.models.trained import WEIGHT
from privacy.statistics import bounding
from privacy.statistics.base import GAMMA, IntArray
from simulations.attack.audit_cases import EXAMPLE_OF, HOLDERS, Case, joined
from simulations.attack.replacing import Planting, replaced

KIND = "local_training"

#: One step over everybody, so that mu is 1 / 0.5.
_ONE_STEP = Slot(rate=Decimal(1), noise_multiplier=Decimal("0.5"), steps=1)
#: So small that the rounding of weights is less than a thousandth of the noise.
_CLASS = 100


@contextmanager
def _less_noise() -> Iterator[None]:
    with replaced(Slot, "noise_scale", property(lambda self: round(float(self.noise_multiplier) * GAMMA / 2**0.5))):
        yield


@contextmanager
def _unclipped() -> Iterator[None]:
    """A customer counts for twice what the norm allows."""
    from clients.analyses.churn import local_training  # here: torch is slow to import

    def bounded(vectors: NDArray[np.float64], norm: float) -> IntArray:
        return 2 * bounding.bounded(vectors, norm)

    with replaced(local_training, "bounded", bounded):
        yield


@contextmanager
def _torchs_noise() -> Iterator[None]:
    """Opacus draws the noise itself, from a generator that each training seeds alike."""
    import torch

    from clients.analyses.churn import local_training

    def add_noise(self: Any) -> None:
        torch.manual_seed(1)
        (weight,) = self.params
        noise = torch.normal(0.0, float(self.noise_scale), (weight.numel(),), dtype=torch.float64)
        weight.grad = ((weight.summed_grad + noise) * (self.norm / GAMMA)).view_as(weight)

    with replaced(local_training.IntegerOptimizer, "add_noise", add_noise):
        yield


@dataclass(frozen=True, kw_only=True)
class TrainingFault:
    """A way in which a training could go wrong.

    Attributes:
        name: for people.
        plant: puts it in place.
    """

    name: str
    plant: Planting


FAULTS = (
    TrainingFault(name="half the variance", plant=_less_noise),
    TrainingFault(name="no clipping", plant=_unclipped),
    TrainingFault(name="noise of torch, seeded", plant=_torchs_noise),
)


@dataclass(frozen=True, kw_only=True)
class Training:
    """What is audited: the holder's own code from customers to what it adds, and what was planted."""

    fault: TrainingFault | None = None
    kind: str = KIND
    placement: Placement = "local"

    @property
    def attacks(self) -> tuple[Attack, ...]:
        """Who attacks."""
        return ("coalition", "memory")

    def rehearsal(self) -> RehearsedTraining:
        """A holder that is ready to train."""
        return RehearsedTraining(self)

    def __str__(self) -> str:
        return ", ".join([self.kind, self.placement] + ([self.fault.name] if self.fault else []))


class RehearsedTraining:
    """A holder that trains again and again; the attacker knows all others, who have taken their parts out."""

    def __init__(self, setting: Training) -> None:
        example: Any = EXAMPLE_OF[KIND]
        self._plant = setting.fault.plant if setting.fault else nullcontext
        self.statistic: LocalTraining = example.statistic.model_copy(
            update={"slot": _ONE_STEP, "step": 1000, "size_classes": {HOLDERS[-1]: _CLASS}}
        )
        encode = self.statistic.encode_rows
        self._target = encode(example.witness)[0].astype(np.float64)
        self._crowd = encode(example.crowd).sum(axis=0)
        self._tables = (example.crowd, joined(example.crowd, example.witness))
        reached = float(np.linalg.norm(self._target)) / GAMMA
        self.case = Case(statistic=self.statistic, crowd=example.crowd, target=example.witness, reached=reached)

    @property
    def mu(self) -> float:
        """Of one step over everybody."""
        return 1 / float(_ONE_STEP.noise_multiplier)

    def scores(self, present: bool, remembered: IntArray) -> tuple[dict[Attack, float], IntArray]:
        """Every attack's score of one training: about 1 with the target, about 0 without; and its noise."""
        with self._plant():
            sent = encode_sum(self.statistic, self._tables[int(present)], holder=HOLDERS[-1])
        share = self.statistic.decode(np.ones(1, dtype=np.int64), HOLDERS[-1:])[0] * WEIGHT  # 1 / what it is weighed by
        moved = -sent * share / WEIGHT * float(self.statistic.expected_customers(HOLDERS[-1]))
        rest = np.rint(moved / self.statistic.gradient.unit).astype(np.int64) - self._crowd
        found: dict[Attack, float] = {"coalition": self._along(rest), "memory": self._along(rest - remembered)}
        return found, rest - (self._target.astype(np.int64) if present else 0)

    def _along(self, vector: IntArray) -> float:
        return float(vector.astype(np.float64) @ self._target / (self._target @ self._target))


def trainings_of(*, faults: bool) -> tuple[Training, ...]:
    """The training as it is, and with every fault; nothing where Opacus is not installed."""
    if not has_opacus():
        return ()
    return (Training(), *(Training(fault=fault) for fault in FAULTS if faults))
