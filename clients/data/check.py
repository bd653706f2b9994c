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
from ibis.expr import types as ir

from clients.data.account import account, currencies_of
from clients.data.advice import problems_of, warnings_of
from clients.data.check_report import CheckReport
from clients.data.check_several import check_several
from clients.data.cleaning.columns import is_discounted, missing_columns, time_facts
from clients.data.cleaning.ids import read_exclusion_list
from clients.data.cleaning.lines import KEPT
from clients.data.config import HolderConfig
from clients.data.feeds.coverage import check_feeds
from clients.data.findings import Finding
from clients.data.looks import look
from clients.data.origin import Origin
from clients.data.read_once import read_once
from clients.data.rows import KINDS
from clients.data.rows.customers import table_of
from clients.data.sources import fetch, open_source
from clients.data.sources.opened import ColumnsMissing, Notice
from privacy.errors import CohortiumError, ConfigError
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.terms import DEFAULT_NULL_IDS, Budget
from privacy.protocol.study import Study


def preflight(config: HolderConfig, study: Study | None, *, base: Path) -> CheckReport:
    """Check a holder's source; ``base`` is the folder of ``holder.toml``. Never raises for what is wrong with the data.

    Without a study its defaults apply: the as-of day is the day after the last row, and the most frequent currency is
    the study's.
    """
    if config.sources:
        report = check_several(config, study, base=base, check_one=_check_one)
    else:
        report = _check_one(config, study, base=base)
    if study is not None:
        report = report.model_copy(update={"problems": (*report.problems, *_refusals(config, study, base))})
    return report


def _refusals(config: HolderConfig, study: Study, base: Path) -> Iterable[Finding]:
    """Why the node would refuse the study by what ``holder.toml`` says of ids, or of a table of customers."""
    try:
        config.check_ids(study)
        for request in study.row_requests.values() if config.source.kind == "customers" else ():
            KINDS[type(request)].check(Origin(config, study, base), request)
    except ConfigError as error:
        yield Finding(code="refused", text=error.message, hint=error.hint)


def _check_one(config: HolderConfig, study: Study | None, *, base: Path) -> CheckReport:
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
            opened = read_once(opened, config)
            source = opened.table
            overview = fetch(time_facts(source, config), what="looking at times").to_pylist()[0]
            facts |= {"rows": overview["rows"], "first": overview["first"], "last": overview["last"]}
            facts["excluded_ids"] = len(read_exclusion_list(config, base=base))
            nulls = study.cleaning.null_ids if study is not None else DEFAULT_NULL_IDS
            facts["looks"] = look(opened, config, nulls, today=dt.datetime.now(tz=dt.UTC).date())
            applied = study or _defaults(source, config, facts["looks"].days.last)
            facts["as_of"] = applied.as_of
            origin = Origin(config, applied, base)
            asked = study.row_requests.values() if study is not None else ()
            request = next((one for one in asked if isinstance(one, CustomerRequest)), CustomerRequest())
            table, lines, quanta = table_of(opened, origin, request)
            facts["steps"] = account(lines, origin, used_once=(table.report.lines, quanta))
            facts["currencies"] = currencies_of(facts["steps"])
            facts["discounted"] = _discounted(lines) if config.columns.discount is not None else None
    except ColumnsMissing as error:
        return CheckReport(**facts, problems=_missing(error.for_screen))
    except CohortiumError as error:
        return CheckReport(**facts, problems=(Finding(code="source", text=error.message, hint=error.hint),))
    unknown = tuple(item.currency for item in facts["currencies"] if not item.known)
    feeds, feed_problems, feed_warnings = check_feeds(origin)
    facts |= {"cleaning": table.report, "unknown_currencies": unknown, "feeds": feeds}
    report = CheckReport(**facts)
    problems = (*_noticed(notices, True), *problems_of(report, applied, config, has_study=study is not None))
    warnings = (*_noticed(notices, False), *warnings_of(report, applied, config, study))
    return report.model_copy(update={"problems": problems + feed_problems, "warnings": warnings + feed_warnings})


def _noticed(notices: Iterable[Notice], is_problem: bool) -> Iterable[Finding]:
    """What is known of the source itself."""
    some = (item for item in notices if item.is_problem == is_problem)
    return (Finding(code=item.code, text=item.text, hint=item.hint) for item in some)


def _missing(sentences: Iterable[str]) -> tuple[Finding, ...]:
    hint = (
        'write the name that the source has under [columns], such as time = "Order Date"; where some files call it '
        'otherwise both: time = ["Order Date", "Date"]'
    )
    return tuple(Finding(code="missing_column", text=text, hint=hint) for text in sentences)


def _defaults(source: ir.Table, config: HolderConfig, last: dt.date | None) -> Study:
    """A study with default rules that sees all rows but those far after all others."""
    code = config.source.currency_code
    if code is None:
        spelled = source[config.columns.currency].cast("string").strip().upper()
        counted = source.select(code=spelled).group_by("code").agg(rows=ibis._.count())
        valid = counted.filter(counted.code.re_search("^[A-Z]{3}$")).order_by(ibis.desc("rows"), "code").limit(1)
        codes = fetch(valid, what="looking at currencies")["code"].to_pylist()
        code = codes[0] if codes else "EUR"
    day = config.source.snapshot or min(last or dt.date(2000, 1, 1), dt.date(9999, 12, 30)) + dt.timedelta(days=1)
    return Study(
        name="defaults", as_of=day, currency=code, time_zone=config.source.time_zone, budget=Budget(epsilon=Decimal(1))
    )


def _discounted(lines: ir.Table) -> float | None:
    bought = lines.filter(lines.rule == KEPT)
    query = bought.aggregate(share=is_discounted(bought).cast("float64").mean())
    share: float | None = fetch(query, what="looking at discounts")["share"].to_pylist()[0]
    return share
