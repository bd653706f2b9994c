"""The same histogram for each holder by itself, in one question: every holder fills a block of its own."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, StringConstraints, model_validator

from privacy.kernel.features import FeatureTable
from privacy.statistics.base import ContributionBound, IntArray, Statistic
from privacy.statistics.score_histogram import ScoreHistogram

_Holder = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


#: Cells of all holders together; a thousand holders have a thousand each.
_MOST_CELLS = 1 << 20


class ByHolder(Statistic[FeatureTable]):
    """One block per holder, each the inner statistic of that holder's customers.

    Sensitivity: a customer record is at one holder, so it touches one block: the inner statistic's bound holds. What
    is released are each holder's own totals with the noise of all; a holder must allow that (its policy).

    Attributes:
        inner: what is asked of each.
        holders: whose blocks there are, sorted; a holder that is not named adds nothing.
    """

    reads = FeatureTable
    kind: Literal["by_holder"] = "by_holder"
    inner: ScoreHistogram
    holders: tuple[_Holder, ...] = Field(min_length=1, max_length=1000)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if list(self.holders) != sorted(set(self.holders)):
            raise ValueError("holders must be sorted, each once")
        if self.dim > _MOST_CELLS:
            raise ValueError(f"all holders together have at most {_MOST_CELLS} cells")
        return self

    @property
    def dim(self) -> int:
        """The inner statistic's, once per holder."""
        return self.inner.dim * len(self.holders)

    @property
    def bound(self) -> ContributionBound:
        """The inner statistic's."""
        return self.inner.bound

    @property
    def looks_at(self) -> tuple[frozenset[str], int]:
        """What the inner statistic looks at."""
        return self.inner.looks_at

    @property
    def of_holders(self) -> frozenset[str]:
        """All that have a block."""
        return frozenset(self.holders)

    def encode_rows(self, table: FeatureTable) -> IntArray:
        """As the first holder encodes them; the others' rows are the same in another block."""
        rows = np.zeros((len(table), self.dim), dtype=np.int64)
        rows[:, : self.inner.dim] = self.inner.encode_rows(table)
        return rows

    def sum_of(self, holder: str, table: FeatureTable) -> IntArray:
        """What a holder adds to the sum, shape ``(dim,)``."""
        total = np.zeros(self.dim, dtype=np.int64)
        if holder in self.holders:
            start = self.holders.index(holder) * self.inner.dim
            total[start : start + self.inner.dim] = self.inner.encode_sum(table)
        return total

    def part_of(self, holder: str, values: IntArray) -> IntArray:
        """A holder's block of a released vector."""
        start = self.holders.index(holder) * self.inner.dim
        return values[start : start + self.inner.dim]
