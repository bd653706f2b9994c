"""Results whose every figure is where it may not be, and what then stands on terminal, page and in JSON."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

from report_pages import Page
from rich.console import Console
from rich.table import Table

from cohortium.running import texts
from privacy.figures.estimates import Estimate, Value
from privacy.presentation.texts import LANGUAGES
from privacy.results import StudyResult
from server.analyses.catalogue import ANALYSES
from server.report.render import render_report

#: Differences and measured places may be below 0; how observed churn lies beyond 0 and 1 is said beside its picture.
SIGNED = frozenset(("change", "typical", "observed"))
#: Where noise takes figures: to a part of themselves, and by so many margins.
MOVES = {"below": (0.0, -3.0), "to nothing": (0.0, 0.3), "above": (3.0, 0.5)}


def moved(value: Any, how: tuple[float, float]) -> Any:
    """The same with every estimate where it may not be."""
    if isinstance(value, Estimate):
        return Estimate(value=value.value * how[0] + value.margin * how[1], margin=value.margin)
    if isinstance(value, Value):
        return value.model_copy(update={name: moved(item, how) for name, item in value if name not in SIGNED})
    if isinstance(value, tuple) and all(item is None or isinstance(item, Value) for item in value):
        return tuple(moved(item, how) for item in value)
    if isinstance(value, dict):
        return {key: moved(item, how) for key, item in value.items()}
    return value


def noisy(result: StudyResult, name: str, how: str) -> StudyResult:
    """A result with figures of an analysis that cannot be. Money counts as it was spent: net of returns it may be less
    than none."""
    cleaning = result.study.cleaning.model_copy(update={"returns": "drop"})
    study = result.study.model_copy(update={"cleaning": cleaning})
    return result.model_copy(update={"study": study, name: moved(getattr(result, name), MOVES[how])})


def check(words: str) -> None:
    """A figure in words: nothing below 0, no share above 100%."""
    assert not re.search(r"-\s?\d", words), words
    for share in re.findall(r"([\d,.]+)%", words):
        assert float(share.replace(",", "")) <= 100, words


def leaves(value: Any) -> list[str]:
    """All texts of a JSON value, but days."""
    if isinstance(value, dict):
        return [words for key, item in value.items() if key not in ("first", "last") for words in leaves(item)]
    if isinstance(value, list):
        return [words for item in value for words in leaves(item)]
    return [value] if isinstance(value, str) else []


def check_everywhere(result: StudyResult, name: str) -> None:
    """Nothing impossible of an analysis is on the terminal, in the report or in JSON."""
    said = texts(result)
    for language in LANGUAGES:
        assert leaves(said[language][name])
        for words in leaves(said[language][name]):
            check(words)
    console = Console(width=200, record=True, file=io.StringIO())
    analysis = next(analysis for analysis in ANALYSES if analysis.name == name)
    for shown in analysis.terminal(analysis.shown_figures(result), result, Path()):
        if isinstance(shown, Table) or hasattr(shown, "__rich_console__"):
            console.print(shown)
    for line in console.export_text().splitlines():
        if line.startswith("│"):
            check(re.sub(r"\d{4}-\d\d-\d\d", "", line))
    for rows in Page(render_report(result)).rows.values():
        for row in rows:
            for role, words in row:
                if role in ("value", "margin"):
                    check(words)
