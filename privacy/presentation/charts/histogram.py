"""A noisy distribution, and the places where it is cut into bands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from privacy.presentation.numbers import grouped
from privacy.presentation.pictures import (
    CUT,
    DARK,
    DASHES,
    INK,
    MUTED,
    SCORES,
    WHITE,
    WIDTHS,
    Canvas,
    Edges,
    Form,
    bare,
    beside,
    block,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]

_BARS = 40
#: Bars beyond this share of all are cut off on linear axes; the picture says how much lies there.
_TAIL = 0.985
#: Of logarithmic axes this share is left out at each end, which may stretch over several powers of ten.
_ENDS = 0.005
_HEIGHT, _SIDE, _TOP, _BOTTOM = 226, 8, 44, 48
_RIBBON = 18
#: Bands as wide as these shares of the picture have room for their name, and for a digit.
_NAME, _DIGIT = 0.075, 0.035


class Band(NamedTuple):
    """What lies between two cuts: its step of ``SCORES``, counted from 0, its name, and that in one sign."""

    step: int
    name: str
    sign: str


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """What a histogram shows.

    Attributes:
        edges: of the bins, ascending, one more than bins; the last may be infinite.
        share: of all, by bin; noise makes some negative.
        cuts: where the bands part, ascending.
        bands: one more than cuts, from left to right.
        mark: a place of its own, as a dashed line, and its name.
        log_beyond: the axis is logarithmic where what is shown goes beyond this; -inf for always.
        axis: what the axis shows, where it is linear and where it is logarithmic.
    """

    edges: Sequence[float]
    share: Sequence[float]
    cuts: Sequence[float]
    bands: Sequence[Band]
    mark: tuple[float, str]
    log_beyond: float = math.inf
    axis: tuple[str, str]


class _Bars(NamedTuple):
    """Bars on the picture's axis: edges and density per axis unit; ``beyond`` is the share that is cut off."""

    left: FloatArray
    right: FloatArray
    density: FloatArray
    upper: FloatArray
    beyond: float
    log: bool

    def place(self, value: float) -> float:
        """Where a value lies on the axis."""
        at = math.log10(max(value, 1e-9)) if self.log else value
        return float(min(max(at, self.left[0]), self.right[-1]))


def histogram(facts: Distribution, beyond: str, form: Form) -> str:
    """A distribution with the bands between its cuts as shades, and its mark as a dashed line.

    The area is the share, so that bins of different widths compare fairly.

    Args:
        facts: what is shown.
        beyond: what is said of the share that is cut off, with a field ``{share}`` in per cent.
        form: as wide as it says.
    """
    canvas = Canvas(WIDTHS[form.width], _HEIGHT)
    axes = canvas.axes(Edges(_SIDE, _SIDE, _TOP, _BOTTOM))
    bars = _bars(facts)
    steps = [facts.bands[rank].step for rank in np.searchsorted(facts.cuts, bars.upper, side="left")]
    for left, right, height, step in zip(bars.left, bars.right, bars.density, steps, strict=True):
        block(axes, (left, 0), right - left, height, facecolor=SCORES[step], edgecolor=WHITE, linewidth=0.6)
    # The lightest shade hardly differs from paper; a line on top shows where its bars end.
    axes.stairs(bars.density, [*bars.left, bars.right[-1]], color=MUTED, linewidth=0.8, baseline=None)
    axes.set_ylim(0, (float(bars.density.max()) or 1.0) * 1.18)  # room for the name of the mark
    axes.set_xlim(float(bars.left[0]), float(bars.right[-1]))
    _mark(axes, bars, facts.mark)
    _ribbon(canvas, axes, facts, bars)
    bare(axes, keep=("bottom",))
    axes.spines["bottom"].set_color(MUTED)
    axes.set_yticks([])
    ticks = _log_ticks(bars, canvas.width) if bars.log else _linear_ticks(bars)
    axes.set_xticks([at for at, _ in ticks], [name for _, name in ticks])
    axes.minorticks_off()
    axes.tick_params(axis="x", labelsize=12, colors=INK, length=4, color=MUTED)
    canvas.text(_SIDE, _HEIGHT - 8, facts.axis[bars.log])
    if bars.beyond >= 0.001:
        said = beyond.format(share=f"{100 * bars.beyond:.1f}")
        canvas.text(canvas.width - _SIDE, _HEIGHT - 8, said, align="right")
    return canvas.svg(form)


def _bars(facts: Distribution) -> _Bars:
    edges = np.array(facts.edges, dtype=np.float64)
    share = np.array(facts.share, dtype=np.float64)
    if len(edges) > 2 and not math.isfinite(edges[-1]):
        edges[-1] = 2 * edges[-2]
    upper = edges[1:]
    # Noise makes single bins negative. Sums of neighbours average it out; dropping negative ones would not.
    cumulative = np.minimum(np.maximum.accumulate(np.maximum(np.cumsum(share), 0.0)), 1.0)
    kept = min(len(upper), int(np.searchsorted(cumulative, _TAIL)) + 1)
    log = bool(upper[kept - 1] > facts.log_beyond)
    first, last = 0, kept
    if log:
        first = int(np.searchsorted(cumulative, _ENDS))
        last = min(len(upper), int(np.searchsorted(cumulative, 1 - _ENDS)) + 1)
    # A cut must lie inside the picture.
    places = (*facts.cuts, facts.mark[0])
    last = max(last, min(len(upper), int(np.searchsorted(upper, max(places))) + 2))
    first = min(first, int(np.searchsorted(upper, min(places))))
    scaled = np.log10(np.maximum(edges, 1e-9)) if log else edges
    groups = _groups(scaled[first : last + 1])
    left = scaled[first : last + 1][groups[:-1]]
    right = scaled[first : last + 1][groups[1:]]
    sums = np.add.reduceat(share[first:last], groups[:-1])
    return _Bars(
        left=left,
        right=right,
        density=sums / (right - left),
        upper=upper[first:last][groups[1:] - 1],
        beyond=1.0 - float(share[first:last].sum()),  # also what the distribution itself leaves out
        log=log,
    )


def _groups(edges: FloatArray) -> NDArray[np.int64]:
    """Indices of edges that bound at most ``_BARS`` groups of neighbouring bins, about equally wide."""
    step = (edges[-1] - edges[0]) / _BARS
    chosen = [0]
    for index in range(1, len(edges)):
        if edges[index] - edges[chosen[-1]] >= step * 0.999:
            chosen.append(index)
    if chosen[-1] != len(edges) - 1:
        if len(chosen) > 1:
            chosen[-1] = len(edges) - 1
        else:
            chosen.append(len(edges) - 1)
    return np.array(chosen, dtype=np.int64)


def _mark(axes: Axes, bars: _Bars, mark: tuple[float, str]) -> None:
    at = bars.place(mark[0])
    axes.axvline(at, color=WHITE, linewidth=3.6)  # so that it shows on dark bars
    axes.axvline(at, color=CUT, linewidth=1.6, linestyle=DASHES)
    near_right = at > (bars.left[0] + 2 * bars.right[-1]) / 3
    beside(
        axes,
        (at, 1.0),
        mark[1],
        offset=(-4 if near_right else 4, -9),
        align="right" if near_right else "left",
        xycoords=("data", "axes fraction"),
        va="baseline",
        color=CUT,
    )


def _ribbon(canvas: Canvas, axes: Axes, facts: Distribution, bars: _Bars) -> None:
    """A ribbon above the bars that names the bands and shows exactly where the cuts are."""
    bottom = canvas.height - _TOP + 8
    ribbon = canvas.axes(Edges(_SIDE, _SIDE, canvas.height - bottom - _RIBBON, bottom), beside=axes)
    edges = [bars.left[0], *(bars.place(cut) for cut in facts.cuts), bars.right[-1]]
    span = bars.right[-1] - bars.left[0]
    above = -math.inf
    for band, (low, high) in zip(facts.bands, pairwise(edges), strict=True):
        if high <= low:
            continue
        block(ribbon, (low, 0), high - low, 1, facecolor=SCORES[band.step], edgecolor=WHITE, linewidth=1)
        share, middle = (high - low) / span, (low + high) / 2
        if share > _DIGIT:
            ink = WHITE if band.step >= DARK else INK
            words = band.name if share > _NAME else band.sign
            ribbon.text(middle, 0.46, words, ha="center", va="center_baseline", fontsize=12, color=ink)
        else:  # too narrow for a digit: above the ribbon, and not on the digit before
            above = max(middle, above + _DIGIT * span)
            ribbon.text(above, 1.42, band.sign, ha="center", va="center_baseline", fontsize=12, color=INK)
    ribbon.set_ylim(0, 1)
    ribbon.set_axis_off()


def _log_ticks(bars: _Bars, width: float) -> list[tuple[float, str]]:
    """Powers of ten, with 3 (or 2 and 5) between where there is room, fewer where there is none."""
    low, high = float(bars.left[0]), float(bars.right[-1])
    decades = range(math.floor(low), math.ceil(high) + 1)
    unit = width / (high - low)
    ticks: list[tuple[float, str]] = []
    for factors, step in (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 3)):
        values = [factor * 10.0**n for n in decades if n % step == 0 for factor in factors]
        ticks = [(math.log10(v), _tick_name(v)) for v in values]
        # A label at the very edge would be cut off.
        ticks = [(at, name) for at, name in ticks if low <= at <= high - 4 * len(name) / unit]
        gaps = [
            (right - left) * unit - 4 * (len(first) + len(second)) for (left, first), (right, second) in pairwise(ticks)
        ]
        if not gaps or min(gaps) >= 8:
            break
    return ticks


def _linear_ticks(bars: _Bars) -> list[tuple[float, str]]:
    low, high = float(bars.left[0]), float(bars.right[-1])
    step = next(s * 10**n for n in range(0, 9) for s in (1, 2, 5) if (high - low) / (s * 10**n) <= 7)
    start = math.ceil(max(low, 0) / step) * step
    return [(float(v), _tick_name(v)) for v in range(int(start), math.floor(high) + 1, int(step))]


def _tick_name(value: float) -> str:
    decimals = 0 if value >= 1 or value == 0 else -math.floor(math.log10(value))
    return grouped(Decimal(repr(float(value))), decimals)
