"""How soon customers will buy: the groups that operators' actions are set by (``actions.toml``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from privacy.kernel.features import IntArray

#: A probability of 1.0 in the integers that scores are kept in.
CERTAIN = 10_000
#: Days ahead for which every customer has a probability to buy.
DATES = (30, 90, 180)


@dataclass(frozen=True, kw_only=True)
class Band:
    """Customers who buy within some time with some probability at least, and are in no band before.

    Attributes:
        code: stable, ASCII; a section of ``actions.toml``.
        days: one of :data:`DATES`.
        low: least probability, in units of 1 / CERTAIN.
        en, zh: names.
    """

    code: str
    days: int
    low: int
    en: str
    zh: str


#: From who buys soonest.
BANDS = (
    Band(code="buys_soon", days=30, low=5_000, en="Soon", zh="即将购买"),
    Band(code="buys_due", days=90, low=5_000, en="This season", zh="近期购买"),
    Band(code="buys_later", days=180, low=2_500, en="Later, if at all", zh="或将购买"),
    Band(code="buys_hardly", days=180, low=0, en="Hardly", zh="难再购买"),
)


def band_of(probability: dict[int, IntArray]) -> IntArray:
    """Place in :data:`BANDS` of customers with these probabilities by days, in units of 1 / CERTAIN; same shape."""
    inside = np.stack([probability[band.days] >= band.low for band in BANDS])
    return np.asarray(inside.argmax(axis=0), dtype=np.int64)
