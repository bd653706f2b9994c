"""Turn a ``StudyResult`` into one self-contained HTML page in English and Chinese: the frame around the sections.

Each analysis gives a section (:mod:`privacy.section`); nothing here knows one by name. The page loads
nothing (:mod:`privacy.presentation.pages`).
"""

from __future__ import annotations

import datetime as dt
import math
from fractions import Fraction
from functools import partial
from typing import Any

from privacy.accounting.sampled import epsilon_with
from privacy.kernel.canonical import plain_decimal
from privacy.kernel.terms import RateStep
from privacy.presentation.cells import Cell
from privacy.presentation.numbers import day_text, delta_text, epsilon_text, plain
from privacy.presentation.pages import render_page
from privacy.presentation.texts import LANGUAGE_TAGS, LANGUAGES, Language, join
from privacy.protocol.membership import result_fingerprint
from privacy.protocol.study import Study
from privacy.results import Spending, StudyResult
from server.analyses.catalogue import ANALYSES
from server.analysis.section import ReportSection, ReportView
from server.analysis.texts import text
from server.releases import without_again
from server.report.findings import all_runs_sentences, describe_spending, guess_sentence, spent_sentence

__all__ = ["describe_spending", "render_report"]

#: Spending may exceed the promise by this much through rounding to floats.
_ROUNDING = 1e-9

#: The first day of a rate that has always been in force (see ``Study``).
_ALWAYS = dt.date(1900, 1, 1)


#: Findings that are numbered one by one; more are taken together by section.
_MOST_FINDINGS = 5

#: A section, and what it is made of.
_Shown = tuple[ReportSection[Any], ReportView[Any]]


def render_report(result: StudyResult) -> str:
    """The report as HTML text; the same result gives the same bytes.

    Args:
        result: what a run left with the coordinator.
    """
    return render_page(
        "report.html.j2",
        package="server.report",
        pages=[_page(result, language) for language in LANGUAGES],
        subject=result.study.name,
        style="report.css",
    )


def _page(result: StudyResult, language: Language) -> dict[str, Any]:
    sections = _sections(result, language)
    notes = [note for section, view in sections for note in section.notes(view)]
    notes += [text("untold", language, analysis=name, why=why) for name, why in result.untold.items()]
    if sections and result.spending.k > 1:
        notes.append(text("record_is_no_person", language, count=result.spending.k))
    return {
        "title": _title(sections, language),
        "language": language,
        "tag": LANGUAGE_TAGS[language],
        "t": partial(_text, language=language),
        "study": result.study.name,
        "as_of": day_text(result.study.as_of, language),
        "finished": day_text(dt.date.fromisoformat(result.finished[:10]), language),
        "holders": list(result.participants),
        "missing": list(result.missing),
        "missing_note": _missing_note(result, sections, language),
        "withheld": result.totals_withheld,
        "version": result.version,
        "cards": [*(card for section, view in sections for card in section.cards(view)), _spent_card(result, language)],
        "findings": _findings(sections),
        "notes": list(dict.fromkeys(notes)),
        "sections": [section.rendered(view) for section, view in sections],
        "privacy": _privacy(result, sections, language),
        "run": _run(result, language),
        "rules": _study_rules(result.study, language),
    }


def _findings(sections: list[_Shown]) -> list[list[str]]:
    """Each numbered finding, with the sentences that follow from it.

    Every sentence is one as long as that makes few enough to remember; else what a section finds is one. Nothing that
    a section says here is left out: it may be what its figures cannot be used for.
    """
    told = [sentences for section, view in sections if (sentences := list(section.findings(view)))]
    if sum(map(len, told)) <= _MOST_FINDINGS:
        return [[sentence] for sentences in told for sentence in sentences]
    return told


def _sections(result: StudyResult, language: Language) -> list[_Shown]:
    """The sections of what the run measured, in the order of the page."""
    found: list[_Shown] = []
    for analysis in ANALYSES:
        figures, section = analysis.shown_figures(result), analysis.section
        if figures is not None:
            counted = any(before.counts for before, _ in found)
            view = ReportView(figures=figures, result=result, language=language, text=section.text, counted=counted)
            found.append((section, view))
    return found


def _title(sections: list[_Shown], language: Language) -> str:
    """What the report is about, where that is one thing."""
    if len(sections) == 1:
        section, view = sections[0]
        return view.say(section.title)
    return text("title", language)


def _missing_note(result: StudyResult, sections: list[_Shown], language: Language) -> str:
    """What it means for the figures that holders dropped out."""
    if not result.missing or not sections:
        return ""
    _, view = sections[0]
    return view.say("missing_note", holders=join(list(result.missing), language), count=len(result.missing))


def _spent_card(result: StudyResult, language: Language) -> Cell:
    spending = result.spending
    return Cell(
        text("privacy_spent", language),
        epsilon_text(spending.epsilon_person),
        text("of_promised", language, promised=plain(spending.epsilon_promised)),
    )


def _text(key: str, *, language: Language, **fields: object) -> str:
    return text(key, language, **fields)


def _privacy(result: StudyResult, sections: list[_Shown], language: Language) -> dict[str, Any]:
    say = partial(_text, language=language)
    study, spending = result.study, result.spending
    declared = study.budget.max_holders_per_customer
    person = say("relation_person_all" if declared is None else "relation_person", count=spending.k)
    relations = [(person, epsilon_text(spending.epsilon_person), True)]
    # Who said hello counts, also where it dropped out later: its customers were asked about as well.
    everyone = len(result.participants) + len(result.missing)
    if everyone > spending.k:
        label = say("relation_all", count=everyone)
        relations.append((label, epsilon_text(spending.epsilon_all_holders), False))
    relations.append((say("relation_own"), epsilon_text(spending.epsilon_own), False))
    t = study.budget.colluding_holders
    trust = []
    if study.placement == "distributed":
        trust.append(say("colluding", count=t))
        if len(result.participants) == 2:
            trust.append(say("two_holders_share" if result.totals_withheld else "two_holders"))
    if result.totals_withheld:
        trust += [view.say("withheld_limits") for section, view in sections if "withheld_limits" in section.text]
    return {
        "promised": say("promised", epsilon=plain(spending.epsilon_promised), delta=delta_text(spending.delta)),
        "relations": relations,
        "meaning": [spent_sentence(spending, language), guess_sentence(spending, language)],
        "all_runs": all_runs_sentences(result, language),
        "over": spending.epsilon_person > spending.epsilon_promised * (1 + _ROUNDING),
        "questions": _questions(spending, language),
        "questions_notes": [say("questions_note"), *_training_notes(spending, language)],
        "placement": study.placement,
        "trust": trust,
        "limits": [
            say(f"no_promise_{name}")
            for name in (
                "masked" if study.placement == "distributed" else "holder",
                "coordinator",
                "ids",
                "labels",
            )
        ],
    }


def _questions(spending: Spending, language: Language) -> list[tuple[str, str, str, bool, str, str, str]]:
    trained = any(question.slot for question in spending.questions)  # then mu does not tell the shares
    total = 0.0 if trained else math.fsum(question.mu**2 for question in spending.questions)
    return [
        (
            _question(question.question, language),
            str(question.attempt),
            text(question.outcome, language),
            question.outcome == "failed",
            text("cost_slot", language) if question.slot else f"{question.mu:.4f}",
            f"{100 * question.mu**2 / total:.1f}" if total > 0 else "-" if trained else "0.0",
            str(question.holders),
        )
        for question in spending.questions
    ]


def _training_notes(spending: Spending, language: Language) -> list[str]:
    """What each training on samples took, and what it costs by itself."""
    return [
        text(
            "slot_note",
            language,
            rate=plain_decimal(slot.rate),
            noise=plain_decimal(slot.noise_multiplier),
            steps=slot.steps,
            epsilon=epsilon_text(epsilon_with(Fraction(0), (slot,), spending.delta)),
        )
        for slot in dict.fromkeys(question.slot for question in spending.questions if question.slot)
    ]


def _question(title: str, language: Language) -> str:
    """The name of a question; its title where no analysis knows it."""
    first = without_again(title)
    if first is not None:
        return text("question_again", language, question=_question(first, language))
    names = (analysis.question_name(title, language) for analysis in ANALYSES)
    return next((name for name in names if name is not None), title)


def _known(code: str, language: Language) -> str:
    """The name of a step that this report knows, else its code as it is."""
    key = f"step_{code.replace(' ', '_')}"
    return text(key, language) if key in text else code


def _step(code: str, language: Language) -> str:
    """The name of a step, such as ``joining`` or ``cut points: asking``."""
    question, colon, step = code.partition(": ")
    if not colon:
        return _known(code, language)
    return text(
        "step_of_question",
        language,
        question=_question(question, language),
        step=_known(step, language),
    )


def _run(result: StudyResult, language: Language) -> dict[str, Any]:
    say = partial(_text, language=language)
    total = math.fsum(timing.seconds for timing in result.timings)
    return {
        "facts": [
            (say("participants"), join(list(result.participants), language) or say("none"), False),
            (say("missing"), join(list(result.missing), language) or say("none"), False),
            (say("finished"), day_text(dt.date.fromisoformat(result.finished[:10]), language), False),
            *([(say("took"), say("took_seconds", seconds=f"{total:,.0f}"), False)] if result.timings else []),
            (say("transport"), result.transport, False),
            (say("version"), result.version, False),
            (say("run_id"), result.run, True),
            (say("digest"), result.study_digest, True),
            *_confirmation(result, language),
        ],
        "timings": [(_step(item.step, language), f"{item.seconds:,.2f}") for item in result.timings],
        "total": f"{total:,.2f}",
    }


def _confirmation(result: StudyResult, language: Language) -> list[tuple[str, str, bool]]:
    """What the holders were handed, for people to compare, and who compared it; nothing for runs before release 0.2."""
    if result.handed_out is None:
        return []
    say = partial(_text, language=language)
    total = len(result.confirmed) + len(result.unconfirmed)
    confirmed = say("confirmed_by", count=len(result.confirmed), total=total)
    if result.unconfirmed:
        holders = join(list(result.unconfirmed), language)
        confirmed = say("not_confirmed_by", confirmed=confirmed, holders=holders)
    return [
        (say("result_fingerprint"), result_fingerprint(result.handed_out), True),
        (say("confirmed"), confirmed, False),
    ]


def _study_rules(study: Study, language: Language) -> list[tuple[str, str]]:
    say = partial(_text, language=language)
    cleaning = study.cleaning
    ids = [item or say("rule_empty") for item in cleaning.null_ids]
    rates = [_rate(code, step, study.currency, language) for code, steps in study.rates.items() for step in steps]
    rules = [
        (say("rule_time_zone"), study.time_zone),
        (say("rule_currency"), study.currency),
        (say("rule_rates"), "; ".join(rates) or say("none")),
        (say("rule_ids"), say("separator").join(ids)),
        *([(say("rule_id_forms"), say("separator").join(cleaning.ids))] if cleaning.ids else []),
        (say("rule_duplicates"), say(f"duplicates_{cleaning.duplicates}")),
        (say("rule_returns"), say(f"returns_{cleaning.returns}")),
        (say("rule_cancellation"), cleaning.cancellation_prefix or say("none")),
        (say("rule_non_goods"), say("separator").join(cleaning.non_goods) or say("none")),
        (say("rule_size_class"), f"{study.budget.size_class:,}"),
    ]
    for analysis in ANALYSES:
        if analysis.name in study.analyses:
            rules += analysis.rules(study, language)
    return rules


def _rate(code: str, step: RateStep, currency: str, language: Language) -> str:
    rate = plain_decimal(step.rate)
    if step.since == _ALWAYS:
        return text("rate_fixed", language, code=code, rate=rate, currency=currency)
    day = day_text(step.since, language)
    return text("rate_since", language, code=code, rate=rate, currency=currency, day=day)
