"""The first evening of a holder: look at a source, guess what is what, and write a commented ``holder.toml``.

Every guess has a reason, and what could be something else is listed. Nothing of the data is in a guess or in the file
but names of columns, currencies and formats.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import ibis
import pandas as pd
from ibis.expr import types as ir
from pydantic import ValidationError

from clients.data.cleaning.columns import missing_columns, time_facts
from clients.data.config import HolderConfig
from clients.data.guess import names as guess_names
from clients.data.guess.asking import Kept, not_lost, settled
from clients.data.guess.draft import holder_toml, noted
from clients.data.guess.feeds import feeds_toml, guess_feeds
from clients.data.guess.meaning import check_is_sales, continues, with_goods, with_meaning
from clients.data.guess.nouns import Guess, Guessed, Question
from clients.data.guess.numbers import OpenNumber
from clients.data.guess.sample import Sample, may_be_spelled
from clients.data.guess.shapes import shapes
from clients.data.guess.sheet import read_sheet
from clients.data.guess.structure import (
    always_there,
    continued,
    filled_rows,
    lacking,
    merged,
    merged_rows,
    renamed,
)
from clients.data.guess.text import read_beginning
from clients.data.origin import plain_study
from clients.data.place import CsvFormat
from clients.data.sources import fetch, list_tables, open_source
from clients.data.sources.locations import PATHS, csv_files
from clients.data.sources.opened import Notice
from clients.data.sources.spelling import read_number
from privacy.errors import ConfigError, DataError
from privacy.kernel.canonical import describe_validation

_SAMPLE = 20_000
_HOLDER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def guess_holder(
    url: str, *, base: Path, holder: str, table: str | None = None, password: Mapping[str, str] | None = None
) -> Guess:
    """Look at a source and guess its ``holder.toml``.

    Args:
        url: as ``source.url``; relative paths start at ``base``.
        base: the folder in which ``holder.toml`` will be.
        holder: the holder's name in the roster.
        table: for a database; not needed where it has only one that looks like sales.
        password: ``{"password_env": ...}`` or ``{"password_file": ...}`` for a database.

    Raises:
        ConfigError: if the URL or the name cannot stand in a ``holder.toml``.
        DataError: if the source cannot be read, or a database has several tables and none was named.
    """
    probe = _probe(url, holder=holder, table=table, password=password or {})
    files = csv_files(url, base=base)
    csv: CsvFormat | None = None
    reasons: Mapping[str, Guessed] = {}
    also: dict[str, tuple[str, ...]] = {}
    filled: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    twice: frozenset[str] = frozenset()
    partial: frozenset[str] = frozenset()
    if files is not None:
        text = read_beginning(files)
        csv, reasons = text.form, text.reasons
        also, twice = renamed(text.headers), text.twice
        partial = lacking(text.headers, also)
        frame = merged_rows(pd.DataFrame(text.rows, columns=list(text.header), dtype=object), also)
        filled, lines = continued(frame)
        if filled:
            named = always_there(frame, filled)
            frame = filled_rows(frame, filled)
            reasons = {**reasons, "fill_down": continues(filled, lines, len(frame))}
        probe = _with_csv(probe, csv)
    else:
        table, choices = _table(probe, base) if table is None else (table, ())
        if table is None and choices:
            raise DataError(f"{url} has several tables: {', '.join(choices[:30])}", hint="name one with --table")
        probe = _probe(url, holder=holder, table=table, password=password or {})
        frame = _sample(probe, base)
    if frame.empty:
        hint = "export it again, or name another file or table; to write holder.toml by hand see docs/holder.md"
        raise DataError(f"{url} has no rows to guess from", hint=hint)
    with open_source(probe, base=base, is_mapped=False) as opened:
        source = merged(opened.table, also)
        wanted = [name for name in may_be_spelled(frame) if name in source.columns]
        sample = Sample(frame, shapes(source, wanted), twice, partial)
        guess = read_sheet(sample, holder=holder, url=url, table=table, password=dict(password or {}))
        guess = replace(guess, csv=csv, csv_reasons=reasons, also=also, filled=filled, twice=twice)
        guess = with_goods(guess, named, sample)
        check_is_sales(guess, sample, source)
        guess = with_meaning(guess, sample, source)
        return _with_totals(_with_currencies(guess, source), source)


def _probe(url: str, *, holder: str, table: str | None, password: Mapping[str, str]) -> HolderConfig:
    """A configuration that opens the source without mapping any of its columns."""
    absent = {role: f"\0{role}" for role in ("customer", "order", "time", "amount")}
    source = {"url": url, "table": table, "currency_code": "EUR", **password}
    try:
        return HolderConfig.model_validate({"holder": holder, "source": source, "columns": absent})
    except ValidationError as problem:
        raise ConfigError(
            f"this cannot stand in holder.toml:\n{describe_validation(problem)}",
            hint="give another URL, table or password",
        ) from None


def _table(probe: HolderConfig, base: Path) -> tuple[str | None, tuple[str, ...]]:
    tables = list_tables(probe, base=base)
    if tables is None:
        return None, ()
    if not tables:
        hint = "name another database, or let its administrator GRANT SELECT on a table to the user"
        raise DataError(f"{probe.source.url} has no table that this user may read", hint=hint)
    telling = re.compile(
        r"sales|orders?|transactions?|invoices?|receipts?|umsatz|umsaetze|verkauf|bestellung|订单|销售|交易"
    )
    fitting = tables if len(tables) == 1 else tuple(name for name in tables if telling.search(name.lower()))
    return (fitting[0], tables) if len(fitting) == 1 else (None, tables)


def _sample(probe: HolderConfig, base: Path) -> pd.DataFrame:
    """The first rows; numbers as floats or integers, text as text, times as times, all else left out."""
    with open_source(probe, base=base, is_mapped=False) as opened:
        source, kept = opened.table, {}
        for name, kind in source.schema().items():
            column = source[name]
            if kind.is_decimal():
                kept[name] = column.cast("float64")
            elif kind.is_uuid():
                kept[name] = column.cast("string")
            elif kind.is_numeric() or kind.is_string() or kind.is_timestamp() or kind.is_date() or kind.is_boolean():
                kept[name] = column
        if not kept:
            hint = "name a table or file that has some; others cannot hold sales"
            raise DataError(f"{probe.source.url} has no column of text, numbers or times", hint=hint)
        rows = fetch(source.select(**kept).limit(_SAMPLE), what="looking at the first rows")
    frame: pd.DataFrame = rows.to_pandas(timestamp_as_object=True, date_as_object=True)
    return frame


def _with_csv(probe: HolderConfig, csv: CsvFormat) -> HolderConfig:
    return probe.model_copy(update={"source": probe.source.model_copy(update={"csv": csv})})


def _with_currencies(guess: Guess, source: ir.Table) -> Guess:
    """Look through the whole currency column once: which codes must be declared?"""
    if "currency" not in guess.columns:
        return guess
    spelled = source[guess.columns["currency"].value].cast("string").strip().upper()
    codes = source.select(code=spelled).distinct().filter(ibis._.code.length() == 3).order_by("code").limit(300)
    found = fetch(codes, what="looking at currencies")["code"].to_pylist()
    return replace(guess, currencies=tuple(code for code in found if code in guess_names.CURRENCIES))


def _with_totals(guess: Guess, source: ir.Table) -> Guess:
    """Add up open columns of numbers in both ways, so that people see which it is."""
    sums = {}
    for name in {item.value for item in guess.columns.values()}:
        form = guess.spellings.forms.get(name)
        if isinstance(form, OpenNumber) and form.mark:
            for way, read in enumerate((form.as_decimal.read, form.as_thousands.read)):
                sums[f"{way}{name}"] = read_number(source[name], read).sum()
    if not sums:
        return guess
    [found] = fetch(source.aggregate(**sums), what="adding up").to_pylist()
    totals = {name[1:]: (found[name] or 0.0, found[f"1{name[1:]}"] or 0.0) for name in sums if name[0] == "0"}
    return replace(guess, spellings=replace(guess.spellings, totals=totals))


def holder_name(url: str) -> str:
    """A holder's name from a URL: the last telling part of it, as a slug."""
    path = url.partition("?")[0].rpartition("://")[2].rstrip("/")
    parts = [part for part in path.split("/") if part and "*" not in part]
    stem = re.sub(r"[^a-z0-9]+", "-", parts[-1].split(".")[0].lower()).strip("-") if parts else ""
    return stem[:63] if _HOLDER_NAME.fullmatch(stem[:63]) else "holder"


def new_holder_file(  # noqa: PLR0913  one for each option of `holder new`
    url: str,
    *,
    output: Path,
    holder: str | None = None,
    table: str | None = None,
    password: Mapping[str, str] | None = None,
    answers: Mapping[str, str] | None = None,
    ask: Callable[[Question], str] | None = None,
    kept: Kept | None = None,
    overwrite: bool = False,
) -> Guess:
    """Inspect a source, ask what cannot be guessed, and write ``holder.toml``.

    Args:
        url: a path (relative to where the command runs), a glob, or a URL of a database.
        output: the file to write; relative paths of the source are written relative to its folder.
        holder: the holder's name; made from the URL where not given.
        table: for a database.
        password: where a database's password is: ``{"password_env": NAME}`` or ``{"password_file": path}``.
        answers: answers known beforehand, by key, such as ``{"currency": "EUR", "columns.time": "Order Date"}``.
        ask: called with every other open question; returns one of its choices. None (``--yes``) takes the best guesses.
        kept: where answers are kept as they are taken.
        overwrite: whether an existing file is replaced.

    Returns:
        The guess as it was written.

    Raises:
        ConfigError: if the file exists, or an answer cannot be used.
        DataError: if the source cannot be read, or something is left that has no best guess.
    """
    base = place_for(output, overwrite=overwrite)
    kept = kept or Kept()
    said = Said(holder=holder, table=table, password=password or {}, answers=answers or {}, ask=ask, kept=kept)
    with not_lost(kept):
        guess = settled_guess(url, base, said)
        text = holder_toml(guess)
        text += noted(try_out(guess.config(), base))
    found = guess_feeds(guess.config(), plain_study(guess.config()), base=base)
    output.write_text(text + feeds_toml(found), encoding="utf-8")
    return guess


@dataclass(frozen=True, kw_only=True)
class Said:
    """What somebody says of a source, as of :func:`new_holder_file`."""

    holder: str | None = None
    table: str | None = None
    password: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    ask: Callable[[Question], str] | None = None
    kept: Kept = field(default_factory=Kept)


def place_for(output: Path, *, overwrite: bool) -> Path:
    """The folder of a new file.

    Raises:
        ConfigError: if the file is there.
    """
    if output.exists() and not overwrite:
        raise ConfigError(f"{output} exists", hint="move it away, or give another --output")
    base = output.resolve().parent
    base.mkdir(parents=True, exist_ok=True)  # paths that go up from a folder need the folder
    return base


def settled_guess(url: str, base: Path, said: Said) -> Guess:
    """Inspect a source, and ask what cannot be guessed.

    Raises:
        ConfigError: if an answer cannot be used.
        DataError: if the source cannot be read.
    """
    url, table = _from(base, url), said.table
    name = said.holder or holder_name(url)
    if table is None and said.ask is not None:
        probe = _probe(url, holder=name, table=None, password=said.password)
        table, choices = _table(probe, base)
        if table is None and choices:
            question = Question(key="table", text="Which table holds the sales?", choices=choices)
            table = said.ask(question)
            if table not in choices:
                raise ConfigError(f"{table!r} is none of the choices", hint=", ".join(choices[:30]))
    guess = guess_holder(url, base=base, holder=name, table=table, password=said.password)
    return settled(guess, said.answers, said.ask, said.kept)


def try_out(config: HolderConfig, base: Path) -> tuple[Notice, ...]:
    """Open the source as the file says, and read the first times; what is known of it that makes figures wrong.

    Raises:
        DataError: if that does not work; then nothing is written.
    """
    with open_source(config, base=base) as opened:
        missing = missing_columns(opened.table, config)
        if missing:
            raise DataError("\n".join(missing), hint='answer with --set columns.time="Order Date"')
        facts = fetch(time_facts(opened.table.limit(_SAMPLE), config), what="reading the first times").to_pylist()[0]
        notices = tuple(item for item in opened.notices if item.is_problem)
    if facts["first"] is None:
        raise DataError(
            f"{config.source.url}: no time in {config.columns.time!r} can be read, of {facts['rows']:,} rows tried",
            hint='name another column, as in --set columns.time="Order Date", or how it is spelled: '
            '--set read.time.formats="%d.%m.%Y %H:%M" ([source.read.time] formats in holder.toml)',
        )
    return notices


def _from(base: Path, url: str) -> str:
    """A path as it is seen from ``base``; URLs of databases and absolute paths stay."""
    scheme, _, rest = url.rpartition("://")
    if scheme not in ("", *PATHS) or rest.startswith(("/", "~")):
        return url
    seen = os.path.relpath(Path.cwd() / rest, base)
    return f"{scheme}://{seen}" if scheme else seen
