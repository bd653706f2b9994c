"""The holder's rooms put together as halls do, from tables and snapshots that a test has made itself."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from clients.analyses.catalogue import ANALYSES
from clients.analyses.churn.analysis import own_features as features_of_scores
from clients.analyses.churn.labels import ScoreHistory, ScoreSnapshot
from clients.analyses.clusters.analysis import own_features as features_of_clusters
from clients.analyses.clusters.labels import ClusterHistory, ClusterSnapshot
from clients.analyses.clusters.section import SECTION as CLUSTERS
from clients.analyses.rfm.labels import LabelHistory, Snapshot
from clients.analyses.rfm.own import compared_segments
from clients.analysis import HolderView
from clients.analysis.actions import Actions
from clients.answering.folder import HolderFolder
from clients.data.rows.customers import CustomerTable
from clients.data.rows.kinds import OwnRows
from clients.labels.export import publish
from clients.report import page
from privacy.analyses.rfm.segments import SegmentRules
from privacy.kernel.features import FeatureTable
from privacy.presentation.texts import Language, Text, say
from privacy.protocol.study import Study
from privacy.results import StudyResult

#: Of all sections of the holder's page, and of its frame.
TEXTS: ChainMap[str, Text] = ChainMap(*(analysis.section.text for analysis in ANALYSES))


def text(key: str, language: Language, **fields: object) -> str:
    """A text of the holder's page, whoever says it."""
    return say(TEXTS, key, language, **fields)


class Earlier(NamedTuple):
    """An earlier run of the same study, and the holder's customers at its as-of day."""

    result: StudyResult
    table: CustomerTable


def holder_report(
    *,
    holder: str,
    table: CustomerTable | None,
    result: StudyResult,
    actions: Actions,
    churn: Any = None,
    clusters: Any = None,
    earlier: Earlier | None = None,
    cuts_checked: bool = False,
    **more: Any,
) -> str:
    """The holder's page of figures that are there already."""
    own = {name: found for name, found in (("churn", churn), ("clusters", clusters)) if found is not None}
    if table is not None and result.rfm is not None and result.rfm.schemes:
        before, then = earlier or (None, None)
        own["rfm"] = compared_segments(table, result.rfm, result, earlier=before, then=then)
    facts = page.Facts(holder=holder, result=result, own=own, actions=actions, checked=cuts_checked, **more)
    return page.holder_report(facts)


def cluster_section(own: Any, actions: Actions, study: Study, language: Language) -> Any:
    """Values of the section on clusters."""

    class Result(NamedTuple):
        study: Study

    view = HolderView(
        figures=own, result=Result(study), language=language, text=CLUSTERS.text, holder="online", actions=actions,
        actions_file="actions.toml",
    )  # fmt: skip
    return CLUSTERS.body(view)


def own_features(folder: HolderFolder, study: Study) -> OwnRows[FeatureTable]:
    """What scores are made of."""
    return features_of_scores(folder.context(study))


def own_cluster_features(folder: HolderFolder, study: Study) -> OwnRows[FeatureTable]:
    """What customers are put into clusters by."""
    return features_of_clusters(folder.context(study))


def write_labels(table: CustomerTable, rules: SegmentRules, study: Study, *, folder: Path) -> tuple[Path, ...]:
    """Segments, as a run's end writes them; ``folder`` is the holder's ``labels``."""
    root = folder.parent
    return publish(lambda: Snapshot.of(table, rules, study), LabelHistory(root / "state" / "labels"), root)


def write_scores(make: Callable[[], ScoreSnapshot], *, folder: Path) -> tuple[Path, ...]:
    """Scores, as a run's end writes them."""
    return publish(make, ScoreHistory(folder.parent / "state" / "labels"), folder.parent)


def write_clusters(make: Callable[[], ClusterSnapshot], *, folder: Path) -> tuple[Path, ...]:
    """Clusters, as a run's end writes them."""
    return publish(make, ClusterHistory(folder.parent / "state" / "labels"), folder.parent)
