"""How whole columns are spelled: every value is brought to its shape (each digit becomes 9), and shapes are counted.

The database counts, over all rows of all files, in one pass over all columns in question. Decisions (``numbers``,
``times``) rest on these counts, so they depend neither on the order of rows nor on where a sample was taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
from ibis.expr import types as ir

from clients.data.sources import fetch
from clients.data.sources.spelling import BLANKS, WIDE

#: Stand for the digit of a leading zero and for those of three zeros behind the last sign, and for those of a number
#: above 12 in the first two places of a day.
ZERO, HIGH = "⓪", "①"
_LONGEST = 48
_BREAK = "\x1f"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Values of a column that look alike.

    Attributes:
        text: their shape, after blanks around them are off and full-width signs are plain.
        rows: how many.
        is_wide: whether they have full-width signs, or a minus that is none of ASCII.
        least, most: the first and the last of them in the order of text, for numbers of equal length.
    """

    text: str
    rows: int
    is_wide: bool = False
    least: str = ""
    most: str = ""

    @property
    def digits(self) -> str:
        """The shape with 9 for all digits."""
        return self.text.replace(ZERO, "9").replace(HIGH, "9")


@dataclass(frozen=True, kw_only=True)
class Reads:
    """How much of a column some form reads.

    Attributes:
        rows, reads: filled rows, and those that it reads.
        unread: shapes that it does not read, with their rows.
        is_plain: whether every database reads the column so without being told.
    """

    rows: int
    reads: int
    unread: tuple[Shape, ...] = ()
    is_plain: bool = False


def shapes(table: ir.Table, columns: Sequence[str]) -> dict[str, tuple[Shape, ...]]:
    """The shapes of columns, the commonest first; empty values are none. Numbers are looked at as their text."""
    if not columns:
        return {}
    parts = [_marked(table[name], number) for number, name in enumerate(columns)]
    rows = table.select(value=ibis.array(parts).unnest())
    rows = rows.filter(rows.value.notnull())
    column, is_wide, shape, value = (rows.value.split(_BREAK)[place] for place in range(4))
    rows = rows.select(column=column, is_wide=is_wide, shape=shape, value=value)
    counted = rows.group_by("column", "is_wide", "shape").agg(
        rows=rows.count(), least=rows.value.min(), most=rows.value.max()
    )
    found: dict[str, list[Shape]] = {name: [] for name in columns}
    for row in fetch(counted, what="looking at how columns are spelled").to_pylist():
        shape = Shape(
            text=row["shape"], rows=row["rows"], is_wide=row["is_wide"] == "w", least=row["least"], most=row["most"]
        )
        found[columns[int(row["column"])]].append(shape)
    return {name: tuple(sorted(items, key=lambda item: (-item.rows, item.text))) for name, items in found.items()}


def _marked(column: ir.Value, number: int) -> ir.StringValue:
    """Column, whether it is wide, shape and value in one text; null where there is no value."""
    raw = column.cast("string")
    text = raw.translate(*WIDE).re_replace(f"^[{BLANKS}]+|[{BLANKS}]+$", "")
    shape = text.substr(0, _LONGEST).re_replace("^([^0-9]*)(1[3-9]|[2-9][0-9])([-/. ])", rf"\1{HIGH}{HIGH}\3")
    shape = shape.re_replace(f"^([^0-9]*[0-9{HIGH}]{{1,2}}[-/. ]+)(1[3-9]|[2-9][0-9])([-/. ])", rf"\1{HIGH}{HIGH}\3")
    shape = shape.re_replace("([.,])000([^0-9]*)$", rf"\1{ZERO}{ZERO}{ZERO}\2")
    shape = shape.re_replace("^([-+( ]*)0", rf"\1{ZERO}").translate("012345678", "999999999")
    wide = ibis.ifelse(raw.re_search(f"[{WIDE[0]}]"), ibis.literal("w"), ibis.literal(""))
    found = ibis.literal(f"{number}{_BREAK}").concat(wide).concat(_BREAK).concat(shape).concat(_BREAK)
    return ibis.ifelse(text == "", ibis.null("string"), found.concat(text.substr(0, _LONGEST)))
