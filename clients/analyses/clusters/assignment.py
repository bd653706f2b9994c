"""Which cluster each of the holder's own customers belongs to, and how near it is to the next one.

Centres are those of the plan that this holder checked and answered. A plan has no ids; they come from the coordinator's
result, which is used only where its centres are the plan's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from privacy.analyses.clusters.anchor_sums import AnchorSums, nearest
from privacy.analyses.clusters.nouns import Clusters, plain_view
from privacy.analyses.clusters.results import ClusterResult
from privacy.errors import DataError
from privacy.kernel.features import UNIT, FeatureTable
from privacy.kernel.row_arithmetic import FloatArray
from privacy.results import StudyResult
from privacy.statistics import Statistic

#: Distances are integers in units of 1 / EXACT of a scale's unit; a scale goes from -1 to 1.
EXACT = 10_000
#: Customers whose features are in memory as floating-point numbers at one time.
_BLOCK = 65_536


def fits_the_plan(clusters: Clusters, answered: Sequence[Statistic[Any]]) -> bool:
    """Whether centres are exactly those around which a run's last question on clusters was asked."""
    asked = [statistic for statistic in answered if isinstance(statistic, AnchorSums)]
    if not asked:
        return False
    places = sorted(centre.place for centre in clusters.centres)
    return asked[-1].view == plain_view(clusters.features) and sorted(asked[-1].anchors) == places


def released_clusters(answered: Sequence[Statistic[Any]], stated: str | None) -> ClusterResult | None:
    """The clusters that a run released; None where its plans ask for none.

    Args:
        answered: what the run's released questions were about, as this holder answered them.
        stated: the coordinator's result, as it came.

    Raises:
        DataError: if the result cannot be read, or states other centres than the plan.
    """
    if not any(isinstance(statistic, AnchorSums) for statistic in answered):
        return None
    try:
        clusters = StudyResult.model_validate_json(stated or "").of(ClusterResult)
    except ValidationError:
        clusters = None
    if clusters is None or not fits_the_plan(clusters.clusters, answered):
        raise DataError(
            "the clusters in the coordinator's result are not those that this holder answered",
            hint="keep the folder of the run as it is, and show it to an auditor",
        )
    return clusters


@dataclass(frozen=True, kw_only=True, eq=False)
class Assigned:
    """Clusters of the customers who count on the study's day; arrays of shape ``(customers,)``, int64.

    Attributes:
        rows: their rows in the feature table, ascending.
        cluster: id of the nearest centre; of equally near ones that with the lowest id.
        distance: to that centre, over all scales (Euclid), in units of 1 / EXACT.
        second, second_distance: the same for the next nearest; 0 where there is one cluster only.
    """

    rows: NDArray[np.int64]
    cluster: NDArray[np.int64]
    distance: NDArray[np.int64]
    second: NDArray[np.int64]
    second_distance: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return "Assigned(<private>)"


def assign(clusters: Clusters, table: FeatureTable) -> Assigned:
    """Put every customer who counts into its cluster, on the same arithmetic as the question that counted them.

    Args:
        clusters: the released centres.
        table: features as of the study's day, which is the table's only one.
    """
    rows = np.flatnonzero(table.eligible[:, 0] == 1)
    view = plain_view(clusters.features)
    centres = np.array([centre.place for centre in clusters.centres], dtype=np.float64) / UNIT
    ids = np.array([centre.id for centre in clusters.centres], dtype=np.int64)
    found = {name: np.zeros(len(rows), dtype=np.int64) for name in ("cluster", "distance", "second", "second_distance")}
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        z = view.apply(table.take(rows[block]), 0)
        first = nearest(z, centres)
        found["cluster"][block] = ids[first]
        found["distance"][block] = _exact(z, centres[first])
        if len(ids) > 1:
            others = _next(z, centres, first)
            found["second"][block] = ids[others]
            found["second_distance"][block] = _exact(z, centres[others])
    return Assigned(rows=rows, **found)


def _next(z: FloatArray, centres: FloatArray, first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of the nearest centre but ``first``."""
    distances = np.stack([np.square(z - centre).sum(axis=1) for centre in centres], axis=1)
    distances[np.arange(len(z)), first] = np.inf
    index: NDArray[np.int64] = np.argmin(distances, axis=1).astype(np.int64)
    return index


def _exact(z: FloatArray, places: FloatArray) -> NDArray[np.int64]:
    distance: FloatArray = np.sqrt(np.square(z - places).sum(axis=1))
    return np.rint(EXACT * distance).astype(np.int64)
