"""Scales that go from where customers begin to where they end, from one release; features then count as they vary.

A public scale holds any shop's customers, so those of one shop take a part of it, of another size for each feature, and
features would count by that. Quantiles, not mean and deviation: they widen for features of two humps, which tell groups
apart, where deviations make these narrow.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from scipy.optimize import isotonic_regression

from privacy.analyses.clusters.feature_prefixes import FeatureDistributions, FeaturePrefixes
from privacy.kernel.features import UNIT, ScaledFeature
from privacy.kernel.row_arithmetic import FloatArray
from server.analyses.clusters.plan import SCALES
from server.analyses.clusters.points import counted
from server.analyses.clusters.support_points import SupportPoints, weighted_quantile
from server.analysis import Ask

#: Bins along a public scale.
_BINS = 64
#: On each side of a scale, such a share of the customers is beyond its end.
BEYOND = 0.025
#: A share is read off a release where it stands so many deviations out of the noise; one nearer to half is read where
#: it does not, and the scale made as much longer as a normal distribution would need.
_CLEAR = 1.5
_MOST_READ = 0.3
#: Least length of a scale, as a part of the public one: what hardly varies is not blown up to count like the others.
_LEAST = 1 / 16


def released_scales(features: tuple[ScaledFeature, ...], ask: Ask) -> tuple[tuple[ScaledFeature, ...], float]:
    """The features on scales between released quantiles, and how many customers there are.

    Raises:
        DataError: if the noise hides the customers.
    """
    question = FeaturePrefixes(features=features, day=0, bins=_BINS)
    release = ask(SCALES, question)
    found = question.decode(release.array, release.deviation)
    spread = float(found.deviation[-1]) / math.sqrt(len(features))
    customers = counted(float(found.prefix[:, -1].mean()), spread)
    scaled = tuple(between(feature, *_ends(found, number, customers)) for number, feature in enumerate(features))
    return scaled, customers


def _ends(found: FeatureDistributions, number: int, customers: float) -> tuple[float, float]:
    """Where a feature's scale begins and ends, from 0 to 1 along the public one."""
    prefix = found.prefix[number] + found.total_covariance / max(found.total_covariance[-1], 1e-9) * (
        customers - found.prefix[number, -1]
    )
    fitted = isotonic_regression(prefix[:-1], weights=1 / np.maximum(found.deviation[:-1], 1e-9) ** 2).x
    known = max(float(fitted[-1]), 1.0)
    rank = min(max(BEYOND, _CLEAR * float(found.deviation[-1]) / known), _MOST_READ)
    low, high = _reached(fitted, rank * known), _reached(fitted, (1 - rank) * known)
    longer = (NormalDist().inv_cdf(BEYOND) / NormalDist().inv_cdf(rank) - 1) * (high - low) / 2
    return low - longer, high + longer


def _reached(prefix: FloatArray, count: float) -> float:
    """Where along the bins so many customers are reached; inside a bin by a straight line."""
    j = min(int(np.searchsorted(prefix, count)), len(prefix) - 1)
    before = max(float(prefix[j - 1]), 0.0) if j else 0.0
    step = float(prefix[j]) - before
    part = (count - before) / step if step > 0 else 1.0
    return (j + min(max(part, 0.0), 1.0)) / len(prefix)


def between(feature: ScaledFeature, low: float, high: float) -> ScaledFeature:
    """The feature on the part of its scale between two places, from 0 to 1, or around them where they are too near."""
    middle = min(max((low + high) / 2, _LEAST / 2), 1 - _LEAST / 2)
    half = max((high - low) / 2, _LEAST / 2)
    places = np.array([max(middle - half, 0.0), min(middle + half, 1.0)]) * 2 - 1
    first, last = (round(value) for value in feature.scale.raw(places).tolist())
    ends = {"low": first, "high": max(last, first + 1)}
    return feature.model_copy(update={"scale": feature.scale.model_copy(update=ends)})


def tightened(
    features: tuple[ScaledFeature, ...], model: SupportPoints
) -> tuple[tuple[ScaledFeature, ...], SupportPoints, float]:
    """Scales that the model's customers fill, the model on them, and how much longer its distances have become.

    The model knows more of where customers end than the first question did. Scales become shorter only.
    """
    weight = np.maximum(model.weight, 0)
    found, columns, stretched = [], [], 1.0
    for column, feature in zip(model.points.T, features, strict=True):
        low, high = (weighted_quantile(column, weight, rank) for rank in (BEYOND, 1 - BEYOND))
        tight = between(feature, (low + 1) / 2, (high + 1) / 2)
        ends = feature.scale.apply(np.array([tight.scale.low, tight.scale.high])) / UNIT
        factor = 2 / max(float(ends[1] - ends[0]), 1 / UNIT)
        found.append(tight)
        columns.append(np.clip((column - ends[0]) * factor - 1, -1, 1))
        stretched = max(stretched, factor)
    return tuple(found), SupportPoints(points=np.stack(columns, axis=1), weight=model.weight), stretched
