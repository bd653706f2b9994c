"""Next purchases on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from privacy.analyses.history.results import HistoryResult
from privacy.presentation.texts import Language
from privacy.presentation.words import on_terminal
from privacy.results import StudyResult
from server.analyses.history.section import findings
from server.analyses.history.texts import text
from server.analysis.section import ReportView


def screens(history: HistoryResult, result: StudyResult, folder: Path, language: Language) -> Iterator[RenderableType]:
    """What the report finds, and who buys within each of the horizons."""
    for sentence in findings(ReportView(figures=history, result=result, language=language, text=text)):
        yield Text(sentence)
    say = partial(text, language=language)
    screen = Table(title=say("terminal_title", day=result.study.as_of), title_justify="left")
    screen.add_column(say("column_ahead"))
    screen.add_column(say("column_buyers"), justify="right")
    screen.add_column(say("column_purchases"), justify="right")
    for one in history.ahead:
        screen.add_row(
            say("in_days", days=one.upto),
            on_terminal(one.buyers, language, decimals=1, scale=100, unit="%"),
            on_terminal(one.purchases, language, decimals=0),
        )
    yield screen
