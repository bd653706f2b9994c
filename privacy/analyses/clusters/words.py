"""What sets a cluster apart, in a few words that operators use; a default that they may replace by a name of their own.

The words come from released figures only (:class:`privacy.analyses.clusters.results.ClusterFigures`), so that the
coordinator and every holder say the same of the same cluster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np

from privacy.analyses.clusters.options import ClusterOptions
from privacy.analyses.clusters.results import ClusterFigures
from privacy.kernel.features import FEATURES, FeatureLists, FeatureName
from privacy.presentation.features import feature_name, feature_value
from privacy.presentation.texts import COMMON, Language, Text, say

#: From so many standard deviations off the mean of all customers a feature is named, named without "rather", and named
#: with "very".
_RATHER, _PLAIN, _VERY = 0.4, 0.7, 1.75
_MOST = 3
#: A feature is named where the difference is so many times its margin: with many features and clusters, a few of the
#: differences exceed the margin itself by chance.
_SURE = 1.5
_OWN: dict[str, Text] = {
    "average": Text("close to the average", "接近平均水平"),
    "too_small": Text("too small to describe", "规模过小，无法描述"),
    "told_apart": Text("{words} ({feature}: {value})", "{words}（{feature}：{value}）"),
}
_VERY_SO, _SO, _RATHER_SO = Text("very ", "极"), Text("", ""), Text("rather ", "较")


class _Words(NamedTuple):
    """What a low and a high value are called; features of one ``kind`` say much the same, and one of them is named."""

    kind: str
    low: Text
    high: Text


def _orders(days: int) -> _Words:
    return _Words(
        "orders",
        Text(f"{{degree}}few orders in {days} days", f"近{days}天{{degree}}低频"),
        Text(f"{{degree}}frequent in {days} days", f"近{days}天{{degree}}高频"),
    )


def _money(days: int) -> _Words:
    return _Words(
        "money",
        Text(f"{{degree}}low spend in {days} days", f"近{days}天{{degree}}低消费"),
        Text(f"{{degree}}high spend in {days} days", f"近{days}天{{degree}}高消费"),
    )


def _words(kind: str, low: str, low_zh: str, high: str, high_zh: str) -> _Words:
    return _Words(kind, Text(f"{{degree}}{low}", low_zh), Text(f"{{degree}}{high}", high_zh))


WORDS: dict[FeatureName, _Words] = {
    "recency_days": _words("recency", "recent", "近期{degree}活跃", "long inactive", "{degree}久未购买"),
    "tenure_days": _words("tenure", "new", "首购{degree}晚", "long-standing", "首购{degree}早"),
    "orders": _words("orders", "few orders", "{degree}低频", "frequent", "{degree}高频"),
    "money": _words("money", "low spend", "{degree}低消费", "high spend", "{degree}高消费"),
    "order_value": _words("order", "small orders", "客单价{degree}低", "large orders", "客单价{degree}高"),
    "basket": _words("basket", "short orders", "每单商品{degree}少", "long orders", "每单商品{degree}多"),
    "orders_30": _orders(30),
    "orders_90": _orders(90),
    "orders_180": _orders(180),
    "orders_365": _orders(365),
    "money_30": _money(30),
    "money_90": _money(90),
    "money_180": _money(180),
    "money_365": _money(365),
    "interval_days": _words(
        "interval", "short intervals", "复购间隔{degree}短", "long intervals", "复购间隔{degree}长"
    ),
    "interval_spread": _words(
        "rhythm", "steady intervals", "复购间隔波动{degree}小", "unsteady intervals", "复购间隔波动{degree}大"
    ),
    "interval_variation": _words(
        "rhythm", "regular rhythm", "复购节奏{degree}规律", "irregular rhythm", "复购节奏{degree}不规律"
    ),
    "recency_ratio": _words(
        "recency", "active for their rhythm", "相对自身节奏{degree}活跃",
        "silent for their rhythm", "相对自身节奏{degree}沉寂",
    ),
    "overdue": _words(
        "recency", "little overdue", "超出自身间隔{degree}少", "long overdue", "超出自身间隔{degree}多"
    ),
    "on_time": _words(
        "on_time", "early in their interval", "处于自身间隔{degree}前段",
        "late in their interval", "处于自身间隔{degree}后段",
    ),
    "idle_share": _words("recency", "little idle time", "沉默占比{degree}低", "much idle time", "沉默占比{degree}高"),
    "tenure_180": _words("tenure", "newly won", "首购{degree}晚", "well established", "首购{degree}早"),
    "trend": _words("trend", "weak order trend", "订单趋势{degree}弱", "strong order trend", "订单趋势{degree}强"),
    "momentum": _words("trend", "weak momentum", "订单环比{degree}低", "strong momentum", "订单环比{degree}高"),
    "discount_share": _words(
        "discount", "few discounts", "折扣购买{degree}少", "many discounts", "折扣购买{degree}多"
    ),
    "return_share": _words("returns", "few returns", "退货{degree}少", "many returns", "退货{degree}多"),
    "weekend_share": _words(
        "weekend", "few weekend orders", "周末下单{degree}少", "many weekend orders", "周末下单{degree}多"
    ),
    "evening_share": _words(
        "evening", "few evening orders", "晚间下单{degree}少", "many evening orders", "晚间下单{degree}多"
    ),
    **{
        name: _words(name, "low share of {of}", "{degree}少购{of}", "high share of {of}", "{degree}多购{of}")
        for name, feature in FEATURES.items()
        if feature.listed and feature.listed[0] == "categories"
    },
    **{
        name: _words(name, "few {of} orders", "{degree}少用{of}渠道", "many {of} orders", "{degree}多用{of}渠道")
        for name, feature in FEATURES.items()
        if feature.listed and feature.listed[0] == "channels"
    },
}  # fmt: skip


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
                    _OWN,
                    "told_apart",
                    language,
                    words=said[cluster.id],
                    feature=feature_name(name, language, of=lists.value_of(name)),
                    value=value,
                )
    for number, own in options.names.items():
        if number in said:
            said[number] = (own.zh or own.en) if language == "zh" else (own.en or own.zh)
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
    return [_named(cluster, clear[cluster.id]) for cluster in clusters]


def _named(cluster: ClusterFigures, clear: frozenset[FeatureName]) -> list[FeatureName]:
    strongest: dict[str, FeatureName] = {}
    for name in sorted(_names(cluster), key=lambda name: -abs(cluster.apart[name])):
        if name in clear and abs(cluster.apart[name]) >= _RATHER and len(strongest) < _MOST:
            strongest.setdefault(WORDS[name].kind, name)
    return [name for name in _names(cluster) if name in strongest.values()]


def _description(cluster: ClusterFigures, names: Sequence[FeatureName], language: Language, lists: FeatureLists) -> str:
    if not big_enough(cluster):
        return say(_OWN, "too_small", language)
    chosen = [_word(name, cluster.apart[name], language, lists.value_of(name)) for name in names]
    return say(COMMON, "separator", language).join(chosen) or say(_OWN, "average", language)


def big_enough(cluster: ClusterFigures) -> bool:
    """Whether there is a cluster beyond the noise; the typical values of one that is not say nothing."""
    return cluster.customers.value > cluster.customers.margin


def _word(name: FeatureName, apart: float, language: Language, of: str) -> str:
    far = abs(apart)
    degree = _VERY_SO if far >= _VERY else _SO if far >= _PLAIN else _RATHER_SO
    words = WORDS[name].low if apart < 0 else WORDS[name].high
    return str(getattr(words, language)).format(degree=getattr(degree, language), of=of)


def _telling(group: Sequence[ClusterFigures]) -> FeatureName:
    """The feature in which clusters differ most, in standard deviations."""

    def reach(name: FeatureName) -> float:
        aparts = [cluster.apart[name] for cluster in group]
        return max(aparts) - min(aparts)

    return max(_names(group[0]), key=reach)


def _names(cluster: ClusterFigures) -> list[FeatureName]:
    return [cast(FeatureName, name) for name in cluster.apart]
