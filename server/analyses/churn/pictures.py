"""Pictures of a churn model, as SVG elements to stand inline in HTML (:mod:`privacy.presentation.pictures`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from privacy.analyses.churn.results import CalibrationPoint
from privacy.figures.estimates import Estimate
from privacy.presentation.pictures import CUSTOMERS, HAIRLINE, INK, MUTED, REVENUE, Width, figure, label, svg
from privacy.presentation.texts import Language
from server.analyses.churn.texts import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SQUARE = (390, 320)
_WIDTH: dict[Width, int] = {"wide": 780, "narrow": 350}
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def calibration(points: Sequence[CalibrationPoint], language: Language) -> str:
    """Predicted probability against the share that churned, by group of scores, with 95% intervals.

    Args:
        points: the groups.
        language: of the labels.
    """
    picture, axes = _square(points, text("axis_predicted", language), text("axis_observed", language))
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    for point in points:
        seen = point.observed
        axes.plot([point.predicted] * 2, _interval(seen), color=INK, linewidth=1.4, solid_capstyle="butt")
        axes.plot([point.predicted], [seen.value], "o", color=REVENUE, markersize=8, markeredgecolor="#ffffff")
    return svg(picture, f"calibration-{language}", text("picture_calibration", language))


def lift(points: Sequence[CalibrationPoint], everyone: Estimate, language: Language) -> str:
    """Share that churned in groups from the highest score to the lowest; a bar is as wide as its group.

    Args:
        points: the groups, by ascending score.
        everyone: churn rate of all customers.
        language: of the labels.
    """
    picture, axes = _square(points, text("axis_reached", language), text("axis_observed", language))
    total = sum(point.share for point in points)
    left = 0.0
    for point in reversed(points):
        width = point.share / total
        seen = point.observed
        axes.bar(left, seen.value, width=width, align="edge", color=CUSTOMERS, edgecolor="#ffffff", linewidth=1.5)
        axes.plot([left + width / 2] * 2, _interval(seen), color="#000000", linewidth=1.6, solid_capstyle="butt")
        left += width
    for colour, thickness, dashes in (("#ffffff", 3.4, "solid"), (INK, 1.4, (0, (4, 3)))):  # white edge on bars
        axes.axhline(everyone.value, color=colour, linewidth=thickness, linestyle=dashes)
    axes.annotate(
        text("lift_all", language),
        (1.0, everyone.value),
        xytext=(-2, 9),
        textcoords="offset points",
        ha="right",
        va="center_baseline",
        fontsize=12,
        color=INK,
    )
    return svg(picture, f"lift-{language}", text("picture_lift", language))


def weights(rows: Sequence[tuple[str, float]], language: Language, *, width: Width) -> str:
    """Weights as bars to the left and to the right of zero, in the order given.

    Args:
        rows: names and weights.
        language: of the labels.
        width: ``wide`` for desks and paper, ``narrow`` for phones (names above the bars).
    """
    wide = width == "wide"
    row = 26 if wide else 44
    top, bottom = 34, 8
    height = top + row * len(rows) + bottom
    total = _WIDTH[width]
    left, right = (300, 8) if wide else (8, 8)
    picture = figure(total, height)
    axes = picture.add_axes(
        (left / total, bottom / height, (total - left - right) / total, (height - top - bottom) / height)
    )
    axes.set_ylim(len(rows) * row, 0)
    reach = 1.25 * max([abs(weight) for _, weight in rows] + [0.01])  # room for the figure at a bar's end
    axes.set_xlim(-reach, reach)
    for index, (name, weight) in enumerate(rows):
        middle = index * row + (row / 2 if wide else 32)
        if wide:
            label(axes, -14 / (total - left - right), middle, name, align="right")
        else:
            label(axes, 0, index * row + 13, name, align="left")
        axes.barh(middle, weight, height=15, color=REVENUE if weight > 0 else CUSTOMERS, linewidth=0)
        axes.annotate(
            f"{weight:+.2f}",
            (weight, middle),
            xytext=(6 if weight >= 0 else -6, 0),
            textcoords="offset points",
            va="center_baseline",
            ha="left" if weight >= 0 else "right",
            fontsize=12,
            color=INK,
        )
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.set_axis_off()
    middle_x = left + (total - left - right) / 2
    for key, x, side in (("weight_lowers", middle_x - 12, "right"), ("weight_raises", middle_x + 12, "left")):
        words = text(key, language)
        picture.text(
            x / total,
            1 - 18 / height,
            f"{words} →" if side == "left" else f"← {words}",
            fontsize=12,
            color=MUTED,
            ha=side,
            va="baseline",
            parse_math=False,
        )
    return svg(picture, f"weights-{language}-{width}", text("picture_features", language))


def _interval(estimate: Estimate) -> list[float]:
    return [estimate.value - estimate.margin, estimate.value + estimate.margin]


def _square(points: Sequence[CalibrationPoint], across: str, up: str) -> tuple[Figure, Axes]:
    """Axes in per cent, both from 0 to 100, longer upwards and downwards where an interval needs it."""
    width, height = _SQUARE
    left, right, top, bottom = 44, 18, 30, 50
    picture = figure(width, height)
    axes = picture.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    )
    ends = [end for point in points for end in _interval(point.observed)]
    axes.set_xlim(0, 1)
    axes.set_ylim(min(0.0, *ends), max(1.0, *ends))
    axes.set_xticks(_TICKS, [f"{100 * tick:.0f}" for tick in _TICKS])
    axes.set_yticks(_TICKS, [f"{100 * tick:.0f}" for tick in _TICKS])
    axes.tick_params(labelsize=12, colors=INK, length=0)
    axes.grid(color=HAIRLINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_facecolor("none")
    axes.axhline(0, color=MUTED, linewidth=1)
    for side in ("top", "left", "right", "bottom"):
        axes.spines[side].set_visible(False)
    for words, x, y, align in ((up, 6, 14, "left"), (across, width - right, height - 10, "right")):
        picture.text(
            x / width, 1 - y / height, words, fontsize=12, color=MUTED, ha=align, va="baseline", parse_math=False
        )
    return picture, axes
