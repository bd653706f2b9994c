"""Customers by how often they bought, how lately, and since when: one cell a customer."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from privacy.kernel.features import FeatureTable
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic
from privacy.statistics.bounding import UNIT_BALL

FloatArray = NDArray[np.float64]

#: The features that are read: days with a purchase, days since the last one, days since the first one.
FACTS = ("purchase_days", "recency_days", "tenure_days")
#: Least number of further days of purchase, after the first one, in each class.
CLASSES = (0, 1, 2, 3, 5, 8, 13)
#: Parts of the time since the first purchase, and of the window.
FIFTHS, QUARTERS = 5, 4
#: Cells of a quarter: who bought on one day only has no time between first and last purchase.
PER_QUARTER = 1 + (len(CLASSES) - 1) * FIFTHS


def purchases(table: FeatureTable, day: int) -> tuple[IntArray, IntArray, IntArray, NDArray[np.bool_]]:
    """Further days of purchase, days from the first to the last one, days since the first; and who has any.

    All of shape ``(customers,)``. Element by element, on integers, for any raw values; who counts on no day, or whose
    first purchase is not before the day, has none. A customer with one day of purchase has 0 days to the last one.
    """
    bought, silent, tenure = (table.values[:, day, table.names.index(name)] for name in FACTS)
    there = (table.eligible[:, day] == 1) & (bought > 0) & (tenure >= 0)
    tenure = np.where(there, tenure, 0)
    further = np.where(there, bought, 1) - 1
    last = tenure - np.minimum(np.maximum(silent, 0), tenure)
    return further, np.where(further > 0, last, 0), tenure, there


class HistoryCells(Statistic[FeatureTable]):
    """Customers by x, t and T: 124 cells.

    x is the number of further days of purchase after the first one, in the classes 0, 1, 2, 3-4, 5-7, 8-12 and 13 or
    more; t the days from the first to the last one, in fifths of T; T the days since the first one, in quarters of the
    window. With x = 0 there is no t: 4 (1 + 6 * 5) cells. Who came before the window adds nothing.

    Sensitivity: a customer is in one cell, or in none, with GAMMA. So the squared norm of what it adds is at most
    GAMMA squared, which every customer of the window reaches.

    Attributes:
        day: index of the day.
        window_days: the window, public.
    """

    reads = FeatureTable
    kind: Literal["history_cells"] = "history_cells"
    day: int = Field(ge=0, le=23)
    window_days: int = Field(ge=28, le=3_650)

    @property
    def dim(self) -> int:
        """124."""
        return QUARTERS * PER_QUARTER

    @property
    def bound(self) -> ContributionBound:
        """See the class."""
        return UNIT_BALL

    @property
    def looks_at(self) -> tuple[frozenset[str], int]:
        """Three features of one day."""
        return frozenset(FACTS), self.day + 1

    def encode_rows(self, table: FeatureTable) -> IntArray:
        """GAMMA in each customer's cell, zeros elsewhere."""
        further, last, tenure, there = purchases(table, self.day)
        index = np.flatnonzero(there & (tenure <= self.window_days))
        rows = np.zeros((len(table), self.dim), dtype=np.int64)
        rows[index, self._cell(further[index], last[index], tenure[index])] = GAMMA
        return rows

    def encode_sum(self, table: FeatureTable) -> IntArray:
        """The same, counted at once: an integer a customer in place of a row."""
        further, last, tenure, there = purchases(table, self.day)
        there &= tenure <= self.window_days
        cells = self._cell(further[there], last[there], tenure[there])
        return np.bincount(cells, minlength=self.dim).astype(np.int64) * GAMMA

    def _cell(self, further: IntArray, last: IntArray, tenure: IntArray) -> IntArray:
        size = np.searchsorted(np.array(CLASSES, dtype=np.int64), further, side="right") - 1
        fifth = np.minimum(FIFTHS * last // np.maximum(tenure, 1), FIFTHS - 1)
        quarter = np.minimum(QUARTERS * tenure // self.window_days, QUARTERS - 1)
        within = np.where(size == 0, 0, 1 + (size - 1) * FIFTHS + fifth)
        return np.asarray(quarter * PER_QUARTER + within, dtype=np.int64)

    def decode(self, values: IntArray, noise_deviation: float) -> tuple[FloatArray, float]:
        """Customers by cell, shape ``(QUARTERS, PER_QUARTER)``, and the deviation of each.

        In a quarter the first cell is x = 0; then follow the classes of x, each with its fifths, the earliest first.
        """
        return values.astype(np.float64).reshape(QUARTERS, PER_QUARTER) / GAMMA, noise_deviation / GAMMA
