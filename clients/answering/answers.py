"""What a holder sends: its exact sum, its noise share and its masks, put together in one place.

The node calls these after all checks and the charge; the empirical audit calls the same functions, so that what it
measures is what leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from privacy.mechanisms import SumMechanism
from privacy.secure_sum.masks import MaskKey, announced, mask, to_bytes
from privacy.statistics.base import IntArray

#: Draws noise: standard deviation in integer units, and how many draws.
Sampler = Callable[[int, int], IntArray]


def noise_share(mechanism: SumMechanism, size: int, sampler: Sampler) -> IntArray:
    """A holder's own noise for one answer, shape ``(size,)``; zeros where the coordinator adds the noise."""
    scale = mechanism.holder_scale
    return sampler(scale, size) if scale else np.zeros(size, dtype=np.int64)


def masked_answer(
    exact: IntArray,
    share: IntArray,
    *,
    holder: str,
    key: MaskKey,
    hellos: Mapping[str, tuple[str, str]],
    core: str,
) -> bytes:
    """The bytes that leave: the exact sum with its noise share, masked.

    Args:
        exact: what the holder adds to the sum, shape ``(dim,)``.
        share: its noise, same shape.
        holder, key, hellos, core: see :func:`privacy.secure_sum.masks.mask`.
    """
    return to_bytes(mask(exact + share, holder=holder, key=key, hellos=hellos, core=core))


def check_words(*, holder: str, key: MaskKey, hellos: Mapping[str, tuple[str, str]], core: str) -> str:
    """The check words with which the answer to a core will end: the answer's own code, without data or noise."""
    nothing = np.zeros(0, dtype=np.int64)
    return announced(masked_answer(nothing, nothing, holder=holder, key=key, hellos=hellos, core=core))
