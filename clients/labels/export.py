"""Write labels, scores and clusters: at the end of a run wherever ``labels.toml`` says, on request to others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from clients.labels.config import DatabaseTarget, FileTarget, Labels, read_labels_config
from clients.labels.databases import write_database
from clients.labels.day_rows import DayRows
from clients.labels.files import write_files
from clients.labels.history import DayHistory
from clients.labels.snapshot import StoredSnapshot
from privacy.errors import CohortiumError, ConfigError, DataError

log = logging.getLogger("cohortium.holder")

T = TypeVar("T", FileTarget, DatabaseTarget)
S = TypeVar("S", bound=StoredSnapshot)


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
        written = write_all([history.rows(snapshot.study, snapshot.as_of)], targets, root)
        for day in later:
            write_all([history.rows(snapshot.study, day)], targets, root)
    except CohortiumError as error:
        raise DataError(error.message, hint=error.hint) from None
    except Exception as error:  # whatever it is: the caller is answering a request, and texts may quote rows
        raise DataError(
            f"the {history.what} could not be made ({type(error).__name__})",
            hint="check the folder's disk and rights, then run `cohortium holder labels`",
        ) from None
    return tuple(item.path for item in written if item.path is not None)


def write_all(kinds: Sequence[DayRows[Any]], targets: Labels, root: Path) -> tuple[Written, ...]:
    """Write rows of customers to every target, each whatever became of the others.

    Raises:
        ConfigError, DataError: after all others were written, if one could not be.
    """
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
