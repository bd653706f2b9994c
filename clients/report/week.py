"""The week on the holder's page: which lists are under way, what changed among its tags, and how much is known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from clients.campaigns.ended import UnderWay
from clients.tags.changes import Change, Week, week_of
from clients.tags.config import NAME, Tag, read_tags
from clients.tags.store import History, RunNote, path_of
from privacy.errors import ConfigError
from privacy.presentation.charts import Mark, Moment, Track, over_time
from privacy.presentation.numbers import day_text
from privacy.presentation.pictures import Form, Width, both
from privacy.presentation.texts import Language, of_its_own

#: A page shows so many tags, those with most changes, and so many of the newest runs.
SHOWN, RUNS = 5, 12
#: From so many runs on there is a trend to draw.
_TREND = 3

Say = Callable[..., str]


@dataclass(frozen=True, kw_only=True)
class TagsShown:
    """What became of tags, and what they are called.

    Attributes:
        week: of the newest run.
        names: by code; without those that ``tags.toml`` has no more.
    """

    week: Week
    names: Mapping[str, Tag]


def tags_of(root: Path, day: dt.date) -> TagsShown | None:
    """What became of a holder's tags up to a day; None where none were run.

    Raises:
        DataError: if the history is damaged.
    """
    found = week_of(History.load(path_of(root)), day)
    if found is None:
        return None
    try:
        names = {tag.code: tag for tag in read_tags(root).tag} if (root / NAME).exists() else {}
    except ConfigError:  # `holder tags check` says what is wrong; what was run is known by its codes
        names = {}
    return TagsShown(week=found, names=names)


def week(tags: TagsShown | None, lists: Sequence[UnderWay], say: Say, language: Language) -> dict[str, Any] | None:
    """Lists, changes and portraits; None where there is nothing of them.

    Args:
        tags: of the newest run.
        lists: that are under way.
        say: texts in the page's language.
        language: the page's.
    """
    changes = _changes(tags, say, language) if tags is not None else None
    portraits = _portraits(tags.week, say, language) if tags is not None else None
    if not lists and changes is None and portraits is None:
        return None
    return {"lists": [_list(one, language) for one in lists], "changes": changes, "portraits": portraits}


def _list(one: UnderWay, language: Language) -> dict[str, str]:
    return {
        "campaign": one.code,
        "contacted": f"{one.contacted:,}",
        "control": f"{one.control:,}",
        "first": day_text(one.first, language),
        "told": day_text(one.told, language),
    }


def _changes(tags: TagsShown, say: Say, language: Language) -> dict[str, Any] | None:
    """The tags that changed most; None where nothing is compared."""
    found = tags.week
    if found.then is None:
        return None
    changed = sorted((one for one in found.changes if one.entered or one.left), key=_size, reverse=True)
    rows = []
    for one in changed[:SHOWN]:
        tag = tags.names.get(one.tag)
        rows.append({
            "name": (of_its_own(tag, language) if tag is not None else "") or one.tag,
            "customers": f"{found.last.counts[one.tag]:,}",
            "entered": f"+{one.entered:,}",
            "left": f"-{one.left:,}",
        })  # fmt: skip
    days = {"then": day_text(found.then.day, language), "now": day_text(found.last.day, language)}
    rest = len(changed) - len(rows)
    return {
        "about": say("week_changes", **days) if rows else say("week_no_changes", **days),
        "rows": rows,
        "more": say("week_more", count=rest) if rest else "",
    }


def _size(change: Change) -> int:
    return change.entered + change.left


def _portraits(found: Week, say: Say, language: Language) -> dict[str, Any] | None:
    """Of how many customers everything is known that a complete portrait has, and how that went on."""
    runs = [run for run in found.portraits if run.customers][-RUNS:]
    if not runs:
        return None
    first, last = runs[0], runs[-1]
    says = say("portraits_now", share=f"{_share(last):.1%}", count=f"{last.complete:,}", of=f"{last.customers:,}")
    if len(runs) > 1:
        points = f"{100 * (_share(last) - _share(first)):+.1f}"
        says += say("sentence_gap") + say("portraits_since", points=points, day=day_text(first.day, language))
    trend = both(partial(_trend, runs, say, language)) if len(runs) >= _TREND else None
    return {"says": says, "trend": trend}


def _share(run: RunNote) -> float:
    return (run.complete or 0) / run.customers


def _trend(runs: Sequence[RunNote], say: Say, language: Language, width: Width) -> str:
    marks = [Mark(_share(run), words=f"{_share(run):.1%}") for run in runs]
    form = Form(alt=say("portraits_trend"), salt=f"portraits-{language}", width=width)
    moments = [Moment(run.day) for run in runs]
    return over_time([Track(say("portraits"), marks)], moments, "", form)
