"""From all holders' masked vectors to the values that are released."""

from __future__ import annotations

from collections.abc import Sequence

from privacy.mechanisms import SumMechanism
from privacy.secure_sum.masks import UintArray, unmask
from privacy.statistics.base import IntArray
from server.aggregation.noise import central_noise


def released_sum(mechanism: SumMechanism, vectors: Sequence[UintArray]) -> IntArray:
    """Add up, and add the coordinator's noise where the consortium trusts it with that.

    Args:
        mechanism: who adds how much noise.
        vectors: one per participant, shape ``(dim + 4,)``.

    Returns:
        The release, shape ``(dim,)``.

    Raises:
        MaskMismatch: if the masks do not cancel.
    """
    values = unmask(vectors)
    if mechanism.placement == "central":
        values = values + central_noise(mechanism, len(values))
    return values
