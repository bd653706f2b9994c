"""Whether kept cut points still mean what they meant when they were found: by what runs released, so it is free.

A cut that was the median leaves half of the customers on each side; where an earlier run found 50% recent and this one
finds 62% with the same cut, twelve in a hundred would be on the other side of a cut found now. Scores 1 to 5 have four
cuts each and are further off (figures: ``benchmarks/monthly_scores.py``).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import NamedTuple

from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.options import FixedCuts, KnownCuts
from privacy.analyses.rfm.results import RfmResult
from privacy.figures.estimates import Estimate
from privacy.presentation.change import change
from privacy.protocol.study import Study
from privacy.results import StudyResult

#: The segments of ``eight`` in which each fact is high.
_HIGH = {
    "recency_days": ("important_value", "important_growth", "general_value", "general_growth"),
    "orders": ("important_value", "important_retention", "general_value", "general_retention"),
    "money": ("important_value", "important_growth", "important_retention", "important_win_back"),
}
#: From so large a part of the customers on the other side on, cut points have aged.
AGED = 0.05


class Drift(NamedTuple):
    """The share of customers on the high side of a fact's cut, when it was found and now."""

    fact: str
    then: Estimate
    now: Estimate


def found_in(result: StudyResult) -> dt.date | None:
    """The as-of day of the run that found a result's cut points; None where an earlier release did not keep it."""
    used = result.study.of(CONTRACT).cut_points
    return used.found if isinstance(used, KnownCuts) else result.study.as_of


def is_of_season(found: dt.date, study: Study) -> bool:
    """Whether cut points are of the same month one year before a study's day: recency moves with the season."""
    return (found.year + 1, found.month) == (study.as_of.year, study.as_of.month)


def drifts(result: StudyResult) -> tuple[Drift, ...]:
    """Facts whose kept cut has aged by more than noise explains, the worst first.

    Nothing is said where the cuts are new or the operators' own, or where either run does not show all segments.
    """
    options, rfm = result.study.of(CONTRACT), result.of(RfmResult)
    known = options.cut_points
    if not isinstance(known, KnownCuts) or known.found is None or isinstance(options.high_low, FixedCuts) or not rfm:
        return ()
    now = {
        row.code: row.share_of_customers
        for scheme in rfm.schemes
        if scheme.scheme == "eight"
        for row in scheme.segments
        if row.share_of_customers is not None
    }
    first = [run for run in result.earlier if run.as_of == known.found.isoformat() and run.same_cuts]
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
