"""Repurchase on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rich.table import Table

from privacy.analyses.repurchase import CONTRACT
from privacy.analyses.repurchase.results import RepurchaseResult
from privacy.analyses.repurchase.words import cohort_name
from privacy.figures.estimates import Estimate
from privacy.presentation.texts import Language
from privacy.presentation.words import on_terminal
from privacy.results import StudyResult
from server.analyses.repurchase.texts import text


def tables(repurchase: RepurchaseResult, result: StudyResult, folder: Path, language: Language) -> Iterator[Table]:
    """One line a cohort."""

    say = partial(text, language=language)

    study = result.study
    again = _written(repurchase.again, language) or say("terminal_not_shown")
    table = Table(
        title=say("terminal_title", day=study.as_of, again=again),
        caption=say("terminal_caption", interval=say("terminal_interval", noise=say("terminal_noise"))),
        title_justify="left",
        caption_justify="left",
    )
    limits = study.of(CONTRACT).within_days
    table.add_column(say("terminal_cohort"))
    for column in (say("terminal_records"), *(say("terminal_within", days=days) for days in limits)):
        table.add_column(column, justify="right")
    for row in repurchase.cohorts:
        customers = on_terminal(row.customers, language, decimals=0)
        table.add_row(cohort_name(row, language), customers, *(_written(rate, language) for rate in row.rates))
    yield table


def _written(rate: Estimate | None, language: Language) -> str:
    return "" if rate is None else on_terminal(rate, language, decimals=1, scale=100, unit="%")
