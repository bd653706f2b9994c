"""Pictures of the holder's churn section, as SVG elements (:mod:`privacy.presentation.pictures`)."""

from __future__ import annotations

from collections.abc import Sequence

from clients.analyses.churn.texts import text
from clients.analysis.pictures import EVERYONE, OWN
from privacy.analyses.churn.results import CalibrationPoint
from privacy.presentation.pictures import CUSTOMERS, HAIRLINE, INK, MUTED, REVENUE, figure, label, legend, svg
from privacy.presentation.texts import Language

_WIDTH = 390
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def calibration(own: Sequence[CalibrationPoint], everyone: Sequence[CalibrationPoint], language: Language) -> str:
    """Predicted probability against the share that left: the holder's customers and the consortium's.

    Args:
        own: the holder's groups.
        everyone: the released ones.
        language: of the labels.
    """
    height, left, right, top, bottom = 350, 44, 18, 60, 50
    picture = figure(_WIDTH, height)
    axes = picture.add_axes(
        (left / _WIDTH, bottom / height, (_WIDTH - left - right) / _WIDTH, (height - top - bottom) / height)
    )
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    ends = [0.0, 1.0]
    for points, colour, marker, size in ((everyone, EVERYONE, "s", 8), (own, OWN, "o", 9)):
        for point in points:
            seen = point.observed
            interval = [seen.value - seen.margin, seen.value + seen.margin]
            ends += interval
            axes.plot([point.predicted] * 2, interval, color=colour, linewidth=1.8, solid_capstyle="butt")
            axes.plot([point.predicted], [seen.value], marker, color=colour, markersize=size, markeredgecolor="#ffffff")
    axes.set_xlim(0, 1)
    axes.set_ylim(min(ends), max(ends))
    for setter in (axes.set_xticks, axes.set_yticks):
        setter(_TICKS, [f"{100 * tick:.0f}" for tick in _TICKS])
    axes.tick_params(labelsize=12, colors=INK, length=0)
    axes.grid(color=HAIRLINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_facecolor("none")
    for side in ("top", "left", "right", "bottom"):
        axes.spines[side].set_visible(False)
    for words, x, y, align in (
        (text("churn_axis_observed", language), 6, 44, "left"),
        (text("churn_axis_predicted", language), _WIDTH - right, height - 10, "right"),
    ):
        picture.text(
            x / _WIDTH, 1 - y / height, words, fontsize=12, color=MUTED, ha=align, va="baseline", parse_math=False
        )
    for place, (key, colour) in enumerate((("churn_legend_own", OWN), ("churn_legend_everyone", EVERYONE))):
        legend(picture, 6 + 110 * place, 8, text(key, language), colour, _WIDTH, height)
    return svg(picture, f"churn-calibration-{language}", text("churn_picture_calibration", language))


def bands(rows: Sequence[tuple[str, float, float | None]], language: Language) -> str:
    """Share of customers and of their spend in each band of risk.

    Args:
        rows: name, share of customers, share of spend (None where that cannot be said), from the highest risk.
        language: of the labels.
    """
    row, top, bottom, left, right = 74, 36, 8, 6, 62
    height = top + row * len(rows) + bottom
    inner = _WIDTH - left - right
    picture = figure(_WIDTH, height)
    axes = picture.add_axes((left / _WIDTH, bottom / height, inner / _WIDTH, (height - top - bottom) / height))
    axes.set_ylim(row * len(rows), 0)
    reach = max([0.05, *(share for _, share, _ in rows), *(part for _, _, part in rows if part is not None)])
    for index, (name, share, part) in enumerate(rows):
        label(axes, 0, index * row + 13, name, align="left")
        for value, offset, colour in ((share, 31, CUSTOMERS), (part, 49, REVENUE)):
            if value is None:
                continue
            axes.barh(index * row + offset, max(value, 0), height=15, color=colour, linewidth=0)
            axes.annotate(
                f"{100 * value:.1f}%", (max(value, 0), index * row + offset), xytext=(6, 0),
                textcoords="offset points", va="center_baseline", ha="left", fontsize=12, color=INK,
            )  # fmt: skip
    axes.set_xlim(0, reach)
    axes.set_axis_off()
    for place, (key, colour) in enumerate((("churn_legend_customers", CUSTOMERS), ("churn_legend_money", REVENUE))):
        legend(picture, 6 + 130 * place, 8, text(key, language), colour, _WIDTH, height)
    return svg(picture, f"churn-bands-{language}", text("churn_picture_bands", language))
