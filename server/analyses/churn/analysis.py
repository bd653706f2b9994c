"""What halls need of this room: one object."""

from __future__ import annotations

from privacy.analyses.churn.results import ChurnResult
from server.analyses.churn.model_record import write_model
from server.analyses.churn.run import NAME, forecast, run, weights
from server.analyses.churn.section import SECTION, question_name
from server.analyses.churn.terminal import tables
from server.analysis import ServerAnalysis

ANALYSIS: ServerAnalysis[ChurnResult] = ServerAnalysis(
    name=NAME,
    weights=weights,
    run=run,
    forecast=forecast,
    section=SECTION,
    terminal=tables,
    files=write_model,
    question=question_name,
)
