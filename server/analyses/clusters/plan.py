"""What clusters ask, by title, with which shares of the budget, and how far off sizes will be."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from privacy.analyses.clusters import CONTRACT
from privacy.analyses.clusters.anchor_sums import AnchorSums
from privacy.analyses.clusters.nouns import plain_view
from privacy.figures.estimates import Z95
from privacy.kernel.features import UNIT
from privacy.protocol.study import Study
from server.analysis import Planned
from server.analysis.expectation import Expectation

NAME = "clusters"
SCALES, SIZE, MOMENTS = "cluster scales", "cluster size", "cluster moments"
GRID, CENTRES, PROFILE = "cluster grid", "centres", "cluster profile"
REFINEMENTS = ("refinement 1", "refinement 2")

#: Up to so many features the grid is laid over the features themselves.
FEW = 4
FEW_WEIGHTS = {SIZE: 1, GRID: 14, REFINEMENTS[0]: 20, REFINEMENTS[1]: 20, CENTRES: 25, PROFILE: 20}
MANY_WEIGHTS = {MOMENTS: 12, GRID: 15, REFINEMENTS[0]: 20, REFINEMENTS[1]: 20, CENTRES: 13, PROFILE: 20}
#: Where scales are released, that question comes first, and counts the customers too.
SCALES_WEIGHT = 5
#: Squared parts of a customer's vector in the profile: count, money, offset.
PROFILE_PARTS = (0.30, 0.40, 0.30)


def few(study: Study) -> bool:
    """Whether the grid is laid over the features themselves."""
    return len(study.of(CONTRACT).features) <= FEW


def weights(study: Study) -> dict[str, Fraction]:
    """Title of each question to its share of the budget."""
    shares = FEW_WEIGHTS if few(study) else MANY_WEIGHTS
    if study.of(CONTRACT).asks_for_scales:
        shares = {SCALES: SCALES_WEIGHT} | {title: share for title, share in shares.items() if title != SIZE}
    return {title: Fraction(share, sum(shares.values())) for title, share in shares.items()}


def forecast(study: Study, planned: Planned) -> tuple[Expectation, ...]:
    """Expected margin of a cluster's count, in customer records."""
    features = study.scaled(study.of(CONTRACT).features)
    k = study.of(CONTRACT).k or study.of(CONTRACT).most
    count, _, offset = (round(1000 * math.sqrt(part)) for part in PROFILE_PARTS)
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
