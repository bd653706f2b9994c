"""Times that no calendar of ours has: infinity, and days before the year 1, as databases may hold them."""

from __future__ import annotations

import datetime as dt

import ibis
from ibis.expr import types as ir

_FIRST = dt.datetime(1, 1, 1)
_LAST = dt.datetime(9999, 12, 30, 23, 59, 59)  # leaves room for a day after it
_MICROSECONDS = 6


def finite_times(table: ir.Table) -> ir.Table:
    """A table whose times and days are null where they are infinite, before the year 1 or after 9999.

    Such a time is none of a purchase; fetched, it would fail.
    """
    changes = {name: _finite(table[name]) for name, kind in table.schema().items() if kind.is_date() or _is_time(kind)}
    return table.mutate(**changes) if changes else table


def _is_time(kind: object) -> bool:
    is_time: bool = kind.is_timestamp() and kind.scale in (None, *range(_MICROSECONDS + 1))  # type: ignore[attr-defined]
    return is_time


def _finite(time: ir.Value) -> ir.Value:
    kind = time.type()
    if kind.is_date():
        first, last = ibis.literal(_FIRST.date()), ibis.literal(_LAST.date())
    elif kind.timezone is None:
        first, last = ibis.literal(_FIRST), ibis.literal(_LAST)
    else:
        first, last = (ibis.literal(moment.replace(tzinfo=dt.UTC)) for moment in (_FIRST, _LAST))
    return ibis.ifelse((time >= first) & (time <= last), time, ibis.null(kind))
