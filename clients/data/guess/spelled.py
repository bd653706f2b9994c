"""How the columns that are used are spelled, and what about that is open."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from clients.data.guess.confidence import CONFIDENCE
from clients.data.guess.numbers import NumberForm, OpenNumber
from clients.data.guess.times import OpenTime, TimeForm, described
from clients.data.reading import ReadColumn, ReadTime
from privacy.kernel.terms import minor_digits

#: Roles of columns of which ``[source.read]`` says how they are spelled.
SPELLED = ("time", "amount", "order_amount", "quantity", "price")
#: Between several formats, where one text states them.
SEVERAL = " | "

Form = NumberForm | OpenNumber | TimeForm | OpenTime


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
    """

    forms: Mapping[str, Form] = field(default_factory=dict)
    clocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    totals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

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
        found: dict[str, Spelled] = {}
        opens = []
        for role, name in mapped.items():
            item = self._settled(name, known, currency) or self._open(role, name)
            if isinstance(item, OpenColumn) and chosen.get(item.key) in item.choices:
                item = item.choices[chosen[item.key]]
            if isinstance(item, OpenColumn):
                opens.append(item)
            elif not item.is_plain:
                found[role] = item
        return found, tuple(opens)

    def _decimals(self, names: object) -> set[str]:
        forms = (self.forms[name] for name in names)  # type: ignore[attr-defined]
        return {form.read.decimal for form in forms if isinstance(form, NumberForm) and form.decides}

    def _settled(self, name: str, known: set[str], currency: str | None) -> Spelled | None:
        form = self.forms[name]
        if isinstance(form, TimeForm):
            return self._of_times(form)
        if isinstance(form, NumberForm):
            return _of_numbers(form, "decimal sign")
        if isinstance(form, OpenNumber) and form.mark and len(known) == 1:
            sign = next(iter(known))
            return _of_numbers(form.settled(sign), "decimal sign, by another column", "as another column shows")
        if isinstance(form, OpenNumber) and form.mark and currency is not None and minor_digits(currency) == 0:
            says = f"amounts in {currency} have no decimals"
            return _of_numbers(form.as_thousands, "decimal sign, by the currency", says)
        return None

    def _of_times(self, form: TimeForm) -> Spelled:
        what = "date form" if form.likely else "date form, by another separator"
        reason = _reads(form) + ("" if form.likely else "; day or month first as in rows with another separator")
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
            key = "read.time.formats"
            choices = {SEVERAL.join(one.read.formats): self._of_times(one) for one in form.choices}
            text = f"{quoted}: {form.text}. Which form do these times have ({key})?"
            return OpenColumn(key=key, text=text, choices=choices)
        key = f"read.{role}.decimal"
        ways = (form.as_decimal, form.as_thousands) if isinstance(form, OpenNumber) else ()
        choices = {way.read.decimal: Spelled(read=way.read, reason=f"{_reads(way)}; you said so") for way in ways}
        if isinstance(form, OpenNumber) and form.mark:
            text = (
                f"{quoted}: {form.rows:,} rows have three digits after {form.mark!r}, and nothing shows what it means"
            )
            totals = self.totals.get(name)
            text += f": {totals[0]:,.2f} or {totals[1]:,.2f} in all" if totals else ""
        else:
            text = f"{quoted}: values show two different decimal signs"
        return OpenColumn(key=key, text=f"{text}. Which is the decimal sign ({key})?", choices=choices)


def _of_numbers(form: NumberForm, what: str, says: str = "") -> Spelled:
    reason = _reads(form) + (f", {says}" if says else "")
    return Spelled(read=form.read, confidence=CONFIDENCE[what], reason=reason, is_plain=form.is_plain)


def _reads(form: NumberForm | TimeForm) -> str:
    rest = f" (not {described(form.unread)})" if form.unread else ""
    return f"reads {form.reads:,} of {form.rows:,} rows{rest}"
