"""What the common cut points are worth to this holder: how uncertain its own would be.

Cut points say where a market's fifths lie. From ``n`` customers a fifth's rank is known to within
``1.96 sqrt(q (1 - q) / n)`` (binomial), whatever the distribution; the consortium's carry the privacy noise besides,
but rest on all records. Both are compared as ranks, which need no model, and shown in days and money. Where the study
withholds how many records there are, the consortium's uncertainty is the noise's alone, and nothing is compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.options import FixedCuts
from privacy.analyses.rfm.results import Distribution, RfmResult
from privacy.analyses.rfm.segments import CutPoints
from privacy.figures.estimates import Z95
from privacy.kernel.customers import CustomerColumns
from privacy.protocol.study import Study

#: Facts with many values. Orders have ties, so that their cuts hardly move and say little here.
FACTS = ("recency_days", "money")
_RANKS = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True, kw_only=True)
class CutLine:
    """One cut, alone and together.

    Attributes:
        feature: which fact.
        rank: 0.2 to 0.8.
        own, everyone: the cut in days or major currency units.
        own_interval, everyone_interval: where the market's cut may lie (95%), same unit.
        own_margin, everyone_margin: half-widths of the cut's rank, as a share of customers.
        comparable: whether ``everyone_margin`` contains chance as ``own_margin`` does.
    """

    feature: str
    rank: float
    own: float
    everyone: float
    own_interval: tuple[float, float]
    everyone_interval: tuple[float, float]
    own_margin: float
    everyone_margin: float
    comparable: bool

    @property
    def together_tighter(self) -> bool:
        """Whether the consortium's cut is known better than the holder's alone."""
        return self.comparable and self.everyone_margin < self.own_margin


@dataclass(frozen=True, kw_only=True)
class Yardstick:
    """All cuts (none where earlier cut points were used), and how many of the holder's customers its own cut points
    would label otherwise."""

    lines: tuple[CutLine, ...]
    relabelled: int


def yardstick(columns: CustomerColumns, rfm: RfmResult, study: Study, *, scheme: str) -> Yardstick:
    """Compare the holder's own cut points with the released ones. The table must not be empty."""
    unit = rfm.rules.money_unit
    everyone = None if rfm.customers is None else max(rfm.customers.value, float(len(columns)))
    lines = []
    for facts in rfm.distributions:
        if facts.feature not in FACTS:
            continue
        values = np.sort(getattr(columns, facts.feature)) / (unit if facts.feature == "money" else 1)
        for position, rank in enumerate(_RANKS):
            own = Z95 * math.sqrt(rank * (1 - rank) / len(columns))
            chance = Z95 * math.sqrt(rank * (1 - rank) / everyone) if everyone is not None else 0.0
            together = math.hypot(facts.rank_margin[position], chance)
            lines.append(
                CutLine(
                    feature=facts.feature,
                    rank=rank,
                    own=_order_statistic(values, rank),
                    everyone=facts.cuts[position],
                    own_interval=(_order_statistic(values, rank - own), _order_statistic(values, rank + own)),
                    everyone_interval=_interval(facts, position, together),
                    own_margin=own,
                    everyone_margin=together,
                    comparable=everyone is not None,
                )
            )
    own_rules = rfm.rules.model_copy(update={"cuts": own_cuts(columns, rfm.rules.cuts, study)})
    changed = own_rules.assign(scheme, columns) != rfm.rules.assign(scheme, columns)
    return Yardstick(lines=tuple(lines), relabelled=int(changed.sum()))


def own_cuts(columns: CustomerColumns, released: CutPoints, study: Study) -> CutPoints:
    """The cut points that the holder's customers alone would give, without noise, by the rules of the analysis."""

    def at(values: NDArray[np.int64], rank: float) -> int:
        return int(_order_statistic(np.sort(values), rank))

    recency, orders, money = columns.recency_days, columns.orders, columns.money
    fixed = isinstance(study.of(CONTRACT).high_low, FixedCuts)
    quintiles = {
        "recency_days": tuple(at(recency, rank) for rank in _RANKS),
        "orders": tuple(at(orders, rank) + 1 for rank in _RANKS),  # a cut of orders never splits a tie
        "money": tuple(at(money, rank) for rank in _RANKS),
    }
    return CutPoints(
        **quintiles,
        recency_high=released.recency_high if fixed else at(recency, 0.5),
        orders_high=released.orders_high if fixed else at(orders, 0.5) + 1,
        money_high=released.money_high if fixed else at(money, 0.5),
    )


def _order_statistic(ascending: NDArray[np.int64] | NDArray[np.float64], rank: float) -> float:
    """The value at or below which a share ``rank`` of the values lies; the outermost beyond the ends."""
    place = math.ceil(rank * len(ascending) - 1e-9) - 1
    return float(ascending[min(max(place, 0), len(ascending) - 1)])


def _interval(facts: Distribution, position: int, margin: float) -> tuple[float, float]:
    """Where the cut may lie, read off the released distribution around the cut (its bars are joined by lines)."""
    upper = np.array(facts.upper)
    cumulative = np.maximum.accumulate(np.cumsum(facts.share))
    log = facts.feature == "money" and upper[0] > 0
    scale = np.log(upper) if log else upper
    cut = facts.cuts[position]
    here = float(np.interp(math.log(cut) if log and cut > 0 else cut, scale, cumulative))
    low, high = (float(np.interp(min(max(here + side * margin, 0.0), 1.0), cumulative, scale)) for side in (-1, 1))
    return (min(math.exp(low), cut), max(math.exp(high), cut)) if log else (min(low, cut), max(high, cut))
