"""What a label of this analysis is, as it is kept and written: how likely a customer becomes one of the kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clients.analyses.lookalikes.bands import BANDS, CERTAIN
from clients.analyses.lookalikes.scoring import Scores
from clients.analysis.facts import LabelFact
from clients.data.rows.customers import CustomerTable
from clients.labels.day_rows import IDS, DayRows, decimals, id_columns
from clients.labels.history import DayHistory
from clients.labels.snapshot import StoredSnapshot
from privacy.analyses.lookalikes import CONTRACT
from privacy.kernel.terms import minor_digits
from privacy.protocol.study import Study
from privacy.tags.tree import Unit

_FACTS = IDS | {"probability": pa.int16(), "band": pa.int8(), "place": pa.int64(), "money": pa.int64()}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LookalikeSnapshot(StoredSnapshot):
    """One study's look-alike scores of one as-of day, as they were given; nothing is worked out again later.

    Attributes:
        currency: of money.
        digits: fraction digits of money.
        horizon_days: in how many days.
        sought: the kind, as the study says it: ``spend >= 500`` or ``category = "TOYS"``.
        table: one row per scored customer, ascending by id: ``customer_id``, ``source_id``, ``also_spelled``;
            ``probability`` (ten-thousandths); ``band`` (place in ``BANDS``); ``place`` in the order of scores, from 1;
            ``money`` of the last 365 days (minor units).
    """

    FACTS = _FACTS
    METADATA = b"lookalikes"

    currency: str
    digits: int
    horizon_days: int
    sought: str

    @classmethod
    def of(cls, scores: Scores, ids: NDArray[np.object_], customers: CustomerTable, study: Study) -> Self:
        """The scores of customers with these ids (one for every row of the feature table), as of the study's day."""
        options = study.of(CONTRACT)
        place = np.empty(len(scores), dtype=np.int64)
        place[np.argsort(-scores.logits, kind="stable")] = 1 + np.arange(len(scores))
        arrays: dict[str, Any] = {
            **id_columns(pa.array(ids[scores.rows], pa.string()), customers),
            "probability": scores.probability,
            "band": scores.band,
            "place": place,
            "money": scores.money,
        }
        return cls(
            study=study.name,
            as_of=study.as_of,
            currency=study.currency,
            digits=minor_digits(study.currency),
            horizon_days=options.horizon_days,
            sought=f'category = "{options.category}"' if options.category else f"spend >= {options.spend}",
            table=pa.table({name: pa.array(item, _FACTS[name]) for name, item in arrays.items()}),
        )

    def about(self) -> dict[str, Any]:
        """See :class:`StoredSnapshot`."""
        return {name: getattr(self, name) for name in ("currency", "digits", "horizon_days", "sought")}

    @classmethod
    def read_about(cls, about: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`StoredSnapshot`."""
        return {name: about[name] for name in ("currency", "digits", "horizon_days", "sought")}


class LookalikeRows(DayRows[LookalikeSnapshot]):
    """Look-alike scores beside those before, as rows of text and numbers.

    Columns, in this order: ``customer_id``, ``source_id``, ``study``, ``as_of``, ``sought`` (the kind),
    ``horizon_days``, ``becomes_probability`` (four decimals), ``place`` (1 for the highest score), ``list`` (code of
    the band), ``money_365`` (decimal, in ``currency``), ``currency``; ``previous_as_of``,
    ``previous_becomes_probability``, null for customers who had no score then, and where another kind was looked for.
    """

    kind: ClassVar[str] = "lookalikes"

    def select(self, *, changed_only: bool = False, segment: str | None = None) -> None:
        """None: there are no segments here."""
        return None

    def schema(self, *, wide: bool = False) -> pa.Schema:
        """The columns; ``wide`` is the same for all currencies."""
        money = pa.decimal128(18, 3) if wide else pa.decimal128(18, self.snapshot.digits)
        share, text, day = pa.decimal128(5, 4), pa.string(), pa.date32()
        return pa.schema(
            {
                "customer_id": text, "source_id": text, "study": text, "as_of": day, "sought": text,
                "horizon_days": pa.int64(), "becomes_probability": share, "place": pa.int64(), "list": text,
                "money_365": money, "currency": text, "previous_as_of": day, "previous_becomes_probability": share,
            }
        )  # fmt: skip

    def _columns(self, rows: pa.Array) -> dict[str, pa.Array]:
        now = self.snapshot
        names = [name for name in now.table.column_names if name != "also_spelled"]
        facts = {name: now.table[name].take(rows).combine_chunks() for name in names}
        codes = pa.array([band.code for band in BANDS], pa.string())
        return self._about(rows) | {
            "customer_id": facts["customer_id"],
            "source_id": facts["source_id"],
            "sought": pa.repeat(now.sought, len(rows)),
            "horizon_days": pa.repeat(pa.scalar(now.horizon_days, pa.int64()), len(rows)),
            "becomes_probability": decimals(facts["probability"], 4, precision=5),
            "place": facts["place"],
            "list": codes.take(facts["band"]),
            "money_365": decimals(facts["money"], now.digits),
            "currency": pa.repeat(now.currency, len(rows)),
            **self._before(rows),
        }

    def _before(self, rows: pa.Array) -> dict[str, pa.Array]:
        now, before = self.snapshot, self.earlier
        if before is None or (before.sought, before.horizon_days) != (now.sought, now.horizon_days):
            return {"previous_as_of": pa.nulls(len(rows), pa.date32())}
        position = self._position.take(rows)
        share = decimals(before.table["probability"].take(position).combine_chunks().fill_null(0), 4, precision=5)
        # Null where the customer had no score: the zero that stands for it until then is no probability.
        return {
            "previous_becomes_probability": pc.if_else(position.is_valid(), share, pa.scalar(None, share.type)),
        }


class LookalikeHistory(DayHistory[LookalikeSnapshot, LookalikeRows]):
    """Look-alike scores of every day."""

    what, one = "look-alike scores", "score"
    analysis = "lookalikes"
    snapshot_of = LookalikeSnapshot
    rows_of = LookalikeRows


#: What rules of tags may name.
FACTS = {
    "becomes_probability": LabelFact(column="becomes_probability", kind=Unit("share", CERTAIN)),
    "list": LabelFact(column="list", kind="text", words=tuple(band.code for band in BANDS)),
}
