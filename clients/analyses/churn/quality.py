"""How well scores ranked the holder's own customers on the day of the test: exact, from its own rows, and free.

The figures are those of the consortium's release (:class:`privacy.analyses.churn.results.RankingFigures`), by the same
definitions, so that the two can stand beside each other. A margin here is chance alone: other customers of the same
kind could have come instead. It is a delete-a-group jackknife over 40 groups of customers, which every figure and every
difference of two figures can have, and which needs no random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from clients.analysis.comparison import own_share
from privacy.figures.estimates import Z95, Estimate
from privacy.figures.ranking import CalibrationPoint, ListFigures, RankingFigures
from privacy.figures.ranking_areas import (
    TOP,
    area_under_curve,
    average_precision,
    churn_rate,
    list_rate,
    top_share,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: With fewer customers of either outcome nothing is said.
FEWEST = 10
_GROUPS = 40
#: Calibration is shown in at most so many groups of equal size, of at least so many customers each.
_POINTS, _POINT_SIZE = 8, 20

_FIGURES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "auc": area_under_curve,
    "average_precision": average_precision,
    "churn_rate": churn_rate,
    "top_lift": lambda counts: top_share(counts) / TOP,
    "top_share": top_share,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranked:
    """One way to rank the holder's customers.

    Attributes:
        figures: exact, with what chance leaves open.
        without: each figure without each of the groups, shape ``(groups,)``; for differences.
        length: of the list that people act on, as a share of the customers.
    """

    figures: RankingFigures
    without: dict[str, FloatArray]
    length: float = TOP

    def __repr__(self) -> str:
        return "Ranked(<private>)"

    def gain(self, other: Ranked, figure: str = "auc") -> Estimate:
        """By how much a figure is higher than with another ranking of the same customers."""
        value = getattr(self.figures, figure).value - getattr(other.figures, figure).value
        return Estimate(value=value, margin=_margin(self.without[figure] - other.without[figure]))

    @property
    def listed(self) -> ListFigures:
        """What the list holds."""
        return self.figures.on_list(self.length)

    def gain_on_list(self, other: Ranked) -> Estimate:
        """By how much the churn rate on the list is higher than on another ranking's list of the same customers."""
        value = self.listed.rate.value - other.listed.rate.value
        return Estimate(value=value, margin=_margin(self.without["list_rate"] - other.without["list_rate"]))


def ranked(
    code: str,
    scores: NDArray[np.number],
    outcome: IntArray,
    predicted: FloatArray | None = None,
    *,
    length: float = TOP,
) -> Ranked | None:
    """All figures of one ranking; None with fewer than ``FEWEST`` customers of either outcome.

    Args:
        code: its name.
        scores: the higher the likelier to churn, shape ``(customers,)``; customers in an order that says nothing of
            their scores (that of their ids).
        outcome: 1 for churned, 0 for bought again, same shape.
        predicted: probabilities, where scores stand for such.
        length: of the list that people act on, as a share of the customers.
    """
    if min(outcome.sum(), len(outcome) - outcome.sum()) < FEWEST:
        return None
    distinct, place = np.unique(scores, return_inverse=True)
    cells = 2 * place + outcome
    groups = np.arange(len(outcome)) % min(_GROUPS, len(outcome))

    def counts(chosen: NDArray[np.bool_] | slice) -> FloatArray:
        return np.bincount(cells[chosen], minlength=2 * len(distinct)).reshape(-1, 2).astype(np.float64)

    whole = counts(slice(None))
    rest = [whole - counts(groups == group) for group in range(int(groups.max()) + 1)]
    figures = _FIGURES | {
        "list_rate": partial(list_rate, part=length),
        "list_share": partial(top_share, part=length),
        "stayed_rate": lambda counts: list_rate(counts[..., ::-1, ::-1], length),
        "stayed_share": lambda counts: top_share(counts[..., ::-1, ::-1], length),
    }
    without = {name: np.array([figure(part) for part in rest]) for name, figure in figures.items()}
    parts = {
        name: Estimate(value=float(figure(whole)), margin=_margin(without[name])) for name, figure in figures.items()
    }
    listed, stayed = (
        ListFigures(part=length, rate=parts.pop(f"{end}_rate"), share=parts.pop(f"{end}_share"))
        for end in ("list", "stayed")
    )
    calibration = () if predicted is None else _calibration(predicted, outcome)
    own = RankingFigures(code=code, **parts, calibration=calibration, lists=(listed,), stayed=stayed)
    return Ranked(figures=own, without=without, length=length)


def _margin(without: FloatArray) -> float:
    """Half-width of the 95% interval, from a figure's values without each of G groups.

    ``variance = (G - 1) / G sum (value - mean)^2`` (Kott 2001, "The delete-a-group jackknife", Journal of Official
    Statistics 17(4)).
    """
    count = len(without)
    return Z95 * math.sqrt((count - 1) / count * float(((without - without.mean()) ** 2).sum()))


def _calibration(predicted: FloatArray, outcome: IntArray) -> tuple[CalibrationPoint, ...]:
    """Groups of equal size by ascending probability."""
    size = max(1, min(_POINTS, len(outcome) // _POINT_SIZE))
    order = np.argsort(predicted, kind="stable")
    return tuple(
        CalibrationPoint(
            predicted=float(predicted[group].mean()),
            observed=own_share(outcome[group] == 1),
            share=len(group) / len(outcome),
        )
        for group in np.array_split(order, size)
    )
