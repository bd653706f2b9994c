"""The demo's first page: whom each page is for, and whether the figures are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from privacy.figures.estimates import Estimate
from privacy.presentation.numbers import day_text, grouped
from privacy.presentation.pages import render_page
from privacy.presentation.texts import LANGUAGE_TAGS, LANGUAGES, Language, Texts
from privacy.presentation.words import with_interval
from privacy.results import StudyResult
from server.analyses.catalogue import ANALYSES

#: What the demo's page says.
text = Texts("cohortium.demo")

#: Key of a figure's name, to what it is called in ``truth.json``.
_FIGURES = {"customer_records": "customer_records", "orders": "orders", "revenue_in": "revenue"}


@dataclass(frozen=True, kw_only=True)
class Links:
    """Where everything is.

    Attributes:
        root: the demo's folder; links are relative to it.
        reports: of the months, in their order.
        holders, labels: each holder's page and folder of labels.
        contacts: each holder's list of whom to contact; of those who have one.
        audit, passed: the auditor's page, and whether all claims hold.
        truth: what is true of the generated data.
        commands: how the study that waits goes on.
    """

    root: Path
    reports: tuple[Path, ...]
    holders: Mapping[str, Path]
    labels: Mapping[str, Path]
    contacts: Mapping[str, Path]
    audit: Path
    passed: bool
    truth: Path
    commands: tuple[str, ...]


def render_index(links: Links, results: Sequence[StudyResult], truth: Mapping[str, Mapping[str, float]]) -> str:
    """The page as HTML text.

    Args:
        links: where everything is.
        results: of the months, in their order.
        truth: as-of day to exact totals, by name.
    """
    return render_page(
        "index.html.j2",
        package="cohortium.demo",
        pages=[_page(links, results, truth, language) for language in LANGUAGES],
        subject="demo",
    )


def _page(
    links: Links, results: Sequence[StudyResult], truth: Mapping[str, Mapping[str, float]], language: Language
) -> dict[str, Any]:
    say = partial(_say, language)

    def where(path: Path) -> str:
        return path.relative_to(links.root).as_posix()

    days = [day_text(result.study.as_of, language) for result in results]
    return {
        "title": say("demo_title"),
        "language": language,
        "tag": LANGUAGE_TAGS[language],
        "t": say,
        "holders": [
            {
                "name": say("demo_page_of", holder=name),
                "page": where(page),
                "labels": where(links.labels[name]) + "/",
                "contacts": where(links.contacts[name]) if name in links.contacts else "",
            }
            for name, page in links.holders.items()
        ],
        "reports": [
            {"name": say("demo_report_of", day=day), "page": where(page)}
            for day, page in zip(days, links.reports, strict=True)
        ],
        "audit": where(links.audit),
        "audited": say("demo_auditor_passed" if links.passed else "demo_auditor_failed"),
        "truth": where(links.truth),
        "truths": [row for result in results for row in _truths(result, truth, language)],
        "commands": links.commands,
    }


def _truths(result: StudyResult, truth: Mapping[str, Mapping[str, float]], language: Language) -> list[dict[str, str]]:
    """Released totals beside exact ones."""
    exact = truth[result.study.as_of.isoformat()]
    rows = []
    for key, released in totals_of(result).items():
        value = exact[_FIGURES[key]]
        low, high = released.interval
        rows.append(
            {
                "day": day_text(result.study.as_of, language),
                "name": text(key, language, currency=result.study.currency),
                "released": with_interval(released, language, decimals=0),
                "truth": grouped(Decimal(repr(value)), 0),
                "verdict": text("demo_inside" if low <= value <= high else "demo_outside", language),
            }
        )
    return rows


def totals_of(result: StudyResult) -> dict[str, Estimate]:
    """The totals that some analysis of the run hands out, by the key of their name."""
    found: dict[str, Estimate] = {}
    for analysis in ANALYSES:
        figures = analysis.shown_figures(result)
        if figures is not None:
            found = {**analysis.totals(figures), **found}
    return {key: found[key] for key in _FIGURES if key in found}


def _say(language: Language, key: str, **fields: object) -> str:
    return text(key, language, **fields)
