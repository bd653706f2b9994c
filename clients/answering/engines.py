"""How a holder computes statistics that are gradients of a model: with torch and Opacus where they are installed.

What a statistic is, its clipping and its bound are the contract's (``privacy/statistics``). An engine only computes
the same unclipped gradients in another way; a test holds the two together, bit for bit.
"""

from __future__ import annotations

import importlib.util
from typing import Any

from privacy.analyses.churn.network_gradient import NetworkGradient
from privacy.statistics import Statistic
from privacy.statistics.base import IntArray


def has_opacus() -> bool:
    """Whether torch and Opacus are installed (``pip install 'cohortium[train]'``)."""
    return importlib.util.find_spec("torch") is not None and importlib.util.find_spec("opacus") is not None


def encode_sum(statistic: Statistic[Any], rows: Any, *, holder: str) -> IntArray:
    """What a holder adds to a sum, shape ``(dim,)``: by the statistic itself, or its engine where there is one."""
    if isinstance(statistic, NetworkGradient) and has_opacus():
        from clients.analyses.churn.network import encode_sum as encode_network_sum  # here: torch is slow to import

        return encode_network_sum(statistic, rows)
    return statistic.sum_of(holder, rows)
