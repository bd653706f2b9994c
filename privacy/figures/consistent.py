"""Released figures made to agree with what is known of them: post-processing, which costs no privacy.

Two steps that differ in kind. :func:`agreed` uses equations (a second count of the same customers, two tables of the
same sum): what comes out is linear in the release, and therefore unbiased with a known, smaller deviation, and
intervals are built on it. :func:`nearest` uses inequalities (nothing is negative, an order per customer at least): what
comes out is nearer to the truth, but biased, so that it may be shown as a value and never be the centre of an interval.

Source: M. Hay, V. Rastogi, G. Miklau, D. Suciu, "Boosting the Accuracy of Differentially Private Histograms Through
Consistency", PVLDB 3 (2010), section 4 (equations). That a projection on a convex set which holds the truth never moves
away from it: S. Boyd, L. Vandenberghe, "Convex Optimization" (2004), section 8.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from privacy.figures.estimates import Estimate, Value

FloatArray = NDArray[np.float64]

#: Weight of an equation that holds exactly, against the release's own coordinates.
_EXACT = 1e4


@dataclass(frozen=True, kw_only=True, eq=False)
class Equations:
    """What is known of linear sums: ``rows @ truth`` is ``values``, up to noise of these deviations.

    Attributes:
        rows: shape ``(equations, coordinates)``.
        values, deviations: shape ``(equations,)``; a deviation of 0: it holds exactly.
    """

    rows: FloatArray
    values: FloatArray
    deviations: FloatArray


def possible(figure: Estimate, least: float, most: float) -> Estimate:
    """A figure inside what it can be, with an interval that covers at least as often as the given one.

    Where the noise took the figure below the least, the upper end is the least and the side above: more than it was,
    so that a figure that cannot be never looks certain. The same at the most.

    >>> possible(Estimate(value=-30.0, margin=20.0), 0.0, 1e9).interval
    (0.0, 20.0)
    >>> possible(Estimate(value=0.9, margin=0.2), 0.0, 1.0).interval
    (0.7, 1.0)
    """
    first, last = figure.interval
    if least <= first and last <= most:
        return figure
    below, above = figure.sides
    value = min(max(figure.value, least), most)
    low = max(value - below, least) if figure.value > most else max(first, least)
    high = min(value + above, most) if figure.value < least else min(last, most)
    return Estimate.between(low, value, high)


V = TypeVar("V", bound=Value)

#: Least and most that a figure can be, by its name in a result.
Bounds = Mapping[str, tuple[float, float]]


def inside(figures: V, bounds: Bounds) -> V:
    """Figures, and those that they are made of, with every estimate that is named here inside what it can be."""
    return figures.model_copy(update={name: _inside(name, value, bounds) for name, value in figures})


def _inside(name: str, item: object, bounds: Bounds) -> object:
    if isinstance(item, Estimate):
        return possible(item, *bounds[name]) if name in bounds else item
    if isinstance(item, Value):
        return inside(item, bounds)
    if isinstance(item, tuple) and any(isinstance(part, Value) for part in item):
        return tuple(_inside(name, part, bounds) for part in item)
    if isinstance(item, dict):
        return {key: _inside(name, part, bounds) for key, part in item.items()}
    return item


def ascending(figures: Sequence[Estimate | None]) -> tuple[Estimate | None, ...]:
    """Figures none of which can be less than one before it, nearest to the given ones in units of their margins.

    Intervals stay, stretched to the figure where it lies outside; what is not there stays so.

    >>> low, high = ascending([Estimate(value=0.3, margin=0.1), Estimate(value=0.2, margin=0.1)])
    >>> low.value, high.value, low.interval[1] if low else None
    (0.25, 0.25, 0.4)
    """
    from scipy.optimize import isotonic_regression

    there = [figure for figure in figures if figure is not None]
    if all(first.value <= second.value for first, second in pairwise(there)):
        return tuple(figures)
    weights = [1 / max(figure.margin, np.finfo(float).tiny ** 0.5) ** 2 for figure in there]
    values = iter(isotonic_regression([figure.value for figure in there], weights=weights).x.tolist())
    return tuple(None if figure is None else figure.moved(next(values)) for figure in figures)


def agreed(values: FloatArray, deviations: FloatArray, known: Equations) -> tuple[FloatArray, FloatArray]:
    """The best linear unbiased estimate of coordinates with independent noise, given equations, and its covariance.

    Args:
        values, deviations: what was released, shape ``(coordinates,)``; deviations are positive.
        known: what holds of the truth.
    """
    covariance = np.diag(deviations**2)
    if not len(known.rows):
        return values, covariance
    spread = known.rows @ covariance @ known.rows.T + np.diag(known.deviations**2)
    scale = np.sqrt(np.maximum(np.diag(spread), np.finfo(float).tiny))
    gain = covariance @ known.rows.T / scale @ np.linalg.pinv(spread / np.outer(scale, scale), rcond=1e-10) / scale
    return values - gain @ (known.rows @ values - known.values), covariance - gain @ known.rows @ covariance


def nearest(values: FloatArray, deviations: FloatArray, corners: FloatArray, known: Equations) -> FloatArray:
    """The possible figures nearest to released ones, in units of their noise.

    Args:
        values, deviations: of groups with as many coordinates each, shape ``(groups, coordinates)``;
            deviations are positive.
        corners: a group's truth is a sum of these with weights of 0 or more, shape ``(groups, corners, coordinates)``.
        known: of the coordinates of all groups in a row.

    Returns:
        Shape ``(groups, coordinates)``: sums of corners exactly; equations hold to about 1e-7 of their noise.
    """
    from scipy.optimize import nnls

    groups, kinds, size = corners.shape
    basis = np.zeros((groups * size, groups * kinds))
    for group in range(groups):
        basis[group * size : (group + 1) * size, group * kinds : (group + 1) * kinds] = corners[group].T
    flat = values.reshape(-1)
    weight = 1 / deviations.reshape(-1)
    least = 1 / np.sqrt(np.maximum((known.rows**2 / weight**2).sum(axis=1), np.finfo(float).tiny))
    strength = np.where(known.deviations > 0, 1 / np.maximum(known.deviations, np.finfo(float).tiny), _EXACT * least)
    rows = np.vstack([basis * weight[:, None], (known.rows * strength[:, None]) @ basis])
    target = np.concatenate([flat * weight, known.values * strength])
    scale = np.maximum(np.linalg.norm(rows, axis=0), np.finfo(float).tiny)
    found, _ = nnls(rows / scale, target, maxiter=60 * rows.shape[1])
    return np.asarray(basis @ (found / scale)).reshape(groups, size)
