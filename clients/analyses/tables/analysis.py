"""What halls need of this room: one object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clients.analyses.tables.labels import FACTS, StandingHistory, StandingSnapshot
from clients.analyses.tables.own import OwnTables, own_tables
from clients.analyses.tables.recipes import RECIPES
from clients.analyses.tables.section import ACTIONS, SECTION
from clients.analyses.tables.standing import is_labelled, own_standing, released_cuts
from clients.analysis import Earlier, HolderAnalysis, HolderContext
from clients.labels.export import publish
from privacy.analyses.tables import CONTRACT
from privacy.analyses.tables.cell_sums import CellSums
from privacy.analyses.tables.results import TablesResult
from privacy.kernel.customers import CustomerRequest
from privacy.results import StudyResult
from privacy.statistics import Rows, Statistic

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


def _is_labelled(context: HolderContext) -> bool:
    return NAME in context.study.analyses and is_labelled(context.study.of(CONTRACT))


def _reads(context: HolderContext) -> Rows:
    """The entries; and what labels are made from, of the same state of the source."""
    rows: Rows = context.rows(context.study.row_requests[NAME]).table
    if _is_labelled(context):
        own_standing(context)
        context.customers(CustomerRequest())
    return rows


def _own(
    context: HolderContext, figures: TablesResult, result: StudyResult, before: Callable[[], Earlier | None]
) -> OwnTables:
    rows = context.rows(context.study.row_requests[NAME])
    own = own_tables(rows.table, context.study, figures)
    return replace(own, standing=_standing(context)) if _is_labelled(context) else own


def _standing(context: HolderContext) -> StandingSnapshot:
    """Where customers stand by what the run released; without cuts of its own, by those of an earlier one."""
    cuts = released_cuts(context.study, context.stated)
    if cuts is None:  # they are public, and free to be used again
        earlier = context.history(StandingHistory).latest(context.study.name, before=context.study.as_of)
        cuts = None if earlier is None else earlier.cuts
    return StandingSnapshot.of(own_standing(context), context.customers(CustomerRequest()), context.study, cuts)


def _label(context: HolderContext) -> Sequence[Path]:
    if not _is_labelled(context):
        return ()
    return publish(lambda: _standing(context), context.history(StandingHistory), context.root)


def _knows(code: str, result: StudyResult) -> bool:
    # Also where a study labels nobody so: its page says nothing of their actions.
    return code in ACTIONS


ANALYSIS: HolderAnalysis[TablesResult, OwnTables] = HolderAnalysis(
    name=NAME,
    fits=_fits,
    own=_own,
    section=SECTION,
    label=_label,
    history=StandingHistory,
    recipes=RECIPES,
    reads=_reads,
    knows=_knows,
    facts=FACTS,
)
