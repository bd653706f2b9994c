"""Places among a dimension's keys, as expressions over a source's columns; null where there is no key."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import ibis
from ibis.expr import types as ir

from privacy.kernel.keys import OTHER, Keys

#: Days from 1900-01-01 to 1970-01-01: times before the first are no times, so that sums with it are never negative.
_SHIFT = 25_567
_DAY = 86_400

#: What a day of birth may look like: year first; day first, with dots. Of anything else with a year, the year.
_YEAR_FIRST = r"^(\d{4})[-/.年]?(\d{2})[-/.月]?(\d{2})"
_DAY_FIRST = r"^(\d{1,2})\.(\d{1,2})\.(\d{4})"
_YEAR = r"(?:^|[^0-9])((?:19|20)\d{2})(?:[^0-9]|$)"


def folded(column: ir.Value, known: Iterable[str] = ()) -> ir.StringValue:
    """A name as it is compared: trimmed, in lower case, as the database folds it.

    Args:
        column: as it is written.
        known: how many rows are expected to be written. Where a row is, there is nothing to trim, which is dear.
    """
    text = column.cast("string")
    plain = sorted({each for each in known if each == each.strip().casefold()})
    found = text.strip().lower()
    return ibis.ifelse(text.isin(plain), text, found) if plain else found


def place_of_name(text: ir.StringValue, keys: Keys, values: Mapping[str, str], *, fill: bool = True) -> ir.IntegerValue:
    """Place of a text's key. What is not listed has that of "other", if there is one, and else none.

    Args:
        text: :func:`folded`.
        fill: whether a missing text is "other", too, if there is that.
        keys: listed ones.
        values: own spelling to public key; without any, spellings are keys.
    """
    places = {key.casefold(): place for place, key in enumerate(keys.values)}
    spelled = values or {key: key for key in keys.values}
    branches = [
        (text == ibis.literal(own).strip().lower(), places[key.casefold()])
        for own, key in spelled.items()
        if places.get(key.casefold(), places.get(OTHER)) != places.get(OTHER)
    ]
    other = places.get(OTHER)
    none = ibis.null("int64")
    rest = none if other is None else ibis.literal(other, "int64")
    missing = [] if fill and other is not None else [(text.isnull() | (text == ""), none)]
    return ibis.cases(*missing, *branches, else_=rest).cast("int64") if missing or branches else rest


def place_of_flag(holds: ir.BooleanValue, keys: Keys) -> ir.IntegerValue:
    """Place of ``yes`` or ``no``."""
    places = {key: place for place, key in enumerate(keys.values)}
    branches = [(holds if key == "yes" else ~holds, place) for key, place in places.items()]
    return ibis.cases(*branches, else_=ibis.null("int64")).cast("int64")


def place_of_listed(index: ir.IntegerValue, all_values: tuple[str, ...], keys: Keys) -> ir.IntegerValue:
    """Place of the value with this place among all values, where the keys are some of them."""
    branches = [(index == all_values.index(key), place) for place, key in enumerate(keys.values)]
    return ibis.cases(*branches, else_=ibis.null("int64")).cast("int64")


def place_of_number(value: ir.IntegerValue, keys: Keys) -> ir.IntegerValue:
    """Place of a whole number in a range, or in bins of which the last one is open."""
    none = ibis.null("int64")
    if keys.first is not None and keys.last is not None:
        return ibis.ifelse((value >= keys.first) & (value <= keys.last), value - keys.first, none).cast("int64")
    branches = [(value <= end, place) for place, end in enumerate(keys.upper)]
    return ibis.cases((value.isnull(), none), *branches, else_=len(keys.upper)).cast("int64")


def place_of_day(day: ir.IntegerValue, keys: Keys) -> ir.IntegerValue:
    """Place of the period that a day (days since 1970) is in."""
    ends = [(first - dt.date(1970, 1, 1)).days for first in keys.days]
    branches = [(day < end, place) for place, end in enumerate(ends[1:])]
    none = ibis.null("int64")
    return ibis.cases((day.isnull() | (day < ends[0]), none), *branches, else_=none).cast("int64")


def seconds_of(time: ir.TimestampValue) -> ir.IntegerValue:
    """Whole seconds since 1970 of a time as it is written, rounded down."""
    return time.truncate("s").epoch_seconds().cast("int64")


def day_number(wall: ir.TimestampValue) -> ir.IntegerValue:
    """Days since 1970 of a time on the wall's clock."""
    return (seconds_of(wall) + _SHIFT * _DAY) // _DAY - _SHIFT


def month_number(wall: ir.TimestampValue) -> ir.IntegerValue:
    """Months since year 0 of a time on the wall's clock."""
    return wall.year().cast("int64") * 12 + wall.month().cast("int64")


def born_number(born: ir.Value) -> ir.IntegerValue:
    """A day of birth as the number YYYYMMDD; YYYY0000 where the year alone is known. Null where nothing is."""
    if born.type().is_date():
        return (born.year() * 10_000 + born.month() * 100 + born.day()).cast("int64")
    text = born.cast("string").strip()
    whole, dotted, year = (text.re_search(pattern) for pattern in (_YEAR_FIRST, _DAY_FIRST, _YEAR))

    def number(pattern: str, *groups: int) -> ir.IntegerValue:
        parts = [text.re_extract(pattern, group).lpad(2, "0") for group in groups]
        joined = parts[0]
        for part in parts[1:]:
            joined = joined.concat(part)
        return joined.concat("" if len(parts) == 3 else "0000")

    digits = ibis.cases(
        (whole, number(_YEAR_FIRST, 1, 2, 3)),
        (dotted, number(_DAY_FIRST, 3, 2, 1)),
        (year, number(_YEAR, 1)),
        else_=ibis.null("string"),
    )
    return ibis.ifelse(digits.re_search(r"^\d{8}$"), digits, ibis.null("string")).cast("int64")


def age_on(born: ir.Value, day: dt.date) -> ir.IntegerValue:
    """Whole years from a day of birth to a day; from a year alone as if it were its first day. Null beyond 0 to 120."""
    known = born_number(born)
    then = ibis.ifelse(known % 10_000 == 0, known + 101, known)
    age = (day.year * 10_000 + day.month * 100 + day.day - then) // 10_000
    fits = (age >= 0) & (age <= 120)
    return ibis.ifelse(fits & (then <= day.year * 10_000 + day.month * 100 + day.day), age, ibis.null("int64"))
