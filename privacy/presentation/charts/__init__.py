"""The pictures of all pages: what can be drawn, each in one function that gets figures and words and returns SVG.

An analysis says what to draw: rows, series, words. How it looks, on a desk, on paper and on a phone, is decided here,
once. A picture never stands alone: its figures are in a table or in words beside it, and its ``Form`` says in a
sentence what it shows.

======================  ================================================================================
``bars``                bars with intervals, one or several series in groups, one or several panels
``diverging``           bars to both sides of zero
``over_time``           a line with its band over days, one small panel a track
``histogram``           a distribution with the places where it is cut
``heat_map``            shaded cells with their figures
``profiles``            a line a thing over several scales
``agreement``           what was predicted against what came, with intervals, and the line where both agree
``ranked``              columns as wide as their groups, with intervals, beside a mean
``bubbles``             places in a plane, with a size
``tree``                what was joined with what, and how far apart it was
``choice``              values of numbers that were tried, and the one that was taken
``staircase``           what adds up over days, under a limit
======================  ================================================================================
"""

from __future__ import annotations

from privacy.presentation.charts.bars import Group, Panel, Series, bars, diverging
from privacy.presentation.charts.cells import Shade, heat_map, profiles
from privacy.presentation.charts.histogram import Band, Distribution, histogram
from privacy.presentation.charts.marks import Mark, share_mark
from privacy.presentation.charts.plane import Axis, Bubble, Column, Points, agreement, bubbles, choice, ranked
from privacy.presentation.charts.time import Moment, Track, over_time, staircase
from privacy.presentation.charts.trees import tree

__all__ = [
    "Axis",
    "Band",
    "Bubble",
    "Column",
    "Distribution",
    "Group",
    "Mark",
    "Moment",
    "Panel",
    "Points",
    "Series",
    "Shade",
    "Track",
    "agreement",
    "bars",
    "bubbles",
    "choice",
    "diverging",
    "heat_map",
    "histogram",
    "over_time",
    "profiles",
    "ranked",
    "share_mark",
    "staircase",
    "tree",
]
