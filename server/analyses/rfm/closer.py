"""A closer look at the cut points: the second answer asks between which of the cuts found customers are.

The first answer measures whole distributions and spreads its noise over all their bins. Its cut points say where to
look: by how much just those values miss their ranks is known three times as exactly at the same price. A cut then moves
along the first answer's distribution by what the two differ, weighted by their precision: a step of Newton's method,
whose slope the first answer gives. Wrong scores fall by half at the same cost (``benchmarks/cut_points.py``;
``docs/decisions/0042``, ``0044``). Counts of orders have ties, which no cut splits, and are not looked at again.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.rfm.cut_sides import RANKS, CutSides, FactCuts, SidesEstimate
from privacy.analyses.rfm.segments import CutPoints
from server.analyses.rfm.cut_points import Cumulative

FloatArray = NDArray[np.float64]

#: What smoothing and consistency leave of a rank's variance: .4 to .7 were seen (``docs/decisions/0042``).
_LEFT = 0.6


def closer_question(cuts: CutPoints) -> CutSides:
    """By how much each quintile cut of days and of money misses its rank; both have the same part."""
    return CutSides(
        facts=(
            FactCuts(fact="recency_days", at=cuts.recency_days, permille=500),
            FactCuts(fact="money", at=cuts.money, permille=500),
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


def moved(distribution: Cumulative, found: SidesEstimate) -> Cumulative:
    """The distribution as both answers have it: moved at each value looked at, and in proportion between them.

    Both ranks of a value are unbiased, and their noises independent. The weight of the closer one is ``v1 / (v1 + v2)``
    (Cochran 1937, as ``server.releases.combined_deviation``), in which v1 allows for what smoothing took away. Margins
    do not: they are stated by the unsmoothed v1.

    Args:
        distribution: of the first answer.
        found: what the closer question says of the same fact.
    """
    customers = distribution.customers
    ranks = np.array([rank_of(distribution, value) for value in found.cuts.at])
    first = np.array([distribution.rank_variance(rank) for rank in ranks]) * customers**2
    second = np.diag(found.covariance)
    away = found.beyond / customers + np.array(RANKS) - ranks
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
