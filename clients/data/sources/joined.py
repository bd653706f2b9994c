"""Records that go on over lines, for files whose every quote is where it belongs (``multiline = true``).

A line break inside quotes makes a record of several lines; it is written as one line, a blank for each break, and
goes through the sieve like any other (``lines``). A file in which one quote is out of place is refused as a whole, for
then nobody can tell where records begin.

**Whatever lines one customer adds, and wherever: the records of all others are as they were, or the file is refused.**
Read from where a record of somebody else begins, one is outside of quotes, and it is read as ever; or inside, because
an earlier line left a quote open. Then

* a line of that record without quotes, or with empty quoted fields only, is inside from its start to its end, and is a
  whole record by itself: ``WHOLE``;
* else its first quote that opens a field with something in it would close the one that is open. Behind a closing
  quote stands a separator or the line's end, so the field would have to begin with one; and then its own closing
  quote would open a field, so it would have to end with one as well: ``EDGES``. All else is ``QUOTES``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from clients.data.sources.lines import LONGEST

QUOTES = "a quote is inside a field without quotes, or text stands behind a closing one"
OPEN = "a quote is not closed within 1 MiB, or before the end"
WHOLE = "a line inside quotes is a whole record by itself, so that a quote may be missing"
EDGES = "a field begins and ends with a line break or a separator"
_LINE = re.compile(rb"[^\n]*\n")
_BREAK = re.compile(rb"\r?\n|\r")


class NotJoined(Exception):
    """A file is not strictly well formed.

    Attributes:
        line: of the file, from 1: where the record begins.
        why: one of this module's reasons.
    """

    def __init__(self, line: int, why: str) -> None:
        self.line, self.why = line, why
        super().__init__(why)


class Joiner:
    """Blocks of whole lines go in, and come out with every record on one line, blank lines in place of the others.

    Args:
        separator: between fields.
        widths: how many fields records may have.
        before: how many lines of the file come before the first block.

    Attributes:
        continued: lines that continue the one above.
    """

    def __init__(self, separator: str, widths: tuple[int, ...], *, before: int) -> None:
        s = re.escape(separator.encode())
        inner = rb'(?:[^"]|"")*'
        field = rb'(?:"' + inner + rb'"|[^"' + s + rb"]*)"
        self._whole = re.compile(field + rb"(?:" + s + field + rb")*", re.DOTALL)
        self._opening = re.compile(rb"(?:" + field + s + rb')*"' + inner, re.DOTALL)
        self._inner = re.compile(inner, re.DOTALL)
        self._field = re.compile(field + rb"(?=" + s + rb"|\Z)", re.DOTALL)
        edge = rb"[\r\n" + s + rb"]"
        self._edges = re.compile(rb'"(?:"")*' + edge + rb"(?:.*" + edge + rb')?(?:"")*"', re.DOTALL)
        self._separator, self._widths = separator.encode(), frozenset(widths)
        self._line, self._start, self._open, self._size = before, 0, list[bytes](), 0
        self.continued = 0

    def blocks(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """All of a file.

        Raises:
            NotJoined: if it is not strictly well formed.
        """
        for block in blocks:
            if self._open or b'"' in block:
                yield self._joined(block)
            else:
                self._line += block.count(b"\n")
                yield block
        if self._open:
            raise NotJoined(self._start, OPEN)

    def _joined(self, block: bytes) -> bytes:
        lines = []
        for line in _LINE.findall(block):
            self._line += 1
            if self._open or b'"' in line:
                lines.append(self._with(line))
            else:
                lines.append(line)
        return b"".join(lines)

    def _with(self, line: bytes) -> bytes:
        """What is written after a line: itself, nothing yet, or all of the record that it ends."""
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        if not self._open:
            self._start = self._line
            if not self._ends(text):
                self._open, self._size = [line], len(line)
                return b""
            self._check_edges(text)
            return line
        self._open.append(line)
        self._size += len(line)
        inside = self._inner.match(text)
        end = inside.end() if inside is not None else 0
        if end == len(text):
            if self._whole.fullmatch(text) and self._width(text) in self._widths:
                raise NotJoined(self._line, WHOLE)
            if self._size > LONGEST:
                raise NotJoined(self._start, OPEN)
            return b""
        rest = text[end + 1 :]
        if rest and not rest.startswith(self._separator):
            raise NotJoined(self._start, QUOTES)
        if rest and not self._ends(rest.removeprefix(self._separator)):
            return b""
        return self._record(line)

    def _ends(self, text: bytes) -> bool:
        """Whether the record ends where the text does, which begins where a field does."""
        if self._whole.fullmatch(text):
            return True
        if self._opening.fullmatch(text):
            return False
        raise NotJoined(self._start, QUOTES)

    def _record(self, last: bytes) -> bytes:
        raw, more = b"".join(self._open), len(self._open) - 1
        end = b"\r\n" if last.endswith(b"\r\n") else b"\n"
        record = raw.removesuffix(end)
        self._open = []
        self._check_edges(record)
        self.continued += more
        return _BREAK.sub(b" ", record) + end + more * b"\n"

    def _check_edges(self, record: bytes) -> None:
        if b'"' in record and any(self._edges.fullmatch(field) for field in self._fields(record)):
            raise NotJoined(self._start, EDGES)

    def _fields(self, record: bytes) -> Iterator[bytes]:
        position = 0
        while (match := self._field.match(record, position)) is not None:
            yield match[0]
            if match.end() == len(record):
                return
            position = match.end() + len(self._separator)

    def _width(self, text: bytes) -> int:
        return sum(1 for _ in self._fields(text))


def has_odd_lines(block: bytes) -> bool:
    """Whether a line of a block has an odd number of quotes, so that a field may go on behind its end."""
    if b'"' not in block:
        return False
    data = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    counts = np.diff(np.concatenate(([0], np.searchsorted(np.flatnonzero(data == ord('"')), ends))))
    return bool((counts & 1).any())
