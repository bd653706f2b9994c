"""Feeds that lie beside a holder's purchases: tables of the same database, files of the same folder.

A feed is written down only where its name says what it is, its times are read, and its ids are customers of the
purchases; else it is written as a comment, to be checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from clients.data.cleaning.lines import KEPT, cleaned_lines
from clients.data.config import HolderConfig
from clients.data.feeds.lines import open_feed, table_of
from clients.data.guess.feed_names import FEED_NAMES, ROLE_NAMES, compared
from clients.data.guess.names import NAMES
from clients.data.guess.text import read_beginning
from clients.data.origin import Origin
from clients.data.place import CsvFormat
from clients.data.sources import fetch, list_tables, open_source
from clients.data.sources.locations import csv_files, resolve, split
from privacy.errors import CohortiumError
from privacy.kernel.feeds import FEEDS, FeedName
from privacy.protocol.study import Study

#: Of a feed's ids so many must be customers of the purchases, and so many of its times readable.
_KNOWN_IDS, _READ_TIMES = 0.3, 0.9
_MOST_FILES = 40
#: Written where it differs from what the purchases have.
_CSV_SETTINGS = ("separator", "encoding", "decimal", "thousands", "date_format")


@dataclass(frozen=True, kw_only=True)
class GuessedFeed:
    """A feed that was found.

    Attributes:
        feed: which one its name says.
        url, table: where; the first None for the same place as the purchases.
        csv: how to read it, of a CSV file.
        columns: role to column.
        problem: why it is not sure; empty where it is.
        reason: what was found.
    """

    feed: FeedName
    url: str | None
    table: str | None
    csv: CsvFormat | None
    columns: dict[str, str]
    problem: str
    reason: str


def guess_feeds(config: HolderConfig, study: Study, *, base: Path) -> tuple[GuessedFeed, ...]:
    """Look for feeds beside the purchases. Never raises for what is found.

    Args:
        config: of the purchases.
        study: whose rules on ids count.
        base: the folder of ``holder.toml``.
    """
    customers = None
    found: dict[FeedName, GuessedFeed] = {}
    for name, url, table in _candidates(config, base):
        try:
            csv, columns = _columns(config, name, url, table, base)
            if columns is None:
                continue
            customers = _customers(config, study, base) if customers is None else customers
            feed = _checked(config, study, base, (name, url, table, csv, columns), customers)
        except CohortiumError:  # what cannot be read is no feed
            continue
        if name not in found or (found[name].problem and not feed.problem):
            found[name] = feed
    return tuple(found[name] for name in FEEDS if name in found)


def _candidates(config: HolderConfig, base: Path) -> Iterator[tuple[FeedName, str | None, str | None]]:
    """Tables and files whose names are those of feeds."""
    tables = list_tables(config, base=base)
    if tables is not None:
        for table in tables:
            if table != config.source.table and (name := _feed_of(table.rpartition(".")[2])):
                yield name, None, table
        return
    scheme, location = split(config.source.url, base)
    if scheme not in ("csv", "parquet"):
        return
    folder = resolve(base, location).parent
    while "*" in str(folder):
        folder = folder.parent
    own = {path.resolve() for path in csv_files(config.source.url, base=base) or ()}
    places = sorted(path for place in (folder, folder.parent) if place.is_dir() for path in place.glob("*.*"))
    for path in [path for path in places if path.is_file() and path.resolve() not in own][:_MOST_FILES]:
        if path.suffix.lower() in (".csv", ".parquet") and (name := _feed_of(path.stem)):
            inside = path.resolve().is_relative_to(base.resolve())
            yield name, str(path.resolve().relative_to(base.resolve())) if inside else str(path), None


def _feed_of(name: str) -> FeedName | None:
    return next((feed for feed, telling in FEED_NAMES.items() if re.search(telling, compared(name))), None)


def _columns(
    config: HolderConfig, feed: FeedName, url: str | None, table: str | None, base: Path
) -> tuple[CsvFormat | None, dict[str, str] | None]:
    """How to read a candidate, and which of its columns plays which role; None where ids or times are missing."""
    csv = None
    source = config.source.model_copy(
        update={"url": url or config.source.url, "table": table, "read": {}, "where": None}
    )
    files = csv_files(url, base=base) if url is not None else None
    if files is not None:
        csv = read_beginning(files).form
        source = source.model_copy(update={"csv": csv})
    with open_source(config.model_copy(update={"source": source}), base=base, is_mapped=False) as opened:
        names = {compared(column).removeprefix(feed): column for column in opened.table.columns}
        names |= {compared(column): column for column in opened.table.columns}
    own = compared(config.columns.customer)
    roles = {"customer": (own, *map(compared, NAMES["customer"]))}
    if feed != "customer":
        roles["time"] = (*map(compared, ROLE_NAMES[feed]["time"]), *map(compared, NAMES["time"]))
    roles |= {role: tuple(map(compared, spelled)) for role, spelled in ROLE_NAMES[feed].items() if role != "time"}
    columns: dict[str, str] = {}
    for role, spelled in roles.items():
        column = next((names[name] for name in spelled if name in names and names[name] not in columns.values()), None)
        if column is not None:
            columns[role] = column
    must = {"customer"} if feed == "customer" else {"customer", "time"}
    return csv, columns if must <= set(columns) and len(columns) > len(must) else None


def _customers(config: HolderConfig, study: Study, base: Path) -> pa.Array:
    with open_source(config, base=base) as opened:
        lines = cleaned_lines(opened.table, Origin(config, study, base))
        bought = lines.filter(lines.rule == KEPT).select(customer=lines.customer.cast("string")).distinct()
        return fetch(bought, what="looking at customers")["customer"].combine_chunks()


def _checked(
    config: HolderConfig,
    study: Study,
    base: Path,
    candidate: tuple[FeedName, str | None, str | None, CsvFormat | None, dict[str, str]],
    customers: pa.Array,
) -> GuessedFeed:
    """Try a candidate as ``holder.toml`` would have it."""
    feed, url, table, csv, columns = candidate
    place = {"url": url, "table": table, "columns": columns} | ({"csv": csv.model_dump()} if csv is not None else {})
    money = [role for role, what in FEEDS[feed].items() if what.kind == "money" and role in columns]
    if money and config.source.currency_code is None:  # whose money it is cannot be told
        for role in money:
            columns.pop(role)
    given = config.model_dump(mode="json") | ({"customers": place} if feed == "customer" else {"events": {feed: place}})
    try:
        tried = HolderConfig.model_validate(given)
    except ValidationError:
        return GuessedFeed(
            feed=feed, url=url, table=table, csv=csv, columns=columns, problem="it is not usable", reason=""
        )
    with open_feed(Origin(tried, study, base), feed) as opened:
        tally = opened.tally()
        kept = opened.kept.select(customer=opened.kept.customer.cast("string")).distinct()
        ids = fetch(kept, what="looking at ids")["customer"]
    unread = tally.get("unreadable_time", 0)
    known = pc.mean(pc.is_in(ids, value_set=customers).cast(pa.int64())).as_py() or 0.0
    problem = ""
    if unread > (1 - _READ_TIMES) * (unread + tally.get("", 0)):
        problem = f"{unread:,} of its times cannot be read"
    elif known < _KNOWN_IDS:
        problem = f"only {known:.0%} of its ids bought something"
    reason = f"its name says so, and {known:.0%} of its ids bought something"
    return GuessedFeed(feed=feed, url=url, table=table, csv=csv, columns=columns, problem=problem, reason=reason)


def feeds_toml(feeds: tuple[GuessedFeed, ...]) -> str:
    """The tables of ``holder.toml`` for feeds; what is not sure is a comment."""
    blocks = []
    for one in feeds:
        lines = [table_of(one.feed)]
        if one.url is not None:
            lines.append(f"url = {_quoted(one.url)}")
        if one.table is not None:
            lines.append(f"table = {_quoted(one.table)}")
        if one.csv is not None:
            plain = CsvFormat().model_dump()
            settings = [f"{key} = {_quoted(value)}" for key, value in one.csv.model_dump().items()
                        if key in _CSV_SETTINGS and value != plain[key]]  # fmt: skip
            if settings:
                lines.append(f"csv = {{{', '.join(settings)}}}")
        lines.append(f"columns = {{{', '.join(f'{role} = {_quoted(name)}' for role, name in one.columns.items())}}}")
        if one.problem:
            lines = [f"# {line}" for line in lines]
        free = [role for role in FEEDS[one.feed] if role not in one.columns]
        rest = f"; no column was found for {', '.join(free)}" if free else ""
        note = f"PLEASE CHECK, and take the signs away: {one.problem}" if one.problem else f"likely: {one.reason}"
        blocks.append("\n".join(["", f"# {note}{rest}", *lines, ""]))
    return "".join(blocks)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
