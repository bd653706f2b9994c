"""What halls need of this room: one object."""

from __future__ import annotations

from fractions import Fraction

from privacy.analyses.repurchase.results import RepurchaseResult
from privacy.analyses.repurchase.shown import shown
from server.analyses.repurchase.run import NAME, forecast, run, weights
from server.analyses.repurchase.section import SECTION
from server.analyses.repurchase.terminal import tables
from server.analysis import ServerAnalysis
from server.analysis.forms import PERCENT, WHOLE

ANALYSIS: ServerAnalysis[RepurchaseResult] = ServerAnalysis(
    name=NAME,
    weights=weights,
    part=Fraction(20, 100),
    run=run,
    forecast=forecast,
    section=SECTION,
    shown=lambda figures, result: shown(figures),
    forms=lambda study: {"customers": WHOLE, "again": PERCENT, "share": PERCENT, "rates": PERCENT},
    terminal=tables,
)
