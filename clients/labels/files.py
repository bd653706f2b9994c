"""Labels as files: CSV that opens right in a spreadsheet, and Parquet.

``<folder>/<study>-<as of>.<format>`` has one study's labels of one day, and all of these are the history;
``<folder>/current/<study>.<format>`` has the latest day's; selections go to ``<folder>/lists``. Churn scores are beside
them, as ``<study>-<as of>-churn`` and ``current/<study>.churn`` (no study's name has a point), and so are clusters, as
``-clusters``. Beside each of them, in ``spellings/`` and under the same name, is a file with the same rows once more
for every other way in which the source spells an id, where there is one. Files are readable by their owner only, appear
whole or not at all, and have the same bytes for the same labels.
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

from clients.labels.config import FileTarget
from clients.labels.day_rows import DayRows
from privacy.private_files import private_file

Writer = Callable[[pa.RecordBatch], None]

#: Text that a spreadsheet takes for a formula, the full-width signs of Asian keyboards among it ...
_FORMULA = "^[=+\\-@\t\r\n＝＋－＠]"
#: ... unless it is a plain number, which does nothing.
_NUMBER = r"^[+-][0-9]+([.,][0-9]+)?$"
#: Seconds after which an unfinished file is nobody's.
_ABANDONED = 3600


def write_files(rows: DayRows[Any], target: FileTarget, *, base: Path) -> tuple[tuple[Path, int], ...]:
    """Write one target's files; paths and numbers of rows. A target for some segments gets no rows without segments.

    Raises:
        ConfigError: if the target selects a segment that there is not.
        OSError: if a file cannot be written.
    """
    folder = base / Path(target.folder).expanduser()
    name = f"{rows.snapshot.study}-{rows.snapshot.as_of.isoformat()}"
    if target.whole:
        kind = f"-{rows.kind}" if rows.kind else ""
        path, count, chosen = folder / f"{name}{kind}.{target.format}", len(rows.snapshot), None
    else:
        chosen = rows.select(changed_only=target.changed_only, segment=target.segment)
        if chosen is None:
            return ()
        parts = [name, rows.kind, (target.segment or "").replace(":", "-"), "changed" if target.changed_only else ""]
        path, count = folder / "lists" / f"{'-'.join(part for part in parts if part)}.{target.format}", len(chosen)

    others, spelled = rows.other_spellings(chosen)
    other = path.parent / "spellings" / path.name
    write_table(path, rows.schema(), target, rows.blocks(chosen))
    written = [(path, count)]
    if len(others):
        write_table(other, rows.schema(), target, rows.blocks(others, source_ids=spelled))
        written.append((other, len(others)))
    else:
        other.unlink(missing_ok=True)
    if chosen is not None or not rows.is_latest:
        return tuple(written)
    kind = f".{rows.kind}" if rows.kind else ""
    current = folder / "current" / f"{rows.snapshot.study}{kind}.{target.format}"
    copies = {path: current, other: current.parent / "spellings" / current.name}
    for source, copy in copies.items():
        if source.exists():
            _sweep(copy)
            with private_file(copy) as temporary:
                shutil.copyfile(source, temporary)
        else:
            copy.unlink(missing_ok=True)
    return (*written, *((copies[item], size) for item, size in written))


def write_table(path: Path, schema: pa.Schema, target: FileTarget, blocks: Iterator[pa.RecordBatch]) -> None:
    """Write one file in a target's form, harmless in a spreadsheet.

    Raises:
        OSError: if it cannot be written.
    """
    _sweep(path)
    with private_file(path) as temporary, FORMATS[target.format](temporary, schema, target) as writer:
        for block in blocks:
            writer(block)


def _sweep(path: Path) -> None:
    """Remove what a killed process left of this file; a younger one may be another process's that is at work."""
    for left in path.parent.glob(f".{path.name}.*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()


@contextmanager
def _csv(path: Path, schema: pa.Schema, target: FileTarget) -> Iterator[Writer]:
    """UTF-8 with a byte-order mark, which makes Excel read it as such; the same line ends on every system."""
    options = pa_csv.WriteOptions(include_header=False, delimiter=target.separator)
    with path.open("wb") as file:
        file.write(b"\xef\xbb\xbf" + target.separator.join(schema.names).encode() + b"\n")
        written = pa.schema([_as_written(item, target) for item in schema])
        with pa_csv.CSVWriter(file, written, write_options=options) as writer:
            yield lambda block: writer.write_batch(_for_spreadsheets(block, written, target))


def _as_written(field: pa.Field, target: FileTarget) -> pa.Field:
    """A decimal comma is text to Arrow."""
    return pa.field(field.name, pa.string()) if target.decimal == "," and _is_decimal(field) else field


def _is_decimal(field: pa.Field) -> bool:
    return bool(pa.types.is_decimal(field.type))


def _for_spreadsheets(block: pa.RecordBatch, schema: pa.Schema, target: FileTarget) -> pa.RecordBatch:
    columns = {name: block.column(name) for name in schema.names}
    for item in block.schema:
        if _is_decimal(item) and target.decimal == ",":
            columns[item.name] = pc.replace_substring(columns[item.name].cast(pa.string()), ".", ",")
        elif item.type == pa.string():
            # Ids come from the holder's shops, names and codes of rules from the coordinator: neither may run in Excel.
            columns[item.name] = _harmless(columns[item.name])
    if target.ids == "excel":
        for name in ("customer_id", "source_id"):
            text = pc.replace_substring(block.column(name), '"', '""')
            columns[name] = pc.binary_join_element_wise('="', text, '"', "")
    return pa.record_batch(list(columns.values()), schema=schema)


def _harmless(text: pa.Array) -> pa.Array:
    formula = pc.match_substring_regex(text, _FORMULA)
    if not pc.any(formula).as_py():
        return text
    formula = pc.and_not(formula, pc.match_substring_regex(text, _NUMBER))
    return pc.if_else(formula, pc.binary_join_element_wise("'", text, ""), text)


@contextmanager
def _parquet(path: Path, schema: pa.Schema, target: FileTarget) -> Iterator[Writer]:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        yield writer.write_batch


#: The catalogue of file formats.
FORMATS: dict[str, Callable[[Path, pa.Schema, FileTarget], AbstractContextManager[Writer]]] = {
    "csv": _csv,
    "parquet": _parquet,
}
