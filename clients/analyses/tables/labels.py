"""What a label of this analysis is, as it is kept and written: where one customer stands on one as-of day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clients.analyses.tables.standing import SECOND, Cuts, days_in_time, standing
from clients.analysis.facts import LabelFact
from clients.data.rows.customers import CustomerTable
from clients.data.rows.kinds import OwnRows
from clients.labels.day_rows import IDS, DayRows, id_columns
from clients.labels.history import DayHistory
from clients.labels.snapshot import StoredSnapshot
from privacy.analyses.tables import CONTRACT
from privacy.analyses.tables.statuses import STATUSES, StatusCuts
from privacy.kernel.features import MISSING, FeatureTable
from privacy.protocol.study import Study
from privacy.tags.tree import DAYS

_STANDING = ("loyalty", "status", "age", "gap", "second", "wait", "days_left")
_FACTS = IDS | dict.fromkeys(_STANDING, pa.int64())


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class StandingSnapshot(StoredSnapshot):
    """Where one study's customers stood on one as-of day; nothing is worked out again later.

    Attributes:
        cuts: of status; None where neither this run nor an earlier one of the study released any.
        in_time: days within which a second order was in time; 0 where the study does not say.
        table: one row per customer, ascending by id: ``customer_id``, ``source_id``, ``also_spelled``, and what
            :class:`clients.analyses.tables.standing.Standing` has, null where there is nothing to say.
    """

    FACTS = _FACTS
    METADATA = b"standing"

    cuts: Cuts | None
    in_time: int

    @classmethod
    def of(cls, rows: OwnRows[FeatureTable], customers: CustomerTable, study: Study, cuts: Cuts | None) -> Self:
        """The standing of customers as of the study's day; ``customers`` says how the source spells the ids."""
        in_time = days_in_time(study.of(CONTRACT))
        found = standing(rows.table, None if cuts is None else cuts.cuts, in_time)
        columns = id_columns(pa.array(rows.ids, pa.string()), customers)
        for name in _STANDING:
            values = getattr(found, name)
            columns[name] = pa.array(values, pa.int64(), mask=values == MISSING)
        table = pa.table({name: pa.array(item, _FACTS[name]) for name, item in columns.items()})
        return cls(study=study.name, as_of=study.as_of, cuts=cuts, in_time=in_time, table=table)

    def about(self) -> dict[str, Any]:
        """See :class:`StoredSnapshot`."""
        cuts = None if self.cuts is None else {"as_of": self.cuts.as_of.isoformat(), **dict(self.cuts.cuts)}
        return {"cuts": cuts, "in_time": self.in_time}

    @classmethod
    def read_about(cls, about: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`StoredSnapshot`."""
        cuts = None
        if about["cuts"] is not None:
            fields = dict(about["cuts"])
            as_of = dt.date.fromisoformat(fields.pop("as_of"))
            cuts = Cuts(cuts=StatusCuts.model_validate(fields), as_of=as_of)
        return {"cuts": cuts, "in_time": int(about["in_time"])}


class StandingRows(DayRows[StandingSnapshot]):
    """Standings beside those before, as rows of text, numbers and days.

    Columns, in this order: ``customer_id``, ``source_id``, ``study``, ``as_of``, ``loyalty`` (thousandths), ``status``
    (code), ``status_en``, ``status_zh``, ``status_cuts_of`` (day of the run that released its cuts; null, as status,
    where there are none), ``first_order_age``, ``last_gap`` (null with one order), ``second_order`` (``again``, ``due``
    or ``late``; null where the study says nothing of days), ``wait`` (null without a second order), ``days_left`` (null
    unless due), ``previous_as_of``, ``loyalty_previous``, ``status_previous``, ``status_changed``,
    ``second_order_previous``, ``second_order_changed``; what was before is null for customers who were not there then.
    """

    kind: ClassVar[str] = "status"

    def select(self, *, changed_only: bool = False, segment: str | None = None) -> NDArray[np.int64] | None:
        """Rows of customers who are new or stand elsewhere; None for a selection by segment, which is no standing."""
        if segment is not None:
            return None
        rows = np.arange(len(self.snapshot))
        if not changed_only:
            return rows
        moved = np.zeros(len(rows), dtype=np.bool_)
        for name in ("status", "second"):
            now, before = self.snapshot.table[name].combine_chunks(), self._before(name, pa.array(rows))
            same = pc.or_(pc.equal(now, before).fill_null(False), pc.and_(now.is_null(), before.is_null()))
            moved |= ~same.to_numpy(zero_copy_only=False)
        moved |= self._position.is_null().to_numpy(zero_copy_only=False)
        return rows[moved]

    def schema(self, *, wide: bool = False) -> pa.Schema:
        """The columns, which are the same for all studies."""
        text, number, day = pa.string(), pa.int64(), pa.date32()
        return pa.schema(
            {
                "customer_id": text, "source_id": text, "study": text, "as_of": day, "loyalty": number, "status": text,
                "status_en": text, "status_zh": text, "status_cuts_of": day, "first_order_age": number,
                "last_gap": number, "second_order": text, "wait": number, "days_left": number, "previous_as_of": day,
                "loyalty_previous": number, "status_previous": text, "status_changed": pa.bool_(),
                "second_order_previous": text, "second_order_changed": pa.bool_(),
            }
        )  # fmt: skip

    def _before(self, name: str, rows: pa.Array) -> pa.Array:
        """What was before; null for customers who were not there."""
        if self.earlier is None:
            return pa.nulls(len(rows), pa.int64())
        return self.earlier.table[name].take(self._position.take(rows)).combine_chunks()

    def _columns(self, rows: pa.Array) -> dict[str, pa.Array]:
        names = ("customer_id", "source_id", *_STANDING)
        facts = {name: self.snapshot.table[name].take(rows).combine_chunks() for name in names}
        before = {name: self._before(name, rows) for name in ("loyalty", "status", "second")}
        cuts = self.snapshot.cuts
        said = {
            part: pa.array([getattr(item, part) for item in STATUSES], pa.string()) for part in ("code", "en", "zh")
        }
        second = pa.array(SECOND, pa.string())
        return self._about(rows) | {
            "customer_id": facts["customer_id"],
            "source_id": facts["source_id"],
            "loyalty": facts["loyalty"],
            "status": said["code"].take(facts["status"]),
            "status_en": said["en"].take(facts["status"]),
            "status_zh": said["zh"].take(facts["status"]),
            "status_cuts_of": pa.repeat(pa.scalar(None if cuts is None else cuts.as_of, pa.date32()), len(rows)),
            "first_order_age": facts["age"],
            "last_gap": facts["gap"],
            "second_order": second.take(facts["second"]),
            "wait": facts["wait"],
            "days_left": facts["days_left"],
            "loyalty_previous": before["loyalty"],
            "status_previous": said["code"].take(before["status"]),
            "status_changed": pc.not_equal(facts["status"], before["status"]),
            "second_order_previous": second.take(before["second"]),
            "second_order_changed": pc.not_equal(facts["second"], before["second"]),
        }


class StandingHistory(DayHistory[StandingSnapshot, StandingRows]):
    """Standings of every day."""

    what, one = "statuses", "status"
    analysis = "tables"
    snapshot_of = StandingSnapshot
    rows_of = StandingRows
    selectable = frozenset({"changed"})


#: What rules of tags may name.
FACTS = {
    "status": LabelFact(column="status", kind="text", words=tuple(status.code for status in STATUSES)),
    "changed.status": LabelFact(column="status_changed", kind="flag"),
    "second_order": LabelFact(column="second_order", kind="text", words=SECOND),
    "days_left": LabelFact(column="days_left", kind=DAYS),
    "last_gap": LabelFact(column="last_gap", kind=DAYS),
}
