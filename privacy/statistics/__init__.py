"""Statistics: what may be asked of a holder, as bounded integer vectors, one per customer, summed.

Which of them an analysis may ask for stands in its contract (``privacy/analyses``); all of them together are
``privacy.analyses.catalogue.CATALOGUE``.
"""

from __future__ import annotations

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

__all__ = [
    "GAMMA",
    "MAX_RECORDS",
    "AnchorSums",
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
