"""Repurchase as it is shown: counts and rates inside what they can be."""

from __future__ import annotations

import math

from privacy.analyses.repurchase.results import RepurchaseResult
from privacy.figures.consistent import inside

_BOUNDS = {"customers": (0.0, math.inf), **dict.fromkeys(("again", "share", "rates"), (0.0, 1.0))}


def shown(repurchase: RepurchaseResult) -> RepurchaseResult:
    """The same with figures that can be; verdicts and comparisons keep the released ones."""
    return inside(repurchase, _BOUNDS)
