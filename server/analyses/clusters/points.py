"""Points that stand for where customers are: from a noisy grid, lifted to all features, corrected around anchors.

Few features have their grid over the features themselves; more have it over the main axes of the released covariance,
and what is off these axes is taken as normal.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.clusters.anchor_sums import AnchorSums
from privacy.analyses.clusters.grid_counts import GridCounts
from privacy.analyses.clusters.nouns import plain_view
from privacy.errors import DataError
from privacy.kernel.features import UNIT, ScaledFeature
from privacy.kernel.linear_view import ENTRY, LinearView
from privacy.kernel.row_arithmetic import FloatArray
from privacy.statistics import FeatureMoments
from server.analyses.clusters.plan import FEW, GRID, MOMENTS, SIZE
from server.analyses.clusters.support_points import SupportPoints, grid_points
from server.analysis import Ask, Planned

_AXES = 3
#: Cells along a coordinate: as many as leave a typical customer's cell about one deviation of the noise.
_GRID_FACTOR = 0.85
_CELLS = (3, 24)
#: The most cells along each of four coordinates; a grid has at most 65,536.
_CELLS_OF_FOUR = 16
#: Customers must stand out of the noise by so many of its deviations.
_CLEAR = 3.0
#: Within its radius lies this share of an anchor's customers; offsets beyond are clipped.
_RADIUS_RANK = 0.75
#: Amplitude of the count beside the offset, in thousandths.
_COUNT = 800
#: The constant among the moments, in units of the largest norm of a customer's features.
_CONSTANT = 0.7
#: Points that a point of the grid over the axes is lifted to, and the most points kept.
_LIFTED = 12
_MOST_POINTS = 20_000
_LEAST_CUSTOMERS = 20.0


def counted(customers: float, deviation: float) -> float:
    """How many customers there are by an estimate with its deviation: at least a few.

    Raises:
        DataError: if the noise hides them.
    """
    if customers <= _CLEAR * deviation:
        raise DataError(
            "the customers cannot be told from the noise, so there are no clusters to be found",
            hint="use a larger epsilon or active_days, or invite more holders",
        )
    return max(customers, _LEAST_CUSTOMERS)


def few_points(
    features: tuple[ScaledFeature, ...], ask: Ask, planned: Planned, customers: float | None = None
) -> tuple[SupportPoints, float]:
    """Points from a grid over the features themselves, and the least radius that makes sense on it.

    Args:
        customers: how many, where that is known already; else it is asked.
    """
    if customers is None:
        customers = _asked_size(features, ask)
    return _grid(plain_view(features), customers, ask, planned)


def _asked_size(features: tuple[ScaledFeature, ...], ask: Ask) -> float:
    question = GridCounts(view=plain_view(features[:1]), day=0, cells=2)
    release = ask(SIZE, question)
    counts, spread = question.decode(release.array, release.deviation)
    return counted(float(counts.sum()), spread * math.sqrt(len(counts)))


def _grid(view: LinearView, customers: float, ask: Ask, planned: Planned) -> tuple[SupportPoints, float]:
    """Ask the grid, with as many cells as the customers and the noise that it is planned to have allow."""
    coarse = GridCounts(view=view, day=0, cells=_CELLS[0])
    _, noise = coarse.decode(np.zeros(coarse.dim, dtype=np.int64), planned(GRID, coarse).released_deviation)
    cells = round(_GRID_FACTOR * (customers / max(noise, 1e-9)) ** (1 / view.dim))
    most = _CELLS[1] if view.dim < FEW else _CELLS_OF_FOUR
    question = GridCounts(view=view, day=0, cells=min(max(cells, _CELLS[0]), most))
    release = ask(GRID, question)
    counts, spread = question.decode(release.array, release.deviation)
    return grid_points(counts, spread, question.cells, view.dim), 0.5 / question.cells


def many_points(features: tuple[ScaledFeature, ...], ask: Ask, planned: Planned) -> tuple[SupportPoints, float]:
    """Points from a grid over the main axes, lifted to all features by the released covariance."""
    d = len(features)
    length = math.sqrt(d)
    constant = _CONSTANT * length
    view = LinearView(features=features, radius=round(length * UNIT) + 1, constant=round(constant * UNIT))
    question = FeatureMoments(
        view=view, days=(0,), outcome_weight=0, norm=math.ceil(1000 * (constant**2 + (length + 1 / UNIT) ** 2))
    )
    release = ask(MOMENTS, question)
    matrix, _, noise = question.decode(release.array, release.deviation)
    customers = counted(float(matrix[0, 0]) / constant**2, noise / constant**2)
    mean = np.clip(matrix[0, 1:] / constant / customers, -1, 1)
    values, axes = np.linalg.eigh(matrix[1:, 1:] / customers - np.outer(mean, mean))
    # The largest eigenvalue of the noise alone is about noise sqrt(2 d); a quarter of it is the least spread assumed.
    values = np.maximum(values, noise * math.sqrt(2 * d) / customers / 4)[::-1]
    axes = axes[:, ::-1]
    span = 2.2 * np.sqrt(values[:_AXES])
    rows = np.round(np.hstack([np.zeros((_AXES, 1)), (axes[:, :_AXES] / span).T]) * ENTRY).astype(np.int64)
    projection = LinearView(
        features=features,
        centre=tuple(int(place) for place in np.round(mean * UNIT)),
        radius=64 * UNIT,
        constant=0,
        matrix=tuple(tuple(row) for row in rows.tolist()),
    )
    flat, _ = _grid(projection, customers, ask, planned)
    return _lifted(flat, mean, axes, values, span), 0.1


def _lifted(
    flat: SupportPoints, mean: FloatArray, axes: FloatArray, values: FloatArray, span: FloatArray
) -> SupportPoints:
    """Points over the axes as points over all features: what is off the axes is normal, by quasi-random numbers."""
    from scipy.stats import qmc  # here, as below: slow to import, and few commands look for clusters

    keep = flat.weight > 0
    points, weight = flat.points[keep], flat.weight[keep]
    base = np.repeat(points * span, _LIFTED, axis=0)
    share = np.repeat(weight / _LIFTED, _LIFTED)
    if len(base) > _MOST_POINTS:
        ranks = (np.arange(_MOST_POINTS) + 0.5) / _MOST_POINTS * share.sum()
        chosen = np.minimum(np.searchsorted(share.cumsum(), ranks), len(share) - 1)
        base, share = base[chosen], np.full(_MOST_POINTS, share.sum() / _MOST_POINTS)
    rest = len(mean) - _AXES
    uniform = qmc.Halton(rest, scramble=False).random(len(base) + 1)[1:]
    normal = np.vectorize(NormalDist().inv_cdf, otypes=[float])(np.clip(uniform, 1e-6, 1 - 1e-6))
    off = (normal * np.sqrt(values[_AXES:])) @ axes[:, _AXES:].T
    return SupportPoints(points=np.clip(mean + base @ axes[:, :_AXES].T + off, -1, 1), weight=share)


def refine(
    model: SupportPoints, anchors: FloatArray, title: str, features: tuple[ScaledFeature, ...], least: float, ask: Ask
) -> None:
    """Ask counts and offsets around anchors, and let the model learn from them."""
    places = np.round(anchors * UNIT).astype(np.int64)
    radii = np.ceil(model.radii(places / UNIT, _RADIUS_RANK, least) * UNIT).astype(np.int64)
    question = AnchorSums(
        view=plain_view(features),
        day=0,
        anchors=tuples(places),
        radii=tuple(radii.tolist()),
        count_amplitude=_COUNT,
        offset_amplitude=1000,
    )
    release = ask(title, question)
    model.learn(places / UNIT, radii / UNIT, question.decode(release.array, release.deviation))
    counted(float(model.weight.sum()), 0.0)  # nobody is left where no anchor's count is above zero


def tuples(places: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    """Places as a question and a noun hold them."""
    return tuple(tuple(row) for row in places.tolist())
