"""Which lines of a CSV file are records: **a record is one physical line**, and counts by itself.

A line is well formed if it is UTF-8, holds no NUL and no carriage return but one before its end, is at most ``LONGEST``
bytes long, and has as many fields as the header. A field is quoted: ``"``, then anything but a quote or a doubled one,
then ``"`` right before a separator or the line's end; or plain: it does not begin with blanks and a quote, and quotes
further on are ordinary signs. All other lines are left out and counted.

Whether a line counts depends on it and the header alone, so the lines of one customer cannot change what another's
say. Readers that let a quoted field go on over lines cannot promise that: two stray quotes of one customer take every
line between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clients.data.sources.totals import Totals

#: Longest line in bytes of UTF-8; DuckDB refuses lines of more than two of it.
LONGEST = 1 << 20
_LF, _CR, _QUOTE, _NUL, _ASCII = 10, 13, 34, 0, 127


class Reason(NamedTuple):
    """Why a line is left out; ``says`` follows "lines"."""

    name: str
    says: str


#: In the order in which they are tried; a line is left out for the first that applies.
REASONS: tuple[Reason, ...] = (
    Reason("header", "that repeat the line of names"),
    Reason("too_long", "longer than 1 MiB"),
    Reason("encoding", "that are not text in the encoding of [source.csv]"),
    Reason("nul", "with a NUL byte"),
    Reason("carriage_return", "with a carriage return inside"),
    Reason("quotes", "with a quote that is not closed in the line, or text after a closing one"),
    Reason("too_few_fields", "with fewer fields than the header"),
    Reason("too_many_fields", "with more fields than the header"),
    Reason("continues", "that continue a line which is left out"),
    Reason("total", "that leave an order's columns empty and are a total"),
    Reason("no_json", "that are no JSON object"),
)
_REASON = {reason.name: reason for reason in REASONS}


class Shape:
    """The rule for one header: a separator and how many fields a line must have.

    Args:
        separator: between fields.
        width: how many; of several, the most.
        widths: all of them, if lines may have several.
        header: the line of names: one that begins with its names, in their places, is no record.
    """

    def __init__(self, separator: str, width: int, *, widths: tuple[int, ...] = (), header: bytes = b"") -> None:
        self.separator, self.width = separator.encode(), width
        self.widths = tuple(sorted({*widths, width})) if widths else (width,)
        self.header = header.removesuffix(b"\r")
        s = re.escape(self.separator)
        plain = rb"[^" + s + rb"]*" if len(self.separator) == 1 else rb"(?:(?!" + s + rb").)*"
        blanks = b"" if separator == " " else rb" *"
        one = rb'(?:"[^"]*(?:""[^"]*)*"|(?!' + blanks + rb'")' + plain + rb")"
        self._line = re.compile(one + rb"(?:" + s + one + rb"){%d}" % (width - 1), re.DOTALL)
        self._field = re.compile(one + rb"(?=" + s + rb"|\Z)", re.DOTALL)

    def wrong(self, line: bytes) -> Reason | None:
        """Why a line is left out, or None; without its line feed. This is the rule; all else is only faster."""
        line = line.removesuffix(b"\r")
        if self.repeats_header(line):
            return _REASON["header"]
        if len(line) > LONGEST:
            return _REASON["too_long"]
        try:
            line.decode()
        except UnicodeDecodeError:
            return _REASON["encoding"]
        if b"\0" in line:
            return _REASON["nul"]
        if b"\r" in line:
            return _REASON["carriage_return"]
        if self._line.fullmatch(line):
            return None
        found = self.fields(line)
        if found is None:
            return _REASON["quotes"]
        if len(found) in self.widths:
            return None
        return _REASON["too_few_fields" if len(found) < self.width else "too_many_fields"]

    def repeats_header(self, line: bytes) -> bool:
        """Whether a line begins with the names of the header."""
        rest = line[len(self.header) :]
        return bool(self.header) and line.startswith(self.header) and (not rest or rest.startswith(self.separator))

    def fields(self, line: bytes) -> tuple[str, ...] | None:
        """What the fields of a line say, however many there are; None where one is neither quoted nor plain."""
        line = line.removesuffix(b"\r")
        found, position = [], 0
        while (match := self._field.match(line, position)) is not None:
            text = match[0].decode(errors="replace")
            found.append(text[1:-1].replace('""', '"') if text.startswith('"') else text)
            position = match.end() + len(self.separator)
            if match.end() == len(line):
                return tuple(found)
        return None


@dataclass
class Sifted:
    """What was found in the lines after the header.

    Attributes:
        rows: well-formed lines.
        blank: empty lines, which are none of the data.
        left_out: by the reason's name, how many lines, and the first one's number in the file, from 1.
        plain_ends, carriage_ends: lines that end in a line feed, and in carriage return and line feed.
    """

    rows: int = 0
    blank: int = 0
    left_out: dict[str, tuple[int, int]] = field(default_factory=dict)
    plain_ends: int = 0
    carriage_ends: int = 0


class Sieve:
    """Blocks of whole lines go in, and their well-formed lines come out; what was found stands in ``found``.

    Args:
        shape: the rule.
        before: how many lines of the file come before the first block.
        filled: places of fields that a line takes from the one above if all of them are empty.
        totals: tells lines that add up others; only where some fields are taken from above.

    Attributes:
        found: what was found so far.
        shape: the rule.
        totals: as given.
    """

    def __init__(
        self, shape: Shape, *, before: int, filled: tuple[int, ...] = (), totals: Totals | None = None
    ) -> None:
        self.found = Sifted()
        self.shape, self._number, self._filled, self.totals = shape, before + 1, filled, totals
        self._above: list[str] | None = None

    def sift(self, block: bytes) -> bytes:
        """The well-formed lines of a block; itself if these are all of its lines. Every line ends in a line feed."""
        data = np.frombuffer(block, dtype=np.uint8)
        ends = np.flatnonzero(data == _LF)
        starts = np.concatenate(([0], ends[:-1] + 1))
        returned = (ends > starts) & (data[ends - 1] == _CR)
        empty = ends - returned == starts
        keep = ~empty
        for line in np.flatnonzero(_closer(block, data, starts, ends, self.shape) & ~empty):
            reason = self.shape.wrong(block[starts[line] : ends[line]])
            if reason is not None:
                keep[line] = False
                self._leave_out(reason.name, int(line))
        rewritten = self._rewritten(block, starts, ends, keep, empty) if self._filled or self._several else None
        self._number += len(ends)
        self.found.rows += int(keep.sum())
        self.found.blank += int(empty.sum())
        self.found.carriage_ends += int(returned.sum())
        self.found.plain_ends += int((~returned).sum())
        if rewritten is not None:
            return rewritten
        return block if keep.all() else b"".join(_kept(block, starts, ends, keep))

    @property
    def _several(self) -> bool:
        return len(self.shape.widths) > 1

    def _leave_out(self, reason: str, line: int) -> None:
        count, first = self.found.left_out.get(reason, (0, self._number + line))
        self.found.left_out[reason] = count + 1, first

    def _rewritten(
        self,
        block: bytes,
        starts: NDArray[np.int64],
        ends: NDArray[np.int64],
        keep: NDArray[np.bool_],
        empty: NDArray[np.bool_],
    ) -> bytes:
        """The kept lines, all as wide as the widest, with what they take from lines above; one after the other."""
        separator, lines = self.shape.separator.decode(), []
        for number in np.flatnonzero(~empty):
            fields = self.shape.fields(block[starts[number] : ends[number]]) if keep[number] else None
            if fields is None:
                self._above = None
                continue
            row = [*fields, *[""] * (self.shape.width - len(fields))]
            continues = bool(self._filled) and not any(row[place].strip() for place in self._filled)
            reason = self._continues_wrongly(row) if continues else ""
            if reason:
                keep[number] = False
                self._leave_out(reason, int(number))
                continue
            if self.totals is not None:
                self.totals.add(row, self._number + int(number), continues=continues)
            if continues and self._above is not None:
                for place, text in zip(self._filled, self._above, strict=True):
                    row[place] = text
            else:
                self._above = [row[place] for place in self._filled]
            lines.append(separator.join('"' + text.replace('"', '""') + '"' for text in row))
        return "".join(f"{line}\n" for line in lines).encode()

    def _continues_wrongly(self, row: list[str]) -> str:
        """Why a line that takes fields from the one above is left out; empty where it is a record."""
        if self.totals is not None and self.totals.is_total(row):
            return "total"
        return "continues" if self._above is None else ""


def _kept(block: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64], keep: NDArray[np.bool_]) -> Iterator[bytes]:
    """The kept lines, in runs."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], keep, [False])).astype(np.int8)))
    for first, after in edges.reshape(-1, 2):
        yield block[starts[first] : ends[after - 1] + 1]


def _closer(
    block: bytes, data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], shape: Shape
) -> NDArray[np.bool_]:
    """Which lines need a closer look; all others are well formed."""
    if len(shape.separator) > 1:
        return np.ones(len(ends), dtype=bool)
    closer = ends - starts > LONGEST
    if shape.header and shape.header in block:
        closer[
            [
                shape.repeats_header(block[start:end].removesuffix(b"\r"))
                for start, end in zip(starts, ends, strict=True)
            ]
        ] = True
    at = np.flatnonzero(data == shape.separator[0])
    quotes = np.flatnonzero(data == _QUOTE)
    if len(quotes):
        first = np.searchsorted(quotes, starts)
        closer |= _stray(data, quotes, first, ends, shape)
        outside = np.bitwise_xor.accumulate((data == _QUOTE).view(np.uint8))[at] == 0
        # Where an earlier line of the block has an odd number of quotes, inside and outside are exchanged.
        limits = np.searchsorted(at, np.append(starts, len(data)))
        outside ^= np.repeat(first & 1, np.diff(limits)).astype(bool)
        counted = np.concatenate(([0], np.cumsum(outside)))[limits]
    else:
        counted = np.searchsorted(at, np.append(starts, len(data)))
    closer |= ~np.isin(np.diff(counted), np.array(shape.widths) - 1)
    odd = (data == _NUL) | (data == _CR)
    odd[:-1] &= ~((data[:-1] == _CR) & (data[1:] == _LF))
    try:
        block.decode()
    except UnicodeDecodeError:
        odd |= data > _ASCII
    closer[np.searchsorted(ends, np.flatnonzero(odd))] = True
    return closer


def _stray(
    data: NDArray[np.uint8],
    quotes: NDArray[np.int64],
    first: NDArray[np.int64],
    ends: NDArray[np.int64],
    shape: Shape,
) -> NDArray[np.bool_]:
    """Lines in which not every quote opens, closes, or is half of a doubled one inside a quoted field.

    ``first`` is where each line's quotes begin among ``quotes``. In a line, every second quote closes: it stands before
    a separator, the end, or a quote. The others open: behind a separator, the line's start, or a quote, which has
    closed.
    """
    counts = np.diff(np.append(first, len(quotes)))
    closes = (np.arange(len(quotes)) - np.repeat(first, counts)) & 1
    # The block's last sign, a line feed, stands for what is before its first. A carriage return is looked at elsewhere.
    fine = np.isin(np.arange(256), [shape.separator[0], _QUOTE, _LF, _CR])[data[quotes + 2 * closes - 1]]
    stray: NDArray[np.bool_] = counts & 1 == 1
    stray[np.searchsorted(ends, quotes[~fine])] = True
    return stray
