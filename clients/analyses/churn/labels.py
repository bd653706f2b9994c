"""What a churn score is, as it is kept and written: one customer of one study on one as-of day.

Only customers who count on that day (with a purchase in the study's ``active_days``) have a score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clients.analyses.churn.bands import BANDS, CERTAIN, band_of
from clients.analyses.churn.intervals import days_after
from clients.analyses.churn.reasons import HISTORY, REASONS, Said, parts_of, said
from clients.analyses.churn.scoring import Scores
from clients.analysis.facts import LabelFact
from clients.data.rows.customers import CustomerTable
from clients.labels.day_rows import IDS, DayRows, decimals, id_columns
from clients.labels.history import DayHistory
from clients.labels.snapshot import StoredSnapshot
from privacy.analyses.churn import CONTRACT
from privacy.kernel.features import FeatureName
from privacy.kernel.terms import minor_digits
from privacy.models.scorers import ChurnModel
from privacy.protocol.study import Study
from privacy.tags.tree import COUNT, Unit

_NUMBERED = tuple(range(1, REASONS + 1))
_FACTS = IDS | {
    "probability": pa.int16(), "decile": pa.int8(), "money": pa.int64(), "at_risk": pa.int64(),
    "act_by": pa.date32(), "expected": pa.date32(),
} | {f"{part}_{number}": pa.int8() for number in _NUMBERED for part in ("feature", "level", "raises")}  # fmt: skip
_LEVELS = 3
_EFFECTS = pa.array(["lowers", "raises"], pa.string())


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ScoreSnapshot(StoredSnapshot):
    """One study's churn scores of one as-of day, as they were given; nothing is worked out again later.

    Attributes:
        currency: of money.
        digits: fraction digits of money.
        horizon_days: churned means no purchase in so many days from the as-of day on.
        features: what the scores are made of, which reasons are among: the model's features, and ``purchase_history``
            where it corrects a formula.
        model: the model's digest.
        table: one row per scored customer, ascending by id: ``customer_id``, ``source_id`` (null where the customer
            table does not know the customer), ``also_spelled``; ``probability`` (ten-thousandths), ``decile`` (1 to
            10); ``money`` of the last 365 days and ``at_risk`` (minor units); ``act_by``, ``expected`` (days, the
            second null where no purchase is expected); for reasons 1 to 3 ``feature_1`` (index in ``features``, -1
            for none), ``level_1``, ``raises_1``.
    """

    FACTS = _FACTS
    METADATA = b"scores"

    currency: str
    digits: int
    horizon_days: int
    features: tuple[str, ...]
    model: str

    @classmethod
    def of(
        cls, scores: Scores, ids: NDArray[np.object_], customers: CustomerTable, model: ChurnModel, study: Study
    ) -> Self:
        """The scores of customers with these ids (one for every row of the feature table), as of the study's day.

        ``customers`` says how the source spells the ids.
        """
        arrays: dict[str, Any] = {
            **id_columns(pa.array(ids[scores.rows], pa.string()), customers),
            "probability": scores.probability,
            "decile": scores.decile,
            "money": scores.money,
            "at_risk": scores.at_risk,
            "act_by": days_after(study.as_of, scores.timing.act_by),
            "expected": days_after(study.as_of, scores.timing.expected),
        }
        for number in _NUMBERED:
            for part in ("feature", "level", "raises"):
                arrays[f"{part}_{number}"] = getattr(scores.reasons, part)[:, number - 1]
        return cls(
            study=study.name,
            as_of=study.as_of,
            currency=study.currency,
            digits=minor_digits(study.currency),
            horizon_days=study.of(CONTRACT).horizon_days,
            features=parts_of(model),
            model=model.digest,
            table=pa.table({name: pa.array(item, _FACTS[name]) for name, item in arrays.items()}),
        )

    def about(self) -> dict[str, Any]:
        """See :class:`StoredSnapshot`."""
        return {
            "currency": self.currency,
            "digits": self.digits,
            "horizon_days": self.horizon_days,
            "features": self.features,
            "model": self.model,
        }

    @classmethod
    def read_about(cls, about: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`StoredSnapshot`."""
        features = tuple(about["features"])
        if not set(features) <= {*get_args(FeatureName), HISTORY}:
            raise ValueError("a feature that this release does not know")
        return {
            "currency": about["currency"],
            "digits": about["digits"],
            "horizon_days": about["horizon_days"],
            "features": features,
            "model": about["model"],
        }


class ScoreRows(DayRows[ScoreSnapshot]):
    """Churn scores beside those before, as rows of text, numbers and days.

    Columns, in this order: ``customer_id``, ``source_id``, ``study``, ``as_of``, ``horizon_days``,
    ``churn_probability`` (four decimals), ``decile``, ``risk`` (code of the band), ``act_by``,
    ``expected_next_purchase`` (days; the second may be null), ``money_365``, ``value_at_risk`` (decimal, in
    ``currency``), ``currency``; for reasons 1 to 3 ``reason_1`` (feature code), ``reason_1_effect`` (``raises`` or
    ``lowers``), ``reason_1_en``, ``reason_1_zh``; ``previous_as_of``, ``previous_probability``, ``previous_decile``,
    ``probability_change``. What was before is null for customers who had no score then, and where the horizon was
    another one.
    """

    kind: ClassVar[str] = "churn"

    def select(self, *, changed_only: bool = False, segment: str | None = None) -> None:
        """None: scores have no segments."""
        return None

    def schema(self, *, wide: bool = False) -> pa.Schema:
        """The columns; ``wide`` is the same for all currencies."""
        money = pa.decimal128(18, 3) if wide else pa.decimal128(18, self.snapshot.digits)
        share = pa.decimal128(5, 4)
        text = pa.string()
        fields = {
            "customer_id": text, "source_id": text, "study": text, "as_of": pa.date32(), "horizon_days": pa.int64(),
            "churn_probability": share, "decile": pa.int8(), "risk": text, "act_by": pa.date32(),
            "expected_next_purchase": pa.date32(), "money_365": money, "value_at_risk": money, "currency": text,
        }  # fmt: skip
        for number in _NUMBERED:
            fields |= {f"reason_{number}{end}": text for end in ("", "_effect", "_en", "_zh")}
        fields |= {
            "previous_as_of": pa.date32(), "previous_probability": share, "previous_decile": pa.int8(),
            "probability_change": share,
        }  # fmt: skip
        return pa.schema(fields)

    def _columns(self, rows: pa.Array) -> dict[str, pa.Array]:
        now = self.snapshot
        facts = {
            name: now.table[name].take(rows).combine_chunks()
            for name in now.table.column_names
            if name != "also_spelled"
        }
        bands = pa.array([band.code for band in BANDS], pa.string())
        columns = self._about(rows) | {
            "customer_id": facts["customer_id"],
            "source_id": facts["source_id"],
            "horizon_days": pa.repeat(pa.scalar(now.horizon_days, pa.int64()), len(rows)),
            "churn_probability": decimals(facts["probability"], 4, precision=5),
            "decile": facts["decile"],
            "risk": bands.take(pa.array(band_of(facts["probability"].to_numpy()))),
            "act_by": facts["act_by"],
            "expected_next_purchase": facts["expected"],
            "money_365": decimals(facts["money"], now.digits),
            "value_at_risk": decimals(facts["at_risk"], now.digits),
            "currency": pa.repeat(now.currency, len(rows)),
        }
        for number in _NUMBERED:
            columns |= self._reason(number, facts)
        return columns | self._before(rows, facts["probability"])

    def _reason(self, number: int, facts: dict[str, pa.Array]) -> dict[str, pa.Array]:
        features = self.snapshot.features
        feature, sentence, raises = numbered_reason(facts, number)
        said_of = sentences(features)
        return {
            f"reason_{number}": pa.array(features, pa.string()).take(feature),
            f"reason_{number}_effect": _EFFECTS.take(pc.if_else(feature.is_valid(), raises, None)),
            f"reason_{number}_en": pa.array([item.en for item in said_of], pa.string()).take(sentence),
            f"reason_{number}_zh": pa.array([item.zh for item in said_of], pa.string()).take(sentence),
        }

    def _before(self, rows: pa.Array, probability: pa.Array) -> dict[str, pa.Array]:
        if self.earlier is None or self.earlier.horizon_days != self.snapshot.horizon_days:
            return {"previous_as_of": pa.nulls(len(rows), pa.date32())}
        position = self._position.take(rows)
        known, share = position.is_valid(), pa.decimal128(5, 4)
        before = self.earlier.table["probability"].take(position).combine_chunks().fill_null(0)
        # Null where the customer had no score: the zero that stands for it until then is no probability.
        return {
            "previous_probability": pc.if_else(known, decimals(before, 4, precision=5), pa.scalar(None, share)),
            "previous_decile": self.earlier.table["decile"].take(position).combine_chunks(),
            "probability_change": pc.if_else(
                known, decimals(pc.subtract(probability, before), 4, precision=5), pa.scalar(None, share)
            ),
        }


def numbered_reason(facts: Mapping[str, Any], number: int) -> tuple[pa.Array, pa.Array, pa.Array]:
    """One of the reasons of scores: the feature (null where there is none), its place in ``sentences``, its effect."""
    feature, level, raises = (facts[f"{part}_{number}"].cast(pa.int64()) for part in ("feature", "level", "raises"))
    feature = pc.if_else(pc.greater_equal(feature, 0), feature, None)
    return feature, pc.add(pc.multiply(pc.add(pc.multiply(feature, _LEVELS), level), 2), raises), raises


def sentences(features: Sequence[str]) -> list[Said]:
    """Every reason there may be: by feature, then level, then effect."""
    return [
        said(name, level, raises=bool(effect)) for name in features for level in range(_LEVELS) for effect in range(2)
    ]


class ScoreHistory(DayHistory[ScoreSnapshot, ScoreRows]):
    """Churn scores of every day."""

    what, one = "churn scores", "score"
    analysis = "churn"
    snapshot_of = ScoreSnapshot
    rows_of = ScoreRows


#: What rules of tags may name.
FACTS = {
    "churn_probability": LabelFact(column="churn_probability", kind=Unit("share", CERTAIN)),
    "decile": LabelFact(column="decile", kind=COUNT),
    "risk": LabelFact(column="risk", kind="text", words=tuple(band.code for band in BANDS)),
    "value_at_risk": LabelFact(column="value_at_risk", kind="money"),
}
