"""Columns as ``[source.read]`` says, brought to numbers and times by expressions that every database computes.

A spelling is a pattern and a rewriting: what fits the pattern is written anew in the plain way (``-1234.5``,
``2024-05-01 09:30:00``), and the database's own reader takes it from there; what does not fit is null. So a value is
read as the settings say or not at all, and nothing about other rows matters.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass

import ibis
from ibis.expr import datatypes as dtypes
from ibis.expr import types as ir

from clients.data.place import Reading
from clients.data.reading import ReadColumns, ReadNumber, ReadTime
from clients.data.sources.month_names import NUMBERS, PATTERN

#: Full-width signs, dashes that stand for minus, and what is written for them.
WIDE = ("０１２３４５６７８９．，：／－−–‐‑‒—﹣＋（）￥", "0123456789.,:/--------+()¥")
#: Blanks of all widths; they are written as one plain one.
BLANKS = " \t\u00a0\u2009\u202f\u3000"
_B = f"[{BLANKS}]*"
_EPOCH = dt.datetime(1970, 1, 1)
_EXCEL = {"excel_1900": dt.datetime(1899, 12, 30), "excel_1904": dt.datetime(1904, 1, 1)}
_EPOCH_DIGITS = {"epoch_s": (9, 10, 1), "epoch_ms": (12, 13, 1000), "epoch_us": (15, 16, 1_000_000)}
_DAY_SECONDS = 86_400
_DAY = "([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
_CLOCK = "[ T]([0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?)"
_ZONE = r" ?(?:Z|z|UTC|GMT|(?:UTC|GMT)?[+-][0-9]{2}(?::?[0-9]{2})?)"
_ISO, _ISO_WITH_ZONE = f"{_DAY}(?:{_CLOCK})?", f"{_DAY}{_CLOCK}{_ZONE}"
#: The words for before and after noon that ``%p`` reads.
HALVES = "[AaPp]\\.?[ ]?[Mm]\\.?|上午|下午|凌晨|早上|晚上|午前|午後|오전|오후"
_AFTER_NOON = "[Pp]\\.?[ ]?[Mm]|下午|晚上|午後|오후"
_PARTS = {
    "Y": "([0-9]{4})", "y": "([0-9]{2})", "m": "([0-9]{1,2})", "d": "([0-9]{1,2})", "H": "([0-9]{1,2})",
    "I": "(0?[1-9]|1[0-2])", "M": "([0-9]{2})", "S": "([0-9]{2})", "f": "([0-9]{1,9})", "p": f"(?:{HALVES})",
    "b": PATTERN, "B": PATTERN, "z": _ZONE, "a": "[^0-9 ,]+", "A": "[^0-9 ,]+", "%": "%",
}  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """How a database reads plain text; null where it holds something else.

    Attributes:
        number: text such as ``-1234.5`` to a float.
        time: ISO text without a zone to a time without a zone.
    """

    number: Callable[[ir.StringValue], ir.Value]
    time: Callable[[ir.StringValue], ir.Value]


#: The embedded database.
EMBEDDED = Reader(number=lambda text: text.try_cast("float64"), time=lambda text: text.try_cast("timestamp"))


@ibis.udf.scalar.builtin(
    name="timezone", signature=((dtypes.string, dtypes.timestamp), dtypes.Timestamp(timezone="UTC"))
)
def instant_in(zone, wall):  # type: ignore[no-untyped-def]  # Ibis reads the signature above
    """The function of DuckDB and PostgreSQL for the instant at which clocks of a zone show a time."""


def spelled(config: Reading, table: ir.Table, *, is_csv: bool = False, reader: Reader = EMBEDDED) -> ir.Table:
    """A table whose mapped columns are numbers and times where ``[source.read]`` says how they are spelled.

    Args:
        config: what is mapped, and how it is spelled.
        table: the source; columns that it lacks are passed over.
        is_csv: whether ``[source.csv]`` stands in for columns that ``[source.read]`` does not name.
        reader: of the database.
    """
    mapped, zone = config.columns.mapped(), config.source.time_zone
    changes: dict[str, ir.Value] = {}
    for role, form in (_of_csv(config) if is_csv else config.source.read).items():
        name = mapped.get(role)
        if name is None or name not in table.columns:
            continue
        if isinstance(form, ReadNumber):
            changes[name] = table[name] if table[name].type().is_numeric() else read_number(table[name], form, reader)
        elif isinstance(form, ReadTime):
            clock = table[form.clock] if form.clock and form.clock in table.columns else None
            changes[name] = read_time(table[name], clock, form, zone, reader)
    return table.mutate(**changes) if changes else table


def _of_csv(config: Reading) -> ReadColumns:
    """``[source.read]``, and for other columns what ``[source.csv]`` says of all numbers and times."""
    form, columns = config.source.csv, config.columns
    read: ReadColumns = {}
    if form.date_format:
        read |= {role: ReadTime(formats=(form.date_format,)) for role in columns.of_form("time")}
    if form.decimal != "." or form.thousands:
        number = ReadNumber(decimal=form.decimal, thousands=form.thousands)
        read |= {role: number for role in columns.of_form("number")}
    return read | config.source.read


def read_number(column: ir.Value, form: ReadNumber, reader: Reader = EMBEDDED) -> ir.Value:
    """A number as ``form`` says, a float; null where it is written in another way."""
    text = column.cast("string").translate(*WIDE)
    signs = "|".join(re.escape(sign) for sign in sorted(form.signs, key=len, reverse=True))
    sign = f"(?:(?:{signs}){_B})?" if signs else ""
    point, groups = re.escape(form.decimal), "".join(f"\\{mark}" if mark in ".'" else mark for mark in form.thousands)
    core = f"[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+"
    if groups:
        core = f"[0-9]{{1,3}}(?:[{groups}][0-9]{{2,3}})*[{groups}][0-9]{{3}}(?:{point}[0-9]*)?|{core}"
    core = f"((?:{core})(?:[eE][+-]?[0-9]{{1,3}})?){_B}"
    minus = f"(?:[-+]{_B})?"
    front = f"(?:{minus}{sign}|{sign}{minus})" if sign else minus
    ways = [(f"^{_B}{front}{core}(?:{point}-{{1,2}}{_B})?{sign}$", text.re_search("^[^0-9]*-[^0-9]*[0-9]"))]
    if "trailing" in form.negative:
        ways.append((f"^{_B}{sign}{core}{sign}-{_B}{sign}$", ibis.literal(True)))
    if "parentheses" in form.negative:
        ways.append((f"^{_B}{sign}\\({_B}{sign}{core}{sign}\\){_B}{sign}$", ibis.literal(True)))
    branches = []
    for pattern, is_negative in ways:
        digits = text.re_extract(pattern, 1)
        digits = digits.re_replace(f"[{groups}]", "") if groups else digits
        digits = digits.replace(",", ".") if form.decimal == "," else digits
        plain = ibis.ifelse(is_negative, ibis.literal("-"), ibis.literal("")).concat(digits)
        branches.append((text.re_search(pattern), plain))
    return reader.number(ibis.cases(*branches, else_=ibis.null("string")))


def read_time(
    column: ir.Value, clock: ir.Value | None, form: ReadTime, zone: str, reader: Reader = EMBEDDED
) -> ir.Value:
    """A time as the first of the formats that reads it says; null where none does.

    With an offset or an epoch among the formats, an instant (``timestamp('UTC')``); else wall time.
    """
    kind = column.type()
    formats = form.formats
    if kind.is_date() or kind.is_timestamp():
        if clock is None:
            return column
        column, formats = column.cast("date"), ("iso",)
    text = _plain(column.cast("string"))
    if clock is not None:
        text = text.concat(" ").concat(_plain(clock.cast("string"))).strip()
    walls, instants = [], []
    for one in formats:
        found = _one_format(text, one, reader)
        if form.is_zoned and ("%z" in one or one in _EPOCH_DIGITS):
            instants.append(found)
        elif form.is_zoned:
            instants.append(instant_in(zone, found))
        else:
            walls.append(found)
    return ibis.coalesce(*(instants or walls))


def _plain(text: ir.StringValue) -> ir.StringValue:
    return text.translate(*WIDE).re_replace(f"[{BLANKS}]+", " ").strip()


def _one_format(text: ir.StringValue, form: str, reader: Reader) -> ir.Value:
    """A time of one format: wall time, or an instant where the format has an offset or is an epoch."""
    if form in _EPOCH_DIGITS:
        least, most, parts = _EPOCH_DIGITS[form]
        digits = _where(text.re_search(f"^[0-9]{{{least},{most}}}(?:[.][0-9]*)?$"), text.re_replace("[.].*$", ""))
        return instant_in("UTC", later_by(_EPOCH, digits.cast("int64") * (1_000_000 // parts)))
    if form in _EXCEL:
        days = reader.number(_where(text.re_search("^[0-9]{5}(?:[.,][0-9]+)?$"), text.replace(",", ".")))
        return later_by(_EXCEL[form], (days * _DAY_SECONDS).round().cast("int64") * 1_000_000)
    if form.startswith("iso"):
        pattern = f"^{_ISO_WITH_ZONE if '%z' in form else _ISO}$"
        iso = text.re_replace(pattern, r"\1-0\2-0\3 0\4").replace(",", ".").re_replace(" 0$", "")
    else:
        pattern, iso = _rewritten(text, form)
    fits, iso = text.re_search(pattern), iso.re_replace("([- ])0([0-9]{2})", r"\1\2")
    wall = reader.time(_where(fits, iso))
    if "%p" in form:
        twelve, after = iso.re_search(" 12:"), text.re_search(_AFTER_NOON)
        shift = ibis.cases((fits & after & ~twelve, 43_200), (fits & ~after & twelve, -43_200), else_=0)
        wall = wall + shift.cast("int64").as_interval("s")
    return instant_in("UTC", wall - _offset(text).as_interval("s")) if "%z" in form else wall


def _where(fits: ir.BooleanValue, text: ir.StringValue) -> ir.StringValue:
    return ibis.ifelse(fits, text, ibis.null("string"))


def _rewritten(text: ir.StringValue, form: str) -> tuple[str, ir.StringValue]:
    """The pattern of a strptime format, and the ISO text for what fits it, a zero before each month, day and hour."""
    pattern, groups = "^", dict[str, str]()
    for code, sign in re.findall("%(.)|(.)", form.replace(" %z", "%z")):
        part = re.escape(sign) if sign else _PARTS[code]
        if code in "YymbBdHIMSf" and code:
            groups["m" if code in "bB" else "H" if code == "I" else code] = f"\\{len(groups) + 1}"
        pattern += part
    pattern += "$"
    month = "#" if "%b" in form or "%B" in form else f"0{groups['m']}"
    new = f"{groups.get('Y') or groups['y']}-{month}-0{groups['d']}"
    if "H" in groups:
        new += f" 0{groups['H']}:{groups.get('M', '00')}"
        new += f":{groups['S']}" if "S" in groups else ""
        new += f".{groups['f']}" if "f" in groups else ""
    iso = text.re_replace(pattern, new)
    if "y" in groups:  # as POSIX says: 69 to 99 are of the last century
        iso = ibis.ifelse(iso.substr(0, 2) >= "69", ibis.literal("19"), ibis.literal("20")).concat(iso)
    if month == "#":
        name = text.re_extract(pattern, int(groups["m"][1:])).lower()
        iso = iso.replace("#", name.cases(*NUMBERS.items(), else_="99"))
    return pattern, iso


def _offset(text: ir.StringValue) -> ir.Value:
    """Seconds east of UTC that a text ends in; 0 where it names UTC."""
    pattern = "([+-][0-9]{2}(?::?[0-9]{2})?)$"
    tail = ibis.ifelse(text.re_search(pattern), text.re_extract(pattern, 1), ibis.literal("+00"))
    digits = tail.re_replace("[^0-9]", "").concat("00")
    seconds = digits.substr(0, 2).cast("int64") * 3600 + digits.substr(2, 2).cast("int64") * 60
    return ibis.ifelse(tail.startswith("-"), -seconds, seconds)


def later_by(base: dt.datetime, microseconds: ir.Value) -> ir.Value:
    """A time so many microseconds after another, in every database."""
    whole = (microseconds // 1_000_000).cast("int64")
    rest = (microseconds - whole * 1_000_000).cast("int64")
    return ibis.literal(base) + whole.as_interval("s") + rest.as_interval("us")
