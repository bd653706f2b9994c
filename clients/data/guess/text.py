"""How a CSV file is written: encoding and separator, judged from its beginning."""

from __future__ import annotations

import codecs
import io
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clients.data.guess.confidence import CONFIDENCE
from clients.data.guess.nouns import Guessed
from clients.data.place import CsvFormat
from clients.data.sources.header import unique_names
from clients.data.sources.lines import Shape
from clients.data.sources.packing import DAMAGED, unpacked
from clients.data.sources.text import NotText, read_lines
from privacy.errors import DataError

_BYTES = 8 << 20
_LINES = 20_000
#: Lines of each file that are looked at, however many files there are.
_FEWEST = 200
_SEPARATORS = ",;\t|"

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class TextFiles:
    """The beginnings of CSV files, and how they are written.

    Attributes:
        form: as ``[source.csv]`` takes it.
        reasons: for its fields.
        header: the names of all columns, in the order in which files have them.
        rows: rows of all files, as many values as there are names; None where a file lacks the column.
    """

    form: CsvFormat
    reasons: Mapping[str, Guessed]
    header: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


@dataclass(frozen=True)
class _Head:
    """The beginning of one file: where it is, the line of names, and lines after it."""

    path: Path
    header: bytes
    lines: tuple[bytes, ...]


def read_beginning(paths: Sequence[Path]) -> TextFiles:
    """Read the first rows of every file.

    Raises:
        DataError: if one cannot be read, is empty, or has no line of names; or if files are written in different ways.
    """
    encoding, reason = _one_encoding(paths)
    heads = [_head(path, encoding, max(_LINES // len(paths), _FEWEST)) for path in paths]
    separator = _guess_separator(heads)
    names: dict[str, int] = {}
    rows: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    for head in heads:
        fields = Shape(separator, 1).fields(head.header) or ()
        if len(fields) < 2 or sum(bool(name.strip()) for name in fields) < 2 or any(map(_is_number, fields)):
            raise DataError(
                f"the first line of {head.path} does not name the columns",
                hint="add a first line with the columns' names",
            )
        own, shape = unique_names(fields), Shape(separator, len(fields))
        for name in own:
            names.setdefault(name, len(names))
        found = (shape.fields(line) for line in head.lines if shape.wrong(line) is None)
        rows += [(own, row) for row in found if row is not None]
    reasons = {
        "separator": Guessed(
            value=separator, confidence=CONFIDENCE["separator"], reason="it gives every line as many values"
        ),
        "encoding": Guessed(value=encoding, confidence=CONFIDENCE["encoding"], reason=reason),
    }
    aligned = (dict(zip(own, row, strict=True)) for own, row in rows)
    return TextFiles(
        form=CsvFormat(separator=separator, encoding=encoding),
        reasons=reasons,
        header=tuple(names),
        rows=tuple(tuple(row.get(name) for name in names) for row in aligned),
    )


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
    return _Head(path, beginning.header, tuple(lines[:most]))


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


def guess_encoding(raw: bytes) -> tuple[str, str]:
    """The encoding, and why."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", "the file begins with the mark of UTF-16"
    if raw[:2000].count(0) > len(raw[:2000]) // 5:
        little = raw[1:2000:2].count(0) > raw[0:2000:2].count(0)
        return ("utf-16-le" if little else "utf-16-be"), "every other byte is zero"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(raw)
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8", "it reads as UTF-8 without an error"
    # In Chinese text of this encoding bytes above 0xA0 come in pairs; in Western text they mostly stand alone.
    runs = [len(run) for run in re.findall(rb"[\x81-\xff]+", raw)]
    pairs = sum(length % 2 == 0 for length in runs)
    try:
        codecs.getincrementaldecoder("gb18030")().decode(raw)
        is_chinese = pairs > 0.8 * len(runs)
    except UnicodeDecodeError:
        is_chinese = False
    if is_chinese:
        return "gb18030", "it is not UTF-8, and bytes come in pairs as in Chinese text"
    if re.search(rb"[\x80-\x9f]", raw) and not re.search(rb"[\x81\x8d\x8f\x90\x9d]", raw):
        return "cp1252", "it is not UTF-8, and has signs of Windows' Western encoding"
    return "latin-1", "it is not UTF-8, and looks Western"


def _guess_separator(heads: Sequence[_Head]) -> str:
    """The one that gives the most lines of all files as many fields as their header has."""

    def quality(separator: str) -> tuple[float, int]:
        fitting = total = least = 0
        for head in heads:
            width = len(Shape(separator, 1).fields(head.header) or ())
            some = [line for line in head.lines[:200] if line]
            shape = Shape(separator, max(width, 1))
            fitting += sum(shape.wrong(line) is None for line in some) if width > 1 else 0
            total += len(some)
            least = min(least or width, width)
        return (fitting / max(total, 1), least)

    return max(_SEPARATORS, key=quality)
