"""What halls need of this room: one object."""

from __future__ import annotations

from fractions import Fraction

from privacy.analyses.clusters.results import ClusterResult
from privacy.analyses.clusters.shown import shown
from server.analyses.clusters.earlier import with_known_centres
from server.analyses.clusters.plan import NAME, forecast, weights
from server.analyses.clusters.run import run
from server.analyses.clusters.section import SECTION
from server.analyses.clusters.terminal import tables
from server.analysis import ServerAnalysis
from server.analysis.forms import PERCENT, WHOLE

ANALYSIS: ServerAnalysis[ClusterResult] = ServerAnalysis(
    name=NAME,
    weights=weights,
    part=Fraction(20, 100),
    run=run,
    forecast=forecast,
    section=SECTION,
    shown=lambda figures, result: shown(figures, net=result.study.cleaning.returns == "net"),
    forms=lambda study: {"customers": WHOLE, "share": PERCENT, "revenue": WHOLE},
    terminal=tables,
    resolve=with_known_centres,
)
