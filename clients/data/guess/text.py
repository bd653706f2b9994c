"""How a CSV file is written: encoding, separator, decimal sign and dates, judged from its beginning."""

from __future__ import annotations

import codecs
import datetime as dt
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clients.data.sources.header import unique_names
from clients.data.sources.lines import Shape
from clients.data.sources.text import NotText, read_lines, unpacked
from privacy.errors import DataError

_BYTES = 8 << 20
_LINES = 20_000
_SEPARATORS = ",;\t|"

ISO_TIME = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?( ?([Zz]|[+-]\d{2}(:?\d{2})?))?", re.ASCII
)
_DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日",
          "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y")  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", ", %H:%M", "%H%M%S")
_READABLE = 0.98

_POINT = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_POINTS_COMMA = re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?", re.ASCII)
_COMMAS_POINT = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
_SPACES_COMMA = re.compile(r"[+-]?\d{1,3}([ \u00a0\u202f']\d{3})+([.,]\d+)?", re.ASCII)

#: Tried in this order. "1,234" may be two things, and counts as thousands unless other values show a decimal comma.
_FORMS = (
    ("point", _POINT),
    ("points,", _POINTS_COMMA),
    ("commas.", _COMMAS_POINT),
    ("comma", _COMMA),
    ("spaces", _SPACES_COMMA),
    ("other", re.compile(r"(?s).*")),
)


@dataclass(frozen=True)
class TextFile:
    """The beginning of a CSV file, and how it is written.

    Attributes:
        encoding, separator: as ``[source.csv]`` takes them.
        encoding_reason: why this encoding.
        header: the names in the first line.
        rows: the rows after it, as many values as there are names.
    """

    encoding: str
    separator: str
    encoding_reason: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def read_beginning(path: Path) -> TextFile:
    """Read the first rows of a CSV file.

    Raises:
        DataError: if it cannot be read, is empty, or has no line of names.
    """
    try:
        with unpacked(path) as file:
            raw = file.read(_BYTES)
    except (OSError, EOFError) as problem:
        why = problem.strerror if isinstance(problem, OSError) and problem.strerror else "it is damaged"
        raise DataError(f"{path} cannot be read ({why})", hint="check the path") from None
    encoding, reason = guess_encoding(raw)
    try:
        beginning, blocks = read_lines(*_as_file(raw, encoding))
        lines = list(itertools.islice((line for block in blocks for line in block.splitlines()), _LINES + 1))
    except NotText:
        raise DataError(f"{path} is not {encoding} text", hint="write holder.toml by hand") from None
    if len(raw) == _BYTES and len(lines) <= _LINES and lines:
        lines.pop()  # probably cut in the middle
    if not beginning.header.strip():
        raise DataError(f"{path} is empty", hint="check the path")
    separator = _guess_separator(beginning.header, lines)
    fields = Shape(separator, 1).fields(beginning.header) or ()
    if len(fields) < 2 or any(not name.strip() or _POINT.fullmatch(name.strip()) for name in fields):
        raise DataError(
            f"the first line of {path} does not name the columns", hint="add a first line with the columns' names"
        )
    shape = Shape(separator, len(fields))
    found = (shape.fields(line) for line in lines[:_LINES] if shape.wrong(line) is None)
    return TextFile(encoding, separator, reason, unique_names(fields), tuple(row for row in found if row is not None))


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


def _guess_separator(header: bytes, lines: Sequence[bytes]) -> str:
    """The one that gives the most lines as many fields as the header has."""

    def quality(separator: str) -> tuple[float, int]:
        width = len(Shape(separator, 1).fields(header) or ())
        shape, some = Shape(separator, max(width, 1)), [line for line in lines[:200] if line]
        fitting = sum(shape.wrong(line) is None for line in some) / max(len(some), 1)
        return (fitting if width > 1 else 0.0, width)

    return max(_SEPARATORS, key=quality)


def number_form(values: Iterable[str]) -> tuple[str, str] | None:
    """``(decimal, thousands)`` of a column of text, or None where it does not hold numbers."""
    kinds: Counter[str] = Counter()
    for value in values:
        for kind, pattern in _FORMS:
            if pattern.fullmatch(value):
                kinds[kind] += 1
                break
    total = sum(kinds.values())
    if not total or kinds["other"] > 0.05 * total or kinds["spaces"] > 0.5 * total:
        return None
    if kinds["comma"]:
        return ",", "." if kinds["points,"] else ""
    if kinds["points,"] and not kinds["commas."]:
        return (",", ".") if any("," in value for value in values) or not kinds["point"] else (".", "")
    return ".", "," if kinds["commas."] else ""


@dataclass(frozen=True)
class DateForm:
    """How times are written.

    Attributes:
        format: strptime notation; empty for ISO 8601.
        others: formats that read the values as well.
        zoned: whether most times state an offset.
    """

    format: str
    others: tuple[str, ...] = ()
    zoned: bool = False


def date_form(values: Sequence[str]) -> DateForm | None:
    """The form of a column of text times, or None where it holds something else. Values are stripped and not empty."""
    some = list(dict.fromkeys(values))[:3000]
    if not some:
        return None
    iso = [match for value in some if (match := ISO_TIME.fullmatch(value))]
    if len(iso) >= _READABLE * len(some):
        return DateForm("", zoned=sum(match[4] is not None for match in iso) > len(iso) / 2)
    fitting = [
        form
        for form in (date + clock for date in _DATES for clock in _CLOCKS)
        if _fits(some[0], form) or _fits(some[len(some) // 2], form) or _fits(some[-1], form)
        if sum(_fits(value, form) for value in some) >= _READABLE * len(some)
    ]
    return DateForm(fitting[0], tuple(fitting[1:])) if fitting else None


def _fits(value: str, form: str) -> bool:
    try:
        return 1900 <= dt.datetime.strptime(value, form).year <= 2200
    except ValueError:
        return False
