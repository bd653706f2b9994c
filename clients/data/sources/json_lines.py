"""JSON lines as a source: one object on each line, columns by name or by path (``$.customer.email``), all as text.

A record is one physical line, as with CSV: a line that is no JSON object is left out, counted, and named by its number.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients.data.place import Reading
from clients.data.sources.cells import Copies, Number
from clients.data.sources.embedded import embedded
from clients.data.sources.header import Header, complaints, path_keys
from clients.data.sources.lines import LONGEST
from clients.data.sources.locations import files, shown
from clients.data.sources.opened import ColumnsMissing, FileLines, LeftOut, Notice, Opened, read_as
from clients.data.sources.packing import readable, unpacked
from clients.data.sources.text import NotText, read_lines
from privacy.errors import DataError

#: Records of each file in which columns are looked for, beside those that are mapped.
_TOP = 1000
#: Objects inside of objects, so deep.
_DEEP = 4
#: Numbers keep their digits; what JSON has no number for, such as NaN, is none.
_DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=lambda _: None)
_STEP = re.compile(r'\.([^.\["]+)|\["([^"]*)"\]|\[([0-9]{1,4})\]')
_PLAIN = re.compile(r"[^.\[\"$]+")

Steps = tuple[str | int, ...]


def steps(name: str) -> Steps | None:
    """The keys and places that a column's name leads through; None where it is no path.

    ``$.customer.email``, ``$.lines[0].sku`` and ``$["e-mail.address"]`` are paths; all else is a key of the object.
    """
    if not name.startswith("$"):
        return (name,)
    found: list[str | int] = []
    place = 1
    while place < len(name):
        match = _STEP.match(name, place)
        if match is None:
            return None
        found.append(int(match[3]) if match[3] else match[1] or match[2])
        place = match.end()
    return tuple(found) or None


def _name(path: Sequence[str]) -> str:
    if len(path) == 1 and not path[0].startswith("$"):
        return path[0]
    return "$" + "".join(f".{key}" if _PLAIN.fullmatch(key) else f'["{key}"]' for key in path)


@dataclass
class _File:
    """Records of one file, and what was found in its lines."""

    name: str
    before: int = 0
    rows: int = 0
    blank: int = 0
    left_out: dict[str, tuple[int, int]] = field(default_factory=dict)

    def records(self, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        """The objects of well-formed lines."""
        for number, line in enumerate(lines, start=self.before + 1):
            if not line.strip():
                self.blank += 1
                continue
            record = _record(line)
            if isinstance(record, str):
                count, first = self.left_out.get(record, (0, number))
                self.left_out[record] = count + 1, first
            else:
                self.rows += 1
                yield record

    @property
    def account(self) -> FileLines:
        """What its lines are; there is no line of names, so the first record's stands for it."""
        some = (
            LeftOut(reason=reason, lines=count, file=self.name, line=first)
            for reason, (count, first) in self.left_out.items()
        )
        return FileLines(
            file=self.name, before=self.before, rows=self.rows, blank=self.blank, left_out=tuple(some), has_names=False
        )


def _record(line: bytes) -> dict[str, Any] | str:
    """An object, or the name of the reason why the line is left out."""
    if len(line) > LONGEST:
        return "too_long"
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "encoding"
    try:
        found = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return "no_json"
    return found if isinstance(found, dict) else "no_json"


@contextlib.contextmanager
def open_json_lines(config: Reading, location: str, base: Path, mapped: Mapping[str, str]) -> Iterator[Opened]:
    """Open files of JSON lines as one table, columns by name or path, all as text.

    Raises:
        ColumnsMissing: if no record of a file has a mapped column.
        DataError: if there is no file, or it is JSON of another form.
    """
    wrong = [role for role, name in mapped.items() if steps(name) is None]
    if wrong:
        hint = f'write it under [columns] as {wrong[0]} = "$.customer.email", or as the name of a key'
        raise DataError(f"{wrong[0]}: {mapped[wrong[0]]!r} is no path", hint=hint)
    paths = files(base, location, "jsonl")
    keys = path_keys(paths)
    encoding = config.source.csv.encoding
    found: list[_File] = []
    headers: list[Header] = []
    notices: list[Notice] = []
    with embedded(config, base) as (connection, scratch):
        copies = Copies(config, scratch, paths)
        for path in paths:
            file = _File(shown(path, base))
            found.append(file)
            with _readable(file.name, encoding), unpacked(path) as stream:
                beginning, blocks = read_lines(stream, encoding)
                if beginning.header.lstrip().startswith(b"["):
                    raise DataError(
                        f"{file.name} is one JSON list, and no lines of objects",
                        hint="write one object a line, as `jq -c '.[]'` does",
                    )
                file.before = beginning.before
                lines = (line for block in blocks for line in block.splitlines())
                columns = _Columns(file.records(itertools.chain([beginning.header], lines)), mapped, keys)
                copies.write(columns.names, columns.rows(), of=path)
            missing = [role for role, name in mapped.items() if name not in keys and not columns.seen[name]]
            headers.append(Header(file.name, columns.names, missing=tuple(missing) if file.rows else ()))
            notices += columns.notices(file.name)
        if sentences := complaints(headers, mapped):
            raise ColumnsMissing(sentences)
        accounts = [file.account for file in found]
        yield read_as(copies.raw(connection), copies.spelled, files=accounts, notices=notices)


@contextlib.contextmanager
def _readable(name: str, encoding: str) -> Iterator[None]:
    try:
        with readable(name):
            yield
    except NotText:
        raise DataError(
            f"{name} is not {encoding} text", hint='write its encoding under [source.csv], such as encoding = "gb18030"'
        ) from None


class _Columns:
    """Columns of one file's records: those that are mapped, and what else its first records have."""

    def __init__(self, records: Iterator[dict[str, Any]], mapped: Mapping[str, str], keys: Sequence[str]) -> None:
        self._top = list(itertools.islice(records, _TOP))
        self._records = records
        wanted = {name: steps(name) or () for name in dict.fromkeys(mapped.values()) if name not in keys}
        taken = {*(name.lower() for name in (*wanted, *keys))}
        paths = dict.fromkeys(path for record in self._top for path in _scalars(record, ()))
        for path in paths:
            name = _name(path)
            if path not in wanted.values() and name.lower() not in taken:
                taken.add(name.lower())
                wanted[name] = path
        self._paths = wanted
        self.names = tuple(wanted)
        self.seen: Counter[str] = Counter()
        self._nested: Counter[str] = Counter()
        self._mapped = frozenset(mapped.values())

    def rows(self) -> Iterator[list[object]]:
        """The cells of every record."""
        for record in itertools.chain(self._top, self._records):
            yield [self._cell(record, name, path) for name, path in self._paths.items()]

    def _cell(self, record: dict[str, Any], name: str, path: Steps) -> object:
        found: Any = record
        step: Any
        for step in path:
            try:
                found = found[step] if isinstance(found, dict | list) else None
            except (KeyError, IndexError, TypeError):
                return None
        if found is None:
            return None
        self.seen[name] += 1
        if isinstance(found, dict | list):
            self._nested[name] += 1
            return None
        return found

    def notices(self, file: str) -> Iterator[Notice]:
        """Mapped columns that hold what is no value."""
        for name in self.names:
            if name in self._mapped and self._nested[name]:
                inside = name if name.startswith("$") else f"$.{name}"
                yield Notice(
                    code="nested",
                    text=f"{file}: {self._nested[name]:,} records have an object or a list at {name!r}",
                    hint=f"map what is inside, such as {inside}.amount or {inside}[0]",
                    is_problem=True,
                )


def _scalars(value: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, inside in value.items():
        if isinstance(inside, dict) and len(path) < _DEEP:
            yield from _scalars(inside, (*path, key))
        elif not isinstance(inside, dict | list) and key and '"' not in key:
            yield (*path, key)
