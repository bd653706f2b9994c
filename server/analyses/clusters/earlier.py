"""What a study of clusters takes from its earlier runs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from privacy.analyses.clusters import CONTRACT
from privacy.analyses.clusters.options import ClusterOptions, KnownClusters
from privacy.analyses.clusters.results import ClusterResult
from privacy.errors import ConfigError
from privacy.protocol.study import Study
from privacy.results import StudyResult


def with_known_centres(study: Study, before: Sequence[StudyResult]) -> Study:
    """A study with the centres written out that ``centres = "previous"`` refers to.

    Raises:
        ConfigError: if there is no earlier run, or it compared customers by other features.
    """
    if "clusters" not in study.analyses or study.of(CONTRACT).centres != "previous":
        return study
    earlier = [r for r in before if r.study.as_of < study.as_of and r.of(ClusterResult) is not None]
    if not earlier or (last := earlier[-1].of(ClusterResult)) is None:
        raise ConfigError(
            f"there is no earlier run of {study.name} whose clusters could be kept",
            hint='run it once with clusters.centres = "new"',
        )
    if last.clusters.features != study.scaled(study.of(CONTRACT).features):
        raise ConfigError("the earlier run compared customers by other features", hint='use clusters.centres = "new"')
    shares = {
        figures.id: tuple(Decimal(str(round(part, 6))) for part in (figures.share.value, figures.share.margin))
        for figures in last.figures
        if figures.share is not None
    }
    known = KnownClusters(clusters=last.clusters, shares=shares, origin=f"{study.name} {earlier[-1].study.as_of}")
    return study.model_copy(update={"clusters": ClusterOptions(**{**dict(study.of(CONTRACT)), "centres": known})})
