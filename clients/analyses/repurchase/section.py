"""The holder's section on second orders in one language: values for its template."""

from __future__ import annotations

from typing import Any

from clients.analyses.repurchase.own import LISTED, CohortLine, Group, OwnRepurchase, WaitLine
from clients.analyses.repurchase.texts import text
from clients.analysis import HolderView
from clients.analysis.cells import MARKS, Judged, released_share
from clients.analysis.comparison import Compared, strictness
from clients.analysis.pictures import Pair, compared_shares
from privacy.analyses.repurchase.words import cohort_name, wait_name
from privacy.presentation.cells import Cell
from privacy.presentation.numbers import day_text
from privacy.presentation.pictures import Form, Width, both
from privacy.presentation.words import percent
from privacy.section import Section

#: Sections of ``actions.toml``, by state.
_CODE = {"due": "repurchase_due", "late": "repurchase_late"}
CODES = frozenset(_CODE.values())

#: What groups are called.
_GROUP = {"due": ("group_due", "group_due_words"), "late": ("group_late", "group_late_words")}
_FINDING = {"higher": "finding_higher", "lower": "finding_lower", "alike": "finding_alike"}
_WORDS = {"higher": "above", "lower": "below", "alike": "alike", "unknown": "not_shown"}

View = HolderView[OwnRepurchase]


def body(view: View) -> dict[str, Any]:
    """What the template needs."""
    own, say = view.figures, view.say
    as_of = day_text(view.result.study.as_of, view.language)
    return {
        "lead": say("repurchase_lead", count=own.customers, customers=f"{own.customers:,}", as_of=as_of),
        "findings": _findings(view),
        "picture": both(lambda width: _picture(view, width)) if any(line.share for line in own.waits) else None,
        "waits": [_wait(view, line) for line in own.waits],
        "cohort_columns": [say("column_within", days=days) for days in own.limits],
        "cohorts": [_cohort(view, line) for line in own.cohorts],
        "notes": [
            say("repurchase_note_margin", factor=f"{strictness(own.comparisons):.1f}", comparisons=own.comparisons),
            say("repurchase_note_marks", higher=MARKS["higher"], lower=MARKS["lower"]),
            say("repurchase_note_over"),
            say("repurchase_note_days"),
        ],
        "act_lead": say("repurchase_act_lead", file=view.actions_file, days=own.limits[-1], count=LISTED),
        "groups": [_group(view, group) for group in own.groups],
    }


def _findings(view: View) -> list[str]:
    again = view.figures.again
    if again is None:
        return []
    share = _points(again.own.value)
    if again.shown is None:
        return [view.say("finding_unknown", own=share)]
    everyone = percent(again.shown, view.language)
    return [view.say(_FINDING[again.verdict], own=share, all=everyone)]


def _picture(view: View, width: Width) -> str:
    pairs = [Pair(wait_name(line.figures, view.language), line.share, None) for line in view.figures.waits]
    form = Form(alt=view.say("repurchase_picture"), salt=f"repurchase-{view.language}", width=width)
    return compared_shares(pairs, view.language, hidden=view.say("not_shown"), form=form, shares=("customers",))


def _wait(view: View, line: WaitLine) -> dict[str, Any]:
    own = "" if line.share is None else _points(line.share.own.value)
    return {
        "name": wait_name(line.figures, view.language),
        "cells": [
            Cell(view.say("column_customers"), f"{line.customers:,}"),
            Cell(view.say("column_own_share"), own),
            released_share(view.say("column_all_share"), line.share, view.language),
        ],
        "verdict": _judged(view, line.share),
    }


def _cohort(view: View, line: CohortLine) -> dict[str, Any]:
    return {
        "name": cohort_name(line.figures, view.language),
        "customers": Cell(view.say("column_customers"), f"{line.customers:,}"),
        "rates": [
            (
                Cell(view.say("column_within", days=days), "" if rate is None else _points(rate.own.value)),
                released_share(view.say("column_all_share"), rate, view.language),
                _judged(view, rate) if rate is not None and rate.verdict in ("higher", "lower") else None,
            )
            for days, rate in zip(view.figures.limits, line.rates, strict=True)
        ],
    }


def _judged(view: View, compared: Compared | None) -> Judged:
    verdict = compared.verdict if compared is not None else "unknown"
    return Judged(view.say("column_compared"), MARKS[verdict], view.say(_WORDS[verdict]), verdict)


def _points(value: float) -> str:
    return f"{100 * value:.1f}"


def _group(view: View, group: Group) -> dict[str, Any]:
    say, code, (name, words) = view.say, _CODE[group.state], _GROUP[group.state]
    action = view.actions.of(code)
    share = _points(group.customers / view.figures.customers) if group.customers else "0.0"
    listed = [
        (customer.customer_id, [str(customer.age), *([str(customer.days_left)] if group.state == "due" else [])])
        for customer in group.listed
    ]
    return {
        "name": say(name),
        "words": say(words, days=view.figures.limits[-1]),
        "action": action.text(view.language) if action else say("act_none", code=code, file=view.actions_file),
        "size": say("act_size", count=group.customers, share=share) if group.customers else say("act_empty"),
        "columns": [say("column_age"), *([say("column_left")] if group.state == "due" else [])],
        "ids": listed,
    }


#: The section on second orders.
SECTION: Section[OwnRepurchase] = Section(package="clients.analyses.repurchase", text=text, body=body)
