"""What rules need of the events of one feed beside purchases: one query, one row a customer."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence

import ibis
from ibis.expr import types as ir

from clients.data.cleaning.columns import is_so
from clients.data.cleaning.money import quanta_beside
from clients.data.feed_config import FeedReading
from clients.data.place import Reading
from clients.data.rows.cells.events import limited
from clients.data.rows.cells.feed_events import FeedRows
from clients.data.rows.orders import start_at, wall_clock
from clients.data.rows.rules.filters import holds, spellings_of
from privacy.kernel.feeds import FEEDS
from privacy.kernel.rule_words import OF_TIME
from privacy.protocol.study import Study
from privacy.tags.tree import Aggregate, Node


class FeedColumns:
    """Rows of a feed as filters see them, and its numbers.

    Args:
        rows: those that count, as :attr:`clients.data.feeds.lines.OpenFeed.kept` has them.
        reading: what they are.
        study: whose currency and zone count.
    """

    def __init__(self, rows: ir.Table, reading: FeedReading, study: Study) -> None:
        self._feed = FeedRows(rows, reading, study)
        self._reading, self._study = reading, study

    @property
    def rows(self) -> ir.Table:
        """The rows."""
        return self._feed.rows

    def value(self, name: str) -> ir.Value:
        """See :class:`clients.data.rows.rules.filters.EventColumns`."""
        rows = self._feed.rows
        if name in OF_TIME:
            return part_of_time(name, wall_clock(rows.time, self._reading, self._study))
        match FEEDS[self._reading.name][name].kind:
            case "money":
                return quanta_beside(rows[f"raw_{name}"], rows.time, self._reading, self._study)
            case "number":
                return self._feed.number(rows, name)
            case "flag":
                column = rows[f"raw_{name}"]
                return ibis.ifelse(column.isnull(), ibis.null("boolean"), is_so(column))
            case "id":
                return rows[f"raw_{name}"].cast("string").strip().lower().nullif("")
        return rows[f"text_{name}"].nullif("")

    def spellings(self, name: str, word: str) -> tuple[str, ...]:
        """See :class:`clients.data.rows.rules.filters.EventColumns`."""
        return spellings_of(word, self._reading.values.get(name, {}))


def feed_query(columns: FeedColumns, reading: FeedReading, study: Study, wanted: Sequence[Aggregate]) -> ir.Table:
    """One row a customer with an event before the study's day: ``customer``, ``rows``, ``x<place>``, ``x<place>_of``.

    Of a share or mean ``x_of`` is what it is of; a last time is ``x``. Null where there is no such event.
    """
    values = {one.role: columns.value(one.role) for one in wanted if one.role}
    filters = filters_of(wanted)
    named = {f"v_{role}": value for role, value in values.items()}
    named |= {name: holds(node, columns).fill_null(False) for node, name in filters.items()}
    rows = columns.rows.mutate(**named) if named else columns.rows
    found: dict[str, ir.Value] = {}
    for place, one in enumerate(wanted):
        window = within(one, rows.time, reading, study)
        chosen = _both(window, rows[filters[one.where]] if one.where is not None else None)
        found |= _aggregated(f"x{place}", one, rows, window, chosen)
    return rows.group_by("customer").agg(rows=rows.count(), **found)


def _aggregated(
    name: str, one: Aggregate, rows: ir.Table, window: ir.BooleanValue | None, chosen: ir.BooleanValue | None
) -> dict[str, ir.Value]:
    match one.function:
        case "count":
            return {name: rows.count(where=chosen)}
        case "share":
            return {name: rows.count(where=chosen), f"{name}_of": rows.count(where=window)}
        case "days_since":
            return {name: rows.time.max(where=chosen)}
    value = rows[f"v_{one.role}"]
    if one.function == "sum":
        return {name: limited(value.sum(where=chosen).fill_null(0))}
    if one.function == "mean":
        return {name: limited(value.sum(where=chosen).fill_null(0)), f"{name}_of": value.count(where=chosen)}
    return {name: value.max(where=chosen) if one.function == "max" else value.min(where=chosen)}


def _both(one: ir.BooleanValue | None, other: ir.BooleanValue | None) -> ir.BooleanValue | None:
    found = [each for each in (one, other) if each is not None]
    return functools.reduce(lambda a, b: a & b, found) if found else None


def within(one: Aggregate, time: ir.Value, reading: Reading, study: Study) -> ir.BooleanValue | None:
    """Whether a time is in an aggregate's window; None where every time before the study's day is.

    A day begins at its own midnight in the study's zone. Nothing on or after the study's day is seen in any case.
    """
    tests = []
    if one.since is not None:
        tests.append(time >= start_at(_day(one.since, study), reading, study, time))
    if one.until is not None and _day(one.until, study) < study.as_of:
        tests.append(time < start_at(_day(one.until, study), reading, study, time))
    return functools.reduce(lambda a, b: a & b, tests).fill_null(False) if tests else None


def _day(day: dt.date | int, study: Study) -> dt.date:
    if isinstance(day, dt.date):
        return max(day, dt.date(1900, 1, 1))
    return dt.date.fromordinal(max(study.as_of.toordinal() + day, dt.date(1900, 1, 1).toordinal()))


def part_of_time(name: str, wall: ir.TimestampValue) -> ir.IntegerValue:
    """A weekday (Monday 1), hour or month of a time on the source's clock."""
    if name == "weekday":
        return wall.day_of_week.index().cast("int64") + 1
    return (wall.hour() if name == "hour" else wall.month()).cast("int64")


def filters_of(wanted: Sequence[Aggregate]) -> dict[Node, str]:
    """The filters of aggregates, each with a name."""
    return {node: f"f_{place}" for place, node in enumerate(dict.fromkeys(one.where for one in wanted if one.where))}
