"""The customer table's columns as encoders see them: one row per customer, integers only."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privacy.kernel.canonical import Noun, since
from privacy.kernel.columns import Column


@dataclass(frozen=True, kw_only=True, eq=False)
class CustomerColumns:
    """Integer columns of one holder's customer table, all of shape ``(customers,)`` and type int64.

    Every element-wise function of these columns is a function of one customer's row: that is what makes an
    encoder's sensitivity a property of one row. There is no customer id here; encoders never see it.

    Attributes:
        recency_days: whole days from the last purchase to the start of the study's as-of day, 0 or more.
        orders: number of distinct orders, 1 or more.
        money: net spend in minor units (cents) of the study's currency; may be zero or negative.
        tenure_days: whole days from the first purchase to the start of the as-of day.

    All are of the lines that the request takes: of all before the as-of day, or of those in its window.
    """

    recency_days: NDArray[np.int64]
    orders: NDArray[np.int64]
    money: NDArray[np.int64]
    tenure_days: NDArray[np.int64]

    def __post_init__(self) -> None:
        shapes = set()
        for field in fields(self):
            column = getattr(self, field.name)
            if not isinstance(column, np.ndarray) or column.dtype != np.int64 or column.ndim != 1:
                raise TypeError(f"{field.name} must be a one-dimensional int64 array")
            shapes.add(column.shape)
        if len(shapes) > 1:
            raise ValueError("columns differ in length")

    def __len__(self) -> int:
        return int(self.recency_days.shape[0])

    def __repr__(self) -> str:
        return "CustomerColumns(<private>)"

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_] | slice) -> CustomerColumns:
        """The rows at ``index``, as a new table."""
        return CustomerColumns(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


#: Most days that a window may have: ten years, as far as days since the last purchase are told apart.
WINDOW_LIMIT = 3_660


class CustomerRequest(Noun):
    """Asks for the customer table: one row for each customer as of the study's day, always the same columns.

    Attributes:
        window_days: only lines of the last so many calendar days before the as-of day, in the study's time zone; what
            is older is as if it were not there, and a customer without a purchase in them has no row. None for all
            lines before that day.
    """

    window_days: int | None = since("0.2.0", None, ge=1, le=WINDOW_LIMIT)

    #: What encoders read of it.
    rows: ClassVar[type[CustomerColumns]] = CustomerColumns
    #: What its rows say of a customer, in the words of policies.
    columns: ClassVar[frozenset[Column]] = frozenset({"recency", "orders", "money"})

    @property
    def offers(self) -> tuple[frozenset[str], int]:
        """No features, and no days of them."""
        return frozenset(), 0
