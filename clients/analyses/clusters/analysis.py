"""What halls need of this room: one object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from clients.analyses.clusters.assignment import assign, fits_the_plan, released_clusters
from clients.analyses.clusters.labels import FACTS, ClusterHistory, ClusterSnapshot
from clients.analyses.clusters.own import OwnClusters, is_cluster_code, own_clusters
from clients.analyses.clusters.section import SECTION
from clients.analysis import Earlier, HolderAnalysis, HolderContext
from clients.data.rows.kinds import OwnRows
from clients.labels.export import publish
from privacy.analyses.clusters.results import ClusterResult
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.features import FeatureTable
from privacy.results import StudyResult
from privacy.statistics import Statistic

NAME = "clusters"


def own_features(context: HolderContext) -> OwnRows[FeatureTable]:
    """Features of the holder's customers as of the study's day, as its cluster analysis saw them."""
    return context.rows(context.study.row_requests[NAME])


def _fits(figures: ClusterResult, answered: Sequence[Statistic[Any]]) -> bool:
    return fits_the_plan(figures.clusters, answered)


def _own(
    context: HolderContext, figures: ClusterResult, result: StudyResult, before: Callable[[], Earlier | None]
) -> OwnClusters:
    earlier = context.history(ClusterHistory).latest(context.study.name, before=context.study.as_of)
    return own_clusters(own_features(context), context.study, figures, earlier=earlier)


def _label(context: HolderContext) -> Sequence[Path]:
    study = context.study
    if NAME not in study.analyses:
        return ()
    found = released_clusters(context.asked(NAME), context.stated)
    if found is None:
        return ()

    def make() -> ClusterSnapshot:
        features = own_features(context)
        assigned = assign(found.clusters, features.table)
        return ClusterSnapshot.of(assigned, features.ids, context.customers(CustomerRequest()), found, study)

    return publish(make, context.history(ClusterHistory), context.root)


def _knows(code: str, result: StudyResult) -> bool:
    # Also where a study has no clusters: its page says nothing of their actions.
    return is_cluster_code(code)


ANALYSIS: HolderAnalysis[ClusterResult, OwnClusters] = HolderAnalysis(
    name=NAME,
    fits=_fits,
    own=_own,
    section=SECTION,
    label=_label,
    history=ClusterHistory,
    knows=_knows,
    facts=FACTS,
)
