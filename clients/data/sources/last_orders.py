"""When customers bought last, where a source says how many days ago that was."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import ibis
from ibis.expr import types as ir

from clients.data.place import Reading
from clients.data.sources.opened import Opened
from clients.data.sources.spelling import later_by

_DAY = 86_400_000_000  # microseconds
_WHOLE = "^ *[0-9]{1,6}([.]0*)? *$"


def with_last_orders(opened: Opened, config: Reading) -> Opened:
    """The column of days as times: in the middle of the day that is so many before the source's own, by its clock.

    What is no whole number of days, 0 or more, has no time.
    """
    name = config.columns.mapped().get("recency_days")
    day = config.source.snapshot
    if name is None or day is None:
        return opened
    noon = dt.datetime.combine(day, dt.time()) - dt.timedelta(hours=12)

    def read(table: ir.Table) -> ir.Table:
        if name not in table.columns:
            return table
        text = table[name].cast("string")
        days = ibis.ifelse(text.re_search(_WHOLE), text.strip().re_replace("[.]0*$", ""), ibis.null("string"))
        return table.mutate(**{name: later_by(noon, -days.cast("int64") * _DAY).cast("timestamp(6)")})

    return replace(opened, table=read(opened.table), spell=lambda raw: read(opened.spell(raw)))
