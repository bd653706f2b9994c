"""Look-alikes: who becomes a customer of a kind that the study defines in public, among those who are not yet one."""

from __future__ import annotations

from privacy.analyses.contract import AnalysisContract
from privacy.analyses.lookalikes.options import LookalikesOptions
from privacy.statistics import FeatureSums
from privacy.statistics.prior_gradient import PriorGradient
from privacy.statistics.prior_moments import PriorMoments
from privacy.statistics.score_histogram import ScoreHistogram

CONTRACT = AnalysisContract(
    name="lookalikes",
    since="0.2.0",
    options=LookalikesOptions,
    statistics=(FeatureSums, PriorMoments, PriorGradient, ScoreHistogram),
    reads=lambda options, terms: options.request(terms),
)
