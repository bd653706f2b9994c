"""Events of one feed as a table sees them: which cell each is in, what it adds, and which of them are chosen.

Rows of events have ``customer``; ``moment``, to choose by; ``cell``, the part of the cell's number that the event
says; ``v_<place>``, what it adds to the measure there, and ``w_<place>``, of what that is a share.
"""

from __future__ import annotations

import functools
import operator

import ibis
from ibis.expr import types as ir

from privacy.kernel.declarations import CellTable, DimensionUse, EventChoice
from privacy.kernel.keys import OTHER

#: Sums of values are kept inside this, as sums of money are.
SUM_LIMIT = 9 * 10**17
#: Numbers of one event, such as seconds, are kept inside this: no sum of them comes near the end of 64 bits.
LARGEST = 10**9


def strides(table: CellTable) -> tuple[int, ...]:
    """How far apart two keys that follow each other are in cell numbers, by dimension."""
    found = [1]
    for keys in reversed(table.shape[1:]):
        found.append(found[-1] * keys)
    return tuple(reversed(found))


def celled(rows: ir.Table, table: CellTable, places: dict[int, ir.IntegerValue]) -> ir.Table:
    """Rows that have a key in every dimension of events, with ``cell``.

    Args:
        places: by the dimension's place in the table.
    """
    steps = strides(table)
    parts = [key if steps[place] == 1 else key * steps[place] for place, key in places.items()]
    found = rows.mutate(cell=functools.reduce(operator.add, parts) if parts else ibis.literal(0, "int64"))
    # A filter has the keys worked out twice: it is left out where everything has one.
    return found if all(has_other(table.by[place]) for place in places) else found.filter(found.cell.notnull())


def has_other(use: DimensionUse) -> bool:
    """Whether everything has a key of a dimension: listed texts that end with "other"."""
    return use.meaning.keys == "text" and use.keys.values[-1].casefold() == OTHER


def ones(table: CellTable) -> frozenset[str]:
    """Measures to which each event adds one, whatever it is: they are counted, which is quicker than adding up."""
    return frozenset(
        f"v_{place}"
        for place, use in enumerate(table.measures)
        if use.meaning.kind in ("count", "share") and not use.meaning.role and not use.first_days and not use.last_days
    )


def chosen(rows: ir.Table, choice: EventChoice | None, per: str, *, whole: str = "") -> ir.Table:
    """The events that the choice takes.

    Args:
        choice: None for all.
        per: column of the key for each of which one is taken; empty for one in all.
        whole: column of ids where several rows are one event; empty where each row is one.
    """
    if choice is None or choice.which == "all":
        return rows
    groups = [rows.customer, *([rows[per]] if per else [])]
    first = [rows.moment.asc() if choice.which == "earliest" else rows.moment.desc()]
    if choice.which in ("longest", "furthest"):
        first.insert(0, rows.rank.desc())
    if whole:
        ranked = ibis.dense_rank().over(ibis.window(group_by=groups, order_by=[*first, rows[whole].desc()]))
    else:
        # Of equal ones any would do, but every database must take the same.
        values = [rows[name].desc() for name in rows.columns if name.startswith(("v_", "w_"))]
        window = ibis.window(group_by=groups, order_by=[*first, rows.cell, *values])
        ranked = ibis.row_number().over(window)
    found = rows.mutate(placed=ranked)
    return found.filter(found.placed == 0)


def grouped(rows: ir.Table, table: CellTable) -> ir.Table:
    """One row for each customer and cell in which it has an event: ``customer``, ``cell``, and the sums."""
    return rows.group_by("customer", "cell").agg(**sums_of(rows, ones(table), _small(table)))


def _small(table: CellTable) -> frozenset[str]:
    """Measures whose sums need no limit: what an event adds is at most :data:`LARGEST`."""
    return frozenset(
        f"{kind}_{place}" for place, use in enumerate(table.measures) if use.meaning.unit != "money" for kind in "vw"
    )


def sums_of(
    rows: ir.Table, counted: frozenset[str] = frozenset(), small: frozenset[str] = frozenset()
) -> dict[str, ir.Value]:
    """The sums of what rows add, by name; how many rows there are where they add nothing.

    Args:
        counted: names of what is 1 in every row.
        small: names of what is small in every row, and nowhere null.
    """

    def total(name: str) -> ir.Value:
        if name in counted:
            return rows.count()
        added = rows[name].sum()
        return added.cast("int64") if name in small else limited(added.fill_null(0))

    names = [name for name in rows.columns if name.startswith(("v_", "w_"))]
    return {name: total(name) for name in names} or {"rows": rows.count()}


def within(value: ir.NumericValue, limit: float) -> ir.NumericValue:
    """A number cut off at a limit on either side; null stays null, which it does not as the greatest of two."""
    return ibis.cases((value > limit, limit), (value < -limit, -limit), else_=value)


def limited(value: ir.Value) -> ir.IntegerValue:
    """A sum of integers that fits 64 bits, whatever it adds up."""
    return ibis.greatest(ibis.least(value, SUM_LIMIT), -SUM_LIMIT).cast("int64")
