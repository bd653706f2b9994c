"""A check report for people, on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clients.data.check import CheckReport
from clients.data.cleaning.lines import RULES
from clients.data.feeds.coverage import FeedFigures, Spelling
from clients.data.feeds.lines import table_of
from clients.data.rows.customers import CleaningReport


def render_check(report: CheckReport, console: Console) -> None:
    """Print a check report for people: figures, what each rule did, then problems (red) and warnings (yellow)."""
    figures = "" if report.rows is None else f": {report.rows:,} rows{_span(report)}"
    console.print(f"[bold]{escape(report.holder)}[/]{figures}")
    if report.cleaning is not None:
        rules = f"study {report.study}" if report.study else "default rules, no study"
        console.print(_cleaning_table(report, report.cleaning, f"As of {report.as_of} ({escape(rules)})"))
    if report.currencies:
        money = Table("currency", "lines", "revenue", title="Usable rows by currency", title_justify="left")
        for item in report.currencies:
            name = escape(item.currency) if item.known else f"[yellow]{escape(item.currency)} (no rate)[/]"
            money.add_row(name, f"{item.lines:,}", f"{item.revenue:,.2f}")
        for column in money.columns[1:]:
            column.justify = "right"
        console.print(money)
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


def _feed_table(feed: FeedFigures) -> Table:
    span = f", {feed.first:%Y-%m-%d} to {feed.last:%Y-%m-%d}" if feed.first and feed.last else ""
    title = f"{table_of(feed.feed)} {feed.rows:,} rows of {feed.customers:,} customers{span}"
    table = Table("", "", "", title=escape(title), title_justify="left", show_header=False)
    table.columns[1].justify = "right"
    for rule in RULES:
        if rule.name in feed.left_out:
            table.add_row(f"left out: {rule.says}", f"{feed.left_out[rule.name]:,}", "")
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
    table = Table("", "rows", title=title, title_justify="left", show_header=False)
    table.columns[1].justify = "right"
    if report.files:
        lines = sum(item.above + item.rows + item.blank for item in report.files)
        lines += sum(item.lines for item in cleaning.left_out)
        table.add_row(f"lines in {len(report.files):,} file{'s' * (len(report.files) > 1)}", f"{lines:,}")
        above = sum(item.above + item.blank for item in report.files)
        table.add_row("  headers, and blank lines", f"{above:,}")
        for item in cleaning.left_out:
            table.add_row(f"  left out: {item.why}", f"{item.lines:,}")
    table.add_row("rows in the source", f"{cleaning.rows_seen:,}")
    for rule in RULES:
        if rule.name in cleaning.dropped:
            table.add_row(f"  left out: {rule.says}", f"{cleaning.dropped[rule.name]:,}")
    if cleaning.duplicates:
        table.add_row("  left out: exact duplicates", f"{cleaning.duplicates:,}")
    if cleaning.netted:
        table.add_row("  returns, set off against spend", f"{cleaning.netted:,}")
    table.add_row("lines used", f"{cleaning.lines:,}")
    if cleaning.free:
        table.add_row("  of them with an amount of zero", f"{cleaning.free:,}")
    if report.discounted is not None:
        table.add_row("purchase lines with a discount", f"{report.discounted:.1%}")
    if cleaning.several_spellings:
        table.add_row("customers whose id is spelled in several ways", f"{cleaning.several_spellings:,}")
    if cleaning.only_returns:
        table.add_row("customers with returns only, left out", f"{cleaning.only_returns:,}")
    orders = "orders" if report.order_column else "orders (no order ids: what a customer buys on one day)"
    table.add_row(f"[green]{orders}[/]", f"[green]{cleaning.orders:,}[/]")
    table.add_row("[green]customers[/]", f"[green]{cleaning.customers:,}[/]")
    return table
