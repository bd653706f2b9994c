"""One figure of a table or card, as a page prints it."""

from __future__ import annotations

from typing import NamedTuple

from privacy.figures.estimates import Estimate
from privacy.presentation.numbers import Shown, shown


class Cell(NamedTuple):
    """One figure: its column's name (for phones), the value and its margin, where they have one.

    ``weak`` marks a figure whose margin is as large as itself.
    """

    label: str
    value: str
    margin: str = ""
    weak: bool = False


def cell(label: str, estimate: Estimate | None, *, decimals: int, scale: int = 1) -> Cell:
    """The cell of an estimate; an empty one where there is none."""
    return written(label, estimate, None if estimate is None else shown(estimate, decimals=decimals, scale=scale))


def written(label: str, estimate: Estimate | None, figure: Shown | None) -> Cell:
    """The cell of an estimate that is written already."""
    if estimate is None or figure is None:
        return Cell(label, "")
    return Cell(label, *figure, abs(estimate.value) <= estimate.margin)
