"""What halls need of this room: one object."""

from __future__ import annotations

from fractions import Fraction

from privacy.analyses.churn.results import ChurnResult
from privacy.analyses.churn.shown import shown
from server.analyses.churn.earlier import with_known_model
from server.analyses.churn.model_record import write_model
from server.analyses.churn.run import NAME, forecast, run, weights
from server.analyses.churn.section import FORMS, SECTION, question_name
from server.analyses.churn.terminal import tables
from server.analysis import ServerAnalysis

ANALYSIS: ServerAnalysis[ChurnResult] = ServerAnalysis(
    name=NAME,
    weights=weights,
    part=Fraction(45, 100),
    run=run,
    forecast=forecast,
    section=SECTION,
    shown=lambda figures, result: shown(figures),
    forms=lambda study: FORMS,
    terminal=tables,
    files=write_model,
    resolve=with_known_model,
    question=question_name,
)
