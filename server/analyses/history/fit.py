"""A model of buying from released cells, and how far off it may be.

Each released count h of a cell with probability P among the N customers of its quarter has two errors: the noise, with
a known variance, and chance, with one of about N P. So both models (``buying.py``) are fitted by least squares with
these variances, over log parameters and the four log N::

    sum of (h - N P)^2 / v + ln v, v = sigma^2 + N P,  +  sum of (log parameter - usual)^2 / width^2

The last sum draws them to usual shops' where the noise leaves them open. Cells are neither cut off where they are small
nor at 0: that puts a fit off by 5% at any budget (decision 0050).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from privacy.analyses.history.buying import FAMILIES, BuyingModel, Family, FloatArray
from privacy.analyses.history.history_cells import QUARTERS
from server.analyses.history.cell_model import CellModel

#: r, alpha in days, a and b of usual shops, and how far (in logarithms) a shop's may lie from them.
USUAL = np.log([0.5, 70.0, 0.8, 2.5])
_WIDTH = 0.5
#: How far real shops lie from there; the width above is the one that fits best, and would be too sure of itself.
_REAL_WIDTH = 0.7
_BOUNDS = (np.array([-3.0, 0.0, -4.0, -3.0, *[-2.0] * QUARTERS]), np.array([3.0, 8.0, 3.0, 4.5, *[25.0] * QUARTERS]))
#: BG/NBD is taken where it is better by more than so much of twice the log likelihood.
_CLEARLY = 4.0
#: Of log coordinates: a step for slopes, and one that is none any more; steps, and how much shorter one may become.
_STEP, _STILL = 1e-4, 1e-5
_MOST_STEPS, _SHORTEST = 100, 1e9


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """A fitted model.

    Attributes:
        model: the better one of the two.
        point: log parameters and log customers of each quarter, shape ``(8,)``.
        covariance: of them, of noise and chance together.
        mean: customers by cell as the fit has them.
        misfit: root mean square distance of the counts from the fit, in deviations of noise and chance; about 1 where
            customers are as the model has them.
    """

    model: BuyingModel
    point: FloatArray
    covariance: FloatArray
    mean: FloatArray
    misfit: float


def model_at(family: Family, point: FloatArray) -> BuyingModel:
    """The model with these log parameters."""
    r, alpha, a, b = (float(value) for value in np.exp(point[:4]))
    return BuyingModel(family=family, r=r, alpha=alpha, a=a, b=b)


def fit(cells: CellModel, counts: FloatArray, deviation: float) -> Fit:
    """Fit both models, and take the better one.

    Args:
        cells: the window's.
        counts: customers by cell, shape ``(QUARTERS, PER_QUARTER)``, with noise.
        deviation: of the noise in each.
    """
    found = {family: _fitted(cells, counts, deviation, family) for family in FAMILIES}
    family: Family = "bg" if found["bg"][1] + _CLEARLY < found["mbg"][1] else "mbg"
    point = found[family][0]
    mean = _means(cells, family, point)
    misfit = math.sqrt(float(((counts - mean) ** 2 / _variance(mean, deviation)).mean()))
    return fit_at(cells, point, deviation, family, misfit=misfit)


def fit_at(
    cells: CellModel, point: FloatArray, deviation: float, family: Family = "mbg", *, misfit: float = 1.0
) -> Fit:
    """A model with these coordinates, and how far off a fit may be whose counts lie so far from it.

    Counts that lie farther from a model than they should leave as much more open of its coordinates (P. McCullagh,
    J. A. Nelder, "Generalized Linear Models", 2nd edition, 1989, section 9.2).
    """
    mean, slopes = _means_and_slopes(cells, family, point)
    information = _information(slopes, 1 / _variance(mean, deviation)) / max(misfit, 1.0) ** 2
    information[range(4), range(4)] += 1 / _REAL_WIDTH**2
    covariance: FloatArray = np.linalg.pinv(information).astype(np.float64)
    return Fit(model=model_at(family, point), point=point, covariance=covariance, mean=mean, misfit=misfit)


def _fitted(cells: CellModel, counts: FloatArray, deviation: float, family: Family) -> tuple[FloatArray, float]:
    """The best point, and twice the negative log likelihood there.

    By scoring: steps by what is known of each coordinate (the Fisher information), which a step that does not help
    makes shorter (K. Levenberg, "A method for the solution of certain non-linear problems in least squares", Quarterly
    of Applied Mathematics 2, 1944).
    """
    start = np.log(np.maximum(counts.sum(axis=1), 5 * deviation + 1))
    point, shorter = np.concatenate([USUAL, start]), 1e-3
    value = _loss(counts, _means(cells, family, point), deviation, point)
    for _ in range(_MOST_STEPS):
        mean, slopes = _means_and_slopes(cells, family, point)
        variance, apart = _variance(mean, deviation), counts - mean
        gradient = slopes.reshape(-1, len(point)).T @ ((1 - apart**2 / variance - 2 * apart) / variance).reshape(-1)
        gradient[:4] += 2 * (point[:4] - USUAL) / _WIDTH**2
        curvature = 2 * _information(slopes, 1 / variance + 0.5 / variance**2)
        curvature[range(4), range(4)] += 2 / _WIDTH**2
        moved = 0.0
        while shorter < _SHORTEST:
            step = -np.linalg.solve(curvature + shorter * np.diag(np.diag(curvature)), gradient)
            there = np.clip(point + np.clip(step, -1, 1), *_BOUNDS)
            found = _loss(counts, _means(cells, family, there), deviation, there)
            if found <= value:
                moved, shorter = float(np.abs(there - point).max()), shorter / 5
                point, value = there, found
                break
            shorter *= 5
        if moved < _STILL:
            break
    return point, value


def _loss(counts: FloatArray, mean: FloatArray, deviation: float, point: FloatArray) -> float:
    variance = _variance(mean, deviation)
    away = float((((point[:4] - USUAL) / _WIDTH) ** 2).sum())
    return float(((counts - mean) ** 2 / variance + np.log(variance)).sum()) + away


def _information(slopes: FloatArray, weights: FloatArray) -> FloatArray:
    flat = slopes.reshape(-1, slopes.shape[-1])
    return np.asarray(flat.T @ (flat * weights.reshape(-1, 1)))


def _means(cells: CellModel, family: Family, point: FloatArray) -> FloatArray:
    return np.exp(point[4:])[:, None] * cells.cells(model_at(family, point)).probability


def _means_and_slopes(cells: CellModel, family: Family, point: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Expected counts, and how each moves with each coordinate: shapes ``(quarters, cells)`` and ``(..., 8)``."""
    mean = _means(cells, family, point)
    slopes = np.zeros((*mean.shape, len(point)))
    for place in range(4):
        step = np.zeros(len(point))
        step[place] = _STEP
        slopes[..., place] = (_means(cells, family, point + step) - _means(cells, family, point - step)) / (2 * _STEP)
    for quarter in range(QUARTERS):
        slopes[quarter, :, 4 + quarter] = mean[quarter]
    return mean, slopes


def _variance(mean: FloatArray, deviation: float) -> FloatArray:
    return deviation**2 + mean + 1e-9
