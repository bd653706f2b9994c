"""Segments on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rich.table import Table
from rich.text import Text

from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.ageing import ageing_findings
from privacy.analyses.rfm.results import RfmResult, SchemeFigures, SegmentFigures
from privacy.figures.estimates import Estimate
from privacy.presentation.texts import Language, of_its_own
from privacy.presentation.words import on_terminal, written
from privacy.results import StudyResult
from server.analyses.rfm.findings import concentration_findings
from server.analyses.rfm.texts import text


def tables(rfm: RfmResult, result: StudyResult, folder: Path, language: Language) -> Iterator[Table | Text]:
    """A table for each segmentation that totals are known of, and a warning where kept cut points have aged."""
    for figures in rfm.segmentations:
        yield _table(figures, result, language)
    for sentence in concentration_findings(rfm, language):
        yield Text(sentence)
    for sentence in ageing_findings(result.study.of(CONTRACT), rfm, result.earlier, language):
        yield Text.assemble((text("terminal_warning", language), "yellow"), sentence)


def _table(figures: SchemeFigures, result: StudyResult, language: Language) -> Table:
    say = partial(text, language=language)

    withheld = result.totals_withheld
    interval = say("terminal_interval", noise=say("terminal_withheld" if withheld else "terminal_noise"))
    table = Table(
        title=say("terminal_title", scheme=figures.scheme, day=result.study.as_of, currency=result.study.currency),
        caption=say("terminal_hidden", interval=interval),
        title_justify="left",
        caption_justify="left",
    )
    table.add_column(say("terminal_segment"))
    columns = ["terminal_records", "terminal_of_revenue"]
    if not withheld:
        columns = ["terminal_records", "terminal_share", "terminal_revenue", "terminal_share"]
    for column in columns:
        table.add_column(say(column), justify="right")
    cells = _shares if withheld else _totals
    for row in figures.segments:
        found = cells(row, language) or [say("terminal_suppressed"), *[""] * (len(columns) - 1)]
        table.add_row(of_its_own(row, language), *found)
    return table


def _totals(row: SegmentFigures, language: Language) -> list[str]:
    if row.customers is None or row.revenue is None:
        return []
    return [
        on_terminal(row.customers, language, decimals=0),
        _share(row.share_of_customers, language),
        on_terminal(row.revenue, language, decimals=0),
        _share(row.share_of_revenue, language),
    ]


def _share(share: Estimate | None, language: Language) -> str:
    """Without its interval, for which there is no room, and with no digit that this leaves no meaning."""
    return "" if share is None else written(share, language, decimals=1, scale=100, unit="%").value


def _shares(row: SegmentFigures, language: Language) -> list[str]:
    if row.suppressed:
        return []
    parts = (row.share_of_customers, row.share_of_revenue)
    return ["" if share is None else on_terminal(share, language, decimals=1, scale=100, unit="%") for share in parts]
