"""Small questions with customers that move them, for the empirical audit and for tests; decides nothing that is asked.

Each analysis' room has an ``example.py`` with those of its own statistics; here is what they are made of, and the
statistics that several analyses ask. The audit asks these questions thousands of times, so their vectors are short.
Limits are set so low that the witness lies far beyond them, so that an encoder which forgets to clip is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy.kernel.cells import CellRows
from privacy.kernel.customers import CustomerColumns
from privacy.kernel.features import UNIT, FeatureTable, Scale, ScaledFeature
from privacy.kernel.linear_view import LinearView
from privacy.statistics.base import IntArray, Statistic
from privacy.statistics.feature_moments import FeatureMoments
from privacy.statistics.feature_sums import FeatureSums
from privacy.statistics.vector import VectorStatistic

#: The holders of the audit. The first ones collude; the target is a customer of the last.
HOLDERS = ("east", "north", "south", "west")

#: A value far beyond any limit of an example.
FAR = 1 << 40

FloatArray = NDArray[np.float64]

#: From a wider question's sum to the units of before, both of shape ``(dim,)``; linear.
Back = Callable[[IntArray], FloatArray]

#: A question with limits so many times as far, and the way back from its sum: together what an encoder gives when its
#: clip lets so much more pass.
Unclipped = Callable[[Any, int], tuple[Statistic[Any], Back]]


@dataclass(frozen=True, kw_only=True)
class Example:
    """One kind of statistic, small.

    Attributes:
        statistic: the question.
        crowd: a few ordinary customers of a holder.
        witness: the customer that moves the sum most, as a table of one row: it reaches the bound.
        unclipped: how the question is when its encoder clips later; None where it counts, and clips nothing.
    """

    statistic: Statistic[Any]
    crowd: Any
    witness: Any
    unclipped: Unclipped | None = None


def columns_of(rows: Iterable[tuple[int, int, int, int]]) -> CustomerColumns:
    """A customer table of rows (recency_days, orders, money, tenure_days)."""
    array = np.array(list(rows), dtype=np.int64).reshape(-1, 4)
    days, orders, money, tenure = (array[:, position].copy() for position in range(4))
    return CustomerColumns(recency_days=days, orders=orders, money=money, tenure_days=tenure)


def features_of(names: tuple[str, ...], rows: Iterable[tuple[int, tuple[int, ...]]]) -> FeatureTable:
    """A table of one day, on which all customers count, of rows (outcome, raw features)."""
    listed = list(rows)
    return FeatureTable(
        names=names,
        values=np.array([[raw] for _, raw in listed], dtype=np.int64).reshape(len(listed), 1, len(names)),
        eligible=np.ones((len(listed), 1), dtype=np.int64),
        outcome=np.array([[outcome] for outcome, _ in listed], dtype=np.int64).reshape(len(listed), 1),
    )


def cells_of(customers: Iterable[Iterable[tuple[int, int, int, int]]]) -> CellRows:
    """Entries of customers, each (table, cell, first value, second value)."""
    listed = [list(entries) for entries in customers]
    flat = np.array([entry for entries in listed for entry in entries], dtype=np.int64).reshape(-1, 4)
    start = np.cumsum([0, *(len(entries) for entries in listed)], dtype=np.int64)
    return CellRows(start=start, table=flat[:, 0].copy(), cell=flat[:, 1].copy(), values=flat[:, 2:].copy())


#: The features of the examples.
NAMES = ("recency_days", "orders_90")
SCALED = (
    ScaledFeature(name="recency_days", scale=Scale(kind="log", high=730)),
    ScaledFeature(name="orders_90", scale=Scale(kind="linear", high=10)),
)
VIEW = LinearView(features=SCALED, radius=2 * UNIT)
CROWD = features_of(NAMES, [(0, (12, 2)), (1, (200, 0)), (0, (45, 1))])


def beyond(*values: int, outcome: int = 0) -> FeatureTable:
    """One customer with these values of :data:`NAMES`."""
    return features_of(NAMES, [(outcome, values)])


def times(factor: float) -> Back:
    """The way back where all units are ``factor`` times as large."""
    return lambda total: np.asarray(total * factor, dtype=np.float64)


def longer(statistic: VectorStatistic, factor: int) -> tuple[Statistic[Any], Back]:
    """See :data:`Unclipped`, for vectors that are cut to a norm."""
    return statistic.model_copy(update={"norm": statistic.norm * factor}), times(factor)


EXAMPLES = (
    Example(
        statistic=FeatureMoments(view=VIEW, days=(0,), outcome_weight=1000, norm=900),
        crowd=CROWD,
        witness=beyond(-FAR, -FAR),
        unclipped=longer,
    ),
    Example(
        statistic=FeatureSums(view=VIEW, days=(0,), customers="labelled", norm=500),
        crowd=CROWD,
        witness=beyond(-FAR, -FAR),
        unclipped=longer,
    ),
)
