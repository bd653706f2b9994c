"""Events of feeds beside purchases as tables see them, and what they give to tables of customers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import ibis
from ibis.expr import types as ir

from clients.data.cleaning.columns import finite, is_so
from clients.data.cleaning.money import quanta_beside
from clients.data.cleaning.times import zone_of
from clients.data.feed_config import FeedReading
from clients.data.rows.cells.events import LARGEST, celled, chosen, grouped, sums_of, within
from clients.data.rows.cells.keys import (
    age_on,
    day_number,
    folded,
    place_of_flag,
    place_of_listed,
    place_of_name,
    place_of_number,
    seconds_of,
)
from clients.data.rows.orders import start_at, wall_clock
from privacy.kernel.declarations import CellTable, DimensionUse, MeasureUse
from privacy.kernel.feeds import FEEDS, STAGES
from privacy.kernel.keys import Keys
from privacy.protocol.study import Study


class FeedRows:
    """Rows of one feed that count, with what tables make of them.

    Args:
        rows: as :attr:`clients.data.feeds.lines.OpenFeed.kept` has them.
        reading: what they are.
        study: whose day and currency count.
    """

    def __init__(self, rows: ir.Table, reading: FeedReading, study: Study) -> None:
        self._reading = reading
        self._study = study
        named = [role for role, what in FEEDS[reading.name].items() if what.kind in ("text", "stage", "flag")]
        texts = {f"text_{role}": folded(rows[f"raw_{role}"]) for role in named if f"raw_{role}" in rows.columns}
        when = {} if "time" not in rows.columns else {"moment": seconds_of(_plain(rows.time))}
        self.rows = rows.mutate(**texts, **when)

    @property
    def zone(self) -> str | None:
        """The zone of ``moment``; None for UTC."""
        return None if zone_of(self.rows.time) is not None else self._reading.source.time_zone

    def touches(self, table: CellTable) -> ir.Table:
        """Every touch: ``customer``, ``moment``, and ``channel``, its place among the table's keys."""
        uses = [use for use in table.by if use.dimension == "touch.channel"]
        channel = self.place(self.rows, uses[0]) if uses else ibis.literal(0, "int64")
        return self.rows.select("customer", "moment", channel=channel)

    def cells(self, table: CellTable) -> ir.Table:
        """One row for each customer and cell of a table of events, as :func:`grouped` has them."""
        return grouped(self.events(table), table)

    def events(self, table: CellTable, *, besides: frozenset[str] = frozenset()) -> ir.Table:
        """The events that a table takes, with ``cell`` and what they add.

        Args:
            besides: dimensions that somebody else knows the keys of; they add nothing to ``cell``.
        """
        rows, choice = self.rows, table.events
        if choice is not None and choice.window_days is not None:
            rows = rows.filter(rows.time >= self._ago(choice.window_days, rows.time))
        if choice is not None and choice.hold_out is not None:
            rows = rows.filter(self.number(rows, "hold_out") == int(choice.hold_out * 1000))
        uses = {
            place: use
            for place, use in enumerate(table.by)
            if use.meaning.grain != "customer" and use.dimension not in besides
        }
        named = {f"place_{place}": self.place(rows, use) for place, use in uses.items()}
        if choice is not None and choice.which == "longest":
            named["rank"] = self.number(rows, "seconds").fill_null(-1)
        if choice is not None and choice.which == "furthest":
            named["rank"] = self._stage(rows).fill_null(-1)
        for place, measure in enumerate(table.measures):
            named |= self.values(rows, measure, f"v_{place}")
        rows = rows.mutate(**named)
        found = celled(rows, table, {place: rows[f"place_{place}"] for place in uses})
        per = next((f"place_{place}" for place, use in uses.items() if choice and use.dimension == choice.per), "")
        return chosen(found, choice, per)

    def sums(self, tables: Iterable[tuple[int, CellTable]]) -> ir.Table:
        """What events give to tables of customers: one row per customer; sums ``v_<table>_<measure>``.

        A measure of a customer's first days has none here: :meth:`daily` has it.
        """
        rows = self.rows
        named: dict[str, ir.Value] = {}
        for number, table in tables:
            for place, use in enumerate(table.measures):
                if use.meaning.feed == self._reading.name and use.first_days is None:
                    named |= self.values(rows, use, f"v_{number}_{place}")
        found = rows.mutate(**named)
        return found.group_by("customer").agg(**sums_of(found))

    def daily(self, use: MeasureUse) -> ir.Table:
        """The sums of one measure by customer and calendar day: ``customer``, ``day``, ``v_0``."""
        wall = wall_clock(self.rows.time, self._reading, self._study)
        rows = self.rows.mutate(day=day_number(wall), **self.values(self.rows, use, "v_0"))
        return rows.group_by("customer", "day").agg(**sums_of(rows))

    def known(self, roles: Iterable[str]) -> dict[str, ir.Value]:
        """By role, whether rows have a value: neither null nor blank."""
        return {role: (self.rows[f"raw_{role}"].cast("string").strip().length() > 0).fill_null(False) for role in roles}

    def place(self, rows: ir.Table, use: DimensionUse, *, fill: bool = True) -> ir.IntegerValue:
        """Place of one dimension's key in each row.

        Args:
            fill: whether a missing text is "other".
        """
        name = use.dimension
        role = {"customer.age_band": "born", "view.seconds_band": "seconds"}.get(name) or name.partition(".")[2]
        match FEEDS[self._reading.name][role].kind:
            case "text":
                spelled = self._reading.values.get(role, {})
                return place_of_name(rows[f"text_{role}"], use.keys, spelled, fill=fill)
            case "stage":
                return place_of_listed(self._stage(rows), STAGES, use.keys)
            case "flag":
                return self._flag(rows, role, use.keys)
            case "day":
                return place_of_number(age_on(rows[f"raw_{role}"], self._study.as_of), use.keys)
        return place_of_number(self.number(rows, role), use.keys)

    def _stage(self, rows: ir.Table) -> ir.IntegerValue:
        return place_of_name(rows.text_furthest, Keys(values=STAGES), self._reading.values.get("furthest", {}))

    def _flag(self, rows: ir.Table, role: str, keys: Keys) -> ir.IntegerValue:
        column, values = rows[f"raw_{role}"], self._reading.values.get(role, {})
        if values:
            return place_of_name(rows[f"text_{role}"], keys, values)
        return ibis.ifelse(column.isnull(), ibis.null("int64"), place_of_flag(is_so(column), keys)).cast("int64")

    def number(self, rows: ir.Table, role: str) -> ir.IntegerValue:
        """A whole number, rounded half up; null where there is none."""
        column = rows[f"raw_{role}"]
        if column.type().is_integer():
            return within(column.cast("int64"), LARGEST).cast("int64")
        number = column.cast("float64")
        limited = within(number, float(LARGEST))
        return (ibis.ifelse(finite(number), limited, ibis.null("float64")) + 0.5).floor().cast("int64")

    def values(self, rows: ir.Table, use: MeasureUse, name: str) -> dict[str, ir.Value]:
        """What a row adds to a measure."""
        found = use.meaning
        if found.kind == "customers":
            return {}
        if found.kind in ("count", "share"):
            value: ir.Value = ibis.literal(1)
        elif FEEDS[self._reading.name][found.role].kind == "money":
            value = quanta_beside(rows[f"raw_{found.role}"], rows.time, self._reading, self._study).fill_null(0)
        else:
            value = self.number(rows, found.role).fill_null(0)
        if use.last_days is not None:
            value = ibis.ifelse(rows.time >= self._ago(use.last_days, rows.time), value, 0)
        return {name: value.cast("int64")}

    def _ago(self, days: int, time: ir.Value) -> ir.Value:
        first = max(self._study.as_of.toordinal() - days, dt.date(1900, 1, 1).toordinal())
        return start_at(dt.date.fromordinal(first), self._reading, self._study, time)


def _plain(time: ir.Value) -> ir.TimestampValue:
    """A time without its zone, in UTC where it has one."""
    return time if zone_of(time) is None else time.cast("timestamp('UTC')").cast("timestamp(6)")
