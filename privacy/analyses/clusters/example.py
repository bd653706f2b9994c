"""Small questions of this analysis, and the customers that move them most (``privacy.statistics.examples``)."""

from __future__ import annotations

from typing import Any

from privacy.analyses.clusters.anchor_sums import AnchorSums, CappedFact
from privacy.analyses.clusters.feature_prefixes import FeaturePrefixes
from privacy.analyses.clusters.grid_counts import GridCounts
from privacy.kernel.features import UNIT
from privacy.kernel.linear_view import ENTRY, LinearView
from privacy.statistics.base import Statistic
from privacy.statistics.examples import CROWD, FAR, NAMES, SCALED, Back, Example, beyond, times

#: Without the constant, which a grid and anchors leave out.
_PLANE = LinearView(features=SCALED, radius=2 * UNIT, matrix=((0, ENTRY, 0), (0, 0, ENTRY)))


def _further(statistic: AnchorSums, factor: int) -> tuple[Statistic[Any], Back]:
    facts = tuple(
        fact.model_copy(update={"caps": tuple(cap * factor for cap in fact.caps), "amplitude": fact.amplitude * factor})
        for fact in statistic.facts
    )
    changed = {
        "radii": tuple(radius * factor for radius in statistic.radii),
        "offset_amplitude": statistic.offset_amplitude * factor,
        "facts": facts,
    }
    wider = statistic.model_copy(update=changed)
    return wider, times(wider.norm / statistic.norm)


#: What a small study with this analysis says in its table.
OPTIONS: dict[str, Any] = {"features": NAMES}

EXAMPLES = (
    Example(
        statistic=FeaturePrefixes(features=SCALED, day=0, bins=4),
        crowd=CROWD,
        witness=beyond(-FAR, -FAR),
    ),
    Example(
        statistic=GridCounts(view=_PLANE, day=0, cells=3),
        crowd=CROWD,
        witness=beyond(-FAR, -FAR),
    ),
    Example(
        statistic=AnchorSums(
            view=_PLANE, day=0, anchors=((0, 0), (UNIT // 2, -UNIT // 2)), radii=(UNIT // 4, UNIT // 4),
            count_amplitude=300, offset_amplitude=450,
            facts=(CappedFact(name="orders_90", caps=(5, 5), amplitude=400),),
        ),
        crowd=CROWD,
        witness=beyond(-FAR, -FAR),
        unclipped=_further,
    ),
)  # fmt: skip
