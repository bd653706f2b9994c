"""Which signs a column of numbers uses: decided by counts over all of its rows, or left open.

What shows which sign is which:

- digits other than three after a sign, or four and more before it, or a zero alone before it: the decimal sign;
- a sign twice in a value, or before another sign: it groups thousands; blanks and apostrophes always do;
- ``1.234`` alone: open, until another value, another column of the same file, or a currency without decimals shows it.

Two decimal signs in one column are a question, never a majority.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from clients.data.guess.names import common_codes, is_currency
from clients.data.guess.shapes import ZERO, Reads, Shape
from clients.data.reading import ONLY_THOUSANDS, ReadNumber

_NUMBER = re.compile(
    rf"(?P<open>[^9⓪①().,]*\()?(?P<before>[^9⓪①().,]*?(?:\.(?=[^9⓪①]))?[^9⓪①().,]*?)"
    rf"(?P<core>[9⓪①]+(?:[.,{ONLY_THOUSANDS}][9⓪①]+)*[.,]?|[.,][9⓪①]+)(?P<power>[eE][-+]?9+)?(?P<after>[^9⓪①()]*)(?P<close>\)[^9⓪①().,]*)?"
)
#: A dash in place of decimals that are none: ``15,-``.
_NO_CENTS = re.compile(r"(?<=[9⓪①])([.,])-{1,2}(?=[^9⓪①]*$)")
_PLAIN = re.compile(r"[-+]?(?:9+\.?9*|\.9+)(?:[eE][-+]?9+)?")
#: Words beside numbers that make them other numbers.
_MULTIPLIES = re.compile(
    r"k|m|mm|mn|mio|mill?|mrd|bn|b|tsd|tds|teur|keur|cr|dr|c|ct|cts|cent|cents|p|gr|h|s|%|‰|万|萬|千|百|亿|億|角|分|мин|тыс|млн",
    re.IGNORECASE,
)
#: Share of a column's rows that may hold no number.
_OTHER = 0.05


@dataclass(frozen=True, kw_only=True)
class NumberForm(Reads):
    """How a column of numbers is written.

    Attributes:
        read: as it stands in ``[source.read.ROLE]``.
        decides: whether its values alone show the decimal sign.
        unknown: a word that stands beside all of them, of which only this shows that it is no part of the number.
    """

    read: ReadNumber
    decides: bool = False
    unknown: str = ""


@dataclass(frozen=True, kw_only=True)
class OpenNumber:
    """A column of numbers whose signs nothing in it shows.

    Attributes:
        mark: the sign with three digits behind it, everywhere; empty where two signs are decimal signs.
        rows: how many rows say so.
        round: whether all of these end in three zeros, as pieces with three decimals do.
        as_decimal, as_thousands: the form if it is the one, and the other.
    """

    mark: str
    rows: int
    as_decimal: NumberForm
    as_thousands: NumberForm
    round: bool = False

    def settled(self, decimal: str) -> NumberForm:
        """The form, where the decimal sign is known from elsewhere."""
        return self.as_decimal if decimal == self.mark else self.as_thousands


@dataclass
class _Seen:
    """What shapes say, in rows."""

    unknown: str = ""
    decimal: Counter[str] = field(default_factory=Counter)
    thousands: Counter[str] = field(default_factory=Counter)
    either: Counter[str] = field(default_factory=Counter)
    round: Counter[str] = field(default_factory=Counter)
    signs: Counter[str] = field(default_factory=Counter)
    negative: Counter[str] = field(default_factory=Counter)


def number_form(found: Sequence[Shape], *, is_named: bool = False) -> NumberForm | OpenNumber | None:
    """The form of a column, by its shapes; None where it does not hold numbers.

    Args:
        found: its shapes.
        is_named: whether its name says that it holds numbers: then one word may stand beside them that is not known.
    """
    form = _form_of(found, "")
    if form is None and is_named and (word := _only_word(found)):
        form = _form_of(found, word)
    return form


def _only_word(found: Sequence[Shape]) -> str:
    """The one word beside the numbers of nearly all rows; empty where there is none, or it may be a multiplier."""
    counted: Counter[str] = Counter()
    for shape in found:
        match = _NUMBER.fullmatch(shape.text)
        words = [] if match is None else _words(match)
        counted.update({word: shape.rows for word in words if not is_currency(word)})
    word, rows = next(iter(counted.most_common(1)), ("", 0))
    fits = len(counted) == 1 and rows >= (1 - _OTHER) * sum(shape.rows for shape in found)
    return word if fits and not _MULTIPLIES.fullmatch(word) else ""


def _form_of(found: Sequence[Shape], unknown: str) -> NumberForm | OpenNumber | None:
    seen = _Seen(unknown)
    unread = tuple(shape for shape in found if not _counted(shape, seen))
    rows = sum(shape.rows for shape in found)
    if not rows or sum(shape.rows for shape in unread) > _OTHER * rows or _are_codes(found, seen):
        return None
    is_plain = all(_PLAIN.fullmatch(shape.digits) and not shape.is_wide for shape in found if shape not in unread)

    def form(decimal: str, *grouping: str, decides: bool) -> NumberForm:
        groups = "".join(sorted({*grouping, *seen.thousands} - {decimal}))
        read = ReadNumber(
            decimal=decimal,
            thousands=groups,
            signs=tuple(sorted(seen.signs)),
            negative=tuple(way for way in ("trailing", "parentheses") if seen.negative[way]),
        )
        plain = is_plain and read == ReadNumber()
        return NumberForm(
            read=read, rows=rows, reads=rows - sum(item.rows for item in unread), unread=unread, is_plain=plain,
            decides=decides, unknown=unknown,
        )  # fmt: skip

    def two_signs(counted: Counter[str]) -> OpenNumber:
        point, comma = form(".", decides=False), form(",", decides=False)
        return OpenNumber(mark="", rows=sum(counted.values()), as_decimal=point, as_thousands=comma)

    if len(seen.decimal) > 1 or set(seen.decimal) & set(seen.thousands):
        return two_signs(seen.decimal)
    known = next(iter(seen.decimal), None)
    grouped = [mark for mark in ".," if mark in seen.thousands]
    if known is None and grouped:
        known = "," if grouped[0] == "." else "."
    if known is not None:
        return form(known, *(mark for mark in seen.either if mark != known), decides=bool(seen.decimal))
    if len(seen.either) > 1:  # 1.234 and 1,234
        return two_signs(seen.either)
    if seen.either:
        mark, count = next(iter(seen.either.items()))
        other = "," if mark == "." else "."
        as_decimal, as_thousands = form(mark, decides=False), form(other, mark, decides=False)
        is_round = seen.round[mark] == count
        return OpenNumber(mark=mark, rows=count, as_decimal=as_decimal, as_thousands=as_thousands, round=is_round)
    return form(".", decides=False)


def _are_codes(found: Sequence[Shape], seen: _Seen) -> bool:
    """Whether values are rather codes: letters right before digits and no sign between them, or zeros in front."""
    if any(re.fullmatch(f"{ZERO}9+", shape.text) for shape in found):
        return True
    has_letters = any(sign[-1].isalpha() and sign.isascii() for sign in seen.signs)
    no_marks = not (seen.decimal or seen.thousands or seen.either)
    return has_letters and no_marks and not any(" " in shape.text for shape in found)


def _counted(shape: Shape, seen: _Seen) -> bool:
    """Count what a shape shows; False where it is no number."""
    match = _NUMBER.fullmatch(_NO_CENTS.sub(r"\1", shape.text))
    if match is None or bool(match["open"]) != bool(match["close"]):
        return False
    minus, signs = sum(part.count("-") for part in _affixes(match)), _words(match)
    if minus > 1 or (minus and match["open"]) or len(signs) > 2:
        return False
    if not all(is_currency(sign) or sign == seen.unknown for sign in signs):
        return False
    if len(signs) == 2 and not common_codes(signs):  # $12.50 USD is fine
        return False
    parts = re.findall(r"[9⓪①]+|[^9⓪①]", match["core"])
    marks = [part for part in parts if part[0] not in "9⓪①"]
    groups = [part for part in parts if part[0] in "9⓪①"]
    if any(mark != marks[0] for mark in marks[:-1]) or any(len(group) not in (2, 3) for group in groups[1:-1]):
        return False
    if not _signs_of(shape.rows, match["core"], marks, groups, seen):
        return False
    seen.signs.update({sign: shape.rows for sign in signs})
    seen.negative["parentheses"] += shape.rows * bool(match["open"])
    seen.negative["trailing"] += shape.rows * ("-" in match["after"])
    return True


def _affixes(match: re.Match[str]) -> list[str]:
    """What stands around the digits."""
    inside = [(match["open"] or "").replace("(", " "), (match["close"] or "").replace(")", " ")]
    return [inside[0], match["before"], match["after"], inside[1]]


def _words(match: re.Match[str]) -> list[str]:
    """Words and signs around the digits, but for those of plus and minus."""
    return [word for part in _affixes(match) for word in re.split(rf"[-+\s{ONLY_THOUSANDS}]+", part) if word]


def _signs_of(rows: int, core: str, marks: list[str], groups: list[str], seen: _Seen) -> bool:
    if not marks:
        return True
    last = marks[-1]
    if len(set(marks)) == 2:  # 1.234,50: the last one is the decimal sign
        if last in ONLY_THOUSANDS:
            return False
        seen.decimal[last] += rows
        seen.thousands[marks[0]] += rows
        return True
    if last in ONLY_THOUSANDS or len(marks) > 1:
        seen.thousands[last] += rows
        return len(groups[-1]) == 3
    is_fraction = core[0] == last or core[-1] == last or len(groups[-1]) != 3 or len(groups[0]) > 3
    if is_fraction or groups[0].startswith(ZERO):
        seen.decimal[last] += rows
    else:
        seen.either[last] += rows
        seen.round[last] += rows * (groups[-1] == 3 * ZERO)
    return True
