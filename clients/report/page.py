"""The holder's own page: one self-contained HTML file (:mod:`privacy.presentation.pages`).

It sets what a run released against this holder's own exact rows. Nothing is asked, charged or sent for it. What stands
in it are the sections of the analyses; the frame knows none of them by name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from clients.analyses.catalogue import ANALYSES
from clients.analysis import HolderAnalysis, HolderView
from clients.analysis.actions import Actions
from clients.analysis.texts import text
from clients.campaigns.ended import Lately
from clients.data.source_shares import SourceFigures
from clients.report.brought import brought
from clients.report.group import GroupShown
from clients.report.week import TagsShown, week
from privacy.audit.budget import BudgetLeft
from privacy.audit.budget_words import budget_in_words
from privacy.errors import ConfigError
from privacy.presentation.numbers import day_text
from privacy.presentation.pages import render_page
from privacy.presentation.texts import LANGUAGE_TAGS, LANGUAGES, Language, Texts, join
from privacy.results import StudyResult


@dataclass(frozen=True, kw_only=True)
class Handed:
    """The result as this holder got it.

    Attributes:
        fingerprint: of its text.
        agreed: how many holders are known to have been handed the same, this one included; None where nobody compared.
        total: how many there are.
    """

    fingerprint: str
    agreed: int | None
    total: int


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a holder's page is made of.

    Attributes:
        holder: this holder's name.
        result: the run, as the coordinator stated it.
        own: the holder's own figures, by the analysis that they are of.
        actions: what the operator wants done, by code.
        checked: whether what was released was found in the plans that this holder's node answered.
        actions_file: name of the file of actions, for the text.
        handed: which text this holder was handed, and who else.
        budget: what is left of the holder's, when the page is made.
        sources: of several sources, what each is of the whole.
        campaigns: what lists brought whose days have ended lately, and which are under way.
        tags: what became of the holder's own tags; None where none were run.
        group: whose page it is; None for all customers.
    """

    holder: str
    result: StudyResult
    own: Mapping[str, Any]
    actions: Actions
    checked: bool = False
    actions_file: str = "actions.toml"
    handed: Handed | None = None
    budget: BudgetLeft | None = None
    sources: tuple[SourceFigures, ...] = ()
    campaigns: Lately = field(default_factory=Lately)
    tags: TagsShown | None = None
    group: GroupShown | None = None


def holder_report(facts: Facts) -> str:
    """The page as HTML text; the same facts give the same bytes.

    Raises:
        ConfigError: if the run measured nothing that there is a section for.
    """
    if not facts.own:
        raise ConfigError(
            f"run {facts.result.run} measured nothing that this page shows", hint="choose a run of another study"
        )
    return render_page(
        "holder.html.j2",
        package="clients.report",
        pages=[_page(facts, language) for language in LANGUAGES],
        subject=f"{facts.holder} · {facts.result.study.name}",
        style="holder.css",
    )


def _page(facts: Facts, language: Language) -> dict[str, Any]:
    shown = [analysis for analysis in ANALYSES if analysis.name in facts.own]
    sections = [analysis.section.rendered(_view(facts, analysis, language)) for analysis in shown]
    since = next((day for item in shown if (day := item.since(facts.own[item.name]))), None)
    handed = facts.handed and _handed(facts.handed, language)
    return _frame(facts, shown[0].section.text, since, language) | {"sections": sections, "handed": handed}


def _view(facts: Facts, analysis: HolderAnalysis[Any, Any], language: Language) -> HolderView[Any]:
    # A section of the file may be about anything that some analysis knows, also one that this run did not ask for.
    known = partial(_known, result=facts.result)
    return HolderView(
        figures=facts.own[analysis.name],
        result=facts.result,
        language=language,
        text=analysis.section.text,
        holder=facts.holder,
        actions=facts.actions,
        actions_file=facts.actions_file,
        unknown=tuple(sorted(code for code in facts.actions.codes if not known(code))),
        checked=facts.checked,
    )


def _known(code: str, *, result: StudyResult) -> bool:
    return any(item.knows(code, result) for item in ANALYSES)


def _handed(handed: Handed, language: Language) -> dict[str, str]:
    """Fingerprint, and how many holders are known to have been handed the same; nothing is known before release 0.2."""
    known = handed.agreed is not None
    counts = {"count": handed.agreed, "total": handed.total}
    return {
        "fingerprint": handed.fingerprint,
        "confirmed": text("confirmed_by", language, **counts) if known else "",
    }


def _frame(facts: Facts, first: Texts, since: dt.date | None, language: Language) -> dict[str, Any]:
    """What stands around the sections; the first of them may say in its own words who was left out."""
    result, holder = facts.result, facts.holder
    say = partial(_text, language=language)
    notices = [say("withheld_note")] if result.totals_withheld else []
    if (group := facts.group) is not None:
        name = {"en": group.en, "zh": group.zh}.get(language, group.code)
        notices.insert(0, say("group_note", group=name, count=f"{len(group.ids):,}", total=f"{group.of:,}"))
    if result.spending.k > 1:
        record = say("record_is_no_person", count=result.spending.k)
        notices.append(record + say("sentence_gap") + say("high_is_safe"))
    if holder in result.missing:
        notices.append(first("missing_self", language))
    elif result.missing:
        notices.append(first("missing_others", language, holders=join(list(result.missing), language)))
    return {
        "title": say("holder_title"),
        "language": language,
        "tag": LANGUAGE_TAGS[language],
        "t": say,
        "holder": holder,
        "study": result.study.name,
        "as_of": day_text(result.study.as_of, language),
        "count": say("compared_count", count=len(result.participants)),
        "since": day_text(since, language) if since else "",
        "notices": notices,
        "run": result.run,
        "digest": result.study_digest,
        "budget": budget_in_words(facts.budget, language),
        "sources": _sources(facts, language),
        "brought": brought(facts.campaigns.ended, say, language),
        "week": week(facts.tags, facts.campaigns.under_way, say, language),
        "version": result.version,
    }


def _sources(facts: Facts, language: Language) -> dict[str, Any] | None:
    """The table of the holder's own sources: exact shares, and what customers bring who buy at several."""
    *sources, several = facts.sources or (None,)
    if several is None:
        return None
    people = sum(item.only_here for item in sources) + several.customers
    orders, quanta = (sum(getattr(item, name) for item in sources) for name in ("orders", "quanta"))
    say = partial(_text, language=language)

    def row(item: SourceFigures) -> dict[str, Any]:
        of = ((item.customers, people), (item.orders, orders), (item.quanta, quanta))
        shares = [f"{100 * part / whole:.1f}%" if whole > 0 else "–" for part, whole in of]
        return {
            "name": item.source or say("at_several"),
            "customers": f"{item.customers:,}",
            "only": f"{item.only_here:,}" if item.source else "–",
            "shares": shares,
        }

    return {"rows": [row(item) for item in facts.sources], "people": f"{people:,}"}


def _text(key: str, *, language: Language, **fields: object) -> str:
    return text(key, language, **fields)
