"""The steps that make a release in production, as one value, so that the empirical audit can plant faults in them.

Everything here is the production function under its own name. What is left out is what does not touch the numbers:
signatures, admission, ledgers and the carrier.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from clients.answering.answers import Sampler, masked_answer, noise_share
from clients.answering.engines import encode_sum
from privacy.mechanisms import SumMechanism
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.secure_sum.masks import UintArray
from privacy.statistics import Statistic
from privacy.statistics.base import IntArray
from server.aggregation.adding import released_sum
from simulations.attack.audit_cases import joined


class Encode(Protocol):
    """What a holder adds to a sum."""

    def __call__(self, statistic: Statistic[Any], rows: Any, /, *, holder: str) -> IntArray:
        """See :func:`clients.answering.engines.encode_sum`."""
        ...


def _as_planned(mechanism: SumMechanism) -> SumMechanism:
    return mechanism


def _one_sampler(holder: str) -> Sampler:
    return discrete_gaussian


@dataclass(frozen=True, kw_only=True)
class ReleasePath:
    """See the module's text.

    Attributes:
        mechanism: from the mechanism that is charged to the one whose noise is drawn; the same, unless a fault.
        table: a holder's table with one more customer.
        encode: a holder's exact sum.
        sampler: a holder's source of noise.
        share: its noise share.
        answer: the bytes that it sends.
        add_up: from all holders' vectors to the release.
    """

    mechanism: Callable[[SumMechanism], SumMechanism] = _as_planned
    table: Callable[[Any, Any], Any] = joined
    encode: Encode = encode_sum
    sampler: Callable[[str], Sampler] = _one_sampler
    share: Callable[[SumMechanism, int, Sampler], IntArray] = noise_share
    answer: Callable[..., bytes] = masked_answer
    add_up: Callable[[SumMechanism, Sequence[UintArray]], IntArray] = released_sum
