"""The holder's section on tables in one language: values for its template."""

from __future__ import annotations

from typing import Any

import numpy as np

from clients.analyses.tables.labels import StandingSnapshot
from clients.analyses.tables.own import Line, OwnFigure, OwnTable, OwnTables
from clients.analyses.tables.standing import SECOND
from clients.analyses.tables.texts import text
from clients.analysis import HolderView
from clients.analysis.cells import MARKS, Judged
from clients.analysis.comparison import Compared
from privacy.analyses.tables.statuses import RETURN_DAYS, STATUSES
from privacy.analyses.tables.words import dimension_name, key_name, title_of
from privacy.figures.estimates import strictness
from privacy.kernel.terms import minor_digits
from privacy.presentation.cells import Cell, cell
from privacy.presentation.numbers import day_text
from privacy.presentation.texts import join, of_its_own
from privacy.presentation.words import with_interval
from privacy.section import Section

_FINDING = {"higher": "finding_higher", "lower": "finding_lower"}
_WORDS = {"higher": "above", "lower": "below", "alike": "alike", "unknown": "not_shown"}
#: Sentences at the head of the section, and of one table: the differences that are clearest.
_FINDINGS, _OF_A_TABLE = 4, 2

View = HolderView[OwnTables]


def body(view: View) -> dict[str, Any]:
    """What the template needs."""
    own, say = view.figures, view.say
    as_of = day_text(view.result.study.as_of, view.language)
    return {
        "lead": say("tables_lead", as_of=as_of),
        "findings": _findings(view),
        "tables": [_table(view, table) for table in own.tables if table.figures],
        "standing": None if own.standing is None else _standing(view, own.standing),
        "notes": [
            say("tables_note_margin", factor=f"{strictness(own.comparisons):.1f}", comparisons=own.comparisons),
            say("tables_note_cut"),
        ],
    }


def _standing(view: View, found: StandingSnapshot) -> dict[str, Any]:
    """How many customers have each status, and wait for a second order; with what the operator wants done."""
    say, cuts = view.say, found.cuts
    groups: list[tuple[str, str, str, int]] = []
    if cuts is not None:
        counts = np.bincount(found.table["status"].drop_null().to_numpy(), minlength=len(STATUSES))
        days = {"returned": RETURN_DAYS, **dict(cuts.cuts)}
        for status, count in zip(STATUSES, counts.tolist(), strict=True):
            who = say(f"status_{status.code}", **days)
            groups.append((f"status_{status.code}", of_its_own(status, view.language), who, count))
    if found.in_time:
        counts = np.bincount(found.table["second"].drop_null().to_numpy(), minlength=len(SECOND))
        for place, code in ((1, "due"), (2, "late")):
            who = say(f"second_{code}_is", days=found.in_time)
            groups.append((f"second_{code}", say(f"second_{code}"), who, int(counts[place])))
    origin = None if cuts is None else day_text(cuts.as_of, view.language)
    return {
        "lead": say("standing_without") if origin is None else say("standing_lead", day=origin),
        "rows": [
            {"name": name, "who": who, "count": f"{count:,}", "action": view.actions.words(code, view.language)}
            for code, name, who, count in groups
        ],
    }


def _findings(view: View) -> list[str]:
    """The clearest differences, largest first; one sentence where there is none."""
    clear = sorted(
        (
            (abs(line.compared.strength), number, table, figure, line, line.compared)
            for table in view.figures.tables
            for figure in table.figures
            for number, line in enumerate(figure.lines)
            if line.compared is not None and line.compared.verdict in ("higher", "lower")
        ),
        key=lambda item: -item[0],
    )
    told: dict[str, list[str]] = {}
    for _, _, table, figure, line, compared in clear:
        said = told.setdefault(table.named.table.name, [])
        if len(said) < _OF_A_TABLE and sum(map(len, told.values())) < _FINDINGS:
            said.append(_difference(view, table, figure, line, compared))
    return [sentence for said in told.values() for sentence in said] or [view.say("finding_none")]


def _difference(view: View, table: OwnTable, figure: OwnFigure, line: Line, compared: Compared) -> str:
    keys = _keys(view, table, figure, line)
    title = title_of(table.named.figure(figure.figure.name), view.language)
    decimals, scale, unit = _form(view, figure)
    everyone = compared.shown or compared.own
    return view.say(
        _FINDING[compared.verdict],
        what=f"{title}, {keys}" if keys else title,
        own=_exact(view, figure, compared),
        all=with_interval(everyone, view.language, decimals=decimals, scale=scale, unit=unit),
    )


def _table(view: View, table: OwnTable) -> dict[str, Any]:
    return {
        "title": title_of(table.named.table, view.language),
        "customers": view.say("tables_customers", count=table.customers),
        "figures": [
            *_numbers(view, table),
            *(_figure(view, table, figure) for figure in table.figures if figure.figure.dimensions),
        ],
    }


def _numbers(view: View, table: OwnTable) -> list[dict[str, Any]]:
    """The figures that are one number each, a row each of one table; those of which nothing is known are left out."""
    rows = [
        _line(view, table, figure, line) | {"name": title_of(table.named.figure(figure.figure.name), view.language)}
        for figure in table.figures
        for line in figure.lines
        if not figure.figure.dimensions and line.compared is not None
    ]
    return [_headed(view, "", view.say("column_figure")) | {"rows": rows}] if rows else []


def _figure(view: View, table: OwnTable, figure: OwnFigure) -> dict[str, Any]:
    names = [dimension_name(table.named.use(name), view.language) for name in figure.figure.dimensions]
    title = title_of(table.named.figure(figure.figure.name), view.language)
    rows = [_line(view, table, figure, line) for line in figure.lines]
    return _headed(view, title, join(names, view.language)) | {"rows": rows}


def _headed(view: View, title: str, first: str) -> dict[str, Any]:
    """What stands over a table of figures."""
    own, everyone, compared = (view.say(key) for key in ("column_own", "column_all", "column_compared"))
    return {"title": title, "first": first, "own": own, "all": everyone, "compared": compared}


def _line(view: View, table: OwnTable, figure: OwnFigure, line: Line) -> dict[str, Any]:
    compared = line.compared
    decimals, scale, unit = _form(view, figure)
    everyone = None if compared is None else compared.shown
    verdict = compared.verdict if compared is not None else "unknown"
    found = cell(view.say("column_all"), everyone, view.language, decimals=decimals, scale=scale)
    margin = found.margin if everyone is not None and everyone.margin else ""  # what is so by definition has none
    return {
        "name": _keys(view, table, figure, line),
        "own": Cell(view.say("column_own"), "" if compared is None else _exact(view, figure, compared)),
        "all": found._replace(value=found.value + unit if found.value else "", margin=margin),
        "verdict": Judged(view.say("column_compared"), MARKS[verdict], view.say(_WORDS[verdict]), verdict),
    }


def _keys(view: View, table: OwnTable, figure: OwnFigure, line: Line) -> str:
    uses = [table.named.use(name) for name in figure.figure.dimensions]
    return ", ".join(key_name(use, key, view.language) for use, key in zip(uses, line.keys, strict=True))


def _form(view: View, figure: OwnFigure) -> tuple[int, int, str]:
    """Decimals, scale and unit of a figure."""
    currency = view.result.study.currency
    if figure.figure.unit == "share":
        return 1, 100, "%"
    return (minor_digits(currency), 1, f" {currency}") if figure.figure.unit == "amount" else (2, 1, "")


def _exact(view: View, figure: OwnFigure, compared: Compared) -> str:
    decimals, scale, unit = _form(view, figure)
    return f"{scale * compared.own.value:,.{decimals}f}{unit}"


#: Codes of what operators may do about customers by where they stand.
ACTIONS = frozenset({*(f"status_{status.code}" for status in STATUSES), "second_due", "second_late"})

#: The section on tables.
SECTION: Section[OwnTables] = Section(package="clients.analyses.tables", text=text, body=body)
