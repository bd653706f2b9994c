"""The first evening of a holder: look at a source, guess what is what, and write a commented ``holder.toml``.

Every guess has a reason, and what could be something else is listed. Nothing of the data is in a guess or in the file
but names of columns, currencies and formats.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import ibis
import pandas as pd
from pydantic import ValidationError

from clients.data.cleaning.columns import missing_columns, time_facts
from clients.data.config import HolderConfig
from clients.data.guess import names as guess_names
from clients.data.guess.nouns import SURE, Guess, Guessed, Question, answered, open_questions
from clients.data.guess.sample import Sample
from clients.data.guess.sheet import read_sheet
from clients.data.guess.text import read_beginning
from clients.data.place import CsvFormat
from clients.data.sources import fetch, list_tables, open_source
from clients.data.sources.locations import csv_files
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
    text = None
    if files is not None:
        text = read_beginning(files[0])
        frame = pd.DataFrame(text.rows, columns=list(text.header), dtype=object)
    else:
        table, choices = _table(probe, base) if table is None else (table, ())
        if table is None and choices:
            raise DataError(f"the database has several tables: {', '.join(choices[:30])}", hint="name one with --table")
        frame = _sample(_probe(url, holder=holder, table=table, password=password or {}), base)
    sample = Sample(frame, text)
    guess = read_sheet(sample, holder=holder, url=url, table=table, password=dict(password or {}))
    return _with_currencies(guess, base)


def _probe(url: str, *, holder: str, table: str | None, password: Mapping[str, str]) -> HolderConfig:
    """A configuration that opens the source without mapping any of its columns."""
    absent = {role: f"\0{role}" for role in ("customer", "order", "time", "amount")}
    source = {"url": url, "table": table, "currency_code": "EUR", **password}
    try:
        return HolderConfig.model_validate({"holder": holder, "source": source, "columns": absent})
    except ValidationError as problem:
        raise ConfigError(
            f"this cannot stand in holder.toml:\n{describe_validation(problem)}", hint="mend it"
        ) from None


def _table(probe: HolderConfig, base: Path) -> tuple[str | None, tuple[str, ...]]:
    tables = list_tables(probe, base=base)
    if tables is None:
        return None, ()
    if not tables:
        raise DataError("the database has no table that this user may read", hint="check source.url and its rights")
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
            raise DataError("the source has no column of text, numbers or times", hint="check source.url")
        rows = fetch(source.select(**kept).limit(_SAMPLE), what="looking at the first rows")
    frame: pd.DataFrame = rows.to_pandas(timestamp_as_object=True, date_as_object=True)
    return frame


def _with_currencies(guess: Guess, base: Path) -> Guess:
    """Look through the whole currency column once: which codes must be declared?"""
    if "currency" not in guess.columns:
        return guess
    probe = _probe(guess.url, holder=guess.holder, table=guess.table, password=guess.password)
    probe = probe.model_copy(update={"source": probe.source.model_copy(update={"csv": guess.csv or CsvFormat()})})
    with open_source(probe, base=base, is_mapped=False) as opened:
        source = opened.table
        spelled = source[guess.columns["currency"].value].cast("string").strip().upper()
        codes = source.select(code=spelled).distinct().filter(ibis._.code.length() == 3).order_by("code").limit(300)
        found = fetch(codes, what="looking at currencies")["code"].to_pylist()
    return replace(guess, currencies=tuple(code for code in found if code in guess_names.CURRENCIES))


def holder_toml(guess: Guess) -> str:
    """A commented ``holder.toml`` with reasons and alternatives; reading it gives ``guess.config()``.

    Raises:
        DataError: if something is missing that cannot be guessed.
    """
    config = guess.config()
    source = config.source
    lines = [
        "# Written by `cohortium holder new`: guesses with their reasons. Mend what is wrong, then run",
        "#   cohortium holder check holder.toml",
        f"holder = {_quoted(config.holder)}",
        "",
        "[source]",
        f"url = {_quoted(source.url)}",
    ]
    if source.table is not None:
        lines.append(f"table = {_quoted(source.table)}")
    for name, value in guess.password.items():
        lines.append(f"{name} = {_quoted(value)}")
    lines += _setting("time_zone", guess.time_zone, "what times without a zone mean")
    if guess.currency_code is not None:
        lines += _setting("currency_code", guess.currency_code, "the currency of all rows")
    else:
        codes = ", ".join(_quoted(code) for code in source.currencies)
        lines += [
            "# sure: found in the currency column; a study needs a rate for each of them",
            f"currencies = [{codes}]",
        ]
    lines += [
        '# where = "consent = true"      # only rows for which this SQL is true take part',
        '# exclude = "opt-out.csv"       # customers who never take part, one id a line',
    ]
    if guess.csv is not None:
        lines += ["", "[source.csv]"]
        for name, value in guess.csv.model_dump().items():
            # All of them, so that reading guesses nothing and does not change with the defaults.
            if name in guess.csv_reasons:
                lines += _setting(name, replace(guess.csv_reasons[name], value=value), "")
            else:
                says = {"thousands": "  # no sign between groups of digits", "date_format": "  # ISO 8601"}
                lines.append(f"{name} = {_quoted(value)}{says.get(name, '') if not value else ''}")
    lines += ["", "[columns]"]
    for role, found in guess.columns.items():
        lines += _setting(role, found, "")
    if "order" not in guess.columns:
        lines += [
            "# PLEASE CHECK: no column was found that the lines of one order share; so an order is all that a customer",
            "# buys on one day",
            '# order = "..."',
        ]
    rest = [name for name in guess.names if name not in config.columns.mapped().values()]
    if rest:
        lines += ["", _comment(f"Not used: {', '.join(_quoted(name) for name in rest[:40])}")]
    lines += [_comment(f"Note: {note}") for note in guess.notes]
    return "\n".join(lines) + "\n"


def _setting(name: str, guessed: Guessed, meaning: str) -> list[str]:
    sure = "sure" if guessed.confidence >= 0.9 else "likely" if guessed.confidence >= SURE else "PLEASE CHECK"
    comment = f"{meaning}: {guessed.reason}" if meaning else guessed.reason
    others = f"; or {', '.join(_quoted(item) for item in guessed.alternatives)}" if guessed.alternatives else ""
    return [_comment(f"{sure}: {comment}{others}"), f"{name} = {_quoted(guessed.value)}"]


def _comment(text: str) -> str:
    """A line of comment; TOML allows no control signs there."""
    return "# " + re.sub(r"[\x00-\x1f\x7f]+", " ", text)


def _quoted(text: str) -> str:
    """A TOML string. JSON's escapes are TOML's, but for the delete sign."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


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
    overwrite: bool = False,
) -> Guess:
    """Inspect a source, ask what cannot be guessed, and write ``holder.toml``.

    Args:
        url: a path (relative to where the command runs), a glob, or a URL of a database.
        output: the file to write; relative paths of the source are written relative to its folder.
        holder: the holder's name; made from the URL where not given.
        table: for a database.
        password: where a database's password is: ``{"password_env": NAME}`` or ``{"password_file": path}``.
        answers: answers known beforehand, by the key of their question, such as ``{"currency": "EUR"}``.
        ask: called with every other open question; returns one of its choices. None (``--yes``) takes the best guesses.
        overwrite: whether an existing file is replaced.

    Returns:
        The guess as it was written.

    Raises:
        ConfigError: if the file exists, or an answer cannot be used.
        DataError: if the source cannot be read, or something is left that has no best guess.
    """
    if output.exists() and not overwrite:
        raise ConfigError(f"{output} exists", hint="move it away, or give another --output")
    base = output.resolve().parent
    base.mkdir(parents=True, exist_ok=True)  # paths that go up from a folder need the folder
    url = _from(base, url)
    name = holder or holder_name(url)
    if table is None and ask is not None:
        probe = _probe(url, holder=name, table=None, password=password or {})
        table, choices = _table(probe, base)
        if table is None and choices:
            question = Question(key="table", text="Which table holds the sales?", choices=choices)
            table = ask(question)
            if table not in choices:
                raise ConfigError(f"{table!r} is none of the choices", hint=", ".join(choices[:30]))
    guess = guess_holder(url, base=base, holder=name, table=table, password=password)
    known = dict(answers or {})
    for question in open_questions(guess):
        if question.key in known:
            guess = answered(guess, question, known[question.key])
        elif ask is not None:
            guess = answered(guess, question, ask(question))
    text = holder_toml(guess)
    _try_out(guess.config(), base)
    output.write_text(text, encoding="utf-8")
    return guess


def _try_out(config: HolderConfig, base: Path) -> None:
    """Open the source as the file says, and read the first times.

    Raises:
        DataError: if that does not work; then nothing is written.
    """
    with open_source(config, base=base) as opened:
        missing = missing_columns(opened.table, config)
        if missing:
            raise DataError("\n".join(missing), hint="write holder.toml by hand, docs/holder.md shows how")
        facts = fetch(time_facts(opened.table.limit(_SAMPLE), config), what="reading the first times").to_pylist()[0]
    if facts["first"] is None:
        raise DataError(
            f"no time in {config.columns.time!r} can be read",
            hint="answer with another column; or make a view with a timestamp column",
        )


def _from(base: Path, url: str) -> str:
    """A path as it is seen from ``base``; URLs of databases and absolute paths stay."""
    scheme, _, rest = url.rpartition("://")
    if scheme not in ("", "csv", "parquet", "duckdb") or rest.startswith(("/", "~")):
        return url
    seen = os.path.relpath(Path.cwd() / rest, base)
    return f"{scheme}://{seen}" if scheme else seen
