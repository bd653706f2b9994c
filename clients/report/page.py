"""The holder's own page: one self-contained HTML file in English and Chinese (:mod:`privacy.presentation.pages`).

It sets what a run released against this holder's own exact rows. Nothing is asked, charged or sent for it. What stands
in it are the sections of the analyses; the frame knows none of them by name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from clients.analyses.catalogue import ANALYSES
from clients.analysis import HolderView
from clients.analysis.actions import Actions
from clients.analysis.texts import text
from privacy.errors import ConfigError
from privacy.presentation.numbers import day_text
from privacy.presentation.pages import render_page
from privacy.presentation.texts import LANGUAGE_TAGS, LANGUAGES, Language, join
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


def holder_report(
    *,
    holder: str,
    result: StudyResult,
    own: Mapping[str, Any],
    actions: Actions,
    checked: bool = False,
    actions_file: str = "actions.toml",
    handed: Handed | None = None,
) -> str:
    """The page as HTML text; the same input gives the same bytes.

    Args:
        holder: this holder's name.
        result: the run, as the coordinator stated it.
        own: the holder's own figures, by the analysis that they are of.
        actions: what to do with each segment and cluster, and in each band of risk.
        checked: whether what was released was found in the plans that this holder's node answered.
        actions_file: name of the file of actions, for the text.
        handed: which text this holder was handed, and who else.

    Raises:
        ConfigError: if the run measured nothing that there is a section for.
    """
    if not own:
        raise ConfigError(
            f"run {result.run} measured nothing that this page shows", hint="choose a run of another study"
        )
    # A section of the file may be about anything that some analysis knows, also one that this run did not ask for.
    unknown = tuple(sorted(code for code in actions.codes if not any(item.knows(code, result) for item in ANALYSES)))
    since = next((day for item in ANALYSES if item.name in own and (day := item.since(own[item.name]))), None)
    pages = []
    for language in LANGUAGES:
        sections = []
        for analysis in ANALYSES:
            if analysis.name not in own:
                continue
            section = analysis.section
            view = HolderView(
                figures=own[analysis.name],
                result=result,
                language=language,
                text=section.text,
                holder=holder,
                actions=actions,
                actions_file=actions_file,
                unknown=unknown,
                checked=checked,
            )
            sections.append(section.rendered(view))
        frame = _frame(holder, result, since, language)
        pages.append(frame | {"sections": sections, "handed": handed and _handed(handed, language)})
    return render_page(
        "holder.html.j2",
        package="clients.report",
        pages=pages,
        subject=f"{holder} · {result.study.name}",
        style="holder.css",
    )


def _handed(handed: Handed, language: Language) -> dict[str, str]:
    """Fingerprint, and how many holders are known to have been handed the same; nothing is known before release 0.2."""
    known = handed.agreed is not None
    counts = {"count": handed.agreed, "total": handed.total}
    return {
        "fingerprint": handed.fingerprint,
        "confirmed": text("confirmed_by", language, **counts) if known else "",
    }


def _frame(holder: str, result: StudyResult, since: dt.date | None, language: Language) -> dict[str, Any]:
    """What stands around the sections."""
    say = partial(_text, language=language)
    notices = [say("withheld_note")] if result.totals_withheld else []
    if holder in result.missing:
        notices.append(say("missing_self"))
    elif result.missing:
        notices.append(say("missing_others", holders=join(list(result.missing), language)))
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
        "version": result.version,
    }


def _text(key: str, *, language: Language, **fields: object) -> str:
    return text(key, language, **fields)
