"""Cells of the page's tables."""

from __future__ import annotations

from typing import NamedTuple

from clients.analysis.comparison import Compared
from privacy.presentation.cells import Cell, cell
from privacy.presentation.texts import Language


class Judged(NamedTuple):
    """A verdict: its column's name, a sign, a word, and a class for the colour."""

    label: str
    mark: str
    word: str
    kind: str


#: A verdict's sign.
MARKS = {"higher": "▲", "lower": "▼", "alike": "≈", "unknown": "–"}
_SHADES = 5


def released_share(label: str, compared: Compared | None, language: Language) -> Cell:
    """The consortium's share beside an own one, in per cent; empty where it is not shown."""
    everyone = None if compared is None else compared.shown
    return cell(label, everyone, language, decimals=1, scale=100)


def shade(count: int, total: int) -> int:
    """0 (nothing) to 5 (nearly the whole row)."""
    return 0 if not count else min(1 + int(_SHADES * count / max(total, 1)), _SHADES)
