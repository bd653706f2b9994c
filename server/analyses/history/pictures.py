"""What the report's section on next purchases draws (:mod:`privacy.presentation.charts`)."""

from __future__ import annotations

import numpy as np

from privacy.analyses.history.buying import Bought
from privacy.analyses.history.results import HistoryResult
from privacy.presentation import charts
from privacy.presentation.charts import Shade
from privacy.presentation.pictures import SCORES, Form, Width
from privacy.presentation.texts import Language
from server.analyses.history.texts import text

#: Days of purchase, and days since the last one, for which it is said who buys soon.
_BOUGHT = (1, 2, 3, 5, 8, 13)
_SILENT = (7, 30, 60, 90, 180, 365)
#: From the first to the last day of purchase of those who have several.
SPREAD_DAYS = 180


def buying_soon(history: HistoryResult, language: Language, width: Width) -> str:
    """Probability to buy within the horizon by days of purchase so far and days since the last one."""
    bought, silent = np.meshgrid(np.array(_BOUGHT, dtype=float), np.array(_SILENT, dtype=float), indexing="ij")
    last = np.where(bought > 1, float(SPREAD_DAYS), 0.0)
    found = history.model.buys_within(Bought(bought - 1, last, last + silent), history.ahead_days)
    cells = [[Shade(min(int(len(SCORES) * value), len(SCORES) - 1), f"{100 * value:.0f}") for value in row]
             for row in found.tolist()]  # fmt: skip
    form = Form(
        alt=text("picture_soon", language, days=history.ahead_days, spread=SPREAD_DAYS),
        salt=f"history-soon-{language}",
        width=width,
    )
    rows = [text("row_bought", language, count=count) for count in _BOUGHT]
    return charts.heat_map(rows, [f"{days}" for days in _SILENT], cells, form)
