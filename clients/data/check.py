"""``cohortium holder check``: look at a holder's data as a study would, and say what to mend.

The report names dates, amounts and ids: it is for the holder's own screen and goes nowhere else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr import types as ir
from pydantic import BaseModel, ConfigDict

from clients.data.cleaning.columns import is_discounted, missing_columns, time_facts
from clients.data.cleaning.ids import read_exclusion_list
from clients.data.cleaning.lines import KEPT, RULES, WITHOUT_RATE, cleaned_lines
from clients.data.cleaning.money import QUANTA_PER_UNIT, money_of, own_quanta
from clients.data.cleaning.times import as_of_moment
from clients.data.config import HolderConfig
from clients.data.feeds.coverage import FeedFigures, check_feeds
from clients.data.findings import Finding
from clients.data.origin import Origin
from clients.data.rows.customers import CleaningReport, build_customer_table
from clients.data.sources import fetch, open_source
from clients.data.sources.opened import ColumnsMissing, FileLines, LeftOut, Notice, left_out
from privacy.errors import CohortiumError
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.terms import Budget
from privacy.protocol.study import Study

#: Shares of all rows above which a rule deserves a warning: up to here it is everyday dirt.
_MISSING_IDS = 0.05
_DUPLICATES = 0.01
_UNREADABLE = 0.001
#: Lines of files that are no records: a warning up to these, then a problem.
_FEW_LINES = 3
_LINES_LEFT_OUT = 0.01
_LOOK = "look at that line in a text editor, and mend it where the file is made"
_LINE_HINTS = {
    "encoding": "check encoding under [source.csv], with a text editor",
    "quotes": "a record is one line; where line breaks are inside fields, export Parquet, or leave that column out",
    "too_few_fields": "a record is one line; where line breaks are inside fields, export Parquet; else mend that line",
    "too_many_fields": "a field that holds the separator must be in quotes; or export with another separator",
}
#: A gap between the last row and the as-of day longer than this looks like a forgotten export.
_STALE_DAYS = 45
_OPEN_END = 5  # currencies named before "and n more"


class CurrencyFigures(BaseModel):
    """Usable rows in one currency: ``revenue`` in its own units, ``known`` where the study has all rates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str
    lines: int
    revenue: Decimal
    known: bool


class CheckReport(BaseModel):
    """What a holder sees of its own data before a study. Its repr shows nothing.

    Attributes:
        holder: the holder's name.
        study: the study whose rules were applied; None where the defaults were.
        order_column: the column of order ids; None where an order is all that a customer buys on one day.
        as_of: the as-of day applied; without a study, the day after the last row.
        columns: the source's columns.
        files: where the source is files of lines, what the lines of each are.
        rows: rows of the source; None where a problem came before counting.
        first, last: earliest and latest time in the source, as written there (in UTC where it has zones).
        cleaning: what each rule did; None where a problem came first.
        currencies: rows and revenue by currency, before duplicates are dropped.
        unknown_currencies: those that the study has no rate for.
        excluded_ids: ids on the exclusion list.
        discounted: share of purchase lines that were reduced; None where no column says so, or there is no line.
        feeds: what is in feeds beside purchases; not there where a problem came first.
        problems: what must be mended before a study can run.
        warnings: what to look at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    holder: str
    study: str | None = None
    order_column: str | None = None
    as_of: dt.date | None = None
    columns: tuple[str, ...] = ()
    files: tuple[FileLines, ...] = ()
    rows: int | None = None
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    cleaning: CleaningReport | None = None
    currencies: tuple[CurrencyFigures, ...] = ()
    unknown_currencies: tuple[str, ...] = ()
    excluded_ids: int = 0
    discounted: float | None = None
    feeds: tuple[FeedFigures, ...] = ()
    problems: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        return "CheckReport(<private>)"

    __str__ = __repr__


def preflight(config: HolderConfig, study: Study | None, *, base: Path) -> CheckReport:
    """Check a holder's source; ``base`` is the folder of ``holder.toml``. Never raises for what is wrong with the data.

    Without a study its defaults apply: the as-of day is the day after the last row, and the most frequent currency is
    the study's.
    """
    facts: dict[str, Any] = {
        "holder": config.holder,
        "study": study.name if study else None,
        "order_column": config.columns.order,
    }
    try:
        with open_source(config, base=base) as opened:
            source, notices = opened.table, opened.notices
            facts |= {"columns": tuple(source.columns), "files": opened.files}
            if missing := missing_columns(source, config):
                return CheckReport(**facts, problems=_missing(missing))
            overview = fetch(time_facts(source, config), what="looking at times").to_pylist()[0]
            facts |= {"rows": overview["rows"], "first": overview["first"], "last": overview["last"]}
            facts["excluded_ids"] = len(read_exclusion_list(config, base=base))
            applied = study or _defaults(source, config, facts["last"])
            facts["as_of"] = applied.as_of
            origin = Origin(config, applied, base)
            lines = cleaned_lines(source, origin)
            facts["currencies"] = _currencies(lines, origin)
            facts["discounted"] = _discounted(lines) if config.columns.discount is not None else None
        asked = study.row_requests.values() if study is not None else ()
        request = next((one for one in asked if isinstance(one, CustomerRequest)), CustomerRequest())
        table = build_customer_table(origin, request)
    except ColumnsMissing as error:
        return CheckReport(**facts, problems=_missing(error.sentences))
    except CohortiumError as error:
        return CheckReport(**facts, problems=(Finding(code="source", text=error.message, hint=error.hint),))
    unknown = tuple(item.currency for item in facts["currencies"] if not item.known)
    feeds, feed_problems, feed_warnings = check_feeds(origin)
    facts |= {"cleaning": table.report, "unknown_currencies": unknown, "feeds": feeds}
    report = CheckReport(**facts)
    problems = (*_noticed(notices, True), *_problems(report, applied, config, has_study=study is not None))
    warnings = (*_noticed(notices, False), *_warnings(report, applied, config, study))
    return report.model_copy(update={"problems": problems + feed_problems, "warnings": warnings + feed_warnings})


def _noticed(notices: Iterable[Notice], is_problem: bool) -> Iterable[Finding]:
    """What is known of the source itself."""
    some = (item for item in notices if item.is_problem == is_problem)
    return (Finding(code=item.code, text=item.text, hint=item.hint) for item in some)


def _missing(sentences: Iterable[str]) -> tuple[Finding, ...]:
    hint = "mend [columns] in holder.toml"
    return tuple(Finding(code="missing_column", text=text, hint=hint) for text in sentences)


def _defaults(source: ir.Table, config: HolderConfig, last: dt.datetime | None) -> Study:
    """A study with default rules that sees all rows."""
    code = config.source.currency_code
    if code is None:
        spelled = source[config.columns.currency].cast("string").strip().upper()
        counted = source.select(code=spelled).group_by("code").agg(rows=ibis._.count())
        valid = counted.filter(counted.code.re_search("^[A-Z]{3}$")).order_by(ibis.desc("rows"), "code").limit(1)
        codes = fetch(valid, what="looking at currencies")["code"].to_pylist()
        code = codes[0] if codes else "EUR"
    day = min(last.date() if last else dt.date(2000, 1, 1), dt.date(9999, 12, 30)) + dt.timedelta(days=1)
    return Study(
        name="defaults", as_of=day, currency=code, time_zone=config.source.time_zone, budget=Budget(epsilon=Decimal(1))
    )


def _currencies(lines: ir.Table, origin: Origin) -> tuple[CurrencyFigures, ...]:
    usable = lines.filter(lines.rule.isin((KEPT, *WITHOUT_RATE)))
    money = money_of(usable, origin)
    sums = usable.group_by(currency=money.currency.fill_null("")).agg(
        lines=usable.count(),
        quanta=own_quanta(money).sum(),
        without=usable.rule.isin(WITHOUT_RATE).cast("int64").sum(),
    )
    rows = fetch(sums, what="adding up currencies").cast(
        pa.schema([("currency", pa.string()), ("lines", pa.int64()), ("quanta", pa.int64()), ("without", pa.int64())])
    )
    return tuple(
        CurrencyFigures(
            currency=row["currency"] or "(blank)",
            lines=row["lines"],
            revenue=Decimal(row["quanta"] or 0) / QUANTA_PER_UNIT,
            known=not row["without"],
        )
        for row in sorted(rows.to_pylist(), key=lambda row: (-row["lines"], row["currency"]))
    )


def _discounted(lines: ir.Table) -> float | None:
    bought = lines.filter(lines.rule == KEPT)
    query = bought.aggregate(share=is_discounted(bought).cast("float64").mean())
    share: float | None = fetch(query, what="looking at discounts")["share"].to_pylist()[0]
    return share


def _problems(report: CheckReport, study: Study, config: HolderConfig, *, has_study: bool) -> tuple[Finding, ...]:
    found = [_lines_finding(item) for item in left_out(report.files) if _are_many(item, report)]
    cleaning = report.cleaning
    codes = sorted(item.currency for item in report.currencies if len(item.currency) == 3)
    undeclared = [code for code in codes if code not in config.declared_currencies]
    if undeclared:
        every = ", ".join(f'"{code}"' for code in codes)
        found.append(
            Finding(
                code="undeclared_currency",
                text=f"holder.toml does not declare {_some(tuple(undeclared))}",
                hint=f"write under [source]: currencies = [{every}]",
            )
        )
    if report.unknown_currencies and has_study:
        found.append(
            Finding(
                code="unknown_currency",
                text=f"the study has no rate for {_some(report.unknown_currencies)}",
                hint="ask the coordinator for rates in the study, or leave these rows out with source.where",
            )
        )
    if report.rows == 0:
        found.append(Finding(code="empty", text="the source has no rows", hint="check source.url and source.table"))
    elif report.first is None:
        hint = "check columns.time, and [source.csv] date_format for CSV files"
        found.append(Finding(code="no_times", text="no row has a readable time", hint=hint))
    elif report.first.replace(tzinfo=None) >= as_of_moment(study, config.source.time_zone):
        found.append(
            Finding(
                code="as_of_before_data",
                text=f"the as-of day {study.as_of} is before all rows (the first is of {report.first:%Y-%m-%d})",
                hint="the study sees only rows before its as-of day; ask for a later one, or export older rows",
            )
        )
    elif cleaning is not None and cleaning.customers == 0:
        worst = max(cleaning.dropped, key=lambda name: cleaning.dropped[name], default="")
        why = next((rule.says for rule in RULES if rule.name == worst), "duplicates or returns")
        found.append(
            Finding(
                code="empty_after_cleaning",
                text=f"no customer is left after cleaning; most rows were dropped for: {why}",
                hint="compare holder.toml's columns and source.where, and the study's [cleaning], with the data",
            )
        )
    return tuple(found)


def _warnings(report: CheckReport, study: Study, config: HolderConfig, given: Study | None) -> tuple[Finding, ...]:
    cleaning = report.cleaning
    if cleaning is None or not report.rows:
        return ()
    found: list[Finding] = []

    def warn(code: str, text: str, hint: str = "") -> None:
        found.append(Finding(code=code, text=text, hint=hint))

    dropped, rows = cleaning.dropped, report.rows
    found += [_lines_finding(item) for item in left_out(report.files) if not _are_many(item, report)]
    if given is None and len(report.currencies) > 1:
        codes = _some(tuple(item.currency for item in report.currencies))
        warn("currencies", f"there are several currencies: {codes}", "a study needs rates for all of them")
    if dropped.get("no_customer_id", 0) > _MISSING_IDS * rows:
        share = dropped["no_customer_id"] / rows
        warn("missing_ids", f"{share:.1%} of the rows have no customer id", "guest sales are not seen by any study")
    for rule, role in (("unreadable_time", "times"), ("unreadable_amount", "amounts"), ("no_order_id", "order ids")):
        if dropped.get(rule, 0) > _UNREADABLE * rows:
            warn(rule, f"{dropped[rule]:,} rows have unreadable or missing {role}", "check the column and its format")
    if cleaning.duplicates > _DUPLICATES * rows:
        warn(
            "duplicates",
            f"{cleaning.duplicates:,} rows ({cleaning.duplicates / rows:.1%}) repeat another row exactly",
            'if these are real lines, map a column that tells them apart, or agree on duplicates = "keep"',
        )
    if config.columns.order is None and study.cleaning.cancellation_prefix:
        warn(
            "no_cancellations",
            f"the study knows cancelled orders by ids that begin with {study.cleaning.cancellation_prefix!r}, "
            "and there is no column of order ids",
            "if the source has one, map columns.order; without it, only a quantity or amount below zero is a return",
        )
    if cleaning.capped:
        warn("capped", f"{cleaning.capped:,} lines exceed ten billion currency units", "check the amounts' unit")
    if report.excluded_ids and not dropped.get("excluded"):
        warn(
            "exclusion_list",
            f"none of the {report.excluded_ids:,} ids on the exclusion list occurs in the source",
            "check that the list writes ids as the source does",
        )
    if report.discounted in (0.0, 1.0):
        warn(
            "discounts",
            f"{'no' if report.discounted == 0 else 'every'} line has a discount by {config.columns.discount!r}",
            "a line is reduced where that column is not 0, empty or false; is it the right one?",
        )
    if config.source.where is not None and dropped.get("where", 0) == rows:
        warn("where", "source.where is true for no row", "check its spelling against the data")
    for heavy in cleaning.heavy_ids:
        warn(
            "heavy_id",
            f"customer id {heavy.customer_id} has {heavy.share:.1%} of all orders ({heavy.orders:,})",
            "if it is a till or a guest account, put it on the exclusion list",
        )
    if report.last is not None:
        silent = (as_of_moment(study, config.source.time_zone) - report.last.replace(tzinfo=None)).days
        if silent > _STALE_DAYS:
            warn("stale", f"the last row is {silent} days before the as-of day", "is a newer export missing?")
    return tuple(found)


def _are_many(item: LeftOut, report: CheckReport) -> bool:
    return not report.rows or item.lines > max(_FEW_LINES, _LINES_LEFT_OUT * report.rows)


def _lines_finding(item: LeftOut) -> Finding:
    return Finding(code="lines", text=f"left out: {item.says}", hint=_LINE_HINTS.get(item.reason, _LOOK))


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _OPEN_END
    return ", ".join(names[:_OPEN_END]) + (f" and {more} more" if more > 0 else "")
