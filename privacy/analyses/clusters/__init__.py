"""Clusters: centres that every holder applies to its own customers, and who is around them."""

from __future__ import annotations

from privacy.analyses.clusters.anchor_sums import AnchorSums
from privacy.analyses.clusters.feature_prefixes import FeaturePrefixes
from privacy.analyses.clusters.grid_counts import GridCounts
from privacy.analyses.clusters.options import ClusterOptions
from privacy.analyses.contract import AnalysisContract
from privacy.statistics import FeatureMoments

CONTRACT = AnalysisContract(
    name="clusters",
    since="0.1.0",
    options=ClusterOptions,
    statistics=(FeaturePrefixes, GridCounts, AnchorSums, FeatureMoments),
    reads=lambda options, terms: options.request(terms.as_of),
)
