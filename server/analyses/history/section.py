"""The report's section on next purchases: who buys again, how often, and how far the model can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from privacy.analyses.history import CONTRACT
from privacy.analyses.history.results import ByPurchases, HistoryResult
from privacy.kernel.terms import minor_digits
from privacy.presentation.cells import Cell, card, cell
from privacy.presentation.numbers import day_text, plain
from privacy.presentation.pictures import both
from privacy.presentation.words import percent, with_interval
from privacy.protocol.study import Study
from server.analyses.history.pictures import SPREAD_DAYS, buying_soon
from server.analyses.history.texts import text
from server.analysis.forms import PERCENT, WHOLE, Form
from server.analysis.section import ReportSection, ReportView

View = ReportView[HistoryResult]

#: Counts that lie farther from the model than this, in deviations of noise and chance, are worth a warning.
MISFIT = 1.25


def forms(study: Study) -> Mapping[str, Form]:
    """How each figure is written."""
    return {
        "customers": WHOLE,
        "share": PERCENT,
        "buyers": PERCENT,
        "purchases": WHOLE,
        "mean": Form(minor_digits(study.currency), unit=f" {study.currency}"),
    }


def cards(view: View) -> list[Cell]:
    """Who is still a customer, who buys soon, and how often all of them will."""
    figures, say = view.figures, view.say
    soon = next(one for one in figures.ahead if one.upto == figures.ahead_days)
    return [
        card(say("card_share"), figures.share, view.language, decimals=1, scale=100, unit="%"),
        card(say("card_buyers", days=soon.upto), soon.buyers, view.language, decimals=1, scale=100, unit="%"),
        card(say("card_purchases", days=soon.upto), soon.purchases, view.language, decimals=0),
    ]


def findings(view: View) -> list[str]:
    """How many buy again, who does, and whether customers are as the model has them."""
    figures, say, language = view.figures, view.say, view.language
    soon = next(one for one in figures.ahead if one.upto == figures.ahead_days)
    told = [
        say(
            "finding_ahead",
            customers=with_interval(figures.customers, language, decimals=0),
            buyers=percent(soon.buyers, language),
            days=soon.upto,
            purchases=with_interval(soon.purchases, language, decimals=0),
        )
    ]
    once, most = figures.by_purchases[0], figures.by_purchases[-1]
    told.append(
        say(
            "finding_once",
            once=percent(once.buyers, language),
            days=figures.ahead_days,
            first=most.first,
            most=percent(most.buyers, language),
        )
    )
    if figures.misfit > MISFIT:
        told.append(say("finding_misfit", times=f"{figures.misfit:.1f}"))
    return told


def body(view: View) -> dict[str, Any]:
    """What the template needs."""
    figures, say, language = view.figures, view.say, view.language
    study = view.result.study
    return {
        "lead": say("history_lead", as_of=day_text(study.as_of, language), days=figures.window_days),
        "ahead": _ahead(view),
        "picture": both(lambda width: buying_soon(figures, language, width)),
        "caption": say("picture_soon", days=figures.ahead_days, spread=SPREAD_DAYS),
        "groups": _groups(view),
        "facts": _facts(view),
        "limits": [
            say("limit_misfit", times=f"{figures.misfit:.1f}"),
            say("limit_season"),
            say("limit_spend"),
            say("limit_window"),
            say("limit_records"),
            say("limit_people"),
        ],
    }


def _ahead(view: View) -> dict[str, Any]:
    labels = [view.say("column_buyers"), view.say("column_purchases")]
    return {
        "columns": labels,
        "rows": [
            {
                "name": view.say("in_days", days=one.upto),
                "cells": [
                    cell(labels[0], one.buyers, view.language, decimals=1, scale=100),
                    cell(labels[1], one.purchases, view.language, decimals=0),
                ],
            }
            for one in view.figures.ahead
        ],
    }


def group_name(one: ByPurchases, view: View) -> str:
    """The customers of a line in words: ``4 to 5``, ``14 or more``."""
    if one.last is None:
        return view.say("days_or_more", first=one.first)
    return f"{one.first}" if one.first == one.last else view.say("days_between", first=one.first, last=one.last)


def _groups(view: View) -> dict[str, Any]:
    days = view.figures.ahead_days
    labels = [
        view.say("column_customers"),
        view.say("column_share"),
        view.say("column_buyers_in", days=days),
        view.say("column_purchases_in", days=days),
    ]
    return {
        "columns": labels,
        "rows": [
            {
                "name": group_name(one, view),
                "cells": [
                    cell(labels[0], one.customers, view.language, decimals=0),
                    cell(labels[1], one.share, view.language, decimals=1, scale=100),
                    cell(labels[2], one.buyers, view.language, decimals=1, scale=100),
                    cell(labels[3], one.purchases, view.language, decimals=0),
                ],
            }
            for one in view.figures.by_purchases
        ],
    }


def _facts(view: View) -> list[tuple[str, str]]:
    figures, say = view.figures, view.say
    model = say(
        f"family_{figures.family}",
        r=plain(figures.r, 3),
        alpha=plain(figures.alpha, 3),
        a=plain(figures.a, 3),
        b=plain(figures.b, 3),
    )
    found = [
        (say("fact_customers"), with_interval(figures.customers, view.language, decimals=0)),
        (say("fact_model"), model),
    ]
    spend, study = figures.spend, view.result.study
    if study.of(CONTRACT).value_cap:
        if spend is None:
            found.append((say("fact_spend"), say("spend_hidden")))
        else:
            digits, unit = minor_digits(study.currency), f" {study.currency}"
            mean = with_interval(spend.mean, view.language, decimals=digits, unit=unit)
            found.append((say("fact_spend"), say("spend_is", mean=mean, cap=f"{spend.cap:,}", unit=study.currency)))
            found.append((say("fact_weight"), say("weight_is", days=plain(spend.weight, 2))))
    return found


#: The section on next purchases.
SECTION = ReportSection(
    package="server.analyses.history",
    text=text,
    title="title_history",
    cards=cards,
    findings=findings,
    body=body,
    notes=lambda view: [view.say("history_margin_note")],
)
