"""What halls need of this room: one object."""

from __future__ import annotations

from fractions import Fraction

from privacy.analyses.history.results import HistoryResult
from privacy.analyses.history.shown import shown
from server.analyses.history.run import NAME, forecast, run, weights
from server.analyses.history.section import SECTION, forms
from server.analyses.history.terminal import screens
from server.analysis import ServerAnalysis

ANALYSIS: ServerAnalysis[HistoryResult] = ServerAnalysis(
    name=NAME,
    weights=weights,
    part=Fraction(15, 100),
    run=run,
    forecast=forecast,
    section=SECTION,
    shown=lambda figures, result: shown(figures),
    forms=forms,
    terminal=screens,
)
