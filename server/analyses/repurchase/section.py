"""The report's section on repurchase: who bought again, how soon, and whether cohorts differ.

Everything here is computed from released figures (:class:`privacy.analyses.repurchase.results.RepurchaseResult`).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

from privacy.analyses.repurchase import CONTRACT
from privacy.analyses.repurchase.results import CohortFigures, RepurchaseResult
from privacy.analyses.repurchase.words import cohort_name, wait_name
from privacy.figures.estimates import Z95, Estimate
from privacy.presentation.cells import Cell, card, cell
from privacy.presentation.numbers import day_text
from privacy.presentation.pictures import both
from privacy.presentation.words import percent
from server.analyses.repurchase import pictures
from server.analyses.repurchase.texts import text
from server.analysis.section import ReportSection, ReportView

View = ReportView[RepurchaseResult]


def cards(view: View) -> list[Cell]:
    """The share with a second order, and how many records where nothing else on the page says that."""
    found = []
    if not view.counted:
        found.append(card(view.say("customer_records"), view.figures.customers, view.language, decimals=0))
    again = view.figures.again
    if again is None:
        return [*found, Cell(view.say("card_again"), view.say("not_shown"), view.say("hidden_by_noise"))]
    return [*found, card(view.say("card_again"), again, view.language, decimals=1, scale=100, unit="%")]


def findings(view: View) -> list[str]:
    """The share with a second order, and the two cohorts that differ most, if they differ beyond the noise."""
    again = view.figures.again
    if again is None:
        return [view.say("finding_none")]
    first = view.say("finding_again", share=percent(again, view.language))
    return [first, *_difference(view)]


def _difference(view: View) -> list[str]:
    """One sentence on the first limit's rates: most cohorts are over for it.

    Which differ is tested on what was released; what is shown is made possible, and no longer unbiased.
    """
    released = view.result.of(RepurchaseResult)
    if released is None:
        return []
    pairs = zip(released.cohorts, view.figures.cohorts, strict=True)
    rated = [(seen, rate) for cohort, seen in pairs if (rate := cohort.rates[0]) is not None]
    if len(rated) < 2:
        return []
    days = view.result.study.of(CONTRACT).within_days[0]
    (best, most), (worst, least) = _ends(rated)
    # The two are chosen from all: every pair must be right at once (Bonferroni).
    factor = NormalDist().inv_cdf(1 - 0.025 / math.comb(len(rated), 2)) / Z95
    apart = most.minus(least)
    high, low = best.rates[0] or most, worst.rates[0] or least
    if apart.value <= factor * apart.towards(0.0):
        return [view.say("finding_alike", days=days)]
    return [
        view.say(
            "finding_differ",
            days=days,
            best=cohort_name(best, view.language),
            high=percent(high, view.language),
            worst=cohort_name(worst, view.language),
            low=percent(low, view.language),
        )
    ]


def _ends(
    rated: list[tuple[CohortFigures, Estimate]],
) -> tuple[tuple[CohortFigures, Estimate], tuple[CohortFigures, Estimate]]:
    return max(rated, key=lambda pair: pair[1].value), min(rated, key=lambda pair: pair[1].value)


def body(view: View) -> dict[str, Any]:
    """What the template needs."""
    say, language, found = view.say, view.language, view.figures
    study = view.result.study
    limits = study.of(CONTRACT).within_days
    return {
        "lead": say("repurchase_lead", as_of=day_text(study.as_of, language)),
        "waits": {
            "first": say("column_wait"),
            "columns": [say("customer_records"), say("column_of_again")],
            "rows": [
                (
                    wait_name(wait, language),
                    [
                        cell(say("customer_records"), wait.customers, language, decimals=0),
                        cell(say("column_of_again"), wait.share, language, decimals=1, scale=100),
                    ],
                )
                for wait in found.waits
            ],
        },
        "cohorts": {
            "first": say("column_cohort"),
            "columns": [say("customer_records"), *(say("column_within", days=days) for days in limits)],
            "rows": [(cohort_name(cohort, language), _cells(view, cohort, limits)) for cohort in found.cohorts],
        },
        "pictures": (
            ("waits", both(lambda width: pictures.waits(found, language, width=width))),
            ("cohorts", both(lambda width: pictures.cohorts(found, limits, language, width=width))),
        ),
        "notes": [say("note_records"), say("note_shown"), say("note_over"), say("note_days")],
    }


def _cells(view: View, cohort: CohortFigures, limits: tuple[int, ...]) -> list[Cell]:
    cells = [cell(view.say("customer_records"), cohort.customers, view.language, decimals=0)]
    for days, rate in zip(limits, cohort.rates, strict=True):
        cells.append(cell(view.say("column_within", days=days), rate, view.language, decimals=1, scale=100))
    return cells


#: The section on repurchase.
SECTION = ReportSection(
    package="server.analyses.repurchase",
    text=text,
    title="title_repurchase",
    cards=cards,
    findings=findings,
    body=body,
    notes=lambda view: [view.say("margin_note")],
)
