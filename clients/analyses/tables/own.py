"""The holder's own figures: exact, from its own rows, cut off as the consortium's are, beside what was released."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clients.analyses.tables.labels import StandingSnapshot
from clients.analysis.comparison import Compared, compare
from privacy.analyses.tables import CONTRACT
from privacy.analyses.tables.cell_sums import CellSums
from privacy.analyses.tables.figures import cells_of, result_of
from privacy.analyses.tables.grid import Cells, Grid
from privacy.analyses.tables.named import Named, named_tables
from privacy.analyses.tables.results import FigureValues, TableFigures, TablesResult
from privacy.analyses.tables.shown import shown
from privacy.figures.estimates import Z95, Estimate
from privacy.kernel.cells import CellRows
from privacy.kernel.row_arithmetic import FloatArray
from privacy.protocol.study import Study

#: Values of a figure that are set beside each other; of longer ones the report has all.
MOST_POINTS = 60


@dataclass(frozen=True, kw_only=True)
class Line:
    """One value of a figure: the holder's beside the consortium's; None where the holder's does not exist."""

    keys: tuple[str, ...]
    compared: Compared | None


@dataclass(frozen=True, kw_only=True)
class OwnFigure:
    """One figure, value by value."""

    figure: FigureValues
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class OwnTable:
    """One table; ``customers`` of the holder have an entry in it."""

    named: Named
    customers: int
    figures: tuple[OwnFigure, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnTables:
    """Everything that is the same in both languages.

    Attributes:
        tables: each of the study's.
        comparisons: how many verdicts there are.
        standing: where customers stand; None where the study labels nobody so.
    """

    tables: tuple[OwnTable, ...]
    comparisons: int
    standing: StandingSnapshot | None = None

    def __repr__(self) -> str:
        return "OwnTables(<private>)"


def own_tables(rows: CellRows, study: Study, released: TablesResult) -> OwnTables:
    """Work out a holder's own figures.

    Args:
        rows: its entries.
        study: the study.
        released: the analysis' result.
    """
    options = study.of(CONTRACT)
    # A holder has all of its own cells, also those that this run took from an earlier one.
    options = options.model_copy(
        update={"table": tuple(table.model_copy(update={"known": None}) for table in options.table)}
    )
    question = options.question(study)
    exact = question.decode(question.encode_sum(rows), 0.0)
    written = options.request(study.as_of).tables
    cells = [cells_of(study, *parts) for parts in zip(options.table, written, exact, strict=True)]
    by_name = {one.declared.name: one for one in cells}
    own = result_of(options.model_copy(update={"floor": 1}), study, cells)
    chance = _Chance(question, rows, by_name)
    comparisons = max(1, sum(1 for table in released.tables for figure in table.figures for _ in _compared(figure)))
    tables = []
    named = named_tables(options, study.as_of, released)
    for (name, everyone), mine, as_shown in zip(
        named, own.tables, shown(released, net=study.cleaning.returns == "net").tables, strict=True
    ):
        weight = _weight(mine, everyone)
        figures = tuple(
            _figure(name, parts, chance, weight, comparisons)
            for parts in zip(mine.figures, everyone.figures, as_shown.figures, strict=True)
            if _is_told(parts[1])
        )
        place = [table.name for table in options.table].index(everyone.name)
        customers = len(np.unique(rows.customer[rows.table == place]))
        tables.append(OwnTable(named=name, customers=customers, figures=figures))
    return OwnTables(tables=tuple(tables), comparisons=comparisons)


def _is_told(figure: FigureValues) -> bool:
    """Whether a figure can be compared: no plain totals, which only say who is larger; and not too long to be read."""
    return figure.unit in ("share", "amount", "number") and len(figure.points) <= MOST_POINTS


def _compared(figure: FigureValues) -> Iterator[Estimate]:
    if _is_told(figure):
        yield from (point.estimate for point in figure.points if point.estimate is not None)


def _weight(own: TableFigures, everyone: TableFigures) -> float:
    """The holder's part of the first measure."""
    total, mine = (sum(table.measures[0].values) for table in (everyone, own))
    return min(max(mine / total, 0.0), 1.0) if total > 0 else 0.0


def _figure(
    named: Named,
    figures: tuple[FigureValues, FigureValues, FigureValues],
    chance: _Chance,
    weight: float,
    comparisons: int,
) -> OwnFigure:
    own, everyone, as_shown = figures
    lines = []
    margins = chance.margins(named, own)
    for mine, released, seen, margin in zip(own.points, everyone.points, as_shown.points, margins, strict=True):
        compared = None
        if mine.estimate is not None and margin is not None:
            exact = Estimate(value=mine.estimate.value, margin=margin)
            compared = compare(exact, released.estimate, weight=weight, comparisons=comparisons, shown=seen.estimate)
        lines.append(Line(keys=released.keys, compared=compared))
    return OwnFigure(figure=as_shown, lines=tuple(lines))


class _Chance:
    """What chance may explain of an own figure: who happened to be a customer here.

    Of a quotient ``r = a / b`` of sums over customers the variance is about ``sum (a_i - r b_i)^2 / b^2``. Source:
    W. G. Cochran, "Sampling Techniques" (3rd edition, 1977), section 6.3, for a large population.
    """

    def __init__(self, question: CellSums, rows: CellRows, cells: dict[str, Cells]) -> None:
        parts = [np.stack(part) for part in question.entries(rows)]
        joined = np.concatenate(parts, axis=1) if parts else np.zeros((3, 0), dtype=np.int64)
        self._customers, self._coordinates, self._integers = joined
        self._number, self._question, self._cells = len(rows), question, cells

    def margins(self, named: Named, own: FigureValues) -> list[float | None]:
        """Half-widths of 95% intervals of a figure's values; None where the holder has no customers below."""
        figure, cells = named.figure(own.name), self._cells[named.table.name]
        if figure.parsed.kind in ("survival", "median"):
            return [self._of_share(point.estimate, cells) for point in own.points]
        grid = Grid(figure, cells, self._cells)
        found: list[float | None] = []
        for point in grid.points:
            totals = grid.totals(point)
            below = None if totals is None or len(totals) != 2 else totals[1].value
            if totals is None or not below or below <= 0:
                found.append(None)
                continue
            a, b = (self._sums(total.table, total.measure, total.places) for total in totals)
            away = a - totals[0].value / below * b
            least = 1 / below if own.unit == "share" else 0.0  # nobody, or everybody: still not certain
            found.append(Z95 * max(float(np.sqrt((away * away).sum())) / below, least))
        return found

    def _of_share(self, estimate: Estimate | None, cells: Cells) -> float | None:
        count = float(cells.totals[:, 0].sum())
        if estimate is None or count < 1 or estimate.value > 1:
            return None
        return float(Z95 * np.sqrt(max(estimate.value * (1 - estimate.value), 1 / count) / count))

    def _sums(self, table: str, measure: int, places: NDArray[np.int64]) -> FloatArray:
        """Each customer's part of a sum of cells, in whole units."""
        blocks: Sequence[str] = [block.name for block in self._question.tables]
        number = blocks.index(table)
        block = self._question.tables[number]
        wanted = np.zeros(self._question.dim, dtype=np.bool_)
        wanted[self._question.offsets[number] + places * len(block.measures) + measure] = True
        mine = wanted[self._coordinates]
        cells = self._cells[table]
        units = block.measures[measure].cap / block.amplitudes[measure] / cells.smallest[measure]
        values = self._integers[mine] * units
        return np.asarray(np.bincount(self._customers[mine], weights=values, minlength=self._number))
