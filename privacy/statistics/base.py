"""What a statistic is: a bounded integer vector per customer, summed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from privacy.accounting.sampled import SampledGaussian
from privacy.kernel.canonical import Noun

#: Integer units in one natural unit. So large that what the discrete noise differs from a Gaussian by (kappa, see
#: ``privacy.accounting.events``) stays negligible over hundreds of studies under one lifetime cap.
GAMMA = 1 << 26

#: A public ceiling on the customer records of all holders together, for the proof that sums cannot wrap around.
MAX_RECORDS = 1 << 34

#: Most integers that are encoded at a time: a long vector must not take a holder's memory.
_CELLS = 1 << 22

IntArray = NDArray[np.int64]


class Rows(Protocol):
    """A holder's customers as an encoder reads them: one row each, without ids."""

    def __len__(self) -> int: ...

    def take(self, index: slice, /) -> Self:
        """Some of the rows."""
        ...


R = TypeVar("R", bound=Rows)


class ContributionBound(Noun):
    """How much one customer record can move the sum, in integer units (add/remove relation).

    Attributes:
        gamma: integer units per natural unit.
        squared_norm: largest squared L2 norm of one encoded customer, exact.
        max_abs: largest absolute value of one coordinate of one encoded customer.
    """

    gamma: int = Field(ge=1, le=1 << 40)
    squared_norm: int = Field(ge=1, le=1 << 128)
    max_abs: int = Field(ge=1, le=1 << 64)


class Statistic(Noun, ABC, Generic[R]):
    """A sum over customers of a bounded integer vector.

    ``encode_rows`` is a pure function of each row and of the public parameters (the fields): bounded, rounded and
    clipped on integers, per customer. ``encode_sum`` may be faster but returns exactly the sum of those rows.
    The bound is derived from the fields alone, so that a holder never takes it from a message.
    """

    #: The kind of rows that are encoded.
    reads: ClassVar[type[Rows]]

    #: Rows encoded at a time where there is no faster sum; fewer where vectors are long.
    CHUNK: ClassVar[int] = 4096

    if TYPE_CHECKING:  # each has its own, as a literal
        kind: str

    @property
    @abstractmethod
    def dim(self) -> int:
        """Length of the vector."""

    @property
    @abstractmethod
    def bound(self) -> ContributionBound:
        """The bound that every encoded customer keeps."""

    @property
    def looks_at(self) -> tuple[frozenset[str], int]:
        """Names of the features that are read, and how many days a table must have; nothing for other rows."""
        return frozenset(), 0

    @property
    def training(self) -> SampledGaussian | None:
        """What a holder's own training costs where it answers with the outcome of one; None where it adds up rows."""
        return None

    @property
    def of_holders(self) -> frozenset[str]:
        """Holders whose own totals are released; a holder's policy must allow that. Nobody's where all are summed."""
        return frozenset()

    @abstractmethod
    def encode_rows(self, rows: R) -> IntArray:
        """Encode each customer; shape ``(customers, dim)``, int64."""

    def encode_sum(self, rows: R) -> IntArray:
        """Sum of the encoded customers; shape ``(dim,)``, int64. An empty table gives zeros."""
        total = np.zeros(self.dim, dtype=np.int64)
        step = max(1, min(self.CHUNK, _CELLS // self.dim))
        for start in range(0, len(rows), step):
            total += self.encode_rows(rows.take(slice(start, start + step))).sum(axis=0)
        return total

    def sum_of(self, holder: str, rows: R) -> IntArray:
        """What a holder adds to the sum of all; shape ``(dim,)``, int64."""
        return self.encode_sum(rows)
