"""Keys of declared tables' dimensions, said slowly: see :mod:`simulations.worlds.table_truth`."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from privacy.kernel.declarations import DimensionUse
from privacy.kernel.dimensions import DAYPARTS, WEEKDAYS
from privacy.kernel.feeds import FEEDS, FeedName
from privacy.kernel.keys import OTHER, Keys

#: One event, or one customer's attributes.
Row = dict[str, Any]


def text_key(value: Any, keys: Keys) -> int | None:
    """Place of a listed text; of "other", if there is that, for any other one and for none."""
    folded = [key.casefold() for key in keys.values]
    spelled = "" if value is None else str(value).strip().casefold()
    if spelled in folded:
        return folded.index(spelled)
    return folded.index(OTHER) if OTHER in folded else None


def number_key(value: int | None, keys: Keys) -> int | None:
    """Place of a number in a range or in bins."""
    if value is None:
        return None
    if keys.first is not None and keys.last is not None:
        return value - keys.first if keys.first <= value <= keys.last else None
    return sum(value > end for end in keys.upper)


def _period(day: dt.date, keys: Keys) -> int | None:
    place = sum(day >= first for first in keys.days) - 1
    return place if 0 <= place < len(keys.days) - 1 else None


def closed_key(value: str, keys: Keys) -> int | None:
    """Place of a value among those that a table takes."""
    return keys.values.index(value) if value in keys.values else None


def _age(born: dt.date, day: dt.date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def customer_key(
    as_of: dt.date, use: DimensionUse, rows: dict[FeedName, list[Row]], orders: list[Row], facts: dict[str, int]
) -> int | None:
    """A customer's key of a dimension of customers; None for who has none.

    Args:
        as_of: the study's day.
        use: the dimension and its keys.
        rows: the customer's, by feed.
        orders: in time, each with ``time``.
        facts: of the customer.
    """
    name, keys = use.dimension, use.keys
    if name == "customer.known":
        has = [any(row.get(role) not in (None, "") for row in rows.get("customer", [])) for role in use.roles]
        return closed_key("yes" if all(has) else "no", keys)
    if name.startswith("customer."):
        return _attribute(as_of, use, rows.get("customer", []))
    if not orders:
        return None
    first = orders[0]["time"].date()
    if name == "first_order.month":
        return _period(first, keys)
    if name == "second_order.outcome":
        return closed_key("again" if len(orders) > 1 else "not_yet", keys)
    if name == "second_order.days":
        then = orders[1]["time"].date() if len(orders) > 1 else as_of
        return number_key((then - first).days, keys)
    feature = {"tenure_band": "tenure_days", "recency_band": "recency_days", "orders_365_band": "orders_365",
               "loyalty_band": "loyalty", "orders_band": "orders", "money_band": "money"}  # fmt: skip
    return number_key(facts[feature.get(name, "discount_share")], keys)


def _attribute(as_of: dt.date, use: DimensionUse, rows: list[Row]) -> int | None:
    """The key that all rows of a customer agree on."""
    role = "born" if use.dimension == "customer.age_band" else use.dimension.partition(".")[2]
    values = {row[role] for row in rows if row.get(role) is not None}
    value = values.pop() if len(values) == 1 else None
    if role == "born":
        age = None if value is None else _age(value, as_of)
        return number_key(age if age is not None and 0 <= age <= 120 else None, use.keys)
    if role == "company":
        return None if value is None else closed_key("yes" if value else "no", use.keys)
    return text_key(value, use.keys)


def event_keys(use: DimensionUse, feed: FeedName, event: Row, first: dt.date | None) -> list[int | None]:
    """The keys of one event; of an order, as many as its purchase lines have."""
    name, keys = use.dimension, use.keys
    role = name.partition(".")[2]
    if feed != "order":
        if name == "view.seconds_band":
            return [number_key(event["seconds"], keys)]
        match FEEDS[feed][role].kind:
            case "stage":
                return [closed_key(event["furthest"], keys)]
            case "number":
                return [number_key(event[role], keys)]
        return [text_key(event[role], keys)]
    bought = [line for line in event["lines"] if line["bought"]]
    if role in ("category", "brand"):
        return [text_key(line[role], keys) for line in bought]
    if role in ("channel", "store"):
        whole = event.get("opening", event)["lines"]
        opening = [line for line in whole if line["bought"] and line["time"] == event["time"]]
        return [min((text_key(line[role], keys) for line in opening), key=lambda key: math.inf if key is None else key)]
    time: dt.datetime = event["time"]
    if role == "month":
        return [_period(time.date(), keys)]
    if role == "daypart":
        return [closed_key(DAYPARTS[time.hour // 6], keys)]
    if role == "weekday":
        return [closed_key(WEEKDAYS[time.weekday()], keys)]
    if first is None:
        return [None]
    return [number_key((time.year - first.year) * 12 + time.month - first.month, keys)]
