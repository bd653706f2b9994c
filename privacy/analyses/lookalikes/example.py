"""A small question of this analysis, and the customer that moves it most (``privacy.statistics.examples``)."""

from __future__ import annotations

from typing import Any

from privacy.models.linear_prior import LinearPrior
from privacy.models.trained import WEIGHT
from privacy.statistics.examples import CROWD, FAR, NAMES, SCALED, VIEW, Example, beyond, longer
from privacy.statistics.prior_moments import PriorMoments

#: What a small study with this analysis says in its table.
OPTIONS: dict[str, Any] = {"features": NAMES}

_FORMULA = LinearPrior(features=SCALED, weights=(WEIGHT, -WEIGHT, 0))

EXAMPLES = (
    Example(
        statistic=PriorMoments(view=VIEW, prior=_FORMULA, days=(0,), outcome_weight=1000, norm=900),
        crowd=CROWD,
        witness=beyond(-FAR, -FAR),
        unclipped=longer,
    ),
)
