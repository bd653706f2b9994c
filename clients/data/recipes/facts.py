"""A recipe: the sums over a customer's lines that a feature needs, and the feature's integers from them.

The sums come from one query over the holder's rows (``clients/data/rows/sums.py`` says what each of them is); recipes
know numbers only. Times are microseconds since 1970, of UTC or of the source's own clock as its times are; only
differences of them mean anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from privacy.kernel.features import MISSING, IntArray

#: Microseconds.
DAY = 86_400_000_000

#: Name of a sum: one of ``clients.data.rows.sums.SUMS``; with a number behind ``orders`` or ``quanta`` that of so many
#: days before the day (``orders_30``); a listed share's own name, for the lines or orders that have its value.
SumName = str


class Facts:
    """The sums of one day, as int64 arrays of shape ``(customers,)``.

    Args:
        sums: the query's result, one row per customer; the names of the i-th day's columns end in ``_i``.
        place: i.
        start: the day's start, in microseconds since 1970 as the source's times are.
        day: the calendar day, in days since 1970.
        per_minor: quanta in a minor unit of the study's currency.
    """

    def __init__(self, sums: pa.Table, place: int, *, start: int, day: int, per_minor: int) -> None:
        self._sums = sums
        self._place = place
        self._start = start
        self._per_minor = per_minor
        self.day = day

    def column(self, name: SumName) -> IntArray:
        """A sum that is a number."""
        array: IntArray = self._sums[f"{name}_{self._place}"].cast(pa.int64()).to_numpy()
        return array

    def _moments(self, name: SumName, absent: int) -> IntArray:
        column = self._sums[f"{name}_{self._place}"]
        moments = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).fill_null(absent)
        array: IntArray = moments.to_numpy()
        return array

    def moment(self, name: SumName) -> IntArray:
        """A sum that is a time, in microseconds since 1970; the day's start where there is none."""
        return self._moments(name, self._start)

    def since(self, name: SumName) -> IntArray:
        """Microseconds from a time to the day's start; 0 where there is none."""
        return self._start - self.moment(name)

    def calendar_day(self, name: SumName) -> IntArray:
        """The day of a time on the wall's clock, in days since 1970; MISSING where there is none."""
        return known(self._moments(name, MISSING), DAY)

    @property
    def orders(self) -> IntArray:
        """Orders that began before the day."""
        return self.column("orders")

    @property
    def recency(self) -> IntArray:
        """Microseconds from the last purchase line to the day's start."""
        return self.since("last")

    @property
    def tenure(self) -> IntArray:
        """Microseconds from the beginning of the first order to the day's start."""
        return self.since("first")

    def money(self, name: SumName = "quanta") -> IntArray:
        """In minor units, rounded half up."""
        return (self.column(name) + self._per_minor // 2) // self._per_minor

    def share(self, name: SumName, *of: SumName) -> IntArray:
        """Thousandths of ``name`` in the sum of ``of``; 0 where that is 0."""
        whole: IntArray = np.sum([self.column(item) for item in of], axis=0)
        return 1000 * self.column(name) // np.maximum(whole, 1)


def known(array: IntArray, divisor: int) -> IntArray:
    """Divided, rounded down; MISSING stays."""
    return np.where(array == MISSING, MISSING, array // divisor)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one feature is worked out.

    Attributes:
        sums: those that ``compute`` looks at; the query has these and no others.
        compute: the feature's raw integers, shape ``(customers,)``, from the sums of one day. What it gives for
            customers without an order before the day does not matter: they have MISSING.
    """

    sums: tuple[SumName, ...]
    compute: Callable[[Facts], IntArray]
