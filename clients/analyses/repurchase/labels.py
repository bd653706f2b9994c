"""What a label of second orders is, as it is kept and written: one customer of one study on one as-of day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clients.analyses.repurchase.states import STATES, standing
from clients.data.rows.customers import CustomerTable
from clients.data.rows.kinds import OwnRows
from clients.labels.day_rows import IDS, DayRows, id_columns
from clients.labels.history import DayHistory
from clients.labels.snapshot import StoredSnapshot
from privacy.analyses.repurchase import CONTRACT
from privacy.kernel.features import MISSING, FeatureTable
from privacy.protocol.study import Study

_STANDING = ("age", "state", "wait", "days_left")
_FACTS = IDS | dict.fromkeys(_STANDING, pa.int64())


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RepurchaseSnapshot(StoredSnapshot):
    """Where one study's customers stood on one as-of day; nothing is worked out again later.

    Attributes:
        in_time: days within which a second order was in time.
        table: one row per customer, ascending by id: ``customer_id``, ``source_id``, ``also_spelled``; ``age`` and
            ``days_left`` in days, ``state`` (index in ``STATES``), ``wait`` (null without a second order).
    """

    FACTS = _FACTS
    METADATA = b"repurchase"

    in_time: int

    @classmethod
    def of(cls, rows: OwnRows[FeatureTable], customers: CustomerTable, study: Study) -> Self:
        """The standing of customers as of the study's day; ``customers`` says how the source spells the ids."""
        in_time = study.of(CONTRACT).in_time
        found = standing(rows.table, in_time)
        columns = id_columns(pa.array(rows.ids, pa.string()), customers)
        columns |= {name: pa.array(getattr(found, name)) for name in _STANDING}
        columns["wait"] = pa.array(found.wait, pa.int64(), mask=found.wait == MISSING)
        table = pa.table({name: pa.array(item, _FACTS[name]) for name, item in columns.items()})
        return cls(study=study.name, as_of=study.as_of, in_time=in_time, table=table)

    def about(self) -> dict[str, Any]:
        """See :class:`StoredSnapshot`."""
        return {"in_time": self.in_time}

    @classmethod
    def read_about(cls, about: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`StoredSnapshot`."""
        return {"in_time": int(about["in_time"])}


class RepurchaseRows(DayRows[RepurchaseSnapshot]):
    """Standings beside those before, as rows of text, numbers and days.

    Columns, in this order: ``customer_id``, ``source_id``, ``study``, ``as_of``, ``first_order_age``, ``second_order``
    (``again``, ``due`` or ``late``), ``wait`` (null without a second order), ``days_left`` (null unless due),
    ``previous_as_of``, ``previous_second_order``, ``second_order_changed``; what was before is null for customers who
    were not there then.
    """

    kind: ClassVar[str] = "repurchase"

    def select(self, *, changed_only: bool = False, segment: str | None = None) -> NDArray[np.int64] | None:
        """Rows of customers who are new or stand elsewhere; None for a selection by segment, which is no standing."""
        if segment is not None:
            return None
        rows = np.arange(len(self.snapshot))
        if not changed_only:
            return rows
        differs = pc.not_equal(self.snapshot.table["state"].combine_chunks(), self._before(pa.array(rows)))
        kept: NDArray[np.bool_] = differs.fill_null(True).to_numpy(zero_copy_only=False)
        return rows[kept]

    def schema(self, *, wide: bool = False) -> pa.Schema:
        """The columns, which are the same for all studies."""
        text, number, day = pa.string(), pa.int64(), pa.date32()
        return pa.schema(
            {
                "customer_id": text, "source_id": text, "study": text, "as_of": day, "first_order_age": number,
                "second_order": text, "wait": number, "days_left": number, "previous_as_of": day,
                "previous_second_order": text, "second_order_changed": pa.bool_(),
            }
        )  # fmt: skip

    def _before(self, rows: pa.Array) -> pa.Array:
        """States before; null for customers who were not there."""
        if self.earlier is None:
            return pa.nulls(len(rows), pa.int64())
        return self.earlier.table["state"].take(self._position.take(rows)).combine_chunks()

    def _columns(self, rows: pa.Array) -> dict[str, pa.Array]:
        names = ("customer_id", "source_id", *_STANDING)
        facts = {name: self.snapshot.table[name].take(rows).combine_chunks() for name in names}
        words, before = pa.array(STATES, pa.string()), self._before(rows)
        is_due = pc.equal(facts["state"], STATES.index("due"))
        return self._about(rows) | {
            "customer_id": facts["customer_id"],
            "source_id": facts["source_id"],
            "first_order_age": facts["age"],
            "second_order": words.take(facts["state"]),
            "wait": facts["wait"],
            "days_left": pc.if_else(is_due, facts["days_left"], pa.scalar(None, pa.int64())),
            "previous_second_order": words.take(before),
            "second_order_changed": pc.not_equal(facts["state"], before),
        }


class RepurchaseHistory(DayHistory[RepurchaseSnapshot, RepurchaseRows]):
    """Standings of every day."""

    what, one = "second orders", "second-order"
    analysis = "repurchase"
    snapshot_of = RepurchaseSnapshot
    rows_of = RepurchaseRows
    selectable = frozenset({"changed"})
