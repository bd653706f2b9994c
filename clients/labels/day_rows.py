"""Rows about the holder's own customers, of one study and as-of day: what files and tables are written from.

A snapshot is what is kept of a day; ``DayRows`` sets it beside the study's snapshot before it and turns both, block by
block, into the columns that files and tables have. What a row says is its kind's own business: segments are in
``labels.py`` of the analysis' room.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import ClassVar, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clients.data.rows.customers import CustomerTable
from clients.labels.snapshot import StoredSnapshot

#: Rows in one block of output: what is in memory as text at one time.
BLOCK = 65_536
#: A snapshot's columns for ids; those of an earlier release have the first one only.
IDS = {"customer_id": pa.string(), "source_id": pa.string(), "also_spelled": pa.list_(pa.string())}


S = TypeVar("S", bound=StoredSnapshot)


class DayRows(ABC, Generic[S]):
    """A snapshot beside the study's snapshot before it, as rows of text, numbers and days.

    Attributes:
        kind: in the names of files and tables; empty for segments.
        added: columns that tables of earlier releases do not have.
        snapshot: what is written.
        earlier: the same study's latest snapshot of an earlier day, None where there is none.
        is_latest: whether no later day of this study is known.
    """

    kind: ClassVar[str] = ""
    added: ClassVar[frozenset[str]] = frozenset({"source_id"})

    def __init__(self, snapshot: S, earlier: S | None, *, is_latest: bool) -> None:
        self.snapshot = snapshot
        self.earlier = earlier
        self.is_latest = is_latest

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<private>)"

    @abstractmethod
    def schema(self, *, wide: bool = False) -> pa.Schema:
        """The columns; ``wide`` has all that there may be, and is the same for all studies and currencies."""

    @abstractmethod
    def _columns(self, rows: pa.Array) -> dict[str, pa.Array]:
        """The columns of some rows, by name; those that are left out are null."""

    @abstractmethod
    def select(self, *, changed_only: bool = False, segment: str | None = None) -> NDArray[np.int64] | None:
        """Rows of a selection; None where rows of this kind cannot be selected so."""

    @cached_property
    def _position(self) -> pa.Array:
        """For every customer, its row in the earlier snapshot; null for new customers."""
        if self.earlier is None:
            return pa.nulls(len(self.snapshot), pa.int32())
        found = pc.index_in(self.snapshot.table["customer_id"], value_set=self.earlier.table["customer_id"])
        return found.combine_chunks()

    def other_spellings(self, rows: NDArray[np.int64] | None = None) -> tuple[NDArray[np.int64], pa.Array]:
        """What other ids the source has for the customers (all, or those at ``rows``): the row of each, and the id."""
        lists = self.snapshot.table["also_spelled"].combine_chunks()
        rows = np.arange(len(lists)) if rows is None else rows
        lists = lists.take(pa.array(rows))
        return rows[pc.list_parent_indices(lists).to_numpy()], lists.flatten()

    def blocks(
        self, rows: NDArray[np.int64] | None = None, *, wide: bool = False, source_ids: pa.Array | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows (all, or those at ``rows``) in order, at most ``BLOCK`` at a time.

        Args:
            rows: rows of the snapshot.
            wide: with all columns that tables of a database have.
            source_ids: other spellings, one for each of ``rows``.
        """
        chosen = pa.array(np.arange(len(self.snapshot)) if rows is None else rows)
        schema = self.schema(wide=wide)
        for start in range(0, len(chosen), BLOCK):
            columns = self._columns(chosen.slice(start, BLOCK))
            if source_ids is not None:
                columns["source_id"] = source_ids.slice(start, BLOCK)
            size = len(columns["customer_id"])
            yield pa.record_batch(
                [
                    columns[item.name].cast(item.type) if item.name in columns else pa.nulls(size, item.type)
                    for item in schema
                ],
                schema=schema,
            )

    def _about(self, rows: pa.Array) -> dict[str, pa.Array]:
        """The columns that rows of every kind have: study, day, and the day of the row before."""
        before = pa.repeat(pa.scalar(self.earlier.as_of if self.earlier else None, pa.date32()), len(rows))
        known = self._position.take(rows).is_valid()
        return {
            "study": pa.repeat(self.snapshot.study, len(rows)),
            "as_of": pa.repeat(self.snapshot.as_of, len(rows)),
            "previous_as_of": pc.if_else(known, before, pa.scalar(None, pa.date32())),
        }


def id_columns(own: pa.Array, customers: CustomerTable) -> dict[str, pa.Array]:
    """The columns of ``IDS`` of customers with these ids; null and empty where the customer table has no such one."""
    known = pc.index_in(own, value_set=pa.array(customers.ids, pa.string()))
    return {
        "customer_id": own,
        "source_id": pa.array(customers.source_ids, pa.string()).take(known),
        "also_spelled": customers.also_spelled.as_lists(len(customers)).take(known).fill_null([]),
    }


def decimals(minor: pa.Array, digits: int, *, precision: int = 18) -> pa.Array:
    """Integers as exact decimals with so many digits after the point, by putting the point where it belongs."""
    low = minor.cast(pa.int64()).to_numpy()
    words = np.stack([low, low >> 63], axis=1).astype("<i8")  # 128 bits, little-endian, with the sign carried up
    kind = pa.decimal128(precision, digits)
    return pa.Decimal128Array.from_buffers(kind, len(low), [None, pa.py_buffer(words.tobytes())])
