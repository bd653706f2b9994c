"""What is to be mended, and what to be looked at, in what ``holder check`` found."""

from __future__ import annotations

from collections.abc import Mapping

from clients.data.account import RETURNS, USED
from clients.data.check_report import CheckReport
from clients.data.cleaning.lines import RULES
from clients.data.cleaning.times import as_of_moment
from clients.data.config import HolderConfig
from clients.data.findings import Finding
from clients.data.guess.spelled import odd_signs
from clients.data.sources.opened import LeftOut, left_out
from privacy.protocol.study import Study

#: Shares of all rows above which a rule deserves a warning: up to here it is everyday dirt.
_MISSING_IDS = 0.05
_DUPLICATES = 0.01
_UNREADABLE = 0.001
#: Values that a form does not read are a problem above this.
_UNREADABLE_PROBLEM = 0.01
#: So many ids fewer under another form deserve a warning.
_ONE_ID = 0.005
#: Of ids so many are words, where a word that means no customer elsewhere may be one.
_WORDS = 0.5
#: Lines of files that are no records: a warning up to these, then a problem.
_FEW_LINES = 3
_LINES_LEFT_OUT = 0.01
_LOOK = "look at that line in a text editor, and mend it where the file is made"
_LINE_HINTS = {
    "encoding": "check encoding under [source.csv], with a text editor",
    "quotes": "a record is one line; multiline = true under [source.csv] reads line breaks inside quotes",
    "too_few_fields": "a record is one line; multiline = true reads line breaks inside quotes; else mend that line",
    "total": "is it one? if these are goods, they need another name than a total's, and a column of goods",
    "too_many_fields": "a field that holds the separator must be in quotes; or export with another separator",
}
_FORMS = {
    "text": "full-width and invisible signs, accents, blanks",
    "email": "upper and lower case of e-mail addresses",
    "case": "upper and lower case",
    "zeros": "leading zeros",
    "signs": "blanks, hyphens, dots and slashes",
}
#: A gap between the last row and the as-of day longer than this looks like a forgotten export.
_STALE_DAYS = 45
_OPEN_END = 5  # currencies named before "and n more"


def problems_of(report: CheckReport, study: Study, config: HolderConfig, *, has_study: bool) -> tuple[Finding, ...]:
    """What must be mended before a study can run."""
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
    found += _adds_up(report)
    found += _lost(report, config)
    if cleaning is not None and cleaning.lines and not any(step.revenue for step in report.steps if step.code == USED):
        found.append(
            Finding(
                code="no_money",
                text=f"all {cleaning.lines:,} lines that count have an amount of 0: is this the column of money?",
                hint="map another column as columns.amount, or quantity and price, in holder.toml",
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


def warnings_of(report: CheckReport, study: Study, config: HolderConfig, given: Study | None) -> tuple[Finding, ...]:
    """What to look at."""
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
    found += _of_missing_ids(report, config)
    found += [
        _unread(report, config, role)
        for role, count in report.looks.unread_rows.items()
        if _UNREADABLE * rows < count <= _UNREADABLE_PROBLEM * rows
    ]
    found += [
        *_of_signs(config),
        *_of_ids(report, config),
        *_of_odd_ids(report, config),
        *_of_days(report, config),
        *_of_states(report),
    ]
    for rule, role in (("unreadable_time", "times"), ("unreadable_amount", "amounts"), ("no_order_id", "order ids")):
        if dropped.get(rule, 0) > _UNREADABLE * rows:
            text = f"{dropped[rule]:,} rows have unreadable, empty or missing {role}"
            warn(rule, text, "check the column and its format; where later lines of an order leave it empty: fill_down")
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
    found += _of_settings(report, config, dropped)
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


def _of_missing_ids(report: CheckReport, config: HolderConfig) -> list[Finding]:
    """Rows without a customer: guest sales, or later lines of an order."""
    missing, rows = report.cleaning.dropped.get("no_customer_id", 0) if report.cleaning else 0, report.rows or 0
    if missing <= _MISSING_IDS * rows:
        return []
    hint = "guest sales are not seen by any study"
    if any("too_few" in item.reason for item in left_out(report.files)):
        hint = "are they guest sales? lines that do not fit are left out as well"
    elif config.source.csv.fill_down == ():
        hint += "; if later lines of an order leave that column empty: fill_down under [source.csv]"
    text = f"{missing / rows:.1%} of the rows have no customer id in {config.columns.customer!r}"
    return [Finding(code="missing_ids", text=text, hint=hint)]


def _are_many(item: LeftOut, report: CheckReport) -> bool:
    if item.reason == "total":  # as many as there are orders, where each has one below it
        return False
    return not report.rows or item.lines > max(_FEW_LINES, _LINES_LEFT_OUT * report.rows)


def _lines_finding(item: LeftOut) -> Finding:
    return Finding(code="lines", text=f"left out: {item.says}", hint=_LINE_HINTS.get(item.reason, _LOOK))


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _OPEN_END
    return ", ".join(names[:_OPEN_END]) + (f" and {more} more" if more > 0 else "")


def _adds_up(report: CheckReport) -> list[Finding]:
    """Whether two ways of counting agree."""
    if report.cleaning is None:
        return []
    steps = {step.code: 0 for step in report.steps}
    for step in report.steps:
        steps[step.code] += step.rows
    rows = sum(count for code, count in steps.items() if code != RETURNS)
    counted = report.cleaning
    if rows == counted.rows_seen and steps.get(USED, 0) == counted.lines:
        return []
    both = f"{rows:,} rows, {steps.get(USED, 0):,} of them used, or {counted.rows_seen:,} and {counted.lines:,}"
    hint = "is the source being written? else report this: a fault of ours"
    return [Finding(code="does_not_add_up", text=f"the account does not add up: {both}", hint=hint)]


def _lost(report: CheckReport, config: HolderConfig) -> list[Finding]:
    """Ids that are destroyed, and columns of which too much is not read."""
    found, rows = [], report.rows or 0
    if report.looks.ids.destroyed > max(_FEW_LINES, _UNREADABLE * rows):
        what = "like 9.99E+11: a spreadsheet has rounded these customer ids, so that several customers have become one"
        hint = "export that column as text, without a spreadsheet in between; nothing here can mend it"
        found.append(_rows("destroyed_ids", config.columns.customer, report.looks.ids.destroyed, what, hint))
    if config.columns.order is not None and report.looks.ids.destroyed_orders > max(_FEW_LINES, _UNREADABLE * rows):
        what = (
            "like 9.99E+11, or of 16 digits and more that end in zeros: a spreadsheet has rounded these order ids; "
            "several are one now"
        )
        hint = "export that column as text, without a spreadsheet in between; or leave columns.order out"
        found.append(_rows("destroyed_order_ids", config.columns.order, report.looks.ids.destroyed_orders, what, hint))
    many = (role for role, count in report.looks.unread_rows.items() if count > _UNREADABLE_PROBLEM * rows)
    return found + [_unread(report, config, role) for role in many]


def _unread(report: CheckReport, config: HolderConfig, role: str) -> Finding:
    is_time = role in config.columns.of_form("time")
    settings = "formats, clock" if is_time else "decimal, thousands, signs, negative (minus behind, or in brackets)"
    what = f"hold something that is not read as {role}: {report.looks.unread[role]}"
    hint = f"say how they are spelled under [source.read.{role}]: {settings} (docs/sources.md), or mend them"
    return _rows("unread", config.columns.mapped()[role], report.looks.unread_rows[role], what, hint)


def _rows(code: str, column: str | None, rows: int, what: str, hint: str) -> Finding:
    """So many rows have something odd in a column."""
    return Finding(code=code, text=f"{column!r}: {rows:,} rows {what}", hint=hint)


def _of_signs(config: HolderConfig) -> list[Finding]:
    """Signs beside amounts that the stated currency does not write."""
    code = config.source.currency_code
    if code is None or not (wrong := odd_signs(config.source, code)):
        return []
    return [
        Finding(
            code="currency_signs",
            text=f"amounts have the sign {', '.join(wrong)} by [source.read], which is not of {code}",
            hint=f'is currency_code = "{code}" under [source] right?',
        )
    ]


def _of_ids(report: CheckReport, config: HolderConfig) -> list[Finding]:
    """What may be one customer, or none."""
    ids, name, found = report.looks.ids, config.columns.customer, []
    fewest = min(ids.under, key=lambda form: ids.under[form], default=None)
    simplest = next(
        (form for form in ids.under if fewest and ids.under[form] <= ids.under[fewest] + _ONE_ID * ids.ids), None
    )
    if simplest is not None and ids.ids - ids.under[simplest] > _ONE_ID * ids.ids:
        found.append(
            Finding(
                code="id_forms",
                text=f"{name!r}: {ids.under[simplest]:,} customers instead of {ids.ids:,} if spellings of one id are "
                f"brought together ({_FORMS.get(simplest, 'telephone numbers with and without a country')})",
                hint=f'if they are the same persons, write under [source.read.customer]: form = ["{simplest}"]',
            )
        )
    if ids.odd_ids:
        what = f"have one of {ids.odd_ids:,} customer ids without a digit, which nearly all others have"
        hint = 'if they mean no customer, name them under [source.read.customer]: null = ["..."]'
        found.append(_rows("odd_ids", name, ids.odd_rows, what, hint))
    if ids.nines:
        what = "have a customer id of nines alone, which looks like a placeholder"
        hint = 'if it means no customer, name it under [source.read.customer]: null = ["..."]'
        found.append(_rows("placeholder_ids", name, ids.nines, what, hint))
    words = [word for word in ids.nobody if word.isalpha()]
    if words and ids.words > _WORDS * ids.ids:
        what = f"have an id that is taken for no customer: {_some(tuple(words))}; other ids are words, too"
        hint = f'if one is a customer here, write under [source.read.customer]: real = ["{words[0]}"]'
        found.append(_rows("nobody", name, sum(ids.nobody[word] for word in words), what, hint))
    if ids.rounded:
        what = "have a customer id of 16 digits or more that ends in zeros"
        hint = "spreadsheets keep 15 digits; if one was in between, export that column as text"
        found.append(_rows("rounded_ids", name, ids.rounded, what, hint))
    return found


def _of_odd_ids(report: CheckReport, config: HolderConfig) -> list[Finding]:
    """Ids of orders that differ by their spelling, and ids with a sign that others have not."""
    ids, name, found = report.looks.ids, config.columns.customer, []
    if ids.orders - ids.orders_alike > _ONE_ID * ids.orders:
        found.append(
            Finding(
                code="order_forms",
                text=f"{config.columns.order!r}: {ids.orders_alike:,} orders instead of {ids.orders:,} but for upper "
                "and lower case, leading zeros and signs between",
                hint="if these are spellings of one order, mend them where the file is made",
            )
        )
    for odd, column in ((ids.odd_signs, name), (ids.odd_order_signs, config.columns.order)):
        if odd:
            what = "have an id with a sign that nearly no other id has, such as a quote or a letter of another script"
            hint = "a stray sign makes another id of it: mend it where the file is made, if it is a fault"
            found.append(_rows("odd_signs", column, odd, what, hint))
    return found


def _of_days(report: CheckReport, config: HolderConfig) -> list[Finding]:
    days, name = report.looks.days, config.columns.mapped()["time"]
    if not days.early and not days.late:
        return []
    others = f"{days.first_off} to {days.last_off}; of the others the last is {days.last}"
    hint = "typing errors, or placeholders of a program? mend them, or leave them out with source.where"
    return [_rows("far_days", name, days.early + days.late, f"have a day far from all others ({others})", hint)]


def _of_states(report: CheckReport) -> list[Finding]:
    what = "have a value that [source.status] does not name; they count as no sale"
    hint = "name it under sale, return or none"
    return [_rows("unnamed_states", name, rows, what, hint) for name, rows in report.looks.unnamed_states.items()]


def _of_settings(report: CheckReport, config: HolderConfig, dropped: Mapping[str, int]) -> list[Finding]:
    """Settings of ``holder.toml`` that do nothing, or everything."""
    found = []
    if report.excluded_ids and not dropped.get("excluded"):
        found.append(
            Finding(
                code="exclusion_list",
                text=f"none of the {report.excluded_ids:,} ids on the exclusion list occurs in the source",
                hint="check that the list writes ids as the source does",
            )
        )
    if report.discounted in (0.0, 1.0):
        which = "no" if report.discounted == 0 else "every"
        found.append(
            Finding(
                code="discounts",
                text=f"{which} line has a discount by {config.columns.discount!r}",
                hint="a line is reduced where that column is not 0, empty or false; is it the right one?",
            )
        )
    if config.source.where is not None and dropped.get("where", 0) == report.rows:
        hint = "check its spelling against the data"
        found.append(Finding(code="where", text="source.where is true for no row", hint=hint))
    return found
