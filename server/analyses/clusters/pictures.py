"""Pictures of clusters, as SVG elements to stand inline in HTML (:mod:`privacy.presentation.pictures`).

None of them needs colour: shades go one way from light to dark with the figure on them, lines have marks and numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from privacy.analyses.clusters.results import ClusterFigures, ClusterResult
from privacy.analyses.clusters.words import beyond_noise
from privacy.kernel.features import FEATURES, UNIT, FeatureName, ScaledFeature
from privacy.kernel.terms import minor_digits
from privacy.presentation.features import feature_heading, feature_name
from privacy.presentation.pictures import (
    CUSTOMERS,
    CUT,
    HAIRLINE,
    INK,
    MUTED,
    REVENUE,
    SCORES,
    Width,
    figure,
    label,
    svg,
)
from privacy.presentation.texts import Language
from server.analyses.clusters.texts import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SQUARE = (390, 330)
_WIDTH: dict[Width, int] = {"wide": 780, "narrow": 350}
_NAMES = 250
#: From so many standard deviations on a cell has the next shade.
_STEPS = (-0.8, -0.25, 0.25, 0.8)
#: Cells narrower than this have no room for their figure.
_ROOM = 36
#: Marks and colours have no common divisor: each of up to 24 clusters has a pair of its own.
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
_LINES = (REVENUE, CUT, CUSTOMERS)


def heat_map(clusters: ClusterResult, language: Language, *, width: Width) -> str:
    """How far clusters are from all customers: a row a feature, a column a cluster, with the figures.

    Args:
        clusters: the result.
        language: of the labels.
        width: ``wide`` for desks and paper, ``narrow`` for phones (names above the cells).
    """
    by_id = _by_id(clusters)
    clear = beyond_noise(clusters.figures)
    picture, axes, row = _rows(clusters, language, width, top=30, bottom=4, room=34)
    axes.set_xlim(0, len(by_id))
    cell = axes.get_position().width * _WIDTH[width] / len(by_id)
    for column, figures in enumerate(by_id):
        _above(axes, column + 0.5, str(figures.id))
        for place, feature in enumerate(clusters.clusters.features):
            apart = figures.apart[feature.name]
            level = sum(apart >= step for step in _STEPS)
            middle = place * row + (row / 2 if width == "wide" else row - 17)
            axes.barh(
                middle,
                1,
                height=30,
                left=column,
                color=SCORES[level],
                edgecolor="#ffffff",
                linewidth=2,
            )
            if cell >= _ROOM:
                axes.annotate(
                    _signed(apart) if feature.name in clear[figures.id] else f"({_signed(apart)})",
                    (column + 0.5, middle),
                    ha="center",
                    va="center_baseline",
                    fontsize=12,
                    color="#ffffff" if level >= 3 else INK,
                )
    return svg(picture, f"heat-{language}-{width}", text("picture_cluster_heat", language))


def parallel(clusters: ClusterResult, language: Language, *, width: Width) -> str:
    """One line a cluster over the features, in standard deviations from the mean of all customers.

    Args:
        clusters: the result.
        language: of the labels.
        width: ``wide`` for desks and paper, ``narrow`` for phones (names above the axes).
    """
    by_id = _by_id(clusters)
    features = [feature.name for feature in clusters.clusters.features]
    picture, axes, row = _rows(clusters, language, width, top=52, bottom=26, room=max(44, 200 // len(features)))
    reach = 1.12 * max([abs(figures.apart[name]) for figures in by_id for name in features] + [0.5])
    axes.set_xlim(-reach, reach)
    middles = [place * row + (row / 2 if width == "wide" else row - 14) for place in range(len(features))]
    for middle in middles:
        axes.plot([-reach, reach], [middle, middle], color=HAIRLINE, linewidth=0.8)
    axes.plot([0, 0], [0, len(features) * row], color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    for index, figures in enumerate(by_id):
        colour = _LINES[index % len(_LINES)]
        axes.plot(
            [figures.apart[name] for name in features],
            middles,
            color=colour,
            linewidth=1.8,
            marker=_MARKS[index % len(_MARKS)],
            markersize=9,
            markeredgewidth=0,
        )
    pixels = axes.get_position().width * _WIDTH[width]
    order = sorted(by_id, key=lambda figures: figures.apart[features[0]])
    places = _spread([figures.apart[features[0]] for figures in order], 26 * 2 * reach / pixels, reach)
    for figures, place in zip(order, places, strict=True):
        index = by_id.index(figures)
        colour = _LINES[index % len(_LINES)]
        axes.plot([place, figures.apart[features[0]]], [-12, middles[0]], color=colour, linewidth=0.8)
        axes.plot(
            [place],
            [-12],
            color=colour,
            marker=_MARKS[index % len(_MARKS)],
            markersize=9,
            markeredgewidth=0,
            clip_on=False,
        )
        axes.annotate(
            str(figures.id),
            (place, -12),
            xytext=(0, 14),
            textcoords="offset points",
            ha="center",
            va="center_baseline",
            fontsize=12,
            color=INK,
            annotation_clip=False,
        )
    for lines in axes.lines:
        lines.set_clip_on(False)
    for key, x, align in (("axis_below", -reach, "left"), ("axis_above", reach, "right")):
        axes.annotate(
            f"← {text(key, language)}" if align == "left" else f"{text(key, language)} →",
            (x, len(features) * row),
            xytext=(0, -12),
            textcoords="offset points",
            ha=align,
            va="center_baseline",
            fontsize=12,
            color=MUTED,
            annotation_clip=False,
        )
    return svg(picture, f"parallel-{language}-{width}", text("picture_cluster_parallel", language))


def centre_map(clusters: ClusterResult, language: Language, *, currency: str) -> str:
    """Centres by two features; the area of a circle is the cluster's share of customers.

    Args:
        clusters: the result, of at least two features.
        language: of the labels.
        currency: of money on the axes.
    """
    across, up = map_features(clusters)
    features = clusters.clusters.features
    x, y = features[across], features[up]
    picture, axes = _square(
        (44, 18, 30, 50),
        feature_heading(x.name, language, currency=currency, of=x.of),
        feature_heading(y.name, language, currency=currency, of=y.of),
    )
    places = {centre.id: np.array(centre.place) / UNIT for centre in clusters.clusters.centres}
    for axis, feature, at in ((axes.xaxis, x, across), (axes.yaxis, y, up)):
        values = [place[at] for place in places.values()]
        margin = 0.18 * max(max(values) - min(values), 0.4)
        low, high = min(values) - margin, max(values) + margin
        (axes.set_xlim if axis is axes.xaxis else axes.set_ylim)(low, high)
        found = ticks(feature, low, high, currency=currency)
        axis.set_ticks([place for place, _ in found], [words for _, words in found])
    for figures in sorted(clusters.figures, key=lambda item: -(item.share.value if item.share else 0)):
        place = places[figures.id]
        share = figures.share.value if figures.share else 0.0
        axes.plot(
            [place[across]],
            [place[up]],
            "o",
            color=CUSTOMERS,
            markersize=max(104 * math.sqrt(share), 7),
            markeredgecolor="#ffffff",
            markeredgewidth=1.5,
            clip_on=False,
        )
    for figures in clusters.figures:
        place = places[figures.id]
        axes.annotate(
            str(figures.id),
            (place[across], place[up]),
            ha="center",
            va="center_baseline",
            fontsize=13,
            color="#000000",
            annotation_clip=False,
        )
    return svg(picture, f"map-{language}", text("picture_cluster_map", language))


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
    """The tree over the centres: leaves on the left, merged ones where their branches meet.

    Args:
        clusters: the result, with a tree.
        language: of the labels.
    """
    branches = {clusters.clusters.next_id + step: merge for step, merge in enumerate(clusters.tree)}
    leaves = _leaves(max(branches), branches)
    height = max(_SQUARE[1], 44 + 24 * len(leaves))
    left = 104
    picture = figure(_SQUARE[0], height)
    axes = picture.add_axes(
        (left / _SQUARE[0], 34 / height, (_SQUARE[0] - left - 12) / _SQUARE[0], (height - 44) / height)
    )
    axes.set_xlim(0, 1.04 * max(height_of for _, _, height_of in clusters.tree))
    axes.set_ylim(len(leaves), 0)
    axes.set_axis_off()
    place = {leaf: (0.0, index + 0.5) for index, leaf in enumerate(leaves)}
    for leaf in leaves:
        label(axes, -0.03, place[leaf][1], text("cluster_name", language, id=leaf), align="right")
    for merged, (first, second, far) in branches.items():
        (x1, y1), (x2, y2) = place[first], place[second]
        axes.plot([x1, far, far, x2], [y1, y1, y2, y2], color=REVENUE, linewidth=2, solid_joinstyle="miter")
        place[merged] = (far, (y1 + y2) / 2)
    picture.text(
        1 - 12 / _SQUARE[0],
        10 / height,
        f"{text('axis_unlike', language)} →",
        fontsize=12,
        color=MUTED,
        ha="right",
        va="baseline",
        parse_math=False,
    )
    return svg(picture, f"tree-{language}", text("picture_cluster_tree", language))


def _leaves(node: int, branches: dict[int, tuple[int, int, float]]) -> list[int]:
    if node not in branches:
        return [node]
    first, second, _ = branches[node]
    return _leaves(first, branches) + _leaves(second, branches)


def silhouettes(values: dict[int, float], chosen: int, language: Language) -> str:
    """Mean silhouette by number of clusters.

    Args:
        values: number to silhouette.
        chosen: the number that the run uses.
        language: of the labels.
    """
    picture, axes = _square((44, 18, 30, 50), text("axis_clusters", language), text("axis_silhouette", language))
    numbers = sorted(values)
    axes.plot(numbers, [values[number] for number in numbers], color=REVENUE, linewidth=1.8)
    for number in numbers:
        axes.plot(
            [number],
            [values[number]],
            "o",
            color=REVENUE if number == chosen else "#ffffff",
            markeredgecolor=REVENUE,
            markeredgewidth=1.8,
            markersize=11 if number == chosen else 7,
            clip_on=False,
        )
    axes.annotate(
        f"{values[chosen]:.2f}",
        (chosen, values[chosen]),
        xytext=(0, 16),
        textcoords="offset points",
        ha="center",
        va="center_baseline",
        fontsize=12,
        color=INK,
    )
    low, high = min(0.0, *values.values()), max(*values.values(), 0.1)
    axes.set_ylim(low, 1.22 * high)
    step = 0.1 if high - low <= 0.6 else 0.2
    levels = [round(step * count, 1) for count in range(math.ceil(low / step), int(1.22 * high / step) + 1)]
    axes.set_yticks(levels, [f"{level:.1f}" for level in levels])
    axes.set_xlim(numbers[0] - 0.6, numbers[-1] + 0.6)
    shown = numbers[:: math.ceil(len(numbers) / 12)]
    axes.set_xticks(shown, [str(number) for number in shown])
    return svg(picture, f"silhouette-{language}", text("picture_cluster_silhouette", language))


def _by_id(clusters: ClusterResult) -> list[ClusterFigures]:
    return sorted(clusters.figures, key=lambda figures: figures.id)


def _rows(
    clusters: ClusterResult, language: Language, width: Width, *, top: int, bottom: int, room: int
) -> tuple[Figure, Axes, int]:
    """Axes with a row a feature, names on the left or (narrow) above; the y axis counts pixels downwards."""
    wide = width == "wide"
    features = clusters.clusters.features
    row = room if wide else room + 18
    height = top + row * len(features) + bottom
    total = _WIDTH[width]
    left = _NAMES if wide else 8
    picture = figure(total, height)
    axes = picture.add_axes(
        (left / total, bottom / height, (total - left - 8) / total, (height - top - bottom) / height)
    )
    axes.set_ylim(row * len(features), 0)
    axes.set_axis_off()
    for place, feature in enumerate(features):
        words = feature_name(feature.name, language, of=feature.of)
        if wide:
            label(axes, -14 / (total - left - 8), place * row + row / 2, words, align="right")
        else:
            label(axes, 0, place * row + 10, words, align="left")
            axes.texts[-1].set_bbox({"facecolor": "#ffffff", "linewidth": 0, "pad": 1})  # lines run behind names
    return picture, axes, row


def _signed(value: float) -> str:
    words = f"{value:+.1f}"
    return words[1:] if float(words) == 0 else words


def _above(axes: Axes, x: float, words: str) -> None:
    axes.annotate(
        words,
        (x, 0),
        xytext=(0, 12),
        textcoords="offset points",
        ha="center",
        va="center_baseline",
        fontsize=13,
        color=INK,
        annotation_clip=False,
    )


def _spread(values: Sequence[float], gap: float, reach: float) -> list[float]:
    """Ascending places as near to ascending values as a gap between neighbours allows, within the picture's reach."""
    gap = min(gap, 2 * reach / max(len(values), 1))
    places = list(values)
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + gap)
    over = max(places[-1] - reach, 0.0)
    places[-1] -= over
    for index in range(len(places) - 2, -1, -1):
        places[index] = min(places[index], places[index + 1] - gap)
    return places


def _square(edges: tuple[int, int, int, int], across: str, up: str) -> tuple[Figure, Axes]:
    """Axes with hair lines and their names; ``edges``: pixels on the left, on the right, above, below."""
    width, height = _SQUARE
    left, right, top, bottom = edges
    picture = figure(width, height)
    axes = picture.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    )
    axes.tick_params(labelsize=12, colors=INK, length=0)
    axes.grid(color=HAIRLINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_facecolor("none")
    for side in ("top", "left", "right", "bottom"):
        axes.spines[side].set_visible(False)
    side_names: tuple[tuple[str, float, float, Literal["left", "right"]], ...] = (
        (up, 6, 14, "left"),
        (across, width - right, height - 10, "right"),
    )
    for words, x, y, align in side_names:
        picture.text(
            x / width, 1 - y / height, words, fontsize=12, color=MUTED, ha=align, va="baseline", parse_math=False
        )
    return picture, axes
