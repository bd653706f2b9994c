"""From a file's bytes to whole lines of UTF-8: decoding, ends of lines, and the header."""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from clients.data.sources.lines import LONGEST

_BLOCK = 8 << 20
_MARK = codecs.BOM_UTF8
_SEPARATOR_LINE = re.compile(rb'"?sep=[^\r\n]{1,4}"?', re.IGNORECASE)
#: Not UTF-8: stands for a line that cannot be decoded, so that it is counted like one.
_UNREADABLE = b"\xff"

#: Encodings in which every sign stands for itself, whatever was before, and the bytes of line ends for nothing else.
#: A block of such lines decodes as its lines do.
_STATELESS = re.compile(
    r"ascii|iso8859-\d+|cp\d+|koi8-[rtu]|mac-\w+|kz1048|ptcp154|hp-roman8|tis-620"
    r"|gb2312|gbk|gb18030|big5|big5hkscs|johab|shift_jis\w*|euc_\w+"
)

#: An end of a line whose bytes belong to two signs: the file has lost or gained a byte somewhere before.
_SHIFTED = ("\u0a00", "\u0d00", "\U000a0000", "\U000d0000")


class NotText(Exception):
    """The file cannot be decoded, and where one line ends and the next begins cannot be told."""


@dataclass(frozen=True)
class Beginning:
    """How a file begins.

    Attributes:
        header: its line of names, without the line's end; empty if there is none.
        before: lines before the header: blank ones and ``sep=;``.
        end: of the header's line: ``\\n``, ``\\r\\n``, or ``\\r``, which then ends all lines.
        is_plain: whether nothing else is before the header, or ends in another way.
    """

    header: bytes = b""
    before: int = 0
    end: bytes = b"\n"
    is_plain: bool = True


def read_lines(file: BinaryIO, encoding: str, header_at: int | None = None) -> tuple[Beginning, Iterator[bytes]]:
    """How a file begins, and blocks of the whole lines after its header, in UTF-8, each ending in a line feed.

    A line that cannot be decoded comes as one that is not UTF-8; one that is too long comes cut, and still too long.
    The mark of UTF-8 is passed over, and what stands before the header: the line ``header_at``, from 1, or the first
    that is not empty. With 0 there is none, and that first line is one of the others.

    Raises:
        NotText: at once or later, if lines cannot be told apart in this encoding.
    """
    chunks = _decoded(file, encoding)
    start = b"".join(_until(chunks, 2 * LONGEST)).removeprefix(_MARK)
    chunks = itertools.chain([start], chunks)
    first = re.search(rb"\r\n?|\n", start)
    returns = first is not None and first[0] == b"\r" and first.end() < len(start)
    blocks = _whole(_with_line_feeds(chunks) if returns else chunks)
    block = next(blocks, b"")
    before, is_plain, ends = 0, True, set()
    while block:
        line, _, block = block.partition(b"\n")
        header = line.removesuffix(b"\r")
        is_plain = is_plain and header.count(b'"') % 2 == 0  # a reader that skips lines goes on behind an open quote
        ends.add(b"\r" if returns else b"\n" if line == header else b"\r\n")
        is_first: object = header and not (before == 0 and _SEPARATOR_LINE.fullmatch(header))
        if is_first if not header_at else before + 1 == header_at:
            if header_at == 0:  # no line names the columns
                begins = Beginning(b"", before, ends.pop(), is_plain=is_plain and not ends)
                return begins, itertools.chain([line + b"\n" + block], blocks)
            begins = Beginning(header, before, ends.pop(), is_plain=is_plain and not ends)
            return begins, itertools.chain([block] if block else [], blocks)
        before, is_plain = before + 1, is_plain and header != b""
        block = block or next(blocks, b"")
    return Beginning(before=before), iter(())


def _with_line_feeds(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """One kind of end in place of carriage returns, and of both together."""
    held = b""
    for chunk in itertools.chain(chunks, [b""]):
        text = held + chunk
        held = text[-1:] if chunk and text.endswith(b"\r") else b""  # a line feed may follow
        yield text.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _until(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Chunks until they hold so many bytes."""
    while size > 0 and (chunk := next(chunks, b"")):
        size -= len(chunk)
        yield chunk


def _whole(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks of whole lines; of a line that has no end in sight only as much as shows that it is too long.

    A last line that has no end gets that of the line before.
    """
    rest, end = b"", b"\n"
    for chunk in chunks:
        cut = chunk.rfind(b"\n") + 1
        if cut:
            block = rest + chunk[:cut]
            rest, end = b"", b"\r\n" if block.endswith(b"\r\n") else b"\n"
            yield block
        if len(rest) <= LONGEST + 1:
            rest = (rest + chunk[cut:])[: LONGEST + 2]
    if rest:
        yield rest.removesuffix(b"\r") + end if end == b"\r\n" else rest + end


def _raw(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_BLOCK):
        yield chunk


def _decoded(file: BinaryIO, encoding: str) -> Iterator[bytes]:
    """UTF-8, not in whole lines."""
    name = codecs.lookup(encoding).name
    if name in ("utf-8", "utf-8-sig"):
        yield from _raw(file)
    elif "\n".encode(name) != b"\n":
        yield from _stream(file, name)
    else:
        for block in _lines_of_bytes(file):
            yield _by_line(block, name)


def _stream(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Encodings in which a line feed is not one byte of its own, such as UTF-16: all of the file, or nothing."""
    decoder = codecs.getincrementaldecoder(name)()
    try:
        for chunk in itertools.chain(_raw(file), [b""]):
            text = decoder.decode(chunk, final=not chunk)
            if any(sign in text for sign in _SHIFTED):
                raise NotText
            yield text.encode()
    except UnicodeError:
        raise NotText from None


def _lines_of_bytes(file: BinaryIO) -> Iterator[bytes]:
    """Blocks that end where a line does; of an endless line only as much as shows that it is too long."""
    rest = b""
    for chunk in _raw(file):
        cut = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
        if cut:
            yield rest + chunk[:cut]
            rest = b""
        rest = rest + chunk[cut:] if len(rest) <= 4 * LONGEST else rest
    if rest:
        yield rest


def _by_line(block: bytes, name: str) -> bytes:
    """Lines in UTF-8, each decoded by itself (or as if)."""
    if _STATELESS.fullmatch(name):
        try:
            return block.decode(name).encode()
        except UnicodeError:
            pass
    return b"".join(_one(line, name) for line in block.splitlines(keepends=True))


def _one(line: bytes, name: str) -> bytes:
    body = line.rstrip(b"\r\n")
    end = line[len(body) :]
    try:
        text = body.decode(name)
    except UnicodeError:
        return _UNREADABLE + end
    return (_UNREADABLE if "\n" in text or "\r" in text else text.encode(errors="replace")) + end
