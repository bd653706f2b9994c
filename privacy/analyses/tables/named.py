"""What the tables of a study are called: declarations beside results, by name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from privacy.analyses.tables.declared import Figure, Table
from privacy.analyses.tables.options import TablesOptions
from privacy.analyses.tables.results import FigureValues, TableFigures, TablesResult
from privacy.analyses.tables.words import key_name
from privacy.kernel.declarations import CellTable, DimensionUse
from privacy.presentation.texts import Language


@dataclass(frozen=True, kw_only=True)
class Named:
    """A table's declaration, and the same written out."""

    table: Table
    written: CellTable

    def figure(self, name: str) -> Figure:
        """A figure by its name."""
        return next(figure for figure in self.table.figure if figure.name == name)

    def use(self, dimension: str) -> DimensionUse:
        """A dimension with its keys, by its name."""
        return next(use for use in self.written.by if use.dimension == dimension)

    def keys(self, figure: FigureValues, place: int, language: Language) -> list[str]:
        """Names of the keys of a figure's dimension."""
        use = self.use(figure.dimensions[place])
        return [key_name(use, key, language) for key in use.keys.spelled]


def named_tables(options: TablesOptions, as_of: dt.date, result: TablesResult) -> Iterator[tuple[Named, TableFigures]]:
    """Declarations beside the tables of a result, in the study's order."""
    written = options.request(as_of).tables
    for table, cells, figures in zip(options.table, written, result.tables, strict=True):
        yield Named(table=table, written=cells), figures
