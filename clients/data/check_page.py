"""A check report for people, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clients.data.account import DUPLICATES, RETURNS, USED
from clients.data.check_report import CheckReport, PersonFigures
from clients.data.cleaning.lines import RULES
from clients.data.feeds.coverage import FeedFigures, Spelling
from clients.data.feeds.lines import table_of
from clients.data.rows.cleaning_report import CleaningReport

#: Spellings of nobody that are shown.
_NAMED = 8


def render_check(report: CheckReport, console: Console) -> None:
    """Print a check report for people: figures, what each rule did, then problems (red) and warnings (yellow)."""
    for source in report.sources:
        _print_figures(source, console)
    _print_figures(report, console)
    if report.persons is not None:
        console.print(_person_table(report.persons))
    for feed in report.feeds:
        console.print(_feed_table(feed))
    for mark, style, findings in (("problem", "red", report.problems), ("warning", "yellow", report.warnings)):
        for finding in findings:
            console.print(f"[bold {style}]{mark}[/] {escape(finding.text)}")
            if finding.hint:
                console.print(f"        {escape(finding.hint)}", style="dim")
    if not report.problems:
        note = " (look at the warnings)" if report.warnings else ""
        console.print(f"[bold green]ready[/]: this data can take part{note}")


def _print_figures(report: CheckReport, console: Console) -> None:
    figures = "" if report.rows is None else f": {report.rows:,} rows{_span(report)}"
    console.print(f"[bold]{escape(report.holder)}[/]{figures}")
    if report.cleaning is not None:
        rules = f"study {report.study}" if report.study else "default rules, no study"
        console.print(_cleaning_table(report, report.cleaning, f"As of {report.as_of} ({escape(rules)})"))
    if report.currencies:
        money = Table("currency", "lines", "revenue", title="Lines used, by currency", title_justify="left")
        for item in report.currencies:
            name = escape(item.currency) if item.known else f"[yellow]{escape(item.currency)} (no rate)[/]"
            money.add_row(name, f"{item.lines:,}", f"{item.revenue:,.2f}")
        for column in money.columns[1:]:
            column.justify = "right"
        console.print(money)


def _person_table(persons: PersonFigures) -> Table:
    table = Table("", "", title="Sources together", title_justify="left", show_header=False)
    table.columns[1].justify = "right"
    table.add_row("customers, each source by itself", f"{persons.ids:,}")
    if persons.several_ids:
        table.add_row("  ids of several persons, left out", f"{persons.several_ids:,}")
    table.add_row("[green]customers together[/]", f"[green]{persons.customers:,}[/]")
    for sources, customers in persons.at.items():
        table.add_row(f"  who bought at {sources} source{'s' * (sources > 1)}", f"{customers:,}")
    if persons.linked is not None:
        table.add_row("  whom the key to persons names", f"{persons.linked:,}")
    return table


def _feed_table(feed: FeedFigures) -> Table:
    span = f", {feed.first:%Y-%m-%d} to {feed.last:%Y-%m-%d}" if feed.first and feed.last else ""
    title = f"{table_of(feed.feed)} {feed.rows:,} rows of {feed.customers:,} customers{span}"
    table = Table("", "", "", title=escape(title), title_justify="left", show_header=False)
    table.columns[1].justify = "right"
    for rule in RULES:
        if rule.name in feed.left_out:
            named = ", ".join(f"{text} {rows:,}" for text, rows in _nobody(feed.nobody))
            of_them = escape(named) if rule.name == "no_customer_id" else ""
            table.add_row(f"left out: {escape(rule.says)}", f"{feed.left_out[rule.name]:,}", of_them)
    if feed.linked is not None:
        table.add_row("customers whom the key to persons names", f"{feed.linked:,}", "")
    for one in feed.roles:
        share = one.known / feed.rows if feed.rows else 0.0
        spelled = (_spelled(item) for item in one.spellings)
        other = f"; other: {one.without_key / one.known:.0%}" if one.without_key else ""
        table.add_row(f"{one.role} known", f"{share:.1%}", escape(", ".join(spelled) + other))
    return table


def _spelled(item: Spelling) -> str:
    if not item.key:
        return f"{item.text} (other)"
    return item.text if item.key == item.text else f"{item.text} -> {item.key}"


def _span(report: CheckReport) -> str:
    return f", {report.first:%Y-%m-%d} to {report.last:%Y-%m-%d}" if report.first and report.last else ""


def _cleaning_table(report: CheckReport, cleaning: CleaningReport, title: str) -> Table:
    """From the lines of the files down to the lines used: rows, and money where it is of one currency."""
    money = _money(report)
    table = Table("", "rows", *(() if money is None else (f"revenue {escape(money[0])}",)), title=title)
    table.title_justify = "left"
    for column in table.columns[1:]:
        column.justify = "right"

    def row(text: str, rows: int, code: str = "") -> None:
        revenue = () if money is None else (f"{money[1][code]:,.2f}" if code in money[1] else "",)
        table.add_row(text, f"{rows:,}", *revenue)

    if report.files:
        lines = sum(item.above + item.rows + item.blank + item.continued for item in report.files)
        lines += sum(item.lines for item in cleaning.left_out)
        row(f"lines in {len(report.files):,} file{'s' * (len(report.files) > 1)}", lines)
        row("  headers, and blank lines", sum(item.above + item.blank for item in report.files))
        if continued := sum(item.continued for item in report.files):
            row("  lines that go on inside quotes", continued)
        for item in cleaning.left_out:
            row(f"  left out: {item.why}", item.lines)
    row("rows in the source", cleaning.rows_seen, "all")
    for rule in RULES:
        if rule.name in cleaning.dropped:
            row(f"  left out: {escape(rule.says)}", cleaning.dropped[rule.name], rule.name)
            if rule.name == "no_customer_id":
                for text, rows in _nobody(report.looks.ids.nobody):
                    row(f"    of them {escape(text)}", rows)
    if cleaning.duplicates:
        row("  left out: exact duplicates", cleaning.duplicates, DUPLICATES)
    row("lines used", cleaning.lines, USED)
    if cleaning.netted:
        row("  of them returns, set off against spend", cleaning.netted, RETURNS)
    if cleaning.free:
        row("  of them with an amount of zero", cleaning.free)
    if report.discounted is not None:
        table.add_row("purchase lines with a discount", f"{report.discounted:.1%}")
    if cleaning.several_spellings:
        row("customers whose id is spelled in several ways", cleaning.several_spellings)
    if cleaning.only_returns:
        row("customers with returns only, left out", cleaning.only_returns)
    orders = "orders" if report.order_column else "orders (no order ids: what a customer buys on one day)"
    table.add_row(f"[green]{orders}[/]", f"[green]{cleaning.orders:,}[/]")
    table.add_row("[green]customers[/]", f"[green]{cleaning.customers:,}[/]")
    return table


def _nobody(spelled: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """What stands in the column of ids of rows without a customer, and in how many rows; the commonest by name."""
    names = list(spelled)
    for name in names[:_NAMED]:
        yield repr(name), spelled[name]
    if rest := names[_NAMED:]:
        yield f"{len(rest):,} other words that mean no customer", sum(spelled[name] for name in rest)


def _money(report: CheckReport) -> tuple[str, dict[str, Decimal]] | None:
    """The currency, and by step its money; None where there are several currencies, whose sums say nothing."""
    currencies = {step.currency for step in report.steps}
    if len(currencies) != 1:
        return None
    money = {step.code: step.revenue for step in report.steps}
    money["all"] = sum((value for code, value in money.items() if code != RETURNS), Decimal(0))
    return currencies.pop(), money
