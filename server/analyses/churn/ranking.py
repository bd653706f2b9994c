"""Quality of scores from a noisy histogram of scores by outcome; post-processing of a release, so it costs nothing.

Counts keep their noise: a count below zero stays below zero, because the area under the curve is a ratio of sums of
products of independent counts, which noise then does not shift. Margins add two sources: the noise (its gradient, as
it is the same in every cell) and chance (other customers of the same kind would have given other counts: Poisson).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.churn.results import CalibrationPoint, RankingFigures
from privacy.analyses.churn.results_ranking import TOP, area_under_curve, average_precision, churn_rate
from privacy.figures.estimates import Z95, Estimate

FloatArray = NDArray[np.float64]

#: Nothing is said of so few customers; it is also what keeps the gradients' steps away from a division by zero.
_FEWEST = 2.0
#: Calibration is shown in about this many groups of customers.
_GROUPS = 8


def top_share(counts: FloatArray) -> float:
    """Share of the churned customers that are among the tenth of customers with the highest scores."""
    total, churned = counts.sum(axis=1)[::-1], counts[::-1, 1]
    wanted = TOP * counts.sum()
    found = 0.0
    for people, hits in zip(total, churned, strict=True):
        if people >= wanted > 0:
            return float((found + hits * wanted / people) / churned.sum())
        wanted -= max(people, 0.0)
        found += hits
    return float(found / churned.sum())


def estimate(figure: Callable[[FloatArray], float], counts: FloatArray, deviation: float) -> Estimate:
    """A figure and its margin; its gradient by central differences of one customer or one deviation.

    The delta method: ``sum of gradient^2 (deviation^2 + count)`` over cells whose errors are independent, the noise's
    variance and that of a Poisson count, which is its mean.

    Args:
        figure: a number from counts.
        counts: as in :func:`privacy.analyses.churn.results_ranking.area_under_curve`.
        deviation: standard deviation of the noise in each.
    """
    gradient = np.empty_like(counts)
    step = max(1.0, deviation / 2)
    for cell in np.ndindex(counts.shape):
        moved = counts.copy()
        moved[cell] += step
        high = figure(moved)
        moved[cell] -= 2 * step
        gradient[cell] = (high - figure(moved)) / (2 * step)
    variance = (gradient**2 * (deviation**2 + np.maximum(counts, 0))).sum()
    return Estimate(value=figure(counts), margin=Z95 * math.sqrt(variance))


def ranking(
    code: str, counts: FloatArray, deviation: float, predicted: FloatArray | None = None
) -> RankingFigures | None:
    """All figures of one model, or None where the noise hides one of the two outcomes, or nearly nobody has it.

    Args:
        counts: as in :func:`privacy.analyses.churn.results_ranking.area_under_curve`.
        deviation: standard deviation of the noise in each count.
        predicted: the probability that each bin stands for; None where scores are no probabilities.
    """
    spread = max(_FEWEST, 2 * Z95 * deviation * math.sqrt(len(counts)))
    if counts[:, 0].sum() <= spread or counts[:, 1].sum() <= spread:
        return None
    return RankingFigures(
        code=code,
        auc=estimate(area_under_curve, counts, deviation),
        average_precision=estimate(average_precision, counts, deviation),
        churn_rate=estimate(churn_rate, counts, deviation),
        top_lift=estimate(lambda cells: top_share(cells) / TOP, counts, deviation),
        top_share=estimate(top_share, counts, deviation),
        calibration=() if predicted is None else _calibration(counts, deviation, predicted),
    )


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
