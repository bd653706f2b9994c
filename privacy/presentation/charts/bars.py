"""Bars with intervals, one group a row: names at the left, or above the bars where there is no room beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from privacy.presentation.charts.marks import Mark
from privacy.presentation.pictures import (
    BLACK,
    CUSTOMERS,
    MUTED,
    REVENUE,
    WHITE,
    WIDTHS,
    Canvas,
    Edges,
    Form,
    beside,
    block,
    label,
    line,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: A wide picture with panels beside each other, in pixels.
_BROAD = 860
#: From bar to bar of a group, a bar's thickness, and room for the figure at its end.
_STEP, _THICK, _END = 17, 14, 74
_BOTTOM = 8
#: Room for names at the left.
_LEAST, _MOST = 100, 300


class Series(NamedTuple):
    """What bars of one colour are; ``strong`` where their figures are bold."""

    name: str
    colour: str
    strong: bool = False


class Group(NamedTuple):
    """One row: its name, and a bar a series; words where a figure is not shown, None where there is none.

    A single text among several series stands for the whole group.
    """

    name: str
    bars: tuple[Mark | str | None, ...]


class Panel(NamedTuple):
    """Groups on one scale; panels stand beside each other, or below where it is narrow."""

    groups: Sequence[Group]
    title: str = ""


def bars(panels: Sequence[Panel], series: Sequence[Series], form: Form) -> str:
    """Bars of several series, in groups; black lines are their intervals.

    Args:
        panels: with the same groups in the same order.
        series: in the order of each group's bars; one without a name has no legend.
        form: ``wide`` has names at the left, any other width above the bars.
    """
    groups, titled = panels[0].groups, bool(panels[0].title)
    wide = form.width == "wide"
    total = _BROAD if wide and titled else WIDTHS[form.width]
    left = _names_room(groups) if wide else 6.0
    keys = _keys(series, left, total)
    top = 14 + 20 * len({y for _, y in keys}) + (28 if wide and titled else 0)
    head = 40 if titled and not wide else 0
    rows = _row(len(series), wide=wide) * len(groups)
    height = top + _BOTTOM + (rows if wide else (head + rows) * len(panels))
    canvas = Canvas(total, height)
    room = (total - left - _END * len(panels)) / len(panels) if wide else total - left - _END
    for number, panel in enumerate(panels):
        x = left + number * (room + _END) if wide else left
        y = top if wide else top + number * (head + rows) + head
        axes = canvas.axes(Edges(x, total - x - room, y, height - y - rows))
        if titled:
            canvas.text(x, y - 14, panel.title, ink=True, size=13 if wide else 14)
        _names(axes, [group.name for group in groups], len(series), wide=wide, shown=number == 0, room=room)
        reach = _fill(axes, panel.groups, series, wide=wide)
        axes.set_xlim(min(reach), max(*reach, 0.05))
    for place, item in zip(keys, series, strict=False):
        canvas.legend(*place, item.name, item.colour)
    return canvas.svg(form)


def diverging(rows: Sequence[tuple[str, Mark]], directions: tuple[str, str], form: Form) -> str:
    """Bars to the left and to the right of zero, in the order given.

    Args:
        rows: names and figures.
        directions: what the left and the right side mean.
        form: ``wide`` has names at the left, any other width above the bars.
    """
    wide = form.width == "wide"
    total, top = WIDTHS[form.width], 34
    left = _names_room([Group(name, ()) for name, _ in rows]) if wide else _BOTTOM
    height = top + _row(1, wide=wide) * len(rows) + _BOTTOM
    room = total - left - _BOTTOM
    canvas = Canvas(total, height)
    axes = canvas.axes(Edges(left, _BOTTOM, top, _BOTTOM))
    _names(axes, [name for name, _ in rows], 1, wide=wide, shown=True, room=room)
    reach = 1.25 * max([abs(mark.value) for _, mark in rows] + [0.01])  # room for the figure at a bar's end
    axes.set_xlim(-reach, reach)
    for index, (_, mark) in enumerate(rows):
        middle, right = _middle(index, 1, wide=wide), mark.value >= 0
        colour = REVENUE if mark.value > 0 else CUSTOMERS
        block(axes, (0, middle - _THICK / 2), mark.value, _THICK, facecolor=colour, linewidth=0)
        beside(
            axes,
            (mark.value, middle),
            mark.words,
            offset=(6 if right else -6, 0),
            align="left" if right else "right",
        )
    axes.axvline(0, color=MUTED, linewidth=1)
    canvas.text(left + room / 2 - 12, 18, f"← {directions[0]}", align="right")
    canvas.text(left + room / 2 + 12, 18, f"{directions[1]} →")
    return canvas.svg(form)


def _row(series: int, *, wide: bool) -> int:
    return _STEP * series + (10 if wide else 28)


def _middle(index: int, series: int, *, wide: bool) -> float:
    """Where a group's bars have their middle; names above the bars push it down."""
    row = _row(series, wide=wide)
    return index * row + row / 2 + (0 if wide else 10)


def _names_room(groups: Sequence[Group]) -> float:
    longest = max(width_of(group.name, 13) for group in groups)
    return min(max(longest + 22, _LEAST), _MOST)


def _names(axes: Axes, names: Sequence[str], series: int, *, wide: bool, shown: bool, room: float) -> None:
    """Names of groups, in the first of the panels beside each other; and the scale of rows."""
    row = _row(series, wide=wide)
    axes.set_ylim(row * len(names), 0)
    axes.set_axis_off()
    for index, name in enumerate(names):
        if not wide:
            label(axes, 0, index * row + 13, name, align="left")
        elif shown:
            label(axes, -14 / room, index * row + row / 2, name, align="right")


def _keys(series: Sequence[Series], left: float, total: float) -> list[tuple[float, float]]:
    """Where the legend's entries stand: beside each other, else below."""
    if not any(item.name for item in series):
        return []
    x, y = left, 14.0
    places: list[tuple[float, float]] = []
    for item in series:
        needed = 18 + width_of(item.name) + 24
        if places and x + needed > total:
            x, y = left, y + 20
        places.append((x, y))
        x += needed
    return places


def _fill(axes: Axes, groups: Sequence[Group], series: Sequence[Series], *, wide: bool) -> list[float]:
    """Draw all groups of a panel; returns how far they reach."""
    reach = [0.0]
    half = (_STEP * len(series) + 2) / 2
    for index, group in enumerate(groups):
        middle = _middle(index, len(series), wide=wide)
        # Beside the bars only: on a phone the names stand between them.
        line(axes, [0, 0], [middle - half, middle + half], color=MUTED, linewidth=1)
        first = middle - _STEP * (len(group.bars) - 1) / 2
        for place, (mark, item) in enumerate(zip(group.bars, series, strict=False)):
            at = first + _STEP * place
            if isinstance(mark, str):
                label(axes, 0.01, at, mark, align="left", muted=True)
            elif mark is not None:
                reach += _bar(axes, mark, at, item)
    return reach


def _bar(axes: Axes, mark: Mark, at: float, series: Series) -> tuple[float, float]:
    block(axes, (0, at - _THICK / 2), mark.value, _THICK, facecolor=series.colour, linewidth=0)
    if mark.margin:
        for colour, thickness in ((WHITE, 3.4), (BLACK, 1.6)):  # white edge on dark bars
            line(axes, [mark.low, mark.high], [at] * 2, color=colour, linewidth=thickness, solid_capstyle="butt")
    weight = "bold" if series.strong else "normal"
    beside(axes, (max(mark.high, 0), at), mark.words, offset=(6, 0), align="left", weight=weight)
    return mark.low, mark.high
