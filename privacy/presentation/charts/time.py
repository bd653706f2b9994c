"""Figures over days: lines with their bands, and what adds up."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from privacy.presentation.charts.marks import Mark
from privacy.presentation.pictures import (
    CUSTOMERS,
    DASHES,
    HAIRLINE,
    INK,
    MUTED,
    REVENUE,
    WHITE,
    WIDTHS,
    Align,
    Canvas,
    Edges,
    Form,
    bare,
    beside,
    fitting,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]

#: A small panel with room for its name and for its days, in pixels.
_PANEL, _NAME, _DAYS = 146, 32, 26


class Moment(NamedTuple):
    """A day on the time axis; hollow where it goes by other rules than the last."""

    day: dt.date
    hollow: bool = False


class Track(NamedTuple):
    """One thing over time: a figure a moment, None where it is not shown."""

    name: str
    marks: Sequence[Mark | None]


def over_time(tracks: Sequence[Track], moments: Sequence[Moment], hidden: str, form: Form) -> str:
    """One small panel a track, each on a scale of its own from zero, with 95% bands.

    Args:
        tracks: with a mark for each moment.
        moments: the days, oldest first; two may be the same.
        hidden: what stands for a figure that is not shown.
        form: ``wide`` has four panels in a row, ``narrow`` two.
    """
    columns, gap = (4, 22) if form.width == "wide" else (2, 14)
    total = WIDTHS[form.width]
    panel = (total - gap * (columns - 1)) / columns
    height = _PANEL * math.ceil(len(tracks) / columns)
    canvas = Canvas(total, height)
    places = _places([moment.day for moment in moments])
    ends: tuple[tuple[int, int, Align], ...] = ((0, 0, "left"), (-1, 1, "right"))
    for index, track in enumerate(tracks):
        x, y = (index % columns) * (panel + gap), (index // columns) * _PANEL
        axes = canvas.axes(Edges(x, total - x - panel, y + _NAME, height - y - _PANEL + _DAYS))
        canvas.text(x, y + 16, fitting(track.name, panel), ink=True)
        _panel(axes, places, track, moments)
        for place, at, align in ends:
            mark = track.marks[place]
            beside(
                axes,
                (at, 0.0 if mark is None else mark.high),
                hidden if mark is None else mark.words,
                offset=(0, 11),
                align=align,
                xycoords=("axes fraction", "data"),
                fontsize=11 if mark is None else 12,
                color=MUTED if mark is None else INK,
            )
            beside(
                axes,
                (at, 0),
                moments[place].day.isoformat(),
                offset=(0, -12),
                align=align,
                xycoords="axes fraction",
                fontsize=11,
                color=MUTED,
            )
    return canvas.svg(form)


def staircase(
    days: Sequence[dt.date], values: Sequence[Mark], limit: Mark | None, named: Sequence[str], form: Form
) -> str:
    """What adds up over days, under a limit.

    Args:
        days: ascending.
        values: what it had come to after each; the last one's words are written.
        limit: what it may come to.
        named: the first and the last day, in words.
        form: any width.
    """
    canvas = Canvas(WIDTHS[form.width], 300)
    axes = canvas.axes(Edges(48, 32, 18, 42))
    edge = max(1, (days[-1] - days[0]).days // 20)
    numbers = [(day - days[0]).days for day in days]
    first, last = -edge, numbers[-1] + edge
    top = 1.15 * max(mark.value for mark in (*values, *([limit] if limit else ())))
    axes.step(
        [first, *numbers, last],
        [0.0, *(mark.value for mark in values), values[-1].value],
        where="post",
        color=REVENUE,
        linewidth=2.5,
    )
    axes.set_xlim(first, last)
    axes.set_ylim(0, top)
    if limit is not None:
        axes.axhline(limit.value, color=INK, linewidth=1, linestyle=DASHES)
    for mark, size in ((limit, 12), (values[-1], 13)):
        if mark is not None:
            place = (last, mark.value + top * 0.02)
            axes.text(*place, mark.words, fontsize=size, color=INK, ha="right", parse_math=False)
    ends = [0, numbers[-1]] if len(days) > 1 else [0]
    axes.set_xticks(ends)
    axes.set_xticklabels(named[: len(ends)], fontsize=12, color=MUTED, parse_math=False)
    axes.tick_params(axis="both", length=0, pad=7, labelsize=12, labelcolor=MUTED)
    axes.grid(axis="y", color=HAIRLINE, linewidth=1)
    axes.set_axisbelow(True)
    bare(axes, keep=("bottom",))
    axes.spines["bottom"].set_color(HAIRLINE)
    return canvas.svg(form)


def _places(days: Sequence[dt.date]) -> FloatArray:
    """Where moments lie on the time axis; repetitions of one day lie a little apart."""
    apart = max((days[-1] - days[0]).days, 1) / (4 * len(days))
    places: list[float] = []
    for day in days:
        at = float(day.toordinal())
        places.append(max(at, places[-1] + apart) if places else at)
    return np.array(places)


def _panel(axes: Axes, places: FloatArray, track: Track, moments: Sequence[Moment]) -> None:
    """A track's line with its band; figures that are not shown leave a gap."""
    value = np.array([math.nan if mark is None else mark.value for mark in track.marks])
    low = np.array([math.nan if mark is None else mark.low for mark in track.marks])
    high = np.array([math.nan if mark is None else mark.high for mark in track.marks])
    span = max(places[-1] - places[0], 1.0)
    axes.set_xlim(float(places[0] - 0.06 * span), float(places[-1] + 0.06 * span))
    reach = float(np.nanmax(high)) if np.isfinite(high).any() else 0.01
    axes.set_ylim(min(0.0, float(np.nanmin(low)) if np.isfinite(low).any() else 0.0), reach * 1.45)
    axes.fill_between(places, low, high, color=CUSTOMERS, linewidth=0, alpha=0.7)
    axes.vlines(places, low, high, color=CUSTOMERS, linewidth=4)  # a single moment has no band of its own
    axes.plot(places, value, color=INK, linewidth=1.4)
    for place, at, moment in zip(places, value, moments, strict=True):
        face = WHITE if moment.hollow else INK
        axes.plot([place], [at], "o", color=INK, markersize=5, markerfacecolor=face)
    axes.axhline(0, color=MUTED, linewidth=1)
    axes.set_xticks([])
    axes.set_yticks([])
    bare(axes)
