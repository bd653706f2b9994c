"""Segments on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from privacy.analyses.rfm.results import RfmResult, SchemeFigures
from privacy.presentation.words import on_terminal
from privacy.results import StudyResult


def tables(rfm: RfmResult, result: StudyResult, folder: Path) -> Iterator[Table]:
    """A table for each reported segmentation."""
    for figures in rfm.schemes:
        yield _shares(figures, result) if result.totals_withheld else _totals(figures, result)


def _table(figures: SchemeFigures, result: StudyResult, caption: str, *columns: str) -> Table:
    table = Table(
        title=f"Segments ({figures.scheme}), {result.study.as_of}, {result.study.currency}",
        caption=caption,
        title_justify="left",
        caption_justify="left",
    )
    for column in ("segment", "", *columns):
        table.add_column(column, justify="left" if column in ("segment", "") else "right")
    return table


def _totals(figures: SchemeFigures, result: StudyResult) -> Table:
    caption = "± is the half-width of the 95% interval of the privacy noise; counts are customer records"
    table = _table(figures, result, caption, "records", "share", "revenue", "share")
    for row in figures.segments:
        if row.customers is None or row.revenue is None:
            table.add_row(row.en, row.zh, "suppressed", "", "", "")
            continue
        table.add_row(
            row.en,
            row.zh,
            on_terminal(row.customers, decimals=0),
            "" if row.share_of_customers is None else f"{row.share_of_customers.value:.1%}",
            on_terminal(row.revenue, decimals=0),
            "" if row.share_of_revenue is None else f"{row.share_of_revenue.value:.1%}",
        )
    return table


def _shares(figures: SchemeFigures, result: StudyResult) -> Table:
    caption = "± is the half-width of the 95% interval of noise and rounding; totals are withheld"
    table = _table(figures, result, caption, "records", "of revenue")
    for row in figures.segments:
        parts = (row.share_of_customers, row.share_of_revenue)
        shown = ["" if share is None else on_terminal(share, decimals=1, scale=100, unit="%") for share in parts]
        table.add_row(row.en, row.zh, *(["suppressed", ""] if row.suppressed else shown))
    return table
