"""Tags of a holder's folder: what ``cohortium holder tags`` drives, and what erasure has to know of them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clients.analyses.catalogue import ANALYSES, RECIPES
from clients.answering.runs import RunFolder
from clients.data.config import HolderConfig
from clients.data.findings import Finding
from clients.data.origin import Origin
from clients.data.rows.rules.columns import customers_of
from clients.labels.config import FileTarget, read_labels_config
from clients.labels.control import control_key
from clients.labels.day_rows import DayRows
from clients.tags.check import (
    TagCheck,
    consent_findings,
    label_findings,
    unused_findings,
    version_findings,
    wrong_findings,
)
from clients.tags.config import NAME, Tag, TagsFile, read_tags
from clients.tags.coverage import Known, complete, coverage, declared
from clients.tags.evaluation import Evaluated, evaluate
from clients.tags.files import write_changes, write_group, write_tags
from clients.tags.label_columns import with_labels
from clients.tags.library import file_text, fitting, library
from clients.tags.names import label_facts, vocabulary
from clients.tags.preview import Preview, previews
from clients.tags.rules import Rule, needs, read_rules, wrong_rules
from clients.tags.store import History, RunNote, path_of
from clients.tags.tables import write_tag_tables
from privacy.errors import CohortiumError, ConfigError, DataError
from privacy.kernel.canonical import read_toml
from privacy.kernel.terms import Budget
from privacy.locks import one_at_a_time
from privacy.private_files import write_private
from privacy.protocol.study import Study
from privacy.tags.reader import Vocabulary
from privacy.tags.tree import Leaf


@dataclass(frozen=True, kw_only=True)
class TagSetting:
    """What stands in a holder's files about tags, as of a day. Looks at no row.

    Attributes:
        root: the holder's folder.
        file: ``tags.toml``.
        origin: the holder's source, as the study that is named there looks at it, as of the day.
        words: what rules may name.
    """

    root: Path
    file: TagsFile
    origin: Origin
    words: Vocabulary

    @classmethod
    def read(cls, root: Path, day: dt.date | None = None, *, file: TagsFile | None = None) -> TagSetting:
        """The setting of a folder.

        Args:
            root: the holder's folder.
            day: of the run; today at the source if not given.
            file: in place of what ``tags.toml`` says.

        Raises:
            ConfigError: if a file is missing or wrong, or no run of the named study has ended here.
        """
        file = file or read_tags(root)
        config = read_toml(root / "holder.toml", HolderConfig)
        study = _study(root, file.like, config)
        study = study.model_copy(update={"as_of": day or today(study)})
        try:
            config.check_study(study)
        except ConfigError as error:
            if file.like is not None:
                raise
            hint = 'name a study that has rates, whose run has ended here: like = "STUDY" at the top of tags.toml'
            raise ConfigError(f"money in several currencies needs rates: {error.message}", hint=hint) from None
        words = vocabulary(config, study, like=file.like is not None)
        return cls(root=root, file=file, origin=Origin(config, study, root, RECIPES), words=words)

    @property
    def day(self) -> dt.date:
        """The day of the run: rows from it on are not seen."""
        return self.origin.study.as_of

    def rules(self) -> tuple[Rule, ...]:
        """All rules.

        Raises:
            ConfigError: for the first that is none.
        """
        return read_rules(self.file, self.words)

    def labels(self) -> tuple[DayRows[Any], ...]:
        """The newest labels of the named study up to the day, of every kind."""
        kinds = [each.history for each in ANALYSES if each.history is not None and each.facts]
        histories = [kind(self.root / "state" / "labels") for kind in kinds if self.file.like is not None]
        found = []
        for history in histories:
            days = [day for day in history.days(self.file.like or "") if day <= self.day]
            found += [history.rows(self.file.like or "", days[-1])] if days else []
        return tuple(found)

    def label_days(self) -> dict[str, dt.date | None]:
        """By fact that labels may say, of which day the newest are; None where none are kept."""
        found: dict[str, dt.date | None] = {name: None for name, _ in label_facts()}
        for rows in self.labels():
            names = rows.schema().names
            found |= {name: rows.snapshot.as_of for name, fact in label_facts() if fact.column in names}
        return found

    def evaluate(self, rules: Sequence[Rule], more: Sequence[Leaf] = ()) -> Evaluated:
        """Ask the holder's feeds, and work out rules.

        Args:
            rules: in their order.
            more: further facts that are asked for with theirs.

        Raises:
            DataError: if a feed cannot be read as described.
        """
        wanted = dict.fromkeys((*needs(tuple(rules)), *more))
        customers = with_labels(customers_of(self.origin, tuple(wanted)), wanted, self.labels())
        return evaluate(rules, customers, self.day)


@dataclass(frozen=True, kw_only=True)
class WrittenList:
    """A group that was written.

    Attributes:
        place: the file.
        customers: how many are in it.
        control: how many of them are left alone.
    """

    place: str
    customers: int
    control: int


@dataclass(frozen=True, kw_only=True)
class TagRun:
    """What a run did.

    Attributes:
        evaluated: who has what.
        history: as it is kept now.
        written: places, and rows in each.
        lists: of groups.
    """

    evaluated: Evaluated
    history: History
    written: tuple[tuple[str, int], ...]
    lists: tuple[WrittenList, ...] = ()


def today(study: Study) -> dt.date:
    """Today in a study's zone."""
    import zoneinfo

    return dt.datetime.now(zoneinfo.ZoneInfo(study.time_zone)).date()


def run_tags(setting: TagSetting, *, changed_only: bool = False) -> TagRun:
    """Work out all tags, keep from when until when customers have them, and write them wherever ``labels.toml`` says.

    The same day again replaces what it said before, and changes nothing that is right already. The history is kept
    before anything is written from it: where a target fails, or a process is killed, running again mends it.

    Args:
        setting: of the day.
        changed_only: write who entered, left or moved, too, as a list.

    Raises:
        ConfigError: if a rule is none, has changed without a new version, or a later day was run.
        DataError: if a feed cannot be read, or, after all others were written, a target failed.
    """
    rules = setting.rules()
    portrait = declared(setting.file, setting.words)
    path = path_of(setting.root)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with one_at_a_time(path.parent / ".lock", what="tags are being run here"):
        kept = History.load(path)
        kept.check_versions(setting.file)
        kept.before(setting.day)  # refuses a day that lies behind, before anything is asked
        evaluated = setting.evaluate(rules, portrait)
        note = RunNote(
            day=setting.day,
            customers=len(evaluated.customers),
            counts={tag.code: int((values > 0).sum()) for tag, values in evaluated.written().items()},
            complete=complete(evaluated.customers, portrait),
        )
        history = kept.after(evaluated, note)
        history.save(path)
        said = {"day": note.day.isoformat(), "tags": len(note.counts), "customers": note.customers}
        write_private(path.with_name("last.json"), json.dumps(said).encode())  # for who asks how the holder stands
        written = write_all_tags(setting.root, setting.file, history, changed_only=changed_only)
        lists = _write_groups(setting, evaluated)
    return TagRun(evaluated=evaluated, history=history, written=written, lists=lists)


def begin_tags(root: Path, like: str | None = None) -> tuple[tuple[Tag, ...], tuple[str, ...]]:
    """Write a ``tags.toml`` with the tags of the library that a holder's feeds can answer.

    Args:
        root: the holder's folder.
        like: the study whose labels rules may name.

    Returns:
        The tags, and codes of those that were left out.

    Raises:
        ConfigError: if the file is there already, or no run of that study has ended here.
    """
    path = root / NAME
    if path.exists():
        raise ConfigError(f"{path} is there already", hint="give a CODE and --when to add a tag")
    tags = fitting(TagSetting.read(root, file=TagsFile(like=like)).words)
    path.write_text(file_text(tags, like), encoding="utf-8")
    return tags, tuple(one.tag.code for one in library() if one.tag not in tags)


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


def write_all_tags(
    root: Path, file: TagsFile, history: History, *, changed_only: bool = False
) -> tuple[tuple[str, int], ...]:
    """Write current tags to every target of ``labels.toml``, each whatever became of the others; places and rows.

    Raises:
        ConfigError, DataError: after all others were written, if one could not be.
    """
    targets, written, failed = read_labels_config(root), list[tuple[str, int]](), list[CohortiumError]()
    codes = [tag.code for tag in file.tag if tag.state == "active"]
    for target in whole_targets(targets.file):
        try:
            written.append(_told(write_tags(history, codes, target, root)))
            written += [_told(write_changes(history, target, root))] if changed_only and history.last else []
        except OSError as error:
            place = root / target.folder
            hint = "check the disk's space and the folder's rights"
            failed.append(DataError(f"{place}: tags could not be written ({type(error).__name__})", hint=hint))
    for database in targets.database:
        try:
            rows = write_tag_tables(history, file, database, root)
            written.append((f"{database.url} {database.table}_tags", rows))
        except CohortiumError as error:
            failed.append(error)
    if failed:
        raise DataError("\n".join(error.message for error in failed), hint=failed[0].hint)
    return tuple(written)


def whole_targets(targets: Sequence[FileTarget]) -> tuple[FileTarget, ...]:
    """Where files of tags go: the places of labels, each form once; selections of segments are not of tags."""
    whole = {"changed_only": False, "segment": None}
    return tuple(dict.fromkeys(target.model_copy(update=whole) for target in targets))


def _told(found: tuple[Path, int]) -> tuple[str, int]:
    return str(found[0]), found[1]


def _write_groups(setting: TagSetting, evaluated: Evaluated) -> tuple[WrittenList, ...]:
    groups = setting.file.group
    written = []
    for target in whole_targets(read_labels_config(setting.root).file) if groups else ():
        key = control_key(setting.root / "state")
        for group in groups:
            path, rows, alone = write_group(evaluated, group, key, target, setting.root)
            written.append(WrittenList(place=str(path), customers=rows, control=alone))
    return tuple(written)


def kept_tags(root: Path) -> pa.Table:
    """All intervals that are kept of customers' tags."""
    return History.load(path_of(root)).table


def forget_tags(root: Path, of: Callable[[pa.Table], pa.ChunkedArray]) -> bool:
    """Take a person out of the history of tags; whether there was anything to take. What was counted stays.

    Args:
        root: the holder's folder.
        of: which rows of a table with ``customer_id`` and ``source_id`` are the person's.
    """
    history = History.load(path_of(root))
    mask = of(history.table)
    if not pc.any(mask).as_py():
        return False
    history.without(mask).save(path_of(root))
    return True


def rewrite_tags(root: Path) -> None:
    """Write the history of tags once more wherever ``labels.toml`` says, as ``tags.toml`` names them now.

    Raises:
        ConfigError: if there is no ``tags.toml``, or it is wrong.
        DataError: if a target failed, after all others were written.
    """
    write_all_tags(root, read_tags(root), History.load(path_of(root)))


def _study(root: Path, like: str | None, config: HolderConfig) -> Study:
    """The latest run of a study that ended here; or one with the usual cleaning, in the source's own money and zone."""
    if like is None:
        currencies = config.declared_currencies
        return Study(
            name="tags",
            as_of=dt.date(2000, 1, 1),
            currency=currencies[0] if currencies else "EUR",
            time_zone=config.source.time_zone,
            budget=Budget(epsilon=Decimal(1)),
        )
    runs = RunFolder(root / "state" / "runs")
    for run in reversed(runs.runs()):
        study = runs.study(run)
        if study.name == like and runs.released_plans(run):
            return study
    raise ConfigError(
        f"{NAME}: no run of the study {like!r} has ended here",
        hint="leave `like` out until one has, or name another study: `cohortium holder status` lists labels",
    )
