"""The catalogue of statistics: everything that may leave a holder is one of these.

To add one: a module here and a line in ``CATALOGUE`` and ``AnyStatistic``; the contract tests find it by
themselves.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from privacy.statistics.base import GAMMA, MAX_RECORDS, ContributionBound, Rows, Statistic
from privacy.statistics.prefix_sums import PrefixSums
from privacy.statistics.segment_totals import SegmentTotals

AnyStatistic = Annotated[PrefixSums | SegmentTotals, Field(discriminator="kind")]

#: Kind to class.
CATALOGUE: dict[str, type[Statistic]] = {
    "prefix_sums": PrefixSums,
    "segment_totals": SegmentTotals,
}

#: Which statistics an analysis may ask for; a holder refuses any other.
STATISTICS_OF: dict[str, tuple[str, ...]] = {
    "rfm": ("prefix_sums", "segment_totals"),
}

__all__ = [
    "CATALOGUE",
    "GAMMA",
    "MAX_RECORDS",
    "STATISTICS_OF",
    "AnyStatistic",
    "ContributionBound",
    "PrefixSums",
    "Rows",
    "SegmentTotals",
    "Statistic",
]
