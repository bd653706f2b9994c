"""What is drawn of one figure: where it is, how far the noise reaches, and the words at its end."""

from __future__ import annotations

from typing import NamedTuple

from privacy.figures.estimates import Estimate
from privacy.presentation.texts import Language
from privacy.presentation.words import written


class Mark(NamedTuple):
    """A figure.

    Attributes:
        value: where it is.
        margin: half of its 95% interval; 0 where it is exact, and no line is drawn.
        words: how it is written.
        ends: both ends of the interval where it is not even; else None.
    """

    value: float
    margin: float = 0.0
    words: str = ""
    ends: tuple[float, float] | None = None

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.value - self.margin if self.ends is None else self.ends[0]

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.value + self.margin if self.ends is None else self.ends[1]


def share_mark(share: Estimate, language: Language, *, exact: bool = False) -> Mark:
    """A share (0 to 1) in per cent; ``exact``: its margin is not the noise's, and not drawn.

    The line ends where a share can be no smaller or larger, or at the share itself where that is beyond.
    """
    known = Estimate(value=share.value, margin=0.0) if exact else share
    low, high = known.interval
    ends = (max(low, min(known.value, 0.0)), min(high, max(known.value, 1.0)))
    words = written(known, language, decimals=1, scale=100, unit="%").value
    return Mark(known.value, known.margin, words, ends)
