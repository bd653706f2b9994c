"""Clusters as holders apply them: a customer belongs to the nearest centre."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from privacy.kernel.canonical import Noun
from privacy.kernel.features import UNIT, ScaledFeature
from privacy.kernel.linear_view import ENTRY, LinearView

_Place = Annotated[int, Field(ge=-64 * UNIT, le=64 * UNIT)]

#: Features are looked at as they are: nothing is centred, and no customer is outside such a radius.
_WHOLE = 64 * UNIT


def plain_view(features: tuple[ScaledFeature, ...]) -> LinearView:
    """The scaled features themselves as coordinates."""
    rows = np.hstack([np.zeros((len(features), 1)), np.eye(len(features))]) * ENTRY
    matrix = tuple(tuple(int(entry) for entry in row) for row in rows.tolist())
    return LinearView(features=features, radius=_WHOLE, constant=0, matrix=matrix)


class Centre(Noun):
    """One centre.

    Attributes:
        id: stays from run to run.
        place: one coordinate per feature, in units of 1 / UNIT.
    """

    id: int = Field(ge=1, le=1_000_000)
    place: tuple[_Place, ...] = Field(min_length=1, max_length=64)


class Clusters(Noun):
    """Centres that a run released; an earlier run's keep the ids of this one.

    Attributes:
        features: the coordinates, with their public scales.
        centres: ascending by id.
        next_id: given to the next new cluster; an id is never used twice.
    """

    features: tuple[ScaledFeature, ...] = Field(min_length=1, max_length=40)
    centres: tuple[Centre, ...] = Field(min_length=1, max_length=64)
    next_id: int = Field(ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(len(centre.place) != len(self.features) for centre in self.centres):
            raise ValueError("a centre has one coordinate per feature")
        if any(first.id >= second.id for first, second in pairwise(self.centres)):
            raise ValueError("centres must ascend by id, each once")
        if self.centres[-1].id >= self.next_id:
            raise ValueError("next_id must be above all ids")
        return self
