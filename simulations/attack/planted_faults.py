"""Faults for the empirical audit to find: each is one step of the release path done wrong, as it has been elsewhere.

They live here, beside the simulations, and nothing that a holder or coordinator runs can reach them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from clients.answering.engines import encode_sum
from privacy.mechanisms import SumMechanism
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.secure_sum.masks import CHECK_WORDS, UintArray, unmask
from privacy.statistics import Statistic
from privacy.statistics.base import IntArray
from server.aggregation.adding import released_sum
from simulations.attack.audit_cases import EXAMPLE_OF, HOLDERS, joined
from simulations.attack.release_path import ReleasePath

_ALL = ("distributed", "local", "central")
_BY_HOLDERS = ("distributed", "local")

#: How far an encoder without clipping lets a customer go, in its limits.
_BEYOND = 2


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One planted fault.

    Attributes:
        name: for people.
        placements: where it can happen.
        plant: the release path with it.
        applies: whether a statistic can have it.
    """

    name: str
    placements: tuple[str, ...]
    plant: Callable[[ReleasePath], ReleasePath]
    applies: Callable[[Statistic[Any]], bool] = lambda statistic: True


def _scaled(factor: Callable[[SumMechanism], float]) -> Callable[[ReleasePath], ReleasePath]:
    def mechanism(planned: SumMechanism) -> SumMechanism:
        return planned.model_copy(update={"share_scale": round(planned.share_scale * factor(planned))})

    return lambda path: replace(path, mechanism=mechanism)


def _share_missing(path: ReleasePath) -> ReleasePath:
    """The target's own holder adds no noise."""

    def nothing(scale: int, size: int) -> IntArray:
        return np.zeros(size, dtype=np.int64)

    return replace(path, sampler=lambda holder: nothing if holder == HOLDERS[-1] else path.sampler(holder))


def _doubled(path: ReleasePath) -> ReleasePath:
    """The customer stands in two rows, as when a join repeats it."""
    return replace(path, table=lambda crowd, target: joined(crowd, target, target))


def _seed_per_holder(path: ReleasePath) -> ReleasePath:
    """Every party starts its generator anew for each question: always the same noise."""
    samplers = {holder: cache(discrete_gaussian) for holder in HOLDERS}

    @cache
    def central(mechanism: SumMechanism, size: int) -> IntArray:
        return released_sum(mechanism, [np.zeros(size + CHECK_WORDS, dtype=np.uint64)])

    def add_up(mechanism: SumMechanism, vectors: Sequence[UintArray]) -> IntArray:
        if mechanism.placement != "central":
            return released_sum(mechanism, vectors)
        values = unmask(vectors)
        return values + central(mechanism, len(values))

    return replace(path, sampler=samplers.__getitem__, add_up=add_up)


def _one_seed_for_all(path: ReleasePath) -> ReleasePath:
    """All holders draw the same noise in one question, from a seed that they were given; afresh in the next."""
    drawn: dict[str, IntArray] = {}

    def sampler(holder: str) -> Callable[[int, int], IntArray]:
        def same(scale: int, size: int) -> IntArray:
            if holder == HOLDERS[0]:
                drawn["noise"] = discrete_gaussian(scale, size)
            return drawn["noise"]

        return same

    return replace(path, sampler=sampler)


def _clips(statistic: Statistic[Any]) -> bool:
    return EXAMPLE_OF[statistic.kind].unclipped is not None


def _not_clipped(path: ReleasePath) -> ReleasePath:
    """Limits are moved out and the units put back: what the encoder gives when its clip lets so much more pass."""

    def encode(statistic: Statistic[Any], rows: Any, /, *, holder: str) -> IntArray:
        unclipped = EXAMPLE_OF[statistic.kind].unclipped
        if unclipped is None:
            raise TypeError(f"{statistic.kind} clips nothing")
        wider, back = unclipped(statistic, _BEYOND)
        found: IntArray = np.rint(back(encode_sum(wider, rows, holder=holder))).astype(np.int64)
        return found

    return replace(path, encode=encode)


#: What the issue of this audit names, and the second way in which a seed can be fixed.
FAULTS: tuple[Fault, ...] = (
    Fault(name="half the variance", placements=_ALL, plant=_scaled(lambda planned: math.sqrt(0.5))),
    Fault(
        name="divided by m, not m - t",
        placements=("distributed",),
        plant=_scaled(lambda planned: math.sqrt((planned.holders - planned.colluding) / planned.holders)),
    ),
    Fault(name="a share is missing", placements=_BY_HOLDERS, plant=_share_missing),
    Fault(name="a customer counts twice", placements=_ALL, plant=_doubled),
    Fault(name="no clipping", placements=_ALL, plant=_not_clipped, applies=_clips),
    Fault(name="a fixed seed", placements=_ALL, plant=_seed_per_holder),
    Fault(name="one seed for all holders", placements=_BY_HOLDERS, plant=_one_seed_for_all),
)
