"""Which released cells a figure adds up: from a formula's sums to places in tables, for every point of the figure."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.tables.cohorts import COHORTS, last_months, month_of
from privacy.analyses.tables.declared import Figure, Table
from privacy.analyses.tables.formulas import EACH, Linear
from privacy.errors import ConfigError
from privacy.figures.estimates import Z95
from privacy.kernel.declarations import CellTable
from privacy.kernel.row_arithmetic import FloatArray

Places = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """A table's released cells.

    Attributes:
        declared: the table as the study has it.
        written: the same, written out.
        totals: shape ``(cells, measures)``, in whole units.
        deviations: of the noise; the same shape.
        closed: shape ``(cells,)``: whether a cell's time is over. A cell whose time is not over may fill up yet.
        fresh: deviations of the noise of cells that were asked about, by measure.
        smallest: smallest units in a whole one, by measure.
        lost: share of the first measure that is not counted, with its standard deviation; None where it was not asked.
    """

    declared: Table
    written: CellTable
    totals: FloatArray
    deviations: FloatArray
    closed: NDArray[np.bool_]
    smallest: tuple[int, ...]
    fresh: FloatArray
    lost: tuple[float, float] | None = None

    @property
    def keys(self) -> tuple[tuple[str, ...], ...]:
        """Spelled keys of each dimension."""
        return tuple(use.keys.spelled for use in self.written.by)

    @property
    def margins(self) -> FloatArray:
        """Half-widths of 95% intervals of single cells, by measure; the largest where cells differ."""
        return np.asarray(Z95 * self.deviations.max(axis=0))

    def measure(self, name: str) -> int:
        """Place of a measure; the first where none is named."""
        return [one.name for one in self.declared.measure].index(name) if name else 0


def closed_cells(table: CellTable, as_of: dt.date) -> NDArray[np.bool_]:
    """By cell: whether its time is over on a day. Of cohorts by months since the first order, some are not.

    A month is over on the first day of the next one. It is the day that decides, not the last cohort: of cohorts that
    are a year old, all twelve months are over.
    """
    if tuple(use.dimension for use in table.by) != COHORTS:
        return np.ones(table.cells, dtype=np.bool_)
    return np.asarray(last_months(table) < month_of(as_of))


@dataclass(frozen=True, kw_only=True, eq=False)
class Total:
    """A sum of cells.

    Attributes:
        value: in whole units.
        table, measure: whose cells.
        places: their numbers, each once.
        variances: of the noise in each of them.
    """

    value: float
    table: str
    measure: int
    places: Places
    variances: FloatArray

    @property
    def variance(self) -> float:
        """Of the noise in the sum."""
        return float(self.variances.sum())

    def common(self, other: Total) -> int:
        """How many cells are in both sums."""
        if (self.table, self.measure) != (other.table, other.measure):
            return 0
        return len(np.intersect1d(self.places, other.places))

    def covariance(self, other: Total) -> float:
        """Of the noise in two sums: that of the cells in both."""
        if not self.common(other):
            return 0.0
        return float(self.variances[np.isin(self.places, other.places)].sum())


class Grid:
    """A figure's points, and the sums at each.

    Attributes:
        free: places of the dimensions that the figure has a value for each key of.
    """

    def __init__(self, figure: Figure, own: Cells, tables: Mapping[str, Cells]) -> None:
        """Take a figure apart.

        Args:
            figure: of the table.
            own: the table's cells.
            tables: the cells of all tables, by name.

        Raises:
            ConfigError: if a sum of another table has a dimension that is neither added up nor one of this table's.
        """
        self.own, self.tables, self.figure = own, tables, figure
        self.where = f"{own.declared.name}.{figure.name}"
        names = own.declared.dimensions
        mine = [term for term in figure.parsed.terms if not term.table]
        self.free = tuple(
            place
            for place, name in enumerate(names)
            if name not in figure.over and not all(self._settled(term, name) for term in mine or [Linear()])
        )
        self.over = tuple(place for place, name in enumerate(names) if name in figure.over)

    def _settled(self, term: Linear, dimension: str) -> bool:
        """Whether a sum of this table says itself what becomes of a dimension."""
        place = self.own.declared.dimensions.index(dimension)
        ordered = self.own.written.by[place].meaning.grain == "ordered"
        reached = ordered and bool(term.reached) and term.reached != EACH
        return reached or dimension in term.added or dimension in dict(term.fixed)

    @property
    def points(self) -> Iterator[tuple[int, ...]]:
        """Keys' places of the free dimensions, the last one fastest."""
        return itertools.product(*(range(self.own.written.shape[place]) for place in self.free))

    def totals(self, point: Sequence[int]) -> list[Total] | None:
        """The figure's sums at a point, in the formula's order; None where the time of none of their cells is over.

        What is added up under ``over`` is added up on all sides over the same keys, so that a quotient never has a cell
        above whose time is not over, and below the one that belongs to it.
        """
        terms = self.figure.parsed.terms
        gathered: list[list[Places]] = [[] for _ in terms]
        for keys in itertools.product(*(range(self.own.written.shape[place]) for place in self.over)):
            known = {**dict(zip(self.free, point, strict=True)), **dict(zip(self.over, keys, strict=True))}
            found = [self._places(term, known) for term in terms]
            mine = [places for term, places in zip(terms, found, strict=True) if not term.table]
            if all(self.own.closed[places].all() for places in mine):
                for places, more in zip(gathered, found, strict=True):
                    places.append(more)
        if any(not places for places in gathered):
            return None
        totals = [self._total(term, np.unique(np.concatenate(of))) for term, of in zip(terms, gathered, strict=True)]
        self._check_apart(totals)
        return totals

    def _check_apart(self, totals: Sequence[Total]) -> None:
        """The two quotients of a difference must be of other cells, or the same: else their noise is not independent.

        Raises:
            ConfigError: if they have some cells in common.
        """
        first, second = totals[:2], totals[2:]
        common = any(one.common(other) for one in first for other in second)
        same = all(np.array_equal(one.places, other.places) for one, other in zip(first, second, strict=False))
        if second and common and not same:
            raise ConfigError(
                f"{self.where}: its two quotients have cells in common", hint="take quotients of other keys"
            )

    def _total(self, term: Linear, places: Places) -> Total:
        cells = self.tables[term.table] if term.table else self.own
        measure = cells.measure(term.measure)
        return Total(
            value=float(cells.totals[places, measure].sum()),
            table=cells.declared.name,
            measure=measure,
            places=places,
            variances=np.asarray(cells.deviations[places, measure] ** 2),
        )

    def _places(self, term: Linear, known: Mapping[int, int]) -> Places:
        cells = self.tables[term.table] if term.table else self.own
        chosen = [self._chosen(term, cells, place, known) for place in range(len(cells.written.by))]
        return np.ravel_multi_index(np.ix_(*chosen), cells.written.shape).ravel()

    def _chosen(self, term: Linear, cells: Cells, place: int, known: Mapping[int, int]) -> list[int]:
        """Places of a dimension's keys that a sum takes."""
        use = cells.written.by[place]
        fixed = dict(term.fixed)
        every = list(range(use.keys.count))
        if use.dimension in fixed:
            return [use.keys.place(fixed[use.dimension], self.where)]
        if use.meaning.grain == "ordered" and term.reached:
            start = known[place] if term.reached == EACH else use.keys.place(term.reached, self.where)
            return every[start:]
        if use.dimension in term.added:
            return every
        if cells is self.own:
            return [known[place]]
        for mine, other in enumerate(self.own.written.by):
            alike = other.dimension.rpartition(".")[2] == use.dimension.rpartition(".")[2] and other.tag == use.tag
            if alike and other.keys == use.keys and mine in known:
                return [known[mine]]
        if use.dimension in self.figure.over:
            return every
        raise ConfigError(
            f"{self.where}: {term.table} is by {use.dimension}, which {self.own.declared.name} does not have",
            hint=f'add it up: over = "{use.dimension}", or give both tables the same keys',
        )
