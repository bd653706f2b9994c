"""Whether records of CSV files go on over lines: line breaks inside quotes that are all where they belong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clients.data.sources.joined import OPEN, Joiner, NotJoined, has_odd_lines
from clients.data.sources.lines import Shape
from clients.data.sources.packing import DAMAGED, unpacked
from clients.data.sources.text import NotText, read_lines


def whole_records(header: bytes, lines: Sequence[bytes], separator: str) -> tuple[bytes, ...] | None:
    """The beginning of a file with one record a line; None where no record goes on over lines, or a quote is stray.

    Args:
        header: the line of names.
        lines: after it, without line feeds; the last record may be cut off.
        separator: between fields.
    """
    width = len(Shape(separator, 1).fields(header) or ())
    joiner = Joiner(separator, (width,), before=1)
    records: list[bytes] = []
    try:
        for block in joiner.blocks(line + b"\n" for line in lines):
            records += (line for line in block.split(b"\n") if line.strip())
    except NotJoined as wrong:
        if wrong.why != OPEN:
            return None
    return tuple(records) if width > 1 and joiner.continued else None


def go_on(paths: Sequence[Path], encoding: str, header_at: int | None, shapes: Sequence[Shape]) -> int:
    """How many lines continue a record in all files; 0 where a quote of one file is not where it belongs."""
    continued = 0
    for path, shape in zip(paths, shapes, strict=True):
        try:
            with unpacked(path) as file:
                if not any(has_odd_lines(block) for block in read_lines(file, encoding, header_at)[1]):
                    continue
            joiner = Joiner(shape.separator.decode(), shape.widths, before=1)
            with unpacked(path) as file:
                for _ in joiner.blocks(read_lines(file, encoding, header_at)[1]):
                    pass
        except (NotJoined, NotText, OSError, *DAMAGED):
            return 0
        continued += joiner.continued
    return continued
