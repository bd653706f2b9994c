"""CSV files as a source: read exactly as ``holder.toml`` says, with every line accounted for.

Each file's header is read and its lines are sifted (``lines``); what is left goes to DuckDB with nothing to guess. A
file that has nothing to leave out and one kind of line end is read where it is, others as a copy in the scratch folder.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import ibis
from ibis.expr import types as ir

from clients.data.place import CsvFormat, Reading
from clients.data.reading import ReadNumber
from clients.data.scratch import check_room, new_copy
from clients.data.sources.embedded import embedded
from clients.data.sources.header import Header, complaints, path_keys, path_parts, read_header
from clients.data.sources.joined import Joiner, NotJoined
from clients.data.sources.lines import Shape, Sieve, Sifted
from clients.data.sources.locations import files, literal, shown
from clients.data.sources.opened import ColumnsMissing, FileLines, LeftOut, Notice, Opened, read_as
from clients.data.sources.packing import READ_IN_PLACE, archive_of, packing, readable, unpacked
from clients.data.sources.spelling import spelled
from clients.data.sources.text import Beginning, NotText, read_lines
from clients.data.sources.totals import AddsUp, Totals
from privacy.errors import DataError

#: How DuckDB reads what is left. Nothing is guessed: separator, lines to skip, packing and columns are added. It must
#: see well-formed lines only, for here, too, a quote that is left open goes on over lines.
OPTIONS: dict[str, Any] = {
    "auto_detect": False, "header": False, "quote": '"', "escape": '"', "comment": "", "strict_mode": True,
    "null_padding": False, "ignore_errors": False, "nullstr": "", "allow_quoted_nulls": True, "encoding": "utf-8",
    "max_line_size": 2 << 20,
}  # fmt: skip


@dataclass(frozen=True)
class _Part:
    """A file as DuckDB reads it: itself, or a copy of its well-formed lines.

    Attributes:
        path: what is read.
        names: of its columns, in their order.
        skip: lines before the first record.
        packing: as DuckDB calls it.
        lines: the account.
        totals: lines that add up others.
    """

    path: Path
    names: tuple[str, ...]
    skip: int
    packing: str
    lines: FileLines
    totals: tuple[AddsUp, ...] = ()


@contextlib.contextmanager
def open_csv(config: Reading, location: str, base: Path, mapped: Mapping[str, str]) -> Iterator[Opened]:
    """Open CSV files as one table, columns by name.

    All columns come as text: what a column holds must not depend on which rows a guess looked at.

    Raises:
        ColumnsMissing: if a file lacks a mapped column, or names it twice.
        DataError: if there is no file, or one is not written as ``[source.csv]`` says, or changes while it is read.
    """
    paths = files(base, location, "csv")
    stamps = [_stamp(path) for path in paths]
    with embedded(config, base) as (connection, scratch):
        wanted = _Wanted(mapped, getattr(config.columns, "also", {}), path_keys(paths))
        parts = _parts(paths, scratch, config, base, wanted)
        try:
            table = _united(connection, parts, config.source.csv, mapped, path_keys(paths))
        except Exception:  # its text may quote what stands in a file
            more = f" and {len(paths) - 1:,} files beside it" if len(paths) > 1 else ""
            raise DataError(
                f"{shown(paths[0], base)}{more} cannot be read as CSV",
                hint="if none is being written, write what they have under [source.csv]: "
                'separator = ";", encoding = "gb18030"',
            ) from None
        notices = [Notice(**item._asdict(), is_problem=True) for part in parts for item in part.totals]
        lines = [part.lines for part in parts]
        yield read_as(table, partial(spelled, config, is_csv=True), files=lines, notices=notices)
    for path, stamp in zip(paths, stamps, strict=True):
        if _stamp(path) != stamp:
            raise DataError(
                f"{shown(path, base)} changed while it was read", hint="try again when it is written to its end"
            )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = (archive_of(path) or path).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


@dataclass(frozen=True)
class _Wanted:
    """Columns that every file must have.

    Attributes:
        mapped: names by what they are mapped as.
        also: other names of these.
        keys: columns that paths give.
    """

    mapped: Mapping[str, str]
    also: Mapping[str, tuple[str, ...]]
    keys: tuple[str, ...]

    def header(self, name: str, fields: tuple[str, ...]) -> Header:
        return read_header(name, fields, self.mapped, self.keys, self.also)


def _parts(paths: list[Path], scratch: Path | None, config: Reading, base: Path, wanted: _Wanted) -> list[_Part]:
    """Every file, sifted. After the first wrong header only headers are read, so that all that is wrong is said."""
    mapped, form = wanted.mapped, config.source.csv
    headers: list[Header] = []
    parts: list[_Part] = []
    for number, path in enumerate(paths):
        name = shown(path, base)
        # A copy lies in folders of the same names, for these may be columns.
        target = None if scratch is None else scratch.joinpath(str(number), *path_parts(path), "rows.csv")
        with _readable(name, form), unpacked(path) as file:
            beginning, blocks = read_lines(file, form.encoding, form.header)
            headers.append(wanted.header(name, _names(name, beginning, form)))
            if not complaints(headers, mapped):
                sieve = _sieve(headers[-1], beginning, config, mapped)
                parts.append(_sifted(path, headers[-1], beginning, blocks, (form, sieve, target)))
    if wrong := complaints(headers, mapped):
        raise ColumnsMissing(wrong, complaints(headers, mapped, for_screen=True))
    return parts


@contextlib.contextmanager
def _readable(name: str, form: CsvFormat) -> Iterator[None]:
    try:
        with readable(name):
            yield
    except NotText:
        hint = 'write its encoding under [source.csv], such as encoding = "utf-8"; `cohortium holder new` finds it'
        raise DataError(f"{name} is not {form.encoding} text", hint=hint) from None
    except NotJoined as wrong:
        raise DataError(
            f"{name} cannot be read with multiline = true: at line {wrong.line:,} {wrong.why}",
            hint="mend it where the file is made, export Excel, JSON lines or Parquet, or take multiline out: "
            "then such lines are left out",
        ) from None


def _names(name: str, beginning: Beginning, form: CsvFormat) -> tuple[str, ...]:
    """What the line of names says, with empty names where lines may be wider."""
    shape = Shape(form.separator, 1)
    reason, fields = shape.wrong(beginning.header), shape.fields(beginning.header)
    if form.names:
        return (*form.names, *[""] * (max(form.fields, default=0) - len(form.names)))
    if not beginning.header:
        raise DataError(f"{name} is empty", hint="take it away, or export it again with a line of names")
    if fields is None or (reason is not None and reason.name != "too_many_fields"):
        raise DataError(
            f"the first line of {name} cannot be read as names of columns",
            hint="write what it has under [source.csv]: "
            'separator = ";", encoding = "gb18030", header = 2 where its names stand in line 2; '
            "a name may not go on over lines",
        )
    return (*fields, *[""] * (max(form.fields, default=0) - len(fields)))


def _sieve(header: Header, beginning: Beginning, config: Reading, mapped: Mapping[str, str]) -> Sieve:
    form, place = config.source.csv, header.names.index
    shape = Shape(form.separator, len(header.names), widths=form.fields, header=beginning.header)
    filled = tuple(place(mapped[role]) for role in form.fill_down if role in mapped)
    if not filled:
        return Sieve(shape, before=_before(beginning))
    signs = {role: read.decimal for role, read in config.source.read.items() if isinstance(read, ReadNumber)}
    numbers = [role for role in ("quantity", "price", "amount") if role in config.columns.of_form("number")]
    decimals = {place(mapped[role]): signs.get(role, form.decimal) for role in numbers}
    totals = Totals(header.names, [place(name) for name in form.goods], decimals)
    return Sieve(shape, before=_before(beginning), filled=filled, totals=totals)


def _before(beginning: Beginning) -> int:
    """How many lines come before the first record."""
    return beginning.before + bool(beginning.header)


def _sifted(
    path: Path,
    header: Header,
    beginning: Beginning,
    blocks: Iterator[bytes],
    how: tuple[CsvFormat, Sieve, Path | None],
) -> _Part:
    """Sift a file's lines; they are copied unless the file can be read where it is."""
    form, sieve, target = how
    packed = packing(path)
    in_place = form.encoding == "utf-8" and beginning.is_plain and beginning.end != b"\r" and packed in READ_IN_PLACE
    joiner = None
    if form.multiline:
        joiner, in_place = Joiner(form.separator, sieve.shape.widths, before=_before(beginning)), False
        blocks = joiner.blocks(blocks)
    copy: BinaryIO | None = None
    with contextlib.ExitStack() as stack:
        for number, block in enumerate(blocks):
            kept = sieve.sift(block)
            in_place &= kept is block and _same_ends(sieve.found, beginning)
            if not in_place and copy is None:
                copy = stack.enter_context(new_copy(target))
                for earlier in _first_blocks(path, form, number):
                    _write(copy, earlier)
            if copy is not None:
                _write(copy, kept)
        if not in_place and copy is None:
            stack.enter_context(new_copy(target))
    found = sieve.found
    left_out = tuple(
        LeftOut(reason=reason, lines=count, file=header.file, line=first)
        for reason, (count, first) in found.left_out.items()
    )
    continued = 0 if joiner is None else joiner.continued
    totals = () if sieve.totals is None else tuple(sieve.totals.found(header.file))
    lines = FileLines(
        file=header.file, before=beginning.before, rows=found.rows, blank=found.blank - continued,
        continued=continued, left_out=left_out, has_names=bool(beginning.header),
    )  # fmt: skip
    if in_place or target is None:
        return _Part(path, header.names, _before(beginning), packed, lines, totals)
    return _Part(target, header.names, 0, "none", lines, totals)


def _same_ends(found: Sifted, beginning: Beginning) -> bool:
    return (found.plain_ends if beginning.end == b"\r\n" else found.carriage_ends) == 0


def _first_blocks(path: Path, form: CsvFormat, count: int) -> Iterator[bytes]:
    """The first blocks of lines once more; nothing in them was left out."""
    with unpacked(path) as file:
        yield from itertools.islice(read_lines(file, form.encoding, form.header)[1], count)


def _write(copy: BinaryIO, block: bytes) -> None:
    """One kind of line end: DuckDB takes no file that has two."""
    check_room(copy)
    copy.write(block.replace(b"\r\n", b"\n"))


def _united(
    connection: Any, parts: list[_Part], form: CsvFormat, mapped: Mapping[str, str], keys: tuple[str, ...]
) -> ir.Table:
    """All files as one table: a view for those of one header, their columns named by position, and a union."""
    groups: dict[tuple[object, ...], list[_Part]] = {}
    for part in parts:
        groups.setdefault((part.names, part.skip, part.packing), []).append(part)
    # Databases do not tell upper and lower case: a column is called as holder.toml does, else as in the first file.
    spelled: dict[str, str] = {}
    for name in (*mapped.values(), *(name for part in parts for name in (*part.names, *keys))):
        spelled.setdefault(name.lower(), name)
    tables = []
    for number, group in enumerate(groups.values()):
        names = group[0].names
        rows = connection.read_csv(
            [literal(part.path) for part in group],
            table_name=f"part_{number}",
            columns={f"field {place}": "VARCHAR" for place in range(len(names))},
            delim=form.separator,
            skip=group[0].skip,
            compression=group[0].packing,
            hive_partitioning=bool(keys),
            **OPTIONS,
        )
        found = {name.lower(): rows[f"field {place}"] for place, name in enumerate(names)}
        found |= {key.lower(): rows[key] for key in keys}
        tables.append(rows.select(**{name: found.get(key, ibis.null("string")) for key, name in spelled.items()}))
    if len(tables) == 1:
        return tables[0]
    for key in keys:  # a folder's value is a number where all values of a view look like one
        if len({table[spelled[key.lower()]].type() for table in tables}) > 1:
            tables = [
                table.mutate(**{spelled[key.lower()]: table[spelled[key.lower()]].cast("string")}) for table in tables
            ]
    return ibis.union(*tables)
