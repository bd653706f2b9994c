"""Clusters: groups of customers that are alike, found in a private model of where customers are; ids that stay.

Few features (up to four): *size*, *grid* over the features, two *refinements* around anchors, one around the *centres*,
and the *profile* of the published clusters. More features: *moments* first, whose main axes the grid is laid over; the
points are lifted back by the released covariance. Everything between the questions is post-processing
(:mod:`server.analyses.clusters.support_points`). Constants are public, found on public data
(``benchmarks/clusters.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.clusters import CONTRACT
from privacy.analyses.clusters.anchor_sums import AnchorSums, CappedFact, nearest
from privacy.analyses.clusters.nouns import plain_view
from privacy.analyses.clusters.options import ClusterOptions, KnownClusters
from privacy.analyses.clusters.results import ClusterResult
from privacy.kernel.features import UNIT, ScaledFeature
from privacy.kernel.row_arithmetic import FloatArray
from privacy.protocol.study import Study
from server.analyses.clusters.figures import Profiled, result
from server.analyses.clusters.groups import Split, number_of_groups, proposals, splits
from server.analyses.clusters.matching import aligned, from_known, staying
from server.analyses.clusters.plan import CENTRES, PROFILE, PROFILE_PARTS, REFINEMENTS, few
from server.analyses.clusters.points import few_points, many_points, refine, tuples
from server.analyses.clusters.scales import released_scales, tightened
from server.analyses.clusters.support_points import AS_GOOD, SupportPoints, weighted_quantile
from server.analysis import Ask, Planned

_ANCHORS = 24
#: Fewer clusters than this say no more than a single cut; silhouettes like two best.
_LEAST_CLUSTERS = 3
_PROFILE_RANK = 0.97
#: Points that stand for what customers beyond a released scale spend, and how fast their number falls with it.
_TAIL = 16
_PARETO = (1.05, 6.0)


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
    earlier = options.centres if isinstance(options.centres, KnownClusters) else None
    features, customers = _scales(study, earlier, ask)
    known = aligned(earlier, features)
    if few(study):
        model, least = few_points(features, ask, planned, customers)
    else:
        model, least = many_points(features, ask, planned)
    for title in REFINEMENTS:
        if options.asks_for_scales and title == REFINEMENTS[-1]:
            features, model, longer = tightened(features, model)
            least *= longer
        refine(model, model.centres(_ANCHORS, starts=1), title, features, least, ask)
    number = _number(options, model, known)
    k = number.k
    refine(model, model.centres(k) if number.groups is None else number.groups, CENTRES, features, least, ask)
    number = number.seen_again(model)
    # From groups k-means may go on to what costs less and cuts them: one round brings the centres into their middles.
    fresh = model.centres(k) if number.groups is None else model.centres(k, first=number.groups, rounds=1)
    if known is not None and len(known) == k:
        fresh = staying(model, from_known(model, fresh, known), known)
    places = np.round(fresh * UNIT).astype(np.int64)
    question = _profile(study, features, places, model, least, planned)
    release = ask(PROFILE, question)
    estimates = question.decode(release.array, release.deviation)
    found = Profiled(features=features, places=places, question=question, released=estimates, model=model)
    return result(study, found, earlier).model_copy(
        update={
            "silhouettes": number.silhouettes,
            "proposals": () if options.k else proposals(model, features, number.splits, k),
            "groups": number.groups is not None,
        }
    )


def _scales(study: Study, earlier: KnownClusters | None, ask: Ask) -> tuple[tuple[ScaledFeature, ...], float | None]:
    """The features on the scales of this run, and the number of customers where it was found with them."""
    options = study.of(CONTRACT)
    public = study.scaled(options.features)
    if options.asks_for_scales:
        return released_scales(public, ask)
    return (public if earlier is None or options.ranges == "public" else earlier.clusters.features), None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Number:
    """How many clusters there are to be, and what that rests on.

    Attributes:
        silhouettes, splits: what was tried: on public scales where the number was to be found, on released ones always.
    """

    k: int
    silhouettes: dict[int, float] = field(default_factory=dict)
    splits: dict[int, Split] = field(default_factory=dict)

    @property
    def groups(self) -> FloatArray | None:
        """Centres of groups that stand apart, shape ``(k, features)``; None where there are none."""
        split = self.splits.get(self.k)
        return split.centres if split is not None and split.stands_apart else None

    def seen_again(self, model: SupportPoints) -> _Number:
        """With the clusters' split as a better model shows it; it may show groups that were hidden before."""
        again = splits(model, [self.k] if self.splits else []).get(self.k)
        return self if again is None or not again.stands_apart else replace(self, splits=self.splits | {self.k: again})


def _number(options: ClusterOptions, model: SupportPoints, known: FloatArray | None) -> _Number:
    """The number of clusters; on released scales also where groups are that k-means there would pass over."""
    k = options.k or (len(known) if known is not None else 0)
    if options.ranges == "released" and known is None:
        found = splits(model, [k] if k else range(2, options.most + 1))
        return _Number(k=k or number_of_groups(found), splits=found)
    if k:
        return _Number(k=k)
    silhouettes = model.silhouettes(range(_LEAST_CLUSTERS, options.most + 1))
    return _Number(k=_fewest_as_good(silhouettes), silhouettes=silhouettes)


def _fewest_as_good(silhouettes: dict[int, float]) -> int:
    """The fewest clusters whose silhouette the noise cannot tell from the best: one more may be a scrap of noise."""
    best = max(silhouettes.values(), default=0.0)
    return min((k for k, value in silhouettes.items() if value >= best - AS_GOOD), default=_LEAST_CLUSTERS)


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
    most = study.scaled(("money",))[0].scale.high
    spent, weight = _spent(model, features[names.index("money")], names.index("money"), most)
    cell = nearest(model.points, centres)
    caps = tuple(_cap(spent[cell == j].ravel(), weight[cell == j].ravel(), unit) for j in range(len(centres)))
    return question.model_copy(update={"facts": (facts[0].model_copy(update={"caps": caps}),)})


def _spent(model: SupportPoints, money: ScaledFeature, column: int, most: int) -> tuple[FloatArray, FloatArray]:
    """What customers of each point spend, and how many, each of shape ``(points, 1)`` or ``(points, n)``.

    Those at a released scale's upper end spend that or more. They are spread as by a Pareto distribution through the
    share of customers there and the upper tenth, up to the public scale's end.
    """
    place, end = model.points[:, column], money.scale.high
    spent = money.scale.raw(place)[:, None]
    weight = model.weight[:, None]
    at_end = (place >= 1)[:, None]
    beyond, everyone = float(weight[at_end].sum()), float(weight.sum())
    tenth = weighted_quantile(spent[:, 0], model.weight, 0.9)
    if end >= most or beyond <= 0 or not 0 < tenth < end:
        return spent, weight
    index = float(np.clip(math.log(max(0.1 * everyone / beyond, 1.0)) / math.log(end / tenth), *_PARETO))
    ranks = (np.arange(_TAIL) + 0.5) / _TAIL
    tail = np.minimum(end * ranks ** (-1 / index), most)
    return np.where(at_end, tail, spent), np.repeat(weight / _TAIL, _TAIL, axis=1)


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
