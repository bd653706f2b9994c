"""The catalogue of statistics: everything that may leave a holder is one of these.

To add one: a module here and a line in ``CATALOGUE`` and ``AnyStatistic``; the contract tests find it by
themselves.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from privacy.statistics.anchor_sums import AnchorSums
from privacy.statistics.base import GAMMA, MAX_RECORDS, ContributionBound, Rows, Statistic
from privacy.statistics.by_holder import ByHolder
from privacy.statistics.feature_moments import FeatureMoments
from privacy.statistics.feature_sums import FeatureSums
from privacy.statistics.grid_counts import GridCounts
from privacy.statistics.logistic_gradient import LogisticGradient
from privacy.statistics.network_gradient import NetworkGradient
from privacy.statistics.prefix_sums import PrefixSums
from privacy.statistics.score_histogram import ScoreHistogram
from privacy.statistics.segment_totals import SegmentTotals

AnyStatistic = Annotated[
    PrefixSums
    | AnchorSums
    | ByHolder
    | FeatureMoments
    | FeatureSums
    | GridCounts
    | LogisticGradient
    | NetworkGradient
    | ScoreHistogram
    | SegmentTotals,
    Field(discriminator="kind"),
]

#: Kind to class.
CATALOGUE: dict[str, type[Statistic]] = {
    "anchor_sums": AnchorSums,
    "by_holder": ByHolder,
    "feature_moments": FeatureMoments,
    "feature_sums": FeatureSums,
    "grid_counts": GridCounts,
    "logistic_gradient": LogisticGradient,
    "network_gradient": NetworkGradient,
    "prefix_sums": PrefixSums,
    "score_histogram": ScoreHistogram,
    "segment_totals": SegmentTotals,
}

#: Which statistics an analysis may ask for; a holder refuses any other.
STATISTICS_OF: dict[str, tuple[str, ...]] = {
    "rfm": ("prefix_sums", "segment_totals"),
    "churn": (
        "by_holder",
        "feature_sums",
        "feature_moments",
        "logistic_gradient",
        "network_gradient",
        "score_histogram",
    ),
    "clusters": ("grid_counts", "anchor_sums", "feature_moments"),
}  # fmt: skip

__all__ = [
    "CATALOGUE",
    "GAMMA",
    "MAX_RECORDS",
    "STATISTICS_OF",
    "AnchorSums",
    "AnyStatistic",
    "ByHolder",
    "ContributionBound",
    "FeatureMoments",
    "FeatureSums",
    "GridCounts",
    "LogisticGradient",
    "NetworkGradient",
    "PrefixSums",
    "Rows",
    "ScoreHistogram",
    "SegmentTotals",
    "Statistic",
]
