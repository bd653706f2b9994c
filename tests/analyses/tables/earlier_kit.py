"""A study of tables, and a run before it that has released cut points and caps."""

from __future__ import annotations

import datetime as dt
import tomllib
from typing import Any

from report_pages import PLAIN

from privacy.analyses.rfm.segments import CutPoints
from privacy.protocol.study import Study
from privacy.results import StudyResult

AS_OF = dt.date(2025, 1, 1)
CUTS = CutPoints(
    recency_days=(30, 90, 180, 400), orders=(2, 3, 5, 9), money=(2_050, 5_000, 12_010, 40_000), recency_high=120,
    orders_high=3, money_high=6_249,
)  # fmt: skip
WORTH = """
name = "worth"
by = [
  { dimension = "recency_band", keys = { from = "rfm.recency_days_high" } },
  { dimension = "orders_band", keys = { from = "rfm.orders_high" } },
  { dimension = "money_band", keys = { from = "rfm.money_high" } },
]
measure = [{ name = "customers" }, { name = "money", of = "sum(order.amount)", cap = { from = "rfm.money_cap" } }]
figure = [{ name = "money_per_customer", is = "money / customers", view = "bars" }]
"""


def study(**options: Any) -> Study:
    return Study.model_validate(
        {
            "name": "worth", "as_of": AS_OF, "analyses": ("tables",), "currency": "EUR",
            "budget": {"epsilon": "1", "size_class": 50_000, "max_holders_per_customer": 1},
            "tables": {"table": [tomllib.loads(WORTH)]} | options,
        }
    )  # fmt: skip


def earlier(as_of: dt.date = dt.date(2024, 12, 1), currency: str = "EUR", **fields: Any) -> StudyResult:
    rfm = PLAIN.rfm
    rules = rfm.rules.model_copy(update={"cuts": CUTS, "money_unit": 100})
    found = rfm.model_copy(update={"rules": rules, "money_cap": 1234.5, "orders_cap": 40, **fields})
    before = study().model_copy(update={"as_of": as_of, "currency": currency, "analyses": ("rfm",)})
    return PLAIN.model_copy(update={"study": before, "rfm": found, "tables": None})
