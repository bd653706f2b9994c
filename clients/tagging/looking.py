"""What an operator looks at before anything is written: faults of rules, counts of tags, and how much is known."""

from __future__ import annotations

from collections.abc import Sequence

from clients.data.findings import Finding
from clients.tagging.setting import TagSetting
from clients.tags.check import (
    TagCheck,
    consent_findings,
    label_findings,
    unused_findings,
    version_findings,
    wrong_findings,
)
from clients.tags.config import NAME
from clients.tags.coverage import Known, complete, coverage, declared
from clients.tags.evaluation import Evaluated
from clients.tags.preview import Preview, previews
from clients.tags.rules import Rule, needs, read_rules, wrong_rules
from clients.tags.store import History, path_of
from privacy.errors import ConfigError


def check_tags(setting: TagSetting) -> TagCheck:
    """What is wrong with the tags, and what deserves a look. Looks at no row."""
    file, history = setting.file, History.load(path_of(setting.root))
    wrong = wrong_rules(file, setting.words)
    problems = [*wrong_findings(wrong), *version_findings(file, history)]
    bad = {one.code for one in wrong}
    sound = file.model_copy(update={
        "tag": tuple(tag for tag in file.tag if tag.code not in bad),
        "group": tuple(group for group in file.group if group.code not in bad),
    })  # fmt: skip
    rules: tuple[Rule, ...] = ()
    try:
        rules = read_rules(sound, setting.words)
        declared(file, setting.words)
    except ConfigError as error:
        # Of rules that name one that is none, the one itself is enough to mend.
        problems += [] if bad else [Finding(code="file", text=error.message, hint=error.hint)]
    warnings = (
        *consent_findings(setting.origin.config, rules),
        *label_findings(rules, setting.label_days(), setting.day),
        *unused_findings(rules),
    )
    groups = sum(rule.is_group for rule in rules)
    return TagCheck(problems=tuple(problems), warnings=warnings, tags=len(rules) - groups, groups=groups)


def preview_tags(setting: TagSetting, codes: Sequence[str] = ()) -> tuple[Evaluated, tuple[Preview, ...]]:
    """What tags and groups would be on the setting's day. Writes nothing.

    Args:
        setting: of the day.
        codes: which; all if none is given.

    Raises:
        ConfigError: if a rule is none, there is no such code, or a later day was run.
        DataError: if a feed cannot be read as described.
    """
    rules = setting.rules()
    unknown = sorted(set(codes) - {rule.code for rule in rules})
    if unknown:
        there = ", ".join(rule.code for rule in rules) or "none"
        raise ConfigError(f"{NAME} has no tag or group {unknown[0]!r} to look at", hint=f"there is: {there}")
    history = History.load(path_of(setting.root))
    history.before(setting.day)
    evaluated = setting.evaluate(rules)
    return evaluated, previews(evaluated, history, codes)


def coverage_of(setting: TagSetting) -> tuple[tuple[Known, ...], int | None, int]:
    """Of how many customers what rules read is known, of how many the portrait is complete, and how many there are.

    Raises:
        ConfigError: if a rule is none, or what is declared is not there.
        DataError: if a feed cannot be read as described.
    """
    rules, portrait = setting.rules(), declared(setting.file, setting.words)
    customers = setting.evaluate(rules, portrait).customers
    leaves = tuple(dict.fromkeys((*needs(rules), *portrait)))
    return coverage(customers, leaves), complete(customers, portrait), len(customers)
