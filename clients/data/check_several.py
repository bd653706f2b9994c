"""``holder check`` of several sources: each by itself, as if it were the only one, and then all together."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from ibis.expr import types as ir

from clients.data.account import account, currencies_of
from clients.data.check_report import CheckReport, PersonFigures
from clients.data.cleaning.lines import KEPT, SEVERAL_PERSONS
from clients.data.config import HolderConfig
from clients.data.feeds.coverage import check_feeds
from clients.data.findings import Finding
from clients.data.named_sources import PERSON
from clients.data.origin import Origin
from clients.data.rows.customers import build_customer_table
from clients.data.rows.lines import in_window
from clients.data.several.keys import MARK
from clients.data.several.rows import open_lines
from clients.data.sources import fetch
from privacy.errors import CohortiumError
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.terms import Budget
from privacy.protocol.study import Study

#: With more ids than this a person is probably none: a till's own card, a family of shops, a placeholder.
HUB_IDS = 20


class CheckOne(Protocol):
    """Checks one source by itself."""

    def __call__(self, config: HolderConfig, study: Study | None, *, base: Path) -> CheckReport:
        """As ``preflight``."""
        ...


def check_several(config: HolderConfig, study: Study | None, *, base: Path, check_one: CheckOne) -> CheckReport:
    """Check every source, and what they are together. Never raises for what is wrong with the data."""
    reports = []
    for source in config.sources:
        report = check_one(config.of_source(source), study, base=base)
        reports.append(report.model_copy(update={"holder": source.name}))
    facts: dict[str, Any] = {"holder": config.holder, "study": study.name if study else None}
    facts |= {"order_column": "order", "sources": tuple(reports)}
    problems = tuple(_of(report.holder, item) for report in reports for item in report.problems)
    warnings = tuple(_of(report.holder, item) for report in reports for item in report.warnings)
    if any(report.cleaning is None for report in reports):
        return CheckReport(**facts, problems=problems, warnings=warnings)
    applied = study or _defaults(config, reports)
    origin = Origin(config, applied, base)
    asked = study.row_requests.values() if study is not None else ()
    request = next((one for one in asked if isinstance(one, CustomerRequest)), CustomerRequest())
    firsts = [report.first.replace(tzinfo=None) for report in reports if report.first]
    lasts = [report.last.replace(tzinfo=None) for report in reports if report.last]
    facts |= {"as_of": applied.as_of, "first": min(firsts, default=None), "last": max(lasts, default=None)}
    facts |= {"rows": sum(report.rows or 0 for report in reports)}
    facts |= {"excluded_ids": sum(report.excluded_ids for report in reports)}
    try:
        with open_lines(origin) as opened:
            lines = in_window(opened.table, origin, request)
            facts["files"] = opened.files
            facts["steps"] = account(lines.drop("source_id"), origin)
            facts["persons"] = _persons(lines, config, reports)
        facts["cleaning"] = build_customer_table(origin, request).report
    except CohortiumError as error:
        found = Finding(code="source", text=error.message, hint=error.hint)
        return CheckReport(**facts, problems=(*problems, found), warnings=warnings)
    facts["currencies"] = currencies_of(facts["steps"])
    feeds, feed_problems, feed_warnings = check_feeds(origin)
    facts["feeds"] = feeds
    unknown = tuple(item.currency for item in facts["currencies"] if not item.known)
    own_problems, own_warnings = _findings(facts["persons"], config)
    return CheckReport(
        **facts,
        unknown_currencies=unknown,
        problems=problems + own_problems + feed_problems,
        warnings=warnings + own_warnings + feed_warnings,
    )


def _of(name: str, finding: Finding) -> Finding:
    return finding.model_copy(update={"text": f"{name}: {finding.text}"})


def _defaults(config: HolderConfig, reports: list[CheckReport]) -> Study:
    """A study with default rules that sees all rows that the sources' own defaults see."""
    day = max(report.as_of or dt.date(2000, 1, 1) for report in reports)
    currencies = [item.currency for report in reports for item in report.currencies]
    return Study(
        name="defaults",
        as_of=day,
        currency=next(iter((*currencies, *config.declared_currencies)), "EUR"),
        time_zone=config.source.time_zone,
        budget=Budget(epsilon=Decimal(1)),
    )


def _persons(lines: ir.Table, config: HolderConfig, reports: list[CheckReport]) -> PersonFigures:
    used = lines.filter(lines.rule == KEPT)
    each = used.group_by("customer").agg(sources=used.raw_source.nunique(), ids=used.source_id.nunique())
    by_sources = fetch(
        each.group_by("sources").agg(customers=each.count()).order_by("sources"), what="counting persons"
    )
    at = dict(zip(by_sources["sources"].to_pylist(), by_sources["customers"].to_pylist(), strict=True))
    figures: dict[str, Any] = {
        "ids": sum(report.cleaning.customers for report in reports if report.cleaning),
        "customers": sum(at.values()),
        "at": at,
    }
    if not config.has_persons:
        return PersonFigures(**figures)
    is_person = each.customer.startswith(PERSON + MARK)
    hub = is_person & (each.ids > HUB_IDS)
    counted = each.aggregate(linked=is_person.sum(), hubs=hub.sum(), most_ids=each.ids.max(where=hub))
    several = lines.filter(lines.rule == SEVERAL_PERSONS)
    left = several.aggregate(several_ids=several.source_id.nunique(), several_lines=several.count())
    for query in (counted, left):
        [row] = fetch(query, what="counting persons").to_pylist()
        figures |= {name: int(value or 0) for name, value in row.items()}
    return PersonFigures(**figures)


def _findings(persons: PersonFigures, config: HolderConfig) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Problems and warnings of putting sources together."""
    problems, warnings = [], []
    if persons.several_ids:
        problems.append(Finding(
            code="several_persons",
            text=f"{persons.several_ids:,} ids belong to several persons; their {persons.several_lines:,} lines are "
            "left out",
            hint='give each id one person in your table, or leave the rows out: where = "..." under [person]',
        ))  # fmt: skip
    if persons.linked == 0:
        problems.append(Finding(
            code="nobody_linked",
            text="no id in the sources is in [person] or has a columns.person",
            hint="are its columns the right ones, and do the ids have one form? [sources.read.customer] form = [...]",
        ))  # fmt: skip
    if persons.hubs:
        warnings.append(Finding(
            code="person_hub",
            text=f"{persons.hubs:,} persons have more than {HUB_IDS} ids, one of them {persons.most_ids:,}: a till's "
            "card, or a placeholder?",
            hint='if it is nobody: [person.read.person] null = ["..."], or where = "..." under [person]',
        ))  # fmt: skip
    if set(persons.at) <= {1} and persons.customers and persons.linked != 0:
        warnings.append(Finding(
            code="nobody_at_two_sources",
            text="no customer buys at two sources"
            + ("" if config.has_persons else ": equal ids are one customer, and no id is in two sources"),
            hint="have the sources other ids? [person] says which are one person's (docs/sources.md)",
        ))  # fmt: skip
    return tuple(problems), tuple(warnings)
