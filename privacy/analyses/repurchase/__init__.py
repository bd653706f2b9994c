"""Repurchase: how many customers buy a second time, how soon, and how that changes from cohort to cohort."""

from __future__ import annotations

from privacy.analyses.contract import AnalysisContract
from privacy.analyses.repurchase.cohort_counts import CohortCounts
from privacy.analyses.repurchase.features import FEATURES
from privacy.analyses.repurchase.options import RepurchaseOptions

CONTRACT = AnalysisContract(
    name="repurchase",
    since="0.2.0",
    options=RepurchaseOptions,
    statistics=(CohortCounts,),
    reads=lambda options, terms: options.request(terms.as_of),
    features=FEATURES,
)
