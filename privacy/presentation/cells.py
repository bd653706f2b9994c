"""One figure of a table or card, as a page prints it."""

from __future__ import annotations

from typing import NamedTuple

from privacy.figures.estimates import Estimate
from privacy.presentation.texts import Language
from privacy.presentation.words import beside, written


class Cell(NamedTuple):
    """One figure: its column's name (for phones), the value and its margin, where they have one.

    ``weak`` marks a figure that the noise hides: it says what it is under. ``ends`` is the interval in words where its
    sides differ by more than a fifth; it stands in the margin's place.
    """

    label: str
    value: str
    margin: str = ""
    weak: bool = False
    ends: str = ""


def cell(
    label: str, estimate: Estimate | None, language: Language, *, decimals: int, scale: int = 1, signed: bool = False
) -> Cell:
    """The cell of an estimate; an empty one where there is none. See :func:`privacy.presentation.words.written`."""
    if estimate is None:
        return Cell(label, "")
    figure = written(estimate, language, decimals=decimals, scale=scale, signed=signed)
    return Cell(label, figure.value, figure.margin, figure.hidden, figure.ends)


def card(label: str, estimate: Estimate, language: Language, *, decimals: int, scale: int = 1, unit: str = "") -> Cell:
    """A large figure with its interval in words below it; see :func:`privacy.presentation.words.written`."""
    figure = written(estimate, language, decimals=decimals, scale=scale, unit=unit)
    return Cell(label, figure.value, beside(figure, language))
