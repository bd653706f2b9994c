"""Lines that repeat another line of their order exactly, where those are dropped: looked for where there may be any.

Taking them out of all lines is a third of what adding up orders costs, and hardly an order has one. DuckDB, which has
a hash of anything, says in passing which orders surely have none: those of one line, those of two whose hashes differ,
and those whose lines fall on bits of their own among 64. Where orders are large few are sure, and nothing is gained.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence

import ibis
import pyarrow.compute as pc
from ibis.expr import datatypes as dtypes
from ibis.expr import types as ir

from clients.data.origin import Origin
from clients.data.sources import fetch

#: Orders of more lines than this on average are not looked at in passing, nor is the rest left out where more than
#: this share of customers has orders that may repeat a line.
LINES, DOUBTFUL = 3, 0.25
#: The average is taken of so many lines, the first ones of the source: those of one order nearly always stand together.
_FIRST = 50_000


@ibis.udf.scalar.builtin(name="bit_count", signature=((dtypes.uint64,), dtypes.int64))
def _bit_count(bits):  # type: ignore[no-untyped-def]  # Ibis reads the signature above
    """How many bits are 1."""


@functools.cache
def _hash_of(kind: dtypes.DataType) -> Callable[[ir.Value], ir.IntegerValue]:
    """DuckDB's hash, of values of one type, as it is: Ibis would bring it to another one, which takes longer."""

    def hash_of(value):  # type: ignore[no-untyped-def]
        """A number that is the same for equal values, nulls among them."""

    made: Callable[[ir.Value], ir.IntegerValue] = ibis.udf.scalar.builtin(
        name="hash", signature=((kind,), dtypes.uint64)
    )(hash_of)
    return made


def are_few(lines: ir.Table, origin: Origin) -> bool:
    """Whether repeated lines are dropped and it is worth while to look only where there may be any.

    Args:
        lines: cleaned.
        origin: whose they are.
    """
    if origin.study.cleaning.duplicates != "drop" or lines.get_backend().name != "duckdb":
        return False
    orders = lines.select("customer", "order").limit(_FIRST).group_by("customer", "order").agg(lines=ibis._.count())
    found = fetch(orders.aggregate(orders=orders.count(), lines=orders.lines.sum()), what="looking at orders")
    return (pc.sum(found["lines"]).as_py() or 0) <= LINES * (pc.sum(found["orders"]).as_py() or 0)


def witnesses(lines: ir.Table, names: Sequence[str]) -> dict[str, ir.Value]:
    """What an order says of whether its lines differ: aggregates for :func:`may_repeat`.

    Args:
        lines: that are grouped by order.
        names: of the columns by which lines are told apart.
    """
    line = functools.reduce(operator.xor, (_hash_of(lines[name].type())(lines[name]) for name in names))
    bit = ibis.literal(1, "uint64") << (line & ibis.literal(63, "uint64"))
    return {"lines": lines.count(), "least": line.min(), "most": line.max(), "bits": bit.bit_or()}


def may_repeat(orders: ir.Table) -> ir.BooleanValue:
    """Whether two of an order's lines may be equal; where it is false none are."""
    two = (orders.lines == 2) & (orders.least != orders.most)
    return ~((orders.lines == 1) | two | (_bit_count(orders.bits) == orders.lines))
