"""A run of tags: everybody is tagged, since when is kept, and files, tables and lists are written from that."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.labels.config import FileTarget, read_labels_config
from clients.labels.control import control_key
from clients.tagging.setting import TagSetting
from clients.tags.config import TagsFile
from clients.tags.coverage import complete, declared
from clients.tags.evaluation import Evaluated
from clients.tags.files import write_changes, write_group, write_tags
from clients.tags.store import History, RunNote, path_of
from clients.tags.tables import write_tag_tables
from privacy.errors import CohortiumError, DataError
from privacy.locks import one_at_a_time
from privacy.private_files import write_private


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
