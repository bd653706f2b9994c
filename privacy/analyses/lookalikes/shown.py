"""Look-alikes as they are shown: rates and rankings inside what they can be."""

from __future__ import annotations

import math

from privacy.analyses.lookalikes.results import LookalikesResult
from privacy.figures.consistent import inside
from privacy.figures.possible_rankings import RANKING_BOUNDS, possible_ranking


def shown(found: LookalikesResult) -> LookalikesResult:
    """The same with figures that can be; verdicts and comparisons keep the released ones."""
    within = inside(found, RANKING_BOUNDS | {"customers": (0.0, math.inf)})
    if found.quality is None or within.quality is None:
        return within
    everyone = found.quality.churn_rate
    return within.model_copy(
        update={
            "quality": possible_ranking(within.quality, everyone),
            "baselines": tuple(possible_ranking(item, everyone) for item in within.baselines),
        }
    )
