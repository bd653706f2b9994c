"""Customer ids exactly as the source spells them, so that labels can be joined back by plain equality.

Cleaning brings ids to one form; ``' 17'`` and ``'17.0'`` are customer ``17``. What the source had is kept here: one
spelling for every customer, and any others beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Spellings:
    """Spellings of some customers.

    Attributes:
        rows: rows of the customer table, int64, ascending; a row may be there several times.
        source_ids: the spelling at each of them, Python strings, same shape.
    """

    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    source_ids: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))

    def __post_init__(self) -> None:
        if self.rows.shape != self.source_ids.shape or np.any(np.diff(self.rows) < 0):
            raise ValueError("spellings need ascending rows, one for each")

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return "Spellings(<private>)"

    def of(self, keep: NDArray[np.bool_]) -> Self:
        """Those of the customers that are kept, whose rows move up."""
        there = keep[self.rows]
        moved = np.cumsum(keep, dtype=np.int64) - 1
        return type(self)(rows=moved[self.rows[there]], source_ids=self.source_ids[there])

    def as_lists(self, customers: int) -> pa.ListArray:
        """One list of text for every customer, mostly empty."""
        ends = np.cumsum(np.bincount(self.rows, minlength=customers))
        offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
        return pa.ListArray.from_arrays(offsets, pa.array(self.source_ids, pa.string()))

    @classmethod
    def from_lists(cls, lists: pa.ListArray) -> Self:
        """What ``as_lists`` made."""
        texts = np.asarray(lists.flatten().to_numpy(zero_copy_only=False), dtype=object)
        return cls(rows=pc.list_parent_indices(lists).to_numpy(), source_ids=texts)


def choose(ids: pa.ChunkedArray, found: pa.Table) -> tuple[Spellings, Spellings]:
    """Which spelling stands for each customer, and which others it has.

    The id as cleaning writes it, if the source has that, too; else the first in the order of code points. So the
    choice depends neither on the order of rows nor on the database.

    Args:
        ids: the customer table's ids, each once.
        found: columns ``customer_id`` and ``source_id``, each pair once: all spellings; customers who are not in
            ``ids`` are passed over.

    Returns:
        The chosen spelling of the customers whose id the source never spells so, and all others.
    """
    rows = pc.index_in(found["customer_id"], value_set=ids)
    odd = pc.not_equal(found["customer_id"], found["source_id"])
    table = pa.table({"row": rows, "odd": odd, "source_id": found["source_id"]}).filter(pc.is_valid(rows))
    order = pc.sort_indices(table, [(name, "ascending") for name in ("row", "odd", "source_id")])
    table = table.take(order)
    row = table["row"].to_numpy().astype(np.int64)
    texts = np.asarray(table["source_id"].to_numpy(), dtype=object)
    is_odd = table["odd"].to_numpy()
    first = np.ones(len(row), dtype=bool)
    first[1:] = row[1:] != row[:-1]
    chosen = first & is_odd
    return (
        Spellings(rows=row[chosen], source_ids=texts[chosen]),
        Spellings(rows=row[~first], source_ids=texts[~first]),
    )
