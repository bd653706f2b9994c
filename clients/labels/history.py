"""What was written, kept: every study's labels and scores of every as-of day, on the holder's own disk.

``<root>/<study>/<as of>.parquet`` has labels, ``<as of>-<kind>.parquet`` what is of another kind, owner-only. It is
what ``previous`` and ``changed`` are made from, so that neither depends on what has become of the files and tables that
were written.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from clients.labels.day_rows import DayRows
from clients.labels.snapshot import StoredSnapshot
from privacy.errors import ConfigError, DataError
from privacy.private_files import private_file
from privacy.protocol.study import parse_day

S = TypeVar("S", bound=StoredSnapshot)
R = TypeVar("R", bound=DayRows[Any])


class DayHistory(Generic[S, R]):
    """Snapshots of one kind under a folder; in a holder's folder that is ``state/labels``.

    Attributes:
        what, one: what it keeps, in words; and one of them.
        analysis: the analysis that they come from.
        selectable: whether rows can be selected by what has changed, and by segment.
        snapshot_of: the snapshots' class.
        rows_of: the class of what is written of them; its ``kind`` is in the files' names.
    """

    what: ClassVar[str]
    one: ClassVar[str]
    analysis: ClassVar[str]
    selectable: ClassVar[frozenset[Literal["changed", "segment"]]] = frozenset()
    snapshot_of: type[S]
    rows_of: type[R]

    def __init__(self, root: Path) -> None:
        self._root = root

    def keep(self, snapshot: S) -> None:
        """Keep a snapshot; one of the same study and day is replaced, whole or not at all."""
        table = snapshot.with_metadata()
        with private_file(self._path(snapshot.study, snapshot.as_of)) as target:
            pq.write_table(table, target, compression="zstd")

    def days(self, study: str) -> tuple[dt.date, ...]:
        """The as-of days of a study that snapshots are kept of, ascending."""
        found = []
        for path in (self._root / study).glob("[0-9]*.parquet"):
            try:
                day = parse_day(path.stem[:10])
            except ValueError:
                continue
            if path == self._path(study, day):
                found.append(day)
        return tuple(sorted(found))

    def load(self, study: str, as_of: dt.date) -> S:
        """A kept snapshot.

        Raises:
            ConfigError: if there is none of that study and day.
            DataError: if the file is damaged.
        """
        path = self._path(study, as_of)
        if not path.exists():
            days = ", ".join(day.isoformat() for day in self.days(study)) or "none"
            raise ConfigError(f"no {self.what} of study {study} as of {as_of} are kept here", hint=f"kept days: {days}")
        try:
            snapshot = self.snapshot_of.from_table(pq.read_table(path))
        except (OSError, pa.ArrowException, KeyError, ValueError, TypeError):
            raise DataError(
                f"{path} is not a {self.one} snapshot", hint="delete it, and label that run again"
            ) from None
        if (snapshot.study, snapshot.as_of) != (study, as_of):
            raise DataError(f"{path} holds another study's {self.what}", hint="delete it, and label that run again")
        return snapshot

    def latest(self, study: str, *, before: dt.date) -> S | None:
        """The latest snapshot of a study before a day; None where there is none."""
        days = [day for day in self.days(study) if day < before]
        return self.load(study, days[-1]) if days else None

    def rows(self, study: str, as_of: dt.date) -> R:
        """A snapshot beside the study's latest earlier one.

        Raises:
            ConfigError: if there is no snapshot of that study and day.
            DataError: if a file is damaged.
        """
        days = self.days(study)
        snapshot, earlier = self.load(study, as_of), self.latest(study, before=as_of)
        return self.rows_of(snapshot, earlier, is_latest=as_of == days[-1] if days else True)

    def _path(self, study: str, as_of: dt.date) -> Path:
        kind = f"-{self.rows_of.kind}" if self.rows_of.kind else ""
        return self._root / study / f"{as_of.isoformat()}{kind}.parquet"
