"""Tags as files: a row a customer and a column a tag, lists of groups, and what changed.

Files of labels are called after their study; whatever a study is called, no file of its labels has one of these names.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clients.labels.config import FileTarget
from clients.labels.control import PARTS, group_draw, usual_share
from clients.labels.day_rows import BLOCK
from clients.labels.files import write_table
from clients.tags.changes import changes_on
from clients.tags.config import Group
from clients.tags.evaluation import Evaluated
from clients.tags.store import History
from privacy.tags.truth import IntArray


def write_tags(history: History, codes: list[str], target: FileTarget, base: Path) -> tuple[Path, int]:
    """Write ``<folder>/current/own.tags.<format>``: everybody with a tag; the file, and how many there are.

    Columns: ``customer_id``, ``source_id``, and for each tag its value, empty where a customer has it not.

    Args:
        history: whose current intervals are written.
        codes: of the tags, in their order.
        target: in which form.
        base: the holder's folder.

    Raises:
        OSError: if the file cannot be written.
    """
    table = wide(history.current(), codes)
    path = _folder(target, base) / "current" / f"own.tags.{target.format}"
    write_table(path, table.schema, target, _blocks(table))
    return path, len(table)


def wide(current: pa.Table, codes: list[str]) -> pa.Table:
    """A row a customer who has a tag, sorted by id, and a column a tag."""
    by_id = current.group_by("customer_id").aggregate([("source_id", "min")])
    by_id = by_id.take(pc.sort_indices(by_id["customer_id"])).combine_chunks()
    ids = by_id["customer_id"].combine_chunks()
    columns: dict[str, pa.Array] = {"customer_id": ids, "source_id": by_id["source_id_min"].combine_chunks()}
    for code in codes:
        own = current.filter(pc.equal(current["tag"], code)).combine_chunks()
        place = pc.index_in(ids, value_set=own["customer_id"].combine_chunks())
        columns[code] = own["value"].combine_chunks().take(place)
    return pa.table(columns)


def write_changes(history: History, target: FileTarget, base: Path) -> tuple[Path, int]:
    """Write ``<folder>/lists/own-<day>-tags-changed.<format>``: who entered, left or moved in the last run.

    Raises:
        OSError: if the file cannot be written.
    """
    if history.last is None:
        raise ValueError("there was no run")
    table = changes_on(history, history.last)
    path = _folder(target, base) / "lists" / f"own-{history.last.isoformat()}-tags-changed.{target.format}"
    write_table(path, table.schema, target, _blocks(table))
    return path, len(table)


def write_group(
    evaluated: Evaluated, group: Group, key: bytes, target: FileTarget, base: Path
) -> tuple[Path, int, int]:
    """Write ``<folder>/lists/<group>-<day>.<format>``: the file, how many are in it, how many of these stay alone.

    Columns: ``number`` (1 for the first, see :func:`in_order`), ``customer_id``, ``source_id``, ``control`` (true:
    leave this customer alone, to see what the list brings), ``act_by``, ``todo_en``, ``todo_zh``. Who is left alone
    follows from the holder's key, the group's code and the customer: the same ones all month.

    Args:
        evaluated: of the run.
        group: whose list it is.
        key: the holder's, for the control group.
        target, base: as of :func:`write_tags`.

    Raises:
        OSError: if the file cannot be written.
    """
    rows = pa.array(in_order(evaluated, group.code))
    ids = evaluated.customers.ids.take(rows)
    control = group_draw(key, group.code, evaluated.day).of(ids.to_pylist(), held_out(group, len(ids)))
    table = pa.table({
        "number": pa.array(1 + np.arange(len(ids))),
        "customer_id": ids,
        "source_id": evaluated.customers.source_ids.take(rows),
        "control": pa.array(control),
        **what_to_do(group, evaluated.day, len(ids)),
    })  # fmt: skip
    path = _folder(target, base) / "lists" / f"{group.code}-{evaluated.day.isoformat()}.{target.format}"
    write_table(path, table.schema, target, _blocks(table))
    return path, len(table), int(control.sum())


def in_order(evaluated: Evaluated, code: str) -> IntArray:
    """Places of a group's customers, those first who have most of what the group is ranked by, or who spent most."""
    there: IntArray = np.flatnonzero(evaluated.values[code])
    rank = next(rule.rank for rule in evaluated.rules if rule.code == code)
    if rank is None:
        return there[np.argsort(-evaluated.customers.spent[there], kind="stable")]
    column = evaluated.customers.columns[rank]
    return there[np.lexsort((-column.raw[there], ~column.known[there]))]


def what_to_do(group: Group, day: dt.date, names: int) -> dict[str, pa.Array]:
    """Columns ``act_by``, ``todo_en``, ``todo_zh`` of a group's list."""
    last = None if group.act_within is None else day + dt.timedelta(days=group.act_within)
    return {
        "act_by": pa.repeat(pa.scalar(last, pa.date32()), names),
        "todo_en": pa.repeat(group.todo_en, names),
        "todo_zh": pa.repeat(group.todo_zh, names),
    }


def held_out(group: Group, names: int) -> int:
    """How many of a group of so many are left alone, in thousandths."""
    return usual_share(names) if group.hold_out is None else round(PARTS * group.hold_out)


def _folder(target: FileTarget, base: Path) -> Path:
    return base / Path(target.folder).expanduser()


def _blocks(table: pa.Table) -> Iterator[pa.RecordBatch]:
    yield from table.combine_chunks().to_batches(max_chunksize=BLOCK)
