"""Bands of risk: how high a churn probability is high. Operators' actions are set by band (``actions.toml``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: A probability of 1.0 in the integers that scores are kept in.
CERTAIN = 10_000


@dataclass(frozen=True, kw_only=True)
class Band:
    """A range of probabilities.

    Attributes:
        code: stable, ASCII; a section of ``actions.toml``.
        low: least probability, in units of 1 / CERTAIN; up to the band before it.
        en, zh: names.
    """

    code: str
    low: int
    en: str
    zh: str


#: From the highest risk to the lowest.
BANDS = (
    Band(code="churn_very_high", low=7_500, en="Very high risk", zh="极高风险"),
    Band(code="churn_high", low=5_000, en="High risk", zh="高风险"),
    Band(code="churn_medium", low=2_500, en="Medium risk", zh="中风险"),
    Band(code="churn_low", low=0, en="Low risk", zh="低风险"),
)


def band_of(probability: NDArray[np.integer]) -> NDArray[np.int64]:
    """Index in ``BANDS`` of probabilities in units of 1 / CERTAIN; same shape."""
    lows = np.array([band.low for band in BANDS])
    return np.asarray(len(BANDS) - np.searchsorted(lows[::-1], probability, side="right"), dtype=np.int64)
