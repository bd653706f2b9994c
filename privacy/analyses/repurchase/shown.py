"""Repurchase as it is shown: counts and rates inside what they can be, and no rate below that of fewer days."""

from __future__ import annotations

import math

from privacy.analyses.repurchase.results import RepurchaseResult
from privacy.figures.consistent import ascending, inside

_BOUNDS = {"customers": (0.0, math.inf), **dict.fromkeys(("again", "share", "rates"), (0.0, 1.0))}


def shown(repurchase: RepurchaseResult) -> RepurchaseResult:
    """The same with figures that can be; verdicts and comparisons keep the released ones."""
    found = inside(repurchase, _BOUNDS)
    cohorts = (cohort.model_copy(update={"rates": ascending(cohort.rates)}) for cohort in found.cohorts)
    return found.model_copy(update={"cohorts": tuple(cohorts)})
