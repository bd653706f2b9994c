"""Things set against each other over several measures: shaded cells, and lines over scales. Neither needs colour:
shades go one way from light to dark with the figure on them, lines have marks and names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from privacy.presentation.pictures import (
    CUSTOMERS,
    CUT,
    DARK,
    DASHES,
    HAIRLINE,
    INK,
    MUTED,
    REVENUE,
    SCORES,
    WHITE,
    WIDTHS,
    Canvas,
    Edges,
    Form,
    beside,
    label,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Room for names at the left.
_NAMES = 250
#: Cells narrower than this have no room for their figure.
_ROOM = 36
#: Marks and colours have no common divisor: each of up to 24 lines has a pair of its own.
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = (REVENUE, CUT, CUSTOMERS)


class Shade(NamedTuple):
    """A cell: its step of ``SCORES``, counted from 0, and its figure."""

    step: int
    words: str


def heat_map(rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[Shade]], form: Form) -> str:
    """Cells, darker for more, with their figures where there is room.

    Args:
        rows: names of the rows.
        columns: short names of the columns.
        cells: a row each.
        form: ``wide`` has names at the left, ``narrow`` above the cells.
    """
    canvas, axes, row = _rows(rows, form, top=30, bottom=4, room=34)
    axes.set_xlim(0, len(columns))
    roomy = axes.get_position().width * WIDTHS[form.width] / len(columns) >= _ROOM
    for column, name in enumerate(columns):
        beside(axes, (column + 0.5, 0), name, offset=(0, 12), fontsize=13)
        for place, shade in enumerate(shades[column] for shades in cells):
            middle = place * row + (row / 2 if form.width == "wide" else row - 17)
            colour = SCORES[shade.step]
            axes.barh(middle, 1, height=30, left=column, color=colour, edgecolor=WHITE, linewidth=2)
            if roomy:
                ink = WHITE if shade.step >= DARK else INK
                beside(axes, (column + 0.5, middle), shade.words, color=ink)
    return canvas.svg(form)


def profiles(
    rows: Sequence[str], lines: Sequence[tuple[str, Sequence[float]]], directions: tuple[str, str], form: Form
) -> str:
    """One line a thing over scales that have a common zero.

    Args:
        rows: names of the scales.
        lines: short names, and a value a scale.
        directions: what less and more than zero mean.
        form: ``wide`` has names at the left, ``narrow`` above the scales.
    """
    canvas, axes, row = _rows(rows, form, top=52, bottom=26, room=max(44, 200 // len(rows)))
    reach = 1.12 * max([abs(value) for _, values in lines for value in values] + [0.5])
    axes.set_xlim(-reach, reach)
    middles = [place * row + (row / 2 if form.width == "wide" else row - 14) for place in range(len(rows))]
    for middle in middles:
        axes.plot([-reach, reach], [middle, middle], color=HAIRLINE, linewidth=0.8)
    axes.plot([0, 0], [0, len(rows) * row], color=MUTED, linewidth=1.2, linestyle=DASHES)
    looks = [(LINES[index % len(LINES)], MARKS[index % len(MARKS)]) for index in range(len(lines))]
    for (colour, mark), (_, values) in zip(looks, lines, strict=True):
        axes.plot(values, middles, color=colour, linewidth=1.8, marker=mark, markersize=9, markeredgewidth=0)
    pixels = axes.get_position().width * WIDTHS[form.width]
    order = sorted(range(len(lines)), key=lambda index: lines[index][1][0])
    starts = [lines[index][1][0] for index in order]
    for index, start, place in zip(order, starts, spread(starts, 26 * 2 * reach / pixels, reach), strict=True):
        colour, mark = looks[index]
        axes.plot([place, start], [-12, middles[0]], color=colour, linewidth=0.8)
        axes.plot([place], [-12], color=colour, marker=mark, markersize=9, markeredgewidth=0, clip_on=False)
        beside(axes, (place, -12), lines[index][0], offset=(0, 14))
    for line in axes.lines:
        line.set_clip_on(False)
    end = len(rows) * row
    beside(axes, (-reach, end), f"← {directions[0]}", offset=(0, -12), align="left", color=MUTED)
    beside(axes, (reach, end), f"{directions[1]} →", offset=(0, -12), align="right", color=MUTED)
    return canvas.svg(form)


def spread(values: Sequence[float], gap: float, reach: float) -> list[float]:
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


def _rows(names: Sequence[str], form: Form, *, top: int, bottom: int, room: int) -> tuple[Canvas, Axes, int]:
    """Axes with a row a name, at the left or (narrow) above; the y axis counts pixels downwards."""
    wide = form.width == "wide"
    row = room if wide else room + 18
    total, left = WIDTHS[form.width], _NAMES if wide else 8
    canvas = Canvas(total, top + row * len(names) + bottom)
    axes = canvas.axes(Edges(left, 8, top, bottom))
    axes.set_ylim(row * len(names), 0)
    axes.set_axis_off()
    for place, words in enumerate(names):
        if wide:
            label(axes, -14 / (total - left - 8), place * row + row / 2, words, align="right")
        else:
            label(axes, 0, place * row + 10, words, align="left")
            axes.texts[-1].set_bbox({"facecolor": WHITE, "linewidth": 0, "pad": 1})  # lines run behind names
    return canvas, axes, row
