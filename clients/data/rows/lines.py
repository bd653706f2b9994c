"""Purchase lines of a holder, cleaned: counted by rule, or as they are spelled for whoever groups them first."""

from __future__ import annotations

import datetime as dt
import logging

import ibis
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr import types as ir

from clients.data.cleaning.columns import missing_columns
from clients.data.cleaning.ids import is_untidy, text_ids
from clients.data.cleaning.lines import BEFORE_WINDOW, KEPT, NETTED, cleaned_lines
from clients.data.cleaning.money import money_of
from clients.data.cleaning.times import FIRST_DAY, moment_literal, wall_time, zone_at
from clients.data.origin import Origin
from clients.data.sources import fetch
from clients.data.sources.opened import Opened
from privacy.kernel.customers import CustomerRequest
from privacy.protocol.study import Study

log = logging.getLogger("cohortium.holder")

#: All lines before the as-of day.
WHOLE_LIFE = CustomerRequest()


def tidy_of(opened: Opened, origin: Origin, counts: pa.Table) -> frozenset[str]:
    """Which ids of text the tally found to be in the one form that ids have."""
    return frozenset(role for role in text_ids(opened.table, origin.config) if f"untidy_{role}" in counts.column_names)


def with_exact_ids(opened: Opened, origin: Origin, tidy: frozenset[str]) -> ir.Table:
    """The lines once more, with ``source_id`` where ids may be spelled in several ways."""
    if opened.cleaned is not None:
        return opened.cleaned
    return cleaned_lines(opened.table, origin, tidy=tidy, exact_ids=True)


def in_window(lines: ir.Table, origin: Origin, request: CustomerRequest) -> ir.Table:
    """Cleaned lines, of which those that would count but are older than the request's window stand under its rule."""
    if request.window_days is None:
        return lines
    first = max(FIRST_DAY.toordinal(), origin.study.as_of.toordinal() - request.window_days)
    start = wall_time(dt.date.fromordinal(first), origin.study.time_zone, zone_at(origin.config, lines.time))
    old = lines.rule.isin(used_rules(origin.study)) & (lines.time < moment_literal(start, lines.time))
    return lines.mutate(rule=ibis.ifelse(old, BEFORE_WINDOW, lines.rule))


def counted_lines(opened: Opened, origin: Origin, request: CustomerRequest = WHOLE_LIFE) -> tuple[ir.Table, pa.Table]:
    """The cleaned lines and their tally; ids are normalised only where a first look finds that some need it.

    Lines that are no records are named in the log.

    Raises:
        DataError: as ``cleaned_lines``, or if other rows were read than there are records.
    """
    _tell_left_out(opened)
    if opened.cleaned is not None:
        lines = in_window(opened.cleaned.drop("source_id"), origin, request)
        return lines, fetch(_tally(lines, origin, frozenset()), what="counting rows")
    tidy = ids_of_text(opened, origin)
    while True:
        lines = in_window(cleaned_lines(opened.table, origin, tidy=tidy), origin, request)
        counts = fetch(_tally(lines, origin, tidy), what="counting rows")
        untidy = {role for role in tidy if pc.any(counts[f"untidy_{role}"]).as_py()}
        if not untidy:
            opened.check_rows(pc.sum(counts["rows"]).as_py() or 0)
            return lines, counts
        tidy -= untidy


def lines_as_spelled(opened: Opened, origin: Origin) -> ir.Table | None:
    """Cleaned lines of anybody with ids of text as they are, not counted: for whoever groups them by customer.

    Whoever takes them has to take out who is nobody (:func:`clients.data.cleaning.lines.of_somebody`), to look at the
    ids of the groups, and where these are not in the one form to take :func:`counted_lines`.

    Returns:
        None where lines have another form: of several sources, and of one row a customer.

    Raises:
        DataError: as :func:`counted_lines`.
    """
    if opened.cleaned is not None or origin.config.source.kind != "sales":
        return None
    _tell_left_out(opened)
    lines = cleaned_lines(opened.table, origin, tidy=ids_of_text(opened, origin), of_anybody=True)
    if opened.files:
        counted = fetch(opened.table.aggregate(rows=opened.table.count()), what="counting rows")
        opened.check_rows(pc.sum(counted["rows"]).as_py() or 0)
    return lines


def ids_of_text(opened: Opened, origin: Origin) -> frozenset[str]:
    """Which of ``customer`` and ``order`` are text whose ids need be in no other form; none where columns lack."""
    is_whole = not missing_columns(opened.table, origin.config)
    return text_ids(opened.table, origin.config) if is_whole else frozenset()


def _tell_left_out(opened: Opened) -> None:
    for item in opened.left_out:
        log.info("left out: %s", item.says)


def _tally(lines: ir.Table, origin: Origin, tidy: frozenset[str]) -> ir.Table:
    """By rule: how many rows, capped rows and free rows, and whether an id taken as tidy is not."""
    money = money_of(lines, origin)
    return lines.group_by("rule").agg(
        rows=lines.count(),
        capped=money.capped.fill_null(False).cast("int64").sum(),
        free=(money.own == 0).fill_null(False).cast("int64").sum(),
        **{f"untidy_{role}": is_untidy(lines[role]).any() for role in sorted(tidy)},
    )


def used_rules(study: Study) -> tuple[int, ...]:
    """The codes of rows that count."""
    return (KEPT, *NETTED) if study.cleaning.returns == "net" else (KEPT,)
