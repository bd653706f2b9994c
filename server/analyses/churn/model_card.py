"""The card of a model as a page, after Mitchell et al., "Model Cards for Model Reporting" (2019).

Everything on it comes from the signed model file. It tells no more of the data than the file does, which holds
released figures only.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

from privacy.models.mbg import PART, MbgPrior
from privacy.presentation.numbers import day_text, delta_text, epsilon_text, plain, shown
from privacy.presentation.pages import render_page
from privacy.presentation.texts import LANGUAGE_TAGS, LANGUAGES, Language, join, of_its_own
from server.analyses.churn.aged import ageing_findings, tests_table
from server.analyses.churn.card_texts import text
from server.analyses.churn.earlier import earlier_test
from server.analyses.churn.model_file import ModelFile, ModelRecord, PrivacySpent, Words
from server.analyses.churn.section import calibration, family_name, features, quality_notes, quality_table


def render_card(file: ModelFile) -> str:
    """The card as one self-contained HTML page in English and Chinese; the same file gives the same bytes."""
    return render_page(
        "model_card.html.j2",
        package="server.analyses.churn",
        pages=[_page(file, language) for language in LANGUAGES],
        subject=file.record.study,
        style="server.report/report.css",
    )


def _text(key: str, *, language: Language, **fields: object) -> str:
    return text(key, language, **fields)


def _page(file: ModelFile, language: Language) -> dict[str, Any]:
    record = file.record
    say = partial(_text, language=language)
    quality = record.evaluation.quality.figures(record.evaluation.reliability)
    baselines = [baseline.figures() for baseline in record.evaluation.baselines]
    end = record.test_day + dt.timedelta(days=record.horizon_days - 1)
    tests = tuple(map(earlier_test, record.tests))
    count, margin = shown(record.evaluation.customers.estimate, decimals=0)
    return {
        "title": say("card_title"),
        "language": language,
        "tag": LANGUAGE_TAGS[language],
        "t": say,
        "record": record,
        "name": say("card_name", days=record.horizon_days),
        "finished": day_text(record.finished, language),
        "as_of": day_text(record.score_day, language),
        "signed": say("card_signed", signer=file.signer, federation=record.federation),
        "details": _details(file, language),
        "use": [_in(words, language) for words in record.intended_use],
        "not_for": [_in(words, language) for words in record.not_for],
        "training": say(
            _trained(record),
            run=record.origin,
            holders=record.holders,
            active=record.active_days,
            cutoffs=join([day_text(day, language) for day in record.training_days], language),
            days=record.horizon_days,
        ),
        "evaluation": say(
            "card_evaluation_is",
            day=day_text(record.test_day, language),
            end=day_text(end, language),
            count=say("value_with_margin", value=count, margin=margin),
        ),
        "quality": quality_table((quality, *baselines), language),
        "quality_notes": quality_notes(quality, language),
        "calibration": calibration(
            quality, language, None if record.recalibration is None else record.recalibration.recalibration
        ),
        "tests": tests_table(tests[-1], tests[:-1], language) if tests else None,
        "aged": ageing_findings(tests[-1], tests[:-1], language) if tests else [],
        "features": features(file.model, language),
        "privacy": _privacy(record.privacy, language, local=record.training == "local"),
        "caveats": [
            say("limit_correlation"),
            say("limit_drift", days=record.horizon_days),
            say("limit_margins"),
            say("limit_records"),
            say("caveat_trust"),
            say("caveat_signature"),
        ],
        "version": record.software,
    }


def _details(file: ModelFile, language: Language) -> list[tuple[str, str, bool]]:
    """Label, value, and whether the value is a code."""
    record = file.record
    say = partial(_text, language=language)
    return [
        (say("card_family"), family_name(file.model, language), False),
        (say("card_target"), say("churn_outcome_is", days=record.horizon_days), False),
        (say("card_inputs"), say("card_inputs_are", count=len(record.features)), False),
        *_formula(record, language),
        *([(say("churn_origin"), record.origin, False)] if record.origin else []),
        (say("card_arithmetic"), say("card_arithmetic_is"), False),
        (say("card_made_by"), record.software, False),
        (say("card_run"), record.run, True),
        (say("card_study_digest"), record.study_digest, True),
        (say("card_model_digest"), record.model_digest, True),
        (say("card_file_digest"), file.sha256, True),
    ]


def _trained(record: ModelRecord) -> str:
    """Which text says how the model was trained."""
    if record.origin:
        return "card_trained_before"
    return "card_training_is" if record.training == "sums" else "card_training_local_is"


def _formula(record: ModelRecord, language: Language) -> list[tuple[str, str, bool]]:
    """The public formula with its parameters, where the model has one."""
    formula = record.prior
    if not isinstance(formula, MbgPrior):
        return []
    parts = {name: plain(getattr(formula, name) / PART, 3) for name in ("shape", "dropout", "staying")}
    said = text("card_formula_is", language, **parts, exposure=formula.exposure_days, days=formula.horizon_days)
    return [(text("card_formula", language), said, False)]


def _privacy(spent: PrivacySpent, language: Language, *, local: bool) -> list[str]:
    sentences = [
        text(
            "card_privacy_spent",
            language,
            person=epsilon_text(float(spent.epsilon_person)),
            promised=plain(float(spent.epsilon_promised)),
            delta=delta_text(float(spent.delta)),
            k=spent.records,
            all=epsilon_text(float(spent.epsilon_all_holders)),
        ),
    ]
    if local:
        sentences.append(text("card_privacy_local", language))
    if spent.placement != "central":  # the template warns of that
        sentences.append(text(f"card_placement_{spent.placement}", language, t=spent.colluding))
    if spent.mechanism == "opacus":
        sentences.append(text("card_noise_opacus", language))
    return sentences


def _in(words: Words, language: Language) -> str:
    return of_its_own(words, language)
