"""The report's section on tables: each with its figures, by the view that they ask for, and what they say plainly."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from privacy.analyses.tables import CONTRACT
from privacy.analyses.tables.named import Named, named_tables
from privacy.analyses.tables.results import FigureValues, Point, TableFigures, TablesResult
from privacy.analyses.tables.statuses import status_cuts, status_table
from privacy.analyses.tables.words import dimension_name, measure_name, title_of
from privacy.presentation.cells import Cell, card, cell
from privacy.presentation.numbers import day_text, grouped
from privacy.presentation.texts import join
from privacy.presentation.words import percent
from server.analyses.tables.forms import forms
from server.analyses.tables.pictures import picture_of
from server.analyses.tables.texts import text
from server.analyses.tables.told import table_findings, table_numbers
from server.analysis.section import ReportSection, ReportView

View = ReportView[TablesResult]

#: Large figures at the top, and sentences among the main findings.
_CARDS, _FINDINGS = 3, 3


def _named(view: View) -> Iterator[tuple[Named, TableFigures]]:
    study = view.result.study
    return named_tables(study.of(CONTRACT), study.as_of, view.figures)


def cards(view: View) -> list[Cell]:
    """The first figures that are one number each."""
    found: list[Cell] = []
    for named, table in _named(view):
        for figure in table.figures:
            estimate = figure.points[0].estimate if not figure.dimensions else None
            if estimate is not None and len(found) < _CARDS:
                form = forms(view.result.study)[figure.unit]
                title = title_of(named.figure(figure.name), view.language)
                found.append(card(title, estimate, view.language, **form._asdict()))
    return found


def findings(view: View) -> list[str]:
    """The first thing that each of the first tables says."""
    told: list[str] = []
    for named, table, sentences in _told(view):
        title = title_of(named.table, view.language)
        of_table = [view.say("finding_of_table", table=title, finding=said) for said in sentences]
        told += [*filter(None, [table_numbers(view, named, table)]), *of_table][:1]
    return told[:_FINDINGS]


def _told(view: View) -> list[tuple[Named, TableFigures, list[str]]]:
    released = view.result.of(TablesResult) or view.figures
    tables = _named(view)
    return [
        (named, table, table_findings(view, named, table, found))
        for (named, table), found in zip(tables, released.tables, strict=True)
    ]


def body(view: View) -> dict[str, Any]:
    """What the template needs."""
    told = _told(view)
    as_of = day_text(view.result.study.as_of, view.language)
    return {
        "lead": view.say("tables_lead", count=len(told), as_of=as_of),
        "tables": [_table(view, named, table, sentences) for named, table, sentences in told],
        "notes": [view.say("note_records"), view.say("note_shown"), view.say("note_cut")],
    }


def _table(view: View, named: Named, table: TableFigures, sentences: list[str]) -> dict[str, Any]:
    language = view.language
    dimensions = join([dimension_name(use, language) for use in named.written.by], language)
    first = table.measures[0]
    margin = grouped(Decimal(repr(first.margin)), 0 if first.margin >= 10 else 2)
    notes = [
        view.say("by", dimensions=dimensions),
        view.say("cell_margin", measure=measure_name(named.table.measure[0], language), margin=margin),
    ]
    notes += [
        view.say("rule", tag=dimension_name(use, language), rule="; ".join(use.tag.texts))
        for use in named.written.by
        if use.tag is not None
    ]
    if caps := _caps(view, named):
        notes.append(view.say("caps", caps=caps))
    if table.of_holders:
        notes.insert(0, view.say("by_holders", holders=table.holders, of=table.of_holders))
    if table.lost is not None:
        notes.append(view.say("lost", share=percent(table.lost, language)))
    if status := _status(view, named, table):
        notes.append(status)
    numbers = [figure for figure in table.figures if not figure.dimensions]
    return {
        "title": title_of(named.table, language),
        "findings": sentences,
        "numbers": [_row(view, title_of(named.figure(one.name), language), [one], [one.points[0]]) for one in numbers],
        "figures": [_figure(view, named, figure) for figure in table.figures if figure.dimensions],
        "notes": notes,
    }


def _status(view: View, named: Named, table: TableFigures) -> str:
    """Where all holders cut the status of their customers, if it is by this table; empty if not."""
    declared = view.result.study.of(CONTRACT).table
    place = status_table(declared)
    if place is None or declared[place].name != named.table.name:
        return ""
    released = view.result.of(TablesResult)
    cuts = None if released is None else status_cuts(released.tables[place])
    return view.say("status_without") if cuts is None else view.say("status_cuts", **dict(cuts))


def _caps(view: View, named: Named) -> str:
    """With how much one customer counts at most in a cell, by measure; empty where that is one anyway."""
    unit = {"money": f" {view.result.study.currency}"}
    found = [
        f"{measure_name(one, view.language)} {one.most:,}{unit.get(one.meaning.unit, '')}"
        for one in named.table.measure
        if one.cap is not None
    ]
    return join(found, view.language)


def _figure(view: View, named: Named, figure: FigureValues) -> dict[str, Any]:
    language, study = view.language, view.result.study
    title = title_of(named.figure(figure.name), language)
    columns = named.keys(figure, len(figure.dimensions) - 1, language) if len(figure.dimensions) > 1 else [""]
    rows: list[list[str]] = [[]]
    depth = max(1, len(figure.dimensions) - 1)
    for place in range(depth):
        rows = [[*row, name] for row in rows for name in named.keys(figure, place, language)]
    points = [figure.points[at * len(columns) : (at + 1) * len(columns)] for at in range(len(rows))]
    value = {"share": "column_value_percent", "points": "column_value_percent", "amount": "column_value_money"}
    key = value.get(figure.unit, "column_value")
    label = view.say(key, currency=study.currency) if key == "column_value_money" else view.say(key)
    kind = "picture_heat" if figure.view == "heatmap" else "picture"
    return {
        "title": title,
        "picture": picture_of(figure, named, study, language),
        "caption": view.say(kind, figure=title),
        "first": join(
            [
                dimension_name(named.use(name), language)
                for name in figure.dimensions[: max(1, len(figure.dimensions) - 1)]
            ],
            language,
        ),
        "columns": [name or label for name in columns],
        "rows": [
            (
                ", ".join(name),
                [_cell(view, figure, point, column or label) for point, column in zip(of, columns, strict=True)],
            )
            for name, of in zip(rows, points, strict=True)
        ],
        "unit": label,
    }


def _row(view: View, name: str, figures: list[FigureValues], points: list[Point]) -> tuple[str, list[Cell]]:
    label = view.say("column_value")
    cells = []
    for figure, point in zip(figures, points, strict=True):
        found, unit = _cell(view, figure, point, label), forms(view.result.study)[figure.unit].unit
        cells.append(found._replace(value=found.value + unit) if found.margin and unit else found)
    return name, cells


def _cell(view: View, figure: FigureValues, point: Point, label: str) -> Cell:
    estimate = point.estimate
    if estimate is None:
        return Cell(label, view.say(f"why_{point.why}"), weak=True)
    form = forms(view.result.study)[figure.unit]
    signed = figure.unit == "points"
    found = cell(label, estimate, view.language, decimals=form.decimals, scale=form.scale, signed=signed)
    return found if estimate.margin else found._replace(margin="", ends="")  # what is so by definition has none


#: The section on tables.
SECTION: ReportSection[TablesResult] = ReportSection(
    package="server.analyses.tables", text=text, title="title_tables", cards=cards, findings=findings, body=body
)
