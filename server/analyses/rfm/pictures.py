"""The study report's pictures, as SVG elements to stand inline in HTML (:mod:`privacy.presentation.pictures`)."""

from __future__ import annotations

import datetime as dt
import math
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.rfm.results import Distribution, SchemeFigures
from privacy.analyses.rfm.words import segment_name
from privacy.figures.estimates import Estimate
from privacy.presentation.numbers import grouped, shown
from privacy.presentation.pictures import CUSTOMERS, CUT, INK, MUTED, REVENUE, SCORES, Width, figure, label, legend, svg
from privacy.presentation.texts import Language
from server.analyses.rfm.texts import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

_BARS = 40
#: Bars beyond this share of all records are cut off on linear axes; the picture says how much lies there.
_TAIL = 0.985

_DISTRIBUTION = (300, 226)
_WIDTH: dict[Width, int] = {"wide": 780, "narrow": 350}


def segment_shares(scheme: SchemeFigures, language: Language, *, floor: int | str, width: Width) -> str:
    """Share of customer records and share of revenue of each segment, with 95% intervals.

    Args:
        scheme: the figures.
        language: of the labels.
        floor: the study's floor, for the label of suppressed segments.
        width: ``wide`` for desks and paper, ``narrow`` for phones (names above the bars).
    """
    wide = width == "wide"
    row = 44 if wide else 62
    top, bottom = 34, 8
    height = top + row * len(scheme.segments) + bottom
    total = _WIDTH[width]
    left, right = (196, 74) if wide else (6, 66)
    picture = figure(total, height)
    axes = picture.add_axes(
        (left / total, bottom / height, (total - left - right) / total, (height - top - bottom) / height)
    )
    axes.set_ylim(len(scheme.segments) * row, 0)
    reach = [0.0]
    for index, segment in enumerate(scheme.segments):
        middle = index * row + row / 2 + (0 if wide else 10)
        if wide:
            label(axes, -14 / (total - left - right), middle, segment_name(segment, language), align="right")
        else:
            label(axes, 0, index * row + 13, segment_name(segment, language), align="left")
            # Zero, beside the bars only: the names stand above them.
            axes.plot([0, 0], [middle - 18, middle + 18], color=MUTED, linewidth=1)
        if segment.suppressed:
            words = text("suppressed_short", language, floor=floor)
            label(axes, 0.006, middle, words, align="left", muted=True)
            continue
        for share, offset, colour in (
            (segment.share_of_customers, -8.5, CUSTOMERS),
            (segment.share_of_revenue, 8.5, REVENUE),
        ):
            if share is None:
                continue
            axes.barh(middle + offset, share.value, height=14, color=colour, linewidth=0)
            for colour_of_line, thickness in (("#ffffff", 3.4), ("#000000", 1.6)):  # white edge on dark bars
                axes.plot(
                    [share.value - share.margin, share.value + share.margin],
                    [middle + offset] * 2,
                    color=colour_of_line,
                    linewidth=thickness,
                    solid_capstyle="butt",
                )
            reach += [share.value - share.margin, share.value + share.margin]
            axes.annotate(
                f"{shown(share, decimals=1, scale=100).value}%",
                (max(share.value + share.margin, 0), middle + offset),
                xytext=(6, 0),
                textcoords="offset points",
                va="center_baseline",
                ha="left",
                fontsize=12,
                color=INK,
                annotation_clip=False,
            )
    axes.set_xlim(min(reach), max(*reach, 0.05))
    if wide:
        axes.axvline(0, color=MUTED, linewidth=1)
    axes.set_axis_off()
    x = left
    for key, colour, step in (("legend_customers", CUSTOMERS, 200), ("legend_revenue", REVENUE, 150)):
        legend(picture, x, 14, text(key, language), colour, total, height)
        x += step if wide else 190
    alt = text("picture_shares", language)
    return svg(picture, f"{scheme.scheme}-{language}-{width}", alt)


class Moment(NamedTuple):
    """One run in the trend: its as-of day, shares of customer records by segment code (0 to 1), and whether it used
    the cut points of the run that the report is about."""

    day: dt.date
    shares: dict[str, Estimate]
    same_cuts: bool


def trend(scheme: SchemeFigures, moments: Sequence[Moment], language: Language, *, width: Width) -> str:
    """Each segment's share of customer records over the runs, one small panel a segment, with 95% bands.

    Args:
        scheme: names and order of the segments.
        moments: the runs, oldest first; the last is the one that the report is about.
        language: of the labels.
        width: ``wide`` for desks and paper, ``narrow`` for phones.
    """
    columns = 4 if width == "wide" else 2
    total = _WIDTH[width]
    gap = 22 if width == "wide" else 14
    panel = (total - gap * (columns - 1)) / columns
    row, name_room, dates_room = 146, 32, 26
    height = row * math.ceil(len(scheme.segments) / columns)
    picture = figure(total, height)
    places = _places([moment.day for moment in moments])
    for index, segment in enumerate(scheme.segments):
        x, y = (index % columns) * (panel + gap), (index // columns) * row
        axes = picture.add_axes(
            (
                x / total,
                1 - (y + row - dates_room) / height,
                panel / total,
                (row - name_room - dates_room) / height,
            )
        )
        picture.text(
            x / total,
            1 - (y + 12) / height,
            _fitting(segment_name(segment, language), panel),
            fontsize=12,
            color=INK,
            va="center_baseline",
            parse_math=False,
        )
        _panel(axes, places, [moment.shares.get(segment.code) for moment in moments], moments, language)
        for place, side in ((0, "left"), (-1, "right")):
            axes.annotate(
                moments[place].day.isoformat(),
                (0 if side == "left" else 1, 0),
                xycoords="axes fraction",
                xytext=(0, -12),
                textcoords="offset points",
                ha=side,
                va="center_baseline",
                fontsize=11,
                color=MUTED,
            )
    return svg(picture, f"trend-{scheme.scheme}-{language}-{width}", text("picture_trend", language))


def _fitting(words: str, width: float) -> str:
    """A name cut to about ``width`` pixels at 12 pixels high; the table beside the picture has the full one."""
    room = width
    for index, sign in enumerate(words):
        room -= 12 if unicodedata.east_asian_width(sign) in "WF" else 6.6
        if room < 0:
            return words[: max(index - 1, 1)] + "…"
    return words


def _places(days: Sequence[dt.date]) -> FloatArray:
    """Where runs lie on the time axis; repetitions of one day lie a little apart."""
    apart = max((days[-1] - days[0]).days, 1) / (4 * len(days))
    places: list[float] = []
    for day in days:
        at = float(day.toordinal())
        places.append(max(at, places[-1] + apart) if places else at)
    return np.array(places)


def _panel(
    axes: Axes, places: FloatArray, shares: list[Estimate | None], moments: Sequence[Moment], language: Language
) -> None:
    """A segment's line with its band; runs that do not show the segment leave a gap."""
    value = np.array([math.nan if share is None else share.value for share in shares])
    margin = np.array([math.nan if share is None else share.margin for share in shares])
    low, high = value - margin, value + margin
    span = places[-1] - places[0]
    axes.set_xlim(float(places[0] - 0.06 * span), float(places[-1] + 0.06 * span))
    reach = float(np.nanmax(high)) if np.isfinite(high).any() else 0.01
    axes.set_ylim(min(0.0, float(np.nanmin(low)) if np.isfinite(low).any() else 0.0), reach * 1.45)
    axes.fill_between(places, low, high, color=CUSTOMERS, linewidth=0, alpha=0.7)
    axes.vlines(places, low, high, color=CUSTOMERS, linewidth=4)  # a single run has no band of its own
    axes.plot(places, value, color=INK, linewidth=1.4)
    for place, share, moment in zip(places, value, moments, strict=True):
        face = INK if moment.same_cuts else "#ffffff"
        axes.plot([place], [share], "o", color=INK, markersize=5, markerfacecolor=face)
    for index, side in ((0, "left"), (-1, "right")):
        share = shares[index]
        words = text("trend_hidden", language) if share is None else f"{shown(share, decimals=1, scale=100).value}%"
        axes.annotate(
            words,
            (0 if side == "left" else 1, 0.0 if share is None else share.value + share.margin),
            xycoords=("axes fraction", "data"),
            xytext=(0, 11),
            textcoords="offset points",
            ha=side,
            va="center_baseline",
            fontsize=11 if share is None else 12,
            color=MUTED if share is None else INK,
            annotation_clip=False,
        )
    axes.axhline(0, color=MUTED, linewidth=1)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in ("top", "left", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_facecolor("none")


def distribution(facts: Distribution, language: Language, *, currency: str) -> str:
    """A noisy distribution with its quintile cuts (shades) and its high/low cut (dashed line).

    Area is share of records, so bins of different widths compare fairly. The axis is logarithmic for money,
    and for orders where they spread widely.
    """
    width, height = _DISTRIBUTION
    left, right, top, bottom = 8, 8, 44, 48
    picture = figure(width, height)
    axes = picture.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    )
    bars = _bars(facts)
    scores = _scores(facts, bars)
    axes.bar(
        bars.left,
        bars.density,
        width=bars.right - bars.left,
        align="edge",
        color=[SCORES[score - 1] for score in scores],
        edgecolor="white",
        linewidth=0.6,
    )
    # The lightest score hardly differs from paper; a line on top shows where its bars end.
    axes.stairs(bars.density, [*bars.left, bars.right[-1]], color=MUTED, linewidth=0.8, baseline=None)
    peak = float(bars.density.max()) or 1.0
    axes.set_ylim(0, peak * 1.18)  # room for the label of the cut
    axes.set_xlim(float(bars.left[0]), float(bars.right[-1]))
    high = bars.position(facts.high, facts.feature)
    axes.axvline(high, color="#ffffff", linewidth=3.6, ymax=1.0)  # so that it shows on dark bars
    axes.axvline(high, color=CUT, linewidth=1.6, linestyle=(0, (4, 3)), ymax=1.0)
    near_right = high > (bars.left[0] + 2 * bars.right[-1]) / 3
    axes.annotate(
        text("high_cut", language),
        (high, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(4 if not near_right else -4, -9),
        textcoords="offset points",
        ha="right" if near_right else "left",
        fontsize=12,
        color=CUT,
        annotation_clip=False,
    )
    _score_ribbon(picture, axes, facts, bars, width, height, left, right, top)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.set_yticks([])
    axes.set_xticks([at for at, _ in bars.ticks], [name for _, name in bars.ticks])
    axes.minorticks_off()
    axes.tick_params(axis="x", labelsize=12, colors=INK, length=4, color=MUTED)
    axis = f"axis_{facts.feature}" + ("_log" if bars.log and facts.feature == "orders" else "")
    picture.text(
        left / width,
        8 / height,
        text(axis, language, currency=currency),
        fontsize=12,
        color=MUTED,
        parse_math=False,
    )
    if bars.beyond >= 0.001:
        picture.text(
            1 - right / width,
            8 / height,
            text("beyond", language, share=f"{100 * bars.beyond:.1f}"),
            fontsize=12,
            color=MUTED,
            ha="right",
            parse_math=False,
        )
    name = text(f"feature_{facts.feature}", language, currency=currency)
    return svg(picture, f"{facts.feature}-{language}", text("picture_distribution", language, feature=name))


class _Bars(NamedTuple):
    """Bars on a picture's axis: edges and density per axis unit; ``beyond`` is the share that is cut off."""

    left: FloatArray
    right: FloatArray
    density: FloatArray
    upper: FloatArray
    ticks: list[tuple[float, str]]
    beyond: float
    log: bool

    def position(self, value: float, feature: str) -> float:
        """Where the boundary of a cut lies on the axis; between two integers for days and orders."""
        edge = value - 0.5 if feature == "orders" else value + 0.5 if feature == "recency_days" else value
        place = math.log10(max(edge, 1e-9)) if self.log else edge
        return float(min(max(place, self.left[0]), self.right[-1]))


def _bars(facts: Distribution) -> _Bars:
    upper = np.array(facts.upper, dtype=np.float64)
    if len(upper) > 1 and not math.isfinite(upper[-1]):
        upper[-1] = 2 * upper[-2]
    # Noise makes single bins negative. Sums of neighbours average it out; dropping negative ones would not.
    cumulative = np.minimum(np.maximum.accumulate(np.maximum(np.cumsum(facts.share), 0.0)), 1.0)
    share = np.diff(cumulative, prepend=0.0)
    kept = int(np.searchsorted(cumulative, _TAIL)) + 1
    log = facts.feature == "money" or (facts.feature == "orders" and upper[min(kept, len(upper)) - 1] > 30)
    if log:
        # Leave out the outermost half per cent at each end, which may stretch over several powers of ten.
        first = int(np.searchsorted(cumulative, 0.005))
        last = min(len(upper), int(np.searchsorted(cumulative, 0.995)) + 1)
    else:
        first, last = 0, min(len(upper), kept)
    # A cut must lie inside the picture.
    last = max(last, min(len(upper), int(np.searchsorted(upper, max(*facts.cuts, facts.high))) + 2))
    first = min(first, int(np.searchsorted(upper, min(facts.cuts[0], facts.high))))
    half = 0.0 if facts.feature == "money" else 0.5
    edges = np.concatenate([[_lowest_edge(facts.feature, upper)], upper + half])
    scaled = np.log10(np.maximum(edges, 1e-9)) if log else edges
    groups = _groups(scaled[first : last + 1])
    left = scaled[first : last + 1][groups[:-1]]
    right = scaled[first : last + 1][groups[1:]]
    sums = np.add.reduceat(share[first:last], groups[:-1])
    ticks = _log_ticks(left[0], right[-1]) if log else _linear_ticks(left[0], right[-1])
    return _Bars(
        left=left,
        right=right,
        density=sums / (right - left),
        upper=upper[first:last][groups[1:] - 1],
        ticks=ticks,
        beyond=1.0 - float(share[first:last].sum()),  # also what the distribution itself leaves out
        log=bool(log),
    )


def _lowest_edge(feature: str, upper: FloatArray) -> float:
    if feature == "recency_days":
        return -0.5
    if feature == "orders":
        return 0.5
    # The lowest bin of money is open below (zero and less): draw it as wide as its neighbour.
    ratio = upper[1] / upper[0] if len(upper) > 1 and upper[0] > 0 else 2.0
    return float(upper[0] / ratio)


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


def _scores(facts: Distribution, bars: _Bars) -> list[int]:
    """Score 1 to 5 of each bar, by its upper end."""
    cuts = np.array(facts.cuts)
    if facts.feature == "orders":
        return [int(1 + np.searchsorted(cuts, value, side="right")) for value in bars.upper]
    rank = [int(np.searchsorted(cuts, value, side="left")) for value in bars.upper]
    return [5 - r if facts.feature == "recency_days" else 1 + r for r in rank]


def _score_ribbon(
    picture: Figure,
    axes: Axes,
    facts: Distribution,
    bars: _Bars,
    width: int,
    height: int,
    left: int,
    right: int,
    top: int,
) -> None:
    """A band above the bars that names the scores and shows exactly where the cuts are."""
    inner = (width - left - right) / width
    ribbon = picture.add_axes((left / width, (height - top + 8) / height, inner, 18 / height), sharex=axes)
    edges = [bars.left[0], *(bars.position(cut, facts.feature) for cut in facts.cuts), bars.right[-1]]
    scores = (5, 4, 3, 2, 1) if facts.feature == "recency_days" else (1, 2, 3, 4, 5)
    letter = {"recency_days": "R", "orders": "F", "money": "M"}[facts.feature]
    span = bars.right[-1] - bars.left[0]
    above = -math.inf
    for score, low, high in zip(scores, edges[:-1], edges[1:], strict=True):
        if high <= low:
            continue
        colour = SCORES[score - 1]
        ribbon.barh(0.5, high - low, left=low, height=1, color=colour, edgecolor="white", linewidth=1)
        share = (high - low) / span
        if share > 0.035:
            ribbon.text(
                (low + high) / 2,
                0.46,
                f"{letter}{score}" if share > 0.075 else str(score),
                ha="center",
                va="center_baseline",
                fontsize=12,
                color="white" if score >= 4 else INK,
            )
        else:  # too narrow for a digit: above the band, and not on the digit before
            above = max((low + high) / 2, above + 0.035 * span)
            ribbon.text(above, 1.42, str(score), ha="center", va="center_baseline", fontsize=12, color=INK)
    ribbon.set_ylim(0, 1)
    ribbon.set_axis_off()


def _log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Powers of ten, with 3 (or 2 and 5) between where there is room, fewer where there is none."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    unit = _DISTRIBUTION[0] / (high - low)
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


def _linear_ticks(low: float, high: float) -> list[tuple[float, str]]:
    step = next(s * 10**n for n in range(0, 9) for s in (1, 2, 5) if (high - low) / (s * 10**n) <= 7)
    start = math.ceil(max(low, 0) / step) * step
    return [(float(v), _tick_name(v)) for v in range(int(start), math.floor(high) + 1, int(step))]


def _tick_name(value: float) -> str:
    decimals = 0 if value >= 1 or value == 0 else -math.floor(math.log10(value))
    return grouped(Decimal(repr(float(value))), decimals)
