"""What rows are by a column that says so: sales, returns, or neither."""

from __future__ import annotations

from collections.abc import Iterable

import ibis
from ibis.expr import types as ir

from clients.data.config import HolderConfig
from clients.data.place import Status

_IS = "_is_"


def with_status(table: ir.Table, config: HolderConfig) -> ir.Table:
    """Add what ``[source.status]`` says of each row, and give returns the minus that returns have.

    Columns ``_is_sale`` and ``_is_return``, never null. Of several columns all must say that a row is a sale; it is a
    return if one says so, and none says that it is neither. A return's amount, or its quantity, becomes minus what it
    is without a sign.
    """
    statuses = config.source.status
    if not statuses:
        return table
    sales = [_among(table, status, status.sale) for status in statuses]
    returns = [_among(table, status, status.returned) for status in statuses]
    counts = [sale | back for sale, back in zip(sales, returns, strict=True)]
    table = table.mutate(_is_sale=ibis.and_(*sales), _is_return=ibis.and_(*counts) & ibis.or_(*returns))
    columns = config.columns
    name = columns.amount or columns.order_amount or columns.quantity
    if name is None or not any(status.returned for status in statuses):
        return table
    return table.mutate(**{name: ibis.ifelse(table["_is_return"], -table[name].abs(), table[name])})


def status_value(table: ir.Table, status: Status) -> ir.StringValue:
    """The column's values as they are compared; empty where there is none."""
    return table[status.column].cast("string").strip().lower().fill_null("")


def unnamed(table: ir.Table, status: Status) -> ir.BooleanValue:
    """Whether a row's value is named nowhere."""
    return ~_among(table, status, (*status.sale, *status.returned, *status.none))


def _among(table: ir.Table, status: Status, values: Iterable[str]) -> ir.BooleanValue:
    # The database folds both sides, whatever its rules are.
    folded = [ibis.literal(value).strip().lower() for value in values]
    return status_value(table, status).isin(folded).fill_null(False) if folded else ibis.literal(False)
