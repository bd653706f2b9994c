"""How a column of times is written: one format for each kind of shape, decided over all of its rows, or left open.

Whether the day or the month comes first is decided by the largest first and second number of all rows with one
separator. Where both go beyond 12 nothing reads all rows, and where neither does, only rows with another separator
could tell: then it is open. 98% of rows that read one way are no evidence when the others lie in other months.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clients.data.guess.shapes import HIGH, Reads, Shape
from clients.data.reading import ReadTime
from clients.data.sources.month_names import NUMBERS
from clients.data.sources.spelling import HALVES

#: Share of a column's rows that may hold no time.
_OTHER = 0.02
#: Share of times from which on a column is one of times, if not all of a known form.
_MOSTLY = 0.5
#: Days of a month are above 12 in so many rows one after the other about never; a shop has so many years at most.
_ENOUGH, _YEARS, _SHORT = 20, 12, 2
_N = "[9⓪①]"
_CLOCK = (
    rf"(?P<gap>,? ?T?| à | at | um | - )(?P<before>(?:{HALVES}) ?)?{_N}{{1,2}}(?P<c>[:.]|h|时|시 ?|點)"
    rf"{_N}{{2}}(?P<seconds>(?P<c2>[:.]|分|분 ?){_N}{{2}}(?P<fraction>[.,]{_N}+)?)?(?P<unit> ?Uhr| ?h|分|분|秒|초)?"
    rf"(?P<behind> ?(?:{HALVES}))?"
)
_COMPACT = rf"(?P<gap2> ?T?)(?P<digits>{_N}{{6}}|{_N}{{4}})"
_ZONE = rf"(?P<zone> ?(?:Z|z|UTC|GMT|(?:UTC|GMT)?[+-]{_N}{{2}}(?::?{_N}{{2}})?))"
_REST = rf"(?:(?:{_CLOCK}|{_COMPACT}){_ZONE}?)?"
_WEEKDAY, _MONTH, _ORDINAL = r"(?P<w>[^\W\d_]+\.?,? )?", r"(?P<name>[^\W\d_]+)(?P<dot>\.?)", "(?P<o>st|nd|rd|th|er|º)?"
_DAYS = (
    ("iso", rf"{_N}{{4}}-{_N}{{1,2}}-{_N}{{1,2}}"),
    ("year first", rf"{_N}{{4}}(?P<s>\. |[./]){_N}{{1,2}}(?P=s){_N}{{1,2}}(?P<end>\.?)"),
    ("signs", rf"{_N}{{4}}(?P<s>年 ?|년 ?){_N}{{1,2}}(?P<s2>月 ?|월 ?){_N}{{1,2}}(?P<end>日|일)"),
    (
        "either",
        rf"{_WEEKDAY}(?P<a>{_N}{{1,2}})(?P<s>\. |[-/. ])(?P<b>{_N}{{1,2}})(?P=s)(?P<y>{_N}{{4}}|{_N}{{2}})(?P<end>\.?)",
    ),
    ("digits", rf"{_N}{{8}}"),
    (
        "day, name",
        rf"{_WEEKDAY}{_N}{{1,2}}{_ORDINAL}(?P<s>\. | de | of |[. -]?){_MONTH}"
        rf"(?P<s2>,? | de |-|)(?P<y>{_N}{{4}}|{_N}{{2}})",
    ),
    ("name, day", rf"{_WEEKDAY}{_MONTH} {_N}{{1,2}}{_ORDINAL}(?P<s2>,? )(?P<y>{_N}{{4}})"),
)  # fmt: skip
#: What every database reads without being told.
_PLAIN = re.compile(r"9{4}-99-99(?:[ T]99:99(?::99(?:\.9+)?)?)?")
_ONLY_CLOCK = re.compile(rf"(?:{_CLOCK}|{_COMPACT})(?P<zone>)")
_PATTERNS = tuple((kind, re.compile(day + _REST)) for kind, day in _DAYS)
#: Whole numbers that are times: form, pattern, least and most value (2000 to 2099), and whether a name must say so.
_NUMBERS = (
    ("epoch_s", re.compile(r"9{9,10}(\.⓪?9*)?"), 946_684_800, 4_102_444_800, True),
    ("epoch_ms", re.compile(r"9{12,13}(\.9*)?"), 946_684_800_000, 4_102_444_800_000, False),
    ("epoch_us", re.compile(r"9{15,16}(\.9*)?"), 946_684_800_000_000, 4_102_444_800_000_000, False),
    ("excel_1900", re.compile(r"9{5}(?:[.,]9+)?"), 36_526, 73_050, True),
)


@dataclass(frozen=True, kw_only=True)
class TimeForm(Reads):
    """How a column of times is written.

    Attributes:
        read: as it stands in ``[source.read.time]``.
        likely: False where day or month first was taken from rows with another separator, or a number of days, or of
            a year, may be counted otherwise.
        timed: whether ISO times have a time of day.
    """

    read: ReadTime
    likely: bool = True
    timed: bool = False

    @property
    def has_clock(self) -> bool:
        """Whether times of day are in it, and not days alone."""
        return self.timed or any(re.search("%[HIz]|_", form) for form in self.read.formats)

    @property
    def is_zoned(self) -> bool:
        """Whether times are instants."""
        return self.read.is_zoned


@dataclass(frozen=True, kw_only=True)
class OpenTime:
    """A column of times that no form reads without doubt.

    Attributes:
        text: what was found, in shapes and counts.
        choices: forms that may be right; none where nobody can say.
    """

    text: str
    choices: tuple[TimeForm, ...] = ()


@dataclass(frozen=True)
class _Part:
    """A shape as a time.

    Attributes:
        shape: as counted.
        format: in which ``{a}`` and ``{b}``, and ``{y}`` behind them, are open where ``order`` says by which rows.
        order: the separator and the digits of the year.
        high: whether the first, and the second, number is above 12.
    """

    shape: Shape
    format: str
    order: tuple[str, int] | None = None
    high: tuple[bool, bool] = (False, False)


def time_form(found: Sequence[Shape], *, is_named: bool) -> TimeForm | OpenTime | None:
    """The form of a column, by its shapes; None where it does not hold times.

    Args:
        found: its shapes.
        is_named: whether its name says that it holds times: then whole numbers may be ones, too.
    """
    parts = [part for shape in found if (part := _part(shape, is_named=is_named)) is not None]
    rows, read = sum(shape.rows for shape in found), sum(part.shape.rows for part in parts)
    if not rows or read < _MOSTLY * rows:
        return None
    known = {part.shape for part in parts}
    unread = tuple(shape for shape in found if shape not in known)
    if read < (1 - _OTHER) * rows:
        if not is_named:
            return None
        return OpenTime(text=f"{described(found)}; no form that is known here reads {rows - read:,} of {rows:,} rows")
    first = _day_first(parts)
    if isinstance(first, str):
        return OpenTime(text=first)
    decided = {key: value for key, value in first.items() if value is not None}
    undecided = [key for key, value in first.items() if value is None]
    others = set(decided.values())
    if undecided and len(others) != 1:
        choices = tuple(_form(parts, decided | dict.fromkeys(undecided, way), rows, unread) for way in (True, False))
        return OpenTime(text="day or month first cannot be told (all are 12 or less)", choices=choices)
    guessed = dict.fromkeys(undecided, next(iter(others), True))
    form = _form(parts, decided | guessed, rows, unread)
    return form if not guessed else TimeForm(**{**form.__dict__, "likely": False})


def clock_formats(found: Sequence[Shape]) -> tuple[str, ...]:
    """The formats of a column that holds nothing but times of day; none where it holds anything else."""
    formats = []
    for shape in found:
        match = _ONLY_CLOCK.fullmatch(shape.text)
        if match is None:
            return ()
        formats.append(_rest(match).strip())
    return tuple(dict.fromkeys(formats))


def described(found: Iterable[Shape]) -> str:
    """The three commonest shapes with their rows, for people: no digit of any value is in them."""
    counted: Counter[str] = Counter()
    for shape in found:
        counted[re.sub(r"[^\W\d_]", "a", shape.digits)] += shape.rows
    return ", ".join(f"{rows:,} rows like {text}" for text, rows in counted.most_common(3))


def _form(parts: Sequence[_Part], first: dict[tuple[str, int], bool], rows: int, unread: tuple[Shape, ...]) -> TimeForm:
    counted: Counter[str] = Counter()
    year_first = _year_first(parts)
    for part in parts:
        day_first = first.get(part.order, True) if part.order else True
        names = {"a": "%d", "b": "%m", "y": "%y"} if day_first else {"a": "%m", "b": "%d", "y": "%y"}
        names = {"a": "%y", "b": "%m", "y": "%d"} if part.order in year_first else names
        counted[part.format.format(**names)] += part.shape.rows
    formats = tuple(name for name, _ in counted.most_common())
    reads = sum(counted.values())
    shapes = [part.shape for part in parts]
    plain = formats == ("iso",) and all(_PLAIN.fullmatch(item.digits) and not item.is_wide for item in shapes)
    timed = any(":" in part.shape.text for part in parts)
    likely = not year_first and "excel_1900" not in formats
    return TimeForm(
        read=ReadTime(formats=formats),
        rows=rows,
        reads=reads,
        unread=unread,
        is_plain=plain,
        likely=likely,
        timed=timed,
    )


def _year_first(parts: Sequence[_Part]) -> set[tuple[str, int]]:
    """Separators with years of two digits whose first number is always above 12 and nearly the same, in enough rows."""
    found = set()
    for order in {part.order for part in parts if part.order is not None and part.order[1] == _SHORT}:
        alike = [part for part in parts if part.order == order]
        ends = [
            int(digits[0])
            for part in alike
            for end in (part.shape.least, part.shape.most)
            if (digits := re.findall(r"\d+", end))
        ]
        always = all(part.high == (True, False) for part in alike) and max(ends) - min(ends) <= _YEARS
        if always and sum(part.shape.rows for part in alike) >= _ENOUGH:
            found.add(order)
    return found


def _day_first(parts: Sequence[_Part]) -> dict[tuple[str, int], bool | None] | str:
    """For each separator whether the day comes first, None where its rows do not say; text where both do."""
    high: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for part in parts:
        if part.order is not None:
            pair = high[part.order]
            pair[0] += part.shape.rows * part.high[0]
            pair[1] += part.shape.rows * part.high[1]
    for (sign, _), (first, second) in high.items():
        if first and second:
            return (
                f"{first:,} rows have a first number above 12 before {sign!r}, {second:,} a second one: "
                "neither day nor month first reads all rows; if files differ, give each as a source of its own"
            )
    return {key: bool(first) if first or second else None for key, (first, second) in high.items()}


def _part(shape: Shape, *, is_named: bool) -> _Part | None:
    for form, pattern, least, most, needs_name in _NUMBERS:
        if pattern.fullmatch(shape.digits) and (is_named or not needs_name):
            values = (_number(shape.least), _number(shape.most))
            if least <= values[0] and values[1] < most:
                return _Part(shape, form)
    text, quoted = shape.text, re.fullmatch('="(.*)"', shape.text)  # as spreadsheets leave alone
    text = quoted[1] if quoted else text
    for kind, pattern in _PATTERNS:
        match = pattern.fullmatch(text)
        if match is None or (kind == "digits" and not (is_named and _are_days(shape))):
            continue
        rest = _rest(match)
        is_iso = kind == "iso" and match["gap"] in (" ", "T", None) and not match["digits"] and not quoted
        if is_iso and match["c"] in (":", None) and not (match["before"] or match["behind"] or match["unit"]):
            return _Part(shape, "iso %z" if match["zone"] else "iso")
        day, order = _day(kind, match)
        if day is None:
            continue
        high = (HIGH in match["a"], HIGH in match["b"]) if order else (False, False)
        return _Part(shape, f'="{day + rest}"' if quoted else day + rest, order, high)
    return None


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return -1


def _are_days(shape: Shape) -> bool:
    ends = (shape.least, shape.most)
    return all("19000101" <= end[:8] <= "21001231" and end[4:6] <= "12" and end[6:8] <= "31" for end in ends)


def _day(kind: str, match: re.Match[str]) -> tuple[str | None, tuple[str, int] | None]:
    """The format of a day, and by which rows it is told which of two numbers is the day."""
    if kind == "iso":
        return "%Y-%m-%d", None
    if kind == "year first":
        return f"%Y{match['s']}%m{match['s']}%d{match['end']}", None
    if kind == "signs":
        return f"%Y{match['s']}%m{match['s2']}%d{match['end']}", None
    if kind == "digits":
        return "%Y%m%d", None
    week = "" if not match["w"] else f"%a{re.sub(r'[^., ]', '', match['w'])}"
    if kind == "either":
        year = "%Y" if len(match["y"]) == 4 else "{y}"
        return f"{week}{{a}}{match['s']}{{b}}{match['s']}{year}{match['end']}", (match["s"], len(match["y"]))
    if match["name"].lower() not in NUMBERS:
        return None, None
    year, ordinal = "%Y" if len(match["y"]) == 4 else "%y", match["o"] or ""
    if kind == "day, name":
        return f"{week}%d{ordinal}{match['s']}%b{match['s2']}{year}", None
    return f"{week}%b %d{ordinal}{match['s2']}{year}", None


def _rest(match: re.Match[str]) -> str:
    """The format of a time of day and an offset."""
    if match["digits"]:
        clock = match["gap2"] + ("%H%M%S" if len(match["digits"]) == 6 else "%H%M")
    elif match["gap"] is not None:
        half = match["before"] or match["behind"]
        clock = ("%I" if half else "%H") + f"{match['c']}%M" + (f"{match['c2']}%S" if match["seconds"] else "")
        clock += (f"{match['fraction'][0]}%f" if match["fraction"] else "") + (match["unit"] or "")
        if match["before"]:
            clock = "%p" + " " * match["before"].endswith(" ") + clock
        elif match["behind"]:
            clock += " " * match["behind"].startswith(" ") + "%p"
        clock = match["gap"] + clock
    else:
        return ""
    return clock + (" %z" if match["zone"] and match["zone"][0] == " " else "%z" if match["zone"] else "")
