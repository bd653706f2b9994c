"""Figures in a plane: what was predicted against what came, ranked groups, places with a size, and what was tried."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from privacy.presentation.charts.marks import Mark
from privacy.presentation.pictures import (
    BLACK,
    CUSTOMERS,
    DASHES,
    HAIRLINE,
    INK,
    MUTED,
    REVENUE,
    WHITE,
    WIDTHS,
    Canvas,
    Edges,
    Form,
    bare,
    beside,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT, _LEFT, _RIGHT, _BOTTOM = 320, 44, 18, 50
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


class Axis(NamedTuple):
    """An axis: what it shows, its ends, and its ticks with their words."""

    name: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]


class Points(NamedTuple):
    """Groups of one kind: predicted share to what came; without a name there is no legend."""

    marks: Sequence[tuple[float, Mark]]
    name: str = ""
    colour: str = REVENUE
    shape: str = "o"


class Column(NamedTuple):
    """A group in a ranking: its share of all, and its figure."""

    share: float
    mark: Mark


class Bubble(NamedTuple):
    """A place; the area is the share (0 to 1)."""

    x: float
    y: float
    share: float
    words: str


def agreement(series: Sequence[Points], across: str, up: str, form: Form) -> str:
    """Predicted shares against those that came, with intervals; on the dashed line both agree.

    Args:
        series: the groups, of one or more kinds.
        across: what was predicted.
        up: what came.
        form: ``half`` of a row.
    """
    marks = [mark for points in series for _, mark in points.marks]
    canvas, axes = _square(form, _shares(across), _shares(up, marks), head=30 if series[0].name else 0)
    axes.axhline(0, color=MUTED, linewidth=1)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.2, linestyle=DASHES)
    x = 6.0
    for points in series:
        for predicted, mark in points.marks:
            axes.plot([predicted] * 2, [mark.low, mark.high], color=points.colour, linewidth=1.8, solid_capstyle="butt")
            axes.plot([predicted], [mark.value], points.shape, color=points.colour, markersize=8, markeredgecolor=WHITE)
        if points.name:
            canvas.legend(x, 8, points.name, points.colour)
            x += 18 + width_of(points.name) + 24
    return canvas.svg(form)


def ranked(columns: Sequence[Column], mean: Mark, names: tuple[str, str], form: Form) -> str:
    """Columns from the first to the last, each as wide as its group, with intervals; the dashed line is the mean.

    Args:
        columns: the groups' shares of something.
        mean: of all, with its words.
        names: of the axis across and up.
        form: ``half`` of a row.
    """
    canvas, axes = _square(form, _shares(names[0]), _shares(names[1], [column.mark for column in columns]))
    axes.axhline(0, color=MUTED, linewidth=1)
    total = sum(column.share for column in columns)
    left = 0.0
    for column in columns:
        width, mark = column.share / total, column.mark
        axes.bar(left, mark.value, width=width, align="edge", color=CUSTOMERS, edgecolor=WHITE, linewidth=1.5)
        middle = [left + width / 2] * 2
        axes.plot(middle, [mark.low, mark.high], color=BLACK, linewidth=1.6, solid_capstyle="butt")
        left += width
    axes.axhline(mean.value, color=WHITE, linewidth=3.4)  # white edge on the columns
    axes.axhline(mean.value, color=INK, linewidth=1.4, linestyle=DASHES)
    beside(axes, (1.0, mean.value), mean.words, offset=(-2, 9), align="right")
    return canvas.svg(form)


def bubbles(places: Sequence[Bubble], across: Axis, up: Axis, form: Form) -> str:
    """Circles in a plane, the area a share, each with its words.

    Args:
        places: the circles.
        across: the horizontal axis.
        up: the vertical one.
        form: ``half`` of a row.
    """
    canvas, axes = _square(form, across, up)
    for place in sorted(places, key=lambda place: -place.share):
        axes.plot(
            [place.x],
            [place.y],
            "o",
            color=CUSTOMERS,
            markersize=max(104 * math.sqrt(place.share), 7),
            markeredgecolor=WHITE,
            markeredgewidth=1.5,
            clip_on=False,
        )
    _labels_above(axes, across, up)
    for place in places:
        beside(axes, (place.x, place.y), place.words, fontsize=13, color=BLACK)
    return canvas.svg(form)


def _labels_above(axes: Axes, across: Axis, up: Axis) -> None:
    """Labels of both axes on white above everything; the hair lines, which are parts of an axis, stay below."""
    axes.grid(visible=False)
    for at, _ in across.ticks:
        axes.axvline(at, color=HAIRLINE, linewidth=0.8, zorder=0.5)
    for at, _ in up.ticks:
        axes.axhline(at, color=HAIRLINE, linewidth=0.8, zorder=0.5)
    axes.set_axisbelow(False)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_bbox({"facecolor": WHITE, "edgecolor": "none", "pad": 1})


def choice(values: Mapping[int, float], chosen: int, names: tuple[str, str], form: Form) -> str:
    """Values of numbers that were tried; the one that was taken is filled.

    Args:
        values: number to value, at most 1.
        chosen: the number that was taken.
        names: of the axis across and up.
        form: ``half`` of a row.
    """
    numbers = sorted(values)
    low, high = min(0.0, *values.values()), max(*values.values(), 0.1)
    step = 0.1 if high - low <= 0.6 else 0.2
    levels = [round(step * count, 1) for count in range(math.ceil(low / step), int(1.22 * high / step) + 1)]
    shown = numbers[:: math.ceil(len(numbers) / 12)]
    canvas, axes = _square(
        form,
        Axis(names[0], numbers[0] - 0.6, numbers[-1] + 0.6, [(number, str(number)) for number in shown]),
        Axis(names[1], low, 1.22 * high, [(level, f"{level:.1f}") for level in levels]),
    )
    axes.plot(numbers, [values[number] for number in numbers], color=REVENUE, linewidth=1.8)
    for number in numbers:
        axes.plot(
            [number],
            [values[number]],
            "o",
            color=REVENUE if number == chosen else WHITE,
            markeredgecolor=REVENUE,
            markeredgewidth=1.8,
            markersize=11 if number == chosen else 7,
            clip_on=False,
        )
    beside(axes, (chosen, values[chosen]), f"{values[chosen]:.2f}", offset=(0, 16))
    return canvas.svg(form)


def _shares(name: str, marks: Sequence[Mark] = ()) -> Axis:
    """An axis in per cent from 0 to 100, longer where an interval needs it."""
    ends = [end for mark in marks for end in (mark.low, mark.high)]
    ticks = [(share, f"{100 * share:.0f}") for share in _SHARES]
    return Axis(name, min([0.0, *ends]), max([1.0, *ends]), ticks)


def _square(form: Form, across: Axis, up: Axis, *, head: int = 0) -> tuple[Canvas, Axes]:
    """Axes with hair lines and their names; ``head``: room for a legend above, in pixels."""
    width, height = WIDTHS[form.width], _HEIGHT + head
    canvas = Canvas(width, height)
    axes = canvas.axes(Edges(_LEFT, _RIGHT, head + 30, _BOTTOM))
    axes.set_xlim(across.low, across.high)
    axes.set_ylim(up.low, up.high)
    axes.set_xticks([at for at, _ in across.ticks], [words for _, words in across.ticks])
    axes.set_yticks([at for at, _ in up.ticks], [words for _, words in up.ticks])
    axes.tick_params(labelsize=12, colors=INK, length=0)
    axes.grid(color=HAIRLINE, linewidth=0.8)
    axes.set_axisbelow(True)
    bare(axes)
    canvas.text(6, head + 14, up.name)
    canvas.text(width - _RIGHT, height - 10, across.name, align="right")
    return canvas, axes
