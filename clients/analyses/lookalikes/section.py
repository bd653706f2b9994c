"""The holder's section on look-alikes in one language: values for its template."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from clients.analyses.lookalikes.bands import CERTAIN
from clients.analyses.lookalikes.own import BandLine, OwnLookalikes, Tried
from clients.analyses.lookalikes.texts import text
from clients.analysis import HolderView
from clients.analysis.cells import MARKS, Judged
from privacy.kernel.terms import minor_digits
from privacy.presentation.cells import Cell, cell
from privacy.presentation.numbers import day_text, grouped
from privacy.presentation.texts import of_its_own
from privacy.section import Section

View = HolderView[OwnLookalikes]

_WORDS = {"higher": "above", "lower": "below", "alike": "alike", "unknown": "not_shown"}


def body(view: View) -> dict[str, Any]:
    """What the template needs."""
    own, say = view.figures, view.say
    return {
        "lead": say(
            "alike_lead",
            as_of=day_text(view.result.study.as_of, view.language),
            count=own.scored,
            kind=_kind(view),
        ),
        "findings": [] if own.tried is None else [_tried(view, own.tried)],
        "compared": _compared(view),
        "bands": [_band(view, line) for line in own.bands] if own.scored else [],
        "listed": [
            {
                "id": item.customer_id,
                "cells": [
                    Cell(say("alike_probability"), f"{100 * item.probability / CERTAIN:.1f}"),
                    Cell(say("alike_money", currency=view.result.study.currency), _whole(view, item.money)),
                ],
            }
            for item in own.listed
        ],
        "notes": [
            say("alike_note_labels", name=f"{view.result.study.name}-…-lookalikes"),
            say("alike_note_cause"),
        ],
    }


def _kind(view: View) -> str:
    found = view.figures.figures
    if found.category:
        return view.say("kind_category", category=found.category, days=found.horizon_days)
    money = f"{grouped(Decimal(found.spend), 0)} {view.result.study.currency}"
    return view.say("kind_spend", money=money, days=found.horizon_days)


def _tried(view: View, tried: Tried) -> str:
    """What became of those whom the list would have had."""
    day = day_text(dt.date.fromisoformat(view.figures.figures.test_day), view.language)
    return view.say(
        "alike_tried",
        day=day,
        listed=f"{tried.listed:,}",
        of_listed=f"{tried.of_listed:,}",
        customers=f"{tried.customers:,}",
        became=f"{tried.became:,}",
        share=f"{100 * tried.of_listed / max(tried.listed, 1):.1f}",
        all=f"{100 * tried.became / tried.customers:.1f}",
    )


def _compared(view: View) -> dict[str, Any] | None:
    found = view.figures.rate
    if found is None:
        return None
    verdict = Judged(view.say("alike_compared"), MARKS[found.verdict], view.say(_WORDS[found.verdict]), found.verdict)
    return {
        "own": Cell(view.say("alike_own"), f"{100 * found.own.value:.1f}"),
        "all": cell(view.say("alike_all"), found.shown, view.language, decimals=1, scale=100),
        "verdict": verdict,
    }


def _band(view: View, line: BandLine) -> dict[str, Any]:
    say, own = view.say, view.figures
    part = 100 * line.band.lists * own.figures.list_share
    cells = [
        Cell(say("alike_customers"), f"{line.customers:,}"),
        Cell(say("alike_expected", days=own.figures.horizon_days), f"{line.expected:,.0f}"),
    ]
    return {
        "name": of_its_own(line.band, view.language),
        "who": say("alike_first", part=f"{min(part, 100):g}") if line.band.lists else say("alike_band_rest"),
        "cells": cells,
        "action": view.actions.words(line.band.code, view.language)
        or say("act_none", code=line.band.code, file=view.actions_file),
    }


def _whole(view: View, minor: int) -> str:
    return grouped(Decimal(minor).scaleb(-minor_digits(view.result.study.currency)), 0)


#: The section on look-alikes.
SECTION: Section[OwnLookalikes] = Section(package="clients.analyses.lookalikes", text=text, body=body)
