"""Clusters as they are shown: sizes, shares and revenue inside what they can be."""

from __future__ import annotations

import math

from privacy.analyses.clusters.results import ClusterResult
from privacy.figures.consistent import inside


def shown(clusters: ClusterResult, *, net: bool) -> ClusterResult:
    """The same with figures that can be; verdicts and comparisons keep the released ones.

    Args:
        clusters: what was released.
        net: money is net of returns, so that a cluster may have less than none.
    """
    revenue = (-math.inf if net else 0.0, math.inf)
    return inside(clusters, {"customers": (0.0, math.inf), "share": (0.0, 1.0), "revenue": revenue})
