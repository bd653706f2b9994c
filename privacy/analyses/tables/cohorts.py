"""Cohorts by months since the first order: when their cells are over, and those that an earlier run has released."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from privacy.kernel.canonical import Noun
from privacy.kernel.declarations import MOST_CELLS, CellTable
from privacy.kernel.dimensions import DimensionName
from privacy.kernel.limits import Name
from privacy.kernel.row_arithmetic import FloatArray

_DAY = dt.timedelta(days=1)


class KnownCells(Noun):
    """Cells that an earlier run has released, of the months that were over then: they are not asked about again.

    Attributes:
        origin: which run, for people.
        closed: its as-of day: what was over on it is known.
        cohorts: first days of the periods of first orders.
        values, deviations: of each cohort by each key of the table's second dimension, in thousandths; the deviation is
            that of the noise. Cells that were not over then count for nothing.
    """

    origin: Name
    closed: dt.date
    cohorts: tuple[dt.date, ...] = Field(min_length=1, max_length=400)
    values: tuple[Annotated[int, Field(ge=-(1 << 50), le=1 << 50)], ...] = Field(max_length=MOST_CELLS)
    deviations: tuple[Annotated[int, Field(ge=0, le=1 << 50)], ...] = Field(max_length=MOST_CELLS)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(self.values) != len(self.deviations) or len(self.values) % len(self.cohorts):
            raise ValueError("known cells: as many deviations as values, and as many for each cohort")
        return self


#: The table whose cells close with their months.
COHORTS: tuple[DimensionName, DimensionName] = ("first_order.month", "order.months_since_first")


def month_of(day: dt.date) -> int:
    """Number of a day's calendar month, counted through all years."""
    return day.year * 12 + day.month


def last_months(table: CellTable) -> FloatArray:
    """By cell of a table of cohorts, the last month in which its orders may be; infinite for the open bin.

    A first order in month i and one m months later is one in month i + m: of a cohort of several months the last one
    counts, and of a bin of months its end.
    """
    ends = np.array([month_of(day - _DAY) for day in table.by[0].keys.days[1:]], dtype=np.float64)
    since = [math.inf if key == "above" else float(key) for key in table.by[1].keys.spelled]
    return np.asarray(np.add.outer(ends, since).ravel())


def most_of_a_cohort(asked: tuple[int, ...], table: CellTable) -> int:
    """Most cells of one cohort among those that are asked about: a customer is in no more; 0 where all are asked."""
    return max(Counter(cell // table.by[-1].keys.count for cell in asked).values(), default=0)
