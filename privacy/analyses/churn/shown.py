"""Churn as it is shown: rates and rankings inside what they can be, and no longer list with fewer of the churned."""

from __future__ import annotations

import math

from privacy.analyses.churn.results import ChurnResult
from privacy.figures.consistent import inside
from privacy.figures.possible_rankings import RANKING_BOUNDS, possible_ranking

_BOUNDS = RANKING_BOUNDS | {"customers": (0.0, math.inf)}


def shown(churn: ChurnResult) -> ChurnResult:
    """The same with figures that can be; verdicts and comparisons keep the released ones."""
    found = inside(churn, _BOUNDS)
    everyone = churn.quality.churn_rate
    return found.model_copy(
        update={
            "quality": possible_ranking(found.quality, everyone),
            "baselines": tuple(possible_ranking(item, everyone) for item in found.baselines),
            "by_holder": {
                holder: possible_ranking(item, churn.by_holder[holder].churn_rate)
                for holder, item in found.by_holder.items()
            },
        }
    )
