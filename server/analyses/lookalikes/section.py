"""The report's section on look-alikes: whom the list finds, how well, from what, and what it does not say."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from privacy.analyses.lookalikes.results import LookalikesResult
from privacy.figures.estimates import Estimate
from privacy.figures.ranking import ListFigures, RankingFigures
from privacy.kernel.features import FEATURES
from privacy.models.trained import WEIGHT
from privacy.presentation import charts
from privacy.presentation.cells import Cell, card, cell
from privacy.presentation.change import change
from privacy.presentation.charts import Column, Mark
from privacy.presentation.numbers import day_text, grouped, plain
from privacy.presentation.pages import inline
from privacy.presentation.pictures import Form as PictureForm
from privacy.presentation.pictures import Width, both
from privacy.presentation.texts import Language, join, of_its_own
from privacy.presentation.words import percent, with_interval
from server.analyses.lookalikes.texts import text
from server.analysis.forms import PERCENT, WHOLE, Form
from server.analysis.section import ReportSection, ReportView

View = ReportView[LookalikesResult]

FORMS = {
    "auc": Form(3), "average_precision": Form(3), "top_lift": Form(2), "top_share": PERCENT, "churn_rate": PERCENT,
    "customers": WHOLE, "rate": PERCENT, "share": PERCENT,
}  # fmt: skip
_TRAINING = re.compile(r"training (\d+) of (\d+)")


def question_name(title: str, language: Language) -> str | None:
    """The name of a numbered training question; None for any other title."""
    found = _TRAINING.fullmatch(title)
    return text("question_training", language, number=found[1], rounds=found[2]) if found else None


def kind_words(view: View) -> str:
    """The kind of customers, in words."""
    found = view.figures
    if found.category:
        return view.say("kind_category", category=found.category, days=found.horizon_days)
    money = f"{grouped(Decimal(found.spend), 0)} {view.result.study.currency}"
    return view.say("kind_spend", money=money, days=found.horizon_days)


def _length(item: ListFigures) -> str:
    return plain(100 * item.part, 3)


def _of_100(rate: Estimate, language: Language) -> str:
    return with_interval(rate, language, decimals=1, scale=100)


def cards(view: View) -> list[Cell]:
    """How many of 100 become of the kind: on the list, on one by the public formula, and drawn by lot."""
    found, language = view.figures, view.language
    if found.quality is None:
        return [card(view.say("fact_customers"), found.customers, language, decimals=0)]
    listed = found.quality.on_list(found.list_share)
    figures = [(view.say("card_list", part=_length(listed)), listed.rate)]
    figures += [(view.say("card_prior"), item.on_list(found.list_share).rate) for item in found.baselines]
    figures.append((view.say("card_lot"), found.quality.churn_rate))
    return [card(label, rate, language, decimals=1, scale=100) for label, rate in figures]


def findings(view: View) -> list[str]:
    """What the test says at the length of the list, and whether the public formula would do as well."""
    found, say, language = view.figures, view.say, view.language
    released = view.result.of(LookalikesResult) or found
    if found.quality is None or released.quality is None:
        return [say("finding_hidden", kind=kind_words(view))]
    listed = found.quality.on_list(found.list_share)
    told = [
        say(
            "finding_list",
            part=_length(listed),
            kind=kind_words(view),
            top=_of_100(listed.rate, language),
            all=_of_100(found.quality.churn_rate, language),
        )
    ]
    if found.baselines:
        ours = released.quality.on_list(released.list_share).rate
        other = released.baselines[0].on_list(released.list_share).rate
        against = change(ours, other)
        better = "finding_better" if against.difference.value > 0 else "finding_worse"
        beside = _of_100(found.baselines[0].on_list(found.list_share).rate, language)
        told.append(say(better if against.beyond_noise else "finding_tie", other=beside))
    if released.quality.on_list(released.list_share).rate.interval[0] <= released.quality.churn_rate.value:
        told.append(say("finding_coin"))
    return told


def body(view: View) -> dict[str, Any]:
    """What the template needs."""
    found, say, language = view.figures, view.say, view.language
    quality = found.quality
    return {
        "lead": say("lookalikes_lead", kind=kind_words(view)),
        "facts": _facts(view),
        "lists": None if quality is None else _lists(view, quality),
        "quality": None if quality is None else _quality(view, quality),
        "hidden": say("finding_hidden", kind=kind_words(view)),
        "notes": [say("note_auc"), say("note_yardstick"), say("note_lists")],
        "reached": inline(_reached(view, quality)) if quality is not None and quality.calibration else None,
        "weights": both(lambda width: _weights(found, language, width)) if found.model.corrected else None,
        "limits": [
            say("limit_cause"),
            say("limit_drift"),
            say("limit_margins"),
            say("limit_records"),
            say("limit_people"),
        ],
    }


def _facts(view: View) -> list[tuple[str, str]]:
    found, say, language = view.figures, view.say, view.language

    def day(iso: str) -> str:
        return day_text(dt.date.fromisoformat(iso), language)

    return [
        (say("fact_kind"), kind_words(view)),
        (say("fact_who"), say("fact_who_is", days=found.active_days, horizon=found.horizon_days)),
        (say("fact_trained"), join([day(iso) for iso in found.training_days], language)),
        (say("fact_tested"), day(found.test_day)),
        (say("fact_customers"), with_interval(found.customers, language, decimals=0)),
        *([] if found.quality is None else [(say("fact_share"), percent(found.quality.churn_rate, language))]),
    ]


def _lists(view: View, quality: RankingFigures) -> dict[str, Any]:
    found, say, language = view.figures, view.say, view.language
    others = [{item.part: item.rate for item in figures.lists} for figures in found.baselines]
    labels = [say("lists_rate"), say("lists_lift"), say("lists_share"), *(say("lists_prior") for _ in others)]
    rows = []
    for item in quality.lists:
        cells = [
            cell(labels[0], item.rate, language, decimals=1, scale=100),
            cell(labels[1], item.lift, language, decimals=2),
            cell(labels[2], item.share, language, decimals=1, scale=100),
            *(cell(labels[3], other.get(item.part), language, decimals=1, scale=100) for other in others),
        ]
        key = "lists_yours" if item.part == found.list_share else "lists_part"
        rows.append({"name": say(key, part=_length(item)), "cells": cells})
    return {"columns": labels, "rows": rows}


def _quality(view: View, quality: RankingFigures) -> dict[str, Any]:
    found, say, language = view.figures, view.say, view.language
    labels = [say("quality_auc"), say("quality_share")]
    rows = [
        {
            "name": say(f"quality_{item.code}"),
            "cells": [
                cell(labels[0], item.auc, language, decimals=3),
                cell(labels[1], item.top_share, language, decimals=1, scale=100),
            ],
        }
        for item in (quality, *found.baselines)
    ]
    return {"columns": labels, "rows": rows}


def _reached(view: View, quality: RankingFigures) -> str:
    """Share that became of the kind in groups from the highest score to the lowest, beside that of all."""
    say = view.say
    columns = [
        Column(item.share, Mark(item.observed.value, item.observed.margin)) for item in quality.calibration[::-1]
    ]
    form = PictureForm(alt=say("picture_reached"), salt=f"lookalikes-{view.language}", width="half")
    everyone = Mark(quality.churn_rate.value, quality.churn_rate.margin, say("reached_all"))
    return charts.ranked(columns, everyone, (say("axis_reached"), say("axis_became")), form)


def _weights(found: LookalikesResult, language: Language, width: Width) -> str:
    rows: Sequence[tuple[str, float]] = sorted(
        (
            (of_its_own(FEATURES[feature.name], language) + (f" ({feature.of})" if feature.of else ""), weight / WEIGHT)
            for feature, weight in zip(found.model.features, found.model.weights[:-1], strict=True)
        ),
        key=lambda pair: -pair[1],
    )
    form = PictureForm(alt=text("picture_weights", language), salt=f"alike-{language}", width=width)
    marks = [(name, Mark(weight, words=f"{weight:+.2f}")) for name, weight in rows]
    return charts.diverging(marks, (text("weight_lowers", language), text("weight_raises", language)), form)


#: The section on look-alikes.
SECTION = ReportSection(
    package="server.analyses.lookalikes",
    text=text,
    title="title_lookalikes",
    cards=cards,
    findings=findings,
    body=body,
    notes=lambda view: [view.say("lookalikes_margin_note")],
)
