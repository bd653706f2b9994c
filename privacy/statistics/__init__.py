"""Statistics: what may be asked of a holder, as bounded integer vectors, one per customer, summed.

Here are their base and those that several analyses ask; one that only one asks stands in that analysis' room
(``privacy/analyses/<name>``). All of them together are ``privacy.analyses.catalogue.CATALOGUE``.
"""

from __future__ import annotations

from privacy.statistics.base import GAMMA, MAX_RECORDS, ContributionBound, Rows, Statistic
from privacy.statistics.feature_moments import FeatureMoments
from privacy.statistics.feature_sums import FeatureSums

__all__ = [
    "GAMMA",
    "MAX_RECORDS",
    "ContributionBound",
    "FeatureMoments",
    "FeatureSums",
    "Rows",
    "Statistic",
]
