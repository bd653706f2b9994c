"""Write labels, scores and clusters: at the end of a run wherever ``labels.toml`` says, on request to others."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from clients.labels.config import DatabaseTarget, FileTarget, Labels, read_labels_config
from clients.labels.databases import write_database
from clients.labels.day_rows import DayRows, DaySnapshot
from clients.labels.files import FORMATS, write_files
from clients.labels.history import DayHistory
from privacy.contract.canonical import describe_validation
from privacy.contract.study import Study
from privacy.errors import CohortiumError, ConfigError, DataError

log = logging.getLogger("cohortium.holder")

T = TypeVar("T", FileTarget, DatabaseTarget)
S = TypeVar("S", bound=DaySnapshot)


@dataclass(frozen=True, kw_only=True)
class Written:
    """One place where labels were written.

    Attributes:
        place: the file's path, or the database's URL and table.
        rows: customers in it.
        path: the file; None for a database.
    """

    place: str
    rows: int
    path: Path | None = None


def publish(make: Callable[[], S], history: DayHistory[S, Any], root: Path) -> tuple[Path, ...]:
    """Make a study's rows at the end of a run, keep them, and write them wherever ``labels.toml`` says.

    They are first kept in the history, so that nothing is lost where a target fails; one that fails does not keep the
    others from being written, and writing again changes nothing that is right already. Where a later day of this study
    is known, its rows are written again, too: their ``previous`` are these.

    Returns:
        The files written, for the day of the study.

    Raises:
        DataError: the only error: if ``labels.toml`` is wrong or a target failed, after all others were written.
    """
    try:
        snapshot = make()
        history.keep(snapshot)
        targets = read_labels_config(root)
        later = [day for day in history.days(snapshot.study) if day > snapshot.as_of][:1]
        written = _write_all([history.rows(snapshot.study, snapshot.as_of)], targets, root)
        for day in later:
            _write_all([history.rows(snapshot.study, day)], targets, root)
    except CohortiumError as error:
        raise DataError(error.message, hint=error.hint) from None
    except Exception as error:  # whatever it is: the caller is answering a request, and texts may quote rows
        raise DataError(
            f"the {history.what} could not be made ({type(error).__name__})",
            hint="check the folder's disk and rights, then run `cohortium holder labels`",
        ) from None
    return tuple(item.path for item in written if item.path is not None)


def export_labels(
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
        raise ConfigError(f"study {study} has no segments and no clusters to change", hint="leave the selection out")
    return _write_all([history.rows(study, as_of) for history in there], targets, root)


def to_label(root: Path, study: Study) -> bool:
    """Whether labels, scores or clusters that a study gives are not kept yet."""
    return any(
        history.analysis in study.analyses and study.as_of not in history(_kept(root)).days(study.name)
        for history in histories_of_all()
    )


def histories_of_all() -> tuple[type[DayHistory[Any, Any]], ...]:
    """Every kind of rows about own customers that is kept and written."""
    from clients.analyses.catalogue import ANALYSES  # here: rooms write their labels with this module

    return tuple(analysis.history for analysis in ANALYSES)


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


def _write_all(kinds: Sequence[DayRows[Any]], targets: Labels, root: Path) -> tuple[Written, ...]:
    written: list[Written] = []
    failed: list[CohortiumError] = []

    def attempt(rows: DayRows[Any], place: str, target: FileTarget | DatabaseTarget) -> None:
        try:
            if isinstance(target, FileTarget):
                files = write_files(rows, target, base=root)
                written.extend(Written(place=str(path), rows=count, path=path) for path, count in files)
            else:
                written.append(Written(place=place, rows=write_database(rows, target, base=root)))
        except CohortiumError as error:
            failed.append(type(error)(f"{place}: {error.message}", hint=error.hint))
        except Exception as error:  # one target's failure must not keep the others from being written
            hint = "check the disk's space and the folder's rights"
            failed.append(DataError(f"{place}: the labels could not be written ({type(error).__name__})", hint=hint))

    for rows in kinds:
        for file in targets.file:
            attempt(rows, str(root / file.folder), file)
        for database in targets.database:
            attempt(rows, " ".join([database.url, "_".join(filter(None, [database.table, rows.kind]))]), database)
    for item in written:
        log.info("rows of %d customers: %s", item.rows, item.place)
    if failed:
        for error in failed:
            log.error("%s", error.message)
        kind = ConfigError if all(isinstance(error, ConfigError) for error in failed) else DataError
        raise kind("\n".join(error.message for error in failed), hint=failed[0].hint)
    return tuple(written)
