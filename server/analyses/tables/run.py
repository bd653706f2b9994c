"""Tables: one question for all of a study's, with the whole budget, and what it will be worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from privacy.analyses.tables import CONTRACT
from privacy.analyses.tables.cell_sums import CellTotals
from privacy.analyses.tables.declared import Table
from privacy.analyses.tables.figures import cells_of, result_of
from privacy.analyses.tables.grid import Cells
from privacy.analyses.tables.results import TablesResult
from privacy.errors import ConfigError
from privacy.figures.estimates import Z95
from privacy.kernel.declarations import CellTable
from privacy.kernel.feeds import Declared
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.analyses.tables.catalogue import written_out
from server.analyses.tables.earlier import released_before, with_known_cells
from server.analysis import Ask, Planned
from server.analysis.expectation import Expectation

NAME = "tables"
TITLE = "cells"

#: A cell of average size that is off by more of itself is warned of.
_TOO_WIDE = 0.5
#: A cell that is smaller than so many half-widths of its interval says nothing but that it is small.
_SAYS_NOTHING = 2.0


def weights(study: Study) -> dict[str, Fraction]:
    """Title of each question to its share of the budget."""
    return {TITLE: Fraction(1)}


def resolve(study: Study, before: Sequence[StudyResult]) -> Study:
    """A study with its tables written out, whose figures can all be made.

    Raises:
        ConfigError: naming the table or figure that cannot be.
    """
    found = with_known_cells(written_out(study, released_before(study, before)), before)
    if NAME in found.analyses:
        _figures(found, _empty(found, 0.0))  # every sum of every figure is looked up once, before anything is asked
    return found


def run(study: Study, ask: Ask, planned: Planned) -> TablesResult:
    """The analysis.

    Args:
        study: what was agreed.
        ask: asks a question by its title.
        planned: the noise that a question is planned to have, by its title.
    """
    release = ask(TITLE, study.of(CONTRACT).question(study))
    found = _figures(study, _cells(study, release.array, release.deviation))
    return _with_holders(found, study, [release.feeds.get(holder, {}) for holder in release.holders])


def refuse(study: Study, planned: Planned) -> None:
    """Refuse a study with a table that would say nothing whatever its customers do.

    Raises:
        ConfigError: naming the table, and what would help.
    """
    study = written_out(study)
    tables = decoded(study, planned)
    figures = _figures(study, [_evenly_filled(cells, study.budget.size_class) for cells in tables]).tables
    for cells, found in zip(tables, figures, strict=True):
        if _hidden_below(cells) > study.budget.size_class:
            raise ConfigError(
                f"{cells.declared.name} would say nothing: the noise of a cell hides up to "
                f"{_hidden_below(cells):,.0f} customers, and the study expects {study.budget.size_class:,}",
                hint=_help(cells, study),
            )
        shown = [point for figure in found.figures for point in figure.points if point.estimate is not None]
        if found.figures and not shown:
            raise ConfigError(
                f"{cells.declared.name} would say nothing: none of its figures could be told from noise, if "
                f"{study.budget.size_class:,} customers filled its cells alike",
                hint=_help(cells, study),
            )


def exact(study: Study, totals: Callable[[CellTable], Sequence[Sequence[int]]]) -> TablesResult:
    """What the figures are without noise, if these are the tables' cells.

    Args:
        study: with its tables written out.
        totals: of a table that is written out: measures of each cell, in smallest units, nobody cut off or scaled.
    """
    options = study.of(CONTRACT)
    tables = tuple(table.model_copy(update={"known": None}) for table in options.table)
    options = options.model_copy(update={"table": tables, "floor": 1})
    cells = []
    for table, written, block in zip(
        tables, options.request(study.as_of).tables, options.question(study).tables, strict=True
    ):
        none = np.zeros(len(block.measures))
        whole = block.model_copy(update={"lost": 0})
        values = np.array(totals(written), dtype=np.float64)
        found = CellTotals(block=whole, totals=values, deviations=none, lost=0.0, lost_deviation=0.0)
        cells.append(cells_of(study, table, written, found))
    return result_of(options, study, cells)


def _evenly_filled(cells: Cells, customers: int) -> Cells:
    """A table whose customers fill the usual number of cells, all alike, with a quarter of what caps let count."""
    each = customers * cells.declared.usual_cells / cells.written.cells
    values = [1.0 if measure.cap is None else max(1.0, measure.most / 4) for measure in cells.declared.measure]
    return replace(cells, totals=np.broadcast_to(each * np.array(values), cells.totals.shape))


def _with_holders(result: TablesResult, study: Study, feeds: Sequence[Declared]) -> TablesResult:
    """With how many holders have what each table reads; a holder without it is in the sum with zeros."""
    written = study.of(CONTRACT).request(study.as_of).tables
    return result.model_copy(
        update={
            "tables": tuple(
                table.model_copy(
                    update={"holders": sum(one.is_found_in(declared) for declared in feeds), "of_holders": len(feeds)}
                )
                for table, one in zip(result.tables, written, strict=True)
            )
        }
    )


def _figures(study: Study, cells: Sequence[Cells]) -> TablesResult:
    return result_of(study.of(CONTRACT), study, cells)


def _cells(study: Study, values: np.ndarray[tuple[int], np.dtype[np.int64]], deviation: float) -> list[Cells]:
    options = study.of(CONTRACT)
    written, question = options.request(study.as_of).tables, options.question(study)
    return [
        cells_of(study, *parts)
        for parts in zip(options.table, written, question.decode(values, deviation), strict=True)
    ]


def decoded(study: Study, planned: Planned) -> list[Cells]:
    """Tables without customers, with the noise that is planned."""
    question = study.of(CONTRACT).question(study)
    return _empty(study, planned(TITLE, question).released_deviation)


def _empty(study: Study, deviation: float) -> list[Cells]:
    """Tables without customers, with noise of this deviation in integer units."""
    question = study.of(CONTRACT).question(study)
    return _cells(study, np.zeros(question.dim, dtype=np.int64), deviation)


def _hidden_below(cells: Cells) -> float:
    """Customers, or units of the first measure, below which a cell says nothing."""
    return float(_SAYS_NOTHING * Z95 * cells.fresh[0])


def forecast(study: Study, planned: Planned) -> tuple[Expectation, ...]:
    """For every table how far off a cell will be, if customers fill one cell each and fill all cells alike."""
    study = written_out(study)
    return tuple(_expectations(study, decoded(study, planned)))


def _expectations(study: Study, tables: Sequence[Cells]) -> Iterator[Expectation]:
    size = study.budget.size_class
    for cells in tables:
        name, margin = cells.declared.name, Z95 * float(cells.fresh[0])
        average = size / cells.written.cells
        part = margin / average
        text = f"{name}  a cell off by up to {margin:,.0f} {_noun(cells)}, {_percent(part)} of an average one; " \
            f"below {_hidden_below(cells):,.0f} it says nothing"  # fmt: skip
        too_wide = f"{name}: a cell of average size will be off by {_percent(part)}. {_help(cells, study)}"
        warnings = [too_wide if part > _TOO_WIDE else "", _pooled(cells.declared)]
        warning = " ".join(filter(None, warnings))
        yield Expectation(analysis=NAME, code=f"cell_{name}", value=margin, text=text, warning=warning)


def _pooled(table: Table) -> str:
    """What to write where arms of several shares would be added up; empty where they are not."""
    by_arm = any(use.dimension == "sent.arm" for use in table.by)
    if not by_arm or (table.events is not None and table.events.hold_out is not None):
        return ""
    return (
        f"{table.name}: arms that holders drew with several shares do not pool, and it states none. If all leave a "
        f"tenth alone, write [tables.change.{table.name}] hold_out = 0.1."
    )


def _percent(part: float) -> str:
    return f"{100 * part:.0f}%" if part < 10 else f"{part:.0f} times"


def _noun(cells: Cells) -> str:
    """What the first measure counts."""
    unit = cells.declared.measure[0].meaning.unit
    return {"customers": "customers", "share": "customers' worth", "count": "events"}.get(unit, "units")


def _help(cells: Cells, study: Study) -> str:
    """What would make a table exact enough: fewer keys first, then a larger consortium, then a larger budget."""
    margin, shape = Z95 * float(cells.fresh[0]), cells.written.shape
    needed = _rounded_up(margin * cells.written.cells / _TOO_WIDE)
    fewer = [use.dimension for use in cells.written.by if use.keys.count > 4]
    advice = [f"take fewer keys of {' or '.join(fewer)}"] if fewer else []
    if any(use.keys.days for use in cells.written.by) and any(use.keys.months for use in cells.declared.by):
        advice.append("take quarters for months")
    if len(shape) > 1:
        advice.append("read it by figures that add up one dimension")
    if len(study.of(CONTRACT).table) > 1:
        advice.append("ask fewer tables")
    advice.append(f"or ask it of {needed:,} customers or more")
    joined = "; ".join(advice)
    return f"{joined[0].upper()}{joined[1:]}."


def _rounded_up(number: float) -> int:
    """A number with two digits, rounded up."""
    unit: int = 10 ** max(0, math.floor(math.log10(max(number, 1.0))) - 1)
    return math.ceil(number / unit) * unit
