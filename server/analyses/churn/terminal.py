"""Churn on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from privacy.analyses.churn.results import ChurnResult
from privacy.presentation.texts import Language
from privacy.results import StudyResult
from server.analyses.churn.model_record import MODEL
from server.analyses.churn.rankings import rankings_table
from server.analyses.churn.section import churn_findings
from server.analyses.churn.texts import text


def tables(churn: ChurnResult, result: StudyResult, folder: Path, language: Language) -> Iterator[RenderableType]:
    """What the list holds, how well the model ranks, and where it is."""
    for sentence in churn_findings(result.of(ChurnResult) or churn, churn, language):
        yield Text(sentence)
    days = ", ".join(churn.training_days)
    title = text("terminal_title", language, days=churn.horizon_days, test=churn.test_day, trained=days)
    yield rankings_table(title, (churn.quality, *churn.baselines), language)
    yield Text.from_markup(f"{text('terminal_model', language)} [bold]{escape(str(folder / MODEL))}[/]")
