"""What halls need of this room: one object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from clients.analyses.tables.own import OwnTables, own_tables
from clients.analyses.tables.section import SECTION
from clients.analysis import Earlier, HolderAnalysis, HolderContext
from privacy.analyses.tables.cell_sums import CellSums
from privacy.analyses.tables.results import TablesResult
from privacy.results import StudyResult
from privacy.statistics import Statistic

NAME = "tables"


def _fits(figures: TablesResult, answered: Sequence[Statistic[Any]]) -> bool:
    """Whether the tables, their cells and measures are those of the question that was answered."""
    stated = [
        (table.name, len(table.measures), {len(one.values) for one in table.measures}) for table in figures.tables
    ]
    return any(
        isinstance(statistic, CellSums)
        and stated == [(block.name, len(block.measures), {block.cells}) for block in statistic.tables]
        for statistic in answered
    )


def _own(
    context: HolderContext, figures: TablesResult, result: StudyResult, before: Callable[[], Earlier | None]
) -> OwnTables:
    rows = context.rows(context.study.row_requests[NAME])
    return own_tables(rows.table, context.study, figures)


ANALYSIS: HolderAnalysis[TablesResult, OwnTables] = HolderAnalysis(name=NAME, fits=_fits, own=_own, section=SECTION)
