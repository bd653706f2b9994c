"""The cleaning rules as one expression: every source row gets the first rule that applies to it.

All rules look at one row only and stand in one fixed order, so that each dropped row is counted once. Exact duplicates
are found afterwards among the rows that are left. Ibis expressions only: nothing is loaded.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import ibis
import sqlglot
from ibis.expr import types as ir

from clients.data.cleaning.columns import finite, missing_columns, typed
from clients.data.cleaning.ids import Id, customer_of, id_of, normal_ids, read_exclusion_list
from clients.data.cleaning.money import money_of, once_an_order, with_order_amounts
from clients.data.cleaning.status import with_status
from clients.data.cleaning.times import FIRST_DAY, PLACEHOLDERS, as_of_moment, day_of, moment_literal, zone_at
from clients.data.origin import Origin
from clients.data.place import Reading
from privacy.errors import DataError
from privacy.protocol.study import Study


class Rule(NamedTuple):
    """A reason to leave a row out."""

    name: str
    says: str


#: In the order in which they are tried; a row counts under the first that applies. The position plus one is its code.
RULES: tuple[Rule, ...] = (
    Rule("where", "outside source.where"),
    Rule("no_customer_id", "no customer id"),
    Rule("excluded", "customer on the exclusion list"),
    Rule("several_persons", "id that belongs to several persons, by [person] and columns.person"),
    Rule("no_sale", "neither a sale nor a return, by [source.status]"),
    Rule("unreadable_time", "time missing, unreadable, a placeholder such as 1970-01-01, or before 1900"),
    Rule("after_as_of", "on or after the as-of day"),
    Rule("no_order_id", "no order id"),
    Rule("no_orders", "number of orders missing, below one, or not whole"),
    Rule("non_goods", "product code that is not goods"),
    Rule("unreadable_amount", "amount missing, unreadable or not finite"),
    Rule("unknown_currency", "currency that the study does not know"),
    Rule("no_rate", "before the first exchange rate of its currency"),
    Rule("cancellation", "line of a cancelled order"),
    Rule("return", "quantity zero or negative, or amount negative"),
    Rule("before_window", "older than the study's window of days"),
)
KEPT = 0
#: Nobody has placed more orders than this.
_MOST_ORDERS = 10**6
_LAST_OF_DAY = dt.timedelta(days=1) - dt.timedelta(microseconds=1)
_CODE = {rule.name: code for code, rule in enumerate(RULES, start=1)}
#: Of rows that would count, were they not too old for the table that is made: see ``clients.data.rows.customers``.
BEFORE_WINDOW = _CODE["before_window"]
#: Of rows of a holder with several sources: see ``clients.data.several``.
SEVERAL_PERSONS = _CODE["several_persons"]
#: Rules that come before it, and those of who never takes part; a row without a customer belongs to nobody.
EXCLUDED = _CODE["excluded"]
#: Rows under these rules still count against the customer's spend where the study says ``returns = "net"``.
NETTED = (_CODE["cancellation"], _CODE["return"])
#: Rows under these rules would count if the study knew their currency's rate.
WITHOUT_RATE = (_CODE["unknown_currency"], _CODE["no_rate"])


def with_condition(table: ir.Table, where: str) -> ir.Table:
    """Add the boolean column ``_takes_part``: whether ``where`` is true (not false, not null) for the row."""
    backend = table.get_backend()
    try:
        sqlglot.parse_one(where, into=sqlglot.exp.Condition, dialect=backend.dialect)
    except sqlglot.errors.SqlglotError:
        raise DataError(
            "source.where is not a SQL condition",
            hint='write it under [source] as after WHERE, such as where = "consent = true"',
        ) from None
    # DuckDB's TRY makes a value that cannot be converted "not true" instead of a failed run.
    guarded = f"TRY({where})" if backend.name == "duckdb" else f"({where})"
    query = f"SELECT *, COALESCE({guarded}, FALSE) AS _takes_part FROM cohortium_source"
    try:
        result = table.alias("cohortium_source").sql(query)
    except Exception as problem:  # the database's own binder; its first line names columns, never rows
        raise DataError(
            f"source.where cannot be used: {str(problem).splitlines()[0]}",
            hint='use the names of the source\'s columns and SQL, such as where = "consent = true" under [source]',
        ) from None
    if not result["_takes_part"].type().is_boolean():
        raise DataError(
            "source.where is not a condition",
            hint='write a comparison, such as where = "consent = true" under [source]',
        )
    return result


def cleaned_lines(
    table: ir.Table,
    origin: Origin,
    *,
    tidy: frozenset[str] = frozenset(),
    exact_ids: bool = False,
    of_anybody: bool = False,
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
        of_anybody: whether to leave rules out on whose row it is; :func:`of_somebody` applies them to groups.

    Raises:
        DataError: if a column is missing or cannot be what it is mapped as; never because of what a row says.
    """
    config = origin.config
    missing = missing_columns(table, config)
    if missing:
        hint = 'write the name that the source has under [columns], such as time = "Order Date"'
        raise DataError("\n".join(missing), hint=hint)
    columns = config.columns
    source = typed(table, config)
    if config.source.where is not None:
        source = with_condition(source, config.source.where)
    source = with_status(source, config)
    customer = customer_of(source[columns.customer], config, origin.study.cleaning.null_ids, tidy="customer" in tidy)
    order = None if columns.order is None else id_of(source[columns.order], "order", ("",), tidy="order" in tidy)
    tests = {} if of_anybody else tests_of_whom(customer, config, base=origin.base)
    tests |= tests_of_taking_part(source, config) | _tests_of_ids(source, order, origin)

    mapped = columns.mapped()
    raw = [f"raw_{role}" for role in mapped if role not in ("customer", "order", "time")]
    exact = {"source_id": customer.exact} if exact_ids and customer.exact is not None else {}
    rows = source.select(
        customer=customer.key,
        order=day_of(source[columns.time], config) if order is None else order.key,
        time=source[columns.time],
        **{name: source[mapped[name.removeprefix("raw_")]] for name in raw},
        **{f"test_{name}": test for name, test in tests.items()},
        **exact,
    )
    if columns.order_amount is not None:
        rows = with_order_amounts(rows)
        raw = ["raw_amount", *raw]
    lines = rows.select("customer", "order", *exact, "time", *raw, rule=_rule(rows, tests, origin))
    return lines if columns.order_amount is None else once_an_order(lines)


def _rule(rows: ir.Table, names: Iterable[str], origin: Origin) -> ir.Value:
    """The first rule that applies, of those whose tests rows have by name, and of those on figures."""
    found = {name: rows[f"test_{name}"] for name in names}
    figures = _tests_of_figures(rows, origin)
    if origin.config.source.kind == "customers":  # what they spent in all may be less than nothing
        figures.pop("return")
        figures["no_orders"] = ~_is_orders(rows.raw_orders)
    if "return" in found:
        figures["return"] |= found["return"]
    return first_rule(found | figures)


def first_rule(found: dict[str, ir.Value]) -> ir.Value:
    """The code of the first rule that applies, in the order of ``RULES``; ``KEPT`` where none does.

    Args:
        found: by the rule's name, whether it applies.
    """
    return ibis.cases(*[(found[name], code) for name, code in _CODE.items() if name in found], else_=KEPT)


def _tests_of_ids(source: ir.Table, order: Id | None, origin: Origin) -> dict[str, ir.Value]:
    """By the rule's name: whether it applies, for rules on which order it is, and whether it is one."""
    tests: dict[str, ir.Value] = {}
    if origin.config.source.status:
        tests["no_sale"] = ~(source["_is_sale"] | source["_is_return"])
        tests["return"] = source["_is_return"]
    if order is not None:
        tests["no_order_id"] = order.missing
        if origin.study.cleaning.cancellation_prefix:
            tests["cancellation"] = order.text.startswith(origin.study.cleaning.cancellation_prefix)
    return tests


def tests_of_taking_part(source: ir.Table, config: Reading) -> dict[str, ir.Value]:
    """By the rule's name: whether it applies, for the source's condition; alike for purchases and other feeds."""
    return {} if config.source.where is None else {"where": ~source["_takes_part"]}


def of_somebody(customers: ir.Table, config: Reading, study: Study, *, base: Path) -> ir.Table:
    """What was made of rows of anybody, one row a customer, without nobody and who never takes part.

    Who somebody is says the id alone: asking that of each customer, not of each row, is several times cheaper.

    Args:
        customers: with ``customer``, and ``rows``, their number: a database that looks for conditions that it may apply
            to rows before it groups them finds none in one that is about both.
        config: where the rows come from.
        study: whose spellings of nobody count.
        base: the folder of ``holder.toml``.
    """
    ids = customers.customer
    customer = customer_of(ids, config, study.cleaning.null_ids, tidy=ids.type().is_string())
    tests = tests_of_whom(customer, config, base=base)
    return customers.filter([~test.fill_null(False) | (customers.rows < 0) for test in tests.values()])


def tests_of_whom(customer: Id, config: Reading, *, base: Path) -> dict[str, ir.Value]:
    """The same as of :func:`tests_of_taking_part` for rules on the id."""
    tests: dict[str, ir.Value] = {"no_customer_id": customer.missing}
    excluded = read_exclusion_list(config, base=base)
    if excluded:
        listed = ibis.memtable({"listed": normal_ids(excluded, config)}, schema={"listed": "string"})
        tests["excluded"] = customer.text.isin(listed.listed)
    return tests


def tests_of_when(time: ir.Value, config: Reading, study: Study) -> dict[str, ir.Value]:
    """The same for rules on when it was."""
    since, before = is_seen(time, config, study)
    return {"unreadable_time": ~since.fill_null(False), "after_as_of": ~before}


def is_seen(time: ir.Value, config: Reading, study: Study) -> tuple[ir.BooleanValue, ir.BooleanValue]:
    """Whether a row is of a day that counts at all, and of before the as-of day: a study sees where both hold."""
    until = moment_literal(as_of_moment(study, zone_at(config, time)), time)
    known = time >= moment_literal(FIRST_DAY, time)
    for day in PLACEHOLDERS:
        known &= ~time.between(moment_literal(day, time), moment_literal(day + _LAST_OF_DAY, time))
    # Nearly all times are later than all of these, and a database then looks no further.
    later = time > moment_literal(max(PLACEHOLDERS) + _LAST_OF_DAY, time)
    return later | known, time < until


def _tests_of_figures(rows: ir.Table, origin: Origin) -> dict[str, ir.Value]:
    """By the rule's name: whether it applies, for rules on when, what, and for how much."""
    config, study = origin.config, origin.study
    found = tests_of_when(rows.time, config, study)
    if study.cleaning.non_goods and config.columns.product is not None:
        found["non_goods"] = rows.raw_product.cast("string").strip().upper().isin(study.cleaning.non_goods)
    money = money_of(rows, origin)
    found["unreadable_amount"] = ~finite(money.own)
    if money.unknown_currency is not None and money.no_rate is not None:
        found["unknown_currency"], found["no_rate"] = money.unknown_currency, money.no_rate
    found["return"] = money.own < 0
    if config.columns.quantity is not None:
        found["return"] |= rows.raw_quantity <= 0
    return found


def _is_orders(number: ir.Value) -> ir.BooleanValue:
    """Whether a value is a number of orders. Never null."""
    value = number.cast("float64")
    return (value.between(1, _MOST_ORDERS) & (value == value.floor())).fill_null(False)
