"""Clusters of an earlier run in those of this one: which centre is whose, and ids that stay."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.clusters.options import KnownClusters
from privacy.analyses.clusters.results import ClusterMove
from privacy.kernel.features import UNIT, ScaledFeature
from privacy.kernel.row_arithmetic import FloatArray
from server.analyses.clusters.support_points import SupportPoints

#: How much the cost in the model may rise so that centres stay where they were.
_STAY = 0.02
#: How much dearer clusters found from the earlier centres may be than others; with less, ids stay less often.
_OTHERWISE = 0.1


def from_known(model: SupportPoints, fresh: FloatArray, known: FloatArray) -> FloatArray:
    """Centres in the order of the known ones: found from these, unless that leads to where customers no longer are."""
    warm = model.centres(len(known), first=known)
    if model.cost(warm) <= (1 + _OTHERWISE) * model.cost(fresh):
        return warm
    return fresh[[after for _, after, _ in matched(known, fresh)]]


def matched(known: FloatArray, centres: FloatArray) -> list[tuple[int, int, float]]:
    """Pairs of a known centre and its own one, by least cost, and how far they are apart; ascending, each once.

    The assignment problem (Kuhn 1955, "The Hungarian method for the assignment problem"), of squared distances.

    Beyond its reach a known centre is lost however far: else it would push another one out of its very place.
    """
    from scipy.optimize import linear_sum_assignment

    distances = np.sqrt(((known[:, None] - centres[None]) ** 2).sum(axis=2))
    pairs = linear_sum_assignment(np.minimum(distances, _reach(known)[:, None]) ** 2)
    return [(int(before), int(after), float(distances[before, after])) for before, after in zip(*pairs, strict=True)]


def staying(model: SupportPoints, fresh: FloatArray, known: FloatArray) -> FloatArray:
    """Centres as near to the known ones as the cost in the model allows: movement means customers, not centres.

    First as few centres as possible leave their place, those first whose move saves most; then all go back along
    their way as far as the limit lets them.
    """
    limit = (1 + _STAY) * model.cost(fresh)
    chosen = known.copy()
    rest = set(range(len(fresh)))
    while rest and model.cost(chosen) > limit:
        costs = {}
        for index in rest:
            moved = chosen.copy()
            moved[index] = fresh[index]
            costs[index] = model.cost(moved)
        best = min(costs, key=lambda index: costs[index])
        chosen[best] = fresh[best]
        rest.discard(best)
    for part in np.linspace(1, 0, 21):
        between: FloatArray = part * known + (1 - part) * chosen
        if model.cost(between) <= limit:
            return between
    return fresh


def aligned(earlier: KnownClusters | None, features: tuple[ScaledFeature, ...]) -> FloatArray | None:
    """Places of an earlier run's centres, shape ``(k, features)``; None where it looked at other features."""
    if earlier is None or earlier.clusters.features != features:
        return None
    return np.array([centre.place for centre in earlier.clusters.centres], dtype=np.float64) / UNIT


def identified(
    features: tuple[ScaledFeature, ...], places: NDArray[np.int64], counts: FloatArray, earlier: KnownClusters | None
) -> tuple[list[int], int, tuple[ClusterMove, ...]]:
    """Ids of the centres: those of the earlier run's nearest by assignment, new ones by size; and what moved."""
    centres = places / UNIT
    known = aligned(earlier, features)
    ids: dict[int, int] = {}
    moves = []
    next_id = 1
    if earlier is not None:
        next_id = earlier.clusters.next_id
    if known is not None and earlier is not None:
        old = [centre.id for centre in earlier.clusters.centres]
        reach = _reach(known)
        for before, after, distance in matched(known, centres):
            if distance <= reach[before]:
                ids[after] = old[before]
                what = "moved" if distance > reach[before] / 4 else "stayed"
                moves.append(ClusterMove(id=old[before], what=what, distance=distance))
        moves += [ClusterMove(id=lost, what="gone", distance=0.0) for lost in sorted(set(old) - set(ids.values()))]
    for index in np.argsort(-counts):
        if int(index) not in ids:
            ids[int(index)] = next_id
            if earlier is not None:
                moves.append(ClusterMove(id=next_id, what="new", distance=0.0))
            next_id += 1
    return [ids[index] for index in range(len(centres))], next_id, tuple(moves)


def _reach(centres: FloatArray) -> FloatArray:
    """Per centre the distance to the nearest other one; with one centre, the whole space."""
    if len(centres) == 1:
        return np.full(1, math.inf)
    distances = np.sqrt(((centres[:, None] - centres[None]) ** 2).sum(axis=2))
    np.fill_diagonal(distances, math.inf)
    return np.asarray(distances.min(axis=1))
