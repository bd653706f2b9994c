"""What halls need of this room: one object."""

from __future__ import annotations

from fractions import Fraction

from privacy.analyses.tables.results import TablesResult
from privacy.analyses.tables.shown import shown
from server.analyses.tables.forms import forms
from server.analyses.tables.run import NAME, exact, forecast, refuse, resolve, run, weights
from server.analyses.tables.section import SECTION
from server.analyses.tables.terminal import screens
from server.analysis import ServerAnalysis

ANALYSIS: ServerAnalysis[TablesResult] = ServerAnalysis(
    name=NAME,
    weights=weights,
    part=Fraction(40, 100),
    run=run,
    forecast=forecast,
    refuse=refuse,
    section=SECTION,
    shown=lambda figures, result: shown(figures, net=result.study.cleaning.returns == "net"),
    forms=forms,
    terminal=screens,
    resolve=resolve,
    exact=exact,
)
