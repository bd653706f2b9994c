"""How a CSV file is written: encoding and separator, judged from its beginning."""

from __future__ import annotations

import codecs
import contextlib
import io
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from clients.data.guess.confidence import CONFIDENCE
from clients.data.guess.encodings import guess_encoding
from clients.data.guess.headers import are_names
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
#: The likelier ones first: of equals the first is taken.
_SEPARATORS = ",;\t|^~\x01\uff0c"
#: A name for each column that has none is written down by a file without a line of names.
_UNNAMED = "column_{}"
#: Lines are as wide as most of them, if those are so many.
_MOST, _HALF = 0.9, 0.5
#: Lines of the table's width that may stand above the names.
_TITLES = 5
#: Lines of a table that must stand below its names, where other lines stand above them.
_ROWS_BELOW = 2


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
    heads, header_at, given = _with_names(whole or heads, separator)
    widths = _widths(heads, separator, encoding, header_at)
    widest = max(widths, default=0)
    names: dict[str, int] = {}
    rows: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    headers: dict[Path, tuple[str, ...]] = {}
    twice: set[str] = set()
    for head in heads:
        fields = given or Shape(separator, 1).fields(head.header) or ()
        fields = (*fields, *[""] * (widest - len(fields)))
        own, shape = unique_names(fields), Shape(separator, len(fields), widths=widths, header=head.header)
        headers[head.path] = own
        cleaned = clean_names(fields)
        twice |= {name for name in own if first_of(name, cleaned)}
        for name in own:
            names.setdefault(name, len(names))
        found = (shape.fields(line) for line in head.lines if shape.wrong(line) is None)
        rows += [(own, (*row, *[""] * (len(own) - len(row)))) for row in found if row is not None]
    if not rows:
        why, hint = _no_rows(heads, separator)
        raise DataError(why, hint=hint)
    shapes = [Shape(separator, len(own), widths=widths) for own in headers.values()]
    continued = go_on(list(headers), encoding, header_at, shapes)
    form = CsvFormat(
        separator=separator, encoding=encoding, header=header_at, names=given, fields=widths, multiline=continued > 0
    )
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
    if form.names:
        says = "no line names the columns: put their names here, from the left"
        unnamed = CONFIDENCE["no line of names"]
        reasons["header"] = Guessed(value="0", confidence=unnamed, reason="the first line is like all others")
        reasons["names"] = Guessed(value="", confidence=unnamed, reason=says)
    elif form.header is not None:
        says = f"{form.header - 1:,} lines above it are no table"
        reasons["header"] = Guessed(value=str(form.header), confidence=CONFIDENCE["line of names"], reason=says)
    if form.multiline:
        says = f"{continued:,} lines go on with the one above inside quotes, and all quotes are where they belong"
        reasons["multiline"] = Guessed(value="", confidence=CONFIDENCE["line breaks"], reason=says)
    if form.fields:
        says = "lines have more fields than the line of names, or fewer, from the first one or from a later one on"
        reasons["fields"] = Guessed(value="", confidence=CONFIDENCE["widths"], reason=says)
    return reasons


def _of_whole_records(heads: Sequence[_Head]) -> list[_Head] | None:
    """The same with one record a line, where in one file records go on over lines, and no quote is stray."""
    for separator in _SEPARATORS:
        found = [(head, whole_records(head.header, head.lines, separator)) for head in heads]
        if any(lines is not None for _, lines in found):
            return [replace(head, lines=lines or head.lines) for head, lines in found]
    return None


def _head(path: Path, encoding: str, most: int) -> _Head:
    raw = _start(path)
    try:
        beginning, blocks = read_lines(*_as_file(raw, encoding))
        lines = list(itertools.islice((line for block in blocks for line in block.splitlines()), most + 1))
    except NotText:
        hint = 'save it as UTF-8, or write holder.toml by hand with encoding = "..." under [source.csv]'
        raise DataError(f"{path} is not {encoding} text, nor in another encoding known here", hint=hint) from None
    if len(raw) == _BYTES and len(lines) <= most and lines:
        lines.pop()  # probably cut in the middle
    if not beginning.header.strip():
        raise DataError(f"the file {path} is empty", hint="take it away, or export it again")
    return _Head(path, beginning.header, tuple(lines[:most]), beginning.before)


def _with_names(heads: Sequence[_Head], separator: str) -> tuple[list[_Head], int | None, tuple[str, ...]]:
    """Files from their line of names on; which line that is, None for the first; and names, where no file has any.

    Raises:
        DataError: if only some of the files have a line of names.
    """
    heads, header_at = _below_preambles(heads, separator)
    fields = [Shape(separator, 1).fields(head.header) or () for head in heads]
    named = [are_names(own, _rows(head, separator)) for own, head in zip(fields, heads, strict=True)]
    if all(named):
        return heads, header_at, ()
    widths = {len(own) for own in fields}
    _check_separators(heads, separator)
    if any(named) or widths == {1} or len(widths) > 1 or header_at is not None:
        path = next(head.path for head, is_named in zip(heads, named, strict=True) if not is_named)
        raise DataError(
            f"the first line of {path} does not name the columns"
            + (", as those of other files do" if any(named) else ""),
            hint=f"add a first line with the columns' names; separators that are known here are {_known()}",
        )
    given = tuple(_UNNAMED.format(number) for number in range(1, widths.pop() + 1))
    return [_Head(head.path, b"", (head.header, *head.lines), head.before) for head in heads], 0, given


def _check_separators(heads: Sequence[_Head], separator: str) -> None:
    """Whether each file by itself would be read by another separator.

    Raises:
        DataError: if so, naming the file.
    """
    own = {head.path: _guess_separator([head]) for head in heads}
    other = next((path for path, sign in own.items() if sign != separator), None)
    if len(set(own.values())) > 1 and other is not None:
        alike = sum(sign == separator for sign in own.values())
        raise DataError(
            f"{other} is separated by {own[other]!r}, and {alike:,} of {len(own):,} files by {separator!r}",
            hint="export all files alike, or name them as sources of their own: cohortium holder new FILE FILE",
        )


def _known() -> str:
    return "comma, semicolon, tab, | ^ ~ and one more for [source.csv] separator, which may be any one sign"


def _no_rows(heads: Sequence[_Head], separator: str) -> tuple[str, str]:
    """Why no line of any file has as many fields as there are names."""
    shape, head = Shape(separator, 1), heads[0]
    lines = [len(shape.fields(line) or ()) for line in head.lines if line.strip()]
    if not lines:
        return f"{head.path} has names of columns and no rows", "check source.url"
    names, (width, count) = len(shape.fields(head.header) or ()), Counter(lines).most_common(1)[0]
    return (
        f"{count:,} of {len(lines):,} lines of {head.path} have {width} fields, not {names} as the line of names",
        f"mend the line of names, or write under [source.csv]: header = {head.before + 1}, fields = [{names}, {width}]",
    )


def _rows(head: _Head, separator: str) -> list[tuple[str, ...]]:
    shape = Shape(separator, 1)
    return [fields for line in head.lines[:200] if (fields := shape.fields(line)) is not None]


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
    if not width or (len(some[0]) == width[0][0] and are_names(some[0], some[1:]) and _is_full(some[0])):
        return 0
    fitting = [place for place, fields in enumerate(some) if len(fields) == width[0][0]][:-_ROWS_BELOW]
    found = next((place for place in fitting if _is_full(some[place]) and are_names(some[place], some[place + 1 :])), 0)
    # A line that goes on where the first one ends is that of a table which gained columns.
    return 0 if len(some[0]) > 1 and some[found][: len(some[0])] == some[0] else found


def _is_full(fields: Sequence[str]) -> bool:
    """Whether all fields say something but for the first and the last, as in a line of names; titles say little."""
    return all(name.strip() for name in fields[1:-1])


def _widths(heads: Sequence[_Head], separator: str, encoding: str, header_at: int | None) -> tuple[int, ...]:
    """How many fields lines may have, where lines further down begin with all names of the header and have more."""
    found: set[int] = set()
    for head in heads:
        shape = Shape(separator, 1, header=head.header)
        own = len(shape.fields(head.header) or ())
        found |= _one_more(head, separator, own) if own else set()
        with contextlib.suppress(NotText, OSError, *DAMAGED), unpacked(head.path) as file:
            for block in read_lines(file, encoding, header_at)[1]:
                if head.header in block:
                    again = (line for line in block.splitlines() if shape.repeats_header(line))
                    wider = {len(fields) for line in again if (fields := shape.fields(line)) and are_names(fields)}
                    found |= {own, *wider} if max(wider, default=own) > own else set()
    return tuple(sorted(found))


def _one_more(head: _Head, separator: str, own: int) -> set[int]:
    """Both widths where nearly all lines end in a separator and the line of names does not, or the other way round."""
    rows = _rows(head, separator)
    width, count = next(iter(Counter(len(row) for row in rows).most_common(1)), (own, 0))
    if count < _MOST * len(rows) or abs(width - own) != 1:
        return set()
    names = Shape(separator, 1).fields(head.header) or ("",)
    is_empty = not any(row[-1].strip() for row in rows if len(row) == width) if width > own else not names[-1].strip()
    return {own, width} if is_empty else set()


def _start(path: Path) -> bytes:
    try:
        with unpacked(path) as file:
            return file.read(_BYTES)
    except (OSError, *DAMAGED) as problem:
        why = problem.strerror if isinstance(problem, OSError) and problem.strerror else "it is damaged"
        raise DataError(f"{path} cannot be read ({why})", hint="give a path that this user may read") from None


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
            f"{first} is {found[first][0]} text and {other} is {found[other][0]} text, of {len(paths):,} files",
            hint="save all in one encoding, UTF-8 best; or name them as sources of their own: holder new FILE FILE",
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
    """The one that gives the most lines of all files one number of fields, a line of names among them if there is."""

    def quality(separator: str) -> tuple[bool, float, int]:
        fitting = total = least = 0
        is_named = True
        shape = Shape(separator, 1)
        for head in heads:
            some = [shape.fields(line) or () for line in (head.header, *head.lines[:200]) if line]
            width = Counter(len(fields) for fields in some if len(fields) > 1).most_common(1)
            alike = [fields for fields in some if width and len(fields) == width[0][0]]
            is_named &= any(are_names(fields, alike[place + 1 :]) for place, fields in enumerate(alike[:_TITLES]))
            fitting += len(alike)
            total += len(some)
            least = min(least or 1_000_000, width[0][0] if width else 1)
        share = fitting / max(total, 1)
        return is_named and share > _HALF, share, least

    return max(_SEPARATORS, key=quality)
