"""What a study may look at of a customer, in the words that a holder's policy decides by."""

from __future__ import annotations

from typing import Literal

Column = Literal[
    "recency", "orders", "money", "basket", "discount", "returns", "daypart", "category", "channel",
    "store", "brand", "cost",
    "customer", "customer.gender", "customer.born", "customer.region", "customer.occupation", "customer.level",
    "customer.company", "customer.first_channel",
    "session", "session.source", "session.device", "session.page", "session.pages", "session.seconds",
    "session.furthest",
    "view", "view.page", "view.product", "view.category", "view.price", "view.seconds",
    "touch", "touch.channel", "touch.campaign", "touch.cost",
    "cart", "cart.stage", "cart.amount", "cart.category",
    "return", "return.reason", "return.amount", "return.category",
    "rating", "rating.stars", "rating.topic", "rating.category",
    "contact", "contact.topic", "contact.minutes",
    "sent", "sent.campaign", "sent.arm", "sent.channel",
]  # fmt: skip
