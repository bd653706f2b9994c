"""Look-alikes on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from privacy.analyses.lookalikes.results import LookalikesResult
from privacy.presentation.texts import Language
from privacy.presentation.words import on_terminal
from privacy.results import StudyResult
from server.analyses.lookalikes.section import findings
from server.analyses.lookalikes.texts import text
from server.analysis.section import ReportView


def screens(found: LookalikesResult, result: StudyResult, folder: Path, language: Language) -> Iterator[RenderableType]:
    """What the report finds, and what lists of several lengths hold."""
    for sentence in findings(ReportView(figures=found, result=result, language=language, text=text)):
        yield Text(sentence)
    say = partial(text, language=language)
    if found.quality is None:
        return
    screen = Table(title=say("terminal_title", day=found.test_day), title_justify="left")
    screen.add_column(say("lists_length"))
    for key in ("lists_rate", "lists_share"):
        screen.add_column(say(key), justify="right")
    for item in found.quality.lists:
        screen.add_row(
            say("lists_part", part=f"{100 * item.part:g}"),
            on_terminal(item.rate, language, decimals=1, scale=100),
            on_terminal(item.share, language, decimals=1, scale=100),
        )
    yield screen
