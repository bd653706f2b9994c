"""Segments on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.ageing import ageing_findings
from privacy.analyses.rfm.results import RfmResult, SchemeFigures, SegmentFigures
from privacy.figures.estimates import Estimate
from privacy.presentation.words import on_terminal, written
from privacy.results import StudyResult

#: From so many columns on there is room for the names in both languages.
_BILINGUAL = 100


def tables(rfm: RfmResult, result: StudyResult, folder: Path) -> Iterator[Segments | Text]:
    """A table for each reported segmentation, and a warning where kept cut points have aged."""
    for figures in rfm.schemes:
        yield Segments(figures=figures, result=result)
    for sentence in ageing_findings(result.study.of(CONTRACT), rfm, result.earlier, "en"):
        yield Text.assemble(("Warning: ", "yellow"), sentence)


@dataclass(frozen=True, kw_only=True)
class Segments:
    """A segmentation's table, as wide as the terminal allows."""

    figures: SchemeFigures
    result: StudyResult

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        names = ("segment", "") if options.max_width >= _BILINGUAL else ("segment",)
        withheld = self.result.totals_withheld
        noise = (
            "noise and rounding; totals are withheld" if withheld else "the privacy noise; counts are customer records"
        )
        table = Table(
            title=f"Segments ({self.figures.scheme}), {self.result.study.as_of}, {self.result.study.currency}",
            caption=f"± is the half-width of the 95% interval of {noise}; under: the noise hides it",
            title_justify="left",
            caption_justify="left",
        )
        for name in names:
            table.add_column(name)
        columns = ("records", "of revenue") if withheld else ("records", "share", "revenue", "share")
        for column in columns:
            table.add_column(column, justify="right")
        cells = _shares if withheld else _totals
        for row in self.figures.segments:
            found = cells(row) or ["suppressed", *[""] * (len(columns) - 1)]
            table.add_row(*(row.en, row.zh)[: len(names)], *found)
        yield table


def _totals(row: SegmentFigures) -> list[str]:
    if row.customers is None or row.revenue is None:
        return []
    return [
        on_terminal(row.customers, decimals=0),
        _share(row.share_of_customers),
        on_terminal(row.revenue, decimals=0),
        _share(row.share_of_revenue),
    ]


def _share(share: Estimate | None) -> str:
    """Without its interval, for which there is no room, and with no digit that this leaves no meaning."""
    return "" if share is None else written(share, "en", decimals=1, scale=100, unit="%").value


def _shares(row: SegmentFigures) -> list[str]:
    if row.suppressed:
        return []
    parts = (row.share_of_customers, row.share_of_revenue)
    return ["" if share is None else on_terminal(share, decimals=1, scale=100, unit="%") for share in parts]
