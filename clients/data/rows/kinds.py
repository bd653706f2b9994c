"""What a kind of rows is on a holder's side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clients.data.origin import Origin
from privacy.errors import DataError
from privacy.kernel.canonical import Noun
from privacy.private_files import private_file

R = TypeVar("R", covariant=True)
Q = TypeVar("Q", bound=Noun)


class OwnRows(Protocol[R]):
    """A holder's customers, sorted by id (as text), each id once, with what encoders see of them."""

    @property
    def ids(self) -> NDArray[np.object_]:
        """Normalised customer ids, shape ``(customers,)``, Python strings; encoders never see them."""
        ...

    @property
    def table(self) -> R:
        """What encoders see, one row per customer in the same order."""
        ...

    def of(self, keep: NDArray[np.bool_]) -> Self:
        """Some of the customers, shape of ``keep`` ``(customers,)``, in the same order."""
        ...

    def save(self, path: Path) -> None:
        """Write the rows to a file that only its owner can read, whole or not at all."""
        ...


class _Table(Protocol):
    """What encoders see: rows of customers."""

    def __len__(self) -> int:
        """How many customers there are."""
        ...

    def take(self, index: NDArray[np.bool_]) -> Self:
        """Some of them."""
        ...


T = TypeVar("T", bound=_Table)


@dataclass(frozen=True, kw_only=True, eq=False)
class IdentifiedRows(ABC, Generic[T]):
    """Customers with their ids, sorted by id (as text), each id once, and how they are stored.

    Attributes:
        ids: normalised customer ids, shape ``(customers,)``, Python strings.
        table: what encoders see, same order.
    """

    ids: NDArray[np.object_]
    table: T

    def __post_init__(self) -> None:
        if self.ids.shape != (len(self.table),):
            raise ValueError("ids and rows differ in length")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<private>)"

    @abstractmethod
    def _columns(self) -> Mapping[str, pa.Array]:
        """The table as columns of a row a customer."""

    def of(self, keep: NDArray[np.bool_]) -> Self:
        """Some of the customers."""
        return type(self)(ids=self.ids[keep], table=self.table.take(keep))

    def save(self, path: Path) -> None:
        """Write them as Parquet, readable by the owner only, whole or not at all."""
        arrays = {"customer_id": pa.array(self.ids, pa.string()), **self._columns()}
        with private_file(path) as target:
            pq.write_table(pa.table(arrays), target, compression="zstd")

    @classmethod
    def _read(cls, path: Path, what: str, table_of: Callable[[pa.Table], T]) -> Self:
        """Read what ``save`` wrote.

        Raises:
            DataError: if the file is missing, damaged, or something else.
        """
        try:
            stored = pq.read_table(path)
            return cls(ids=np.asarray(stored["customer_id"].to_numpy(), dtype=object), table=table_of(stored))
        except (OSError, pa.ArrowException, KeyError, ValueError, TypeError):
            raise DataError(f"{path} does not hold {what}", hint="delete it; it is computed again") from None


def _nothing(origin: Origin, request: Any) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class RowKind(Generic[Q]):
    """How one kind of rows comes to be, and where it is kept.

    Attributes:
        build: the rows that a request asks for, from the holder's source.
        load: those that ``save`` wrote for the same request.
        stored: name of the file that keeps them: a digest of all that decides its integers beside the rows of the
            source, among it a version that is raised when the same rows would give others.
        check: whether they can be built at all; looks at no row.
    """

    build: Callable[[Origin, Q], OwnRows[Any]]
    load: Callable[[Path, Q], OwnRows[Any]]
    stored: Callable[[Origin, Q], str]
    check: Callable[[Origin, Q], None] = _nothing
