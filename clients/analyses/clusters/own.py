"""The holder's customers by cluster: exact, from its own rows, beside what the consortium released."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clients.analyses.clusters.assignment import Assigned, assign
from clients.analyses.clusters.labels import ClusterSnapshot
from clients.analysis.comparison import Compared, compare, own_share
from clients.data.rows.kinds import OwnRows
from privacy.analyses.clusters import CONTRACT
from privacy.analyses.clusters.options import KnownClusters
from privacy.analyses.clusters.results import ClusterFigures, ClusterResult
from privacy.figures.consistent import possible
from privacy.figures.estimates import Z95, Estimate
from privacy.figures.quotient import share
from privacy.kernel.features import FeatureName, FeatureTable
from privacy.kernel.terms import minor_digits
from privacy.protocol.study import Study

#: Customers listed for each cluster, and how many of the study's features stand beside their ids.
LISTED = 10
SHOWN = 3

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def action_code(number: int) -> str:
    """The section of ``actions.toml`` that is about a cluster."""
    return f"cluster_{number}"


def is_cluster_code(code: str) -> bool:
    """Whether a section of ``actions.toml`` is about a cluster."""
    return re.fullmatch(r"cluster_[1-9][0-9]{0,6}", code) is not None


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A customer of a cluster; ``values`` are raw features, in the order of the study's."""

    customer_id: str
    values: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class ClusterLine:
    """A cluster of the holder beside the consortium's.

    Attributes:
        figures: the consortium's.
        customers: the holder's, exact.
        money: their spend in minor units, exact, without the cap; None where spend is none of the features.
        share_of_customers: compared.
        share_of_revenue: compared, capped on both sides; None where it is not known.
        listed: those with most money, or nearest to the centre where spend is none of the features.
    """

    figures: ClusterFigures
    customers: int
    money: int | None
    share_of_customers: Compared
    share_of_revenue: Compared | None
    listed: tuple[Listed, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class ClusterMoves:
    """Who is in another cluster than on an earlier day whose ids these are. Exact, counts of own customers.

    Attributes:
        since: that day.
        ids: all clusters of either day, ascending.
        matrix: customers on both days by (cluster then, cluster now), shape ``(ids, ids)``.
        new, gone: customers who counted on one of the days only, by cluster; shape ``(ids,)``.
        by_themselves: how many of those who are in another cluster now would be in another one by that day's centres,
            too: the others were moved by the centres.
    """

    since: dt.date
    ids: tuple[int, ...]
    matrix: IntArray
    new: IntArray
    gone: IntArray
    by_themselves: int

    @property
    def changed(self) -> int:
        """Customers in another cluster."""
        return int(self.matrix.sum() - np.trace(self.matrix))


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnClusters:
    """Everything that is the same in both languages.

    Attributes:
        result: what the coordinator stated.
        counted: customers who count as of the study's day.
        away: customers who do not, because they have not bought for too long.
        features: those that stand beside the ids on lists.
        lines: one per cluster, in the result's order.
        border: customers who are less than a tenth further from the next centre than from their own.
        moves: since an earlier day; None where there is none, or its ids are others.
    """

    result: ClusterResult
    counted: int
    away: int
    features: tuple[FeatureName, ...]
    lines: tuple[ClusterLine, ...]
    border: int
    moves: ClusterMoves | None

    def __repr__(self) -> str:
        return "OwnClusters(<private>)"


def own_clusters(
    features: OwnRows[FeatureTable], study: Study, result: ClusterResult, *, earlier: ClusterSnapshot | None = None
) -> OwnClusters:
    """Work out a holder's clusters.

    Args:
        features: its customers as the study's cluster analysis saw them.
        study: the study.
        result: the analysis' result, its centres checked against the answered plan.
        earlier: clusters of an earlier day of the same study.
    """
    table = features.table
    assigned = assign(result.clusters, table)
    known = study.of(CONTRACT).centres
    follows = isinstance(known, KnownClusters) and earlier is not None and known.clusters == earlier.clusters
    return OwnClusters(
        result=result,
        counted=len(assigned),
        away=len(table) - len(assigned),
        features=study.of(CONTRACT).features[:SHOWN],
        lines=_lines(features, study, result, assigned),
        border=int(((assigned.second > 0) & (10 * assigned.second_distance < 11 * assigned.distance)).sum()),
        moves=_moves(features, assigned, earlier) if earlier is not None and follows else None,
    )


def _lines(
    features: OwnRows[FeatureTable], study: Study, result: ClusterResult, assigned: Assigned
) -> tuple[ClusterLine, ...]:
    table, rows = features.table, assigned.rows
    money = table.values[rows, 0, table.names.index("money")] if "money" in table.names else None
    total = result.customers.value
    weight = min(len(assigned) / total, 1.0) if total > 0 else 0.0
    comparisons = (2 if money is not None else 1) * len(result.figures)
    capped = None if money is None else _capped(money, assigned, result, study)
    everyone = _revenue_shares(result, signed=study.cleaning.returns == "net")
    lines = []
    for figures in result.figures:
        mine = assigned.cluster == figures.id
        order = -money[mine] if money is not None else assigned.distance[mine]
        first = np.flatnonzero(mine)[np.argsort(order, kind="stable")][:LISTED]
        revenue = None
        if capped is not None and capped.sum() > 0:
            revenue = compare(_own_part(capped, mine), everyone.get(figures.id), weight=weight, comparisons=comparisons)
        lines.append(
            ClusterLine(
                figures=figures,
                customers=int(mine.sum()),
                money=None if money is None else int(money[mine].sum()),
                share_of_customers=compare(
                    own_share(mine) if len(mine) else Estimate(value=0.0, margin=1.0),
                    figures.share,
                    weight=weight,
                    comparisons=comparisons,
                    shown=figures.share and possible(figures.share, 0.0, 1.0),
                ),
                share_of_revenue=revenue,
                listed=tuple(
                    Listed(
                        customer_id=str(features.ids[rows[row]]),
                        values=tuple(table.values[rows[row], 0, :SHOWN].tolist()),
                    )
                    for row in first
                ),
            )
        )
    return tuple(lines)


def _capped(money: IntArray, assigned: Assigned, result: ClusterResult, study: Study) -> FloatArray:
    """Money in major units as the release counts it: up to the cap of the customer's cluster."""
    unit = 10 ** minor_digits(study.currency)
    caps = {figures.id: figures.cap for figures in result.figures}
    cap = np.array([caps[number] for number in assigned.cluster.tolist()], dtype=np.float64)
    capped: FloatArray = np.clip(money / unit, -cap, cap)
    return capped


def _own_part(money: FloatArray, mine: NDArray[np.bool_]) -> Estimate:
    """Share of the money; the chance margin is that of a ratio of two sums over customers, linearised."""
    total = float(money.sum())
    share = float(money[mine].sum()) / total
    return Estimate(value=share, margin=Z95 * float(np.sqrt((((mine - share) * money) ** 2).sum())) / total)


def _revenue_shares(result: ClusterResult, *, signed: bool) -> dict[int, Estimate]:
    """Id to its share of the consortium's revenue; empty where the noise leaves too little of the total.

    Args:
        result: the analysis' result.
        signed: money is net of returns, and a cluster's may be negative.
    """
    revenue = {figures.id: figures.revenue for figures in result.figures if figures.revenue is not None}
    total = sum(item.value for item in revenue.values())
    variance = sum(item.deviation**2 for item in revenue.values())
    found = {}
    for number, item in revenue.items():
        own = item.deviation**2
        part = share(item.value, total - item.value, (own, variance - own), signed=signed)
        if part is not None:
            found[number] = part
    return found


def _moves(features: OwnRows[FeatureTable], assigned: Assigned, earlier: ClusterSnapshot) -> ClusterMoves:
    before = earlier.table
    then_ids = before["cluster"].to_numpy()
    ids = np.unique([*assigned.cluster.tolist(), *then_ids.tolist()])
    place = pc.index_in(pa.array(features.ids[assigned.rows], pa.string()), value_set=before["customer_id"])
    place = place.combine_chunks() if isinstance(place, pa.ChunkedArray) else place
    was_there = place.is_valid().to_numpy(zero_copy_only=False)
    at_then = place.drop_null().to_numpy()
    now = np.searchsorted(ids, assigned.cluster)
    then = np.searchsorted(ids, then_ids)
    count = len(ids)
    matrix = np.bincount(then[at_then] * count + now[was_there], minlength=count * count).reshape(count, count)
    gone = np.ones(len(then), dtype=bool)
    gone[at_then] = False
    changed = then[at_then] != now[was_there]
    by_then = assign(earlier.clusters, features.table).cluster[was_there]
    return ClusterMoves(
        since=earlier.as_of,
        ids=tuple(ids.tolist()),
        matrix=matrix,
        new=np.bincount(now[~was_there], minlength=count),
        gone=np.bincount(then[gone], minlength=count),
        by_themselves=int((changed & (by_then != then_ids[at_then])).sum()),
    )
