"""One figure of a table or card, as a page prints it."""

from __future__ import annotations

from typing import NamedTuple

from privacy.figures.estimates import Estimate
from privacy.presentation.numbers import shown
from privacy.presentation.texts import Language
from privacy.presentation.words import low_to_high


class Cell(NamedTuple):
    """One figure: its column's name (for phones), the value and its margin, where they have one.

    ``weak`` marks a figure whose interval holds zero. ``ends`` is the interval in words where its sides differ by more
    than a fifth; it stands in the margin's place.
    """

    label: str
    value: str
    margin: str = ""
    weak: bool = False
    ends: str = ""


def cell(label: str, estimate: Estimate | None, language: Language, *, decimals: int, scale: int = 1) -> Cell:
    """The cell of an estimate; an empty one where there is none."""
    if estimate is None:
        return Cell(label, "")
    figure = shown(estimate, decimals=decimals, scale=scale)
    around = low_to_high(estimate, language, decimals=decimals, scale=scale)
    return Cell(label, *figure, is_weak(estimate), around)


def is_weak(estimate: Estimate) -> bool:
    """Whether the interval holds zero: the noise leaves nothing of the figure for sure."""
    low, high = estimate.interval
    return low <= 0 <= high
