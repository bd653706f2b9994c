"""From the last release to the figures that are published: sizes, revenue, typical customers, the tree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.clusters.anchor_sums import AnchorEstimates, AnchorSums
from privacy.analyses.clusters.nouns import Centre, Clusters
from privacy.analyses.clusters.options import KnownClusters
from privacy.analyses.clusters.results import ClusterFigures, ClusterResult
from privacy.figures.estimates import Z95, Estimate
from privacy.figures.quotient import share
from privacy.kernel.features import UNIT, ScaledFeature
from privacy.kernel.row_arithmetic import FloatArray
from privacy.kernel.terms import minor_digits
from privacy.protocol.study import Study
from server.analyses.clusters.matching import identified
from server.analyses.clusters.points import tuples
from server.analyses.clusters.support_points import SupportPoints


@dataclass(frozen=True, kw_only=True, eq=False)
class Profiled:
    """The clusters as they are published, and what the last question says of them.

    Attributes:
        places: the centres in units of 1 / ``UNIT``, shape ``(clusters, features)``, int64.
        question: the last question.
        released: what it was answered, without its fixed-point units.
        model: where customers are.
    """

    features: tuple[ScaledFeature, ...]
    places: NDArray[np.int64]
    question: AnchorSums
    released: AnchorEstimates
    model: SupportPoints

    @property
    def centres(self) -> FloatArray:
        """The centres on the scale of -1 to 1, shape ``(clusters, features)``."""
        return self.places / UNIT

    def customers(self, index: int) -> Estimate:
        """Customers of one cluster, with the 95% margin of the noise."""
        return Estimate(value=float(self.released.counts[index]), margin=Z95 * self.released.counts_deviation)

    def total(self) -> Estimate:
        """Customers of all clusters; the noise of their counts is independent, so that deviations add as squares."""
        margin = Z95 * self.released.counts_deviation * math.sqrt(len(self.places))
        return Estimate(value=float(self.released.counts.sum()), margin=margin)

    def share(self, index: int) -> Estimate | None:
        """One cluster's share of the customers of all that have any; None where the noise hides how many these are."""
        counts, variance = self.released.counts, self.released.counts_deviation**2
        part = float(counts[index])
        return share(part, float(counts.sum()) - part, (variance, variance * (len(counts) - 1)))

    def revenue(self, index: int, unit: int) -> Estimate | None:
        """Money of one cluster in major units of ``unit`` minor ones; None where it was not asked."""
        if not self.question.facts:
            return None
        value, deviation = self.released.facts[0][index], self.released.facts_deviation[0][index]
        return Estimate(value=float(value) / unit, margin=Z95 * float(deviation) / unit)

    def cap(self, index: int) -> int:
        """With how much money one customer counts at most, in minor units; 0 where it was not asked."""
        return self.question.facts[0].caps[index] if self.question.facts else 0

    def place(self, index: int) -> tuple[FloatArray, float]:
        """Mean place of one cluster's customers, shape ``(features,)``, and the 95% margin of each coordinate."""
        radius, size = self.question.radii[index] / UNIT, max(float(self.released.counts[index]), 1.0)
        place = self.centres[index] + radius * np.clip(self.released.offsets[index] / size, -1, 1)
        return place, Z95 * radius * self.released.offsets_deviation / size


def result(study: Study, found: Profiled, earlier: KnownClusters | None) -> ClusterResult:
    """The clusters, the largest first, with ids that follow the earlier run's."""
    features, model = found.features, found.model
    ids, next_id, moves = identified(features, found.places, found.released.counts, earlier)
    mean, spread = model.moments()
    figures = []
    unit = 10 ** minor_digits(study.currency)
    for index in np.argsort(-found.released.counts).tolist():
        place, error = found.place(index)
        share = found.share(index)
        figures.append(
            ClusterFigures(
                id=ids[index],
                customers=found.customers(index),
                revenue=found.revenue(index, unit),
                share=share,
                cap=found.cap(index) / unit,
                typical=_typical(study, features, place, error),
                apart={feature.name: float((place[j] - mean[j]) / spread[j]) for j, feature in enumerate(features)},
                change=_change(earlier, ids[index], share),
            )
        )
    by_id = sorted(zip(ids, tuples(found.places), strict=True))
    clusters = Clusters(
        features=features, centres=tuple(Centre(id=number, place=place) for number, place in by_id), next_id=next_id
    )
    return ClusterResult(
        clusters=clusters,
        figures=tuple(figures),
        customers=found.total(),
        tree=_tree(found.centres, ids, next_id),
        moves=moves,
        spread={feature.name: float(spread[j]) for j, feature in enumerate(features)},
    )


def _typical(study: Study, features: tuple[ScaledFeature, ...], place: FloatArray, error: float) -> dict[str, Estimate]:
    """The mean place as raw values; money in major units. Margins are those of the place, carried over."""
    found: dict[str, Estimate] = {}
    for j, feature in enumerate(features):
        low, middle, high = feature.scale.raw(np.array([place[j] - error, place[j], place[j] + error])).tolist()
        unit = 10 ** minor_digits(study.currency) if feature.name.startswith(("money", "order_value")) else 1
        found[feature.name] = Estimate(value=middle / unit, margin=max(high - middle, middle - low) / unit)
    return found


def _change(earlier: KnownClusters | None, number: int, share: Estimate | None) -> Estimate | None:
    if earlier is None or share is None or number not in earlier.shares:
        return None
    before, margin = earlier.shares[number]
    return share.minus(Estimate(value=float(before), margin=float(margin)))


def _tree(centres: FloatArray, ids: Sequence[int], next_id: int) -> tuple[tuple[int, int, float], ...]:
    """Agglomerative tree over the centres; merged groups are numbered on from ``next_id``.

    Ward 1963, "Hierarchical grouping to optimize an objective function": each step adds least to the sum of squares.
    """
    from scipy.cluster.hierarchy import ward

    if len(centres) < 2:
        return ()
    names = [*ids, *range(next_id, next_id + len(centres))]
    return tuple(
        (names[int(first)], names[int(second)], float(height)) for first, second, height, _ in ward(centres).tolist()
    )
