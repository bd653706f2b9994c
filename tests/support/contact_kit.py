"""Customers to choose from, and lists of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa

from clients.labels.config import ContactSettings
from clients.labels.contacts import Candidates, ContactList, draw_up

KEY = b"k" * 32


def candidates(values: Sequence[int], ids: Sequence[str] = (), *, days: Sequence[int] = ()) -> Candidates:
    """Customers with these values at risk, by when to act (days after the study's) where it is stated."""
    count, start = len(values), dt.date(2024, 6, 1)
    names = list(ids) or [f"c{number:05}" for number in range(count)]
    table = pa.table(
        {
            "customer_id": pa.array(names, pa.string()),
            "source_id": pa.array(names, pa.string()),
            "probability": pa.array([5_000] * count, pa.int16()),
            "money": pa.array([2 * value for value in values], pa.int64()),
            "value": pa.array(values, pa.int64()),
            "act_by": pa.array([start + dt.timedelta(days=day) for day in days or [0] * count], pa.date32()),
            "code": pa.array(["risky"] * count, pa.string()),
            "reason_en": pa.array(["long silent"] * count, pa.string()),
            "reason_zh": pa.array(["久未购买"] * count, pa.string()),
        }
    )
    return Candidates(study="spring", as_of=start, currency="EUR", digits=2, table=table)


def contact_list(
    values: Sequence[int],
    ids: Sequence[str] = (),
    *,
    settings: ContactSettings | None = None,
    days: Sequence[int] = (),
) -> ContactList:
    """The list of them."""

    def todo(code: str, language: str) -> str:
        return f"{code} {language}"

    return draw_up(candidates(values, ids, days=days), settings or ContactSettings(), todo, KEY)
