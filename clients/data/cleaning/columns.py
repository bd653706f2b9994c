"""The source's columns, read as what they are mapped as."""

from __future__ import annotations

import difflib
from typing import Literal

import ibis
from ibis.expr import types as ir

from clients.data.cleaning.times import FIRST_DAY, zone_of
from clients.data.place import Reading, beside
from privacy.errors import DataError

_FLOAT_MAX = 1.7e308
_OFFSET = r":[0-9]{2}(\.[0-9]+)?\s*([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$"

#: Text that says that there is no discount, beside zeros in any spelling.
_NO_DISCOUNT = ("", "-", "–", "f", "false", "n", "no", "nein", "none", "null", "nan", "n/a", "否", "无")


def missing_columns(table: ir.Table, config: Reading) -> list[str]:
    """One sentence for every mapped column that the source does not have, with the names that come closest."""
    lower = {name.lower(): name for name in table.columns}
    sentences = []
    wanted = {f"columns.{role}": name for role, name in config.columns.mapped().items()} | beside(config.source)
    for setting, name in wanted.items():
        if name in table.columns:
            continue
        near = [lower[item] for item in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.6)]
        advice = f"did you mean {' or '.join(near)}?" if near else f"there is: {', '.join(table.columns[:20])}"
        sentences.append(f"{setting}: the source has no column {name!r}; {advice}")
    return sentences


def typed(table: ir.Table, config: Reading) -> ir.Table:
    """Read text times and numbers; what cannot be read becomes null, and is counted later."""
    changes: dict[str, ir.Value] = {}
    for role, name in config.columns.of_form("time").items():
        time = table[name]
        if time.type().is_string():
            changes[name] = _time_of_text(time, config.source.time_zone)
        elif time.type().is_date() or (time.type().is_timestamp() and time.type().scale not in (None, 6)):
            changes[name] = time.cast(ibis.dtype("timestamp(6)").copy(timezone=zone_of(time)))
        elif not time.type().is_timestamp():
            hint = "map a column of times, days or text under [columns]"
            if time.type().is_integer():
                hint += f'; or, if it counts seconds, write [source.read.{role}] formats = ["epoch_s"]'
            raise DataError(f"columns.{role}: {name!r} is {time.type()}, not a time", hint=hint)
    for role, name in config.columns.of_form("number").items():
        column = table[name]
        if column.type().is_string():
            changes[name] = column.strip().try_cast("float64")
        elif not column.type().is_numeric():
            raise DataError(
                f"columns.{role}: {name!r} is {column.type()}, not a number",
                hint="map a column of numbers or text under [columns]",
            )
    for role, name in config.columns.of_form("flag").items():
        kind = table[name].type()
        if not (kind.is_string() or kind.is_numeric() or kind.is_boolean()):
            raise DataError(
                f"columns.{role}: {name!r} is {kind}, which says nothing of a {role}",
                hint="map a number, a truth value or text under [columns]",
            )
    for role, name in config.columns.of_form("name").items():
        kind = table[name].type()
        if not (kind.is_string() or kind.is_integer() or kind.is_boolean() or kind.is_uuid()):
            raise DataError(
                f"columns.{role}: {name!r} is {kind}, which names no {role}",
                hint="map text or whole numbers under [columns]",
            )
    return table.mutate(**changes) if changes else table


def _time_of_text(column: ir.StringValue, zone: str) -> ir.TimestampValue:
    text = column.strip()
    parsed = text.try_cast("timestamp")
    foreign = text.re_search(_OFFSET)
    if zone == "UTC":
        foreign = foreign & ~text.re_search(r"([Zz]|[+-]00(:?00)?)$")
    # Databases disagree on what an offset means in a time without a zone; nobody's guess is used.
    return ibis.ifelse(foreign, ibis.null("timestamp"), parsed)


def time_facts(table: ir.Table, config: Reading) -> ir.Table:
    """A query of one row: ``rows``, and the ``first`` and ``last`` readable time, as wall time where it has no zone."""
    rows = typed(table, config)
    time = rows[config.columns.mapped()["time"]]
    if zone_of(time) is not None:
        time = time.cast("timestamp('UTC')").cast("timestamp(6)")
    readable = time >= ibis.literal(FIRST_DAY)
    return rows.aggregate(rows=rows.count(), first=time.min(where=readable), last=time.max(where=readable))


def finite(value: ir.Value) -> ir.BooleanValue:
    """Whether a number is one: neither null, nor infinite, nor NaN. Never null."""
    # NaN is asked for by name: DuckDB may answer a comparison from a Parquet file's statistics, which leave NaN out.
    return ((value.abs() <= _FLOAT_MAX) & ~value.isnan()).fill_null(False)


def is_discounted(lines: ir.Table) -> ir.BooleanValue:
    """Whether each of the ``cleaned_lines`` was reduced; nowhere, if no column says so.

    A number other than zero, or true. Text with a digit other than zero (``-1,50``, ``10 %``), or without any digit
    (``summer sale``), unless it is one of the words for none. Never null.
    """
    return is_so(lines.raw_discount) if "raw_discount" in lines.columns else ibis.literal(False)


def is_so(column: ir.Value) -> ir.BooleanValue:
    """Whether a column that is read as a flag says yes, as in :func:`is_discounted`. Never null."""
    kind = column.type()
    if kind.is_boolean():
        found = column
    elif kind.is_string():
        text = column.strip().lower()
        found = text.re_search("[1-9１-９]") | ~(text.re_search("[0０]") | text.isin(_NO_DISCOUNT))
    else:
        found = column != 0
        found = found & ~column.isnan() if kind.is_floating() else found
    return found.fill_null(False)


def says(lines: ir.Table, role: Literal["category", "channel"], value: str) -> ir.BooleanValue:
    """Whether each of the ``cleaned_lines`` has this category or channel; nowhere, if no column says so. Never null.

    Compared as text, trimmed and without regard to case. The database folds both sides, whatever its rules are.
    """
    if f"raw_{role}" not in lines.columns:
        return ibis.literal(False)
    found = lines[f"raw_{role}"].cast("string").strip().lower() == ibis.literal(value).strip().lower()
    return found.fill_null(False)
