"""What the report's section on repurchase draws (:mod:`privacy.presentation.charts`). None of it needs colour."""

from __future__ import annotations

from privacy.analyses.repurchase.results import RepurchaseResult
from privacy.analyses.repurchase.words import cohort_name, wait_name
from privacy.presentation import charts
from privacy.presentation.charts import Group, Mark, Panel, Series, share_mark
from privacy.presentation.pictures import CUSTOMERS, EVERYONE, REVENUE, Form, Width
from privacy.presentation.texts import Language
from server.analyses.repurchase.texts import text

_COLOURS = (CUSTOMERS, REVENUE, EVERYONE)
#: Groups of bars beyond this many make a picture too long to be looked at; the table has all.
_MOST = 12


def waits(repurchase: RepurchaseResult, language: Language, *, width: Width) -> str:
    """Shares of those with a second order, by the days to it."""
    hidden = text("not_shown", language)
    groups = [
        Group(wait_name(wait, language), (hidden if wait.share is None else share_mark(wait.share, language),))
        for wait in repurchase.waits
    ]
    form = Form(alt=text("picture_waits", language), salt=f"waits-{language}", width=width)
    return charts.bars([Panel(groups)], [Series("", CUSTOMERS)], form)


def cohorts(repurchase: RepurchaseResult, limits: tuple[int, ...], language: Language, *, width: Width) -> str:
    """Rates of the last cohorts, one bar for each of up to three limits: the first, the middle and the last."""
    places = sorted({0, (len(limits) - 1) // 2, len(limits) - 1})
    groups = []
    for cohort in repurchase.cohorts[-_MOST:]:
        marks: list[Mark | str | None] = []
        for place in places:
            rate = cohort.rates[place]
            unknown = text("not_shown" if cohort.over[place] else "not_over", language)
            marks.append(unknown if rate is None else share_mark(rate, language))
        groups.append(Group(cohort_name(cohort, language), tuple(marks)))
    series = [
        Series(text("within", language, days=limits[place]), colour)
        for place, colour in zip(places, _COLOURS, strict=False)
    ]
    form = Form(alt=text("picture_cohorts", language), salt=f"cohorts-{language}", width=width)
    return charts.bars([Panel(groups)], series, form)
