"""Customers by what is at risk, for the list of whom to contact."""

from __future__ import annotations

import pyarrow as pa

from clients.analyses.churn.bands import BANDS, band_of
from clients.analyses.churn.labels import ScoreSnapshot, numbered_reason, sentences
from clients.labels.contacts import Candidates


def candidates(scores: ScoreSnapshot) -> Candidates:
    """All customers with a score; what to do follows from their band of risk, the reason is the strongest one."""
    table = scores.table
    facts = {name: table[name].combine_chunks() for name in table.column_names}
    _, sentence, _ = numbered_reason(facts, 1)
    said = sentences(scores.features)
    codes = pa.array([band.code for band in BANDS], pa.string())
    columns = {
        "customer_id": facts["customer_id"],
        "source_id": facts["source_id"],
        "probability": facts["probability"],
        "money": facts["money"],
        "value": facts["at_risk"],
        "act_by": facts["act_by"],
        "code": codes.take(pa.array(band_of(facts["probability"].to_numpy()))),
        "reason_en": pa.array([item.en for item in said], pa.string()).take(sentence),
        "reason_zh": pa.array([item.zh for item in said], pa.string()).take(sentence),
    }
    return Candidates(
        study=scores.study,
        as_of=scores.as_of,
        currency=scores.currency,
        digits=scores.digits,
        table=pa.table(columns),
    )
