"""Cells that earlier runs of a study have released: tables with ``release = "new"`` do not ask about them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from privacy.analyses.tables import CONTRACT
from privacy.analyses.tables.cohorts import KnownCells
from privacy.analyses.tables.declared import Table
from privacy.analyses.tables.results import TableFigures, TablesResult
from privacy.errors import ConfigError
from privacy.figures.estimates import Z95, Figures
from privacy.protocol.study import Study
from privacy.results import StudyResult


def released_before(study: Study, before: Sequence[StudyResult]) -> Callable[[str], tuple[int, ...]]:
    """What a study's tables may be cut by: numbers by ``ANALYSIS.NAME`` of the last earlier run that released them.

    Args:
        study: in whose currency numbers must be.
        before: all results of studies of its name, oldest first.
    """

    def found(name: str) -> tuple[int, ...]:
        analysis, _, number = name.partition(".")
        for result in reversed(before):
            figures = getattr(result, analysis, None)
            if not isinstance(figures, Figures) or result.study.currency != study.currency:
                continue
            if result.study.as_of < study.as_of and number in figures.cuts():
                return figures.cuts()[number]
        raise ConfigError(
            f"no earlier run of {study.name} has released {name}, which its tables take",
            hint=f"run it once with {analysis}, or state numbers",
        )

    return found


def with_known_cells(study: Study, before: Sequence[StudyResult]) -> Study:
    """A study whose tables with ``release = "new"`` say which cells are known, and from which run.

    The last earlier run counts that had the table with the same keys beside the months, over the same holders and with
    none missing: cells over other holders are other sums, and are all asked about again.

    Args:
        study: with its tables written out.
        before: all results of studies of its name, oldest first.
    """
    options = study.of(CONTRACT)
    if CONTRACT.name not in study.analyses or all(table.release == "all" for table in options.table):
        return study
    tables = tuple(_known(table, study, before) if table.release == "new" else table for table in options.table)
    return study.model_copy(update={CONTRACT.name: options.model_copy(update={"table": tables})})


def _known(table: Table, study: Study, before: Sequence[StudyResult]) -> Table:
    if table.known is not None:
        return table
    for result in reversed(before):
        found = result.of(TablesResult)
        same = result.study.holders == study.holders and not result.missing and result.study.as_of < study.as_of
        if found is None or not same:
            continue
        for declared, cells in zip(result.study.of(CONTRACT).table, found.tables, strict=True):
            if declared.name == table.name and _alike(declared, table):
                taken = table.model_copy(update={"known": _cells(cells, declared, result)})
                # Nothing has ended since: everything is asked about, as in a first run.
                return taken if taken.asked(taken.written_out(study.as_of, {}), study.as_of) else table
    return table


def _alike(earlier: Table, table: Table) -> bool:
    """Whether a cell of one is a cell of the other: all is the same but how many periods there are."""
    leave = {"by", "known", "usual_cells", "figure", "en", "zh", "part", "release"}
    same = earlier.model_dump(exclude=leave) == table.model_dump(exclude=leave)
    (first, second), (one, other) = earlier.by, table.by
    months = all(use.keys.months is not None or (use.keys.days and use.keys.quarters is None) for use in (first, one))
    return same and second == other and months


def _cells(found: TableFigures, declared: Table, result: StudyResult) -> KnownCells:
    """Cells of an earlier result, which may itself have taken some from an earlier one."""
    written = declared.written_out(result.study.as_of, {})
    cells = found.measures[0]
    margins = cells.margins or (cells.margin,) * len(cells.values)
    return KnownCells(
        origin=f"{result.study.name} {result.study.as_of}",
        closed=result.study.as_of.replace(day=1),
        cohorts=written.by[0].keys.days[:-1],
        values=tuple(round(1000 * value) for value in cells.values),
        deviations=tuple(round(1000 * margin / Z95) for margin in margins),
    )
