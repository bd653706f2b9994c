"""How segments are put into words, alike on every page."""

from __future__ import annotations

import itertools
import math
from typing import Any, Protocol

import numpy as np

from privacy.analyses.rfm.segments import SegmentRules, segments_of_scores
from privacy.presentation.texts import Language, of_its_own, read_texts, say

#: What pages of both sides say of segments.
TEXTS = read_texts("privacy.analyses.rfm")


class Named(Protocol):
    """A segment or its figures: a code and names in both languages."""

    @property
    def code(self) -> str:
        """The stable ASCII code."""
        ...

    @property
    def en(self) -> str:
        """The English name."""
        ...

    @property
    def zh(self) -> str:
        """The Chinese name."""
        ...


def segment_name(segment: Named, language: Language) -> str:
    """The segment's name in a language."""
    return of_its_own(segment, language)


def definition(scheme: str, position: int, code: str, rules: SegmentRules, language: Language) -> str:
    """Who is in a segment, in a few signs; empty where that would need more than a line.

    Args:
        scheme: name of the segmentation.
        position: of the segment in the scheme's order.
        code: of the segment.
        rules: the study's rules, for the operators' own.
        language: of the words.
    """
    if scheme == "eight":
        # The order of the eight: M high before low; within, (R, F) = high high, high low, low high, low low.
        r, f, m = (
            say(TEXTS, "definition_low" if low else "definition_high", language)
            for low in (position // 2 % 2, position % 2, position // 4)
        )
        return say(TEXTS, "definition_eight", language, r=r, f=f, m=m)
    if scheme == "value_activity":
        m = say(TEXTS, "definition_low" if position // 2 else "definition_high", language)
        return say(TEXTS, "definition_quiet" if position % 2 else "definition_active", language, m=m)
    if scheme == "rules":
        for rule in rules.thresholds:
            if rule.code == code:
                return rule.when
        return say(TEXTS, "definition_other", language)
    return _grid_definition(scheme, position, language)


def _grid_definition(scheme: Any, position: int, language: Language) -> str:
    """Ranges of R and F scores of a segment that is a rectangle on the grid, else an empty text."""
    pairs = np.array(list(itertools.product(range(1, 6), repeat=2)), dtype=np.int64)
    mine = pairs[segments_of_scores(scheme, pairs[:, 0], pairs[:, 1]) == position]
    low, high = mine.min(axis=0), mine.max(axis=0)
    if len(mine) != math.prod(int(side) for side in high - low + 1):
        return ""
    r, f = (f"{a}" if a == b else f"{a}–{b}" for a, b in zip(low, high, strict=True))
    return say(TEXTS, "definition_grid", language, r=r, f=f)
