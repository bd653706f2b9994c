"""Rankings as they are shown: inside what they can be, and no longer list with fewer of those it looks for."""

from __future__ import annotations

import math

from privacy.figures.consistent import ascending, possible
from privacy.figures.estimates import Estimate
from privacy.figures.ranking import RankingFigures
from privacy.figures.ranking_areas import TOP

#: Bounds of a ranking's figures, by name (:func:`privacy.figures.consistent.inside`).
RANKING_BOUNDS = {
    **dict.fromkeys(("auc", "average_precision", "churn_rate", "top_share", "rate", "share"), (0.0, 1.0)),
    "top_lift": (0.0, math.inf),
}


def possible_ranking(ranking: RankingFigures, rate: Estimate) -> RankingFigures:
    """A ranking whose figures are inside their bounds, made to agree with each other.

    Args:
        ranking: the ranking.
        rate: share of all customers with the outcome, as it was released.
    """
    return _longer_holds_more(_no_more_than_all(ranking, rate))


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
