"""``[source.read.ROLE]`` of ``holder.toml``: how one column is spelled, whatever the source is.

What a value means is a function of that value and of these settings alone. They are found by ``holder new``, which
looks at whole columns, and stand in the file: a run judges nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from privacy.kernel.canonical import Noun

#: Signs that group digits and nothing else: blanks of all widths, and apostrophes.
ONLY_THOUSANDS = " \u00a0\u2009\u202f'\u2019"
#: Forms of times beside strptime notation.
NAMED_FORMS = ("iso", "iso %z", "epoch_s", "epoch_ms", "epoch_us", "excel_1900", "excel_1904")
#: Forms that yield an instant; all others yield wall time in ``time_zone``.
_INSTANTS = ("epoch_s", "epoch_ms", "epoch_us")
_CODES = "aAbBdfHImMpSyYz%"

_Sign = Annotated[
    str, StringConstraints(min_length=1, max_length=12, pattern=r"^[^0-9.,()+\-\s]([^0-9,()+\-]*[^0-9,()+\-\s])?$")
]
_Format = Annotated[str, StringConstraints(min_length=2, max_length=60)]


class ReadNumber(Noun):
    """A column of numbers.

    Attributes:
        decimal: the decimal sign, ``.`` or ``,``.
        thousands: every sign in it may stand between groups of digits, such as ``.``, or a blank and ``'``.
        signs: currency signs and codes before or behind numbers, which are passed over.
        negative: beside a minus in front: ``trailing`` (``15,00-``) and ``parentheses`` (``(15.00)``).
    """

    decimal: Literal[".", ","] = "."
    thousands: str = Field(default="", max_length=8, pattern=rf"^[.,{ONLY_THOUSANDS}]*$")
    signs: tuple[_Sign, ...] = Field(default=(), max_length=20)
    negative: tuple[Literal["trailing", "parentheses"], ...] = Field(default=(), max_length=2)

    @model_validator(mode="after")
    def _signs_differ(self) -> Self:
        if self.decimal in self.thousands:
            raise ValueError("decimal and thousands are the same sign")
        return self


class ReadTime(Noun):
    """A column of times.

    Attributes:
        formats: tried in this order, the first that reads a value counts: ``iso``, ``iso %z`` (with an offset),
            strptime notation such as ``%d.%m.%Y %H:%M``, ``epoch_s``, ``epoch_ms``, ``epoch_us``, or Excel's days,
            ``excel_1900`` and ``excel_1904``.
        clock: a second column that holds the time of day; the formats then are of both, a blank between them.
    """

    formats: tuple[_Format, ...] = Field(min_length=1, max_length=20)
    clock: str = Field(default="", max_length=255)

    @model_validator(mode="after")
    def _readable(self) -> Self:
        for form in self.formats:
            if form not in NAMED_FORMS:
                check_format(form)
        for form in self.formats:
            other = form.translate(str.maketrans("dm", "md"))
            if "%d" in form and "%m" in form and other != form and other in self.formats:
                raise ValueError(f"{form!r} and {other!r} read one value in two ways; give one of them")
        return self

    @property
    def is_zoned(self) -> bool:
        """Whether it yields instants; rows without an offset then are wall time in ``time_zone``."""
        return any("%z" in form or form in _INSTANTS for form in self.formats)


class ReadId(Noun):
    """A column of customer ids.

    Attributes:
        form: how spellings of one id are brought together: ``text`` (full-width and invisible signs, blanks), ``email``
            (lower case where there is an ``@``), ``case``, ``zeros`` (in front of whole numbers), ``signs`` (blanks,
            hyphens, dots and slashes out), ``phone:CN`` (E.164, numbers without a country being of that one). None: as
            every id, without blanks around it, 17.0 being 17.
        null: spellings, in any case, that mean "no customer" here, beside those that are known everywhere.
        real: spellings, in any case, that are customers here, though they mean "no customer" elsewhere. What a study
            says means nobody is nobody.
    """

    form: tuple[str, ...] = Field(default=(), max_length=10)
    null: tuple[Annotated[str, StringConstraints(max_length=200)], ...] = Field(default=(), max_length=1000)
    real: tuple[Annotated[str, StringConstraints(max_length=200)], ...] = Field(default=(), max_length=1000)

    @field_validator("form")
    @classmethod
    def _known_forms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not re.fullmatch("exact|text|email|case|zeros|signs|phone:[A-Z]{2}", name):
                raise ValueError(
                    f"there is no form {name!r}; there is: exact, text, email, case, zeros, signs, phone:CN"
                )
        return value

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        both = {item.strip().lower() for item in self.null} & {item.strip().lower() for item in self.real}
        if both:
            raise ValueError(f"{sorted(both)[0]!r} is both null and real")
        return self


ReadColumn = ReadNumber | ReadTime | ReadId
#: The settings that only one kind of column has.
_KINDS: dict[str, type[ReadColumn]] = {
    "formats": ReadTime,
    "clock": ReadTime,
    "form": ReadId,
    "null": ReadId,
    "real": ReadId,
}


def _by_settings(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return next((kind for name, kind in _KINDS.items() if name in value), ReadNumber).model_validate(value)


#: ``[source.read]``: how columns are spelled, by role; one that is not named is read as the source has it.
ReadColumns = dict[str, Annotated[ReadColumn, BeforeValidator(_by_settings)]]


def check_format(form: str) -> None:
    """Whether a format is strptime notation that is read here.

    Raises:
        ValueError: if not.
    """
    codes = re.findall("%(.?)", form)
    wrong = [code for code in codes if code not in _CODES or not code]
    if wrong:
        raise ValueError(f"{form!r} has %{wrong[0]}, which is not read here; there is: %{' %'.join(_CODES[:-1])}")
    needs = {"d": "d", "m": "mbB", "Y": "yY"}
    if any(not set(ways) & set(codes) for ways in needs.values()):
        raise ValueError(f"{form!r} names no whole day; use strptime codes, such as %d.%m.%Y %H:%M")
    if "z" in codes and (not form.endswith("%z") or not {"H", "I"} & set(codes)):
        raise ValueError(f"{form!r}: %z stands at the end, behind a time of day")
    if any(codes.count(code) > 1 for code in codes if code != "%"):
        raise ValueError(f"{form!r} names something twice")


def read_complaint(read: ReadColumns, of_form: Callable[[Literal["time", "number"]], Mapping[str, str]]) -> str:
    """What is wrong with ``[source.read]`` beside mapped columns, in words; empty where nothing is."""
    kinds: dict[str, tuple[type[ReadColumn], str]] = {"customer": (ReadId, "an id")}
    kinds |= {role: (ReadTime, "a time") for role in of_form("time")}
    kinds |= {role: (ReadNumber, "a number") for role in of_form("number")}
    for role, form in read.items():
        if role not in kinds:
            return f"read.{role}: no column is mapped as {role} and may be spelled so; there is: {', '.join(kinds)}"
        if not isinstance(form, kinds[role][0]):
            return f"read.{role} needs the settings of {kinds[role][1]}"
    return ""
