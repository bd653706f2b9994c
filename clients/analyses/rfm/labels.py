"""What a label is: one customer of one study on one as-of day, with segment, scores, and what they were before.

A ``Snapshot`` is one study's labels of one day, as integers; ``LabelRows`` is what is written of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clients.analysis.facts import LabelFact
from clients.data.rows.customers import CustomerTable
from clients.labels.day_rows import IDS, DayRows, decimals
from clients.labels.history import DayHistory
from clients.labels.snapshot import StoredSnapshot
from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.segments import EIGHT, OUTSIDE, SCHEMES, Segment, SegmentRules, outside_window
from privacy.errors import ConfigError
from privacy.kernel.terms import minor_digits
from privacy.protocol.study import Study

_FACTS = {
    **IDS, "recency_days": pa.int64(), "orders": pa.int64(), "money": pa.int64(),
    "r": pa.int8(), "f": pa.int8(), "m": pa.int8(),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Snapshot(StoredSnapshot):
    """One study's labels of one as-of day, as they were given; segments are not worked out again later.

    Attributes:
        currency: of ``money``.
        digits: fraction digits of ``money``: 1234 with 2 digits is 12.34.
        reported: the segmentations whose totals the study released.
        segments: every segmentation that customers were labelled with, and its segments in order.
        table: one row per customer, ascending by id: ``customer_id``; ``source_id`` (null where it is not known: the
            snapshot is of a release that did not keep it); ``also_spelled`` (other spellings; a list, mostly empty);
            ``recency_days``, ``orders``, ``money`` (minor units), int64; ``r``, ``f``, ``m`` (1 to 5; null for who
            bought nothing in the study's window of days); and for each segmentation the index of the segment, int8.
    """

    FACTS = _FACTS
    METADATA = b"labels"

    currency: str
    digits: int
    reported: tuple[str, ...]
    segments: dict[str, tuple[Segment, ...]]

    @classmethod
    def of(cls, table: CustomerTable, rules: SegmentRules, study: Study) -> Self:
        """Label a customer table by a study's released rules; ``rules`` is there only where the study has rules."""
        columns = table.columns
        arrays: dict[str, Any] = {
            "customer_id": table.ids,
            "source_id": table.source_ids,
            "also_spelled": table.also_spelled.as_lists(len(table)),
            "recency_days": columns.recency_days,
            "orders": columns.orders,
            "money": columns.money,
        }
        arrays |= dict(zip("rfm", rules.cuts.scores(columns), strict=True))
        schemes = [scheme for scheme in SCHEMES if scheme != "rules" or rules.thresholds]
        arrays |= {scheme: rules.assign(scheme, columns) for scheme in schemes}
        return cls(
            study=study.name,
            as_of=study.as_of,
            currency=study.currency,
            digits=minor_digits(study.currency),
            reported=tuple(study.of(CONTRACT).report),
            segments={scheme: rules.segments(scheme) for scheme in schemes},
            table=pa.table({name: pa.array(item, _FACTS.get(name, pa.int8())) for name, item in arrays.items()}),
        )

    def with_outsiders(self, everybody: CustomerTable, study: Study) -> Self:
        """Also those who bought nothing in the study's window of days, under a segment of their own.

        They have no scores, no orders and no money in it, and the days since the last purchase that they ever made.

        Args:
            everybody: all customers as of the same day. Who is not labelled and bought lately (the source has changed
                since the questions) is left out.
            study: one with a window.
        """
        days = study.of(CONTRACT).window_days or 0
        # Days with a change of clocks have 23 or 25 hours, so the last purchase before the window may be a day nearer.
        ids, before = pa.array(everybody.ids, pa.string()), everybody.columns.recency_days >= days - 1
        labelled = pc.is_in(ids, value_set=self.table["customer_id"].combine_chunks())
        rows = pa.array(np.flatnonzero(before & ~labelled.to_numpy(zero_copy_only=False)))
        none = pa.array(np.zeros(len(rows), dtype=np.int64))
        arrays: dict[str, pa.Array] = {
            "customer_id": ids.take(rows),
            "source_id": pa.array(everybody.source_ids, pa.string()).take(rows),
            "also_spelled": everybody.also_spelled.as_lists(len(everybody)).take(rows),
            "recency_days": pa.array(everybody.columns.recency_days).take(rows),
            "orders": none,
            "money": none,
        }
        arrays |= {name: pa.nulls(len(rows), pa.int8()) for name in "rfm"}
        for scheme, known in self.segments.items():
            arrays[scheme] = pa.array(np.full(len(rows), len(known)), pa.int8())
        whole = pa.concat_tables([self.table, pa.table(arrays, schema=self.table.schema)])
        return replace(
            self,
            segments={scheme: (*known, outside_window(days)) for scheme, known in self.segments.items()},
            table=whole.take(pc.sort_indices(whole["customer_id"])).combine_chunks(),
        )

    def about(self) -> dict[str, Any]:
        """See :class:`StoredSnapshot`."""
        return {
            "currency": self.currency,
            "digits": self.digits,
            "reported": self.reported,
            "segments": self.segments,
        }

    @classmethod
    def read_about(cls, about: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`StoredSnapshot`."""
        return {
            "currency": about["currency"],
            "digits": about["digits"],
            "reported": tuple(about["reported"]),
            "segments": {
                scheme: tuple(Segment(*item) for item in items) for scheme, items in about["segments"].items()
            },
        }

    @classmethod
    def read_table(cls, table: pa.Table, fields: Mapping[str, Any]) -> pa.Table:
        """See :class:`StoredSnapshot`; there is a column for each segmentation besides."""
        if "source_id" not in table.column_names:
            table = _without_spellings(table)
        if not table.schema.equals(pa.schema(_FACTS | dict.fromkeys(fields["segments"], pa.int8()))):
            raise ValueError("other columns")
        return table

    def codes(self, scheme: str) -> pa.Array:
        """The segments' codes of a segmentation, in order."""
        return pa.array([segment.code for segment in self.segments[scheme]], pa.string())


class LabelRows(DayRows[Snapshot]):
    """Labels beside the study's snapshot before it, as rows of text, numbers and days.

    Columns, in this order: ``customer_id``, ``source_id`` (the id as the source spells it), ``study``, ``as_of`` (day),
    ``recency_days``, ``orders``, ``money`` (decimal, in ``currency``), ``currency``, ``r``, ``f``, ``m``,
    ``previous_as_of`` (day; null for customers who were not there then), then for each segmentation ``<scheme>``,
    ``<scheme>_en``, ``<scheme>_zh`` and, where it was reported, ``<scheme>_previous`` (code) and ``<scheme>_changed``
    (boolean; null where there is no previous one).
    """

    added = DayRows.added | {f"value_activity{end}" for end in ("", "_en", "_zh", "_previous", "_changed")}

    def previous(self, scheme: str) -> pa.Array:
        """Every customer's segment code before, null where there was none."""
        if self.earlier is None or scheme not in self.earlier.segments:
            return pa.nulls(len(self.snapshot), pa.string())
        return self.earlier.codes(scheme).take(self.earlier.table[scheme].take(self._position).combine_chunks())

    def current(self, scheme: str) -> pa.Array:
        """Every customer's segment code."""
        return self.snapshot.codes(scheme).take(self.snapshot.table[scheme].combine_chunks())

    def select(self, *, changed_only: bool = False, segment: str | None = None) -> NDArray[np.int64]:
        """Rows to export.

        Args:
            changed_only: only customers who are new or whose segment is another one than before, in the segmentation
                of ``segment``, or else in any reported one.
            segment: only customers of this segment: a code, looked up in the reported segmentations and then in the
                others, or ``<scheme>:<code>``.

        Raises:
            ConfigError: if there is no such segment.
        """
        keep = np.ones(len(self.snapshot), dtype=bool)
        compared: tuple[str, ...] = self.snapshot.reported
        if segment is not None:
            scheme, index = self._find(segment)
            keep &= self.snapshot.table[scheme].to_numpy() == index
            compared = (scheme,)
        if changed_only:
            moved = np.zeros(len(self.snapshot), dtype=bool)
            for scheme in compared:
                differs = pc.not_equal(self.current(scheme), self.previous(scheme))
                moved |= differs.fill_null(True).to_numpy(zero_copy_only=False)
            keep &= moved
        return np.flatnonzero(keep)

    def _find(self, segment: str) -> tuple[str, int]:
        asked, _, code = segment.rpartition(":")
        segments = self.snapshot.segments
        order = [asked] if asked else [*self.snapshot.reported, *segments]
        for scheme in order:
            codes = [item.code for item in segments.get(scheme, ())]
            if code in codes:
                return scheme, codes.index(code)
        there = "; ".join(f"{name}: {', '.join(item.code for item in items)}" for name, items in segments.items())
        raise ConfigError(f"there is no segment {segment!r}", hint=f"there is {there}")

    def schema(self, *, wide: bool = False) -> pa.Schema:
        """The columns; ``wide`` has all segmentations there are, and is the same for all studies and currencies."""
        money = pa.decimal128(18, 3) if wide else pa.decimal128(18, self.snapshot.digits)
        fields: dict[str, pa.DataType] = {
            "customer_id": pa.string(), "source_id": pa.string(), "study": pa.string(), "as_of": pa.date32(),
            "recency_days": pa.int64(), "orders": pa.int64(), "money": money, "currency": pa.string(), "r": pa.int8(),
            "f": pa.int8(), "m": pa.int8(), "previous_as_of": pa.date32(),
        }  # fmt: skip
        for scheme in SCHEMES if wide else self.snapshot.segments:
            fields |= {scheme: pa.string(), f"{scheme}_en": pa.string(), f"{scheme}_zh": pa.string()}
            if wide or scheme in self.snapshot.reported:
                fields |= {f"{scheme}_previous": pa.string(), f"{scheme}_changed": pa.bool_()}
        return pa.schema(fields)

    def _columns(self, rows: pa.Array) -> dict[str, pa.Array]:
        now = self.snapshot
        names = [name for name in now.table.column_names if name != "also_spelled"]
        facts = {name: now.table[name].take(rows).combine_chunks() for name in names}
        position = self._position.take(rows)
        columns = (
            facts
            | self._about(rows)
            | {
                "currency": pa.repeat(now.currency, len(rows)),
                "money": decimals(facts["money"], now.digits),
            }
        )
        for scheme, segments in now.segments.items():
            columns[scheme] = now.codes(scheme).take(facts[scheme])
            columns[f"{scheme}_en"] = pa.array([item.en for item in segments], pa.string()).take(facts[scheme])
            columns[f"{scheme}_zh"] = pa.array([item.zh for item in segments], pa.string()).take(facts[scheme])
            if scheme in now.reported and self.earlier is not None and scheme in self.earlier.segments:
                index = self.earlier.table[scheme].take(position).combine_chunks()
                columns[f"{scheme}_previous"] = self.earlier.codes(scheme).take(index)
                columns[f"{scheme}_changed"] = pc.not_equal(columns[scheme], columns[f"{scheme}_previous"])
        return columns


def _without_spellings(table: pa.Table) -> pa.Table:
    """A snapshot of an earlier release: nobody knows how the source spelled its ids."""
    unknown = pa.nulls(len(table), pa.string())
    none = pa.ListArray.from_arrays(pa.array([0] * (len(table) + 1), pa.int32()), pa.array([], pa.string()))
    return table.add_column(1, "source_id", unknown).add_column(2, "also_spelled", none)


class LabelHistory(DayHistory[Snapshot, LabelRows]):
    """Segments of every day."""

    what, one = "labels", "label"
    analysis = "rfm"
    snapshot_of = Snapshot
    rows_of = LabelRows
    selectable = frozenset({"changed", "segment"})


def _facts() -> dict[str, LabelFact]:
    eight = (*(segment.code for segment in EIGHT), OUTSIDE)
    found: dict[str, LabelFact] = {}
    for scheme in SCHEMES:
        words = eight if scheme == "eight" else ()
        found[f"segment.{scheme}"] = LabelFact(column=scheme, kind="text", words=words)
        found[f"changed.{scheme}"] = LabelFact(column=f"{scheme}_changed", kind="flag")
    return found


#: What rules of tags may name: ``segment('eight')``, ``changed('eight')``.
FACTS = _facts()
