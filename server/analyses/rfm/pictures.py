"""What the report's sections on segments draw (:mod:`privacy.presentation.charts`)."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import NamedTuple

from privacy.analyses.rfm.results import Distribution as Facts
from privacy.analyses.rfm.results import SchemeFigures
from privacy.analyses.rfm.words import segment_name
from privacy.figures.estimates import Estimate
from privacy.presentation import charts
from privacy.presentation.charts import Band, Distribution, Group, Mark, Panel, Series, Track, share_mark
from privacy.presentation.pictures import CUSTOMERS, REVENUE, Form, Width
from privacy.presentation.texts import Language
from server.analyses.rfm.texts import text

#: From so many orders on their axis is logarithmic.
_MANY_ORDERS = 30.5
_LETTERS = {"recency_days": "R", "orders": "F", "money": "M"}
#: A cut lies between two whole numbers: it is the last that is in (days), or the first that is beyond (orders).
_HALF = {"recency_days": 0.5, "orders": -0.5, "money": 0.0}


def segment_shares(scheme: SchemeFigures, language: Language, *, floor: int | str, width: Width) -> str:
    """Share of customer records and share of revenue of each segment, with 95% intervals.

    Args:
        scheme: the figures.
        language: of the labels.
        floor: the study's floor, for the label of suppressed segments.
        width: ``wide`` or ``narrow``.
    """
    hidden = text("suppressed_short", language, floor=floor)
    groups = [
        Group(
            segment_name(segment, language),
            (hidden,)
            if segment.suppressed
            else tuple(_mark(share, language) for share in (segment.share_of_customers, segment.share_of_revenue)),
        )
        for segment in scheme.segments
    ]
    series = (
        Series(text("legend_customers", language), CUSTOMERS),
        Series(text("legend_revenue", language), REVENUE),
    )
    form = Form(alt=text("picture_shares", language), salt=f"{scheme.scheme}-{language}", width=width)
    return charts.bars([Panel(groups)], series, form)


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
        width: ``wide`` or ``narrow``.
    """
    tracks = [
        Track(
            segment_name(segment, language),
            [_mark(moment.shares.get(segment.code), language) for moment in moments],
        )
        for segment in scheme.segments
    ]
    form = Form(alt=text("picture_trend", language), salt=f"trend-{scheme.scheme}-{language}", width=width)
    days = [charts.Moment(moment.day, hollow=not moment.same_cuts) for moment in moments]
    return charts.over_time(tracks, days, text("trend_hidden", language), form)


def distribution(facts: Facts, language: Language, *, currency: str) -> str:
    """A noisy distribution with its quintile cuts (shades) and its high/low cut (dashed line).

    The axis is logarithmic for money, and for orders where they spread widely.
    """
    half, letter = _HALF[facts.feature], _LETTERS[facts.feature]
    upper = [value + abs(half) for value in facts.upper]
    scores = (5, 4, 3, 2, 1) if facts.feature == "recency_days" else (1, 2, 3, 4, 5)
    axis = text(f"axis_{facts.feature}", language, currency=currency)
    shown = Distribution(
        edges=[_lowest_edge(facts), *upper],
        share=facts.share,
        cuts=[cut + half for cut in facts.cuts],
        bands=[Band(score - 1, f"{letter}{score}", str(score)) for score in scores],
        mark=(facts.high + half, text("high_cut", language)),
        log_beyond={"recency_days": math.inf, "orders": _MANY_ORDERS, "money": -math.inf}[facts.feature],
        axis=(axis, text("axis_orders_log", language) if facts.feature == "orders" else axis),
    )
    name = text(f"feature_{facts.feature}", language, currency=currency)
    form = Form(
        alt=text("picture_distribution", language, feature=name), salt=f"{facts.feature}-{language}", width="third"
    )
    return charts.histogram(shown, text("beyond", language, share="{share}"), form)


def _mark(share: Estimate | None, language: Language) -> Mark | None:
    return None if share is None else share_mark(share, language)


def _lowest_edge(facts: Facts) -> float:
    if facts.feature != "money":
        return -0.5 if facts.feature == "recency_days" else 0.5
    # The lowest bin of money is open below (zero and less): draw it as wide as its neighbour.
    upper = facts.upper
    ratio = upper[1] / upper[0] if len(upper) > 1 and upper[0] > 0 and math.isfinite(upper[1]) else 2.0
    return float(upper[0] / ratio)
