"""Lines that add up others, in files whose later lines of an order leave its columns empty (``fill_down``).

A total below a file, or below an order, leaves these columns empty as well, and would be one more line of the order
above. Whether a line is one is a function of that line, its header and ``holder.toml``: it says so, or it has none of
the columns that goods have (``goods``). A total of which neither is true cannot be told from goods by any one line; it
is recognised by what it adds up, which only who looks at the source is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

#: Of lines that are no goods, as they are compared: trimmed, in lower case, without a colon behind.
_WORDS = frozenset({
    "total", "totals", "grand total", "sum", "sub total", "sub-total", "subtotal", "order total", "gesamt", "summe",
    "gesamtsumme", "zwischensumme", "endsumme", "total général", "total general", "sous-total", "sous total", "totale",
    "subtotale", "totaal", "subtotaal", "eindtotaal", "suma", "razem", "łącznie", "итого", "всего", "celkem", "součet",
    "összesen", "toplam", "genel toplam", "summa", "yhteensä", "i alt", "sammenlagt", "合计", "总计", "小计", "汇总",
    "合計", "總計", "小計", "総計", "합계", "총계", "소계",
})  # fmt: skip
#: So many lines must be above a total, and so many orders have one, before sums that agree are no chance.
_LINES, _ORDERS = 3, 3
_SIGNS = re.compile(r"[^0-9.,\-]")


class AddsUp(NamedTuple):
    """Lines that add up others and cannot be told from goods by themselves: what to say, and what to do."""

    code: str
    text: str
    hint: str


@dataclass
class _Sums:
    """Numbers of an order's lines, by column."""

    first: list[Decimal] = field(default_factory=list)
    last: list[Decimal] = field(default_factory=list)
    all: list[Decimal] = field(default_factory=list)
    lines: int = 0


class Totals:
    """The totals among the lines of one file.

    Args:
        names: of all columns.
        goods: places of columns of which a line that continues the one above has one; none where nothing is known.
        decimals: place of every column of numbers, and its decimal sign.
    """

    def __init__(self, names: Sequence[str], goods: Sequence[int], decimals: Mapping[int, str]) -> None:
        self._names, self._goods, self._decimals = names, tuple(goods), dict(decimals)
        self._above = [Decimal(0)] * (len(decimals) + 1)
        self._lines, self._number, self._is_continued = 0, 0, False
        self._last = self._above
        self._order = _Sums()
        self._orders = [0, 0, 0]  # of three lines and more; with a last line, a first one that adds up the others

    def is_total(self, row: Sequence[str]) -> bool:
        """Whether a line that continues the one above says that it is one, or has none of the columns of goods."""
        if self._goods and not any(row[place].strip() for place in self._goods):
            return True
        return any(text.strip().rstrip(":：").rstrip().lower() in _WORDS for text in row)

    def add(self, row: Sequence[str], number: int, *, continues: bool) -> None:
        """Count a line that is a record.

        Args:
            row: its fields.
            number: of the line in the file, from 1.
            continues: whether it takes columns from the line above.
        """
        found = [_number(row[place], sign) for place, sign in self._decimals.items()]
        product = Decimal(1)
        for one in found:
            product *= one
        found.append(product if len(found) > 1 else Decimal(0))
        if not continues:
            self._end_order()
        order = self._order
        order.first, order.last = order.first or found, found
        order.all = [one + other for one, other in zip(order.all, found, strict=True)] if order.all else found
        order.lines += 1
        if self._lines:
            self._above = [one + other for one, other in zip(self._above, self._last, strict=True)]
        self._last, self._number, self._is_continued = found, number, continues
        self._lines += 1

    def found(self, file: str) -> Iterator[AddsUp]:
        """What adds up others, once all lines of the file were counted."""
        self._end_order()
        goods = 'goods = ["..."] under [source.csv], the columns that only goods have'
        if self._is_continued and self._lines > _LINES and (name := self._adds_up(self._last, self._above)):
            yield AddsUp(
                "total_below",
                f"{file}: the last line ({self._number:,}) continues the order above it, and holds in {name!r} the "
                f"sum of the {self._lines - 1:,} lines above: a total that would count as a purchase",
                f"take that line out where the file is made, or write {goods}",
            )
        orders, below, first = self._orders
        for count, which in ((below, "last"), (first, "first")):
            if count >= _ORDERS and count > orders / 2:
                yield AddsUp(
                    "totals_of_orders",
                    f"{file}: of {orders:,} orders of three lines and more {count:,} have a {which} line that adds "
                    "up their others: totals that would count as purchases",
                    f"export without these lines, or write {goods}",
                )

    def _end_order(self) -> None:
        order, self._order = self._order, _Sums()
        if order.lines < _LINES:
            return
        self._orders[0] += 1
        for place, one in ((1, order.last), (2, order.first)):
            rest = [whole - own for whole, own in zip(order.all, one, strict=True)]
            self._orders[place] += bool(self._adds_up(one, rest))

    def _adds_up(self, line: Sequence[Decimal], others: Sequence[Decimal]) -> str:
        """The column in which a line holds the sum of others, of one column or of what pieces and prices make."""
        for place, own, whole in zip(self._decimals, line, others, strict=False):
            if own and own in (whole, others[-1]):
                return self._names[place]
        return ""


def _number(text: str, sign: str) -> Decimal:
    """A number, whatever currency it is written in; 0 where there is none."""
    digits = _SIGNS.sub("", text)
    digits = digits.replace("." if sign == "," else ",", "").replace(sign, ".")
    try:
        return Decimal(digits)
    except InvalidOperation:
        return Decimal(0)
