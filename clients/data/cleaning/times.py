"""Times of a source: with a zone or without, and the moments that they are compared with."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import ibis
from ibis.expr import datatypes as dtypes
from ibis.expr import types as ir

from clients.data.place import Reading
from privacy.protocol.study import Study

#: Times before this day are placeholders of some program, not purchases.
FIRST_DAY = dt.datetime(1900, 1, 1)
#: So are times on these: the zero of spreadsheets and of Unix.
PLACEHOLDERS = (dt.datetime(1900, 1, 1), dt.datetime(1904, 1, 1), dt.datetime(1970, 1, 1))


def as_of_moment(study: Study, zone: str) -> dt.datetime:
    """The start of the as-of day in the study's zone, as wall time of ``zone`` without a zone."""
    return wall_time(study.as_of, study.time_zone, zone)


def wall_time(day: dt.date, at: str, zone: str) -> dt.datetime:
    """The start of a day in the zone ``at``, as wall time of ``zone`` without a zone."""
    start = dt.datetime.combine(day, dt.time(), tzinfo=zoneinfo.ZoneInfo(at))
    return start.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None)


def zone_of(time: ir.Value) -> str | None:
    """The zone that a column of times carries, or None."""
    return time.type().timezone if time.type().is_timestamp() else None


@ibis.udf.scalar.builtin(
    name="timezone", signature=((dtypes.string, dtypes.Timestamp(timezone="UTC")), dtypes.timestamp)
)
def _wall_time_in(zone, time):  # type: ignore[no-untyped-def]  # Ibis reads the signature above
    """The function of DuckDB and PostgreSQL for a time's wall time in a zone; Ibis has none of its own."""


def day_of(time: ir.Value, config: Reading) -> ir.DateValue:
    """The day of a time at the source: as it is written there, or, where times carry a zone, in the source's."""
    return (time if zone_of(time) is None else _wall_time_in(config.source.time_zone, time)).date()


def zone_at(config: Reading, time: ir.Value) -> str:
    """The zone that a column of times is compared in: UTC where times carry a zone, else the source's own."""
    return "UTC" if zone_of(time) is not None else config.source.time_zone


def moment_literal(moment: dt.datetime, time: ir.Value) -> ir.Value:
    """``moment`` as a literal that compares with the time column."""
    return ibis.literal(moment if zone_of(time) is None else moment.replace(tzinfo=dt.UTC))
