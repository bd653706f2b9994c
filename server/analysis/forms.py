"""Figures as texts for scripts: with the digits that pages and terminal give them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

from privacy.figures.estimates import Estimate, Value
from privacy.presentation.texts import Language
from privacy.presentation.words import in_a_row


class Form(NamedTuple):
    """How a figure is written; see :func:`privacy.presentation.words.written`."""

    decimals: int
    scale: int = 1
    unit: str = ""


#: A share from 0 to 1, in per cent.
PERCENT = Form(1, 100, "%")
#: Records, orders, and sums of money.
WHOLE = Form(0)


def texts_of(figures: Value, forms: Mapping[str, Form], language: Language) -> dict[str, Any]:
    """What figures have estimates of, as texts under the same names, beside what says which they are.

    Names, codes, days and numbers that are no estimates stay as they are; what has neither is left out. A figure that
    is suppressed or was not asked is None.
    """
    found: dict[str, Any] = {}
    for name, value in figures:
        if name in forms:
            found[name] = _texts(value, forms[name], language)
        elif isinstance(value, tuple) and value and all(isinstance(item, Value) for item in value):
            rows = [texts_of(item, forms, language) for item in value]
            if any(_has_texts(row) for row in rows):
                found[name] = rows
        elif isinstance(value, Value):
            row = texts_of(value, forms, language)
            if _has_texts(row):
                found[name] = row
        elif isinstance(value, dict) and value and all(isinstance(item, Value) for item in value.values()):
            found[name] = {key: texts_of(item, forms, language) for key, item in value.items()}
        elif name in _SAYS_WHICH:
            found[name] = value.isoformat() if isinstance(value, dt.date) else value
    return found


#: What says of which row, table or period the figures beside it are.
_SAYS_WHICH = ("scheme", "code", "id", "part", "first", "last", "above", "upto", "feature", "top")


def _has_texts(row: dict[str, Any]) -> bool:
    return any(name not in _SAYS_WHICH for name in row)


def _texts(value: object, form: Form, language: Language) -> Any:
    if isinstance(value, tuple):
        return [_texts(item, form, language) for item in value]
    return in_a_row(value, language, **form._asdict()) if isinstance(value, Estimate) else None
