"""Small questions of this analysis, and the customers that move them most (``privacy.statistics.examples``)."""

from __future__ import annotations

from typing import Any

from privacy.analyses.churn.by_holder import ByHolder
from privacy.analyses.churn.logistic_gradient import LogisticGradient
from privacy.analyses.churn.models import LOGIT, WEIGHT, FeatureRank, LogisticModel
from privacy.analyses.churn.network_gradient import Network, NetworkGradient
from privacy.analyses.churn.score_histogram import ScoredModel, ScoreHistogram
from privacy.statistics.examples import CROWD, FAR, HOLDERS, NAMES, SCALED, VIEW, Example, beyond, longer

_MODEL = LogisticModel(features=SCALED, weights=(WEIGHT, -WEIGHT, WEIGHT // 4))

#: What a small study with this analysis says in its table.
OPTIONS: dict[str, Any] = {"features": NAMES, "figures": "by_holder"}

EXAMPLES = (
    Example(
        statistic=LogisticGradient(view=VIEW, weights=(0, WEIGHT, -WEIGHT), days=(0,), norm=400),
        crowd=CROWD,
        witness=beyond(-FAR, -FAR),
        unclipped=longer,
    ),
    Example(
        statistic=NetworkGradient(
            view=VIEW,
            network=Network(direct=(0, WEIGHT, -WEIGHT), hidden=((WEIGHT, 0, WEIGHT),), bias=(0,), output=(WEIGHT,)),
            days=(0,),
            norm=400,
        ),
        crowd=CROWD,
        witness=beyond(FAR, FAR),
        unclipped=longer,
    ),
    Example(
        statistic=ScoreHistogram(
            day=0,
            models=(
                ScoredModel(model=_MODEL, upper=(-LOGIT, 0, LOGIT), permille=800),
                ScoredModel(model=FeatureRank(features=SCALED[:1]), upper=(-LOGIT // 2, LOGIT // 2), permille=200),
            ),
        ),
        crowd=CROWD,
        witness=beyond(-FAR, -FAR),
    ),
    Example(
        statistic=ByHolder(
            inner=ScoreHistogram(day=0, models=(ScoredModel(model=_MODEL, upper=(0,), permille=1000),)), holders=HOLDERS
        ),
        crowd=CROWD,
        witness=beyond(-FAR, -FAR),
    ),
)
