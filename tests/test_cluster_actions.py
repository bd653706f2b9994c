"""What the page suggests for a cluster: by what sets it apart and stands out of the noise, in both languages."""

from __future__ import annotations

import re

import numpy as np
import pytest
from cluster_pages import cluster_result

from clients.analyses.clusters.suggestions import _RULES, suggestions
from clients.analyses.clusters.texts import text
from privacy.kernel.feature_request import FeatureLists
from privacy.kernel.features import FeatureName
from privacy.presentation.texts import LANGUAGES

NOTHING = FeatureLists()
LISTS = FeatureLists(categories=("<toys>",), channels=("online",))


def suggested(names: tuple[FeatureName, ...], *aparts: float, lists: FeatureLists = NOTHING) -> str:
    """For a cluster so many deviations off the mean, beside one on the mean."""
    middle = np.zeros((4, len(names)))
    middle[:, :] = np.array([0.0, 0.6, -0.6, 0.1])[:, None]
    first, *rest = cluster_result(names, middle).figures
    figures = first.model_copy(
        update={
            "apart": dict(zip(names, aparts, strict=True)),
            "typical": {
                name: first.typical[name].model_copy(update={"value": first.typical[name].value + 1e6 * apart})
                for name, apart in zip(names, aparts, strict=True)
            },
        }
    )
    return suggestions([figures, *rest], "en", lists=lists)[figures.id]


@pytest.mark.parametrize(
    ("names", "aparts", "key"),
    [
        (("recency_days", "money"), (1.0, 1.0), "suggest_lost_worth"),
        (("recency_days", "money"), (1.0, -1.0), "suggest_lost"),
        (("recency_days", "tenure_days"), (-1.0, -1.0), "suggest_new"),
        (("trend", "money"), (-1.0, 1.0), "suggest_fading"),
        (("return_share", "money"), (1.0, 1.0), "suggest_returns"),
        (("discount_share", "orders"), (1.0, 1.0), "suggest_discount"),
        (("orders", "money"), (1.0, 1.0), "suggest_best"),
        (("orders", "money"), (1.0, -1.0), "suggest_basket"),
        (("orders", "order_value"), (-1.0, 1.0), "suggest_often"),
        (("evening_share", "orders"), (1.0, -1.0), "suggest_times"),
        (("orders", "money"), (-1.0, 0.0), "suggest_seldom"),
        (("basket", "on_time"), (1.0, 0.0), "suggest_other"),
        (("orders", "money"), (0.0, 0.1), "suggest_middle"),
    ],
)
def test_what_sets_a_cluster_apart_decides(names: tuple[FeatureName, ...], aparts: tuple[float, ...], key: str) -> None:
    assert suggested(names, *aparts) == text(key, "en")


def test_every_rule_has_its_words_and_is_tested_above() -> None:
    (cases,) = (mark.args[1] for mark in test_what_sets_a_cluster_apart_decides.pytestmark)
    tested = {key for _, _, key in cases}
    assert {key for key, _ in _RULES} <= tested
    assert {key for key in text.own if key.startswith("suggest_")} == tested | {"suggest_category", "suggest_channel"}


def test_listed_values_that_a_cluster_likes_are_named() -> None:
    names: tuple[FeatureName, ...] = ("orders", "category_share_1", "channel_share_1")
    assert suggested(names, 1.0, 1.0, 1.0, lists=LISTS) == " ".join(
        (text("suggest_basket", "en"), text("suggest_category", "en", of="<toys>"),
         text("suggest_channel", "en", of="online"))
    )  # fmt: skip
    assert suggested(names, 0.0, -1.0, 1.0, lists=LISTS) == text("suggest_channel", "en", of="online")
    assert suggested(names, 0.0, -1.0, 0.0, lists=LISTS) == text("suggest_other", "en")


def test_suggestions_rest_on_no_noise_and_speak_both_languages() -> None:
    figures = cluster_result().figures
    for language in LANGUAGES:
        said = suggestions(figures, language, lists=NOTHING)
        assert set(said) == {cluster.id for cluster in figures}
        assert len(set(said.values())) > 1
        assert all(bool(re.search(r"[一-鿿]", words)) == (language == "zh") for words in said.values())
    unsure = suggestions(cluster_result(error=0.9).figures, "en", lists=NOTHING)
    assert set(unsure.values()) == {text("suggest_middle", "en")}
    small = [
        cluster.model_copy(update={"customers": cluster.customers.model_copy(update={"margin": 1e9})})
        for cluster in figures
    ]
    assert suggestions(small, "en", lists=NOTHING) == {}
