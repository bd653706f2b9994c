"""What a study may look at of a customer, in the words that a holder's policy decides by."""

from __future__ import annotations

from typing import Literal

from privacy.kernel.features import FEATURES, FeatureName

Column = Literal["recency", "orders", "money", "basket", "discount", "returns", "daypart", "category", "channel"]

#: What every customer table says, whatever is asked of it.
CUSTOMER_TABLE: frozenset[Column] = frozenset({"recency", "orders", "money"})

#: What each feature is made from, beside the days of a customer's orders, which all of them are.
COLUMN_OF: dict[FeatureName, Column] = {
    **dict.fromkeys(
        ("recency_days", "tenure_days", "tenure_180", "recency_ratio", "overdue", "on_time", "idle_share"), "recency"
    ),
    **dict.fromkeys(
        ("orders", "orders_30", "orders_90", "orders_180", "orders_365", "interval_days", "interval_spread",
         "interval_variation", "trend", "momentum"), "orders",
    ),
    **dict.fromkeys(("money", "order_value", "money_30", "money_90", "money_180", "money_365"), "money"),
    "basket": "basket",
    "discount_share": "discount",
    "return_share": "returns",
    "weekend_share": "daypart",
    "evening_share": "daypart",
    **{name: "category" for name, feature in FEATURES.items() if feature.needs == "category"},
    **{name: "channel" for name, feature in FEATURES.items() if feature.needs == "channel"},
}  # fmt: skip
