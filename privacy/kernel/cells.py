"""Rows of declared tables: the entries of a holder's customers, and the request for them.

An **entry** is (table, cell, values). What stands here is the contract between a builder (``clients/data``), which
makes :class:`CellRows` of a :class:`CellRequest`, and the statistic that reads them. The bound never rests on it:
whatever rows say, an encoded customer is inside the unit ball. Whether figures mean what they are called rests on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from privacy.kernel.canonical import Noun
from privacy.kernel.columns import Column
from privacy.kernel.declarations import CellTable

IntArray = NDArray[np.int64]

#: Tables of one study at most.
MOST_TABLES = 40


@dataclass(frozen=True, kw_only=True, eq=False)
class CellRows:
    """Entries of a holder's customers, one customer after the other; all arrays int64. There is no customer id here.

    Within a customer, entries ascend strictly by (table, cell): each cell once. Values are not clipped. Encoders hold a
    customer whose entries do not ascend to have none, and pass over tables and cells that a question does not have.

    Attributes:
        start: shape ``(customers + 1,)``, from 0; the entries of customer i are ``start[i]:start[i + 1]``.
        table: shape ``(entries,)``; place of the table in the request.
        cell: shape ``(entries,)``; see :class:`privacy.kernel.declarations.CellTable`.
        values: shape ``(entries, measures)``, of as many measures as the table that has most of them; in the units that
            :data:`privacy.kernel.dimensions.MeasureKind` says, 0 beyond the measures of the entry's table.
    """

    start: IntArray
    table: IntArray
    cell: IntArray
    values: IntArray

    def __post_init__(self) -> None:
        for array in (self.start, self.table, self.cell, self.values):
            if not isinstance(array, np.ndarray) or array.dtype != np.int64:
                raise TypeError("entries must be int64 arrays")
        entries = len(self.table)
        if self.table.ndim != 1 or self.cell.shape != self.table.shape or self.values.ndim != 2:
            raise ValueError("table and cell must have the shape (entries,), values (entries, measures)")
        if len(self.values) != entries or self.start.ndim != 1 or len(self.start) == 0:
            raise ValueError("values must have the shape (entries, measures), start (customers + 1,)")
        if self.start[0] != 0 or self.start[-1] != entries or (np.diff(self.start) < 0).any():
            raise ValueError("start must ascend from 0 to the number of entries")

    def __len__(self) -> int:
        return len(self.start) - 1

    def __repr__(self) -> str:
        return "CellRows(<private>)"

    @cached_property
    def customer(self) -> IntArray:
        """Number of the customer of every entry, shape ``(entries,)``."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.start))

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_] | slice) -> CellRows:
        """The customers at ``index``, as new rows."""
        chosen = np.arange(len(self), dtype=np.int64)[index]
        count = self.start[chosen + 1] - self.start[chosen]
        start = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(count)])
        at = np.repeat(self.start[chosen] - start[:-1], count) + np.arange(start[-1], dtype=np.int64)
        return CellRows(start=start, table=self.table[at], cell=self.cell[at], values=self.values[at])


class CellRequest(Noun):
    """Asks for the entries of every customer in some declared tables.

    A customer is an id that is in any feed which the tables read, purchases among them if they do; each id once,
    sorted as text. One without an entry may be there, or not.

    Attributes:
        tables: at most :data:`MOST_TABLES`, all written out; an entry's table is its place here.
    """

    #: What encoders read of it.
    rows: ClassVar[type[CellRows]] = CellRows

    tables: tuple[CellTable, ...] = Field(default=(), max_length=MOST_TABLES)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({table.name for table in self.tables}) != len(self.tables):
            raise ValueError("two tables have one name")
        if not all(table.is_written_out for table in self.tables):
            raise ValueError("a table's keys are not written out")
        return self

    @property
    def columns(self) -> frozenset[Column]:
        """What its rows say of a customer, in the words of policies."""
        return frozenset[Column]().union(*(table.columns for table in self.tables))

    @property
    def offers(self) -> tuple[frozenset[str], int]:
        """No features, and no days of them."""
        return frozenset(), 0
