"""Linear views of scaled features: the coordinates in which moments and gradients are taken, all public.

A view centres the scaled features, clips them to a ball, puts a constant before them, and applies a matrix. Good
coordinates make private learning need few questions: the same noise in all directions then costs alike in all.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from privacy.kernel.canonical import Noun
from privacy.kernel.features import UNIT, FeatureTable, ScaledFeature
from privacy.kernel.row_arithmetic import FloatArray, clipped, combined

#: An entry of 1.0 in a view's matrix.
ENTRY = 1 << 20

_LIMIT = 1 << 40
_Entry = Annotated[int, Field(ge=-_LIMIT, le=_LIMIT)]
_Row = Annotated[tuple[_Entry, ...], Field(min_length=2, max_length=65)]


class LinearView(Noun):
    """See the module's text.

    Attributes:
        features: what is looked at.
        centre: subtracted from the scaled features, in units of 1 / UNIT; all zero where empty.
        radius: the centred features are scaled down to at most this norm, in units of 1 / UNIT.
        constant: the coordinate before the features, in units of 1 / UNIT.
        matrix: one row per coordinate of the view, over the constant and the features, in units of 1 / ENTRY; the
            constant and the features themselves where empty.
        reach: the view's coordinates are scaled down to at most this norm, in units of 1 / UNIT.
    """

    features: tuple[ScaledFeature, ...] = Field(min_length=1, max_length=64)
    centre: tuple[Annotated[int, Field(ge=-UNIT, le=UNIT)], ...] = Field(default=(), max_length=64)
    radius: int = Field(ge=1, le=64 * UNIT)
    constant: int = Field(default=UNIT, ge=0, le=64 * UNIT)
    matrix: tuple[_Row, ...] = Field(default=(), max_length=65)
    reach: int = Field(default=1024 * UNIT, ge=1, le=1024 * UNIT)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.centre and len(self.centre) != len(self.features):
            raise ValueError("a centre has one coordinate per feature")
        if any(len(row) != len(self.features) + 1 for row in self.matrix):
            raise ValueError("a matrix row has one entry for the constant and one per feature")
        return self

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.matrix) or len(self.features) + 1

    def apply(self, table: FeatureTable, day: int) -> FloatArray:
        """Coordinates of every customer on a day, shape ``(customers, dim)``; element by element."""
        scaled = table.scaled(self.features, day).astype(np.float64)
        centred = scaled - np.array(self.centre or (0,) * len(self.features), dtype=np.float64)
        base = np.empty((len(table), len(self.features) + 1), order="F")
        base[:, 0] = self.constant / UNIT
        base[:, 1:] = clipped(np.asfortranarray(centred), self.radius) / UNIT
        if self.matrix:
            base = combined(base, np.array(self.matrix, dtype=np.float64) / ENTRY)
        return clipped(base, self.reach / UNIT)
