"""What report, terminal and a model's card say of a model over time: its probabilities, and its earlier tests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from privacy.analyses.churn.ageing import FALSE_ALARMS, Ageing, ageing
from privacy.analyses.churn.results import EarlierTest, Recalibration
from privacy.figures.consistent import possible
from privacy.figures.estimates import Estimate
from privacy.presentation.cells import cell
from privacy.presentation.numbers import day_text, plain, shown
from privacy.presentation.texts import Language
from server.analyses.churn.texts import text


def recalibration_sentence(found: Recalibration | None, language: Language) -> str:
    """What holders correct their probabilities by, with the margins; empty where the test does not tell."""
    if found is None:
        return ""
    fields = {name: _number(getattr(found, name), language) for name in ("level", "intercept", "slope")}
    kind = "used" if found.shift else "unused"
    return text(f"recalibration_{kind}", language, shift=f"{found.shift:+.2f}", **fields)


def _number(estimate: Estimate, language: Language) -> str:
    value, margin = shown(estimate, decimals=2)
    return text("value_with_margin", language, value=value, margin=margin)


def ageing_findings(now: EarlierTest, tests: tuple[EarlierTest, ...], language: Language) -> list[str]:
    """Whether the model has aged since its first test; nothing where this is its first."""
    found = ageing(now, tests)
    if found is None:
        return []
    day = day_text(dt.date.fromisoformat(found.since.test_day), language)
    kind = "ranks" if found.ranks_worse else "level" if found.has_moved else "none"
    sentence = text(f"aged_{kind}", language, day=day, **_differences(found, language))
    return [sentence]


def _differences(found: Ageing, language: Language) -> dict[str, str]:
    auc, listed = shown(found.auc, decimals=3), shown(found.listed, decimals=1, scale=100)
    fields = {
        "auc": text("value_with_margin", language, value=_signed(auc.value), margin=auc.margin),
        "listed": text("value_with_margin", language, value=_signed(listed.value), margin=listed.margin),
        "level": text("aged_unknown", language),
    }
    if found.level is not None:
        level = shown(found.level, decimals=2)
        fields["level"] = text("value_with_margin", language, value=_signed(level.value), margin=level.margin)
    return fields


def _signed(value: str) -> str:
    return value if value.startswith("-") or not value.strip("0.,") else f"+{value}"


def tests_table(now: EarlierTest, tests: tuple[EarlierTest, ...], language: Language) -> dict[str, Any] | None:
    """Every test of the model, the newest last, with notes on what is compared; None where this is its first."""
    if not tests:
        return None
    labels = [text(f"tests_{name}", language) for name in ("listed", "rate", "auc", "level")]
    return {
        "columns": labels,
        "rows": [
            {"name": day_text(dt.date.fromisoformat(test.test_day), language), "cells": _cells(test, labels, language)}
            for test in (*tests, now)
        ],
        "notes": [
            text("tests_note", language, share=plain(100 * FALSE_ALARMS)),
            text("tests_note_level", language),
        ],
    }


def _cells(test: EarlierTest, labels: Sequence[str], language: Language) -> list[Any]:
    return [
        cell(labels[0], possible(test.listed, 0.0, 1.0), language, decimals=0, scale=100),
        cell(labels[1], possible(test.churn_rate, 0.0, 1.0), language, decimals=1, scale=100),
        cell(labels[2], possible(test.auc, 0.0, 1.0), language, decimals=3),
        cell(labels[3], test.level, language, decimals=2, signed=True),
    ]
