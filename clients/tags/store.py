"""Who had which tag from when until when: one file, replaced whole, with what was noted of every run.

``state/tags/intervals.parquet`` is owner-only. Intervals, because a customer who has six tags every day would be two
thousand rows a year, and because a CRM wants to know since when. A day that is run again replaces what it said before.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clients.tags.config import Tag, TagsFile
from clients.tags.evaluation import Evaluated
from privacy.errors import ConfigError, DataError
from privacy.private_files import private_file
from privacy.tags.truth import IntArray

INTERVALS = pa.schema(
    {
        "customer_id": pa.string(), "source_id": pa.string(), "tag": pa.string(), "value": pa.int64(),
        "version": pa.int64(), "since": pa.date32(), "until": pa.date32(),
    }
)  # fmt: skip
_METADATA = b"tags"


@dataclass(frozen=True, kw_only=True)
class RunNote:
    """What was noted of one run.

    Attributes:
        day: its day.
        customers: how many there were.
        counts: by tag, how many had it.
        complete: how many had a complete portrait; None where nothing says what that is.
    """

    day: dt.date
    customers: int
    counts: Mapping[str, int]
    complete: int | None = None

    def as_json(self) -> dict[str, Any]:
        """For the file, and for scripts."""
        return {
            "day": self.day.isoformat(),
            "customers": self.customers,
            "counts": dict(self.counts),
            "complete": self.complete,
        }


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class History:
    """Intervals of all tags, and what was noted of runs.

    Attributes:
        table: a row an interval, see :data:`INTERVALS`: ``since`` its first day, ``until`` the first day without the
            tag (null: it goes on), ``version`` of the tag's rule; by tag, customer and day.
        runs: in order of their days.
        versions: by code and version, digest of the definition.
    """

    table: pa.Table = field(default_factory=INTERVALS.empty_table)
    runs: tuple[RunNote, ...] = ()
    versions: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    @property
    def last(self) -> dt.date | None:
        """Day of the last run."""
        return self.runs[-1].day if self.runs else None

    def current(self) -> pa.Table:
        """Intervals that go on."""
        return self.table.filter(pc.is_null(self.table["until"]))

    def before(self, day: dt.date) -> Self:
        """What it was before the run of a day: what that run began is gone, and what it ended goes on.

        Raises:
            ConfigError: if a later day was run.
        """
        if self.last is not None and self.last > day:
            raise ConfigError(
                f"tags were run for {self.last} already, and {day} is before",
                hint="a run says who has a tag from its day on; give a later --as-of, or look at `tags history`",
            )
        if self.last != day:
            return self
        scalar = pa.scalar(day, pa.date32())
        table = self.table.filter(pc.not_equal(self.table["since"], scalar))
        until = pc.if_else(pc.equal(table["until"], scalar), pa.scalar(None, pa.date32()), table["until"])
        table = table.set_column(INTERVALS.get_field_index("until"), INTERVALS.field("until"), until)
        return replace(self, table=table, runs=self.runs[:-1])

    def check_versions(self, file: TagsFile) -> None:
        """Whether every tag whose rule has changed has a higher version.

        Raises:
            ConfigError: naming the first that has not.
        """
        for tag in file.tag:
            if wrong := version_complaint(tag, self.versions.get(tag.code, {})):
                raise ConfigError(f"tags.toml, {tag.code}: {wrong[0]}", hint=wrong[1])

    def after(self, evaluated: Evaluated, note: RunNote) -> Self:
        """What it is after a run; of tags that nobody can have any more all intervals end.

        Raises:
            ConfigError: if a later day was run.
        """
        begun = self.before(evaluated.day)
        given = {tag.code: (tag, values) for tag, values in evaluated.written().items()}
        known = pc.unique(begun.table["tag"]).to_pylist()
        parts = [_next(begun.table, code, given.get(code), evaluated) for code in sorted({*known, *given})]
        versions = {code: dict(each) for code, each in begun.versions.items()}
        for tag, _ in given.values():
            versions.setdefault(tag.code, {})[tag.version] = tag.definition
        return replace(
            begun,
            table=pa.concat_tables(parts) if parts else INTERVALS.empty_table(),
            runs=(*begun.runs, note),
            versions=versions,
        )

    def save(self, path: Path) -> None:
        """Write it, readable by its owner only, whole or not at all."""
        about = {
            "runs": [run.as_json() for run in self.runs],
            "versions": {
                code: {str(version): each[version] for version in sorted(each)}
                for code, each in sorted(self.versions.items())
            },
        }
        table = self.table.replace_schema_metadata({_METADATA: json.dumps(about).encode()})
        with private_file(path) as target:
            pq.write_table(table, target, compression="zstd")

    @classmethod
    def load(cls, path: Path) -> Self:
        """What ``save`` wrote; an empty history where there is none.

        Raises:
            DataError: if the file is damaged, or something else.
        """
        if not path.exists():
            return cls()
        try:
            table = pq.read_table(path)
            about = json.loads((table.schema.metadata or {})[_METADATA])
            table = table.replace_schema_metadata(None)
            if not table.schema.equals(INTERVALS):
                raise ValueError("other columns")
            runs = tuple(
                RunNote(**(run | {"day": dt.date.fromisoformat(run["day"])}))  # by the names that it was written with
                for run in about["runs"]
            )
            versions = {
                code: {int(version): digest for version, digest in each.items()}
                for code, each in about["versions"].items()
            }
            return cls(table=table, runs=runs, versions=versions)
        except (OSError, pa.ArrowException, KeyError, ValueError, TypeError):
            raise DataError(
                f"{path} is not a history of tags", hint="put it back from a backup; without it the history begins anew"
            ) from None

    def without(self, mask: pa.ChunkedArray) -> Self:
        """The same without some rows: what a person was tagged with. What was counted stays."""
        return replace(self, table=self.table.filter(pc.invert(mask)))


def path_of(root: Path) -> Path:
    """Where a holder's history of tags is."""
    return root / "state" / "tags" / "intervals.parquet"


def version_complaint(tag: Tag, known: Mapping[int, str]) -> tuple[str, str] | None:
    """What is wrong with a tag's version, beside those that were run, and what to do; None if nothing is."""
    if not known:
        return None
    newest = max(known)
    if tag.version < newest:
        return f"version {tag.version} is older than the {newest} that was run", f"write version = {newest + 1}"
    if tag.version in known and known[tag.version] != tag.definition:
        hint = f"write version = {tag.version + 1}: the history tells the rules apart by it"
        return f"the rule has changed, and the version is still {tag.version}", hint
    return None


def _next(table: pa.Table, code: str, given: tuple[Tag, IntArray] | None, evaluated: Evaluated) -> pa.Table:
    """Intervals of one tag after a run."""
    own = table.filter(pc.equal(table["tag"], code)).combine_chunks()
    is_open = pc.is_null(own["until"])
    ended, going = own.filter(pc.invert(is_open)), own.filter(is_open)
    new = INTERVALS.empty_table()
    stays = np.zeros(len(going), dtype=bool)
    if given is not None:
        tag, values = given
        rows = np.flatnonzero(values)
        ids = evaluated.customers.ids.take(pa.array(rows))
        place = pc.index_in(ids, value_set=going["customer_id"].combine_chunks())
        there = place.is_valid().to_numpy(zero_copy_only=False)
        at = place.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        same = there.copy()
        if len(going):
            same &= (going["value"].to_numpy()[at] == values[rows]) & (going["version"].to_numpy()[at] == tag.version)
        stays[at[same]] = True
        new = _begun(tag, rows[~same], values, evaluated)
    if not len(own):
        return new  # by customer already
    until = pc.if_else(pa.array(stays), pa.scalar(None, pa.date32()), pa.scalar(evaluated.day, pa.date32()))
    going = going.set_column(INTERVALS.get_field_index("until"), INTERVALS.field("until"), until)
    every = pa.concat_tables([ended, going, new])
    return every.take(pc.sort_indices(every, [("customer_id", "ascending"), ("since", "ascending")]))


def _begun(tag: Tag, rows: IntArray, values: IntArray, evaluated: Evaluated) -> pa.Table:
    customers, chosen = evaluated.customers, pa.array(rows)
    columns = [
        customers.ids.take(chosen),
        customers.source_ids.take(chosen),
        pa.repeat(tag.code, len(rows)),
        pa.array(values[rows], pa.int64()),
        pa.repeat(pa.scalar(tag.version, pa.int64()), len(rows)),
        pa.repeat(pa.scalar(evaluated.day, pa.date32()), len(rows)),
        pa.nulls(len(rows), pa.date32()),
    ]
    return pa.Table.from_arrays(columns, schema=INTERVALS)


def runs_of(history: History, code: str) -> Sequence[tuple[dt.date, int]]:
    """How many had a tag after each run that knew it."""
    return [(run.day, run.counts[code]) for run in history.runs if code in run.counts]
