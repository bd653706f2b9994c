"""Churn as it is shown: rates and rankings inside what they can be."""

from __future__ import annotations

import math

from privacy.analyses.churn.results import ChurnResult
from privacy.figures.consistent import inside

_SHARE = (0.0, 1.0)
_BOUNDS = {
    **dict.fromkeys(("auc", "average_precision", "churn_rate", "top_share", "rate", "share"), _SHARE),
    **dict.fromkeys(("customers", "top_lift"), (0.0, math.inf)),
}


def shown(churn: ChurnResult) -> ChurnResult:
    """The same with figures that can be; verdicts and comparisons keep the released ones."""
    return inside(churn, _BOUNDS)
