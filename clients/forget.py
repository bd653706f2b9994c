"""Erasure: one person out of everything that this software keeps or wrote at a holder.

What is kept of customers is in few places: stored tables (made again from the source when they are needed), the labels,
scores and clusters of every day, the history of tags, the arms of campaigns, the files and tables that were written of
all these, and the holder's pages. Ledgers, plans and releases hold no customer.
"""

from __future__ import annotations

import csv
import datetime as dt
import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clients.answering.folder import HolderFolder
from clients.data.campaigns import everybody_listed, forget_in_campaigns
from clients.data.exclusion import exclude
from clients.data.several.keys import normal_key
from clients.data.several.same_person import same_person
from clients.labelling import export_labels, histories_of_all
from clients.labels.config import read_labels_config
from clients.tagging.erasure import forget_tags, kept_tags, rewrite_tags
from privacy.errors import ConfigError
from privacy.private_files import private_file
from privacy.protocol.study import parse_day

_IDS = ("customer_id", "source_id")


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """What was done.

    Attributes:
        ids: every spelling of the person's id that was found here.
        days: days of studies whose labels, scores or clusters the person was taken out of.
        tags: whether the person was in the history of tags.
        campaigns: whose lists the person was on.
        deleted: files that were deleted, because they can be made again.
        excluded: the exclusion list that the id was added to; None where ``holder.toml`` names none.
    """

    ids: tuple[str, ...]
    days: tuple[tuple[str, dt.date], ...]
    tags: bool
    campaigns: tuple[str, ...]
    deleted: tuple[Path, ...]
    excluded: Path | None


def forget(folder: HolderFolder, spelling: str) -> Forgotten:
    """Take a person out of everything here, and put the id on the exclusion list.

    The newest word first: the id is excluded before anything is rewritten, so that no run brings it back meanwhile.
    Doing it again finds nothing more to do.

    Args:
        folder: the holder's.
        spelling: the id in any way in which the source spells it.

    Raises:
        ConfigError: if the id is empty, or has a line break and there is an exclusion list.
        DataError: if it cannot be read who is who in several sources, where the id is excluded and nothing else is
            done; or if a target of ``labels.toml`` cannot be written, where everything else is.
    """
    if not spelling.strip():
        raise ConfigError("there is no id", hint="give the customer's id as your source spells it")
    config, excluded = folder.config(), None
    key = normal_key(spelling, config)
    if any(source.exclude is not None for source in config.sources or (config.source,)):
        excluded = exclude(folder.root / "holder.toml", config, [spelling]).path
    kept = folder.state / "labels"
    found = {spelling.strip(), *same_person(key, config, folder.root)}
    for path in _parquet(kept):
        found = found.union(*(_spellings(pq.read_table(path), item) for item in found))
    found = found.union(*(_spellings(kept_tags(folder.root), item) for item in found))
    for listed in everybody_listed(folder.root):
        found = found.union(*(_spellings(listed, item) for item in found))
    days = sorted({(path.parent.name, parse_day(path.stem[:10])) for path in _parquet(kept) if _take_out(path, found)})
    tags = forget_tags(folder.root, lambda table: _of(table, found))
    lists = forget_in_campaigns(folder.root, lambda table: _of(table, found))
    deleted = list(_delete(sorted((folder.state / "tables").glob("*")), set()))
    for study, day in days:
        if any(day in kind(kept).days(study) for kind in histories_of_all()):
            export_labels(folder.root, study, day)
    # What labels.toml's targets did not write over: selections, and files of targets that it no longer has.
    targets = {folder.root / target.folder for target in read_labels_config(folder.root).file}
    written = (path for root in {*targets, folder.root / "labels"} for path in root.rglob("*") if path.is_file())
    deleted += _delete(sorted(written), found)
    deleted += _delete(sorted((folder.root / "report").glob("*.html")), found)
    if tags:
        rewrite_tags(folder.root)
    return Forgotten(
        ids=tuple(sorted(found)),
        days=tuple(days),
        tags=tags,
        campaigns=lists,
        deleted=tuple(deleted),
        excluded=excluded,
    )


def _parquet(folder: Path) -> list[Path]:
    return sorted(folder.rglob("[0-9]*.parquet")) if folder.exists() else []


def _of(table: pa.Table, ids: Iterable[str]) -> pa.ChunkedArray | pa.Array:
    """Which rows are of one of these ids, by any of their spellings."""
    wanted = pa.array(sorted(ids), pa.string())
    masks = [pc.is_in(table[name].cast(pa.string()), value_set=wanted) for name in _IDS if name in table.column_names]
    if "also_spelled" in table.column_names:
        lists = table["also_spelled"].combine_chunks()
        hit = pc.is_in(lists.flatten(), value_set=wanted)
        rows = pc.list_parent_indices(lists).filter(hit)
        masks.append(pc.is_in(pa.array(range(len(table)), rows.type), value_set=rows))
    mask = masks[0]
    for other in masks[1:]:
        mask = pc.or_(mask, other)
    return pc.fill_null(mask, False)


def _spellings(table: pa.Table, spelling: str) -> set[str]:
    """All ids of the customer who has this one."""
    rows = table.filter(_of(table, [spelling]))
    found = {text for name in _IDS if name in rows.column_names for text in rows[name].to_pylist() if text}
    if "also_spelled" in rows.column_names:
        found |= {text for texts in rows["also_spelled"].to_pylist() for text in texts or ()}
    return found


def _take_out(path: Path, ids: set[str]) -> bool:
    """Rewrite one day's snapshot without these ids; whether one was in it."""
    table = pq.read_table(path)
    rest = table.filter(pc.invert(_of(table, ids)))
    if len(rest) == len(table):
        return False
    with private_file(path) as target:
        pq.write_table(rest, target, compression="zstd")
    return True


def _delete(paths: Iterable[Path], ids: set[str]) -> Iterator[Path]:
    """Delete files that hold one of these ids; all of them where none are given."""
    for path in paths:
        if not ids or _holds(path, ids):
            path.unlink()
            yield path


def _holds(path: Path, ids: set[str]) -> bool:
    if path.suffix == ".parquet":
        return bool(pc.any(_of(pq.read_table(path), ids)).as_py())
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if path.suffix == ".html":  # a page shows an id by itself, between marks
        return any(re.search(rf"[>\s]{re.escape(html.escape(item))}[<\s]", text) for item in ids)
    header = text.partition("\n")[0]
    separator = next((sign for sign in ",;\t" if "customer_id" in header.split(sign)), ",")
    # As files are written for spreadsheets: ="007" keeps an id from being a number, an apostrophe from being a formula.
    cells = (cell for row in csv.reader(text.splitlines(), delimiter=separator) for cell in row)
    return any({cell, cell.removeprefix("'"), cell.removeprefix('="').removesuffix('"')} & ids for cell in cells)
