"""The report's sections on segments: who they are and what they bring, what changed, and where the cuts lie."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Literal, NamedTuple

from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.ageing import ageing_findings
from privacy.analyses.rfm.options import FixedCuts, KnownCuts
from privacy.analyses.rfm.results import RfmResult, SchemeFigures
from privacy.analyses.rfm.segments import SegmentRules
from privacy.analyses.rfm.words import definition, segment_name
from privacy.figures.estimates import Estimate
from privacy.kernel.terms import minor_digits
from privacy.presentation.cells import Cell, card, cell
from privacy.presentation.numbers import ends, plain, shown
from privacy.presentation.pages import inline
from privacy.presentation.pictures import both
from privacy.presentation.texts import Language
from privacy.presentation.words import amount
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.analyses.rfm import pictures
from server.analyses.rfm.columns import COLUMNS, TOTALS, WHOLE
from server.analyses.rfm.findings import concentration_findings, scheme_findings
from server.analyses.rfm.texts import text
from server.analyses.rfm.trend import over_time
from server.analysis.section import ReportSection, ReportView


def totals(rfm: RfmResult) -> dict[str, Estimate]:
    """Totals of all holders' customers that are handed out, by the key of their name."""
    first = rfm.schemes[0] if rfm.schemes else None
    found = {
        "customer_records": rfm.customers,
        "orders": None if first is None else first.total_orders,
        "revenue_in": None if first is None else first.total_revenue,
    }
    return {key: total for key, total in found.items() if total is not None}


def cards(view: ReportView[RfmResult]) -> list[Cell]:
    """Totals, or averages where totals are withheld."""
    rfm, result, language = view.figures, view.result, view.language
    say = partial(_text, language=language, currency=result.study.currency)
    figures: list[tuple[str, Estimate | None, int]] = [(say("customer_records"), rfm.customers, 0)]
    if rfm.schemes:
        first = rfm.schemes[0]
        if result.totals_withheld:
            digits = minor_digits(result.study.currency)
            figures.append((say("orders_per_customer"), first.orders_per_customer, 2))
            figures.append((say("revenue_per_customer"), first.revenue_per_customer, digits))
            figures.append((say("revenue_per_order"), first.revenue_per_order, digits))
        else:
            figures.append((say("orders"), first.total_orders, 0))
            figures.append((say("revenue_in"), first.total_revenue, 0))
    found = []
    for label, estimate, decimals in figures:
        if estimate is not None:
            found.append(card(label, estimate, language, decimals=decimals))
    return found


def findings(view: ReportView[RfmResult]) -> list[str]:
    """What the first segmentation says, and whether its cut points have aged."""
    released = view.result.of(RfmResult)
    if released is None or not released.schemes:
        return []
    told = scheme_findings(released.schemes[0], view.figures.schemes[0], view.language)
    told += concentration_findings(released, view.language)
    return [*told, *ageing_findings(view.result.study.of(CONTRACT), released, view.result.earlier, view.language)]


def body(view: ReportView[RfmResult]) -> dict[str, Any]:
    """What the template needs."""
    return {
        "schemes": [_scheme(scheme, view.figures, view.result, view.language) for scheme in view.figures.segmentations],
        "trend": over_time(view.result, view.figures, view.language),
        "cuts": _cuts(view.figures, view.result.study, view.language),
    }


def notes(view: ReportView[RfmResult]) -> Sequence[str]:
    """What margins are, and the caps."""
    say, result = view.say, view.result
    margin = say("margin_note_share" if result.totals_withheld else "margin_note")
    cap = [_cap(view.figures, result, view.language)] if view.figures.schemes else []
    return [margin, *cap, *_persons(view)]


def _persons(view: ReportView[RfmResult]) -> list[str]:
    """How many persons the records may be of, where one may have several and their number was handed out."""
    k, records = view.result.spending.k, view.figures.customers
    if k == 1 or records is None:
        return []
    low, high = records.interval
    # All at one holder, or all at k of them: nobody knows, and no release of this run can tell.
    persons = Estimate(value=records.value, margin=records.margin, low=max(low, 0.0) / k, high=high)
    fewest, most = ends(persons, decimals=0) or ("0", "0")
    return [view.say("note_persons", fewest=fewest, most=most, count=k)]


def rules(study: Study, language: Language) -> list[tuple[str, str]]:
    """What a study sets for segments."""
    say = partial(_text, language=language)
    bounds, digits = study.bounds, minor_digits(study.currency)
    low, high = (Decimal(limit).scaleb(-digits) for limit in study.money_bounds)
    limits = say(
        "bounds",
        days=f"{bounds.recency_max_days:,}",
        orders=f"{bounds.orders_max:,}",
        low=amount(low, digits),
        high=amount(high, digits),
        currency=study.currency,
    )
    days = study.of(CONTRACT).window_days
    return [
        (say("rule_bounds"), limits),
        *([] if days is None else [(say("rule_window"), say("window", days=f"{days:,}"))]),
        (say("rule_floor"), f"{study.of(CONTRACT).floor:,}"),
        (say("rule_totals"), say(f"totals_{study.of(CONTRACT).totals}")),
    ]


def _text(key: str, *, language: Language, **fields: object) -> str:
    return text(key, language, **fields)


class _Column(NamedTuple):
    name: str
    label: str
    decimals: int
    scale: int


def _columns(study: Study, language: Language, *, withheld: bool) -> list[_Column]:
    digits = minor_digits(study.currency)
    return [
        _Column(name, text(key, language, currency=study.currency), digits if decimals is None else decimals, scale)
        for name, key, decimals, scale in COLUMNS
        if not (withheld and name in TOTALS)
    ]


def _scheme(scheme: SchemeFigures, rfm: RfmResult, result: StudyResult, language: Language) -> dict[str, Any]:
    say = partial(_text, language=language)
    study, withheld = result.study, result.totals_withheld
    floor = _floor(scheme, study)
    columns = _columns(study, language, withheld=withheld)
    rows: list[dict[str, Any]] = []
    for position, segment in enumerate(scheme.segments):
        cells = None
        if not segment.suppressed:
            cells = [
                cell(
                    column.label,
                    getattr(segment, column.name),
                    language,
                    decimals=column.decimals,
                    scale=column.scale,
                )
                for column in columns
            ]
        rows.append(
            {
                "name": segment_name(segment, language),
                "definition": definition(scheme.scheme, position, segment.code, rfm.rules, language),
                "cells": cells,
            }
        )
    total = [
        cell(
            column.label,
            getattr(scheme, WHOLE[column.name]) if column.name in WHOLE else None,
            language,
            decimals=column.decimals,
        )
        for column in columns
    ]
    hidden = any(segment.suppressed for segment in scheme.segments)
    two_estimates = "note_totals_missing" if result.missing else "note_totals"
    if _origin(study):
        two_estimates = "note_totals_known"  # there was one question only
    return {
        "code": scheme.scheme,
        "title": say(f"scheme_{scheme.scheme}"),
        "picture": both(lambda width: pictures.segment_shares(scheme, language, floor=floor, width=width)),
        "columns": [column.label for column in columns],
        "rows": rows,
        "total": total,
        "put_together": say("note_value_activity") if scheme.scheme == "value_activity" else "",
        "two_estimates": "" if withheld else say(two_estimates),
        "any_weak": any(cell.weak for row in rows for cell in row["cells"] or ()),
        "any_suppressed": hidden,
        "suppressed": say("suppressed_share" if withheld else "suppressed", floor=floor),
        "note_suppressed": say("note_suppressed_share" if withheld else "note_suppressed", floor=floor),
        "note_interval": say("note_interval_share" if withheld else "note_interval"),
        "cap": _cap(rfm, result, language),
    }


def _cap(rfm: RfmResult, result: StudyResult, language: Language) -> str:
    """With how much a record counts at most, and how much that leaves out."""
    study, withheld = result.study, result.totals_withheld
    above = rfm.revenue_above_cap * 100
    digits = minor_digits(study.currency)
    if rfm.form == "centred":
        key = "note_cap_added_share" if withheld else "note_cap_added"
    else:
        key = "note_cap_share" if withheld else "note_cap_known" if _origin(study) else "note_cap"
    cap = Decimal(repr(rfm.money_cap))
    return text(
        key,
        language,
        money=amount(cap, digits),
        excess=amount(cap * (1 + study.of(CONTRACT).above_cap), digits),
        currency=study.currency,
        orders=f"{rfm.orders_cap:,}",
        share=plain(above) if withheld else f"{above:.1f}" if above >= 0.05 or above == 0 else "<0.1",
    )


def _floor(scheme: SchemeFigures, study: Study) -> Any:
    """What a segment must reach to be shown, as the page prints it: a count of records, or a share of them."""
    if scheme.least_share is not None:
        return f"{plain(100 * scheme.least_share)}%"
    return max(study.of(CONTRACT).floor, 1)  # a count below one is never shown


def _origin(study: Study) -> str:
    """The earlier run whose cut points the study uses; empty where it found its own."""
    known = study.of(CONTRACT).cut_points
    return known.origin if isinstance(known, KnownCuts) else ""


def _cuts(rfm: RfmResult, study: Study, language: Language) -> dict[str, Any]:
    say = partial(_text, language=language)
    currency = study.currency
    digits = minor_digits(currency)
    rules = rfm.rules
    money = [amount(Decimal(cut) / rules.money_unit, digits) for cut in rules.cuts.money]
    money_high = amount(Decimal(rules.cuts.money_high) / rules.money_unit, digits)
    cuts = rules.cuts
    origin = _origin(study)
    score_rows = [
        (
            str(score),
            _days_range(score, cuts.recency_days, language),
            _orders_range(score, cuts.orders, language),
            _money_range(score, rules, digits, language),
        )
        for score in (5, 4, 3, 2, 1)
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
        "words": _in_words(rfm, study, money[3], money_high, language),
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
        "table": _cut_table(rfm, currency, money, money_high, language),
        "ties": len(set(cuts.orders)) < 4 or cuts.orders[0] <= 1,
    }


def _in_words(rfm: RfmResult, study: Study, much: str, money_high: str, language: Language) -> list[str]:
    """What recent, frequent and much are, and what is high.

    Args:
        much: the cut above which the fifth that spends most lies, as the page prints it.
        money_high: the same of the cut between high and low.
    """
    say = partial(_text, language=language, currency=study.currency)
    cuts = rfm.rules.cuts
    if _origin(study):
        high = "words_high_known"
    else:
        high = "words_high_fixed" if isinstance(study.of(CONTRACT).high_low, FixedCuts) else "words_high_median"
    days = study.of(CONTRACT).window_days
    return [
        *([] if days is None else [say("words_window", days=f"{days:,}")]),
        say("words_recent", days=f"{cuts.recency_days[0]:,}"),
        say("words_frequent", orders=f"{max(1, cuts.orders[3]):,}"),
        say("words_spending", money=much),
        say(high, days=f"{cuts.recency_high:,}", orders=f"{cuts.orders_high:,}", money=money_high),
    ]


def _cut_table(
    rfm: RfmResult, currency: str, money: list[str], money_high: str, language: Language
) -> list[dict[str, Any]]:
    """Each feature's cuts with the margins of their ranks, and its cut between high and low.

    Args:
        money: the quintile cuts of money, as the page prints them.
        money_high: its cut between high and low.
    """
    cuts = rfm.rules.cuts
    margins = {facts.feature: [_points(margin) for margin in facts.rank_margin] for facts in rfm.distributions}
    values: dict[Literal["recency_days", "orders", "money"], tuple[list[str], str]] = {
        "recency_days": ([f"{cut:,}" for cut in cuts.recency_days], f"{cuts.recency_high:,}"),
        "orders": ([f"{cut:,}" for cut in cuts.orders], f"{cuts.orders_high:,}"),
        "money": (money, money_high),
    }
    return [
        {
            "name": _text(f"feature_{feature}", language=language, currency=currency),
            "cuts": list(zip(quintiles, margins.get(feature, [""] * 4), strict=True)),
            "high": high,
        }
        for feature, (quintiles, high) in values.items()
    ]


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


#: The sections on segments.
SECTION = ReportSection(
    package="server.analyses.rfm",
    text=text,
    title="title",
    cards=cards,
    findings=findings,
    body=body,
    notes=notes,
    counts=True,
)
