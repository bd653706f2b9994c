"""Keys of a declared table's dimension: public, the study's own, never found in rows; so empty cells exist as well."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from privacy.kernel.canonical import Noun, since
from privacy.kernel.features import ListedValue

#: What stands for every value of a text that is not among the keys, a missing one as well.
OTHER = "other"

#: Most keys of one dimension.
MOST_KEYS = 400

_Number = Annotated[int, Field(ge=-(1 << 40), le=1 << 40)]
_RANGE = re.compile(r"^(-?\d{1,6})\.\.(-?\d{1,6})$")
_SOURCE = re.compile(r"^[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39}$")
_LISTS = "lists."


class Keys(Noun):
    """The keys of one dimension, in order: exactly one of these forms. The form must fit the dimension.

    In a study's file they may be written ``["a", "b"]`` (values), ``"0..11"`` (first to last), ``{upper = [7, 30]}``,
    ``{months = 12, before = "as_of"}``, ``{quarters = 8}``, ``{from = "lists.channels"}`` and, of cuts that an earlier
    run has released, ``{from = "ANALYSIS.NAME"}``.

    Attributes:
        values: texts, compared trimmed and without regard to case; the last one may be :data:`OTHER`.
        first, last: whole numbers, one key each, both ends included. Other numbers have no key.
        upper: inclusive upper ends of bins, ascending; one more bin is open above. ``(7, 30)`` are three keys.
        days: first days of consecutive periods, ascending, and after them the day after the last period.
        months, quarters: so many whole calendar months or quarters, the last one being the last that is over on the
            as-of day. A holder never sees this form: :meth:`written_out` makes ``days`` of it.
        source: a list that the study names, ``lists.NAME``, of which :meth:`written_out` makes ``values``; or cuts that
            an earlier run has released, of which the coordinator makes ``upper`` before holders see the study.
    """

    values: tuple[ListedValue, ...] = since("0.2.0", (), max_length=MOST_KEYS)
    first: _Number | None = since("0.2.0", None)
    last: _Number | None = since("0.2.0", None)
    upper: tuple[_Number, ...] = since("0.2.0", (), max_length=MOST_KEYS)
    days: tuple[dt.date, ...] = since("0.2.0", (), max_length=MOST_KEYS + 1)
    months: int | None = since("0.2.0", None, ge=1, le=120)
    quarters: int | None = since("0.2.0", None, ge=1, le=40)
    source: str | None = since("0.2.0", None, max_length=60)

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        if isinstance(value, str):
            found = _RANGE.match(value)
            if found is None:
                raise ValueError(f'keys {value!r}: write a range as "0..11", or a list of keys')
            return {"first": int(found[1]), "last": int(found[2])}
        if isinstance(value, list | tuple):
            return {"values": tuple(value)}
        if isinstance(value, Mapping):
            given = dict(value)
            if given.pop("before", "as_of") != "as_of":
                raise ValueError('keys: before must be "as_of"')
            if "from" in given:
                given["source"] = given.pop("from")
            return given
        return value

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = (self.values, self.first is not None or self.last is not None, self.upper, self.days, self.months,
                 self.quarters, self.source)  # fmt: skip
        if sum(bool(form) for form in forms) != 1:
            raise ValueError('keys: state one form, such as ["a", "b"], "0..11", {upper = [7, 30]} or {months = 12}')
        if (self.first is None) != (self.last is None) or (
            self.first is not None and self.last is not None and self.last < self.first
        ):
            raise ValueError("keys: a range goes from a smaller number to a larger one")
        for ends in (self.upper, self.days):
            if any(low >= high for low, high in pairwise(ends)):  # type: ignore[operator]
                raise ValueError("keys: ends of bins and days must ascend")
        if len(self.days) == 1:
            raise ValueError("keys: days need a first day of a period, and the day after it")
        if len({value.casefold() for value in self.values}) != len(self.values):
            raise ValueError("keys: one is listed twice")
        if OTHER in {value.casefold() for value in self.values[:-1]}:
            raise ValueError(f'keys: "{OTHER}" stands last; it is added by itself')
        if self.source is not None and not _SOURCE.match(self.source):
            raise ValueError('keys: from names a list of the study, such as "lists.channels", or released cuts')
        if self.is_written_out and self.count > MOST_KEYS:
            raise ValueError(f"keys: at most {MOST_KEYS}")
        return self

    @property
    def is_listed(self) -> bool:
        """Whether they are taken from a list of the study."""
        return self.source is not None and self.source.startswith(_LISTS)

    @property
    def is_released(self) -> bool:
        """Whether they are taken from an earlier run's release."""
        return self.source is not None and not self.is_listed

    @property
    def is_written_out(self) -> bool:
        """Whether the keys stand here, so that nothing else needs to be known."""
        return self.months is None and self.quarters is None and self.source is None

    @property
    def count(self) -> int:
        """How many keys there are; of a list that is not written out, none yet."""
        if self.first is not None and self.last is not None:
            return self.last - self.first + 1
        if self.upper:
            return len(self.upper) + 1
        return len(self.values) or max(0, len(self.days) - 1) or self.months or self.quarters or 0

    def place(self, key: str, where: str = "keys") -> int:
        """Place of a key, as formulas of figures spell it: its text, number, upper end, or first day.

        Raises:
            ValueError: if there is none, naming what there is.
        """
        if key not in self.spelled:
            raise ValueError(f"{where}: there is no key {key!r}; there is: {', '.join(self.spelled[:20])}")
        return self.spelled.index(key)

    @property
    def spelled(self) -> tuple[str, ...]:
        """All keys that are written out, as formulas spell them; of the open bin ``above``."""
        if self.first is not None and self.last is not None:
            return tuple(str(number) for number in range(self.first, self.last + 1))
        if self.upper:
            return (*(str(end) for end in self.upper), "above")
        return self.values or tuple(day.isoformat() for day in self.days[:-1])

    def written_out(self, as_of: dt.date, lists: Mapping[str, tuple[str, ...]]) -> Keys:
        """The same keys without reference to anything.

        Raises:
            ValueError: if the study has no such list.
        """
        if self.source is not None:
            if self.is_released:
                raise ValueError(f"keys: {self.source} is of an earlier run, and none is at hand")
            name = self.source.removeprefix(_LISTS)
            if not lists.get(name):
                raise ValueError(f"keys: the study names no list {name!r}; add it under lists")
            return Keys(values=lists[name])
        if self.months is not None:
            return Keys(days=_periods(as_of, 1, self.months))
        if self.quarters is not None:
            return Keys(days=_periods(as_of, 3, self.quarters))
        return self


def _periods(as_of: dt.date, months: int, count: int) -> tuple[dt.date, ...]:
    """First days of the last ``count`` periods of so many months that are over on a day, and the day after them."""
    end = as_of.year * 12 + (as_of.month - 1) // months * months
    firsts = (end - months * back for back in range(count, -1, -1))
    return tuple(dt.date(first // 12, first % 12 + 1, 1) for first in firsts)
