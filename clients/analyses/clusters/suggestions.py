"""What to do with a cluster where the operator has not said so: by what sets it apart, from released figures only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from clients.analyses.clusters.texts import text
from privacy.analyses.clusters.results import ClusterFigures
from privacy.analyses.clusters.words import WORDS, big_enough, setting_apart
from privacy.kernel.feature_request import FeatureLists
from privacy.presentation.texts import Language

#: What a cluster is told apart by: kind of feature to whether its values are high.
_Traits = Mapping[str, bool]


def _worth(traits: _Traits) -> bool:
    return any(traits.get(kind) is True for kind in ("money", "orders", "order"))


#: The first that fits decides: who is leaving comes before who is new, and that before what they like.
_RULES: tuple[tuple[str, Callable[[_Traits], bool]], ...] = (
    ("suggest_lost_worth", lambda traits: traits.get("recency") is True and _worth(traits)),
    ("suggest_lost", lambda traits: traits.get("recency") is True),
    ("suggest_new", lambda traits: traits.get("tenure") is False),
    ("suggest_fading", lambda traits: traits.get("trend") is False),
    ("suggest_returns", lambda traits: traits.get("returns") is True),
    ("suggest_discount", lambda traits: traits.get("discount") is True),
    ("suggest_best", lambda traits: traits.get("orders") is True and traits.get("money") is True),
    ("suggest_basket", lambda traits: traits.get("orders") is True),
    ("suggest_often", lambda traits: _worth(traits)),
    ("suggest_times", lambda traits: traits.get("weekend") is True or traits.get("evening") is True),
    ("suggest_seldom", lambda traits: traits.get("orders") is False or traits.get("money") is False),
)


def suggestions(clusters: Sequence[ClusterFigures], language: Language, *, lists: FeatureLists) -> dict[int, str]:
    """Id to a suggestion; clusters that do not stand out of the noise have none.

    Args:
        clusters: all clusters of a run.
        language: of the words.
        lists: what shares of categories and channels are of (the study's).
    """
    found = {}
    for cluster, names in zip(clusters, setting_apart(clusters), strict=True):
        if not big_enough(cluster):
            continue
        high = {name: cluster.apart[name] > 0 for name in names}
        traits = {WORDS[name].kind: above for name, above in high.items()}
        key = next((key for key, fits in _RULES if fits(traits)), None)
        parts = [text(key, language)] if key else []
        for name in names:
            if high[name] and (value := lists.value_of(name)):
                listed = "suggest_category" if name.startswith("category") else "suggest_channel"
                parts.append(text(listed, language, of=value))
        found[cluster.id] = text("sentence_gap", language).join(parts) or text(
            "suggest_other" if names else "suggest_middle", language
        )
    return found
