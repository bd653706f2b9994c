"""For every kind of statistic: a small question, a few customers at each holder, and the customer that moves it most.

The empirical audit asks these questions thousands of times, so their vectors are short. The target is found, not
chosen: among customers at the ends of what a table can hold, the one with the longest vector. Limits are set so low
that this customer lies far beyond them, so that an encoder which forgets to clip is seen.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from privacy.analyses.churn.by_holder import ByHolder
from privacy.analyses.churn.logistic_gradient import LogisticGradient
from privacy.analyses.churn.models import LOGIT, WEIGHT, FeatureRank, LogisticModel
from privacy.analyses.churn.network_gradient import Network, NetworkGradient
from privacy.analyses.churn.score_histogram import ScoredModel, ScoreHistogram
from privacy.analyses.clusters.anchor_sums import AnchorSums, CappedFact
from privacy.analyses.clusters.grid_counts import GridCounts
from privacy.analyses.rfm.prefix_sums import FactGrid, PrefixSums
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.analyses.rfm.segments import CutPoints, SegmentRules, ThresholdRule
from privacy.kernel.customers import CustomerColumns
from privacy.kernel.features import MISSING, UNIT, FeatureName, FeatureTable, Scale, ScaledFeature
from privacy.kernel.linear_view import ENTRY, LinearView
from privacy.statistics import FeatureMoments, FeatureSums, Statistic
from privacy.statistics.base import IntArray

#: The holders of the audit. The first ones collude; the target is a customer of the last.
HOLDERS = ("east", "north", "south", "west")

#: (recency_days, orders, money, tenure_days).
_Columns = tuple[int, int, int, int]
#: (outcome, raw features), of a customer who counts.
_Features = tuple[int, tuple[int, ...]]

_NAMES: tuple[FeatureName, ...] = ("recency_days", "orders_90")
_SCALED = (
    ScaledFeature(name="recency_days", scale=Scale(kind="log", high=730)),
    ScaledFeature(name="orders_90", scale=Scale(kind="linear", high=10)),
)
_VIEW = LinearView(features=_SCALED, radius=2 * UNIT)
#: Without the constant, which a grid and anchors leave out.
_PLANE = LinearView(features=_SCALED, radius=2 * UNIT, matrix=((0, ENTRY, 0), (0, 0, ENTRY)))
_MODEL = LogisticModel(features=_SCALED, weights=(WEIGHT, -WEIGHT, WEIGHT // 4))
_HISTOGRAM = ScoreHistogram(
    day=0,
    models=(
        ScoredModel(model=_MODEL, upper=(-LOGIT, 0, LOGIT), permille=800),
        ScoredModel(model=FeatureRank(features=_SCALED[:1]), upper=(-LOGIT // 2, LOGIT // 2), permille=200),
    ),
)
_RULES = SegmentRules(
    cuts=CutPoints(
        recency_days=(10, 30, 90, 365), orders=(2, 3, 5, 9), money=(1_000, 5_000, 20_000, 100_000),
        recency_high=60, orders_high=2, money_high=10_000,
    ),
    thresholds=(ThresholdRule(code="often", when="F>=5"),),
    money_unit=100,
)  # fmt: skip

#: The question of each kind.
QUESTIONS: dict[str, Statistic[Any]] = {
    "anchor_sums": AnchorSums(
        view=_PLANE, day=0, anchors=((0, 0), (UNIT // 2, -UNIT // 2)), radii=(UNIT // 4, UNIT // 4),
        count_amplitude=300, offset_amplitude=450,
        facts=(CappedFact(name="orders_90", caps=(5, 5), amplitude=400),),
    ),
    "by_holder": ByHolder(
        inner=ScoreHistogram(day=0, models=(ScoredModel(model=_MODEL, upper=(0,), permille=1000),)), holders=HOLDERS
    ),
    "feature_moments": FeatureMoments(view=_VIEW, days=(0,), outcome_weight=1000, norm=900),
    "feature_sums": FeatureSums(view=_VIEW, days=(0,), customers="labelled", norm=500),
    "grid_counts": GridCounts(view=_PLANE, day=0, cells=3),
    "logistic_gradient": LogisticGradient(view=_VIEW, weights=(0, WEIGHT, -WEIGHT), days=(0,), norm=400),
    "network_gradient": NetworkGradient(
        view=_VIEW,
        network=Network(direct=(0, WEIGHT, -WEIGHT), hidden=((WEIGHT, 0, WEIGHT),), bias=(0,), output=(WEIGHT,)),
        days=(0,),
        norm=400,
    ),
    "prefix_sums": PrefixSums(
        grids=(
            FactGrid(fact="orders", upper=(1, 2, 5), permille=400),
            FactGrid(fact="money", upper=(1_000, 10_000, 100_000), permille=600),
        )
    ),
    "score_histogram": _HISTOGRAM,
    "segment_totals": SegmentTotals(rules=_RULES, schemes=("rules", "eight"), orders_cap=5, money_cap=10_000),
}  # fmt: skip


def columns_of(rows: Iterable[_Columns]) -> CustomerColumns:
    """A customer table of these rows."""
    array = np.array(list(rows), dtype=np.int64).reshape(-1, 4)
    days, orders, money, tenure = (array[:, position].copy() for position in range(4))
    return CustomerColumns(recency_days=days, orders=orders, money=money, tenure_days=tenure)


def features_of(rows: Iterable[_Features]) -> FeatureTable:
    """A table of one day, on which all of these customers count."""
    listed = list(rows)
    return FeatureTable(
        names=_NAMES,
        values=np.array([[raw] for _, raw in listed], dtype=np.int64).reshape(len(listed), 1, len(_NAMES)),
        eligible=np.ones((len(listed), 1), dtype=np.int64),
        outcome=np.array([[outcome] for outcome, _ in listed], dtype=np.int64).reshape(len(listed), 1),
    )


_CROWD: dict[type, Any] = {
    CustomerColumns: columns_of([(12, 1, 1_990, 12), (45, 3, 12_500, 300), (200, 7, 88_000, 640)]),
    FeatureTable: features_of([(0, (12, 2)), (1, (200, 0)), (0, (45, 1))]),
}
_ENDS = (-(1 << 40), 0, 1 << 40)
_CANDIDATES: dict[type, tuple[Any, ...]] = {
    CustomerColumns: tuple(columns_of([row]) for row in itertools.product(_ENDS, _ENDS, _ENDS, _ENDS)),
    FeatureTable: tuple(
        features_of([(outcome, raw)])
        for outcome in (0, 1)
        for raw in itertools.product((*_ENDS, MISSING), repeat=len(_NAMES))
    ),
}


def candidates_of(kind: type) -> Any:
    """Customers at the ends of what a table of that kind can hold."""
    return joined(*_CANDIDATES[kind])


def crowd_of(kind: type) -> Any:
    """A few ordinary customers, in a table of that kind."""
    return _CROWD[kind]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of statistic, ready to be attacked.

    Attributes:
        statistic: the question.
        crowd: every holder's other customers; the attacker knows them.
        target: the customer that is in or not, as a table of one row.
        reached: the target's norm as a part of the bound's.
    """

    statistic: Statistic[Any]
    crowd: Any
    target: Any
    reached: float


def case_of(kind: str, encode: Callable[[Statistic[Any], Any], IntArray]) -> Case:
    """The case of one kind, with the target that has the longest vector.

    Args:
        kind: of the statistic.
        encode: what a holder adds to a sum for a table.
    """
    statistic = QUESTIONS[kind]

    def squared_norm(row: Any) -> int:
        return sum(int(value) ** 2 for value in encode(statistic, row))

    target = max(_CANDIDATES[statistic.reads], key=squared_norm)
    return Case(
        statistic=statistic,
        crowd=_CROWD[statistic.reads],
        target=target,
        reached=math.sqrt(squared_norm(target) / statistic.bound.squared_norm),
    )


def joined(*tables: Any) -> Any:
    """One table of the rows of several of the same kind."""
    first = tables[0]
    if isinstance(first, FeatureTable):
        return FeatureTable(
            names=first.names,
            values=np.concatenate([table.values for table in tables]),
            eligible=np.concatenate([table.eligible for table in tables]),
            outcome=np.concatenate([table.outcome for table in tables]),
        )
    names = ("recency_days", "orders", "money", "tenure_days")
    return CustomerColumns(**{name: np.concatenate([getattr(table, name) for table in tables]) for name in names})
