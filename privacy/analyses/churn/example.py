"""Small questions of this analysis, and the customers that move them most (``privacy.statistics.examples``)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from privacy.accounting.sampled import Slot
from privacy.analyses.churn.by_holder import ByHolder
from privacy.analyses.churn.local_training import LocalTraining
from privacy.analyses.churn.network_gradient import Network, NetworkGradient
from privacy.models.mbg import public_prior
from privacy.models.trained import LOGIT, WEIGHT, FeatureRank, LogisticModel
from privacy.models.trees import Tree, TreesModel
from privacy.statistics.base import Statistic
from privacy.statistics.examples import (
    CROWD,
    FAR,
    HOLDERS,
    NAMES,
    SCALED,
    VIEW,
    Back,
    Example,
    beyond,
    features_of,
    longer,
    times,
)
from privacy.statistics.leaf_sums import LeafSums
from privacy.statistics.logistic_gradient import LogisticGradient
from privacy.statistics.prior_gradient import PriorGradient
from privacy.statistics.prior_moments import PriorMoments
from privacy.statistics.score_histogram import ScoredModel, ScoreHistogram

_MODEL = LogisticModel(features=SCALED, weights=(WEIGHT, -WEIGHT, WEIGHT // 4))
_FORMULA = public_prior(90)
_NAMES = (*NAMES, "purchase_days", "tenure_days")
_CROWD = features_of(_NAMES, [(0, (12, 2, 3, 80)), (1, (200, 0, 1, 200)), (0, (45, 1, 2, 90))])
#: Of whom the formula is sure that it is lost, and who buys again.
_SUREST = features_of(_NAMES, [(0, (FAR, FAR, 201, 7_300))])

#: Who buys nothing is sure to leave.
_TREES = TreesModel(features=SCALED, weights=(64 * WEIGHT, -64 * WEIGHT, 0))


def _longer_pairs(statistic: LeafSums, factor: int) -> tuple[Statistic[Any], Back]:
    return statistic.model_copy(update={"clip": statistic.clip * factor}), times(factor)


#: What a small study with this analysis says in its table.
OPTIONS: dict[str, Any] = {"features": NAMES, "figures": "by_holder"}

#: The first one's customers have all facts that any of these questions looks at.
EXAMPLES = (
    Example(
        statistic=PriorMoments(view=VIEW, prior=_FORMULA, days=(0,), outcome_weight=1000, norm=900),
        crowd=_CROWD,
        witness=_SUREST,
        unclipped=longer,
    ),
    Example(
        statistic=PriorGradient(view=VIEW, prior=_FORMULA, weights=(0, WEIGHT, -WEIGHT), days=(0,), norm=400),
        crowd=_CROWD,
        witness=_SUREST,
        unclipped=longer,
    ),
    Example(
        statistic=LocalTraining(
            gradient=PriorGradient(view=VIEW, prior=_FORMULA, weights=(0,) * 3, days=(0,), norm=400),
            slot=Slot(rate=Decimal("0.1"), noise_multiplier=Decimal("3.93"), steps=60),
            step=4000,
            size_classes=dict.fromkeys(HOLDERS, 1000),
        ),
        crowd=_CROWD,
        witness=_SUREST,
    ),
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
        statistic=LeafSums(
            model=_TREES,
            trees=(Tree(inputs=(0, 1), thresholds=(0, 0)), Tree(inputs=(2, 0), thresholds=(0, 1))),
            days=(0,),
            clip=100,
        ),
        crowd=CROWD,
        witness=beyond(FAR, -FAR),
        unclipped=_longer_pairs,
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
