"""What a kind of rows is on a holder's side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from clients.data.origin import Origin
from privacy.kernel.canonical import Noun

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

    def save(self, path: Path) -> None:
        """Write the rows to a file that only its owner can read, whole or not at all."""
        ...


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
