"""Labels as files: CSV that opens right in a spreadsheet, and Parquet.

``<folder>/<study>-<as of>.<format>`` has one study's labels of one day, and all of these are the history;
``<folder>/current/<study>.<format>`` has the latest day's; selections go to ``<folder>/lists``. Files are readable by
their owner only, appear whole or not at all, and have the same bytes for the same labels.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from clients.data.customer_table import write_private
from clients.labels.config import FileTarget
from clients.labels.rows import LabelRows

Writer = Callable[[pa.RecordBatch], None]

#: Text that a spreadsheet takes for a formula, the full-width signs of Asian keyboards among it ...
_FORMULA = "^[=+\\-@\t\r\n＝＋－＠]"
#: ... unless it is a plain number, which does nothing.
_NUMBER = r"^[+-][0-9]+([.,][0-9]+)?$"
#: Seconds after which an unfinished file is nobody's.
_ABANDONED = 3600


def write_files(rows: LabelRows, target: FileTarget, *, base: Path) -> tuple[tuple[Path, int], ...]:
    """Write one target's files; paths and numbers of rows.

    Raises:
        ConfigError: if the target selects a segment that there is not.
        OSError: if a file cannot be written.
    """
    folder = base / Path(target.folder).expanduser()
    name = f"{rows.snapshot.study}-{rows.snapshot.as_of.isoformat()}"
    if not target.changed_only and target.segment is None:
        path, count, chosen = folder / f"{name}.{target.format}", len(rows.snapshot), None
    else:
        chosen = rows.select(changed_only=target.changed_only, segment=target.segment)
        parts = [name, (target.segment or "").replace(":", "-"), "changed" if target.changed_only else ""]
        path, count = folder / "lists" / f"{'-'.join(part for part in parts if part)}.{target.format}", len(chosen)

    def write(temporary: str) -> None:
        with FORMATS[target.format](temporary, rows.schema(), target) as writer:
            for block in rows.blocks(chosen):
                writer(block)

    _sweep(path)
    write_private(path, write)
    if chosen is not None or not rows.is_latest:
        return ((path, count),)
    current = folder / "current" / f"{rows.snapshot.study}.{target.format}"
    _sweep(current)
    write_private(current, lambda temporary: shutil.copyfile(path, temporary))
    return ((path, count), (current, count))


def _sweep(path: Path) -> None:
    """Remove what a killed process left of this file; a younger one may be another process's that is at work."""
    for left in path.parent.glob(f".{path.name}.*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()


@contextmanager
def _csv(path: str, schema: pa.Schema, target: FileTarget) -> Iterator[Writer]:
    """UTF-8 with a byte-order mark, which makes Excel read it as such; the same line ends on every system."""
    options = pa_csv.WriteOptions(include_header=False, delimiter=target.separator)
    with open(path, "wb") as file:
        file.write(b"\xef\xbb\xbf" + target.separator.join(schema.names).encode() + b"\n")
        written = pa.schema([_as_written(item, target) for item in schema])
        with pa_csv.CSVWriter(file, written, write_options=options) as writer:
            yield lambda block: writer.write_batch(_for_spreadsheets(block, written, target))


def _as_written(field: pa.Field, target: FileTarget) -> pa.Field:
    """Money with a decimal comma is text to Arrow."""
    return pa.field(field.name, pa.string()) if field.name == "money" and target.decimal == "," else field


def _for_spreadsheets(block: pa.RecordBatch, schema: pa.Schema, target: FileTarget) -> pa.RecordBatch:
    columns = {name: block.column(name) for name in schema.names}
    if target.decimal == ",":
        columns["money"] = pc.replace_substring(columns["money"].cast(pa.string()), ".", ",")
    # Ids come from the holder's shops, names and codes of rules from the coordinator: neither may run in Excel.
    for name in (item.name for item in schema if item.type == pa.string() and item.name != "money"):
        columns[name] = _harmless(columns[name])
    if target.ids == "excel":
        text = pc.replace_substring(block.column("customer_id"), '"', '""')
        columns["customer_id"] = pc.binary_join_element_wise('="', text, '"', "")
    return pa.record_batch(list(columns.values()), schema=schema)


def _harmless(text: pa.Array) -> pa.Array:
    formula = pc.match_substring_regex(text, _FORMULA)
    if not pc.any(formula).as_py():
        return text
    formula = pc.and_not(formula, pc.match_substring_regex(text, _NUMBER))
    return pc.if_else(formula, pc.binary_join_element_wise("'", text, ""), text)


@contextmanager
def _parquet(path: str, schema: pa.Schema, target: FileTarget) -> Iterator[Writer]:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        yield writer.write_batch


#: The catalogue of file formats.
FORMATS: dict[str, Callable[[Any, pa.Schema, FileTarget], AbstractContextManager[Writer]]] = {
    "csv": _csv,
    "parquet": _parquet,
}
