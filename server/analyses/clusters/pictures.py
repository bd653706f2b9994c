"""What the report's section on clusters draws (:mod:`privacy.presentation.charts`). None of it needs colour."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from privacy.analyses.clusters.results import ClusterFigures, ClusterResult
from privacy.analyses.clusters.words import beyond_noise
from privacy.kernel.features import FEATURES, UNIT, FeatureName, ScaledFeature
from privacy.kernel.terms import minor_digits
from privacy.presentation import charts
from privacy.presentation.charts import Axis, Bubble, Shade
from privacy.presentation.features import feature_heading, feature_name
from privacy.presentation.pictures import Form, Width
from privacy.presentation.texts import Language
from server.analyses.clusters.texts import text

#: From so many standard deviations on a cell has the next shade.
_STEPS = (-0.8, -0.25, 0.25, 0.8)


def heat_map(clusters: ClusterResult, language: Language, *, width: Width) -> str:
    """How far clusters are from all customers: a row a feature, a column a cluster, with the figures.

    Figures within the noise are in brackets.
    """
    by_id = _by_id(clusters)
    clear = beyond_noise(clusters.figures)

    def shade(figures: ClusterFigures, name: FeatureName) -> Shade:
        apart = figures.apart[name]
        words = _signed(apart)
        return Shade(sum(apart >= step for step in _STEPS), words if name in clear[figures.id] else f"({words})")

    return charts.heat_map(
        _feature_names(clusters, language),
        [str(figures.id) for figures in by_id],
        [[shade(figures, feature.name) for figures in by_id] for feature in clusters.clusters.features],
        Form(alt=text("picture_cluster_heat", language), salt=f"heat-{language}", width=width),
    )


def parallel(clusters: ClusterResult, language: Language, *, width: Width) -> str:
    """One line a cluster over the features, in standard deviations from the mean of all customers."""
    names = [feature.name for feature in clusters.clusters.features]
    return charts.profiles(
        _feature_names(clusters, language),
        [(str(figures.id), [figures.apart[name] for name in names]) for figures in _by_id(clusters)],
        (text("axis_below", language), text("axis_above", language)),
        Form(alt=text("picture_cluster_parallel", language), salt=f"parallel-{language}", width=width),
    )


def centre_map(clusters: ClusterResult, language: Language, *, currency: str) -> str:
    """Centres by two features; the area of a circle is the cluster's share of customers.

    Args:
        clusters: the result, of at least two features.
        language: of the labels.
        currency: of money on the axes.
    """
    x, y = map_features(clusters)
    places = {centre.id: np.array(centre.place) / UNIT for centre in clusters.clusters.centres}

    def axis(at: int) -> Axis:
        feature = clusters.clusters.features[at]
        values = [float(place[at]) for place in places.values()]
        margin = 0.18 * max(max(values) - min(values), 0.4)
        low, high = min(values) - margin, max(values) + margin
        name = feature_heading(feature.name, language, currency=currency, of=feature.of)
        return Axis(name, low, high, ticks(feature, low, high, currency=currency))

    circles = [
        Bubble(
            float(places[figures.id][x]),
            float(places[figures.id][y]),
            figures.share.value if figures.share else 0.0,
            str(figures.id),
        )
        for figures in clusters.figures
    ]
    form = Form(alt=text("picture_cluster_map", language), salt=f"map-{language}", width="half")
    return charts.bubbles(circles, axis(x), axis(y), form)


def map_features(clusters: ClusterResult) -> tuple[int, int]:
    """The feature in which clusters differ most and the one that then tells most beside it, in the study's order."""
    names = [feature.name for feature in clusters.clusters.features]
    weight = np.array([max(figures.customers.value, 1.0) for figures in clusters.figures])
    apart = np.array([[figures.apart[name] for name in names] for figures in clusters.figures])
    apart = (apart - np.average(apart, axis=0, weights=weight)) * np.sqrt(weight)[:, None]
    length = (apart**2).sum(axis=0)
    first = int(np.argmax(length))
    rest = apart - np.outer(apart[:, first], apart[:, first] @ apart) / max(length[first], 1e-12)
    left = (rest**2).sum(axis=0)
    left[first] = -1.0
    second = int(np.argmax(left))
    return min(first, second), max(first, second)


def ticks(feature: ScaledFeature, low: float, high: float, *, currency: str) -> list[tuple[float, str]]:
    """Round values between two places on the scale, with their places; far enough apart to be read."""
    found: list[tuple[float, str]] = []
    for raw, words in _round_values(feature.name, currency):
        place = float(feature.scale.apply(np.array([raw], dtype=np.int64))[0]) / UNIT
        inside = low <= place <= high and abs(place) < 1
        if inside and (not found or place - found[-1][0] >= 0.13 * (high - low)):
            found.append((place, words))
    return found


def _round_values(name: FeatureName, currency: str) -> list[tuple[int, str]]:
    """Raw values of a feature that are easy to read, ascending, as they are written."""
    unit = FEATURES[name].unit
    if FEATURES[name].share:
        return [(10 * percent, str(percent)) for percent in range(10, 100, 10)]
    if unit == "thousandths":
        values = (0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 5, 10, 20)
        return [(round(1000 * value), f"{value:g}") for value in values]
    if name == "trend":
        return [(value, f"{value:+d}" if value else "0") for value in range(-10, 11, 2)]
    if "days" in unit:
        scale = 100 if "hundredths" in unit else 1
        return [(scale * days, str(days)) for days in (1, 2, 3, 7, 14, 30, 60, 90, 180, 365, 730)]
    scale = 10 ** minor_digits(currency) if FEATURES[name].money else 100 if "hundredths" in unit else 1
    return [(scale * digit * 10**power, f"{digit * 10**power:,}") for power in range(8) for digit in (1, 2, 5)]


def tree(clusters: ClusterResult, language: Language) -> str:
    """The tree over the centres: leaves on the left, merged ones where their branches meet."""
    branches = {clusters.clusters.next_id + step: merge for step, merge in enumerate(clusters.tree)}
    parts = {part for first, second, _ in clusters.tree for part in (first, second)}
    names = {part: text("cluster_name", language, id=part) for part in parts - set(branches)}
    form = Form(alt=text("picture_cluster_tree", language), salt=f"tree-{language}", width="half")
    return charts.tree(branches, names, text("axis_unlike", language), form)


def silhouettes(values: Mapping[int, float], chosen: int, language: Language) -> str:
    """Mean silhouette by number of clusters, with the number that the run uses."""
    form = Form(alt=text("picture_cluster_silhouette", language), salt=f"silhouette-{language}", width="half")
    names = (text("axis_clusters", language), text("axis_silhouette", language))
    return charts.choice(values, chosen, names, form)


def _by_id(clusters: ClusterResult) -> list[ClusterFigures]:
    return sorted(clusters.figures, key=lambda figures: figures.id)


def _feature_names(clusters: ClusterResult, language: Language) -> list[str]:
    return [feature_name(feature.name, language, of=feature.of) for feature in clusters.clusters.features]


def _signed(value: float) -> str:
    words = f"{value:+.1f}"
    return words[1:] if float(words) == 0 else words
