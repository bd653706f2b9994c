"""Whether kept cut points still mean what they meant when they were found: by what runs released, so it is free.

A cut that was the median leaves half of the customers on each side; where an earlier run found 50% recent and this one
finds 62% with the same cut, twelve in a hundred would be on the other side of a cut found now. Scores 1 to 5 have four
cuts each and are further off (figures: ``benchmarks/monthly_scores.py``).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from privacy.analyses.rfm.options import FixedCuts, KnownCuts, RfmOptions
from privacy.analyses.rfm.results import RfmResult
from privacy.analyses.rfm.words import TEXTS
from privacy.figures.estimates import Estimate
from privacy.presentation.change import change
from privacy.presentation.texts import Language, join, say
from privacy.presentation.words import percent

#: The segments of ``eight`` in which each fact is high.
_HIGH = {
    "recency_days": ("important_value", "important_growth", "general_value", "general_growth"),
    "orders": ("important_value", "important_retention", "general_value", "general_retention"),
    "money": ("important_value", "important_growth", "important_retention", "important_win_back"),
}
#: From so large a part of the customers on the other side on, cut points have aged.
AGED = 0.05


class Earlier(Protocol):
    """What is known of an earlier run: its as-of day, whether its cut points were the same, and shares of customers."""

    @property
    def as_of(self) -> str:
        """ISO format."""
        ...

    @property
    def same_cuts(self) -> bool:
        """As those of the run that is looked at."""
        ...

    @property
    def shares(self) -> Mapping[str, Mapping[str, Estimate]]:
        """By segmentation and segment code; suppressed segments are left out."""
        ...


class Drift(NamedTuple):
    """The share of customers on the high side of a fact's cut, when it was found and now."""

    fact: str
    then: Estimate
    now: Estimate


def is_of_season(found: dt.date, as_of: dt.date) -> bool:
    """Whether cut points are of the same month one year before a day: recency moves with the season."""
    return (found.year + 1, found.month) == (as_of.year, as_of.month)


def drifts(options: RfmOptions, rfm: RfmResult, earlier: Sequence[Earlier]) -> tuple[Drift, ...]:
    """Facts whose kept cut has aged by more than noise explains, the worst first.

    Nothing is said where the cuts are new or the operators' own, or where either run does not show all segments.

    Args:
        options: of the run.
        rfm: what it released.
        earlier: runs of the same study before it.
    """
    known = options.cut_points
    if not isinstance(known, KnownCuts) or known.found is None or isinstance(options.high_low, FixedCuts):
        return ()
    now = {
        row.code: row.share_of_customers
        for scheme in rfm.schemes
        if scheme.scheme == "eight"
        for row in scheme.segments
        if row.share_of_customers is not None
    }
    first = [run for run in earlier if run.as_of == known.found.isoformat() and run.same_cuts]
    if not first:
        return ()
    then = first[-1].shares.get("eight", {})
    found = []
    for fact, codes in _HIGH.items():
        before, after = _together(then, codes), _together(now, codes)
        if before is None or after is None:
            continue
        moved = change(after, before)
        if moved.beyond_noise and abs(moved.difference.value) > AGED:
            found.append(Drift(fact, before, after))
    return tuple(sorted(found, key=lambda item: -abs(item.now.value - item.then.value)))


def _together(shares: Mapping[str, Estimate], codes: tuple[str, ...]) -> Estimate | None:
    """The share of several segments; None where one is not shown. Of one whole: the margin is rather too wide."""
    if not all(code in shares for code in codes):
        return None
    parts = [shares[code] for code in codes]
    return Estimate(value=sum(part.value for part in parts), margin=math.hypot(*(part.margin for part in parts)))


#: What is said of a fact's cut, by the fact.
_AGED = {"recency_days": "aged_recency_days", "orders": "aged_orders", "money": "aged_money"}


def ageing_findings(options: RfmOptions, rfm: RfmResult, earlier: Sequence[Earlier], language: Language) -> list[str]:
    """That kept cut points have aged, and by how much, as :func:`drifts`; nothing where releases do not show it."""
    known, found = options.cut_points, drifts(options, rfm, earlier)
    if not found or not isinstance(known, KnownCuts):
        return []
    parts = [
        say(TEXTS, _AGED[item.fact], language, then=percent(item.then, language), now=percent(item.now, language))
        for item in found
    ]
    return [say(TEXTS, "aged", language, origin=known.origin, facts=join(parts, language))]
