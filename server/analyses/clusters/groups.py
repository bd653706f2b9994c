"""Whether customers stand apart in groups, and in how many; from the model alone, so all of it is free.

Two groups stand apart where there are few customers between them. *Between* says how few: along the direction that
tells the two apart best, how dense the emptiest place between their peaks is, as a part of the lower peak. It is near 1
where a cloud was cut in two, and does not depend on the features' scales or correlations.

k-means finds groups only where splitting them saves most, which on scales need not be so. Candidates are therefore also
sought in coordinates in which all directions vary alike: there it splits where customers are most two-humped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from privacy.analyses.clusters.anchor_sums import nearest
from privacy.analyses.clusters.results import ClusterProposal, ProposedGroup
from privacy.kernel.features import ScaledFeature
from privacy.kernel.row_arithmetic import FloatArray
from privacy.statistics.base import IntArray
from server.analyses.clusters.support_points import SupportPoints

#: Groups stand apart where *between* is at most this for every two of them. Found on generated customers at epsilon 1:
#: groups had 0.44 at most, a normal cloud 0.9 and more, an even one from 0.3 on (``benchmarks/cluster_groups.py``).
APART = 0.45
#: Into how many parts customers are divided where no groups stand apart, where nothing else is asked for.
_UNDIVIDED = 4
#: Points drawn from the model.
_SAMPLE = 5000
_STARTS = 4
#: Width of the kernel along the direction between two groups, in deviations within them, and where it is looked at.
_KERNEL, _PLACES, _BEYOND = 0.4, 101, 1.0
#: Added to variances: the least that a direction varies.
_LEAST_VARIANCE = 1e-3
#: Less than this share of the customers is no group: it may be a scrap of noise.
_LEAST_SHARE = 0.02


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Customers in k parts.

    Attributes:
        centres: of the parts on the features' scales, shape ``(k, features)``.
        between: the largest *between* of any two of them, from 0 to 1.
    """

    centres: FloatArray
    between: float

    @property
    def stands_apart(self) -> bool:
        """Whether its parts are groups."""
        return self.between <= APART


def splits(model: SupportPoints, numbers: Iterable[int]) -> dict[int, Split]:
    """By number of parts: k-means on the scales, or the split found in whitened coordinates where that alone is groups.

    Numbers of which there are not enough distinct places are left out.
    """
    points = model.points[model.sample(_SAMPLE)]
    drawn, white = _equal(points), _equal(_whitened(points))
    distinct = len(np.unique(points, axis=0))
    found = {}
    for k in numbers:
        if k > distinct:
            continue
        usual = _split(drawn, drawn.centres(k, starts=_STARTS))
        label = nearest(white.points, white.centres(k, starts=_STARTS))
        if not usual.stands_apart and len(np.unique(label)) == k:
            middles = np.stack([points[label == part].mean(axis=0) for part in range(k)])
            other = _split(drawn, middles)
            usual = other if other.stands_apart else usual
        found[k] = usual
    return found


def number_of_groups(found: dict[int, Split]) -> int:
    """The most parts that all stand apart; without groups, a number to divide by."""
    apart = [k for k, split in found.items() if split.stands_apart]
    return max(apart, default=min(_UNDIVIDED, max(found, default=_UNDIVIDED)))


def proposals(
    model: SupportPoints, features: tuple[ScaledFeature, ...], found: dict[int, Split], chosen: int
) -> tuple[ClusterProposal, ...]:
    """Up to three numbers of clusters to choose from, ascending: two, the one that was taken, and one more.

    That is another number of groups that stand apart, or without groups twice as many as were taken.
    """
    apart = sorted((k for k, split in found.items() if split.stands_apart), reverse=True)
    others = apart if apart else [2 * chosen]
    wanted = [2, chosen, *(k for k in others if k not in (2, chosen))][:3]
    names = [feature.name for feature in features]
    return tuple(
        ClusterProposal(k=k, between=found[k].between, groups=_parts(model, names, found[k].centres))
        for k in sorted({k for k in wanted if k in found})
    )


def _parts(model: SupportPoints, names: Sequence[str], centres: FloatArray) -> tuple[ProposedGroup, ...]:
    """Sizes of the parts around centres, and how far each is from all customers; the largest first."""
    weight, (mean, spread) = np.maximum(model.weight, 0), model.moments()
    label = nearest(model.points, centres)
    groups = []
    for part in range(len(centres)):
        inside = label == part
        size = float(weight[inside].sum())
        place = np.average(model.points[inside], axis=0, weights=weight[inside]) if size > 0 else mean
        apart = dict(zip(names, ((place - mean) / spread).tolist(), strict=True))
        groups.append(ProposedGroup(share=size / float(weight.sum()), apart=apart))
    return tuple(sorted(groups, key=lambda group: -group.share))


def _equal(points: FloatArray) -> SupportPoints:
    return SupportPoints(points=points, weight=np.ones(len(points)))


def _whitened(points: FloatArray) -> FloatArray:
    """The points around their mean, in coordinates of variance 1 that are not correlated."""
    away = points - points.mean(axis=0)
    values, axes = np.linalg.eigh(away.T @ away / len(points))
    return np.asarray(away @ (axes / np.sqrt(values + _LEAST_VARIANCE)))


def _split(drawn: SupportPoints, centres: FloatArray) -> Split:
    label = nearest(drawn.points, centres)
    pairs = combinations(range(len(centres)), 2)
    return Split(centres=centres, between=max(_between(drawn.points, label, *pair) for pair in pairs))


def _between(points: FloatArray, label: IntArray, first: int, second: int) -> float:
    """See the module's text.

    The direction is Fisher's (1936, "The use of multiple measurements in taxonomic problems"): the difference of the
    means over the covariance within. Densities are by a normal kernel (Silverman 1986, "Density estimation for
    statistics and data analysis", section 2.4).
    """
    one, other = points[label == first], points[label == second]
    if min(len(one), len(other)) < _LEAST_SHARE * len(points):
        return 1.0
    away = np.concatenate([one - one.mean(axis=0), other - other.mean(axis=0)])
    within = away.T @ away / len(away) + _LEAST_VARIANCE * np.eye(points.shape[1])
    axis = np.linalg.solve(within, other.mean(axis=0) - one.mean(axis=0))
    deviation = float(np.sqrt(axis @ within @ axis))
    if deviation <= 0:
        return 1.0
    places = np.concatenate([one, other]) @ axis / deviation
    ends = [float(part.mean(axis=0) @ axis) / deviation for part in (one, other)]
    looked = np.linspace(ends[0] - _BEYOND, ends[1] + _BEYOND, _PLACES)
    density = np.exp(-(((looked[:, None] - places[None, :]) / _KERNEL) ** 2) / 2).sum(axis=1)
    middle = _PLACES // 2
    low, high = int(density[: middle + 1].argmax()), middle + int(density[middle:].argmax())
    return float(density[low : high + 1].min() / min(density[low], density[high]))
