"""Churn: a model that every holder applies to its own customers, and how good it is out of time."""

from __future__ import annotations

from privacy.analyses.churn.by_holder import ByHolder
from privacy.analyses.churn.local_training import LocalTraining
from privacy.analyses.churn.network_gradient import NetworkGradient
from privacy.analyses.churn.options import ChurnOptions, local_suits
from privacy.analyses.contract import AnalysisContract
from privacy.statistics import FeatureMoments, FeatureSums
from privacy.statistics.leaf_sums import LeafSums
from privacy.statistics.logistic_gradient import LogisticGradient
from privacy.statistics.prior_gradient import PriorGradient
from privacy.statistics.prior_moments import PriorMoments
from privacy.statistics.score_histogram import ScoreHistogram

CONTRACT = AnalysisContract(
    name="churn",
    since="0.1.0",
    options=ChurnOptions,
    statistics=(
        ByHolder, FeatureSums, FeatureMoments, LogisticGradient, NetworkGradient, ScoreHistogram,
        PriorMoments, PriorGradient, LeafSums, LocalTraining,
    ),
    reads=lambda options, terms: options.request(terms.as_of),
    trains=lambda options: options.slot if options.training == "local" else None,
    suits=local_suits,
    consents=lambda options: frozenset({options.figures}),
)  # fmt: skip
