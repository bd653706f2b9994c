"""Turn a ``StudyResult`` into one self-contained HTML page in English and Chinese.

The page loads nothing (:mod:`privacy.presentation.pages`).
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from functools import partial
from typing import Any

from privacy.contract.canonical import plain_decimal
from privacy.contract.estimates import Estimate
from privacy.contract.results import RfmResult, SchemeFigures, Spending, StudyResult
from privacy.contract.segments import SegmentRules
from privacy.contract.study import FixedCuts, KnownCuts, RateStep, Study, minor_digits
from privacy.presentation.numbers import day_text, delta_text, epsilon_text, plain, shown
from privacy.presentation.pages import inline, render_page
from privacy.presentation.texts import LANGUAGE_TAGS, LANGUAGES, Language, join
from privacy.presentation.words import amount, definition, segment_name
from server.report import pictures
from server.report.cells import Cell, cell
from server.report.churn import churn_cards, churn_findings, churn_section, question_name
from server.report.clusters import cluster_cards, cluster_findings, cluster_section
from server.report.findings import (
    all_runs_sentences,
    describe_spending,
    guess_sentence,
    scheme_findings,
    spent_sentence,
)
from server.report.texts import TEXTS, text
from server.report.trend import over_time

__all__ = ["describe_spending", "render_report"]

#: Spending may exceed the promise by this much through rounding to floats.
_ROUNDING = 1e-9

#: The first day of a rate that has always been in force (see ``Study``).
_ALWAYS = dt.date(1900, 1, 1)

#: By title: what is said of one holder that left, and of several.
_MISSING_NOTES = {
    "title": ("missing_note", "missing_note_many"),
    "title_churn": ("missing_note_churn", "missing_note_churn_many"),
    "title_clusters": ("missing_note_clusters", "missing_note_clusters_many"),
}


def render_report(result: StudyResult) -> str:
    """The report as HTML text; the same result gives the same bytes.

    Args:
        result: what a run left with the coordinator.
    """
    pages = [_page(result, language) for language in LANGUAGES]
    return render_page(
        "report.html.j2",
        package="server.report",
        pages=pages,
        subject=result.study.name,
        style="report.css",
    )


def _page(result: StudyResult, language: Language) -> dict[str, Any]:
    study = result.study
    page: dict[str, Any] = {
        "title": text(_title(result), language),
        "language": language,
        "tag": LANGUAGE_TAGS[language],
        "t": partial(_text, language=language),
        "study": study.name,
        "as_of": day_text(study.as_of, language),
        "finished": day_text(dt.date.fromisoformat(result.finished[:10]), language),
        "holders": list(result.participants),
        "missing": list(result.missing),
        "missing_note": _missing_note(result, language),
        "withheld": result.totals_withheld,
        "version": result.version,
        "cards": _cards(result, language),
        "findings": [],
        "schemes": [],
        "trend": over_time(result, language),
        "clusters": None,
        "churn": None,
        "cuts": None,
        "privacy": _privacy(result, language),
        "run": _run(result, language),
        "rules": _study_rules(study, language),
    }
    if result.rfm is not None:
        if result.rfm.schemes:
            page["findings"] = scheme_findings(result.rfm.schemes[0], language)
        page["schemes"] = [_scheme(scheme, result.rfm, result, language) for scheme in result.rfm.schemes]
        page["cuts"] = _cuts(result.rfm, study, language)
    if result.clusters is not None:
        page["findings"] += cluster_findings(result.clusters, result.study, language)
        page["clusters"] = cluster_section(result.clusters, result.study, language)
    if result.churn is not None:
        page["findings"] += churn_findings(result.churn, language)
        page["churn"] = churn_section(result.churn, language)
    return page


def _title(result: StudyResult) -> str:
    """Key of the title: what the report is about, where that is one thing."""
    if result.rfm is not None or (result.churn is not None and result.clusters is not None):
        return "title"
    return "title_churn" if result.churn is not None else "title_clusters" if result.clusters is not None else "title"


def _text(key: str, *, language: Language, **fields: object) -> str:
    return text(key, language, **fields)


def _missing_note(result: StudyResult, language: Language) -> str:
    if not result.missing:
        return ""
    title = _title(result)
    about = "title_clusters" if title == "title" and result.rfm is None else title  # says nothing of segments
    key = _MISSING_NOTES[about][len(result.missing) > 1]
    return text(key, language, holders=join(list(result.missing), language))


def _cards(result: StudyResult, language: Language) -> list[Cell]:
    """The large figures at the top: name, value, and what stands under it. Averages where totals are withheld."""
    cards = []
    if result.rfm is not None:
        say = partial(_text, language=language, currency=result.study.currency)
        figures: list[tuple[str, Estimate | None, int]] = [(say("customer_records"), result.rfm.customers, 0)]
        if result.rfm.schemes:
            first = result.rfm.schemes[0]
            if result.totals_withheld:
                digits = minor_digits(result.study.currency)
                figures.append((say("orders_per_customer"), first.orders_per_customer, 2))
                figures.append((say("revenue_per_customer"), first.revenue_per_customer, digits))
                figures.append((say("revenue_per_order"), first.revenue_per_order, digits))
            else:
                figures.append((say("orders"), first.total_orders, 0))
                figures.append((say("revenue_in"), first.total_revenue, 0))
        for label, estimate, decimals in figures:
            if estimate is not None:
                value, margin = shown(estimate, decimals=decimals)
                cards.append(Cell(label, value, text("plus_minus", language, margin=margin)))
    if result.clusters is not None:
        cards += cluster_cards(result.clusters, result.study, language, records=result.rfm is None)
    if result.churn is not None:
        cards += [Cell(*card) for card in churn_cards(result.churn, language)]
    spending = result.spending
    cards.append(
        Cell(
            text("privacy_spent", language),
            epsilon_text(spending.epsilon_person),
            text("of_promised", language, promised=plain(spending.epsilon_promised)),
        )
    )
    return cards


#: Columns that are totals.
_TOTALS = ("customers", "orders", "revenue")


def _scheme(scheme: SchemeFigures, rfm: RfmResult, result: StudyResult, language: Language) -> dict[str, Any]:
    say = partial(_text, language=language)
    study, withheld = result.study, result.totals_withheld
    digits = minor_digits(study.currency)
    floor = _floor(scheme, study)
    labels = {
        "customers": say("customer_records"),
        "share_of_customers": say("share_of_customers"),
        "orders": say("orders"),
        "revenue": say("revenue_in", currency=study.currency),
        "share_of_revenue": say("share_of_revenue"),
        "orders_per_customer": say("orders_per_customer"),
        "revenue_per_customer": say("revenue_per_customer", currency=study.currency),
        "revenue_per_order": say("revenue_per_order", currency=study.currency),
    }
    form = {
        "customers": (0, 1),
        "share_of_customers": (1, 100),
        "orders": (0, 1),
        "revenue": (0, 1),
        "share_of_revenue": (1, 100),
        "orders_per_customer": (2, 1),
        "revenue_per_customer": (digits, 1),
        "revenue_per_order": (digits, 1),
    }
    if withheld:
        form = {name: shape for name, shape in form.items() if name not in _TOTALS}
    rows: list[dict[str, Any]] = []
    for position, segment in enumerate(scheme.segments):
        cells = None
        if not segment.suppressed:
            cells = [
                cell(labels[name], getattr(segment, name), decimals=decimals, scale=scale)
                for name, (decimals, scale) in form.items()
            ]
        rows.append(
            {
                "name": segment_name(segment, language),
                "definition": definition(scheme.scheme, position, segment.code, rfm.rules, language),
                "cells": cells,
            }
        )
    totals = {
        "customers": scheme.total_customers,
        "orders": scheme.total_orders,
        "revenue": scheme.total_revenue,
        "orders_per_customer": scheme.orders_per_customer,
        "revenue_per_customer": scheme.revenue_per_customer,
        "revenue_per_order": scheme.revenue_per_order,
    }
    total = [cell(labels[name], totals.get(name), decimals=form[name][0]) for name in form]
    above = rfm.revenue_above_cap * 100
    origin = _origin(study)
    cap = "note_cap_share" if withheld else "note_cap_known" if origin else "note_cap"
    two_estimates = "note_totals_missing" if result.missing else "note_totals"
    if origin:
        two_estimates = "note_totals_known"  # there was one question only
    return {
        "code": scheme.scheme,
        "title": say(f"scheme_{scheme.scheme}"),
        "wide": inline(pictures.segment_shares(scheme, language, floor=floor, width="wide")),
        "narrow": inline(pictures.segment_shares(scheme, language, floor=floor, width="narrow")),
        "columns": [labels[name] for name in form],
        "rows": rows,
        "total": total,
        "two_estimates": "" if withheld else say(two_estimates),
        "any_weak": any(cell.weak for row in rows for cell in row["cells"] or ()),
        "any_suppressed": any(segment.suppressed for segment in scheme.segments),
        "suppressed": say("suppressed_share" if withheld else "suppressed", floor=floor),
        "note_suppressed": say("note_suppressed_share" if withheld else "note_suppressed", floor=floor),
        "note_interval": say("note_interval_share" if withheld else "note_interval"),
        "cap": say(
            cap,
            money=amount(Decimal(repr(rfm.money_cap)), digits),
            currency=study.currency,
            orders=f"{rfm.orders_cap:,}",
            share=plain(above) if withheld else f"{above:.1f}" if above >= 0.05 or above == 0 else "<0.1",
        ),
    }


def _floor(scheme: SchemeFigures, study: Study) -> Any:
    """What a segment must reach to be shown, as the page prints it: a count of records, or a share of them."""
    if scheme.least_share is not None:
        return f"{plain(100 * scheme.least_share)}%"
    return max(study.rfm.floor, 1)  # a count below one is never shown


def _origin(study: Study) -> str:
    """The earlier run whose cut points the study uses; empty where it found its own."""
    known = study.rfm.cut_points
    return known.origin if isinstance(known, KnownCuts) else ""


def _cuts(rfm: RfmResult, study: Study, language: Language) -> dict[str, Any]:
    say = partial(_text, language=language)
    currency = study.currency
    digits = minor_digits(currency)
    rules = rfm.rules
    money = [amount(Decimal(cut) / rules.money_unit, digits) for cut in rules.cuts.money]
    money_high = amount(Decimal(rules.cuts.money_high) / rules.money_unit, digits)
    cuts = rules.cuts
    words = [
        say("words_recent", days=f"{cuts.recency_days[0]:,}"),
        say("words_frequent", orders=f"{max(1, cuts.orders[3]):,}"),
        say("words_spending", money=money[3], currency=currency),
    ]
    origin = _origin(study)
    if origin:
        high = "words_high_known"
    else:
        high = "words_high_fixed" if isinstance(study.rfm.high_low, FixedCuts) else "words_high_median"
    words.append(
        say(
            high,
            days=f"{cuts.recency_high:,}",
            orders=f"{cuts.orders_high:,}",
            money=money_high,
            currency=currency,
        )
    )
    score_rows = [
        (
            str(score),
            _days_range(score, cuts.recency_days, language),
            _orders_range(score, cuts.orders, language),
            _money_range(score, rules, digits, language),
        )
        for score in (5, 4, 3, 2, 1)
    ]
    margins: dict[str, list[str]] = {
        facts.feature: [_points(margin) for margin in facts.rank_margin] for facts in rfm.distributions
    }
    values = {
        "recency_days": ([f"{cut:,}" for cut in cuts.recency_days], f"{cuts.recency_high:,}"),
        "orders": ([f"{cut:,}" for cut in cuts.orders], f"{cuts.orders_high:,}"),
        "money": (money, money_high),
    }
    table = [
        {
            "name": say(f"feature_{feature}", currency=currency),
            "cuts": list(zip(quintiles, margins.get(feature, [""] * 4), strict=True)),
            "high": high_cut,
        }
        for feature, (quintiles, high_cut) in values.items()
    ]
    return {
        "origin": origin,
        "lead": say("cuts_lead_known" if origin else "cuts_lead", origin=origin),
        "caption": say("cuts_caption_known" if origin else "cuts_caption", origin=origin),
        "pictures": [
            (
                say(f"feature_{facts.feature}", currency=currency),
                inline(pictures.distribution(facts, language, currency=currency)),
            )
            for facts in rfm.distributions
        ],
        "words": words,
        "score_columns": [
            say("score"),
            say("score_days"),
            say("score_orders"),
            say("score_money", currency=currency),
        ],
        "scores": score_rows,
        "high": (
            say("range_up_to", high=f"{cuts.recency_high:,}"),
            say("range_from", low=f"{cuts.orders_high:,}"),
            say("range_over", low=money_high),
        ),
        "table": table,
        "ties": len(set(cuts.orders)) < 4 or cuts.orders[0] <= 1,
    }


def _points(rank_margin: float) -> str:
    """A rank margin in percentage points, rounded up to the digits that mean something."""
    return shown(Estimate(value=0.0, margin=rank_margin), decimals=2, scale=100).margin


def _days_range(score: int, cuts: tuple[int, ...], language: Language) -> str:
    low = 0 if score == 5 else cuts[4 - score] + 1
    if score == 1:
        return text("range_over", language, low=f"{cuts[3]:,}")
    return _whole_range(low, cuts[5 - score], language, open_low=score == 5)


def _orders_range(score: int, cuts: tuple[int, ...], language: Language) -> str:
    low = max(1, cuts[score - 2]) if score > 1 else 1
    if score == 5:
        return text("range_from", language, low=f"{low:,}")
    return _whole_range(low, cuts[score - 1] - 1, language, open_low=False)


def _whole_range(low: int, high: int, language: Language, *, open_low: bool) -> str:
    if high < low:
        return text("range_empty", language)
    if low == high:
        return f"{low:,}"
    if open_low:
        return text("range_up_to", language, high=f"{high:,}")
    return text("range_between", language, low=f"{low:,}", high=f"{high:,}")


def _money_range(score: int, rules: SegmentRules, digits: int, language: Language) -> str:
    """Amounts of a score. Spending is in whole minor units, so "more than 96.27" is "from 96.28"."""
    cuts = rules.cuts.money

    def money(minor: int) -> str:
        return amount(Decimal(minor) / rules.money_unit, digits)

    if score == 1:
        return text("range_up_to", language, high=money(cuts[0]))
    if score == 5:
        return text("range_over", language, low=money(cuts[3]))
    low, high = cuts[score - 2] + 1, cuts[score - 1]
    if high < low:
        return text("range_empty", language)
    return text("range_between", language, low=money(low), high=money(high))


def _privacy(result: StudyResult, language: Language) -> dict[str, Any]:
    say = partial(_text, language=language)
    study, spending = result.study, result.spending
    declared = study.budget.max_holders_per_customer
    if declared is None:
        person = say("relation_person_all", k=spending.k)
    elif spending.k == 1:
        person = say("relation_person_one")
    else:
        person = say("relation_person", k=spending.k)
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
        trust.append(say("colluding" if t == 1 else "colluding_many", t=t))
        if len(result.participants) == 2:
            trust.append(say("two_holders_share" if result.totals_withheld else "two_holders"))
    if result.totals_withheld:
        trust.append(say("withheld_limits"))
    return {
        "promised": say("promised", epsilon=plain(spending.epsilon_promised), delta=delta_text(spending.delta)),
        "relations": relations,
        "meaning": [spent_sentence(spending, language), guess_sentence(spending, language)],
        "all_runs": all_runs_sentences(result, language),
        "over": spending.epsilon_person > spending.epsilon_promised * (1 + _ROUNDING),
        "questions": _questions(spending, language),
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
    total = math.fsum(question.mu**2 for question in spending.questions)
    return [
        (
            _question(question.question, language),
            str(question.attempt),
            text(question.outcome, language),
            question.outcome == "failed",
            f"{question.mu:.4f}",
            f"{100 * question.mu**2 / total:.1f}" if total > 0 else "0.0",
            str(question.holders),
        )
        for question in spending.questions
    ]


def _question(title: str, language: Language) -> str:
    """The name of a question."""
    return question_name(title, language) or _known("question", title, language)


def _known(family: str, code: str, language: Language) -> str:
    """The name of a step or question that this report knows, else its code as it is."""
    key = f"{family}_{code.replace(' ', '_')}"
    return text(key, language) if key in TEXTS else code


def _step(code: str, language: Language) -> str:
    """The name of a step, such as ``joining`` or ``cut points: asking``."""
    question, colon, step = code.partition(": ")
    if not colon:
        return _known("step", code, language)
    return text(
        "step_of_question",
        language,
        question=_question(question, language),
        step=_known("step", step, language),
    )


def _run(result: StudyResult, language: Language) -> dict[str, Any]:
    say = partial(_text, language=language)
    total = math.fsum(timing.seconds for timing in result.timings)
    return {
        "facts": [
            (say("participants"), join(list(result.participants), language) or say("none"), False),
            (say("missing"), join(list(result.missing), language) or say("none"), False),
            (say("finished"), day_text(dt.date.fromisoformat(result.finished[:10]), language), False),
            (say("transport"), result.transport, False),
            (say("version"), result.version, False),
            (say("run_id"), result.run, True),
            (say("digest"), result.study_digest, True),
        ],
        "timings": [(_step(item.step, language), f"{item.seconds:,.2f}") for item in result.timings],
        "total": f"{total:,.2f}",
    }


def _study_rules(study: Study, language: Language) -> list[tuple[str, str]]:
    say = partial(_text, language=language)
    cleaning, bounds = study.cleaning, study.bounds
    digits = minor_digits(study.currency)
    low, high = (Decimal(amount).scaleb(-digits) for amount in study.money_bounds)
    ids = [item or say("rule_empty") for item in cleaning.null_ids]
    rates = [_rate(code, step, study.currency, language) for code, steps in study.rates.items() for step in steps]
    rules = [
        (say("rule_time_zone"), study.time_zone),
        (say("rule_currency"), study.currency),
        (say("rule_rates"), "; ".join(rates) or say("none")),
        (say("rule_ids"), say("separator").join(ids)),
        (say("rule_duplicates"), say(f"duplicates_{cleaning.duplicates}")),
        (say("rule_returns"), say(f"returns_{cleaning.returns}")),
        (say("rule_cancellation"), cleaning.cancellation_prefix or say("none")),
        (say("rule_non_goods"), say("separator").join(cleaning.non_goods) or say("none")),
        (say("rule_size_class"), f"{study.budget.size_class:,}"),
    ]
    if "rfm" in study.analyses:
        limits = say(
            "bounds",
            days=f"{bounds.recency_max_days:,}",
            orders=f"{bounds.orders_max:,}",
            low=amount(low, digits),
            high=amount(high, digits),
            currency=study.currency,
        )
        rules += [
            (say("rule_bounds"), limits),
            (say("rule_floor"), f"{study.rfm.floor:,}"),
            (say("rule_totals"), say(f"totals_{study.rfm.totals}")),
        ]
    return rules


def _rate(code: str, step: RateStep, currency: str, language: Language) -> str:
    rate = plain_decimal(step.rate)
    if step.since == _ALWAYS:
        return text("rate_fixed", language, code=code, rate=rate, currency=currency)
    day = day_text(step.since, language)
    return text("rate_since", language, code=code, rate=rate, currency=currency, day=day)
