"""How a CSV file is written: encoding and separator, judged from its beginning."""

from __future__ import annotations

import codecs
import contextlib
import io
import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from clients.data.guess.confidence import CONFIDENCE
from clients.data.guess.encodings import guess_encoding
from clients.data.guess.line_breaks import go_on, whole_records
from clients.data.guess.nouns import Guessed
from clients.data.place import CsvFormat
from clients.data.sources.header import clean_names, first_of, unique_names
from clients.data.sources.lines import Shape
from clients.data.sources.packing import DAMAGED, unpacked
from clients.data.sources.text import NotText, read_lines
from privacy.errors import DataError

_BYTES = 8 << 20
_LINES = 20_000
#: Lines of each file that are looked at, however many files there are.
_FEWEST = 200
#: Lines among which the line of names is looked for.
_PREAMBLE = 60
_SEPARATORS = ",;\t|"

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class TextFiles:
    """The beginnings of CSV files, and how they are written.

    Attributes:
        form: as ``[source.csv]`` takes it.
        reasons: for its fields.
        headers: the names of each file's columns.
        twice: names that a file has more than once, as the first of these columns is called here.
        header: the names of all columns, in the order in which files have them.
        rows: rows of all files, as many values as there are names; None where a file lacks the column.
    """

    form: CsvFormat
    reasons: Mapping[str, Guessed]
    headers: Mapping[Path, tuple[str, ...]]
    twice: frozenset[str]
    header: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


@dataclass(frozen=True)
class _Head:
    """The beginning of one file: where it is, the line of names, and lines after it."""

    path: Path
    header: bytes
    lines: tuple[bytes, ...]
    before: int = 0


def read_beginning(paths: Sequence[Path]) -> TextFiles:
    """Read the first rows of every file.

    Raises:
        DataError: if one cannot be read, is empty, or has no line of names; or if files are written in different ways.
    """
    encoding, reason = _one_encoding(paths)
    heads = [_head(path, encoding, max(_LINES // len(paths), _FEWEST)) for path in paths]
    whole = _of_whole_records(heads)
    separator = _guess_separator(whole or heads)
    heads, header_at = _below_preambles(whole or heads, separator)
    widths = _widths(heads, separator, encoding, header_at)
    widest = max(widths, default=0)
    names: dict[str, int] = {}
    rows: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    headers: dict[Path, tuple[str, ...]] = {}
    twice: set[str] = set()
    for head in heads:
        fields = Shape(separator, 1).fields(head.header) or ()
        if not _are_names(fields):
            raise DataError(
                f"the first line of {head.path} does not name the columns",
                hint="add a first line with the columns' names",
            )
        fields = (*fields, *[""] * (widest - len(fields)))
        own, shape = unique_names(fields), Shape(separator, len(fields), widths=widths, header=head.header)
        headers[head.path] = own
        cleaned = clean_names(fields)
        twice |= {name for name in own if first_of(name, cleaned)}
        for name in own:
            names.setdefault(name, len(names))
        found = (shape.fields(line) for line in head.lines if shape.wrong(line) is None)
        rows += [(own, (*row, *[""] * (len(own) - len(row)))) for row in found if row is not None]
    shapes = [Shape(separator, len(own), widths=widths) for own in headers.values()]
    continued = go_on(list(headers), encoding, header_at, shapes)
    form = CsvFormat(separator=separator, encoding=encoding, header=header_at, fields=widths, multiline=continued > 0)
    aligned = (dict(zip(own, row, strict=True)) for own, row in rows)
    return TextFiles(
        form=form,
        reasons=_reasons(form, reason, continued),
        headers=headers,
        twice=frozenset(twice),
        header=tuple(names),
        rows=tuple(tuple(row.get(name) for name in names) for row in aligned),
    )


def _reasons(form: CsvFormat, encoding: str, continued: int) -> dict[str, Guessed]:
    """For each setting: how sure it is and why."""
    sure = CONFIDENCE["encoding, few lines" if "PLEASE" in encoding else "encoding"]
    said = encoding.replace("; PLEASE CHECK, for", ";")
    reasons = {
        "separator": Guessed(
            value=form.separator, confidence=CONFIDENCE["separator"], reason="it gives every line as many values"
        ),
        "encoding": Guessed(value=form.encoding, confidence=sure, reason=said),
    }
    if form.header is not None:
        says = f"{form.header - 1:,} lines above it are no table"
        reasons["header"] = Guessed(value=str(form.header), confidence=CONFIDENCE["line of names"], reason=says)
    if form.multiline:
        says = f"{continued:,} lines go on with the one above inside quotes, and all quotes are where they belong"
        reasons["multiline"] = Guessed(value="", confidence=CONFIDENCE["line breaks"], reason=says)
    if form.fields:
        says = "lines further down name more columns, so files gained some; PLEASE CHECK"
        reasons["fields"] = Guessed(value="", confidence=CONFIDENCE["widths"], reason=says)
    return reasons


def _of_whole_records(heads: Sequence[_Head]) -> list[_Head] | None:
    """The same with one record a line, where in one file records go on over lines, and no quote is stray."""
    for separator in _SEPARATORS:
        found = [(head, whole_records(head.header, head.lines, separator)) for head in heads]
        if any(lines is not None for _, lines in found):
            return [replace(head, lines=lines or head.lines) for head, lines in found]
    return None


def _is_number(field: str) -> bool:
    return _NUMBER.fullmatch(field.strip()) is not None


def _head(path: Path, encoding: str, most: int) -> _Head:
    raw = _start(path)
    try:
        beginning, blocks = read_lines(*_as_file(raw, encoding))
        lines = list(itertools.islice((line for block in blocks for line in block.splitlines()), most + 1))
    except NotText:
        raise DataError(f"{path} is not {encoding} text", hint="write holder.toml by hand") from None
    if len(raw) == _BYTES and len(lines) <= most and lines:
        lines.pop()  # probably cut in the middle
    if not beginning.header.strip():
        raise DataError(f"{path} is empty", hint="check the path")
    return _Head(path, beginning.header, tuple(lines[:most]), beginning.before)


def _are_names(fields: Sequence[str]) -> bool:
    """Whether fields may be names of columns: two and more, and no number among them."""
    return sum(bool(name.strip()) for name in fields) >= 2 and not any(map(_is_number, fields))


def _below_preambles(heads: Sequence[_Head], separator: str) -> tuple[list[_Head], int | None]:
    """Files without what stands above their line of names, and which line that is; None where it is the first.

    It is the first line of the most frequent width that may be names, if it is the same one in all files.
    """
    found = {_names_at(head, separator) for head in heads}
    place = found.pop() if len(found) == 1 else 0
    if not place:
        return list(heads), None
    below = [
        _Head(head.path, head.lines[place - 1].removesuffix(b"\r"), head.lines[place:], head.before + place)
        for head in heads
    ]
    lines = {head.before + 1 for head in below}
    return (below, lines.pop()) if len(lines) == 1 else (list(heads), None)


def _names_at(head: _Head, separator: str) -> int:
    """Which of the lines from the header on has the names; 0 for the header itself."""
    shape = Shape(separator, 1)
    some = [shape.fields(line) or () for line in (head.header, *head.lines[:_PREAMBLE])]
    width = Counter(len(fields) for fields in some if len(fields) > 1).most_common(1)
    if not width or (len(some[0]) == width[0][0] and _are_names(some[0])):
        return 0
    fitting = (place for place, fields in enumerate(some) if len(fields) == width[0][0])
    first = next(fitting, 0)
    return first if _are_names(some[first]) and all(name.strip() for name in some[first]) else 0


def _widths(heads: Sequence[_Head], separator: str, encoding: str, header_at: int | None) -> tuple[int, ...]:
    """How many fields lines may have, where lines further down begin with all names of the header and have more."""
    found: set[int] = set()
    for head in heads:
        shape = Shape(separator, 1, header=head.header)
        own = len(shape.fields(head.header) or ())
        with contextlib.suppress(NotText, OSError, *DAMAGED), unpacked(head.path) as file:
            for block in read_lines(file, encoding, header_at)[1]:
                if head.header in block:
                    again = (line for line in block.splitlines() if shape.repeats_header(line))
                    wider = {len(fields) for line in again if (fields := shape.fields(line)) and _are_names(fields)}
                    found |= {own, *wider} if max(wider, default=own) > own else set()
    return tuple(sorted(found))


def _start(path: Path) -> bytes:
    try:
        with unpacked(path) as file:
            return file.read(_BYTES)
    except (OSError, *DAMAGED) as problem:
        why = problem.strerror if isinstance(problem, OSError) and problem.strerror else "it is damaged"
        raise DataError(f"{path} cannot be read ({why})", hint="check the path") from None


def _one_encoding(paths: Sequence[Path]) -> tuple[str, str]:
    """The encoding of all files.

    Raises:
        DataError: if they are written in several.
    """
    found = {path: guess_encoding(_start(path)) for path in paths}
    telling = {path: item for path, item in found.items() if item[0] != "utf-8" or _has_odd_bytes(path)} or found
    names = {name for name, _ in telling.values()}
    if len(names) > 1:
        first, other = (next(path for path, item in telling.items() if item[0] == name) for name in sorted(names)[:2])
        raise DataError(
            f"{first} is {found[first][0]} text and {other} is {found[other][0]} text",
            hint="save all files in one encoding; UTF-8 is best",
        )
    return next(iter(telling.values()))


def _has_odd_bytes(path: Path) -> bool:
    return not _start(path).isascii()


def _as_file(raw: bytes, encoding: str) -> tuple[BinaryIO, str]:
    """The beginning of a file, as a file, and its encoding; without the half of a sign at its end."""
    if not encoding.startswith("utf-16"):
        return io.BytesIO(raw), encoding
    try:
        return io.BytesIO(codecs.getincrementaldecoder(encoding)().decode(raw).encode()), "utf-8"
    except UnicodeError:
        raise NotText from None


def _guess_separator(heads: Sequence[_Head]) -> str:
    """The one that gives the most lines of all files one number of fields, the line of names among them."""

    def quality(separator: str) -> tuple[float, int]:
        fitting = total = least = 0
        shape = Shape(separator, 1)
        for head in heads:
            some = [shape.fields(line) or () for line in (head.header, *head.lines[:200]) if line]
            width = Counter(len(fields) for fields in some if len(fields) > 1).most_common(1)
            first = next((fields for fields in some if width and len(fields) == width[0][0]), ())
            fitting += width[0][1] if width and _are_names(first) else 0
            total += len(some)
            least = min(least or 1_000_000, width[0][0] if width else 1)
        return (fitting / max(total, 1), least)

    return max(_SEPARATORS, key=quality)
