"""How figures are written, by their unit: alike on the report, the terminal and in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from privacy.analyses.tables.results import FigureValues, Point
from privacy.figures.estimates import Estimate
from privacy.kernel.terms import minor_digits
from privacy.presentation.texts import Language
from privacy.presentation.words import Written, beside, written
from privacy.protocol.study import Study
from server.analyses.tables.texts import text
from server.analysis.forms import PERCENT, WHOLE, Form
from server.analysis.section import ReportView


def forms(study: Study) -> Mapping[str, Form]:
    """The form of each unit, and of what is lost."""
    return {
        "share": PERCENT,
        "points": PERCENT,
        "amount": Form(minor_digits(study.currency)),
        "number": Form(2),
        "count": WHOLE,
        "lost": PERCENT,
    }


def written_in(figure: FigureValues, estimate: Estimate, study: Study, language: Language) -> Written:
    """A value in words, with the currency where it is money."""
    form = forms(study)[figure.unit]
    unit = {"amount": f" {study.currency}", "points": text("points", language)}.get(figure.unit, form.unit)
    signed = figure.unit == "points"
    return written(estimate, language, decimals=form.decimals, scale=form.scale, unit=unit, signed=signed)


def written_value(figure: FigureValues, point: Point, view: ReportView[Any]) -> str:
    """A value in a sentence."""
    if point.estimate is None:
        return view.say("not_shown")
    found = written_in(figure, point.estimate, view.result.study, view.language)
    around = beside(found, view.language)
    return view.say("value_with_interval", value=found.value, interval=around) if around else found.value


def on_screen(figure: FigureValues, point: Point, study: Study, language: Language) -> str:
    """A value on the terminal; why it is not there in its place."""
    if point.estimate is None:
        return text(f"why_{point.why}", language)
    found = written_in(figure, point.estimate, study, language)
    around = f"({found.ends})" if found.ends else beside(found, language).replace("±\u00a0", "±")
    return f"{found.value} {around}".rstrip()
