"""How far up customers stand: the groups that operators' actions are set by (``actions.toml``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from privacy.kernel.features import IntArray

#: A probability of 1.0 in the integers that scores are kept in.
CERTAIN = 10_000


@dataclass(frozen=True, kw_only=True)
class Band:
    """Customers up to a place in the order of scores, and in no band before.

    Attributes:
        code: stable, ASCII; a section of ``actions.toml``.
        lists: up to so many lengths of the study's list; 0 for all others.
        en, zh: names.
    """

    code: str
    lists: int
    en: str
    zh: str


#: From the highest score.
BANDS = (
    Band(code="alike_list", lists=1, en="The list", zh="名单"),
    Band(code="alike_wider", lists=3, en="A wider list", zh="扩展名单"),
    Band(code="alike_rest", lists=0, en="All others", zh="其余客户"),
)


def band_of(logits: IntArray, list_share: float) -> IntArray:
    """Place in :data:`BANDS` of customers with these scores; of equal ones the earlier row comes first. Same shape."""
    count = len(logits)
    place = np.empty(count, dtype=np.int64)
    place[np.argsort(-logits, kind="stable")] = np.arange(count)
    ends = [min(count, round(band.lists * list_share * count)) for band in BANDS[:-1]]
    return np.searchsorted(np.array(ends), place, side="right").astype(np.int64)
