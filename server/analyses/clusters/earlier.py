"""What a study of clusters takes from its earlier runs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from privacy.analyses.clusters import CONTRACT
from privacy.analyses.clusters.options import ClusterOptions, KnownClusters
from privacy.analyses.clusters.results import ClusterResult
from privacy.errors import ConfigError
from privacy.kernel.features import ScaledFeature
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
    if not _alike(last.clusters.features, study):
        raise ConfigError("the earlier run compared customers by other features", hint='use clusters.centres = "new"')
    shares = {
        figures.id: tuple(Decimal(str(round(part, 6))) for part in (figures.share.value, figures.share.margin))
        for figures in last.figures
        if figures.share is not None
    }
    known = KnownClusters(clusters=last.clusters, shares=shares, origin=f"{study.name} {earlier[-1].study.as_of}")
    return study.model_copy(update={"clusters": ClusterOptions(**{**dict(study.of(CONTRACT)), "centres": known})})


def _alike(features: tuple[ScaledFeature, ...], study: Study) -> bool:
    """Whether an earlier run compared customers as the study does: on the same scales, or on those that it released."""
    options = study.of(CONTRACT)
    wanted = study.scaled(options.features)
    if options.ranges == "released":
        # Ends are the data's; the kind of scale, and what shares are of, are the study's.
        features = tuple(_without_ends(feature) for feature in features)
        wanted = tuple(_without_ends(feature) for feature in wanted)
    return features == wanted


def _without_ends(feature: ScaledFeature) -> ScaledFeature:
    scale = feature.scale
    ends = {"low": 0, "high": 1}
    return feature.model_copy(update={"scale": scale.model_copy(update=ends)})
