"""What a study may look at of a customer, in the words that a holder's policy decides by."""

from __future__ import annotations

from typing import Literal

Column = Literal["recency", "orders", "money", "basket", "discount", "returns", "daypart", "category", "channel"]
