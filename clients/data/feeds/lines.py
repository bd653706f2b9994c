"""Rows of a feed beside purchases, read and cleaned as purchase lines are: same ids, exclusion list and as-of day.

Ibis expressions only: nothing is loaded. Rows without an id belong to no customer, so nothing is promised for them and
nothing is made of them: they are left out, and counted for the holder's own screen. Where a feed says whose ids it has
(``ids_of``), the rows that count are copied, and put under the keys of persons as purchases are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr import types as ir

from clients.data.cleaning.columns import missing_columns, typed
from clients.data.cleaning.ids import customer_of, is_untidy, text_ids
from clients.data.cleaning.lines import (
    KEPT,
    RULES,
    first_rule,
    is_seen,
    of_somebody,
    tests_of_taking_part,
    tests_of_when,
    tests_of_whom,
    with_condition,
)
from clients.data.feed_config import FeedReading
from clients.data.origin import Origin
from clients.data.place import in_table
from clients.data.several.feed_rows import portable, under_persons
from clients.data.several.rooms import open_room
from clients.data.sources import fetch, open_source
from clients.data.sources.opened import ColumnsMissing
from privacy.errors import DataError
from privacy.kernel.feeds import FeedName


@dataclass(frozen=True, kw_only=True)
class OpenFeed:
    """A feed that is open.

    Attributes:
        reading: what its columns are.
        rows: every row of the source, with ``rule`` (``KEPT`` or a code of ``RULES``), ``customer`` (the key to group
            by), ``time`` (of events) and the other mapped columns as ``raw_<role>``.
        kept: those that count, without ``rule``.
        seen: the same, those of nobody and of who never takes part among them.
        joined: where the feed says whose ids it has, what counts at the source under the keys of persons, with
            ``rule``; ``kept`` and ``seen`` are of these then.
        persons: ``customer``, all keys that are linked, where somebody says who is who.
    """

    reading: FeedReading
    rows: ir.Table
    kept: ir.Table
    seen: ir.Table
    joined: ir.Table | None = None
    persons: ir.Table | None = None
    _origin: Origin

    def of_somebody(self, customers: ir.Table) -> ir.Table:
        """What was made of ``seen``, as :func:`clients.data.cleaning.lines.of_somebody` has it."""
        if self.joined is not None:
            return customers
        return of_somebody(customers, self.reading, self._origin.study, base=self._origin.base)

    def tally(self) -> dict[str, int]:
        """How many rows each rule left out, by its name, in the order of ``RULES``; ``""`` for those that count."""
        by_code = _by_rule(self.rows)
        if self.joined is not None:
            by_code.pop(KEPT, None)
            for code, rows in _by_rule(self.joined).items():
                by_code[code] = by_code.get(code, 0) + rows
        names = {KEPT: ""} | {code: rule.name for code, rule in enumerate(RULES, start=1)}
        return {name: by_code[code] for code, name in names.items() if code in by_code}


@contextlib.contextmanager
def open_feed(origin: Origin, name: FeedName, *, as_spelled: bool = False) -> Iterator[OpenFeed]:
    """Open one of the holder's feeds, read-only.

    Args:
        origin: the holder's.
        name: of the feed.
        as_spelled: take ids of text as they are without a look at every row; whoever groups by them has to ask
            :func:`clients.data.cleaning.ids.are_normal` of the groups' ids, and open the feed anew where they are not.

    Raises:
        DataError: if the feed cannot be opened or its columns cannot be what they are mapped as; never because of what
            a row says.
    """
    reading = origin.config.feeds[name]
    with contextlib.ExitStack() as stack:
        try:
            room = None if reading.ids_of is None else stack.enter_context(open_room(origin, reading))
            opening = open_source(reading, base=origin.base) if room is None else room.open(reading)
            opened = stack.enter_context(opening)
            if missing := missing_columns(opened.table, reading):
                raise ColumnsMissing(missing)
            is_text = "customer" in text_ids(opened.table, reading)
            tidy = is_text and (as_spelled or _are_tidy(opened.table, reading))
            rows, kept, seen = _rows(opened.table, reading, origin, tidy=tidy)
            feed = OpenFeed(reading=reading, rows=rows, kept=kept, seen=seen, _origin=origin)
            if room is not None:
                brought, _ = room.bring(portable(kept, reading), what=f"rows of {table_of(name)}")
            if opened.files:
                counted = fetch(opened.table.aggregate(rows=opened.table.count()), what="counting rows")
                opened.check_rows(pc.sum(counted["rows"]).as_py() or 0)
        except DataError as error:
            hint = in_table(error.hint, table_of(name)[1:-1])
            raise DataError(f"{table_of(name)}: {error.message}", hint=hint) from None
        if room is not None:
            joined, persons = under_persons(brought, reading, origin, room)
            kept = joined.filter(joined.rule == KEPT).drop("rule")
            feed = replace(feed, kept=kept, seen=kept, joined=joined, persons=persons)
        yield feed


def _by_rule(rows: ir.Table) -> dict[int, int]:
    counted = fetch(rows.group_by("rule").agg(rows=rows.count()), what="counting rows")
    return dict(zip(counted["rule"].to_pylist(), counted["rows"].to_pylist(), strict=True))


def table_of(name: FeedName) -> str:
    """Where a feed stands in ``holder.toml``."""
    return "[customers]" if name == "customer" else f"[events.{name}]"


def _are_tidy(table: ir.Table, reading: FeedReading) -> bool:
    """Whether all ids of text can be taken as they are: normalising each takes as long as grouping them."""
    untidy = is_untidy(table[reading.columns.customer]).any()
    found: pa.Table = fetch(table.aggregate(untidy=untidy), what="looking at ids")
    return not pc.any(found["untidy"]).as_py()


def _rows(table: ir.Table, reading: FeedReading, origin: Origin, *, tidy: bool) -> tuple[ir.Table, ir.Table, ir.Table]:
    source = typed(table, reading)
    if reading.source.where is not None:
        source = with_condition(source, reading.source.where)
    mapped = reading.columns.mapped()
    customer = customer_of(source[reading.columns.customer], reading, origin.study.cleaning.null_ids, tidy=tidy)
    whose = tests_of_whom(customer, reading, base=origin.base)
    tests = tests_of_taking_part(source, reading) | whose
    if "time" in mapped:
        tests |= tests_of_when(source[mapped["time"]], reading, origin.study)
    raw = {
        role if role == "time" else f"raw_{role}": source[name] for role, name in mapped.items() if role != "customer"
    }
    named = {"customer": customer.key} | raw
    # Asked for in plain terms, which databases answer from what they know of whole blocks of rows.
    seen = [~test.fill_null(False) for test in tests_of_taking_part(source, reading).values()]
    if "time" in mapped:
        seen += is_seen(source[mapped["time"]], reading, origin.study)
    counts = [~test.fill_null(False) for test in whose.values()]
    return (
        source.select(**named, rule=first_rule(tests)),
        source.filter([*counts, *seen]).select(**named),
        (source.filter(seen) if seen else source).select(**named),
    )
