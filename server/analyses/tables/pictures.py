"""What the report's section on tables draws (:mod:`privacy.presentation.charts`), by the view of each figure."""

from __future__ import annotations

from collections.abc import Sequence

from privacy.analyses.tables.named import Named
from privacy.analyses.tables.results import FigureValues, Point
from privacy.analyses.tables.words import title_of
from privacy.presentation import charts
from privacy.presentation.charts import Group, Mark, Panel, Series, Shade, share_mark
from privacy.presentation.pictures import CUSTOMERS, EVERYONE, REVENUE, SCORES, Form, Width, both
from privacy.presentation.texts import Language
from privacy.protocol.study import Study
from server.analyses.tables.forms import forms, written_in
from server.analyses.tables.texts import text

_COLOURS = (CUSTOMERS, REVENUE, EVERYONE)
#: Groups of bars beyond this many make a picture too long to be looked at; the table has all.
_MOST = 30
#: Columns of a heat map beyond this many have no room.
_BROADEST = 14


def picture_of(figure: FigureValues, named: Named, study: Study, language: Language) -> object | None:
    """A figure's picture in both widths; None where its view has none, or there is nothing to draw."""
    if all(point.estimate is None for point in figure.points):
        return None
    if figure.view == "heatmap" and len(figure.dimensions) == 2:
        if len(named.keys(figure, 1, language)) > _BROADEST:
            return None
        return both(lambda width: _heat(figure, named, study, language, width))
    if figure.view in ("bars", "curve", "funnel") and len(figure.dimensions) in (1, 2):
        if len(_groups(figure, named, language)[0]) > _MOST:
            return None
        return both(lambda width: _bars(figure, named, study, language, width))
    return None


def _form(figure: FigureValues, named: Named, language: Language, width: Width, key: str) -> Form:
    title = title_of(named.figure(figure.name), language)
    salt = f"{named.table.name}-{figure.name}-{language}"
    return Form(alt=text(key, language, figure=title), salt=salt, width=width)


def _mark(figure: FigureValues, point: Point, study: Study, language: Language) -> Mark | str:
    """A bar; why there is none in its place."""
    estimate = point.estimate
    if estimate is None:
        return text(f"why_{point.why}", language)
    if figure.unit == "share":
        return share_mark(estimate, language)
    words = written_in(figure, estimate, study, language).value
    return Mark(estimate.value, estimate.margin, words, estimate.interval)


def _groups(
    figure: FigureValues, named: Named, language: Language
) -> tuple[list[tuple[str, list[Point]]], Sequence[str]]:
    """Rows of bars with their points, and what bars of a row are: the keys of the dimension that has few."""
    if len(figure.dimensions) == 1:
        names = named.keys(figure, 0, language)
        return [(name, [point]) for name, point in zip(names, figure.points, strict=True)], ("",)
    first, second = (named.keys(figure, place, language) for place in (0, 1))
    at = [list(figure.points[row * len(second) : (row + 1) * len(second)]) for row in range(len(first))]
    if len(first) <= len(_COLOURS):
        return [(name, [row[place] for row in at]) for place, name in enumerate(second)], first
    if len(second) <= len(_COLOURS):
        return [(name, row) for name, row in zip(first, at, strict=True)], second
    rows = [(f"{one}, {other}", [point]) for one, row in zip(first, at, strict=True)
            for other, point in zip(second, row, strict=True)]  # fmt: skip
    return rows, ("",)


def _bars(figure: FigureValues, named: Named, study: Study, language: Language, width: Width) -> str:
    rows, names = _groups(figure, named, language)
    groups = [Group(name, tuple(_mark(figure, point, study, language) for point in points)) for name, points in rows]
    series = [Series(name, colour) for name, colour in zip(names, _COLOURS, strict=False)]
    return charts.bars([Panel(groups)], series, _form(figure, named, language, width, "picture"))


def _heat(figure: FigureValues, named: Named, study: Study, language: Language, width: Width) -> str:
    rows, columns = (named.keys(figure, place, language) for place in (0, 1))
    most = max(point.estimate.value for point in figure.points if point.estimate is not None)
    form, steps = forms(study)[figure.unit], len(SCORES)

    def shade(point: Point) -> Shade:
        if point.estimate is None:
            return Shade(0, "")
        step = int(steps * max(point.estimate.value, 0.0) / most) if most > 0 else 0
        return Shade(min(step, steps - 1), f"{form.scale * point.estimate.value:.0f}")

    cells = [
        [shade(point) for point in figure.points[row * len(columns) : (row + 1) * len(columns)]]
        for row in range(len(rows))
    ]
    return charts.heat_map(rows, columns, cells, _form(figure, named, language, width, "picture_heat"))
