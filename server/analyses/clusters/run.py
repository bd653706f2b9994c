"""Clusters: groups of customers that are alike, found in a private model of where customers are; ids that stay.

Few features (up to four): *size*, *grid* over the features, two *refinements* around anchors, one around the *centres*,
and the *profile* of the published clusters. More features: *moments* first, whose main axes the grid is laid over; the
points are lifted back by the released covariance. Everything between the questions is post-processing
(:mod:`server.analyses.clusters.support_points`). Constants are public, found on public data
(``benchmarks/clusters.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from statistics import NormalDist

import numpy as np

from privacy.analyses.clusters import CONTRACT
from privacy.analyses.clusters.anchor_sums import AnchorEstimates, AnchorSums, CappedFact, nearest
from privacy.analyses.clusters.grid_counts import GridCounts
from privacy.analyses.clusters.nouns import Centre, Clusters, plain_view
from privacy.analyses.clusters.options import KnownClusters
from privacy.analyses.clusters.results import ClusterFigures, ClusterMove, ClusterResult
from privacy.errors import DataError
from privacy.figures.estimates import Z95, Estimate
from privacy.kernel.features import UNIT, ScaledFeature
from privacy.kernel.linear_view import ENTRY, LinearView
from privacy.kernel.row_arithmetic import FloatArray
from privacy.kernel.terms import minor_digits
from privacy.protocol.study import Study
from privacy.statistics import GAMMA, FeatureMoments
from server.analyses.clusters.support_points import SupportPoints, grid_points, weighted_quantile
from server.analysis import Ask, Planned
from server.analysis.expectation import Expectation

NAME = "clusters"
SIZE, MOMENTS, GRID, CENTRES, PROFILE = "cluster size", "cluster moments", "cluster grid", "centres", "cluster profile"
REFINEMENTS = ("refinement 1", "refinement 2")

#: Up to so many features the grid is laid over the features themselves.
_FEW = 4
_AXES = 3
_FEW_WEIGHTS = {SIZE: 1, GRID: 14, REFINEMENTS[0]: 20, REFINEMENTS[1]: 20, CENTRES: 25, PROFILE: 20}
_MANY_WEIGHTS = {MOMENTS: 12, GRID: 15, REFINEMENTS[0]: 20, REFINEMENTS[1]: 20, CENTRES: 13, PROFILE: 20}
_ANCHORS = 24
#: Fewer clusters than this say no more than a single cut; silhouettes like two best.
_LEAST_CLUSTERS = 3
#: A silhouette within this of the best is as good.
_AS_GOOD = 0.02
#: Cells along a coordinate: as many as leave a typical customer's cell about one deviation of the noise.
_GRID_FACTOR = 0.85
_CELLS = (3, 24)
#: The most cells along each of four coordinates; a grid has at most 65,536.
_CELLS_OF_FOUR = 16
#: Customers must stand out of the noise by so many of its deviations.
_CLEAR = 3.0
#: Within its radius lies this share of an anchor's customers; offsets beyond are clipped.
_RADIUS_RANK = 0.75
_PROFILE_RANK = 0.97
#: Amplitude of the count beside the offset, in thousandths.
_COUNT = 800
#: Squared parts of a customer's vector in the profile: count, money, offset.
_PROFILE_PARTS = (0.30, 0.40, 0.30)
#: The constant among the moments, in units of the largest norm of a customer's features.
_CONSTANT = 0.7
#: Points that a point of the grid over the axes is lifted to, and the most points kept.
_LIFTED = 12
_MOST_POINTS = 20_000
#: How much the cost in the model may rise so that centres stay where they were.
_STAY = 0.02
#: How much dearer clusters found from the earlier centres may be than others; with less, ids stay less often.
_OTHERWISE = 0.1
_LEAST_CUSTOMERS = 20.0


def _few(study: Study) -> bool:
    return len(study.of(CONTRACT).features) <= _FEW


def weights(study: Study) -> dict[str, Fraction]:
    """Title of each question to its share of the budget."""
    shares = _FEW_WEIGHTS if _few(study) else _MANY_WEIGHTS
    return {title: Fraction(share, sum(shares.values())) for title, share in shares.items()}


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
    known = _aligned(earlier, features)
    model, least = _few_points(features, ask) if _few(study) else _many_points(features, ask)
    for title in REFINEMENTS:
        _refine(model, model.centres(_ANCHORS, starts=1), title, features, least, ask)
    silhouettes: dict[int, float] = {}
    k = options.k or (len(known) if known is not None else 0)
    if not k:
        silhouettes = model.silhouettes(range(_LEAST_CLUSTERS, options.most + 1))
        k = _fewest_as_good(silhouettes)
    _refine(model, model.centres(k), CENTRES, features, least, ask)
    fresh = model.centres(k)
    if known is not None and len(known) == k:
        fresh = _staying(model, _from_known(model, fresh, known), known)
    places = np.round(fresh * UNIT).astype(np.int64)
    question = _profile(study, features, places, model, least, planned)
    release = ask(PROFILE, question)
    estimates = question.decode(release.array, release.deviation)
    return _result(study, features, places, question, estimates, model, earlier, silhouettes)


def _fewest_as_good(silhouettes: dict[int, float]) -> int:
    """The fewest clusters whose silhouette the noise cannot tell from the best: one more may be a scrap of noise."""
    best = max(silhouettes.values(), default=0.0)
    return min((k for k, value in silhouettes.items() if value >= best - _AS_GOOD), default=_LEAST_CLUSTERS)


# --- points -----------------------------------------------------------------------------------------------------


def _few_points(features: tuple[ScaledFeature, ...], ask: Ask) -> tuple[SupportPoints, float]:
    """Points from a grid over the features themselves, and the least radius that makes sense on it."""
    question = GridCounts(view=plain_view(features[:1]), day=0, cells=2)
    release = ask(SIZE, question)
    counts, spread = question.decode(release.array, release.deviation)
    customers = _clear(float(counts.sum()), spread * math.sqrt(len(counts)))
    return _grid(plain_view(features), customers, release.deviation, _FEW_WEIGHTS, ask)


def _clear(customers: float, deviation: float) -> float:
    """The number of customers.

    Raises:
        DataError: if the noise hides it, or all of them.
    """
    if customers <= _CLEAR * deviation:
        raise DataError(
            "the customers cannot be told from the noise, so there are no clusters to be found",
            hint="use a larger epsilon or active_days, or invite more holders",
        )
    return max(customers, _LEAST_CUSTOMERS)


def _grid(
    view: LinearView, customers: float, deviation: float, shares: dict[str, int], ask: Ask
) -> tuple[SupportPoints, float]:
    """Ask the grid, with as many cells as the customers and the noise allow.

    Args:
        deviation: of a release that had the first share of the budget at the same sensitivity.
    """
    first = next(iter(shares.values()))
    noise = deviation / GAMMA * math.sqrt(first / shares[GRID])
    cells = round(_GRID_FACTOR * (customers / max(noise, 1e-9)) ** (1 / view.dim))
    most = _CELLS[1] if view.dim < _FEW else _CELLS_OF_FOUR
    question = GridCounts(view=view, day=0, cells=min(max(cells, _CELLS[0]), most))
    release = ask(GRID, question)
    counts, spread = question.decode(release.array, release.deviation)
    return grid_points(counts, spread, question.cells, view.dim), 0.5 / question.cells


def _many_points(features: tuple[ScaledFeature, ...], ask: Ask) -> tuple[SupportPoints, float]:
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
    customers = _clear(float(matrix[0, 0]) / constant**2, noise / constant**2)
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
    flat, _ = _grid(projection, customers, release.deviation, _MANY_WEIGHTS, ask)
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


# --- refinement -------------------------------------------------------------------------------------------------


def _refine(
    model: SupportPoints, anchors: FloatArray, title: str, features: tuple[ScaledFeature, ...], least: float, ask: Ask
) -> None:
    """Ask counts and offsets around anchors, and let the model learn from them."""
    places = np.round(anchors * UNIT).astype(np.int64)
    radii = np.ceil(model.radii(places / UNIT, _RADIUS_RANK, least) * UNIT).astype(np.int64)
    question = AnchorSums(
        view=plain_view(features),
        day=0,
        anchors=_tuples(places),
        radii=tuple(radii.tolist()),
        count_amplitude=_COUNT,
        offset_amplitude=1000,
    )
    release = ask(title, question)
    model.learn(places / UNIT, radii / UNIT, question.decode(release.array, release.deviation))
    _clear(float(model.weight.sum()), 0.0)  # nobody is left where no anchor's count is above zero


def _tuples(places: np.ndarray) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in places.tolist())


def _from_known(model: SupportPoints, fresh: FloatArray, known: FloatArray) -> FloatArray:
    """Centres in the order of the known ones: found from these, unless that leads to where customers no longer are."""
    warm = model.centres(len(known), first=known)
    if model.cost(warm) <= (1 + _OTHERWISE) * model.cost(fresh):
        return warm
    return fresh[[after for _, after, _ in _matched(known, fresh)]]


def _matched(known: FloatArray, centres: FloatArray) -> list[tuple[int, int, float]]:
    """Pairs of a known centre and its own one, by least cost, and how far they are apart; ascending, each once.

    Beyond its reach a known centre is lost however far: else it would push another one out of its very place.
    """
    from scipy.optimize import linear_sum_assignment

    distances = np.sqrt(((known[:, None] - centres[None]) ** 2).sum(axis=2))
    pairs = linear_sum_assignment(np.minimum(distances, _reach(known)[:, None]) ** 2)
    return [(int(before), int(after), float(distances[before, after])) for before, after in zip(*pairs, strict=True)]


def _staying(model: SupportPoints, fresh: FloatArray, known: FloatArray) -> FloatArray:
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


def _aligned(earlier: KnownClusters | None, features: tuple[ScaledFeature, ...]) -> FloatArray | None:
    """Places of an earlier run's centres, shape ``(k, features)``; None where it looked at other features."""
    if earlier is None or earlier.clusters.features != features:
        return None
    return np.array([centre.place for centre in earlier.clusters.centres], dtype=np.float64) / UNIT


# --- profile ----------------------------------------------------------------------------------------------------


def _profile(
    study: Study,
    features: tuple[ScaledFeature, ...],
    places: np.ndarray,
    model: SupportPoints,
    least: float,
    planned: Planned,
) -> AnchorSums:
    """The last question: size, money and mean place of the clusters as they are published."""
    centres = places / UNIT
    count, money, offset = (round(1000 * math.sqrt(part)) for part in _PROFILE_PARTS)
    radii = np.ceil(model.radii(centres, _PROFILE_RANK, max(least, 0.1)) * UNIT).astype(np.int64)
    question = AnchorSums(
        view=plain_view(features),
        day=0,
        anchors=_tuples(places),
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


# --- result -----------------------------------------------------------------------------------------------------


def _identified(
    features: tuple[ScaledFeature, ...], places: np.ndarray, counts: FloatArray, earlier: KnownClusters | None
) -> tuple[list[int], int, tuple[ClusterMove, ...]]:
    """Ids of the centres: those of the earlier run's nearest by assignment, new ones by size; and what moved."""
    centres = places / UNIT
    known = _aligned(earlier, features)
    ids: dict[int, int] = {}
    moves = []
    next_id = 1
    if earlier is not None:
        next_id = earlier.clusters.next_id
    if known is not None and earlier is not None:
        old = [centre.id for centre in earlier.clusters.centres]
        reach = _reach(known)
        for before, after, distance in _matched(known, centres):
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


def _result(
    study: Study,
    features: tuple[ScaledFeature, ...],
    places: np.ndarray,
    question: AnchorSums,
    released: AnchorEstimates,
    model: SupportPoints,
    earlier: KnownClusters | None,
    silhouettes: dict[int, float],
) -> ClusterResult:
    ids, next_id, moves = _identified(features, places, released.counts, earlier)
    shown = float(np.maximum(released.counts, 0).sum())
    total = Estimate(
        value=float(released.counts.sum()), margin=Z95 * released.counts_deviation * math.sqrt(len(places))
    )
    centres = places / UNIT
    weight = np.maximum(model.weight, 0)
    mean = np.average(model.points, axis=0, weights=weight)
    spread = np.sqrt(np.maximum(np.average((model.points - mean) ** 2, axis=0, weights=weight), 1e-6))
    figures = []
    unit = 10 ** minor_digits(study.currency)
    for index in np.argsort(-released.counts):
        count = float(released.counts[index])
        radius = question.radii[index] / UNIT
        size = max(count, 1.0)
        place = centres[index] + radius * np.clip(released.offsets[index] / size, -1, 1)
        error = Z95 * radius * released.offsets_deviation / size
        cap = question.facts[0].caps[index] if question.facts else 0
        revenue = None
        if question.facts:
            revenue = Estimate(
                value=float(released.facts[0][index]) / unit,
                margin=Z95 * float(released.facts_deviation[0][index]) / unit,
            )
        share = None
        if shown > total.margin:
            share = Estimate(value=max(count, 0.0) / shown, margin=Z95 * released.counts_deviation / shown)
        figures.append(
            ClusterFigures(
                id=ids[index],
                customers=Estimate(value=count, margin=Z95 * released.counts_deviation),
                revenue=revenue,
                share=share,
                cap=cap / unit,
                typical=_typical(study, features, place, error),
                apart={feature.name: float((place[j] - mean[j]) / spread[j]) for j, feature in enumerate(features)},
                change=_change(earlier, ids[index], share),
            )
        )
    by_id = sorted(zip(ids, _tuples(places), strict=True))
    clusters = Clusters(
        features=features, centres=tuple(Centre(id=number, place=place) for number, place in by_id), next_id=next_id
    )
    return ClusterResult(
        clusters=clusters,
        figures=tuple(figures),
        customers=total,
        silhouettes=silhouettes,
        tree=_tree(centres, ids, next_id),
        moves=moves,
    )


def _typical(study: Study, features: tuple[ScaledFeature, ...], place: FloatArray, error: float) -> dict[str, Estimate]:
    """The mean place as raw values; money in major units. Margins are those of the place, carried over."""
    found: dict[str, Estimate] = {}
    for j, feature in enumerate(features):
        low, middle, high = feature.scale.raw(np.array([place[j] - error, place[j], place[j] + error])).tolist()
        unit = 10 ** minor_digits(study.currency) if feature.name.startswith(("money", "order_value")) else 1
        found[feature.name] = Estimate(value=middle / unit, margin=max(high - middle, middle - low) / unit)
    return found


def _change(earlier: KnownClusters | None, number: int, share: Estimate | None) -> Estimate | None:
    if earlier is None or share is None or number not in earlier.shares:
        return None
    before, margin = earlier.shares[number]
    return Estimate(value=share.value - float(before), margin=math.hypot(share.margin, float(margin)))


def _tree(centres: FloatArray, ids: Sequence[int], next_id: int) -> tuple[tuple[int, int, float], ...]:
    """Agglomerative tree over the centres; merged groups are numbered on from ``next_id``."""
    from scipy.cluster.hierarchy import ward

    if len(centres) < 2:
        return ()
    names = [*ids, *range(next_id, next_id + len(centres))]
    return tuple(
        (names[int(first)], names[int(second)], float(height)) for first, second, height, _ in ward(centres).tolist()
    )


# --- forecast ---------------------------------------------------------------------------------------------------


def forecast(study: Study, planned: Planned) -> tuple[Expectation, ...]:
    """Expected margin of a cluster's count, in customer records."""
    features = study.scaled(study.of(CONTRACT).features)
    k = study.of(CONTRACT).k or study.of(CONTRACT).most
    count, _, offset = (round(1000 * math.sqrt(part)) for part in _PROFILE_PARTS)
    probe = AnchorSums(
        view=plain_view(features),
        day=0,
        anchors=((0,) * len(features),) * k,
        radii=(UNIT,) * k,
        count_amplitude=count,
        offset_amplitude=offset,
    )
    noise = planned(PROFILE, probe).released_deviation
    margin = Z95 * probe.decode(np.zeros(probe.dim, dtype=np.int64), noise).counts_deviation
    size = study.budget.size_class
    return (
        Expectation(
            analysis=NAME,
            code="cluster_margin",
            value=margin,
            text=f"customers in one cluster  off by up to {margin:,.0f}",
            warning=f"Cluster sizes will be off by up to {margin:,.0f} of {size:,} records. Raise epsilon, or ask for "
            "fewer clusters."
            if margin > size / 20
            else "",
        ),
    )
