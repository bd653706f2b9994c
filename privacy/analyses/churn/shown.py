"""Churn as it is shown: rates and rankings inside what they can be, and no longer list with fewer of the churned."""

from __future__ import annotations

import math

from privacy.analyses.churn.results import ChurnResult, RankingFigures
from privacy.figures.consistent import ascending, inside

_SHARE = (0.0, 1.0)
_BOUNDS = {
    **dict.fromkeys(("auc", "average_precision", "churn_rate", "top_share", "rate", "share"), _SHARE),
    **dict.fromkeys(("customers", "top_lift"), (0.0, math.inf)),
}


def shown(churn: ChurnResult) -> ChurnResult:
    """The same with figures that can be; verdicts and comparisons keep the released ones."""
    found = inside(churn, _BOUNDS)
    return found.model_copy(
        update={
            "quality": _longer_holds_more(found.quality),
            "baselines": tuple(_longer_holds_more(item) for item in found.baselines),
            "by_holder": {holder: _longer_holds_more(item) for holder, item in found.by_holder.items()},
        }
    )


def _longer_holds_more(ranking: RankingFigures) -> RankingFigures:
    """Lists are in the order of their lengths, each the beginning of the next."""
    shares = ascending([item.share for item in ranking.lists])
    lists = (item.model_copy(update={"share": share}) for item, share in zip(ranking.lists, shares, strict=True))
    return ranking.model_copy(update={"lists": tuple(lists)})
