"""The label history: every study's labels of every as-of day, on the holder's own disk.

``<root>/<study>/<as of>.parquet``, owner-only. It is what ``previous`` and ``changed`` are made from, so that neither
depends on what has become of the files and tables that the labels were written to.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from clients.data.customer_table import write_private
from clients.labels.rows import LabelRows, Snapshot
from privacy.contract.study import parse_day
from privacy.errors import ConfigError, DataError


class LabelHistory:
    """Snapshots of labels under a folder; in a holder's folder that is ``state/labels``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def keep(self, snapshot: Snapshot) -> None:
        """Keep a snapshot; one of the same study and day is replaced, whole or not at all."""
        table = snapshot.with_metadata()
        path = self._path(snapshot.study, snapshot.as_of)
        write_private(path, lambda target: pq.write_table(table, target, compression="zstd"))

    def days(self, study: str) -> tuple[dt.date, ...]:
        """The as-of days of a study that labels are kept of, ascending."""
        found = []
        for path in (self._root / study).glob("[0-9]*.parquet"):
            try:
                found.append(parse_day(path.stem))
            except ValueError:
                continue
        return tuple(sorted(found))

    def load(self, study: str, as_of: dt.date) -> Snapshot:
        """A kept snapshot.

        Raises:
            ConfigError: if there is none of that study and day.
            DataError: if the file is damaged.
        """
        path = self._path(study, as_of)
        if not path.exists():
            days = ", ".join(day.isoformat() for day in self.days(study)) or "none"
            raise ConfigError(f"no labels of study {study} as of {as_of} are kept here", hint=f"kept days: {days}")
        try:
            snapshot = Snapshot.from_table(pq.read_table(path))
        except (OSError, pa.ArrowException, KeyError, ValueError, TypeError):
            raise DataError(f"{path} is not a label snapshot", hint="delete it, and label that run again") from None
        if (snapshot.study, snapshot.as_of) != (study, as_of):
            raise DataError(f"{path} holds another study's labels", hint="delete it, and label that run again")
        return snapshot

    def rows(self, study: str, as_of: dt.date) -> LabelRows:
        """A snapshot beside the study's latest earlier one.

        Raises:
            ConfigError: if there is no snapshot of that study and day.
            DataError: if a file is damaged.
        """
        days = self.days(study)
        before = [day for day in days if day < as_of]
        earlier = self.load(study, before[-1]) if before else None
        return LabelRows(self.load(study, as_of), earlier, is_latest=as_of == days[-1] if days else True)

    def _path(self, study: str, as_of: dt.date) -> Path:
        return self._root / study / f"{as_of.isoformat()}.parquet"
