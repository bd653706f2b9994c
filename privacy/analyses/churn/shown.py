"""Churn as it is shown: rates and rankings inside what they can be, and no longer list with fewer of the churned."""

from __future__ import annotations

import math

from privacy.analyses.churn.results import ChurnResult
from privacy.figures.consistent import ascending, inside, possible
from privacy.figures.estimates import Estimate
from privacy.figures.ranking import RankingFigures
from privacy.figures.ranking_areas import TOP

_SHARE = (0.0, 1.0)
_BOUNDS = {
    **dict.fromkeys(("auc", "average_precision", "churn_rate", "top_share", "rate", "share"), _SHARE),
    **dict.fromkeys(("customers", "top_lift"), (0.0, math.inf)),
}


def shown(churn: ChurnResult) -> ChurnResult:
    """The same with figures that can be; verdicts and comparisons keep the released ones."""
    found = inside(churn, _BOUNDS)
    everyone = churn.quality.churn_rate
    return found.model_copy(
        update={
            "quality": _longer_holds_more(_no_more_than_all(found.quality, everyone)),
            "baselines": tuple(_longer_holds_more(_no_more_than_all(item, everyone)) for item in found.baselines),
            "by_holder": {
                holder: _longer_holds_more(_no_more_than_all(item, churn.by_holder[holder].churn_rate))
                for holder, item in found.by_holder.items()
            },
        }
    )


def _no_more_than_all(ranking: RankingFigures, rate: Estimate) -> RankingFigures:
    """No list finds more of the churned than one on which everybody churned: its length by the churn rate of all.

    Values end at the released rate's, as pages say what no model can exceed; intervals at that rate's lower end.
    """
    low = rate.interval[0]
    if low <= 0:
        return ranking
    most, end = 1 / rate.value, 1 / low
    lists = tuple(
        item.model_copy(update={"share": _capped(item.share, min(1.0, item.part * most), min(1.0, item.part * end))})
        for item in ranking.lists
    )
    top = _capped(ranking.top_share, min(1.0, TOP * most), min(1.0, TOP * end))
    return ranking.model_copy(
        update={"top_lift": _capped(ranking.top_lift, most, end), "top_share": top, "lists": lists}
    )


def _capped(figure: Estimate, most: float, end: float) -> Estimate:
    found = possible(figure, 0.0, end)
    return found.moved(most) if found.value > most else found


def _longer_holds_more(ranking: RankingFigures) -> RankingFigures:
    """Lists are in the order of their lengths, each the beginning of the next."""
    shares = ascending([item.share for item in ranking.lists])
    lists = (item.model_copy(update={"share": share}) for item, share in zip(ranking.lists, shares, strict=True))
    return ranking.model_copy(update={"lists": tuple(lists)})
