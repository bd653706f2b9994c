"""Columns of a segmentation's table, and how each figure is written on the page and in JSON."""

from __future__ import annotations

from privacy.kernel.terms import minor_digits
from privacy.protocol.study import Study
from server.analysis.forms import PERCENT, Form

#: Columns of a segmentation's table: name, key of its heading, decimals (None: those of the currency), and scale.
COLUMNS: tuple[tuple[str, str, int | None, int], ...] = (
    ("customers", "customer_records", 0, 1),
    ("share_of_customers", "share_of_customers", 1, 100),
    ("orders", "orders", 0, 1),
    ("revenue", "revenue_in", 0, 1),
    ("share_of_revenue", "share_of_revenue", 1, 100),
    ("orders_per_customer", "orders_per_customer", 2, 1),
    ("revenue_per_customer", "revenue_per_customer", None, 1),
    ("revenue_per_order", "revenue_per_order", None, 1),
)

#: Columns that are totals, and the whole segmentation's figure under each column; shares have none.
TOTALS = ("customers", "orders", "revenue")
WHOLE = {
    "customers": "total_customers",
    "orders": "total_orders",
    "revenue": "total_revenue",
    "orders_per_customer": "orders_per_customer",
    "revenue_per_customer": "revenue_per_customer",
    "revenue_per_order": "revenue_per_order",
}


def forms(study: Study) -> dict[str, Form]:
    """How each figure is written, by its name in results."""
    digits = minor_digits(study.currency)
    found = {
        name: Form(digits if decimals is None else decimals, scale, "%" if scale == 100 else "")
        for name, _, decimals, scale in COLUMNS
    }
    return found | {WHOLE[name]: found[name] for name in TOTALS} | {"share_of_spend": PERCENT}
