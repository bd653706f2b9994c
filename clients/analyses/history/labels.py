"""What a label of this analysis is, as it is kept and written: what one customer is expected to do from one day on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clients.analyses.history.bands import BANDS, CERTAIN, DATES, band_of
from clients.analyses.history.scoring import PURCHASE, Scores
from clients.analysis.facts import LabelFact
from clients.data.rows.customers import CustomerTable
from clients.labels.day_rows import IDS, DayRows, decimals, id_columns
from clients.labels.history import DayHistory
from clients.labels.snapshot import StoredSnapshot
from privacy.analyses.history import CONTRACT
from privacy.kernel.terms import minor_digits
from privacy.protocol.study import Study
from privacy.tags.tree import COUNT, Unit

_BUYS = tuple(f"buys_within_{days}" for days in DATES)
_FACTS = IDS | dict.fromkeys(("active", *_BUYS), pa.int16()) | {
    "purchases": pa.int64(), "spend": pa.int64(), "value_decile": pa.int8(), "next_by": pa.date32(),
}  # fmt: skip
_DECILES = 10


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PurchaseSnapshot(StoredSnapshot):
    """What one study's customers were expected to do as of one day, as it was given; nothing is worked out again later.

    Attributes:
        currency: of money.
        digits: fraction digits of money.
        ahead_days: what expected purchases and spend are of.
        table: one row per customer, ascending by id: ``customer_id``, ``source_id``, ``also_spelled``; ``active`` and
            ``buys_within_30`` to ``_180`` (ten-thousandths); ``purchases`` (thousandths), ``spend`` (minor units, null
            without a question about money); ``value_decile``: 1 for the tenth with the highest spend to expect (of
            purchases, where there is no spend), to 10; ``next_by``: the day by which the next purchase has come as
            likely as not, null where it is not expected.
    """

    FACTS = _FACTS
    METADATA = b"purchases"

    currency: str
    digits: int
    ahead_days: int

    @classmethod
    def of(cls, scores: Scores, ids: NDArray[np.object_], customers: CustomerTable, study: Study) -> Self:
        """The scores of customers with these ids (one for every row of the table), as of the study's day."""
        count = len(scores)
        offsets = scores.next_days.astype("timedelta64[D]")
        days = np.datetime64(study.as_of, "D") + offsets
        arrays: dict[str, Any] = {
            **id_columns(pa.array(ids[scores.rows], pa.string()), customers),
            "active": scores.active,
            **{name: scores.buys[ahead] for name, ahead in zip(_BUYS, DATES, strict=True)},
            "purchases": scores.purchases,
            "spend": pa.nulls(count, pa.int64()) if scores.spend is None else scores.spend,
            "value_decile": deciles(scores.purchases if scores.spend is None else scores.spend),
            "next_by": np.where(scores.next_days < 0, np.datetime64("NaT", "D"), days),
        }
        return cls(
            study=study.name,
            as_of=study.as_of,
            currency=study.currency,
            digits=minor_digits(study.currency),
            ahead_days=study.of(CONTRACT).horizons[-1],
            table=pa.table({name: pa.array(item, _FACTS[name]) for name, item in arrays.items()}),
        )

    def about(self) -> dict[str, Any]:
        """See :class:`StoredSnapshot`."""
        return {"currency": self.currency, "digits": self.digits, "ahead_days": self.ahead_days}

    @classmethod
    def read_about(cls, about: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`StoredSnapshot`."""
        return {name: about[name] for name in ("currency", "digits", "ahead_days")}


def deciles(value: NDArray[np.int64]) -> NDArray[np.int8]:
    """1 for the tenth with the highest values, to 10; of equal ones the earlier row comes first. Same shape."""
    found = np.empty(len(value), dtype=np.int8)
    found[np.argsort(-value, kind="stable")] = 1 + np.arange(len(value)) * _DECILES // max(len(value), 1)
    return found


class PurchaseRows(DayRows[PurchaseSnapshot]):
    """Expected purchases beside those before, as rows of text, numbers and days.

    Columns, in this order: ``customer_id``, ``source_id``, ``study``, ``as_of``, ``active_probability``,
    ``buys_within_30``, ``buys_within_90``, ``buys_within_180`` (four decimals), ``next_purchase`` (code of the band),
    ``next_by`` (day, null where no purchase is expected), ``expected_days`` (what the next two are of),
    ``expected_purchases`` (three decimals), ``expected_spend`` (decimal, in ``currency``; null without a question about
    money), ``value_decile``, ``currency``; ``previous_as_of``, ``previous_buys_within_90``, ``previous_value_decile``.
    """

    kind: ClassVar[str] = "purchases"

    def select(self, *, changed_only: bool = False, segment: str | None = None) -> None:
        """None: there are no segments here."""
        return None

    def schema(self, *, wide: bool = False) -> pa.Schema:
        """The columns; ``wide`` is the same for all currencies."""
        money = pa.decimal128(18, 3) if wide else pa.decimal128(18, self.snapshot.digits)
        share, text, day = pa.decimal128(5, 4), pa.string(), pa.date32()
        return pa.schema(
            {
                "customer_id": text, "source_id": text, "study": text, "as_of": day, "active_probability": share,
                **dict.fromkeys(_BUYS, share), "next_purchase": text, "next_by": day, "expected_days": pa.int64(),
                "expected_purchases": pa.decimal128(18, 3), "expected_spend": money, "value_decile": pa.int8(),
                "currency": text, "previous_as_of": day, "previous_buys_within_90": share,
                "previous_value_decile": pa.int8(),
            }
        )  # fmt: skip

    def _columns(self, rows: pa.Array) -> dict[str, pa.Array]:
        now = self.snapshot
        names = [name for name in now.table.column_names if name != "also_spelled"]
        facts = {name: now.table[name].take(rows).combine_chunks() for name in names}
        codes = pa.array([band.code for band in BANDS], pa.string())
        bands = band_of({ahead: facts[name].to_numpy() for name, ahead in zip(_BUYS, DATES, strict=True)})
        spend = facts["spend"]
        return self._about(rows) | {
            "customer_id": facts["customer_id"],
            "source_id": facts["source_id"],
            "active_probability": _share(facts["active"]),
            **{name: _share(facts[name]) for name in _BUYS},
            "next_purchase": codes.take(pa.array(bands)),
            "next_by": facts["next_by"],
            "expected_days": pa.repeat(pa.scalar(now.ahead_days, pa.int64()), len(rows)),
            "expected_purchases": decimals(facts["purchases"], 3),
            "expected_spend": _where(spend.is_valid(), decimals(spend.fill_null(0), now.digits)),
            "value_decile": facts["value_decile"],
            "currency": pa.repeat(now.currency, len(rows)),
            **self._before(rows),
        }

    def _before(self, rows: pa.Array) -> dict[str, pa.Array]:
        if self.earlier is None:
            return {}
        position = self._position.take(rows)
        before = {
            name: self.earlier.table[name].take(position).combine_chunks()
            for name in ("buys_within_90", "value_decile")
        }
        return {
            "previous_buys_within_90": _where(position.is_valid(), _share(before["buys_within_90"].fill_null(0))),
            "previous_value_decile": before["value_decile"],
        }


def _share(parts: pa.Array) -> pa.Array:
    return decimals(parts, 4, precision=5)


def _where(known: pa.Array, values: pa.Array) -> pa.Array:
    """Null where nothing is known: what stands there until then is no figure."""
    return pc.if_else(known, values, pa.scalar(None, values.type))


class PurchaseHistory(DayHistory[PurchaseSnapshot, PurchaseRows]):
    """Expected purchases of every day."""

    what, one = "expected purchases", "expectation"
    analysis = "history"
    snapshot_of = PurchaseSnapshot
    rows_of = PurchaseRows


#: What rules of tags may name.
FACTS = {
    **{name: LabelFact(column=name, kind=Unit("share", CERTAIN)) for name in ("active_probability", *_BUYS)},
    "next_purchase": LabelFact(column="next_purchase", kind="text", words=tuple(band.code for band in BANDS)),
    "expected_purchases": LabelFact(column="expected_purchases", kind=Unit("count", PURCHASE)),
    "expected_spend": LabelFact(column="expected_spend", kind="money"),
    "value_decile": LabelFact(column="value_decile", kind=COUNT),
}
