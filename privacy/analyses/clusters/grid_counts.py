"""How many customers are in each cell of a grid over a few coordinates."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from privacy.kernel.features import FeatureTable
from privacy.kernel.linear_view import LinearView
from privacy.kernel.row_arithmetic import FloatArray
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic
from privacy.statistics.bounding import UNIT_BALL
from privacy.statistics.vector import counted_days

_MOST_CELLS = 1 << 16


class GridCounts(Statistic[FeatureTable]):
    """Counts over ``cells ** n`` equal cells of [-1, 1]^n, n a view's coordinates; outside counts as its edge.

    A place on the border of two cells is in the upper one; 1 itself is in the last. A view's constant takes part like
    any other coordinate, so a view for a grid leaves it out (its ``matrix``).

    Sensitivity: a customer is in one cell and counts GAMMA there.

    Attributes:
        view: whose coordinates.
        day: which day; customers who are not eligible then add nothing.
        cells: cells along each coordinate.
    """

    reads = FeatureTable
    kind: Literal["grid_counts"] = "grid_counts"
    view: LinearView
    day: int = Field(ge=0, le=23)
    cells: int = Field(ge=2, le=256)

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        if self.cells**self.view.dim > _MOST_CELLS:
            raise ValueError(f"a grid has at most {_MOST_CELLS} cells")
        return self

    @property
    def dim(self) -> int:
        """One coordinate a cell; the last of the view's coordinates moves fastest."""
        return int(self.cells**self.view.dim)

    @property
    def bound(self) -> ContributionBound:
        """See the class."""
        return UNIT_BALL

    @property
    def looks_at(self) -> tuple[frozenset[str], int]:
        """The view's features, and the day."""
        return frozenset(feature.name for feature in self.view.features), self.day + 1

    def encode_rows(self, table: FeatureTable) -> IntArray:
        """GAMMA in the customer's cell."""
        rows = np.zeros((len(table), self.dim), dtype=np.int64)
        rows[np.arange(len(table)), self._cell(table)] = self._counts(table)
        return rows

    def encode_sum(self, table: FeatureTable) -> IntArray:
        """The same, added up cell by cell on integers."""
        total = np.zeros(self.dim, dtype=np.int64)
        for start in range(0, len(table), self.CHUNK):
            part = table.take(slice(start, start + self.CHUNK))
            np.add.at(total, self._cell(part), self._counts(part))
        return total

    def decode(self, values: IntArray, noise_deviation: float) -> tuple[FloatArray, float]:
        """Estimated customers by cell, shape ``(dim,)``, and the standard deviation of each."""
        return values.astype(np.float64) / GAMMA, noise_deviation / GAMMA

    def _counts(self, table: FeatureTable) -> IntArray:
        return GAMMA * counted_days(table, self.day, outcome=False).astype(np.int64)

    def _cell(self, table: FeatureTable) -> IntArray:
        z = self.view.apply(table, self.day)
        cell = np.zeros(len(table), dtype=np.int64)
        for column in range(self.view.dim):
            place = np.floor((np.clip(z[:, column], -1, 1) + 1) / 2 * self.cells).astype(np.int64)
            cell = cell * self.cells + np.minimum(place, self.cells - 1)
        return cell
