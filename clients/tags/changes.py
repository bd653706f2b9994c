"""Who began to have tags, ended to have them, or changed the level, on a day or between two."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clients.tags.store import History, RunNote

#: What changed is told since the newest run that lies so many days before the last.
WEEK = dt.timedelta(days=7)
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Change:
    """Who began or ended to have a tag, or changed the level.

    Attributes:
        tag: its code.
        entered, left, moved: numbers of customers.
    """

    tag: str
    entered: int
    left: int
    moved: int


@dataclass(frozen=True, kw_only=True)
class Week:
    """What became of tags since about a week before.

    Attributes:
        last: the newest run.
        then: the run that it is compared with; None where there is no earlier one.
        changes: by tag that the newest run knew; none where nothing is compared.
        portraits: runs that counted complete portraits, the newest last.
    """

    last: RunNote
    then: RunNote | None
    changes: tuple[Change, ...]
    portraits: tuple[RunNote, ...]


def week_of(history: History, day: dt.date) -> Week | None:
    """What changed up to a day: the newest run of then beside the newest that is a week older, or else the first.

    Args:
        history: of all runs.
        day: of which later runs are not seen.

    Returns:
        None where no run was made up to the day.
    """
    runs = [run for run in history.runs if run.day <= day]
    if not runs:
        return None
    last, earlier = runs[-1], [run for run in runs if run.day <= runs[-1].day - WEEK]
    then = earlier[-1] if earlier else runs[0] if len(runs) > 1 else None
    changes = () if then is None else counted_changes(history, last.day, last.counts, since=then.day).values()
    portraits = tuple(run for run in runs if run.complete is not None)
    return Week(last=last, then=then, changes=tuple(changes), portraits=portraits)


def changes_on(history: History, day: dt.date, *, since: dt.date | None = None) -> pa.Table:
    """What changed up to a day: ``customer_id``, ``source_id``, ``tag``, ``change``, ``value``.

    ``change`` is ``entered``, ``left`` or ``moved`` (another level, or a new version of the rule); ``value`` the level
    from then on, 0 for who left. Who came and went between the two days did not change.

    Args:
        history: of all runs.
        day: whose tags count.
        since: the day whose tags they are compared with; the day before if not given.
    """
    begun, until = history.table["since"], history.table["until"]
    now, then = pa.scalar(day, pa.date32()), pa.scalar(since or day - _DAY, pa.date32())
    goes_on = pc.or_kleene(pc.is_null(until), pc.greater(until, now))
    is_over = pc.fill_null(pc.and_(pc.greater(until, then), pc.less_equal(until, now)), False)
    is_new = pc.and_(pc.greater(begun, then), pc.less_equal(begun, now))
    began = history.table.filter(pc.and_(is_new, goes_on))
    ended = history.table.filter(pc.and_(pc.less_equal(begun, then), is_over))
    pairs = [
        pc.binary_join_element_wise(part["tag"], part["customer_id"], "\n").combine_chunks() for part in (began, ended)
    ]  # tag and customer as one text: no code of a tag has a line break
    moved = pc.is_in(pairs[0], value_set=pairs[1])
    left = ended.filter(pc.invert(pc.is_in(pairs[1], value_set=pairs[0])))
    names = ["customer_id", "source_id", "tag"]
    fields = {**{name: pa.string() for name in names}, "change": pa.string(), "value": pa.int64()}
    first = began.select(names).append_column("change", pc.if_else(moved, "moved", "entered"))
    last = left.select(names).append_column("change", pa.repeat("left", len(left)))
    parts = [
        first.append_column("value", began["value"]),
        last.append_column("value", pa.array(np.zeros(len(left), np.int64))),
    ]
    found = pa.concat_tables([part.cast(pa.schema(fields)) for part in parts])
    return found.take(pc.sort_indices(found, [("tag", "ascending"), ("customer_id", "ascending")]))


def counted_changes(
    history: History, day: dt.date, codes: Iterable[str], *, since: dt.date | None = None
) -> dict[str, Change]:
    """How many entered, left and moved, by tag; days as of :func:`changes_on`."""
    found = changes_on(history, day, since=since)
    counts: dict[tuple[str, str], int] = {}
    for row in found.group_by(["tag", "change"]).aggregate([("value", "count")]).to_pylist():
        counts[row["tag"], row["change"]] = row["value_count"]
    return {
        code: Change(
            tag=code,
            entered=counts.get((code, "entered"), 0),
            left=counts.get((code, "left"), 0),
            moved=counts.get((code, "moved"), 0),
        )
        for code in codes
    }
