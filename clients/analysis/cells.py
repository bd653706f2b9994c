"""Cells of the page's tables."""

from __future__ import annotations

from typing import NamedTuple


class Judged(NamedTuple):
    """A verdict: its column's name, a sign, a word, and a class for the colour."""

    label: str
    mark: str
    word: str
    kind: str


#: A verdict's sign.
MARKS = {"higher": "▲", "lower": "▼", "alike": "≈", "unknown": "–"}
_SHADES = 5


def shade(count: int, total: int) -> int:
    """0 (nothing) to 5 (nearly the whole row)."""
    return 0 if not count else min(1 + int(_SHADES * count / max(total, 1)), _SHADES)
