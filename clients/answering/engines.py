"""How a holder computes what it adds to a sum: by the statistic itself, or by an analysis' engine where there is one.

What a statistic is, its clipping and its bound are the contract's (``privacy/statistics``). An engine only computes
the same integers in another way; a test holds the two together, bit for bit.
"""

from __future__ import annotations

from typing import Any

from privacy.statistics import Statistic
from privacy.statistics.base import IntArray


def encode_sum(statistic: Statistic[Any], rows: Any, *, holder: str) -> IntArray:
    """What a holder adds to a sum, shape ``(dim,)``."""
    from clients.analyses.catalogue import ENGINES  # here: a node starts without DuckDB

    engine = ENGINES.get(type(statistic))
    if engine is not None and engine.is_installed():
        return engine.encode_sum(statistic, rows)
    return statistic.sum_of(holder, rows)
