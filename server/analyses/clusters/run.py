"""Clusters: groups of customers that are alike, found in a private model of where customers are; ids that stay.

Few features (up to four): *size*, *grid* over the features, two *refinements* around anchors, one around the *centres*,
and the *profile* of the published clusters. More features: *moments* first, whose main axes the grid is laid over; the
points are lifted back by the released covariance. Everything between the questions is post-processing
(:mod:`server.analyses.clusters.support_points`). Constants are public, found on public data
(``benchmarks/clusters.py``).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.clusters import CONTRACT
from privacy.analyses.clusters.anchor_sums import AnchorSums, CappedFact, nearest
from privacy.analyses.clusters.nouns import plain_view
from privacy.analyses.clusters.options import KnownClusters
from privacy.analyses.clusters.results import ClusterResult
from privacy.kernel.features import UNIT, ScaledFeature
from privacy.kernel.row_arithmetic import FloatArray
from privacy.protocol.study import Study
from server.analyses.clusters.figures import Profiled, result
from server.analyses.clusters.matching import aligned, from_known, staying
from server.analyses.clusters.plan import CENTRES, PROFILE, PROFILE_PARTS, REFINEMENTS, few
from server.analyses.clusters.points import few_points, many_points, refine, tuples
from server.analyses.clusters.support_points import SupportPoints, weighted_quantile
from server.analysis import Ask, Planned

_ANCHORS = 24
#: Fewer clusters than this say no more than a single cut; silhouettes like two best.
_LEAST_CLUSTERS = 3
#: A silhouette within this of the best is as good.
_AS_GOOD = 0.02
_PROFILE_RANK = 0.97


def run(study: Study, ask: Ask, planned: Planned) -> ClusterResult:
    """The analysis.

    Args:
        study: what was agreed.
        ask: asks a question by its title.
        planned: the noise that a question is planned to have, by its title.

    Raises:
        DataError: if the noise hides the customers.
    """
    options = study.of(CONTRACT)
    features = study.scaled(options.features)
    earlier = options.centres if isinstance(options.centres, KnownClusters) else None
    known = aligned(earlier, features)
    model, least = few_points(features, ask) if few(study) else many_points(features, ask)
    for title in REFINEMENTS:
        refine(model, model.centres(_ANCHORS, starts=1), title, features, least, ask)
    silhouettes: dict[int, float] = {}
    k = options.k or (len(known) if known is not None else 0)
    if not k:
        silhouettes = model.silhouettes(range(_LEAST_CLUSTERS, options.most + 1))
        k = _fewest_as_good(silhouettes)
    refine(model, model.centres(k), CENTRES, features, least, ask)
    fresh = model.centres(k)
    if known is not None and len(known) == k:
        fresh = staying(model, from_known(model, fresh, known), known)
    places = np.round(fresh * UNIT).astype(np.int64)
    question = _profile(study, features, places, model, least, planned)
    release = ask(PROFILE, question)
    estimates = question.decode(release.array, release.deviation)
    found = Profiled(features=features, places=places, question=question, released=estimates, model=model)
    return result(study, found, earlier, silhouettes)


def _fewest_as_good(silhouettes: dict[int, float]) -> int:
    """The fewest clusters whose silhouette the noise cannot tell from the best: one more may be a scrap of noise."""
    best = max(silhouettes.values(), default=0.0)
    return min((k for k, value in silhouettes.items() if value >= best - _AS_GOOD), default=_LEAST_CLUSTERS)


def _profile(
    study: Study,
    features: tuple[ScaledFeature, ...],
    places: NDArray[np.int64],
    model: SupportPoints,
    least: float,
    planned: Planned,
) -> AnchorSums:
    """The last question: size, money and mean place of the clusters as they are published."""
    centres = places / UNIT
    count, money, offset = (round(1000 * math.sqrt(part)) for part in PROFILE_PARTS)
    radii = np.ceil(model.radii(centres, _PROFILE_RANK, max(least, 0.1)) * UNIT).astype(np.int64)
    question = AnchorSums(
        view=plain_view(features),
        day=0,
        anchors=tuples(places),
        radii=tuple(radii.tolist()),
        count_amplitude=count,
        offset_amplitude=offset,
    )
    names = [feature.name for feature in features]
    if "money" not in names:
        return question
    facts = (CappedFact(name="money", caps=(1,) * len(centres), amplitude=money),)
    question = question.model_copy(update={"facts": facts})
    noise = planned(PROFILE, question).released_deviation
    unit = float(question.decode(np.zeros(question.dim, dtype=np.int64), noise).facts_deviation[0][0])
    spent = features[names.index("money")].scale.raw(model.points[:, names.index("money")])
    cell = nearest(model.points, centres)
    caps = tuple(_cap(spent[cell == j], model.weight[cell == j], unit) for j in range(len(centres)))
    return question.model_copy(update={"facts": (facts[0].model_copy(update={"caps": caps}),)})


def _cap(money: FloatArray, weight: FloatArray, unit: float) -> int:
    """With how much one customer counts: what a lower cap cuts off against the noise that it saves.

    Args:
        unit: deviation of a cluster's sum with a cap of one.
    """
    if weight.sum() <= 0:
        return 1
    low = max(weighted_quantile(money, weight, 0.5), 1.0)
    high = 3 * max(weighted_quantile(money, weight, 0.9999), low)
    tries = np.geomspace(low, high, 40)
    losses = [float((weight * np.maximum(money - cap, 0)).sum()) + 0.8 * cap * unit for cap in tries]
    return max(1, round(float(tries[int(np.argmin(losses))])))
