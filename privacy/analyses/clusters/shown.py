"""Clusters as they are shown: sizes and revenue that can be and add up, and shares of them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.clusters.results import ClusterFigures, ClusterResult
from privacy.figures.consistent import Equations, inside, nearest, possible, stretched

FloatArray = NDArray[np.float64]

#: What is possible is taken over so many deviations of a cluster's size.
_SURE = 3.0


def shown(clusters: ClusterResult, *, net: bool) -> ClusterResult:
    """The same with figures that can be; verdicts and comparisons keep the released ones.

    A cluster's customers have between nothing and its cap each, and so has their sum; net of returns it may be as much
    below nothing. Values are the possible ones nearest to the release, sizes add up to the total, and intervals are
    those that were released, cut at what is possible over three deviations of the size.

    Args:
        clusters: what was released.
        net: money is net of returns, so that a cluster may have less than none.
    """
    rows = clusters.figures
    if not rows or any(row.customers.margin <= 0 or (row.revenue and row.revenue.margin <= 0) for row in rows):
        revenue = (-math.inf if net else 0.0, math.inf)
        return inside(clusters, {"customers": (0.0, math.inf), "share": (0.0, 1.0), "revenue": revenue})
    found = _nearest(rows, net=net)
    whole = float(found[:, 0].sum())
    return clusters.model_copy(
        update={
            "figures": tuple(_row(row, sums, whole, net=net) for row, sums in zip(rows, found, strict=True)),
            "customers": stretched(possible(clusters.customers, 0.0, math.inf), whole),
        }
    )


def _nearest(rows: tuple[ClusterFigures, ...], *, net: bool) -> FloatArray:
    """Customers and revenue of each cluster, shape ``(clusters, 2)``; revenue is 0 where it was not asked."""
    values = np.array([[row.customers.value, row.revenue.value if row.revenue else 0.0] for row in rows])
    deviations = np.array([[row.customers.deviation, row.revenue.deviation if row.revenue else 1.0] for row in rows])
    caps = [row.cap if row.revenue else 0.0 for row in rows]
    corners = np.array([[[1.0, -cap if net else 0.0], [1.0, cap]] for cap in caps])
    nothing = Equations(rows=np.zeros((0, values.size)), values=np.zeros(0), deviations=np.zeros(0))
    return nearest(values, deviations, corners, nothing)


def _row(row: ClusterFigures, sums: FloatArray, whole: float, *, net: bool) -> ClusterFigures:
    customers, revenue = (float(value) for value in sums)
    most = row.cap * (max(row.customers.value, 0.0) + _SURE * row.customers.deviation)
    size = stretched(possible(row.customers, 0.0, math.inf), customers)
    money = row.revenue and stretched(possible(row.revenue, -most if net else 0.0, most), revenue)
    share = row.share and stretched(possible(row.share, 0.0, 1.0), customers / whole if whole > 0 else 0.0)
    return row.model_copy(update={"customers": size, "revenue": money, "share": share})
