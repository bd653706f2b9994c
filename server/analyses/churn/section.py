"""The report's section on churn: what is predicted, how good it is, what the scores are made of, and their limits.

Everything here is computed from released figures (:class:`privacy.analyses.churn.results.ChurnResult`).
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from typing import Any

from privacy.analyses.churn.results import ChurnResult, Recalibration
from privacy.figures.consistent import possible
from privacy.figures.estimates import Estimate
from privacy.figures.ranking import ListFigures, RankingFigures, TrainingRound
from privacy.kernel.features import FEATURES, ScaledFeature
from privacy.models.scorers import ChurnModel, PriorModel
from privacy.models.trained import WEIGHT, NetworkModel
from privacy.models.trees import TreesModel
from privacy.presentation.cells import Cell, card, cell
from privacy.presentation.change import change
from privacy.presentation.numbers import day_text, plain, shown
from privacy.presentation.pages import inline
from privacy.presentation.pictures import both
from privacy.presentation.texts import Language, join, of_its_own
from privacy.presentation.words import percent, with_interval, written
from server.analyses.churn import pictures
from server.analyses.churn.aged import ageing_findings, recalibration_sentence, tests_table
from server.analyses.churn.texts import text
from server.analysis.forms import PERCENT, WHOLE, Form
from server.analysis.section import ReportSection, ReportView

#: Figures of a ranking with their decimals and scale, in the order of the table's columns.
COLUMNS = {
    "auc": (3, 1),
    "average_precision": (3, 1),
    "top_lift": (2, 1),
    "top_share": (1, 100),
    "churn_rate": (1, 100),
}
#: The same as texts, and what else there is.
FORMS = {
    **{name: Form(decimals, scale, "%" if scale == 100 else "") for name, (decimals, scale) in COLUMNS.items()},
    **{"customers": WHOLE, "rate": PERCENT, "share": PERCENT, "listed": PERCENT},
    **dict.fromkeys(("level", "intercept", "slope"), Form(2)),
}
#: With more churned customers than others the end of the list is worth as much as its head.
_MOST = 0.5
#: Kinds of numbered questions.
_NUMBERED = re.compile(r"(training|trees) (\d+) of (\d+)")


def question_name(title: str, language: Language) -> str | None:
    """The name of a numbered training question; None for any other title."""
    found = _NUMBERED.fullmatch(title)
    return text(f"question_{found[1]}", language, number=found[2], rounds=found[3]) if found else None


def cards(view: ReportView[ChurnResult]) -> list[Cell]:
    """How many of 100 leave: on the list, on the best one without the model, and drawn by lot."""
    churn, language = view.figures, view.language
    listed = churn.quality.on_list(churn.list_share)
    best = _best(view.result.of(ChurnResult) or churn, churn)
    figures = [(text("card_list", language, part=_length(listed), days=churn.horizon_days), listed.rate)]
    if best is not None:
        figures.append((text(f"card_list_{best.code}", language), best.on_list(churn.list_share).rate))
    figures.append((text("card_lot", language), churn.quality.churn_rate))
    return [card(label, _possible(rate), language, decimals=0, scale=100) for label, rate in figures]


def findings(view: ReportView[ChurnResult]) -> list[str]:
    """What the test of a run says."""
    released = view.result.of(ChurnResult)
    return [] if released is None else churn_findings(released, view.figures, view.language)


def churn_findings(released: ChurnResult, churn: ChurnResult, language: Language) -> list[str]:
    """What the test says at the length of the list, in one to five sentences.

    Args:
        released: what verdicts rest on: unbiased.
        churn: the same as it is shown.
        language: of the sentences.
    """
    quality = churn.quality
    listed = quality.on_list(churn.list_share)
    sentences = [
        text(
            "churn_finding_top",
            language,
            part=_length(listed),
            top=_of_100_in_words(listed.rate, language),
            all=_of_100_in_words(quality.churn_rate, language),
            days=churn.horizon_days,
        )
    ]
    tested = released.quality.on_list(released.list_share).rate
    best, best_tested = _best(released, churn), _best(released, released)
    if best is not None and best_tested is not None:
        other = best.on_list(churn.list_share).rate
        against = change(tested, best_tested.on_list(released.list_share).rate)
        verdict = "better" if against.difference.value > 0 else "worse"
        # Judged by what was released; the gap is that of the figures which stand beside it, inside what they can be.
        gap = against.difference.moved(_possible(listed.rate).value - _possible(other).value)
        value, margin = shown(gap, decimals=1, scale=100)
        sentences.append(
            text(
                f"churn_finding_{verdict if against.beyond_noise else 'tie'}",
                language,
                yardstick=text(f"yardstick_{best.code}", language),
                other=written(_possible(other), language, decimals=0, scale=100).value,
                gain=text("value_with_margin", language, value=value, margin=margin),
            )
        )
    if _is_plain(churn.model):
        sentences.append(text("churn_finding_plain", language))
    if _is_bare(churn.model):
        sentences.append(text("churn_finding_bare", language))
    sentences += ageing_findings(released.test, released.tests, language)
    if tested.interval[0] <= released.quality.churn_rate.value:
        sentences.append(text("churn_finding_coin", language))
    if quality.stayed is not None and released.quality.churn_rate.value > _MOST:
        stayed = _of_100_in_words(quality.stayed.rate, language)
        sentences.append(text("churn_finding_end", language, part=_length(quality.stayed), stayed=stayed))
    return sentences


def _is_plain(model: ChurnModel) -> bool:
    """Whether the model is the public formula itself, because nothing could be learnt."""
    return isinstance(model, PriorModel) and not model.corrected


def _is_bare(model: ChurnModel) -> bool:
    """Whether a model has none of its trees, because the noise hid what they had to learn."""
    return isinstance(model, TreesModel) and not model.trees


def _best(released: ChurnResult, churn: ChurnResult) -> RankingFigures | None:
    """Of what a list can be made by without the model, what found most at the study's length, as ``churn`` has it.

    The larger of two noisy figures is rather too large: that is to the model's disadvantage. A formula is not compared
    with itself: what would differ is noise.
    """
    others = [item for item in released.baselines if not (item.code == "prior" and _is_plain(released.model))]
    if not others:
        return None
    best = max(others, key=lambda item: item.on_list(released.list_share).rate.value)
    return next((item for item in churn.baselines if item.code == best.code), None)


def _possible(rate: Estimate) -> Estimate:
    """The rate of a list that a result of release 0.1 does not have is computed here, and may be beyond 1."""
    return possible(rate, 0.0, 1.0)


def _of_100_in_words(rate: Estimate, language: Language) -> str:
    return with_interval(_possible(rate), language, decimals=0, scale=100)


def _of_100(label: str, rate: Estimate | None, language: Language) -> Cell:
    return cell(label, None if rate is None else _possible(rate), language, decimals=0, scale=100)


def _length(item: ListFigures) -> str:
    return plain(100 * item.part, 3)


def lists_table(churn: ChurnResult, language: Language) -> dict[str, Any] | None:
    """Lists of several lengths, by the model and without it; None for results that have one length only."""
    if len(churn.quality.lists) < 2:
        return None
    others = [{item.part: item for item in figures.lists} for figures in churn.baselines]
    names = ("rate", "lift", "share", *(figures.code for figures in churn.baselines))
    labels = [text(f"lists_{name}", language) for name in names]
    rows = []
    for item in churn.quality.lists:
        beside = [found.get(item.part) for found in others]
        cells = [
            _of_100(labels[0], item.rate, language),
            cell(labels[1], item.lift, language, decimals=2),
            cell(labels[2], item.share, language, decimals=1, scale=100),
            *(
                _of_100(label, None if other is None else other.rate, language)
                for label, other in zip(labels[3:], beside, strict=True)
            ),
        ]
        key = "lists_yours" if item.part == churn.list_share else "lists_part"
        rows.append({"name": text(key, language, part=_length(item)), "cells": cells})
    return {"columns": labels, "rows": rows}


def churn_section(churn: ChurnResult, language: Language) -> dict[str, Any]:
    """What the template ``churn.html.j2`` needs."""
    return {
        "facts": _facts(churn, language),
        "quality": quality_table((churn.quality, *churn.baselines), language),
        "lists": lists_table(churn, language),
        "by_holder": quality_table(tuple(churn.by_holder.values()), language, names=tuple(churn.by_holder))
        if churn.by_holder
        else None,
        "quality_notes": quality_notes(churn.quality, language),
        "calibration": calibration(churn.quality, language, churn.recalibration),
        "tests": tests_table(churn.test, churn.tests, language),
        "features": features(churn.model, language),
        "training": _training(churn.rounds, language),
        "limits": [
            text("limit_correlation", language),
            text("limit_drift", language, days=churn.horizon_days),
            text("limit_margins", language),
            text("limit_records", language),
            text("limit_people", language),
        ],
    }


def quality_table(rows: Sequence[RankingFigures], language: Language, *, names: Sequence[str] = ()) -> dict[str, Any]:
    """A table of rankings.

    Args:
        rows: the rankings.
        language: of the labels.
        names: of the rows, where they are not ways to rank.
    """
    labels = {name: text(f"quality_{name}", language) for name in COLUMNS}
    return {
        "columns": list(labels.values()),
        "rows": [
            {
                "name": name,
                "cells": [
                    cell(labels[column], getattr(row, column), language, decimals=decimals, scale=scale)
                    for column, (decimals, scale) in COLUMNS.items()
                ],
            }
            for name, row in zip(names or [_ranked_by(row.code, language) for row in rows], rows, strict=True)
        ],
    }


def quality_notes(quality: RankingFigures, language: Language) -> list[str]:
    """What the columns of the quality table mean, with what is possible at this churn rate."""
    rate = min(max(quality.churn_rate.value, 0.001), 1.0)
    return [
        text("note_auc", language),
        text("note_average_precision", language, rate=plain(rate, 2)),
        text("note_lift", language, lift=plain(min(1 / rate, 10), 3), share=plain(min(10 / rate, 100), 3)),
    ]


def calibration(
    quality: RankingFigures, language: Language, correction: Recalibration | None = None
) -> dict[str, Any] | None:
    """Both pictures by group of scores and what they say; None where no group stands out from the noise."""
    points = quality.calibration
    if not points:
        return None
    weight = math.fsum(point.share for point in points)
    predicted = math.fsum(point.predicted * point.share for point in points) / weight
    off = predicted - quality.churn_rate.value
    verdict = "good" if abs(off) <= quality.churn_rate.margin else "high" if off > 0 else "low"
    return {
        "picture": inline(pictures.calibration(points, language)),
        "lift": inline(pictures.lift(points, quality.churn_rate, language)),
        "verdict": text(
            f"calibration_{verdict}",
            language,
            predicted=shown(Estimate(value=predicted, margin=quality.churn_rate.margin), decimals=1, scale=100).value,
            observed=percent(quality.churn_rate, language),
        ),
        "correction": recalibration_sentence(correction, language),
        "outside": any(not 0 <= point.observed.value <= 1 for point in points),
    }


def features(model: ChurnModel, language: Language) -> dict[str, Any]:
    """The picture of the weights, where there are any, and which part of the score it does not show."""
    rows = [(_feature_name(feature, language), weight) for feature, weight in _weights(model)]
    part = {
        "network": "features_direct",
        "prior": "features_plain" if _is_plain(model) else "features_correction",
        "trees": "features_bare" if _is_bare(model) else "features_start",
    }
    return {
        "picture": None if _is_plain(model) else both(lambda width: pictures.weights(rows, language, width=width)),
        "part": text(part[model.kind], language) if model.kind in part else "",
    }


def family_name(model: ChurnModel, language: Language) -> str:
    """The kind of model, in words."""
    units = len(model.hidden) if isinstance(model, NetworkModel) else 0
    trees = len(model.trees) if isinstance(model, TreesModel) else 0
    kind = "plain" if _is_plain(model) else "bare" if _is_bare(model) else model.kind
    return text(f"family_{kind}", language, features=len(model.features), units=units, trees=trees)


def _weights(model: ChurnModel) -> list[tuple[ScaledFeature, float]]:
    """Features with their weights, in units of log odds, from what raises the score most to what lowers it most."""
    if isinstance(model, NetworkModel):
        weights: tuple[int, ...] = model.output[len(model.hidden) : -1]
    else:
        weights = model.weights[:-1]
    pairs = [(feature, weight / WEIGHT) for feature, weight in zip(model.features, weights, strict=True)]
    return sorted(pairs, key=lambda pair: -pair[1])


def _feature_name(feature: ScaledFeature, language: Language) -> str:
    return of_its_own(FEATURES[feature.name], language)


def _ranked_by(code: str, language: Language) -> str:
    return text(f"quality_{code}", language)


def _facts(churn: ChurnResult, language: Language) -> list[tuple[str, str]]:
    def day(iso: str) -> str:
        return day_text(dt.date.fromisoformat(iso), language)

    test = dt.date.fromisoformat(churn.test_day)
    end = day_text(test + dt.timedelta(days=churn.horizon_days - 1), language)
    cutoffs = join([day(iso) for iso in churn.training_days], language)
    origin = [(text("churn_origin", language), text("churn_origin_is", language, run=churn.origin))]
    return [
        (text("churn_outcome", language), text("churn_outcome_is", language, days=churn.horizon_days)),
        (text("churn_who", language), text("churn_who_is", language, days=churn.active_days)),
        (
            text("churn_trained", language),
            text("churn_trained_is", language, cutoffs=cutoffs, days=churn.horizon_days),
        ),
        *(origin if churn.origin else []),
        (text("churn_tested", language), text("churn_tested_is", language, day=day(churn.test_day), end=end)),
        (text("churn_scored", language), text("churn_scored_is", language, day=day(churn.score_day))),
        (
            text("churn_customers", language),
            text(
                "churn_customers_is",
                language,
                count=with_interval(churn.customers, language, decimals=0),
                rate=percent(churn.quality.churn_rate, language),
            ),
        ),
        (text("churn_model", language), family_name(churn.model, language)),
    ]


def _training(rounds: Sequence[TrainingRound], language: Language) -> dict[str, Any] | None:
    if not rounds:
        return None
    first, last = rounds[0].step, rounds[-1].step
    if len(rounds) == 1 or first <= 0:
        note = text("training_one", language)
    else:
        note = text("training_shrinks", language, share=f"{100 * last / first:.0f}")
    return {
        "rows": [(question_name(item.title, language) or item.title, f"{item.step:.2f}") for item in rounds],
        "notes": [note, text("training_loss", language)],
    }


#: The section on churn.
SECTION = ReportSection(
    package="server.analyses.churn",
    text=text,
    title="title_churn",
    cards=cards,
    findings=findings,
    body=lambda view: churn_section(view.figures, view.language),
    notes=lambda view: [view.say("churn_margin_note")],
)
