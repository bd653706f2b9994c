"""Quality of scores from a noisy histogram of scores by outcome; post-processing of a release, so it costs nothing.

Counts keep their noise: a count below zero stays below zero, because the area under the curve is a ratio of sums of
products of independent counts, which noise then does not shift. Margins add two sources: the noise (its gradient, as
it is the same in every cell) and chance (other customers of the same kind would have given other counts: Poisson).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from privacy.figures.estimates import Z95, Estimate
from privacy.figures.ranking import CalibrationPoint, ListFigures, RankingFigures
from privacy.figures.ranking_areas import (
    LENGTHS,
    TOP,
    area_under_curve,
    average_precision,
    churn_rate,
    list_rate,
    top_share,
)

FloatArray = NDArray[np.float64]
#: A figure of counts of shape ``(..., scores, 2)``, of shape ``(...)``.
Figure = Callable[[FloatArray], FloatArray]

#: Nothing is said of so few customers; it is also what keeps the gradients' steps away from a division by zero.
_FEWEST = 2.0
#: Calibration is shown in about this many groups of customers.
_GROUPS = 8
#: A bin says something of the log odds' growth with so many customers of either outcome, beside two deviations.
_CLEAR = 5.0
#: So many bins, at least, say how the log odds grow.
_CLEAR_BINS = 4
#: Largest growth in a bin: with more, the linear density inside it would fall below zero at an end.
_STEEPEST = 2.0
#: Precision begins where the customers with the highest scores stand so many deviations above nobody.
_CLEAR_TOP = 8.0
#: Lists of other lengths than the study's are shown where their churn rate is known within this.
_WIDEST = 0.25
#: Parts of a bin; ties inside the parts hide 1 / 64 of what is inside bins.
_PARTS = 8


#: Field of a ranking to what it is of counts by score.
_FIGURES: dict[str, Figure] = {
    "auc": area_under_curve,
    "churn_rate": churn_rate,
    "top_lift": lambda counts: top_share(counts) / TOP,
    "top_share": top_share,
}


#: Figures of a list.
_ENDS: dict[str, Callable[..., FloatArray]] = {"rate": list_rate, "share": top_share}


def log_odds_growth(counts: FloatArray, deviation: float, upper: FloatArray) -> Figure:
    """How the growth of the log odds of churn inside each bin is read off counts near the given ones.

    A parabola through ``log(churned / stayed)`` by the bins' middles, by least squares weighted by the inverse of
    ``(churned + deviation^2) / churned^2 + (stayed + deviation^2) / stayed^2``, the log ratio's variance (delta
    method); its slope at a bin's middle times the bin's width. Bins that noise may have made are left out; which those
    are, and the weights, are by the given counts. Beyond the bins that tell the slope goes on as it is there.

    Args:
        counts: as in :func:`privacy.figures.ranking_areas.area_under_curve`.
        deviation: standard deviation of the noise in each.
        upper: ends of all bins but the last, ascending, in the scores' own unit.

    Returns:
        A function from counts, shape ``(..., bins, 2)``, to their growth, from -2 to 2, shape ``(..., bins)``; always 0
        where too few bins tell, and in the first and the last, which have no end.
    """
    clear = (counts > _CLEAR + 2 * deviation).all(axis=1)
    if clear.sum() < _CLEAR_BINS:
        return lambda cells: np.zeros(cells.shape[:-1])
    inner = np.diff(upper)
    width = np.concatenate([[0.0], inner, [0.0]])
    place = np.concatenate([[upper[0] - inner[0] / 2], upper[1:] - inner / 2, [upper[-1] + inner[-1] / 2]])
    telling = place[clear]
    weight = np.sqrt(1 / ((counts[clear] + deviation**2) / counts[clear] ** 2).sum(axis=1))
    coefficients = np.linalg.pinv(weight[:, None] * np.vander(telling, 3)) * weight
    at = np.clip(place, telling[0], telling[-1])
    slopes = np.stack([2 * at, np.ones_like(at), np.zeros_like(at)], axis=1) @ coefficients

    def growth(cells: FloatArray) -> FloatArray:
        seen = cells[..., clear, :]
        found: FloatArray = np.log(seen[..., 1] / seen[..., 0]) @ slopes.T * width
        return np.clip(found, -_STEEPEST, _STEEPEST)

    return growth


def pooled_top(counts: FloatArray, deviation: float) -> Callable[[FloatArray], FloatArray]:
    """How the bins of the highest scores are put together until they hold clearly more customers than noise makes.

    Precision among nearly nobody is noise over noise: cut to what is possible, it has a bias. Which bins are put into
    the highest that is left is decided by the given counts, for all counts near them.

    Args:
        counts: as in :func:`privacy.figures.ranking_areas.area_under_curve`.
        deviation: standard deviation of the noise in each.

    Returns:
        A function from counts to such of the same shape, with nobody in the bins above.
    """
    reached = counts.sum(axis=1)[::-1].cumsum()
    clear = reached > _CLEAR_TOP * deviation * np.sqrt(2 * (1 + np.arange(len(counts))))
    top = len(counts) - 1 - (int(np.argmax(clear)) if clear.any() else len(counts) - 1)

    def pooled(cells: FloatArray) -> FloatArray:
        fewer = cells.copy()
        fewer[..., top, :] = cells[..., top:, :].sum(axis=-2)
        fewer[..., top + 1 :, :] = 0
        return fewer

    return pooled


def parted(counts: FloatArray, growth: FloatArray) -> FloatArray:
    """Counts of finer bins, as many customers in each part of a bin, with the churn rate rising inside.

    Let the log odds grow by g over a bin with churn rate p. With densities ``1 + (1 - p) g v`` of the churned and
    ``1 - p g v`` of the others over v in [-1/2, 1/2] that is so to first order, and the density of all is even. A
    churned customer of the bin scores higher than another of it with chance ``1/2 + g / 12``, whatever p.

    Args:
        counts: as in :func:`privacy.figures.ranking_areas.area_under_curve`.
        growth: of the log odds inside each bin, from -2 to 2, shape ``(..., bins)``; where it is 0, ties stay.

    Returns:
        Shape ``(..., parts * bins, 2)``.
    """
    people = counts.sum(axis=-1)
    rate = np.clip(counts[..., 1] / np.where(people > 0, people, np.inf), 0, 1)
    tilt = np.stack([-rate, 1 - rate], axis=-1) * growth[..., None]
    middles = (np.arange(_PARTS) + 0.5) / _PARTS - 0.5
    finer: FloatArray = counts[..., None, :] * (1 + tilt[..., None, :] * middles[:, None]) / _PARTS
    return finer.reshape(*counts.shape[:-2], -1, 2)


def estimate(figure: Figure, counts: FloatArray, deviation: float) -> Estimate:
    """A figure and its margin; see :func:`estimates`."""
    return estimates({"figure": figure}, counts, deviation)["figure"]


def estimates(
    figures: Mapping[str, Figure],
    counts: FloatArray,
    deviation: float,
    prepare: Callable[[FloatArray], FloatArray] = np.asarray,
) -> dict[str, Estimate]:
    """Figures and their margins, by name; gradients by central differences of one customer or one deviation.

    The delta method: ``sum of gradient^2 (deviation^2 + count)`` over cells whose errors are independent, the noise's
    variance and that of a Poisson count, which is its mean.

    Args:
        figures: numbers from prepared counts.
        counts: as in :func:`privacy.figures.ranking_areas.area_under_curve`.
        deviation: standard deviation of the noise in each.
        prepare: what is done to counts before; gradients are of both together.
    """

    step = max(1.0, deviation / 2)
    one = step * np.eye(counts.size).reshape(-1, *counts.shape)
    ready = prepare(np.concatenate([counts[None], counts + one, counts - one]))
    spread = deviation**2 + np.maximum(counts, 0).ravel()
    found = {}
    for name, figure in figures.items():
        values = figure(ready)
        higher, lower = values[1:].reshape(2, -1)
        variance = float((((higher - lower) / (2 * step)) ** 2 * spread).sum())
        found[name] = Estimate(value=float(values[0]), margin=Z95 * math.sqrt(variance))
    return found


def ranking(
    code: str,
    counts: FloatArray,
    deviation: float,
    upper: FloatArray,
    *,
    predicted: FloatArray | None = None,
    list_share: float = TOP,
) -> RankingFigures | None:
    """All figures of one model, or None where the noise hides one of the two outcomes, or nearly nobody has it.

    Args:
        counts: as in :func:`privacy.figures.ranking_areas.area_under_curve`.
        deviation: standard deviation of the noise in each count.
        upper: ends of all bins but the last, ascending, in the scores' own unit.
        predicted: the probability that each bin stands for; None where scores are no probabilities.
        list_share: length of the list that people act on.
    """
    spread = max(_FEWEST, 2 * Z95 * deviation * math.sqrt(len(counts)))
    if counts[:, 0].sum() <= spread or counts[:, 1].sum() <= spread:
        return None
    growth = log_odds_growth(counts, deviation, upper)
    lengths = sorted({*LENGTHS, list_share})
    figures = (
        _FIGURES
        | {f"{name} {part}": partial(of, part=part) for name, of in _ENDS.items() for part in lengths}
        | {f"stayed {name}": partial(_from_below, of=of, part=list_share) for name, of in _ENDS.items()}
    )
    found = estimates(figures, counts, deviation, lambda cells: parted(cells, growth(cells)))
    lists = [ListFigures(part=part, rate=found[f"rate {part}"], share=found[f"share {part}"]) for part in lengths]
    return RankingFigures(
        code=code,
        **{name: found[name] for name in _FIGURES},
        average_precision=_precision(counts, deviation, growth),
        lists=tuple(item for item in lists if item.part == list_share or item.rate.margin <= _WIDEST),
        calibration=() if predicted is None else _calibration(counts, deviation, predicted),
        stayed=None
        if predicted is None
        else ListFigures(part=list_share, rate=found["stayed rate"], share=found["stayed share"]),
    )


def _from_below(counts: FloatArray, *, of: Callable[..., FloatArray], part: float) -> FloatArray:
    """The figure of a list of the lowest scores, and of who bought again."""
    return of(counts[..., ::-1, ::-1], part=part)


def _precision(counts: FloatArray, deviation: float, growth: Figure) -> Estimate:
    """Average precision, from the first scores that are clear of the noise on.

    Where that is, is noise as well, which the gradient does not see: the margin is that without it, if that is larger.
    """
    pooled = pooled_top(counts, deviation)
    found = estimate(lambda cells: average_precision(parted(pooled(cells), growth(cells))), counts, deviation)
    apart = estimate(lambda cells: average_precision(parted(cells, growth(cells))), counts, deviation)
    return Estimate(value=found.value, margin=max(found.margin, apart.margin))


def _calibration(counts: FloatArray, deviation: float, predicted: FloatArray) -> tuple[CalibrationPoint, ...]:
    """Bins put together, from the lowest scores, until a group has its part of the customers and stands clear."""
    people = counts.sum()
    points = []
    start = 0
    for end in range(1, len(counts) + 1):
        group = counts[start:end]
        size = group.sum()
        clear = max(_FEWEST, Z95 * deviation * math.sqrt(2 * (end - start)) * 3)
        rest = counts[end:].sum()
        if end < len(counts) and (size < max(people / _GROUPS, clear) or rest < max(people / _GROUPS / 2, clear)):
            continue
        weights = np.maximum(group.sum(axis=1), 0)
        if size > clear and weights.sum() > 0:
            points.append(
                CalibrationPoint(
                    predicted=float((weights * predicted[start:end]).sum() / weights.sum()),
                    observed=estimate(churn_rate, group, deviation),
                    share=float(size / people),
                )
            )
        start = end
    return tuple(points)
