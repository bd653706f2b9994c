"""Repurchase on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from privacy.analyses.repurchase import CONTRACT
from privacy.analyses.repurchase.results import RepurchaseResult
from privacy.analyses.repurchase.words import cohort_name
from privacy.figures.estimates import Estimate
from privacy.presentation.words import on_terminal
from privacy.results import StudyResult


def tables(repurchase: RepurchaseResult, result: StudyResult, folder: Path) -> Iterator[Table]:
    """One line a cohort."""
    study = result.study
    again = _written(repurchase.again) or "not shown"
    table = Table(
        title=f"Repurchase, {study.as_of}: with a second order {again}",
        caption="± is the half-width of the 95% interval of the privacy noise; counts are customer records; "
        "empty: not over yet, or too few customers for the noise",
        title_justify="left",
        caption_justify="left",
    )
    limits = study.of(CONTRACT).within_days
    for column in ("first order in", "records", *(f"within {days} days" for days in limits)):
        table.add_column(column, justify="left" if column == "first order in" else "right")
    for row in repurchase.cohorts:
        customers = on_terminal(row.customers, decimals=0)
        table.add_row(cohort_name(row, "en"), customers, *(_written(rate) for rate in row.rates))
    yield table


def _written(rate: Estimate | None) -> str:
    return "" if rate is None else on_terminal(rate, decimals=1, scale=100, unit="%")
