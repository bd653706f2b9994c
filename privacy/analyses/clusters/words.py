"""What sets a cluster apart, in a few words that operators use; a default that they may replace by a name of their own.

The words come from released figures only (:class:`privacy.analyses.clusters.results.ClusterFigures`), so that the
coordinator and every holder say the same of the same cluster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np

from privacy.analyses.clusters.options import ClusterOptions
from privacy.analyses.clusters.results import ClusterFigures
from privacy.kernel.feature_request import FeatureLists
from privacy.kernel.features import FEATURES, Feature, FeatureName
from privacy.presentation.features import feature_name, feature_value
from privacy.presentation.texts import COMMON, Language, Text, of_its_own, read_texts, say

#: From so many standard deviations off the mean of all customers a feature is named, named without "rather", and named
#: with "very".
_RATHER, _PLAIN, _VERY = 0.4, 0.7, 1.75
_MOST = 3
#: A feature is named where the difference is so many times its margin: with many features and clusters, a few of the
#: differences exceed the margin itself by chance.
_SURE = 1.5
#: What features say, their two ends and degrees.
TRAITS = read_texts("privacy.analyses.clusters", "traits.toml")
#: What features tell where it is not the feature's own: of those that tell much the same, one is named.
_KINDS: dict[str, str] = {
    "recency_days": "recency",
    "tenure_days": "tenure",
    "tenure_180": "tenure",
    "order_value": "order",
    **{f"{what}_{days}": what for what in ("orders", "money") for days in (30, 90, 180, 365)},
    "interval_days": "interval",
    "interval_spread": "rhythm",
    "interval_variation": "rhythm",
    "recency_ratio": "recency",
    "overdue": "recency",
    "idle_share": "recency",
    "momentum": "trend",
    "loyalty": "trend",
    "purchase_days": "orders",
    "discount_share": "discount",
    "return_share": "returns",
    "weekend_share": "weekend",
    "evening_share": "evening",
}


class _Words(NamedTuple):
    """What a low and a high value are called; features of one ``kind`` say much the same, and one of them is named."""

    kind: str
    low: Text
    high: Text


def _words(feature: Feature) -> _Words:
    key = feature.listed[0] if feature.listed else feature.name
    return _Words(_KINDS.get(feature.name, feature.name), TRAITS[f"{key}_low"], TRAITS[f"{key}_high"])


WORDS: dict[str, _Words] = {name: _words(feature) for name, feature in FEATURES.items()}


def cluster_words(
    clusters: Sequence[ClusterFigures],
    language: Language,
    *,
    options: ClusterOptions,
    currency: str,
) -> dict[int, str]:
    """Id to the operators' own name, else to a short description.

    Descriptions that would be the same are told apart by a typical value.

    Args:
        clusters: all clusters of a run.
        language: of the words.
        options: say what shares are of, and the operators' own names.
        currency: of typical values.
    """
    lists = options.lists
    said = {
        cluster.id: _description(cluster, names, language, lists)
        for cluster, names in zip(clusters, setting_apart(clusters), strict=True)
    }
    alike: dict[str, list[ClusterFigures]] = defaultdict(list)
    for cluster in clusters:
        if big_enough(cluster):
            alike[said[cluster.id]].append(cluster)
    for group in alike.values():
        if len(group) > 1:
            name = _telling(group)
            for cluster in group:
                value = feature_value(name, cluster.typical[name], currency=currency).value
                said[cluster.id] = say(
                    TRAITS,
                    "told_apart",
                    language,
                    words=said[cluster.id],
                    feature=feature_name(name, language, of=lists.value_of(name)),
                    value=value,
                )
    for number, own in options.names.items():
        if number in said:
            said[number] = of_its_own(own, language)
    return said


def beyond_noise(clusters: Sequence[ClusterFigures], *, margins: float = 1.0) -> dict[int, frozenset[FeatureName]]:
    """Id to the features in which the cluster differs from all customers by more than the noise explains.

    The value of all customers is read off between the clusters' own values, at no standard deviations.

    Args:
        clusters: all clusters of a run.
        margins: how many times its margin a difference must exceed.
    """
    everyone: dict[FeatureName, float] = {}
    for name in _names(clusters[0]):
        ordered = sorted((cluster.apart[name], cluster.typical[name].value) for cluster in clusters)
        everyone[name] = float(np.interp(0.0, [apart for apart, _ in ordered], [value for _, value in ordered]))
    return {
        cluster.id: frozenset(
            name
            for name, value in everyone.items()
            if abs(cluster.typical[name].value - value) > margins * cluster.typical[name].margin
        )
        for cluster in clusters
    }


def setting_apart(clusters: Sequence[ClusterFigures]) -> list[list[FeatureName]]:
    """For each cluster the features that its description names, in the study's order: clearly off the mean."""
    clear = beyond_noise(clusters, margins=_SURE)
    return [_named(cluster.apart, clear[cluster.id]) for cluster in clusters]


def group_words(apart: Mapping[str, float], language: Language, *, options: ClusterOptions) -> str:
    """What sets a part of a proposal apart, which has no margins: only what is plainly off the mean is named.

    Args:
        apart: per feature how far its customers are from all customers' mean, in standard deviations.
        language: of the words.
        options: say what shares are of.
    """
    plain = frozenset(cast(FeatureName, name) for name, far in apart.items() if abs(far) >= _PLAIN)
    return _said(apart, _named(apart, plain), language, options.lists)


def _named(apart: Mapping[str, float], clear: frozenset[FeatureName]) -> list[FeatureName]:
    names = [cast(FeatureName, name) for name in apart]
    strongest: dict[str, FeatureName] = {}
    for name in sorted(names, key=lambda name: -abs(apart[name])):
        if name in clear and abs(apart[name]) >= _RATHER and len(strongest) < _MOST:
            strongest.setdefault(WORDS[name].kind, name)
    return [name for name in names if name in strongest.values()]


def _description(cluster: ClusterFigures, names: Sequence[FeatureName], language: Language, lists: FeatureLists) -> str:
    if not big_enough(cluster):
        return say(TRAITS, "too_small", language)
    return _said(cluster.apart, names, language, lists)


def _said(apart: Mapping[str, float], names: Sequence[FeatureName], language: Language, lists: FeatureLists) -> str:
    chosen = [_word(name, apart[name], language, lists.value_of(name)) for name in names]
    return say(COMMON, "separator", language).join(chosen) or say(TRAITS, "average", language)


def big_enough(cluster: ClusterFigures) -> bool:
    """Whether there is a cluster beyond the noise; the typical values of one that is not say nothing."""
    return cluster.customers.value > cluster.customers.margin


def _word(name: FeatureName, apart: float, language: Language, of: str) -> str:
    far = abs(apart)
    degree = "very" if far >= _VERY else "so" if far >= _PLAIN else "rather"
    words = WORDS[name].low if apart < 0 else WORDS[name].high
    return words[language].format(degree=TRAITS[f"degree_{degree}"][language], of=of)


def _telling(group: Sequence[ClusterFigures]) -> FeatureName:
    """The feature in which clusters differ most, in standard deviations."""

    def reach(name: FeatureName) -> float:
        aparts = [cluster.apart[name] for cluster in group]
        return max(aparts) - min(aparts)

    return max(_names(group[0]), key=reach)


def _names(cluster: ClusterFigures) -> list[FeatureName]:
    return [cast(FeatureName, name) for name in cluster.apart]
