"""Results of queries over several feeds, with one number for every customer's id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr import types as ir
from numpy.typing import NDArray

from clients.data.cleaning.money import QUANTA_PER_UNIT
from clients.data.sources import fetch
from privacy.kernel.features import IntArray
from privacy.kernel.terms import minor_digits


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One query's result.

    Attributes:
        ids: the customer of every row, dictionary-encoded: numbers or text.
        rows: everything else; columns of integers.
    """

    ids: pa.DictionaryArray
    rows: pa.Table

    @classmethod
    def of(cls, expression: ir.Table, *, what: str) -> Self:
        """Run a query that has ``customer``."""
        table = fetch(expression, what=what)
        ids = table["customer"].combine_chunks()
        ids = ids.chunk(0) if isinstance(ids, pa.ChunkedArray) else ids
        return cls(ids=ids.dictionary_encode(), rows=table.drop_columns(["customer"]))

    @classmethod
    def once(cls, expression: ir.Table, *, what: str) -> Self:
        """The same of a query that has each customer once, which need not be looked for."""
        table = fetch(expression, what=what)
        ids = table["customer"].combine_chunks()
        ids = ids.chunk(0) if isinstance(ids, pa.ChunkedArray) else ids
        each = pa.array(np.arange(len(ids), dtype=np.int32))
        return cls(ids=pa.DictionaryArray.from_arrays(each, ids), rows=table.drop_columns(["customer"]))

    def where(self, mask: pa.ChunkedArray) -> Self:
        """Some rows of a part that has each customer once."""
        ids = self.ids.dictionary.filter(mask.combine_chunks())
        each = pa.array(np.arange(len(ids), dtype=np.int32))
        return type(self)(ids=pa.DictionaryArray.from_arrays(each, ids), rows=self.rows.filter(mask))

    def without(self, name: str) -> Self:
        """The same without a column."""
        return replace(self, rows=self.rows.drop_columns([name]))

    def and_also(self, other: Self) -> Self:
        """Two parts that have each customer once, and none in common."""
        ids = pa.concat_arrays([self.ids.dictionary, other.ids.dictionary])
        each = pa.array(np.arange(len(ids), dtype=np.int32))
        rows = pa.concat_tables([self.rows, other.rows.select(self.rows.column_names)])
        return type(self)(ids=pa.DictionaryArray.from_arrays(each, ids), rows=rows)

    @property
    def texts(self) -> pa.Array:
        """Every id once, as text."""
        return self.ids.dictionary.cast(pa.string())

    def numbers(self, universe: pa.Array) -> IntArray:
        """Place of every row's customer among all ids."""
        places = pc.index_in(self.texts, value_set=universe).to_numpy(zero_copy_only=False).astype(np.int64)
        return places[self.ids.indices.to_numpy(zero_copy_only=False)] if len(places) else np.zeros(0, np.int64)

    def column(self, name: str, absent: int = 0) -> IntArray:
        """A column of integers; ``absent`` where it is null."""
        array: IntArray = self.rows[name].cast(pa.int64()).fill_null(absent).to_numpy()
        return array


def universe_of(parts: Iterable[Part]) -> pa.Array:
    """All ids, each once, sorted as text."""
    texts = [part.texts for part in parts]
    every = pc.unique(pa.chunked_array(texts, pa.string()))
    return every.take(pc.sort_indices(every))


def spread(numbers: IntArray, values: IntArray, size: int, absent: int) -> IntArray:
    """Values of some customers, each at most once, as an array over all of them."""
    found = np.full(size, absent, dtype=np.int64)
    found[numbers] = values
    return found


def presence(numbers: IntArray, size: int) -> NDArray[np.bool_]:
    """Which customers are among these."""
    found = np.zeros(size, dtype=bool)
    found[numbers] = True
    return found


def minor_units(quanta: IntArray, currency: str) -> IntArray:
    """Money in minor units of a currency, rounded half up."""
    per_minor = QUANTA_PER_UNIT // 10 ** minor_digits(currency)
    found: IntArray = (quanta + per_minor // 2) // per_minor
    return found
