"""A model of where customers are, made of weighted points and improved by releases; all of it is post-processing.

A noisy grid gives the points and their first weights. Every further release, counts and mean offsets around anchors,
tilts the weights inside each anchor's cell: the exponential family through the old weights whose count and mean are
the precision-weighted mean of what the model said and what was released. Of all weights with that mean these are
nearest to the old ones in relative entropy (Csiszar 1975, "I-divergence geometry of probability distributions and
minimization problems", section 3). Clusters are then found in the model, as often and for as many numbers of clusters
as one likes, at no cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import numpy as np

from privacy.analyses.clusters.anchor_sums import AnchorEstimates, nearest
from privacy.kernel.row_arithmetic import FloatArray, clipped
from privacy.statistics.base import IntArray

#: A silhouette within this of the best is as good.
AS_GOOD = 0.02
#: A cell is taken to hold customers where its count stands out of the noise by this many deviations.
_THRESHOLD = 2.5
#: Weight of a cell beside such cells, in deviations of the noise: it may hold some, too.
_FILL = 0.1
#: Points along each coordinate of a cell, to its very edges: facts such as "one order" sit on them.
_SUB = 5
#: About as many points as can be clustered in seconds; with more cells there are fewer points in each.
_MOST_POINTS = 100_000
#: How uncertain the model is before a release: a cell's count (relative), its mean offset (in radii, a coordinate).
_COUNT_PRIOR = 1.0
_OFFSET_PRIOR = 0.25
#: Points with less than this share of the largest weight are left out of clustering.
_NEGLIGIBLE = 1e-5
#: Points drawn for silhouettes, systematically.
_SAMPLE = 2000
_NEWTON_STEPS = 12


def grid_points(counts: FloatArray, deviation: float, cells: int, coordinates: int) -> SupportPoints:
    """Points from the counts of a grid over [-1, 1]^n.

    Args:
        counts: shape ``(cells ** coordinates,)``, the last coordinate fastest.
        deviation: of each count.
    """
    from scipy.ndimage import binary_dilation  # here, as below: slow to import, and few commands look for clusters

    keep = counts > _THRESHOLD * deviation
    if not keep.any():  # next to nothing stands out: the fullest cells
        keep = counts >= np.sort(counts)[-3:].min()
    shape = (cells,) * coordinates
    near = binary_dilation(keep.reshape(shape)).ravel()
    weight = np.where(keep, np.maximum(counts, max(deviation, 1e-9)), np.where(near, _FILL * deviation, 0.0))
    axis = (np.arange(cells) + 0.5) / cells * 2 - 1
    centres = np.stack(np.meshgrid(*[axis] * coordinates, indexing="ij"), -1).reshape(-1, coordinates)
    along = min(_SUB, int((_MOST_POINTS / near.sum()) ** (1 / coordinates)))
    inside = (np.linspace(-1, 1, along) if along > 1 else np.zeros(1)) / cells
    around = np.stack(np.meshgrid(*[inside] * coordinates, indexing="ij"), -1).reshape(-1, coordinates)
    points = (centres[near][:, None, :] + around[None]).reshape(-1, coordinates)
    return SupportPoints(points=points, weight=np.repeat(weight[near] / len(around), len(around)))


def weighted_quantile(values: FloatArray, weight: FloatArray, rank: float) -> float:
    """The value below which this share of the weight lies; nan for none."""
    if not len(values) or weight.sum() <= 0:
        return math.nan
    order = np.argsort(values)
    reached = weight[order].cumsum()
    return float(values[order][min(int(np.searchsorted(reached, rank * reached[-1])), len(values) - 1)])


@dataclass(kw_only=True, eq=False)
class SupportPoints:
    """Weighted points.

    Attributes:
        points: shape ``(points, coordinates)``.
        weight: estimated customers at each; changed by :meth:`learn`.
    """

    points: FloatArray
    weight: FloatArray

    def centres(self, k: int, *, starts: int = 10, first: FloatArray | None = None, rounds: int = 300) -> FloatArray:
        """k-means of the points; shape ``(k, coordinates)``.

        Lloyd 1982, "Least squares quantization in PCM"; starts by Arthur, Vassilvitskii 2007, "k-means++: the
        advantages of careful seeding".

        Args:
            first: centres to start from, instead of several starts.
            rounds: at most so many.
        """
        from sklearn.cluster import KMeans

        keep = self.weight > self.weight.max() * _NEGLIGIBLE
        points, weight = self.points[keep], self.weight[keep]
        distinct = np.unique(points, axis=0)
        if len(distinct) < k:  # fewer places than clusters: the rest coincide with the heaviest
            extra = np.repeat(points[[int(weight.argmax())]], k - len(distinct), axis=0)
            return np.concatenate([distinct, extra])
        model = KMeans(
            k,
            init="k-means++" if first is None else first,
            n_init=starts if first is None else 1,
            max_iter=rounds,
            random_state=0,
        )
        return cast(FloatArray, model.fit(points, sample_weight=weight).cluster_centers_)

    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation (at least 0.001) of all customers, each of shape ``(coordinates,)``."""
        weight = np.maximum(self.weight, 0)
        mean = np.average(self.points, axis=0, weights=weight)
        variance = np.average((self.points - mean) ** 2, axis=0, weights=weight)
        return np.asarray(mean), np.asarray(np.sqrt(np.maximum(variance, 1e-6)))

    def cost(self, centres: FloatArray) -> float:
        """Sum of squared distances to the nearest centre."""
        near = centres[nearest(self.points, centres)]
        return float((self.weight * ((self.points - near) ** 2).sum(axis=1)).sum())

    def radii(self, anchors: FloatArray, rank: float, least: float) -> FloatArray:
        """Per anchor the distance within which this share of its customers is; between half and twice that of all."""
        cell = nearest(self.points, anchors)
        distance = np.sqrt(((self.points - anchors[cell]) ** 2).sum(axis=1))
        every = weighted_quantile(distance, self.weight, rank)
        own = np.array(
            [weighted_quantile(distance[cell == j], self.weight[cell == j], rank) for j in range(len(anchors))]
        )
        every = every if math.isfinite(every) else least
        reach: FloatArray = np.maximum(np.clip(np.nan_to_num(own, nan=every), every / 2, 2 * every), least)
        return reach

    def learn(self, anchors: FloatArray, radii: FloatArray, released: AnchorEstimates) -> None:
        """Tilt the weights towards released counts and offsets around anchors.

        Count and mean offset of a cell are those of a normal prior around the model and a normal release: means
        weighted by one over the variance. The count's prior deviation is ``_COUNT_PRIOR`` times the count, that of the
        mean offset ``_OFFSET_PRIOR`` radii a coordinate.
        """
        cell = nearest(self.points, anchors)
        offsets = clipped((self.points - anchors[cell]) / radii[cell][:, None], 1.0)
        for j in range(len(anchors)):
            inside = np.flatnonzero(cell == j)
            if not inside.size:
                continue
            before = float(self.weight[inside].sum())
            prior = (_COUNT_PRIOR * before) ** 2
            noise = released.counts_deviation**2
            after = max((before * noise + float(released.counts[j]) * prior) / (noise + prior + 1e-12), 0.0)
            if before <= 0 or after <= 0:
                self.weight[inside] = 0.0
                continue
            share = self.weight[inside] / before
            mean = share @ offsets[inside]
            spread = (released.offsets_deviation / after) ** 2
            gain = _OFFSET_PRIOR**2 / (_OFFSET_PRIOR**2 + spread)
            target = mean + (released.offsets[j] / after - mean) * gain
            self.weight[inside] = after * _tilted(share, offsets[inside], target)

    def sample(self, size: int = _SAMPLE) -> IntArray:
        """Indices of so many points, as often as they weigh, by systematic sampling: no randomness."""
        reached = np.maximum(self.weight, 0).cumsum()
        ranks = (np.arange(size) + 0.5) / size * reached[-1]
        indices: IntArray = np.minimum(np.searchsorted(reached, ranks), len(reached) - 1)
        return indices

    def silhouettes(self, numbers: range) -> dict[int, float]:
        """Mean silhouette of k-means for several k, over a sample of the points.

        Rousseeuw 1987, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis",
        section 2.
        """
        from sklearn.metrics import silhouette_score

        drawn = self.points[self.sample()]
        found = {}
        for k in numbers:
            label = nearest(drawn, self.centres(k, starts=4))
            if len(np.unique(label)) == k and k < len(drawn):
                found[k] = float(silhouette_score(drawn, label))
        return found


def _tilted(share: FloatArray, offsets: FloatArray, target: FloatArray) -> FloatArray:
    """Weights proportional to ``share exp(b . offset)`` with the mean offset ``target``, b by damped Newton steps.

    They minimise ``log sum share exp(b . (offset - target))``, whose gradient is the mean's distance from the target
    and whose curvature is the offsets' covariance under the weights.
    """
    b = np.zeros(offsets.shape[1])
    tilted = share
    for _ in range(_NEWTON_STEPS):
        mean = tilted @ offsets
        curvature = (offsets * tilted[:, None]).T @ offsets - np.outer(mean, mean) + 0.02 * np.eye(len(b))
        step = np.linalg.solve(curvature, target - mean)
        b += step * min(1.0, 2 / max(float(np.linalg.norm(step)), 1e-9))
        b *= min(1.0, 6 / max(float(np.linalg.norm(b)), 1e-9))
        exponent = offsets @ b
        tilted = share * np.exp(exponent - exponent.max())
        tilted = tilted / tilted.sum()
    return tilted
