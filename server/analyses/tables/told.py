"""Plain sentences about figures, from what was released: where they differ beyond the noise, where people are lost."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist

from privacy.analyses.tables.named import Named
from privacy.analyses.tables.results import FigureValues, Point, TableFigures, TablesResult
from privacy.analyses.tables.words import key_name, title_of
from privacy.figures.estimates import Z95
from server.analyses.tables.forms import written_value
from server.analysis.section import ReportView

View = ReportView[TablesResult]


def table_findings(view: View, named: Named, table: TableFigures, released: TableFigures) -> list[str]:
    """One sentence for each figure by some dimension that has something to say; a number alone is one in the table.

    Args:
        view: the page.
        named: names of the table's figures and keys.
        table: as it is shown.
        released: as it was released, which verdicts are on.
    """
    pairs = zip(table.figures, released.figures, strict=True)
    return [said for shown, found in pairs if shown.dimensions and (said := _sentence(view, named, shown, found))]


def table_numbers(view: View, named: Named, table: TableFigures) -> str:
    """The figures of a table that are one number each, in one sentence; empty where there are none."""
    numbers = [figure for figure in table.figures if not figure.dimensions]
    known = [figure for figure in numbers if figure.points[0].estimate is not None]
    if not numbers:
        return ""
    title = title_of(named.table, view.language)
    if not known:
        return view.say("finding_hidden", figure=title)
    said = [
        view.say(
            "finding_number",
            figure=title_of(named.figure(figure.name), view.language),
            value=written_value(figure, figure.points[0], view),
        )
        for figure in known
    ]
    return view.say("finding_numbers", table=title, figures=view.say("finding_between").join(said))


def _sentence(view: View, named: Named, shown: FigureValues, found: FigureValues) -> str:
    title = title_of(named.figure(shown.name), view.language)
    if shown.view == "funnel":
        return _lost_most(view, named, shown, found, title)
    if len(shown.dimensions) > 1 or shown.unit == "count":
        return ""
    return _difference(view, named, shown, found, title)


def _difference(view: View, named: Named, shown: FigureValues, found: FigureValues, title: str) -> str:
    """Which two keys of one dimension differ most, if beyond the noise."""
    rated = [
        (point, estimate)
        for point, as_released in zip(shown.points, found.points, strict=True)
        if (estimate := as_released.estimate) is not None
    ]
    if len(rated) < 2:
        return view.say("finding_hidden", figure=title) if not rated else ""
    (best, most), (worst, least) = (pick(rated, key=lambda pair: pair[1].value) for pick in (max, min))
    # The two are chosen from all: every pair must be right at once (Bonferroni).
    factor = NormalDist().inv_cdf(1 - 0.025 / math.comb(len(rated), 2)) / Z95
    apart = most.minus(least)
    if apart.value <= factor * apart.towards(0.0):
        return view.say("finding_alike", figure=title)
    return view.say(
        "finding_differ",
        figure=title,
        best=_key(view, named, shown, best),
        high=written_value(shown, best, view),
        worst=_key(view, named, shown, worst),
        low=written_value(shown, worst, view),
    )


def _lost_most(view: View, named: Named, shown: FigureValues, found: FigureValues, title: str) -> str:
    """Between which two steps of a funnel most of those who came so far are lost."""
    reached = [point.estimate for point in found.points]
    lost: list[tuple[float, int]] = []
    for place, (first, second) in enumerate(pairwise(reached)):
        if first is None or second is None or first.interval[0] <= 0:
            continue
        lost.append((1 - second.value / first.value, place))
    if not lost:
        return view.say("finding_hidden", figure=title)
    share, place = max(lost)
    before, after = (_key(view, named, shown, point) for point in shown.points[place : place + 2])
    said = f"{100 * min(max(share, 0.0), 1.0):.0f}%"
    return view.say("finding_step", figure=title, before=before, after=after, share=said)


def _key(view: View, named: Named, figure: FigureValues, point: Point) -> str:
    uses = [named.use(dimension) for dimension in figure.dimensions]
    return ", ".join(key_name(use, key, view.language) for use, key in zip(uses, point.keys, strict=True))
