"""What labels say of every customer, as columns that rules read: facts of the newest labels up to the day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clients.data.rows.rules.columns import Customers
from clients.data.rows.rules.people import coded
from clients.labels.day_rows import DayRows
from clients.tags.names import label_facts
from privacy.tags.tree import Fact, Leaf, Node, Unit
from privacy.tags.truth import BoolArray, Column, IntArray


def with_labels(customers: Customers, wanted: Iterable[Leaf], labels: Sequence[DayRows[Any]]) -> Customers:
    """Customers with the facts of labels as well; unknown where nothing is kept.

    Args:
        customers: with what their rows say.
        wanted: what rules read; what is no fact of labels is passed over.
        labels: the newest labels of the study that facts are of.
    """
    known = dict(label_facts())
    facts = [one for one in wanted if isinstance(one, Fact) and one.name in known]
    found: dict[Node, Column] = {}
    for rows in labels if facts else ():
        here = [one for one in facts if known[one.name].column in rows.schema().names]
        if not here:
            continue
        table = pa.Table.from_batches(rows.blocks(), schema=rows.schema())
        place = pc.index_in(customers.ids, value_set=table["customer_id"].combine_chunks())
        for one in here:
            found[one] = of_label(one, table[known[one.name].column].combine_chunks(), place)
    nobody = Column(np.zeros(len(customers), np.int64), np.zeros(len(customers), dtype=bool))
    return replace(customers, columns={**customers.columns, **dict.fromkeys(facts, nobody), **found})


def of_label(fact: Fact, values: pa.Array, place: pa.Array) -> Column:
    """A column of labels, over all customers.

    Args:
        fact: what it is.
        values: of labelled customers.
        place: of every customer among these; null for who has no label.
    """
    own = values.take(place)
    known: BoolArray = own.is_valid().to_numpy(zero_copy_only=False)
    if fact.kind == "text":
        raw, words = coded(own, {})
        return Column(raw, known, words)
    if pa.types.is_decimal(own.type):
        per = fact.kind.per if isinstance(fact.kind, Unit) else 1
        return Column(np.where(known, _parts(own, per), 0), known)
    return Column(own.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), known)


def _parts(values: pa.Array, per: int) -> IntArray:
    """Decimals in so many parts of their unit, rounded half up: their digits without the point, which fit 64 bits."""
    whole = pa.concat_arrays([values])  # without an offset
    digits: IntArray = np.frombuffer(whole.buffers()[1], dtype="<i8")[::2][: len(whole)].astype(np.int64)
    point = 10**values.type.scale
    found: IntArray = digits * (per // point) if per >= point else (digits + point // per // 2) // (point // per)
    return found
