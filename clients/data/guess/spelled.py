"""How the columns that are used are spelled, and what about that is open."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from clients.data.guess.confidence import CONFIDENCE, SURE
from clients.data.guess.names import codes_of, common_codes, score
from clients.data.guess.numbers import NumberForm, OpenNumber
from clients.data.guess.times import OpenTime, TimeForm, described
from clients.data.place import Place
from clients.data.reading import ReadColumn, ReadNumber, ReadTime
from privacy.kernel.terms import minor_digits

#: Roles of columns of which ``[source.read]`` says how they are spelled.
SPELLED = ("time", "amount", "order_amount", "quantity", "price")
_MONEY = ("amount", "order_amount", "price")
#: Between several formats, where one text states them.
SEVERAL = " | "

#: Shapes with something behind the time of day.
_ZONED = re.compile(r"99:99\D*[-a+[]")

Form = NumberForm | OpenNumber | TimeForm | OpenTime


def key_of(role: str) -> str:
    """The setting that says how a role's column is spelled."""
    return "read.time.formats" if role == "time" else f"read.{role}.decimal"


@dataclass(frozen=True, kw_only=True)
class Spelled:
    """How a column is spelled.

    Attributes:
        read: the settings.
        confidence, reason: as of a guess.
        is_plain: whether they need not be written, as every source reads the column so.
    """

    read: ReadColumn
    confidence: float = 1.0
    reason: str = "you said so"
    is_plain: bool = False


@dataclass(frozen=True, kw_only=True)
class OpenColumn:
    """A column that may be read in several ways.

    Attributes:
        key: of the setting that is asked for, such as ``read.price.decimal``.
        text: the question.
        choices: by answer; none where nobody can say.
    """

    key: str
    text: str
    choices: Mapping[str, Spelled] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Spellings:
    """What is known of how all columns are spelled.

    Attributes:
        forms: by column.
        clocks: columns that hold nothing but times of day, with the formats of these.
        totals: of open columns, what they come to in each of two ways.
        unread: columns that may be times or money by their names and are not read, with their commonest shapes.
    """

    forms: Mapping[str, Form] = field(default_factory=dict)
    clocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    totals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)

    def of(
        self, columns: Mapping[str, str], currency: str | None, chosen: Mapping[str, str]
    ) -> tuple[dict[str, Spelled], tuple[OpenColumn, ...]]:
        """How mapped columns are spelled, by role, where a run must be told; and those for which that is open.

        Args:
            columns: by role.
            currency: of all amounts, where that is known.
            chosen: answers, by key.
        """
        mapped = {role: name for role, name in columns.items() if role in SPELLED and name in self.forms}
        known = self._decimals(mapped.values()) or self._decimals(self.forms)
        by_currency = {
            role: _by_currency(self.forms[name], currency) for role, name in mapped.items() if role in _MONEY
        }
        pieces = known or {form.read.decimal for form in by_currency.values() if form is not None}
        found: dict[str, Spelled] = {}
        opens = []
        for role, name in columns.items():
            answer = chosen.get(key_of(role), "")
            item: Spelled | OpenColumn | None
            if answer and (item := self._answered(role, name, answer)) is not None:
                pass
            elif name not in self.forms or role not in mapped:
                item = self._unread_time(name) if role == "time" else None
            elif (money := by_currency.get(role)) is not None:
                item = _of_currency(money, currency, known)
            else:
                item = self._settled(role, name, pieces if role == "quantity" else known) or self._open(role, name)
            if isinstance(item, OpenColumn) and chosen.get(item.key) in item.choices:
                item = item.choices[chosen[item.key]]
            if isinstance(item, OpenColumn):
                opens.append(item)
            elif item is not None and not (item.is_plain and item.confidence >= SURE):
                found[role] = item
        return found, tuple(opens)

    def _answered(self, role: str, name: str, answer: str) -> Spelled | None:
        """How somebody says that a column is spelled; None where it holds neither times nor numbers in text."""
        form = self.forms.get(name)
        if role == "time" and (form is not None or name in self.unread):
            ways = {SEVERAL.join(one.read.formats): one for one in form.choices} if isinstance(form, OpenTime) else {}
            if answer in ways:
                return self._of_times(ways[answer])
            return Spelled(read=ReadTime(formats=tuple(answer.split(SEVERAL))))
        if isinstance(form, OpenNumber):
            way = form.settled(answer) if form.mark else {".": form.as_decimal, ",": form.as_thousands}.get(answer)
            return None if way is None else Spelled(read=way.read, reason=f"{_reads(way)}; you said so")
        if isinstance(form, NumberForm):
            groups = "".join(dict.fromkeys(f"{form.read.thousands}.,".replace(answer, "")))
            return Spelled(read=form.read.model_copy(update={"decimal": answer, "thousands": groups}))
        return None

    def _unread_time(self, name: str) -> OpenColumn | None:
        if name not in self.unread:
            return None
        quoted = json.dumps(name, ensure_ascii=False)
        key = key_of("time")
        text = f"{quoted}: {self.unread[name]}, which no form that is known here reads. Which form is it ({key})?"
        return OpenColumn(key=key, text=f"{text} In strptime notation, such as %d.%m.%Y %H:%M")

    def unread_of(self, role: str) -> str:
        """Columns whose names say that they have a role of times or money, and what they hold instead, for people."""
        roles = ("amount", "price") if role == "amount" else (role,)
        named = [name for name in self.unread if any(score(one, name) > SURE for one in roles)]
        found = "".join(
            f" {json.dumps(name, ensure_ascii=False)} has {self.unread[name]}; no form that is known here reads them."
            for name in named
        )
        zoned = role == "time" and any(_ZONED.search(self.unread[name]) for name in named)
        return found + (
            " A time zone by its name, or an offset elsewhere than at the end, is not read." if zoned else ""
        )

    def _decimals(self, names: object) -> set[str]:
        forms = (self.forms[name] for name in names)  # type: ignore[attr-defined]
        return {form.read.decimal for form in forms if isinstance(form, NumberForm) and form.decides}

    def _settled(self, role: str, name: str, known: set[str]) -> Spelled | None:
        form = self.forms[name]
        if isinstance(form, TimeForm):
            return self._of_times(form)
        if isinstance(form, NumberForm):
            return None if _has_several_currencies(form) else _of_numbers(form, "decimal sign")
        if not isinstance(form, OpenNumber) or not form.mark:
            return None
        # Pieces that are whole thousands one and all are rather pieces with three decimals.
        if role == "quantity" and form.round and known != {form.mark}:
            says = "every one of them ends in three zeros, as pieces with three decimals do"
            return None if known else _of_numbers(form.as_decimal, "decimal sign, by three zeros", says)
        if len(known) == 1:
            sign = next(iter(known))
            return _of_numbers(form.settled(sign), "decimal sign, by another column", "as another column shows")
        return None

    def _of_times(self, form: TimeForm) -> Spelled:
        what, reason = "date form" if form.likely else "date form, by another separator", _reads(form)
        if "excel_1900" in form.read.formats:
            reason += "; these are Excel's days since 1900 (old Macs count from 1904: excel_1904)"
        elif not form.likely and any(one.startswith("%y") for one in form.read.formats):
            reason += "; the first number is taken for the year, as it hardly changes"
        elif not form.likely:
            reason += "; day or month first as in rows with another separator"
        clock = self._clock(form)
        if clock is not None:
            return Spelled(read=clock, confidence=CONFIDENCE[what], reason=f"{reason}; the time of day is beside it")
        return Spelled(read=form.read, confidence=CONFIDENCE[what], reason=reason, is_plain=form.is_plain)

    def _clock(self, form: TimeForm) -> ReadTime | None:
        """How days and a column of times of day beside them are read together; None where there is no such column."""
        if form.has_clock or not self.clocks:
            return None
        name, clocks = next(iter(self.clocks.items()))
        days = ["%Y-%m-%d" if one == "iso" else one for one in form.read.formats]
        return ReadTime(formats=tuple(f"{day} {clock}" for day in days for clock in clocks), clock=name)

    def _open(self, role: str, name: str) -> OpenColumn:
        form, quoted = self.forms[name], json.dumps(name, ensure_ascii=False)
        if isinstance(form, OpenTime):
            key = key_of(role)
            choices = {SEVERAL.join(one.read.formats): self._of_times(one) for one in form.choices}
            text = f"{quoted}: {form.text}. Which form do these times have ({key})?"
            return OpenColumn(key=key, text=text, choices=choices)
        if isinstance(form, NumberForm):
            return _by_sign(role, quoted, form)
        key = key_of(role)
        ways = (form.as_decimal, form.as_thousands) if isinstance(form, OpenNumber) else ()
        choices = {way.read.decimal: Spelled(read=way.read, reason=f"{_reads(way)}; you said so") for way in ways}
        if isinstance(form, OpenNumber) and form.mark:
            text = (
                f"{quoted}: {form.rows:,} rows have three digits after {form.mark!r}, and nothing shows what it means"
            )
            totals = self.totals.get(name)
            text += f": {totals[0]:,.2f} or {totals[1]:,.2f} in all" if totals else ""
        else:
            rows = f"{form.rows:,} rows" if isinstance(form, OpenNumber) else "values"
            text = (
                f"{quoted}: {rows} show two different decimal signs; if files differ, give each as a source of its own"
            )
        return OpenColumn(key=key, text=f"{text}. Which is the decimal sign ({key})?", choices=choices)


def odd_signs(source: Place, code: str) -> tuple[str, ...]:
    """Signs beside amounts, by ``[source.read]``, that a currency does not write."""
    forms = (source.read.get(role) for role in _MONEY)
    signs = dict.fromkeys(sign for form in forms if isinstance(form, ReadNumber) for sign in form.signs)
    return tuple(sign for sign in signs if (codes := codes_of(sign)) and code not in codes)


def _has_several_currencies(form: NumberForm) -> bool:
    return common_codes(form.read.signs) == frozenset()


def _by_sign(role: str, quoted: str, form: NumberForm) -> OpenColumn:
    """Amounts in several currencies: those of one of them can be read, the others are left out and counted."""
    choices: dict[str, Spelled] = {}
    for sign in form.read.signs:
        alike = tuple(other for other in form.read.signs if common_codes((sign, other)) or not codes_of(other))
        read = form.read.model_copy(update={"signs": alike})
        choices[sign] = Spelled(read=read, reason="you said so; amounts with signs of other currencies are unreadable")
    key, signs = f"read.{role}.signs", " and ".join(form.read.signs)
    text = (
        f"{quoted}: {form.rows:,} amounts have signs of several currencies, {signs}. Amounts with which of them count "
        f"({key})?"
    )
    return OpenColumn(key=key, text=text, choices=choices)


def _by_currency(form: Form, currency: str | None) -> NumberForm | None:
    """How three digits behind a sign are read where amounts of the currency have no decimals, or three."""
    if not isinstance(form, OpenNumber) or not form.mark or currency is None:
        return None
    return {0: form.as_thousands, 3: form.as_decimal}.get(minor_digits(currency))


def _of_currency(form: NumberForm, currency: str | None, known: set[str]) -> Spelled:
    against = bool(known) and form.read.decimal not in known
    many = "no" if form.read.thousands else "three"
    says = f"amounts in {currency} have {many} decimals" + (
        ", though another column shows otherwise" if against else ""
    )
    return _of_numbers(
        form, "decimal sign, against another column" if against else "decimal sign, by the currency", says
    )


def _of_numbers(form: NumberForm, what: str, says: str = "") -> Spelled:
    reason = _reads(form) + (f", {says}" if says else "")
    if form.unknown:
        what, reason = "an unknown word beside numbers", f"{reason}; {form.unknown!r} beside them is passed over"
    return Spelled(read=form.read, confidence=CONFIDENCE[what], reason=reason, is_plain=form.is_plain)


def _reads(form: NumberForm | TimeForm) -> str:
    rest = f" (not {described(form.unread)})" if form.unread else ""
    return f"reads {form.reads:,} of {form.rows:,} rows{rest}"
