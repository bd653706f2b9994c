"""Figures of purchases as they are shown: shares between 0 and 1, counts that are not negative."""

from __future__ import annotations

import math

from privacy.analyses.history.results import HistoryResult
from privacy.figures.consistent import inside

_BOUNDS = {
    **dict.fromkeys(("share", "buyers"), (0.0, 1.0)),
    **dict.fromkeys(("customers", "purchases", "mean"), (0.0, math.inf)),
}


def shown(history: HistoryResult) -> HistoryResult:
    """The same with figures that can be; the model is as it was released."""
    return inside(history, _BOUNDS)
