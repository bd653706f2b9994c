"""A closer look at the cut points: the second answer asks on which side of the cuts found customers are.

The first answer measures whole distributions and spreads its noise over all their bins. Its cut points say where to
look: counts at just those values are two to three times as exact at the same price. A cut then moves along the first
answer's distribution by what the two counts differ, weighted by their precision: a step of Newton's method, whose slope
the first answer gives. Wrong scores fall by a third to a half at the same cost (``benchmarks/cut_points.py``;
``docs/decisions/0042``). Counts of orders have ties, which no cut splits, and are not looked at again.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.rfm.cut_sides import CutSides, FactCuts, SidesEstimate
from privacy.analyses.rfm.segments import CutPoints
from server.analyses.rfm.cut_points import Cumulative

FloatArray = NDArray[np.float64]

#: What smoothing and consistency leave of a rank's variance: .4 to .7 were seen (``docs/decisions/0042``).
_LEFT = 0.6


def closer_question(cuts: CutPoints) -> CutSides:
    """How many customers are at or below each quintile cut of days and of money; both have the same part."""
    return CutSides(
        facts=(
            FactCuts(fact="recency_days", at=tuple(sorted(set(cuts.recency_days))), permille=500),
            FactCuts(fact="money", at=tuple(sorted(set(cuts.money))), permille=500),
        )
    )


def rank_of(distribution: Cumulative, value: int) -> float:
    """The share of customers at or below a value: what ``lower_cut`` turned into it, interpolated alike."""
    upper, share = distribution.grid.upper, distribution.share
    j = int(np.searchsorted(np.array(upper), value, side="left"))
    if j >= len(upper):
        return 1.0
    if j == 0 or upper[j] == value:
        return float(share[j])
    low, high = upper[j - 1], upper[j]
    logarithmic = distribution.grid.fact == "money" and low > 0
    part = math.log(value / low) / math.log(high / low) if logarithmic else (value - low) / (high - low)
    return float(share[j - 1] + part * (share[j] - share[j - 1]))


def moved(distribution: Cumulative, found: SidesEstimate, deviation: float) -> Cumulative:
    """The distribution as both answers have it: moved at each value looked at, and in proportion between them.

    Both counts of a value are unbiased, and their noises independent, but for that of the number of all customers,
    which is that of the first answer and moves both alike at the median. The weight of the closer one is ``v1 / (v1 +
    v2)`` (Cochran 1937, as ``server.releases.combined_deviation``), in which v1 allows for what smoothing took away.
    Margins do not: they are stated by the unsmoothed v1.

    Args:
        distribution: of the first answer.
        found: counts of the closer question about the same fact.
        deviation: standard deviation of the number of all customers, ``distribution.customers``.
    """
    customers = distribution.customers
    ranks = np.array([rank_of(distribution, value) for value in found.cuts.at])
    first = np.array([distribution.rank_variance(rank) for rank in ranks]) * customers**2
    second = (found.deviation**2 + ((0.5 - ranks) * deviation) ** 2) * np.ones(len(ranks))
    away = (found.beyond_half + (0.5 - ranks) * customers) / customers
    shift = _part(_LEFT * first, second) * away
    left = 1.0 - _part(first, second)
    knots, shifts = _between_ends(ranks, shift, 0.0)
    _, kept = _between_ends(ranks, left, 1.0)
    share = np.clip(np.maximum.accumulate(distribution.share + np.interp(distribution.share, knots, shifts)), 0.0, 1.0)
    share[-1] = 1.0
    part = np.interp(distribution.share, knots, kept)
    return replace(distribution, share=share, variance_left=part * distribution.variance_left)


def _part(first: FloatArray, second: FloatArray) -> FloatArray:
    """The closer answer's weight by its and the first one's variance; none where neither has noise."""
    return np.divide(first, first + second, out=np.zeros(len(first)), where=first > 0)


def _between_ends(ranks: FloatArray, values: FloatArray, outside: float) -> tuple[FloatArray, FloatArray]:
    """Ranks from 0 to 1 and a value at each, of which the ends' are known; a rank that comes twice counts once."""
    known = [
        (rank, value)
        for (rank, value), (after, _) in pairwise([*zip(ranks, values, strict=True), (1.0, outside)])
        if 0.0 < rank < after
    ]
    inner = np.array([(0.0, outside), *known, (1.0, outside)])
    return inner[:, 0], inner[:, 1]
