"""Recipes of the features that every analysis may read (:data:`privacy.kernel.features.FEATURES`)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import numpy as np

from clients.data.recipes.facts import DAY, Facts, Recipe, known
from privacy.kernel.features import FEATURES, MISSING, Feature, IntArray

#: Gaps between orders are added up, and squared, in hundredths of a day: sums of squares then fit 64 bits.
GAP_SECONDS = 864
_GAP = GAP_SECONDS * 1_000_000  # microseconds
_INTERVAL = ("orders", "first", "latest")


def _interval(facts: Facts) -> IntArray:
    """Mean microseconds between the beginnings of orders, MISSING where there is one order only."""
    orders = facts.orders
    return np.where(orders > 1, (facts.tenure - facts.since("latest")) // np.maximum(orders - 1, 1), MISSING)


def _spread(facts: Facts) -> IntArray:
    """Standard deviation of the days between orders, in hundredths; MISSING with fewer than three orders."""
    orders = facts.orders
    gaps = np.maximum(orders - 1, 1).astype(np.float64)
    total = (facts.moment("latest") // _GAP - facts.moment("first") // _GAP).astype(np.float64)
    variance = (gaps * facts.column("gaps") - total * total) / (gaps * gaps)
    return np.where(orders > 2, np.sqrt(np.maximum(variance, 0.0)).astype(np.int64), MISSING)


def _variation(facts: Facts) -> IntArray:
    """Thousandths of the mean interval that the spread is; MISSING as the spread."""
    spread, mean = _spread(facts), np.maximum(known(_interval(facts), _GAP), 1)
    return np.where(spread == MISSING, MISSING, 1000 * np.maximum(spread, 0) // mean)


def _ratio(facts: Facts) -> IntArray:
    """Thousandths of the own interval since the last purchase; MISSING where there is one order only."""
    interval = np.maximum(_interval(facts) // 1000, 1)
    return np.where(facts.orders > 1, 1000 * (facts.recency // 1000) // interval, MISSING)


def _momentum(facts: Facts) -> IntArray:
    half, whole = facts.column("orders_180"), facts.column("orders_360")
    return 1000 * (1 + half) // (1 + whole - half)


#: Loyalty looks at so many periods of so many days, the latest first; so many orders of each count, and each period
#: counts for this part of the one after it.
_PERIODS, _PERIOD_DAYS, _COUNTED = 12, 30, 2
_FADING = Fraction(85, 100)
#: Weights of the periods, in parts of 2^20: whole numbers, so that equal histories are equally loyal at all holders.
_FADED = tuple(round(2**20 * _FADING**place) for place in range(_PERIODS))
_SPANS = tuple(f"orders_{_PERIOD_DAYS * (place + 1)}" for place in range(_PERIODS))


def _loyalty(facts: Facts) -> IntArray:
    """Thousandths of the most that orders in the last periods can count for; 1000 with enough of them in every one."""
    spans = [facts.column(name) for name in _SPANS]
    until = [np.zeros_like(spans[0]), *spans]
    counted = [np.minimum(later - earlier, _COUNTED) for earlier, later in pairwise(until)]
    total: IntArray = np.sum([weight * one for weight, one in zip(_FADED, counted, strict=True)], axis=0)
    return 1000 * total // (_COUNTED * sum(_FADED))


def _idle_share(facts: Facts) -> IntArray:
    return 1000 * (facts.recency // 1000) // np.maximum(facts.tenure // 1000, 1)


def _tenure_days(facts: Facts) -> IntArray:
    return facts.tenure // DAY


def _recipe(compute: Callable[[Facts], IntArray], *sums: str) -> Recipe:
    return Recipe(sums=sums, compute=compute)


def _orders_of(days: int) -> Recipe:
    return _recipe(lambda facts: facts.column(f"orders_{days}"), f"orders_{days}")


def _money_of(days: int) -> Recipe:
    return _recipe(lambda facts: facts.money(f"quanta_{days}"), f"quanta_{days}")


def _listed(feature: Feature) -> Recipe:
    """A share of a listed value: of lines in a category, of orders through a channel."""
    name, whole = feature.name, "lines" if feature.column == "category" else "orders"
    return _recipe(lambda facts: facts.share(name, whole), name, whole)


#: By the feature's name.
COMMON: dict[str, Recipe] = {
    "recency_days": _recipe(lambda facts: facts.recency // DAY, "last"),
    "tenure_days": _recipe(_tenure_days, "first"),
    "orders": _recipe(lambda facts: facts.orders, "orders"),
    "money": _recipe(lambda facts: facts.money(), "quanta"),
    "order_value": _recipe(lambda facts: facts.money() // np.maximum(facts.orders, 1), "quanta", "orders"),
    "basket": _recipe(lambda facts: 100 * facts.column("lines") // np.maximum(facts.orders, 1), "lines", "orders"),
    **{f"orders_{days}": _orders_of(days) for days in (30, 90, 180, 365)},
    **{f"money_{days}": _money_of(days) for days in (30, 90, 180, 365)},
    "interval_days": _recipe(lambda facts: known(_interval(facts), _GAP), *_INTERVAL),
    "interval_spread": _recipe(_spread, *_INTERVAL, "gaps"),
    "interval_variation": _recipe(_variation, *_INTERVAL, "gaps"),
    **dict.fromkeys(("recency_ratio", "overdue", "on_time"), _recipe(_ratio, *_INTERVAL, "last")),
    "idle_share": _recipe(_idle_share, "last", "first"),
    "tenure_180": _recipe(_tenure_days, "first"),
    "trend": _recipe(
        lambda facts: 2 * facts.column("orders_180") - facts.column("orders_360"), "orders_180", "orders_360"
    ),
    "momentum": _recipe(_momentum, "orders_180", "orders_360"),
    "loyalty": _recipe(_loyalty, *_SPANS),
    "purchase_days": _recipe(lambda facts: facts.column("bought_days"), "bought_days"),
    "discount_share": _recipe(lambda facts: facts.share("discounted", "lines"), "discounted", "lines"),
    "return_share": _recipe(lambda facts: facts.share("returned", "lines", "returned"), "returned", "lines"),
    "weekend_share": _recipe(lambda facts: facts.share("weekend", "orders"), "weekend", "orders"),
    "evening_share": _recipe(lambda facts: facts.share("evening", "orders"), "evening", "orders"),
    **{feature.name: _listed(feature) for feature in FEATURES.values() if feature.listed},
}
