"""What halls need of this room: one object."""

from __future__ import annotations

from privacy.analyses.repurchase.results import RepurchaseResult
from server.analyses.repurchase.run import NAME, forecast, run, weights
from server.analyses.repurchase.section import SECTION
from server.analyses.repurchase.terminal import tables
from server.analysis import ServerAnalysis

ANALYSIS: ServerAnalysis[RepurchaseResult] = ServerAnalysis(
    name=NAME, weights=weights, run=run, forecast=forecast, section=SECTION, terminal=tables
)
