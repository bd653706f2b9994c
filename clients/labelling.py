"""Write labels, scores and clusters on request: what the histories of all analyses keep, wherever it is asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from clients.analyses.catalogue import ANALYSES
from clients.analysis.actions import read_actions
from clients.labels.config import DatabaseTarget, FileTarget, Labels, read_labels_config
from clients.labels.contacts import ContactList, draw_up, list_path, write_contacts
from clients.labels.control import control_key
from clients.labels.export import Written, write_all
from clients.labels.files import FORMATS
from clients.labels.history import DayHistory
from privacy.errors import ConfigError
from privacy.kernel.canonical import describe_validation
from privacy.protocol.study import Study

T = TypeVar("T", FileTarget, DatabaseTarget)


def export_labels(  # noqa: PLR0913  one for each option of `holder labels`
    root: Path,
    study: str,
    as_of: dt.date,
    *,
    formats: Sequence[str] = (),
    to: str | None = None,
    table: str | None = None,
    changed_only: bool = False,
    segment: str | None = None,
) -> tuple[Written, ...]:
    """Write labels, scores and clusters that the history keeps: to ``labels.toml``'s places, or to those given here.

    Args:
        root: the holder's folder.
        study, as_of: which.
        formats: ``csv`` or ``parquet``, into ``labels/`` as ``labels.toml`` describes such files, or by default.
        to: a database's URL; with the password of the ``[[database]]`` of the same URL, where there is one.
        table: the table there; that entry's, or ``rfm_labels``.
        changed_only, segment: a selection, see ``LabelRows.select``; into files only, and without scores; by
            segment without clusters, too.

    Raises:
        ConfigError: if something given here, or ``labels.toml``, is wrong, or nothing of the study and day is kept.
        DataError: if a target failed, after all others were written.
    """
    configured = read_labels_config(root)
    targets = configured
    if formats or to:
        files = tuple(_file_target(name, configured) for name in dict.fromkeys(formats))
        targets = Labels(file=files, database=(_database_target(to, table, configured),) if to else ())
    elif table is not None:
        raise ConfigError("a table needs a database", hint="give its URL, too")
    if changed_only or segment is not None:
        if to:
            raise ConfigError("a database's tables always have all customers", hint="select there: WHERE eight_changed")
        files = targets.file or (FileTarget(),)
        chosen = {"changed_only": changed_only, "segment": segment}
        selected = (_checked(FileTarget, item.model_dump() | chosen) for item in files)
        targets = Labels(file=tuple({(item.folder, item.format): item for item in selected}.values()))
    histories = [kind(_kept(root)) for kind in histories_of_all()]
    there = [history for history in histories if as_of in history.days(study)]
    if not there:
        histories[0].load(study, as_of)  # says what is missing
    selectable = frozenset[str]().union(*(history.selectable for history in there))
    if segment is not None and "segment" not in selectable:
        raise ConfigError(f"study {study} has no segments to select by", hint="leave the selection out")
    if changed_only and "changed" not in selectable:
        raise ConfigError(f"study {study} has no labels that change", hint="leave the selection out")
    return write_all([history.rows(study, as_of) for history in there], targets, root)


def contacts_of(root: Path, study: str, as_of: dt.date, labels: Labels) -> ContactList:
    """The list of whom to contact, from what is kept of a day; ``labels`` says how long it is.

    Raises:
        ConfigError: if a file is wrong, or nothing of that study and day ranks customers.
        DataError: if a file is damaged.
    """
    ranking = [analysis for analysis in ANALYSES if analysis.contacts is not None]
    for analysis in ranking:
        history = analysis.history(_kept(root)) if analysis.history is not None else None
        if history is not None and analysis.contacts is not None and as_of in history.days(study):
            ranked, key = analysis.contacts(history.load(study, as_of)), control_key(root / "state")
            return draw_up(ranked, labels.contacts, read_actions(root / "actions.toml").words, key)
    names = " or ".join(analysis.name for analysis in ranking)
    raise ConfigError(
        f"nothing of study {study} as of {as_of} says whom to contact first", hint=f"a study with {names} does"
    )


def write_contact_list(root: Path, drawn: ContactList, labels: Labels, name: str, output: Path | None = None) -> Path:
    """Write a list as CSV, as the first CSV target of ``labels`` is written; returns the file.

    Args:
        root: the holder's folder.
        drawn: the list.
        labels: of ``labels.toml``.
        name: of the list.
        output: where; ``contacts/<name>.csv`` in the folder of that target if not given.
    """
    target = next((item for item in labels.file if item.format == "csv"), FileTarget())
    path = output or list_path(root, target, name)
    write_contacts(drawn, target, path)
    return path


def to_label(root: Path, study: Study) -> bool:
    """Whether labels, scores or clusters that a study gives are not kept yet."""
    return any(
        history.analysis in study.analyses and study.as_of not in history(_kept(root)).days(study.name)
        for history in histories_of_all()
    )


def histories_of_all() -> tuple[type[DayHistory[Any, Any]], ...]:
    """Every kind of rows about own customers that is kept and written."""
    return tuple(analysis.history for analysis in ANALYSES if analysis.history is not None)


def _kept(root: Path) -> Path:
    return root / "state" / "labels"


def _file_target(name: str, configured: Labels) -> FileTarget:
    if name not in FORMATS:
        raise ConfigError(f"unknown label format {name!r}", hint=f"there is: {', '.join(FORMATS)}")
    whole = {"changed_only": False, "segment": None}
    alike = [item.model_copy(update=whole) for item in configured.file if item.format == name]
    return alike[0] if alike else _checked(FileTarget, {"format": name})


def _database_target(url: str, table: str | None, configured: Labels) -> DatabaseTarget:
    alike = [item for item in configured.database if item.url == url]
    fields: dict[str, object] = alike[0].model_dump() if alike else {"url": url}
    return _checked(DatabaseTarget, fields | ({"table": table} if table is not None else {}))


def _checked(model: type[T], fields: Mapping[str, object]) -> T:
    try:
        return model.model_validate(fields)
    except ValidationError as problem:
        raise ConfigError(f"this cannot be written to:\n{describe_validation(problem)}") from None
