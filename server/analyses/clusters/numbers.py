"""The report's words on how many clusters there are, on which others could be, and on what each feature counts."""

from __future__ import annotations

from typing import Any

from privacy.analyses.clusters import CONTRACT
from privacy.analyses.clusters.options import KnownClusters
from privacy.analyses.clusters.results import ClusterProposal, ClusterResult
from privacy.analyses.clusters.words import group_words
from privacy.figures.estimates import Estimate
from privacy.kernel.features import FEATURES, ScaledFeature
from privacy.kernel.terms import minor_digits
from privacy.presentation.features import feature_heading, feature_value
from privacy.presentation.pages import inline
from privacy.presentation.texts import Language, join
from privacy.protocol.study import Study
from server.analyses.clusters import pictures
from server.analyses.clusters.groups import APART
from server.analyses.clusters.scales import BEYOND
from server.analyses.clusters.support_points import AS_GOOD
from server.analyses.clusters.texts import text

#: Below this mean silhouette, groups are not separate (Kaufman and Rousseeuw 1990: 0.26 to 0.50 is "weak, could be
#: artificial").
_SEPARATE = 0.5


def chosen(clusters: ClusterResult, study: Study) -> str:
    """Where the number of clusters comes from: ``found``, ``grouped``, ``divided``, ``fixed`` or ``kept``."""
    if clusters.proposals:
        return "grouped" if clusters.groups else "divided"
    if clusters.silhouettes:
        return "found"
    return "kept" if not study.of(CONTRACT).k and isinstance(study.of(CONTRACT).centres, KnownClusters) else "fixed"


def scales(clusters: ClusterResult, study: Study, language: Language) -> dict[str, Any] | None:
    """Each feature's scale, and how much customers vary along it; None for results that do not say so."""
    if not clusters.spread:
        return None
    notes = [text("scales_note", language)]
    if any(feature.scale != public.scale for feature, public in _beside(clusters, study)):
        notes.append(text("scales_note_released", language, beyond=f"{100 * BEYOND:g}"))
    elif max(clusters.spread.values()) > 2 * min(clusters.spread.values()):
        notes.append(text("scales_note_uneven", language))
    return {
        "columns": [text(key, language) for key in ("scales_from", "scales_to", "scales_deviation")],
        "rows": [
            (
                feature_heading(feature.name, language, currency=study.currency, of=feature.of),
                [*_ends(feature, study.currency), f"{clusters.spread[feature.name]:.2f}"],
            )
            for feature in clusters.clusters.features
        ],
        "notes": notes,
    }


def _beside(clusters: ClusterResult, study: Study) -> list[tuple[ScaledFeature, ScaledFeature]]:
    """The features on their scales and on their public ones."""
    features = clusters.clusters.features
    return list(zip(features, study.scaled(feature.name for feature in features), strict=True))


def _ends(feature: ScaledFeature, currency: str) -> list[str]:
    """Raw values at both ends of a scale, in people's units."""
    unit = 10 ** minor_digits(currency) if FEATURES[feature.name].money else 1
    scale = feature.scale
    ends = (scale.upper[0], scale.upper[-1]) if scale.upper else (scale.low, scale.high)
    return [feature_value(feature.name, Estimate(value=end / unit, margin=0), currency=currency).value for end in ends]


def proposed(clusters: ClusterResult, study: Study, language: Language) -> dict[str, Any] | None:
    """Numbers of clusters to choose from, with their parts; None where the number was not to be found."""
    if not clusters.proposals:
        return None
    notes = [text("proposals_note", language, apart=f"{100 * APART:g}")]
    if not clusters.groups:
        notes.insert(0, text("proposals_none", language))
    return {
        "columns": [text(key, language) for key in ("proposals_between", "proposals_parts")],
        "rows": [
            (str(each.k), f"{100 * each.between:.0f}%", _parts(each, study, language)) for each in clusters.proposals
        ],
        "notes": notes,
    }


def _parts(proposal: ClusterProposal, study: Study, language: Language) -> list[str]:
    """One line a part: its size, and what sets it apart."""
    return [
        text(
            "proposals_part",
            language,
            share=f"{100 * group.share:.0f}",
            words=group_words(group.apart, language, options=study.of(CONTRACT)),
        )
        for group in proposal.groups
    ]


def silhouette(clusters: ClusterResult, language: Language) -> dict[str, Any] | None:
    """Silhouettes by number of clusters; None where the number was not found by them."""
    if not clusters.silhouettes:
        return None
    k = len(clusters.figures)
    best = max(clusters.silhouettes.values())  # fewer clusters that are as good are taken: see ``run``
    notes = [text("silhouette_note", language)]
    if best < _SEPARATE:
        notes.append(text("silhouette_weak", language, least=_SEPARATE))
    near = [str(number) for number, value in clusters.silhouettes.items() if number != k and best - value <= AS_GOOD]
    if near:
        notes.append(text("silhouette_flat", language, others=join(near, language), near=AS_GOOD))
    return {"picture": inline(pictures.silhouettes(clusters.silhouettes, k, language)), "notes": notes}
