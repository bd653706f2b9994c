"""History: how often customers buy again and who still does, from one question about their days of purchase."""

from __future__ import annotations

from privacy.analyses.contract import AnalysisContract
from privacy.analyses.history.day_values import DayValues
from privacy.analyses.history.features import FEATURES
from privacy.analyses.history.history_cells import HistoryCells
from privacy.analyses.history.options import HistoryOptions

CONTRACT = AnalysisContract(
    name="history",
    since="0.2.0",
    options=HistoryOptions,
    statistics=(HistoryCells, DayValues),
    reads=lambda options, terms: options.request(terms.as_of),
    questions=lambda options, terms: options.questions(terms),
    features=FEATURES,
)
