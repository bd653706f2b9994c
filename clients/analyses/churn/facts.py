"""What scores need of a customer beside the model's features: when it bought, how often, and for how much.

They come with the study's own features, in one query and one stored file, so that scores are of the very rows that the
study saw. Encoders get the study's features only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import FeatureName, FeatureTable

IntArray = NDArray[np.int64]

_NAMES: tuple[FeatureName, ...] = ("recency_days", "tenure_days", "orders", "money_365")


def with_facts(request: FeatureRequest) -> FeatureRequest:
    """A study's request, and what the holder itself needs for scores."""
    return request.model_copy(update={"names": tuple(dict.fromkeys([*request.names, *_NAMES]))})


def narrowed(table: FeatureTable, names: tuple[str, ...]) -> FeatureTable:
    """The table with these features only, in this order."""
    columns = [table.names.index(name) for name in names]
    if columns == list(range(len(columns))):
        return dataclasses.replace(table, names=names, values=table.values[:, :, : len(columns)])  # without a copy
    return dataclasses.replace(table, names=names, values=table.values[:, :, columns])


@dataclass(frozen=True, kw_only=True, eq=False)
class Facts:
    """Customers who count on a day, as of that day; all arrays int64, shape ``(customers,)``.

    Attributes:
        rows: their rows in the feature table, ascending.
        recency_days: days since the last purchase.
        tenure_days: days since the first purchase.
        orders: number of orders, 1 or more.
        money: spend of the last 365 days in minor units; may be negative.
    """

    rows: IntArray
    recency_days: IntArray
    tenure_days: IntArray
    orders: IntArray
    money: IntArray

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return "Facts(<private>)"

    @classmethod
    def of(cls, table: FeatureTable, day: int) -> Facts:
        """The facts of one of the table's days, of a table made for ``with_facts``."""
        rows = np.flatnonzero(table.eligible[:, day] == 1)
        recency, tenure, orders, money = (_column(table, day, rows, name) for name in _NAMES)
        return cls(rows=rows, recency_days=recency, tenure_days=tenure, orders=orders, money=money)


def _column(table: FeatureTable, day: int, rows: IntArray, name: FeatureName) -> IntArray:
    column: IntArray = table.values[rows, day, table.names.index(name)]
    return column


def lacking(table: FeatureTable, names: Iterable[str]) -> list[str]:
    """Features that a table has not."""
    return [name for name in names if name not in table.names]
