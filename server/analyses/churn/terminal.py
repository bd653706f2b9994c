"""Churn on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from privacy.analyses.churn.results import ChurnResult
from privacy.results import StudyResult
from server.analyses.churn.model_record import MODEL
from server.analyses.churn.rankings import rankings_table
from server.analyses.churn.section import churn_findings


def tables(churn: ChurnResult, result: StudyResult, folder: Path) -> Iterator[RenderableType]:
    """What the list holds, how well the model ranks, and where it is."""
    for sentence in churn_findings(result.of(ChurnResult) or churn, churn, "en"):
        yield Text(sentence)
    days = ", ".join(churn.training_days)
    title = f"Churn within {churn.horizon_days} days, tested on {churn.test_day} (trained on {days})"
    yield rankings_table(title, (churn.quality, *churn.baselines))
    yield Text.from_markup(f"Model: [bold]{escape(str(folder / MODEL))}[/]")
