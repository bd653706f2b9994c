"""What halls need of this room: one object."""

from __future__ import annotations

from fractions import Fraction

from privacy.analyses.lookalikes.results import LookalikesResult
from privacy.analyses.lookalikes.shown import shown
from server.analyses.lookalikes.run import NAME, forecast, run, weights
from server.analyses.lookalikes.section import FORMS, SECTION, question_name
from server.analyses.lookalikes.terminal import screens
from server.analysis import ServerAnalysis

ANALYSIS: ServerAnalysis[LookalikesResult] = ServerAnalysis(
    name=NAME,
    weights=weights,
    part=Fraction(30, 100),
    run=run,
    forecast=forecast,
    section=SECTION,
    shown=lambda figures, result: shown(figures),
    forms=lambda study: FORMS,
    terminal=screens,
    question=question_name,
)
