"""Status of a customer by how soon customers come back: cut at the released curve of second orders, alike everywhere.

Let F(d) be the share that has ordered again within d days, by the life table of :mod:`.survival`. The cuts are the days
at which F reaches 50, 75 and 90% of F(365): quantiles among those who come back within a year. Among all customers such
quantiles do not exist in general, as many never come back.

Code after a release is free; what is cut says nothing of any one customer beyond the release that it comes from.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from privacy.analyses.tables.declared import Table
from privacy.analyses.tables.results import TableFigures
from privacy.analyses.tables.survival import YEAR, Curve, life_table
from privacy.figures.estimates import Z95
from privacy.figures.quotient import CLEAR
from privacy.kernel.canonical import Noun
from privacy.kernel.features import MISSING, IntArray

#: An order so many days ago, or fewer, is a return where it came after a long gap.
RETURN_DAYS = 30

#: Parts of those who come back within a year, at whose days status is cut.
PARTS = (0.50, 0.75, 0.90)

_OUTCOME, _DAYS = "second_order.outcome", "second_order.days"


class Status(NamedTuple):
    """A status: its stable code and its names."""

    code: str
    en: str
    zh: str


#: In the order of their codes; the first that fits is a customer's.
STATUSES: tuple[Status, ...] = (
    Status("returned", "Returned", "回归"),
    Status("new", "New", "新客"),
    Status("active", "Active", "活跃"),
    Status("sleeping", "Sleeping", "沉睡"),
    Status("lapsing", "Lapsing", "流失预警"),
    Status("lost", "Lost", "流失"),
)


class StatusCuts(Noun):
    """Days since the last purchase up to which a customer is active, sleeping, lapsing; lost beyond.

    Attributes:
        active, sleeping, lapsing: inclusive, in days; ascending.
    """

    active: int = Field(ge=0, le=YEAR)
    sleeping: int = Field(ge=0, le=YEAR)
    lapsing: int = Field(ge=0, le=YEAR)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if not self.active < self.sleeping < self.lapsing:
            raise ValueError("cuts of a status must ascend")
        return self

    def assign(self, recency: IntArray, orders: IntArray, gap: IntArray) -> IntArray:
        """Place in :data:`STATUSES` of every customer, shape ``(customers,)``.

        Args:
            recency: days since the last purchase.
            orders: how many.
            gap: days between the last two orders; MISSING where there is one.
        """
        returned = (recency <= RETURN_DAYS) & (gap != MISSING) & (gap > self.lapsing)
        new = (orders == 1) & (recency <= self.active)
        upper = np.array([self.active, self.sleeping, self.lapsing], dtype=np.int64)
        later = 2 + np.searchsorted(upper, recency, side="left")
        return np.where(returned, 0, np.where(new, 1, later)).astype(np.int64)


def status_table(tables: tuple[Table, ...]) -> int | None:
    """Place of the table that status is cut by: second orders of all customers, over a year; None for none."""
    for place, table in enumerate(tables):
        of_all = not table.where and table.measure[0].of == "customers"
        if of_all and table.dimensions == (_OUTCOME, _DAYS) and YEAR in table.by[1].keys.upper:
            return place
    return None


def curve_of(found: TableFigures) -> Curve:
    """The curve of second orders of such a table's released cells."""
    cells = found.measures[0]
    again, not_yet = np.array(cells.values, dtype=np.float64).reshape(2, -1)
    ends = tuple(int(key) for key in found.keys[1][:-1])
    return life_table(again, not_yet, (cells.margin / Z95) ** 2, ends)


def status_cuts(found: TableFigures) -> StatusCuts | None:
    """The cuts of a released table; None where the noise does not tell them apart.

    Customers must be clear of their noise, and the 95% intervals of the three days must not touch.
    """
    curve = curve_of(found)
    count, deviation = curve.at_risk
    if count < CLEAR * deviation:
        return None
    days = [curve.returning(part) for part in PARTS]
    if any(one is None for one in days):
        return None
    known = [one for one in days if one is not None]
    if any(first.interval[1] >= second.interval[0] for first, second in pairwise(known)):
        return None
    active, sleeping, lapsing = (round(one.value) for one in known)
    return StatusCuts(active=active, sleeping=sleeping, lapsing=lapsing) if active < sleeping < lapsing else None
