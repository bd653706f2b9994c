"""The holder's section on next purchases in one language: values for its template."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from clients.analyses.history.bands import CERTAIN
from clients.analyses.history.own import BandLine, OwnHistory, Tried, Valuable
from clients.analyses.history.texts import text
from clients.analysis import HolderView
from clients.analysis.cells import MARKS, Judged
from clients.analysis.comparison import Compared
from privacy.kernel.terms import minor_digits
from privacy.presentation.cells import Cell, cell
from privacy.presentation.numbers import day_text, grouped
from privacy.presentation.texts import of_its_own
from privacy.section import Section

View = HolderView[OwnHistory]

_WORDS = {"higher": "above", "lower": "below", "alike": "alike", "unknown": "not_shown"}


def body(view: View) -> dict[str, Any]:
    """What the template needs."""
    own, say = view.figures, view.say
    as_of = day_text(view.result.study.as_of, view.language)
    compared = [("history_active", own.active), ("history_buyers", own.buyers)]
    return {
        "lead": say("history_lead", as_of=as_of, count=own.scored),
        "findings": _findings(view),
        "compared": [_compared(view, key, one) for key, one in compared if one is not None],
        "bands": [_band(view, line) for line in own.bands] if own.scored else [],
        "list_lead": say("history_list_lead", count=len(own.listed), days=own.longest_days),
        "listed": [_listed(view, item) for item in own.listed],
        "notes": [
            say("history_note_labels", name=f"{view.result.study.name}-…-purchases"),
            say("history_note_spend"),
            say("history_note_next"),
        ],
    }


def _findings(view: View) -> list[str]:
    own, say = view.figures, view.say
    found = []
    if own.scored:
        soon = own.bands[0].customers + own.bands[1].customers
        found.append(say("history_find_due", count=f"{soon:,}", share=f"{100 * soon / own.scored:.1f}"))
        found.append(say("history_find_top", share=f"{100 * own.top_share:.0f}", days=own.longest_days))
    if own.tried is not None:
        found.append(_tried(view, own.tried))
    return found


def _tried(view: View, tried: Tried) -> str:
    """What the model would have said, and what came, with a verdict beyond chance."""
    off = tried.predicted - tried.observed
    verdict = "good" if abs(off) <= tried.margin else "high" if off > 0 else "low"
    return view.say(
        f"history_tried_{verdict}",
        day=day_text(tried.day, view.language),
        days=view.figures.ahead_days,
        predicted=f"{100 * tried.predicted:.1f}",
        observed=f"{100 * tried.observed:.1f}",
        expected=f"{tried.expected:,.0f}",
        came=f"{tried.came:,}",
    )


def _compared(view: View, key: str, one: Compared) -> dict[str, Any]:
    everyone = cell(view.say("history_all"), one.shown, view.language, decimals=1, scale=100)
    return {
        "name": view.say(key, days=view.figures.ahead_days),
        "own": Cell(view.say("history_own"), f"{100 * one.own.value:.1f}"),
        "all": everyone,
        "verdict": Judged(view.say("history_compared"), MARKS[one.verdict], view.say(_WORDS[one.verdict]), one.verdict),
    }


def _band(view: View, line: BandLine) -> dict[str, Any]:
    say, own = view.say, view.figures
    cells = [
        Cell(say("history_customers"), f"{line.customers:,}"),
        Cell(say("history_share"), f"{100 * line.customers / own.scored:.1f}"),
        Cell(say("history_purchases", days=own.longest_days), f"{line.purchases:,.0f}"),
    ]
    if line.spend is not None:
        # A share, and no sum: spend to expect ranks customers, and adds up to too little.
        cells.append(Cell(say("history_part", days=own.longest_days), f"{100 * line.spend:.1f}"))
    who = say("history_band", share=line.band.low * 100 // CERTAIN, days=line.band.days) if line.band.low else ""
    return {
        "name": of_its_own(line.band, view.language),
        "who": who or say("history_band_rest"),
        "cells": cells,
        "action": view.actions.words(line.band.code, view.language)
        or say("act_none", code=line.band.code, file=view.actions_file),
    }


def _listed(view: View, item: Valuable) -> dict[str, Any]:
    say, own, currency = view.say, view.figures, view.result.study.currency
    cells = [
        Cell(say("history_purchases", days=own.longest_days), f"{item.purchases:,.1f}"),
        Cell(say("history_next"), item.next_by.isoformat() if item.next_by else say("history_never")),
        Cell(say("history_when"), of_its_own(item.band, view.language)),
    ]
    if item.spend is not None:
        label = say("history_spend", days=own.longest_days, currency=currency)
        cells.insert(0, Cell(label, _whole(view, item.spend)))
    return {"id": item.customer_id, "cells": cells}


def _whole(view: View, minor: int) -> str:
    return grouped(Decimal(minor).scaleb(-minor_digits(view.result.study.currency)), 0)


#: The section on next purchases.
SECTION: Section[OwnHistory] = Section(package="clients.analyses.history", text=text, body=body)
