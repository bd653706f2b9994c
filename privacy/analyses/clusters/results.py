"""What the cluster analysis leaves: centres that every holder applies to its own customers, and who is around them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from privacy.analyses.clusters.nouns import Clusters
from privacy.figures.estimates import Estimate, Figures, Value
from privacy.kernel.limits import Name

#: Number of a cluster, of one that merges others, or of how many there are.
ClusterId = Annotated[int, Field(ge=0, le=10_000_000)]


class ClusterFigures(Value):
    """One cluster.

    Attributes:
        id: stays from run to run.
        customers, revenue: of all holders; money in major units, each customer with at most ``cap``. Revenue is None
            where spend is none of the features: it was not asked then.
        share: of all customers.
        cap: how much of one customer's money counts, in major units; 0 where revenue was not asked.
        typical: per feature the customers' mean place on its scale, as a raw value (days, orders, major units).
        apart: per feature how far that is from all customers' mean, in standard deviations of all customers.
        change: of the share since the earlier run, where there is one and the cluster was in it.
    """

    id: ClusterId
    customers: Estimate
    revenue: Estimate | None
    share: Estimate | None
    cap: float
    typical: dict[Name, Estimate] = Field(max_length=64)
    apart: dict[Name, float] = Field(max_length=64)
    change: Estimate | None = None


class ClusterMove(Value):
    """What became of a cluster since the earlier run: ``stayed``, ``moved``, ``new``, ``gone``; how far, on scales."""

    id: ClusterId
    what: Name
    distance: float


class ProposedGroup(Value):
    """One part of a proposal, from the model of where customers are, so without a margin.

    Attributes:
        share: of all customers, about.
        apart: per feature how far its customers are from all customers' mean, in standard deviations.
    """

    share: float
    apart: dict[Name, float] = Field(max_length=64)


class ClusterProposal(Value):
    """A number of clusters that the study could have.

    Attributes:
        k: the number.
        between: how dense customers are at the emptiest place between the two parts that stand apart least, as a part
            of the lower peak: 0 for groups with nobody between them, 1 where a cloud was cut.
        groups: its parts, the largest first.
    """

    k: ClusterId
    between: float
    groups: tuple[ProposedGroup, ...] = Field(max_length=64)


class ClusterResult(Figures):
    """The cluster analysis' result.

    Attributes:
        clusters: what every holder applies to its own customers.
        figures: one per cluster, the largest first.
        customers: estimated number of customer records of all holders.
        silhouettes: number of clusters to mean silhouette, where the number was to be found.
        tree: agglomerative tree over the centres (Ward): merges as (id, id, height), merged ones counting up.
        moves: since the earlier run; empty without one.
        spread: per feature the standard deviation of all customers on its scale from -1 to 1: by that it counts. Empty
            in results of before 0.2.
        proposals: numbers of clusters to choose from, where the number was to be found on released scales.
        groups: whether the clusters are groups that stand apart; only looked at on released scales that are new.
    """

    clusters: Clusters
    figures: tuple[ClusterFigures, ...] = Field(max_length=64)
    customers: Estimate
    silhouettes: dict[ClusterId, float] = Field(default_factory=dict, max_length=64)
    tree: tuple[tuple[ClusterId, ClusterId, float], ...] = Field(default=(), max_length=64)
    moves: tuple[ClusterMove, ...] = Field(default=(), max_length=128)
    spread: dict[Name, float] = Field(default_factory=dict, max_length=64)
    proposals: tuple[ClusterProposal, ...] = Field(default=(), max_length=3)
    groups: bool = False


#: What a study's result has under this analysis' name.
RESULT = ClusterResult
