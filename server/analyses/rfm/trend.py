"""The report's section "Over time": this run beside the earlier runs of the same study.

Only the first reported segmentation is compared. Every share comes from a release of its own run, so that the noises
are independent and a difference has the margin ``hypot(margin, margin)``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.options import KnownCuts
from privacy.analyses.rfm.results import RfmResult, SchemeFigures, SegmentFigures
from privacy.analyses.rfm.words import segment_name
from privacy.figures.consistent import possible
from privacy.figures.estimates import Estimate
from privacy.presentation.cells import cell
from privacy.presentation.change import Change, change, signed
from privacy.presentation.numbers import day_text
from privacy.presentation.pictures import both
from privacy.presentation.texts import Language
from privacy.results import EarlierRun, StudyResult
from server.analyses.rfm import pictures
from server.analyses.rfm.texts import text


def over_time(result: StudyResult, shown: RfmResult, language: Language) -> dict[str, Any] | None:
    """What the template needs for the section; None where there is nothing earlier to compare with.

    Differences are those of released shares; a run's own share is written as everywhere (``shown``).

    Earlier runs that did not report this segmentation, or none of its segments, are left out.
    """
    rfm = result.of(RfmResult)
    if not result.earlier or rfm is None or not rfm.schemes:
        return None
    scheme, written = rfm.schemes[0], shown.schemes[0]
    title = text(f"scheme_{scheme.scheme}", language)
    runs = [run for run in result.earlier if run.shares.get(scheme.scheme)]
    if not runs:
        return {"comparable": False, "lead": text("trend_none", language, scheme=title)}
    last = runs[-1]
    day = _run_name(last, language)
    changes = _changes(scheme, last)
    points = [_point(run, scheme.scheme) for run in runs]
    points.append(
        pictures.Moment(
            day=result.study.as_of,
            shares={row.code: row.share_of_customers for row in written.segments if row.share_of_customers is not None},
            same_cuts=True,
        )
    )
    return {
        "comparable": True,
        "lead": _finding(scheme, changes, day, language),
        "cuts": _cuts_sentence(result, last, day, language),
        "picture": both(lambda width: pictures.trend(scheme, points, language, width=width)),
        "hollow": not all(run.same_cuts for run in runs),
        "scheme": title,
        "columns": {
            "now": text("trend_now", language),
            "then": text("trend_then", language, day=day),
            "difference": text("trend_difference", language),
            "verdict": text("trend_verdict", language),
        },
        "rows": [
            _row(row, _possible(last.shares[scheme.scheme]).get(row.code), changes.get(row.code), language)
            for row in written.segments
        ],
    }


def _run_name(run: EarlierRun, language: Language) -> str:
    """An earlier run by its as-of day, and its number where the day was run more than once."""
    day = day_text(dt.date.fromisoformat(run.as_of), language)
    return text("trend_repeat", language, day=day, repeat=run.repeat) if run.repeat else day


def _point(run: EarlierRun, scheme: str) -> pictures.Moment:
    return pictures.Moment(
        day=dt.date.fromisoformat(run.as_of), shares=_possible(run.shares[scheme]), same_cuts=run.same_cuts
    )


def _possible(shares: Mapping[str, Estimate]) -> dict[str, Estimate]:
    return {code: possible(share, 0.0, 1.0) for code, share in shares.items()}


def _changes(scheme: SchemeFigures, last: EarlierRun) -> dict[str, Change]:
    """By segment code, where both runs show the segment."""
    then = last.shares[scheme.scheme]
    return {
        row.code: change(row.share_of_customers, then[row.code])
        for row in scheme.segments
        if row.share_of_customers is not None and row.code in then
    }


def _finding(scheme: SchemeFigures, changes: dict[str, Change], day: str, language: Language) -> str:
    moved = sorted(
        (code for code, item in changes.items() if item.beyond_noise),
        key=lambda code: -abs(changes[code].difference.value),
    )
    if not changes:
        return text("trend_finding_nothing", language, day=day)
    if not moved:
        return text("trend_finding_none", language, day=day)
    segment = next(row for row in scheme.segments if row.code == moved[0])
    found = signed(changes[moved[0]].difference, language)
    around = found.ends or text("plus_minus", language, margin=found.margin)
    return text(
        "trend_finding",
        language,
        count=len(moved),
        of=len(changes),
        day=day,
        segment=segment_name(segment, language),
        difference=text("value_with_interval", language, value=found.value, interval=around),
    )


def _cuts_sentence(result: StudyResult, last: EarlierRun, day: str, language: Language) -> str:
    if last.same_cuts:
        return text("trend_cuts_same", language, day=day)
    known = result.study.of(CONTRACT).cut_points
    if isinstance(known, KnownCuts):
        return text("trend_cuts_other", language, day=day, origin=known.origin)
    return text("trend_cuts_new", language, day=day)


def _row(row: SegmentFigures, then: Estimate | None, found: Change | None, language: Language) -> dict[str, Any]:
    now = row.share_of_customers
    return {
        "name": segment_name(row, language),
        "now": cell("", now, language, decimals=1, scale=100) if now else None,
        "then": cell("", then, language, decimals=1, scale=100) if then else None,
        "difference": signed(found.difference, language) if found else None,
        "verdict": text(found.verdict, language) if found else None,
        "weak": found is not None and not found.beyond_noise,
    }
