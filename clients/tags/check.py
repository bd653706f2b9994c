"""What is wrong with ``tags.toml``, and what deserves a look, from what stands in files alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clients.data.config import HolderConfig
from clients.data.findings import Finding
from clients.tags.config import TagsFile
from clients.tags.rules import Rule, Wrong, needs, uses
from clients.tags.store import History, version_complaint
from privacy.tags.tree import Aggregate, Fact

#: Labels that are older than so many days deserve a look.
OLD_LABELS = 45


@dataclass(frozen=True, kw_only=True)
class TagCheck:
    """What was found.

    Attributes:
        problems: what keeps tags from being run.
        warnings: what deserves a look.
        tags, groups: how many can be run.
    """

    problems: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    tags: int
    groups: int

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "problems": [one.model_dump(mode="json") for one in self.problems],
            "warnings": [one.model_dump(mode="json") for one in self.warnings],
            "tags": self.tags,
            "groups": self.groups,
        }


def wrong_findings(wrong: Iterable[Wrong]) -> tuple[Finding, ...]:
    """Rules that are none, with the place marked below the rule."""
    return tuple(
        Finding(code="rule", text=f"{one.code}: {one.error.message}\n  {one.text}", hint=one.error.hint)
        for one in wrong
    )


def version_findings(file: TagsFile, history: History) -> tuple[Finding, ...]:
    """Tags whose rule has changed without a new version."""
    found = []
    for tag in file.tag:
        complaint = version_complaint(tag, history.versions.get(tag.code, {}))
        if complaint:
            found.append(Finding(code="version", text=f"{tag.code}: {complaint[0]}", hint=complaint[1]))
    return tuple(found)


def consent_findings(config: HolderConfig, rules: tuple[Rule, ...]) -> tuple[Finding, ...]:
    """Feeds without a condition of their own, where purchases have one: consent there does not reach them."""
    places = {"source.where": config.source.where} | {f"{item.name}'s where": item.where for item in config.sources}
    conditions = [place for place, where in places.items() if where is not None]
    if not conditions:
        return ()
    read = {leaf.feed for leaf in needs(rules) if isinstance(leaf, Aggregate)}
    read |= {"customer" for leaf in needs(rules) if isinstance(leaf, Fact) and leaf.name.startswith("customer.")}
    found = []
    for name, feed in config.feeds.items():
        if name in read and feed.source.where is None:
            where = "[customers]" if name == "customer" else f"[events.{name}]"
            text = f"purchases have a condition ({', '.join(conditions)}), and {where} has none: it counts everybody"
            found.append(
                Finding(code="consent", text=text, hint=f"write where = .. under {where}, or know that it is right")
            )
    return tuple(found)


def label_findings(rules: tuple[Rule, ...], days: Mapping[str, dt.date | None], day: dt.date) -> tuple[Finding, ...]:
    """Facts of labels that there are none of, or old ones.

    Args:
        rules: all.
        days: by fact that labels say, day of the newest ones; None where there are none.
        day: of the run.
    """
    found = []
    for name in dict.fromkeys(leaf.name for leaf in needs(rules) if isinstance(leaf, Fact)):
        if name not in days:
            continue
        newest = days[name]
        if newest is None:
            text = f"{name}: no labels are kept here that say it; it is unknown of everybody"
            found.append(Finding(code="labels", text=text, hint="`cohortium holder labels` writes those of a run"))
        elif (day - newest).days > OLD_LABELS:
            text = f"{name} is of {newest}, {(day - newest).days} days before"
            found.append(Finding(code="labels", text=text, hint="run the study again for newer ones"))
    return tuple(found)


def unused_findings(rules: tuple[Rule, ...]) -> tuple[Finding, ...]:
    """Drafts that nothing names: they do nothing yet."""
    named = {code for rule in rules for code in uses(rule)}
    drafts = [rule.code for rule in rules if getattr(rule.of, "state", "") == "draft" and rule.code not in named]
    text = f"drafts, which no run writes: {', '.join(drafts)}"
    return (
        (Finding(code="drafts", text=text, hint='write state = "active" when the preview is right'),) if drafts else ()
    )
