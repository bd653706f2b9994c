"""What PostgreSQL holds, as the cleaning rules expect it from every source: ids, times and amounts.

Text is turned into times and numbers by patterns (PostgreSQL has no cast that yields null), and numbers that would make
its arithmetic fail are limited.
"""

from __future__ import annotations

import ibis
from ibis.expr import datatypes as dtypes
from ibis.expr import types as ir

from clients.data.place import Reading
from clients.data.sources.finite import finite_times
from clients.data.sources.plain_text import CLOCK, DAY, MICROSECONDS, NUMBER, NUMBER_LENGTH, UTC
from clients.data.sources.spelling import Reader, spelled

#: Amounts are limited to this, so that quantity x price x rate cannot overflow, which fails in PostgreSQL.
_LARGEST, _SMALLEST = 1e140, 1e-140


@ibis.udf.scalar.builtin(name="make_date", signature=((dtypes.int32, dtypes.int32, dtypes.int32), dtypes.date))
def _make_date(year, month, day):  # type: ignore[no-untyped-def]  # Ibis reads the signature above
    """PostgreSQL's ``make_date``."""


def in_line(config: Reading, padded: frozenset[str], table: ir.Table) -> ir.Table:
    """Ids, times and amounts as the cleaning rules expect them from every source."""
    columns = config.columns
    reader = Reader(number=_number_of, time=lambda text: _time_of(text, utc=False))
    table = spelled(config, finite_times(table), reader=reader)
    # The server itself takes the blanks behind a char(n) for no part of it: as text it has none, so ids have none.
    ids = padded & set(columns.of_form("id").values())
    changes: dict[str, ir.Value] = {name: ibis.literal("").concat(table[name]) for name in sorted(ids)}
    for name in columns.of_form("time").values():
        if name not in table.columns:
            continue
        time = table[name]
        kind = time.type()
        if kind.is_string():
            changes[name] = _time_of(time, utc=config.source.time_zone == "UTC")
        elif kind.is_timestamp() or kind.is_date():
            zone = kind.timezone if kind.is_timestamp() else None
            changes[name] = time.cast(dtypes.Timestamp(timezone=zone, scale=6))
    for name in columns.of_form("number").values():
        if name not in table.columns:
            continue
        kind = table[name].type()
        if kind.is_string():
            changes[name] = _number_of(table[name])
        elif kind.is_floating():
            changes[name] = _limited(table[name])
        elif kind.is_decimal() and (kind.precision is None or kind.precision > 100):
            changes[name] = _limited_decimal(table[name])
    return table.mutate(**changes) if changes else table


def _number_of(column: ir.Value) -> ir.Value:
    """Text as a number; null where it is none."""
    text = column.strip()
    safe = text.re_search(NUMBER) & (text.length() <= NUMBER_LENGTH)
    number = ibis.ifelse(safe, text, ibis.null("string")).cast("decimal")
    return _limited_decimal(ibis.ifelse(number.abs() < _exact("1.7e308"), number, ibis.null("decimal")))


def _limited(number: ir.Value) -> ir.Value:
    number = number.cast("float64")
    limits = ((number > _LARGEST, _LARGEST), (number < -_LARGEST, -_LARGEST), (number.abs() < _SMALLEST, 0.0))
    return ibis.cases((number.isnan() | number.isinf(), number), *limits, else_=number).cast("float64")


def _exact(text: str) -> ir.Value:
    return ibis.literal(text).cast("decimal")


def _limited_decimal(number: ir.Value) -> ir.Value:
    """A decimal of any size as a float; PostgreSQL's decimals know NaN and infinity, too."""
    special = number.isin([_exact("NaN"), _exact("Infinity"), _exact("-Infinity")])
    limits = ((number > _exact("1e140"), _exact("1e140")), (number < _exact("-1e140"), _exact("-1e140")))
    tiny = (number.abs() < _exact("1e-140"), _exact("0"))
    return ibis.cases((special, number), *limits, tiny, else_=number).cast("float64")


def _time_of(column: ir.Value, *, utc: bool) -> ir.Value:
    """ISO text as a time; null where it is none, or has an offset whose meaning would be a guess."""
    text = column.strip()
    spelled = text.re_search(f"^{DAY}{CLOCK}{UTC if utc else ''}$") & ~text.startswith("0000")
    text = ibis.ifelse(spelled, text, ibis.null("string"))
    year, month, day = (text.substr(start, length).cast("int32") for start, length in ((0, 4), (5, 2), (8, 2)))
    exists = (_make_date(year, month, ibis.literal(1, "int32")) + ibis.interval(days=1) * (day - 1)).month() == month
    plain = text.re_replace(UTC + "$", "") if utc else text
    return ibis.ifelse(exists, plain.substr(0, MICROSECONDS), ibis.null("string")).cast("timestamp(6)")
