"""The cleaning rules as one expression: every source row gets the first rule that applies to it.

All rules look at one row only and stand in one fixed order, so that each dropped row is counted once. Exact duplicates
are found afterwards among the rows that are left. Ibis expressions only: nothing is loaded.
"""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import zoneinfo
from pathlib import Path
from typing import Literal, NamedTuple

import ibis
import sqlglot
from ibis.expr import datatypes as dtypes
from ibis.expr import types as ir

from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.sources.locations import resolve
from privacy.errors import DataError
from privacy.protocol.study import Study

#: Money is added up as integers of this fraction of the study's currency unit, so that the order of addition, and with
#: it the source, cannot change a digit.
QUANTA_PER_UNIT = 10_000
#: Lines beyond ten billion currency units count as ten billion (and are counted): sums of integers stay integers.
LINE_LIMIT = 10**14
#: Times before this day are placeholders of some program, not purchases.
FIRST_DAY = dt.datetime(1900, 1, 1)
_FLOAT_MAX = 1.7e308
_UNTIDY = r"^[ \t\n\r\v\f]|[ \t\n\r\v\f]$|\.0+$"
_OFFSET = r":[0-9]{2}(\.[0-9]+)?\s*([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$"


#: Text that says that there is no discount, beside zeros in any spelling.
_NO_DISCOUNT = ("", "-", "–", "f", "false", "n", "no", "nein", "none", "null", "nan", "n/a", "否", "无")


class Rule(NamedTuple):
    """A reason to leave a row out."""

    name: str
    says: str


#: In the order in which they are tried; a row counts under the first that applies. The position plus one is its code.
RULES: tuple[Rule, ...] = (
    Rule("where", "outside source.where"),
    Rule("no_customer_id", "no customer id"),
    Rule("excluded", "customer on the exclusion list"),
    Rule("unreadable_time", "time missing, unreadable or before 1900"),
    Rule("after_as_of", "on or after the as-of day"),
    Rule("no_order_id", "no order id"),
    Rule("non_goods", "product code that is not goods"),
    Rule("unreadable_amount", "amount missing, unreadable or not finite"),
    Rule("unknown_currency", "currency that the study does not know"),
    Rule("no_rate", "before the first exchange rate of its currency"),
    Rule("cancellation", "line of a cancelled order"),
    Rule("return", "quantity zero or negative, or amount negative"),
)
KEPT = 0
_CODE = {rule.name: code for code, rule in enumerate(RULES, start=1)}
#: Rows under these rules still count against the customer's spend where the study says ``returns = "net"``.
NETTED = (_CODE["cancellation"], _CODE["return"])
#: Rows under these rules would count if the study knew their currency's rate.
WITHOUT_RATE = (_CODE["unknown_currency"], _CODE["no_rate"])


def missing_columns(table: ir.Table, config: HolderConfig) -> list[str]:
    """One sentence for every mapped column that the source does not have, with the names that come closest."""
    lower = {name.lower(): name for name in table.columns}
    sentences = []
    for role, name in config.columns.mapped().items():
        if name in table.columns:
            continue
        near = [lower[item] for item in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.6)]
        advice = f"did you mean {' or '.join(near)}?" if near else f"there is: {', '.join(table.columns[:20])}"
        sentences.append(f"columns.{role}: the source has no column {name!r}; {advice}")
    return sentences


def as_of_moment(study: Study, zone: str) -> dt.datetime:
    """The start of the as-of day in the study's zone, as wall time of ``zone`` without a zone."""
    return wall_time(study.as_of, study.time_zone, zone)


def wall_time(day: dt.date, at: str, zone: str) -> dt.datetime:
    """The start of a day in the zone ``at``, as wall time of ``zone`` without a zone."""
    start = dt.datetime.combine(day, dt.time(), tzinfo=zoneinfo.ZoneInfo(at))
    return start.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None)


class _Id(NamedTuple):
    """An id column.

    Attributes:
        key: what to group by.
        text: the key as text.
        missing: whether there is none.
        exact: the id as the source prints it; None where that is ``text``.
    """

    key: ir.Value
    text: ir.StringValue
    missing: ir.BooleanValue
    exact: ir.StringValue | None = None


def _normal_text(text: ir.StringValue) -> ir.StringValue:
    text = text.strip()
    return ibis.ifelse(text.contains("."), text.re_replace(r"^([0-9]+)\.0+$", r"\1"), text)


def text_ids(table: ir.Table, config: HolderConfig) -> frozenset[str]:
    """Which of ``customer`` and ``order`` are mapped to text columns."""
    roles = config.columns.mapped()
    return frozenset(role for role in ("customer", "order") if role in roles and table[roles[role]].type().is_string())


def is_untidy(text: ir.StringValue) -> ir.BooleanValue:
    """Whether an id has white space around it or ``.0`` behind it."""
    return text.re_search(_UNTIDY).fill_null(False)


def _id(column: ir.Value, role: str, null_ids: tuple[str, ...], *, tidy: bool = False) -> _Id:
    """Normalise ids: trimmed text; ``12345.0`` is ``12345``; leading zeros of text stay.

    Integers keep their type as the key, which groups several times faster than text. ``tidy`` promises that all text
    is in that form already.
    """
    kind = column.type()
    exact = None
    if kind.is_integer():
        nulls = [int(item) for item in null_ids if item.isascii() and item.isdigit() and int(item) < 2**31]
        missing = column.isnull()
        return _Id(column, column.cast("string"), missing | column.isin(nulls) if nulls else missing)
    if kind.is_string():
        text, exact = (column, None) if tidy else (_normal_text(column), column)
    elif kind.is_floating():
        number = ibis.ifelse(_finite(column), column, ibis.null(kind))
        whole = (number.abs() < 2**53) & (number == number.floor())
        # The inner null keeps the cast away from numbers that have no integer.
        integer = ibis.ifelse(whole, number, ibis.null(kind)).cast("int64").cast("string")
        text, exact = ibis.ifelse(whole, integer, number.cast("string")), column.cast("string")
    elif kind.is_decimal():
        exact = column.cast("string")
        text = _normal_text(exact)
    elif kind.is_uuid():
        text = column.cast("string")
    else:
        raise DataError(f"columns.{role}: a {kind} column cannot hold ids", hint="map a text or number column")
    spelled = text.lower() if any(item.upper() != item for item in null_ids) else text
    missing = text.isnull()
    return _Id(text, text, missing | spelled.isin(null_ids) if null_ids else missing, exact)


def _typed(table: ir.Table, config: HolderConfig) -> ir.Table:
    """Read text times and numbers; what cannot be read becomes null, and is counted later."""
    columns, source = config.columns, config.source
    changes: dict[str, ir.Value] = {}
    time = table[columns.time]
    if time.type().is_string():
        text = time.strip()
        parsed = text.try_cast("timestamp")
        if source.time_zone == "UTC":
            foreign = text.re_search(_OFFSET) & ~text.re_search(r"([Zz]|[+-]00(:?00)?)$")
        else:
            foreign = text.re_search(_OFFSET)
        # Databases disagree on what an offset means in a time without a zone; nobody's guess is used.
        changes[columns.time] = ibis.ifelse(foreign, ibis.null("timestamp"), parsed)
    elif time.type().is_date() or (time.type().is_timestamp() and time.type().scale not in (None, 6)):
        changes[columns.time] = time.cast(ibis.dtype("timestamp(6)").copy(timezone=zone_of(time)))
    elif not time.type().is_timestamp():
        raise DataError(
            f"columns.time: {columns.time!r} is {time.type()}, not a time",
            hint="map a timestamp, date or text column",
        )
    for role in ("amount", "quantity", "price"):
        name = getattr(columns, role)
        if name is None:
            continue
        column = table[name]
        if column.type().is_string():
            changes[name] = column.strip().try_cast("float64")
        elif not column.type().is_numeric():
            raise DataError(f"columns.{role}: {name!r} is {column.type()}, not a number", hint="map a number column")
    if columns.discount is not None:
        kind = table[columns.discount].type()
        if not (kind.is_string() or kind.is_numeric() or kind.is_boolean()):
            raise DataError(
                f"columns.discount: {columns.discount!r} is {kind}, which says nothing of a discount",
                hint="map a number, a truth value or text",
            )
    for role in ("category", "channel"):
        name = getattr(columns, role)
        kind = table[name].type() if name is not None else None
        if kind is not None and not (kind.is_string() or kind.is_integer() or kind.is_boolean()):
            raise DataError(
                f"columns.{role}: {name!r} is {kind}, which names no {role}", hint="map text or whole numbers"
            )
    return table.mutate(**changes) if changes else table


def is_discounted(lines: ir.Table) -> ir.BooleanValue:
    """Whether each of the ``cleaned_lines`` was reduced; nowhere, if no column says so.

    A number other than zero, or true. Text with a digit other than zero (``-1,50``, ``10 %``), or without any digit
    (``summer sale``), unless it is one of the words for none. Never null.
    """
    if "raw_discount" not in lines.columns:
        return ibis.literal(False)
    column = lines.raw_discount
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


def zone_of(time: ir.Value) -> str | None:
    """The zone that a column of times carries, or None."""
    return time.type().timezone if time.type().is_timestamp() else None


def _with_condition(table: ir.Table, where: str) -> ir.Table:
    """Add the boolean column ``_takes_part``: whether ``where`` is true (not false, not null) for the row."""
    backend = table.get_backend()
    try:
        sqlglot.parse_one(where, into=sqlglot.exp.Condition, dialect=backend.dialect)
    except sqlglot.errors.SqlglotError:
        raise DataError(
            "source.where is not a SQL condition", hint="write it as after WHERE, such as: consent = true"
        ) from None
    # DuckDB's TRY makes a value that cannot be converted "not true" instead of a failed run.
    guarded = f"TRY({where})" if backend.name == "duckdb" else f"({where})"
    query = f"SELECT *, COALESCE({guarded}, FALSE) AS _takes_part FROM cohortium_source"
    try:
        result = table.alias("cohortium_source").sql(query)
    except Exception as problem:  # the database's own binder; its first line names columns, never rows
        raise DataError(
            f"source.where cannot be used: {str(problem).splitlines()[0]}",
            hint="use the source's column names and SQL operators",
        ) from None
    if not result["_takes_part"].type().is_boolean():
        raise DataError("source.where is not a condition", hint="write a comparison, such as: consent = true")
    return result


def read_exclusion_list(config: HolderConfig, *, base: Path) -> tuple[str, ...]:
    """The ids on the exclusion list as written, in order, each once; empty where there is no list.

    Each line is read by itself: a stray quote in one person's line must not take others off the list.

    Raises:
        DataError: if the file is missing, not text, or has a line with a quote left open.
    """
    if config.source.exclude is None:
        return ()
    path = resolve(base, config.source.exclude)
    ids: dict[str, None] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # all kinds of line ends
        for number, line in enumerate(lines, start=1):  # noqa: B007  # named where it fails
            ids |= dict.fromkeys(row[0].strip() for row in csv.reader([line], strict=True) if row)
    except OSError:
        raise DataError(f"the exclusion list {path} cannot be read", hint="check source.exclude") from None
    except UnicodeDecodeError:
        raise DataError(f"the exclusion list {path} is not CSV in UTF-8", hint="save it as UTF-8 text") from None
    except csv.Error:
        raise DataError(
            f"line {number} of the exclusion list {path} has a quote that is not closed, or text after it",
            hint="write one id a line",
        ) from None
    ids.pop("", None)
    return tuple(ids)


class Money(NamedTuple):
    """What a line is worth.

    Attributes:
        own: in the line's own currency, float; null or not finite where it cannot be read.
        currency: code of that currency, upper case.
        quanta: integers of 1/10000 of the study's currency unit, rounded half up; null where there is no rate.
        capped: whether ``quanta`` stands at the limit for one line.
        unknown_currency, no_rate: the two ways of having no rate; None where that cannot be.
    """

    own: ir.Value
    currency: ir.Value
    quanta: ir.Value
    capped: ir.BooleanValue
    unknown_currency: ir.BooleanValue | None
    no_rate: ir.BooleanValue | None


def money_of(lines: ir.Table, origin: Origin) -> Money:
    """The money expressions over lines that have ``time`` and the ``raw_`` columns of ``cleaned_lines``."""
    config, study = origin.config, origin.study
    if config.columns.amount is not None:
        own = lines.raw_amount.cast("float64")
    else:
        own = lines.raw_quantity.cast("float64") * lines.raw_price.cast("float64")
    code = config.source.currency_code
    currency: ir.Value = lines.raw_currency.cast("string").strip().upper() if code is None else ibis.literal(code)
    unknown = no_rate = None
    scaled = own
    if code != study.currency:
        known = [name for name in (study.currency, *study.rates) if code in (None, name)]
        rate = _rate(currency, known, lines.time, origin)
        unknown = ~currency.isin(known).fill_null(False) if known else ibis.literal(True)
        no_rate = rate.isnull()
        scaled = own * rate
    capped = _finite(own) & (scaled.abs() * QUANTA_PER_UNIT > LINE_LIMIT)
    return Money(own, currency, _quanta(scaled, _finite(own)), capped, unknown, no_rate)


def own_quanta(money: Money) -> ir.IntegerValue:
    """The line's money in its own currency, as integers of 1/10000 of that currency's unit."""
    return _quanta(money.own, _finite(money.own))


def _quanta(units: ir.Value, finite: ir.BooleanValue) -> ir.IntegerValue:
    scaled = units * QUANTA_PER_UNIT
    limited = ibis.greatest(ibis.least(scaled, float(LINE_LIMIT)), -float(LINE_LIMIT))
    # NaN and infinity have no integer: the inner null keeps the cast away from them.
    return (ibis.ifelse(finite, limited, ibis.null("float64")) + 0.5).floor().cast("int64")


def time_facts(table: ir.Table, config: HolderConfig) -> ir.Table:
    """A query of one row: ``rows``, and the ``first`` and ``last`` readable time, as wall time where it has no zone."""
    rows = _typed(table, config)
    time = rows[config.columns.time]
    if zone_of(time) is not None:
        time = time.cast("timestamp('UTC')").cast("timestamp(6)")
    readable = time >= ibis.literal(FIRST_DAY)
    return rows.aggregate(rows=rows.count(), first=time.min(where=readable), last=time.max(where=readable))


def _finite(value: ir.Value) -> ir.BooleanValue:
    # NaN is asked for by name: DuckDB may answer a comparison from a Parquet file's statistics, which leave NaN out.
    return ((value.abs() <= _FLOAT_MAX) & ~value.isnan()).fill_null(False)


def _rate(currency: ir.Value, known: list[str], time: ir.Value, origin: Origin) -> ir.Value:
    """Units of the study's currency for one of the line's on its day; null where the study has no rate."""
    branches = []
    for code in known:
        for step in reversed(origin.study.rate_of(code) or ()):
            applies = currency == code
            if step.since > FIRST_DAY.date():
                since = wall_time(step.since, origin.study.time_zone, _zone(origin.config, time))
                applies &= time >= moment_literal(since, time)
            branches.append((applies, float(step.rate)))
    return ibis.cases(*branches, else_=ibis.null("float64")) if branches else ibis.null("float64")


@ibis.udf.scalar.builtin(
    name="timezone", signature=((dtypes.string, dtypes.Timestamp(timezone="UTC")), dtypes.timestamp)
)
def _wall_time_in(zone, time):  # type: ignore[no-untyped-def]  # Ibis reads the signature above
    """The function of DuckDB and PostgreSQL for a time's wall time in a zone; Ibis has none of its own."""


def _day(time: ir.Value, config: HolderConfig) -> ir.DateValue:
    """The day of a time at the source: as it is written there, or, where times carry a zone, in the source's."""
    return (time if zone_of(time) is None else _wall_time_in(config.source.time_zone, time)).date()


def _zone(config: HolderConfig, time: ir.Value) -> str:
    return "UTC" if zone_of(time) is not None else config.source.time_zone


def moment_literal(moment: dt.datetime, time: ir.Value) -> ir.Value:
    """``moment`` as a literal that compares with the time column."""
    return ibis.literal(moment if zone_of(time) is None else moment.replace(tzinfo=dt.UTC))


def cleaned_lines(
    table: ir.Table, origin: Origin, *, tidy: frozenset[str] = frozenset(), exact_ids: bool = False
) -> ir.Table:
    """Every row of the source with what the customer table needs, and the rule that applies to it.

    Columns: ``rule`` (int; ``KEPT`` or a code of ``RULES``), ``customer`` and ``order`` (keys to group by; without
    order ids the second one is the day), ``time``, and the other mapped columns as ``raw_<role>``. Rows equal in all of
    them are exact duplicates.

    Args:
        table: the source.
        origin: what its columns are, and whose rules apply.
        tidy: the id columns whose text is taken as it is, which is right where ``is_untidy`` holds for no row:
            normalising every id of every row takes as long as grouping them.
        exact_ids: whether to add ``source_id``, the customer's id as the source prints it, where that may differ from
            the key; such rows tell no duplicates.

    Raises:
        DataError: if a column is missing or cannot be what it is mapped as; never because of what a row says.
    """
    config, study = origin.config, origin.study
    missing = missing_columns(table, config)
    if missing:
        raise DataError("\n".join(missing), hint="mend [columns] in holder.toml")
    columns, cleaning = config.columns, study.cleaning
    source = _typed(table, config)
    tests: dict[str, ir.Value] = {}
    if config.source.where is not None:
        source = _with_condition(source, config.source.where)
        tests["where"] = ~source["_takes_part"]

    customer = _id(source[columns.customer], "customer", cleaning.null_ids, tidy="customer" in tidy)
    tests["no_customer_id"] = customer.missing
    if columns.order is not None:
        order = _id(source[columns.order], "order", ("",), tidy="order" in tidy)
        order_key = order.key
        tests["no_order_id"] = order.missing
        if cleaning.cancellation_prefix:
            tests["cancellation"] = order.text.startswith(cleaning.cancellation_prefix)
    else:
        order_key = _day(source[columns.time], config)
    excluded = read_exclusion_list(config, base=origin.base)
    if excluded:
        listed = ibis.memtable({"listed": list(excluded)}, schema={"listed": "string"})
        listed = listed.select(listed=_id(listed.listed, "customer", ()).text)
        tests["excluded"] = customer.text.isin(listed.listed)

    mapped = columns.mapped()
    raw = [f"raw_{role}" for role in mapped if role not in ("customer", "order", "time")]
    exact = {"source_id": customer.exact} if exact_ids and customer.exact is not None else {}
    rows = source.select(
        customer=customer.key,
        order=order_key,
        time=source[columns.time],
        **{name: source[mapped[name.removeprefix("raw_")]] for name in raw},
        **{f"test_{name}": test for name, test in tests.items()},
        **exact,
    )
    found: dict[str, ir.Value] = {name: rows[f"test_{name}"] for name in tests}
    found["unreadable_time"] = ~(rows.time >= moment_literal(FIRST_DAY, rows.time)).fill_null(False)
    found["after_as_of"] = rows.time >= moment_literal(as_of_moment(study, _zone(config, rows.time)), rows.time)
    if cleaning.non_goods and columns.product is not None:
        found["non_goods"] = rows.raw_product.cast("string").strip().upper().isin(cleaning.non_goods)
    money = money_of(rows, origin)
    found["unreadable_amount"] = ~_finite(money.own)
    if money.unknown_currency is not None and money.no_rate is not None:
        found["unknown_currency"], found["no_rate"] = money.unknown_currency, money.no_rate
    found["return"] = money.own < 0
    if columns.quantity is not None:
        found["return"] |= rows.raw_quantity <= 0
    tried = [(found[rule.name], code) for code, rule in enumerate(RULES, start=1) if rule.name in found]
    return rows.select("customer", "order", *exact, "time", *raw, rule=ibis.cases(*tried, else_=KEPT))
