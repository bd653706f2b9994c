"""Cluster results and the pages made of them."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

import numpy as np
from report_pages import PLAIN as RFM_RESULT

from privacy.analyses.clusters.nouns import Centre, Clusters
from privacy.analyses.clusters.options import ClusterOptions, KnownClusters
from privacy.analyses.clusters.results import ClusterFigures, ClusterMove, ClusterProposal, ClusterResult, ProposedGroup
from privacy.figures.estimates import Estimate
from privacy.kernel.features import FEATURES, UNIT
from privacy.results import QuestionCost, StudyResult, Timing
from server.report.render import render_report

RFM = ("recency_days", "orders", "money")


MANY = (*RFM, "tenure_days", "order_value", "basket", "interval_days", "weekend_share", "trend", "momentum")


STUDY = RFM_RESULT.study.model_copy(update={"name": "spring", "currency": "EUR"})


TITLES = (
    "cluster scales",
    "cluster size",
    "cluster moments",
    "cluster grid",
    "refinement 1",
    "refinement 2",
    "centres",
    "cluster profile",
)


#: Places of four clusters on the scales of RFM, in the order of their ids.
PLACES = ((0.8, -0.55, 0.15), (0.0, -0.4, 0.3), (0.45, 0.05, 0.55), (-0.3, 0.4, 0.7))


SHARES = (0.37, 0.22, 0.215, 0.195)


REVENUE = (940_000.0, 1_010_000.0, 3_690_000.0, 7_900_000.0)


def cluster_result(
    names=RFM,
    places=PLACES,
    *,
    shares=SHARES,
    revenue=REVENUE,
    customers: float = 6000.0,
    margin: float = 46.0,
    error: float = 0.01,
    found: bool = True,
    moves: tuple[ClusterMove, ...] = (),
    changes: dict[int, Estimate] | None = None,
) -> ClusterResult:
    """Figures as the analysis would leave them for these places; ``error`` is the margin of a place."""
    places = np.array(places)
    if places.shape[1] < len(names):
        places = np.hstack([places, np.resize(places[::-1], (len(places), len(names) - places.shape[1]))])
    features = STUDY.scaled(names)
    mean = np.average(places, axis=0, weights=shares)
    spread = np.sqrt(np.average((places - mean) ** 2, axis=0, weights=shares) + 0.05)
    figures = []
    for index, place in enumerate(places):
        typical = {}
        for feature, at in zip(features, place, strict=True):
            unit = 100 if FEATURES[feature.name].money else 1
            low, middle, high = feature.scale.raw(np.array([at - error, at, at + error])).tolist()
            typical[feature.name] = Estimate(value=middle / unit, margin=max(high - middle, middle - low) / unit)
        hidden = customers <= margin
        figures.append(
            ClusterFigures(
                id=index + 1,
                customers=Estimate(value=customers * shares[index], margin=margin),
                revenue=Estimate(value=revenue[index], margin=100_000.0) if "money" in names else None,
                share=None if hidden else Estimate(value=shares[index], margin=margin / customers),
                cap=12_345.67 if "money" in names else 0,
                typical=typical,
                apart=dict(zip(names, ((place - mean) / spread).tolist(), strict=True)),
                change=(changes or {}).get(index + 1),
            )
        )
    k = len(places)
    return ClusterResult(
        clusters=Clusters(
            features=features,
            centres=tuple(
                Centre(id=i + 1, place=tuple(round(UNIT * at) for at in place)) for i, place in enumerate(places)
            ),
            next_id=k + 1,
        ),
        figures=tuple(sorted(figures, key=lambda item: -item.customers.value)),
        customers=Estimate(value=customers, margin=margin * k**0.5),
        silhouettes={number: 0.42 - 0.03 * abs(number - k) for number in range(3, 9)} if found else {},
        tree=tuple((k - i if i == 0 else k + i, 1 if i == k - 2 else k - i - 1, 0.5 + 0.2 * i) for i in range(k - 1)),
        moves=moves,
    )


def proposed(*, groups: bool) -> ClusterResult:
    """A result whose number of clusters was to be found on released scales."""
    part = ProposedGroup(share=0.7, apart={"recency_days": -0.9, "orders": 0.1, "money": 0.8})
    rest = ProposedGroup(share=0.3, apart={"recency_days": 2.1, "orders": -0.2, "money": -0.3})
    proposals = tuple(ClusterProposal(k=k, between=0.2 if groups else 0.95, groups=(part, rest)) for k in (2, 4))
    spread = {"recency_days": 0.5, "orders": 0.25, "money": 0.2}
    update = {"proposals": proposals, "groups": groups, "spread": spread}
    return cluster_result(found=False).model_copy(update=update)


MOVES = (
    ClusterMove(id=1, what="stayed", distance=0.02),
    ClusterMove(id=2, what="stayed", distance=0.0),
    ClusterMove(id=3, what="moved", distance=0.3),
    ClusterMove(id=7, what="gone", distance=0.0),
    ClusterMove(id=4, what="new", distance=0.0),
)


CHANGES = {
    1: Estimate(value=0.05, margin=0.011),
    2: Estimate(value=-0.004, margin=0.011),
    3: Estimate(value=-0.03, margin=0.011),
}


def known(clusters: ClusterResult) -> KnownClusters:
    shares = {number: (Decimal("0.32"), Decimal("0.008")) for number in (1, 2, 3, 7)}
    return KnownClusters(clusters=clusters.clusters, shares=shares, origin="spring 2024-12-01")


def study_result(clusters: ClusterResult, *, with_rfm: bool = False, missing: tuple[str, ...] = ()) -> StudyResult:
    names = tuple(feature.name for feature in clusters.clusters.features)
    k = 0 if clusters.silhouettes or clusters.proposals or clusters.moves else len(clusters.figures)
    options = ClusterOptions(k=k, features=names, centres=known(clusters) if clusters.moves else "new")
    study = STUDY.model_copy(
        update={"analyses": ("rfm", "clusters") if with_rfm else ("clusters",), "clusters": options}
    )
    questions = tuple(
        QuestionCost(question=title, attempt=1, outcome="released", mu=0.09, holders=4) for title in TITLES
    )
    return RFM_RESULT.model_copy(
        update={
            "study": study,
            "study_digest": study.digest,
            "rfm": RFM_RESULT.rfm if with_rfm else None,
            "clusters": clusters,
            "spending": RFM_RESULT.spending.model_copy(update={"questions": questions}),
            "missing": missing,
            "timings": tuple(Timing(step=f"{title}: asking", seconds=0.5) for title in TITLES),
        }
    )


def kinds() -> dict[str, StudyResult]:
    plain = cluster_result()
    return {
        "alone": study_result(plain),
        "both": study_result(plain, with_rfm=True),
        "many": study_result(cluster_result(MANY, found=False)),
        "moves": study_result(cluster_result(found=False, moves=MOVES, changes=CHANGES)),
        "proposed": study_result(proposed(groups=False)),
        "one_feature": study_result(cluster_result(("orders",), np.array(PLACES)[:, 1:2])),
        "hidden": study_result(cluster_result(customers=40.0, found=False)),
        "missing": study_result(plain, missing=("shop-7",)),
    }


@cache
def html(name: str) -> str:
    return render_report(kinds()[name])
