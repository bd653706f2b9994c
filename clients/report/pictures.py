"""The holder's picture: its own shares beside the consortium's, by segment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from clients.report.comparison import Compared, SegmentLine
from clients.report.texts import text
from privacy.contract.estimates import Estimate
from privacy.presentation.numbers import shown
from privacy.presentation.pictures import INK, MUTED, figure, label, legend, svg
from privacy.presentation.texts import Language
from privacy.presentation.words import segment_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Dark and warm against light and cold: told apart with every kind of colour vision, and on grey paper.
OWN = "#752a02"
EVERYONE = "#7893ae"

Width = Literal["wide", "narrow"]
Share = Literal["customers", "revenue"]
_SHARES: tuple[Share, ...] = ("customers", "revenue")
_LEGEND = (("legend_own", OWN), ("legend_everyone", EVERYONE))


def compared_shares(
    lines: Sequence[SegmentLine], language: Language, *, floor: int | str, width: Width, salt: str
) -> str:
    """Own and consortium's share of customers and of revenue in each segment; black lines: 95% of the noise.

    Args:
        lines: the segments.
        language: of the words.
        floor: the study's floor, for segments that are not shown.
        width: ``wide`` puts the two shares side by side, ``narrow`` below each other with names above the bars.
        salt: tells this picture's ids from those of others on the page.
    """
    draw = _wide if width == "wide" else _narrow
    return draw(lines, language, floor, f"{salt}-{language}-{width}")


def _wide(lines: Sequence[SegmentLine], language: Language, floor: int | str, salt: str) -> str:
    row, top, bottom, total = 44, 62, 8, 860
    left, gap, right = 176, 74, 62
    height = top + row * len(lines) + bottom
    inner = (total - left - gap - right) / 2
    picture = figure(total, height)
    for number, share in enumerate(_SHARES):
        x = left + number * (inner + gap)
        axes = picture.add_axes((x / total, bottom / height, inner / total, (height - top - bottom) / height))
        axes.set_ylim(len(lines) * row, 0)
        picture.text(
            x / total, 1 - 48 / height, text(f"panel_{share}", language), fontsize=13, color=INK, va="baseline",
            parse_math=False,
        )  # fmt: skip
        reach = [0.0]
        for index, line in enumerate(lines):
            middle = index * row + row / 2
            if number == 0:
                label(axes, -14 / inner, middle, segment_name(line.figures, language), align="right")
            reach += _pair(axes, _compared(line, share), middle, language, floor)
        _finish(axes, reach)
    for number, (key, colour) in enumerate(_LEGEND):
        legend(picture, left + 190 * number, 14, text(key, language), colour, total, height)
    return svg(picture, salt, text("picture_compared", language))


def _narrow(lines: Sequence[SegmentLine], language: Language, floor: int | str, salt: str) -> str:
    row, head, top, bottom, total, right = 62, 40, 46, 8, 350, 62
    panel = head + row * len(lines)
    height = top + 2 * panel + bottom
    inner = total - 6 - right
    picture = figure(total, height)
    for number, share in enumerate(_SHARES):
        start = top + number * panel
        picture.text(
            6 / total, 1 - (start + 26) / height, text(f"panel_{share}", language), fontsize=14, color=INK,
            va="baseline", weight="bold", parse_math=False,
        )  # fmt: skip
        low = 1 - (start + panel) / height
        axes = picture.add_axes((6 / total, low, inner / total, (panel - head) / height))
        axes.set_ylim(len(lines) * row, 0)
        reach = [0.0]
        for index, line in enumerate(lines):
            label(axes, 0, index * row + 13, segment_name(line.figures, language), align="left")
            reach += _pair(axes, _compared(line, share), index * row + row / 2 + 10, language, floor)
        _finish(axes, reach)
    for number, (key, colour) in enumerate(_LEGEND):
        legend(picture, 6, 10 + 20 * number, text(key, language), colour, total, height)
    return svg(picture, salt, text("picture_compared", language))


def _compared(line: SegmentLine, share: Share) -> Compared | None:
    return line.share_of_customers if share == "customers" else line.share_of_revenue


def _pair(axes: Axes, compared: Compared | None, middle: float, language: Language, floor: int | str) -> list[float]:
    """The two bars of a segment; returns how far they reach."""
    if compared is None:
        return []
    own, everyone = compared.own, compared.everyone
    axes.plot([0, 0], [middle - 18, middle + 18], color=MUTED, linewidth=1)
    axes.barh(middle - 8.5, own.value, height=14, color=OWN, linewidth=0)
    _value(axes, own, own.value, middle - 8.5, bold=True)
    if everyone is None:
        label(axes, 0.01, middle + 8.5, text("suppressed_short", language, floor=floor), align="left", muted=True)
        return [own.value]
    axes.barh(middle + 8.5, everyone.value, height=14, color=EVERYONE, linewidth=0)
    ends = [everyone.value - everyone.margin, everyone.value + everyone.margin]
    axes.plot(ends, [middle + 8.5] * 2, color="#000000", linewidth=1.6, solid_capstyle="butt")
    _value(axes, everyone, max(ends[1], 0), middle + 8.5, bold=False)
    return [own.value, *ends]


def _value(axes: Axes, share: Estimate, x: float, y: float, *, bold: bool) -> None:
    exact = Estimate(value=share.value, margin=0.0) if bold else share  # one's own share is exact
    axes.annotate(
        f"{shown(exact, decimals=1, scale=100).value}%",
        (max(x, 0), y),
        xytext=(6, 0),
        textcoords="offset points",
        va="center_baseline",
        ha="left",
        fontsize=12,
        color=INK,
        weight="bold" if bold else "normal",
        annotation_clip=False,
    )


def _finish(axes: Axes, reach: list[float]) -> None:
    axes.set_xlim(min(reach), max(*reach, 0.05))
    axes.set_axis_off()
