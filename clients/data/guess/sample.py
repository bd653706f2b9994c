"""What a sample of rows shows: how each column reads, how its values repeat, what goes with what."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from clients.data.guess import names as guess_names
from clients.data.guess.confidence import SURE
from clients.data.guess.numbers import NumberForm, OpenNumber, number_form
from clients.data.guess.shapes import Shape
from clients.data.guess.spelled import Spellings
from clients.data.guess.times import OpenTime, TimeForm, clock_formats, described, time_form
from clients.data.sources.spelling import read_number

_DECIMALS = re.compile(r"(?<=\d)\.0+$")
#: A column may hold numbers or times where this share of its values is of digits to a fourth.
_WITH_DIGITS = 0.3
_DIGITS = 0.25
_LOOKED_AT = 400
#: As many different shapes among those are no numbers and no times, but codes or text.
_SHAPES = 60


@dataclass(frozen=True)
class Column:
    """A column of the sample: its kind (number, text, time, none), values, and how the whole column is spelled."""

    name: str
    kind: str
    values: pd.Series
    form: NumberForm | OpenNumber | TimeForm | OpenTime | None = None
    whole: bool = False
    filled: float = 0.0
    distinct: float = 0.0


def may_be_spelled(frame: pd.DataFrame) -> list[str]:
    """Columns whose shapes are worth counting: those with many digits, in few shapes."""
    return [str(name) for name in frame.columns if _has_digits(str(name), frame[name].dropna())]


def _has_digits(name: str, values: pd.Series) -> bool:
    if not len(values) or isinstance(values.iloc[0], bool | np.bool_ | dt.date):
        return False
    if not isinstance(values.iloc[0], str):
        return guess_names.score("time", name) > SURE
    some = [text for text in (str(item).strip() for item in values.iloc[:: max(1, len(values) // _LOOKED_AT)]) if text]
    digits = [sum(sign.isdecimal() for sign in text) >= _DIGITS * len(text) for text in some]
    alike = {re.sub(r"\d", "9", text) for text in some}
    return bool(some) and sum(digits) >= _WITH_DIGITS * len(some) and len(alike) <= _SHAPES


def _look(name: str, values: pd.Series, found: Sequence[Shape], *, may_be_time: bool) -> Column:
    if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        values = values.map(lambda item: item.strip() or None if isinstance(item, str) else item)
    filled = values.dropna()
    share = len(filled) / max(len(values), 1)
    distinct = filled.nunique() / max(len(filled), 1)
    if not len(filled):
        return Column(name, "none", values)
    first = filled.iloc[0]
    is_named = may_be_time or guess_names.score("time", name) > SURE
    times = time_form(found, is_named=is_named) if found else None
    if times is not None:
        return Column(name, "time", values, times, filled=share, distinct=distinct)
    if isinstance(first, str):
        is_money = any(guess_names.score(role, name) > SURE for role in ("amount", "quantity", "price"))
        number = number_form(found, is_named=is_money) if found else None
        if number is not None and len(numbers := read_numbers(filled, number)):
            return Column(name, "number", values, number, bool((numbers % 1 == 0).all()), share, distinct)
        return Column(name, "text", values, None, False, share, distinct)
    if isinstance(first, bool | np.bool_):
        return Column(name, "none", values)
    if isinstance(first, int | float | np.number):
        numbers = pd.to_numeric(filled, errors="coerce").dropna()
        whole = bool(((numbers % 1) == 0).all())
        return Column(name, "number", values, None, whole, share, distinct)
    return Column(name, "time", values, None, filled=share, distinct=distinct)


def read_numbers(values: pd.Series, form: NumberForm | OpenNumber | None) -> pd.Series:
    """Values as numbers, as a run would read them; those that it cannot are left out."""
    if form is None:
        return pd.to_numeric(values, errors="coerce").dropna().astype(float)
    read = (form.as_decimal if isinstance(form, OpenNumber) else form).read
    table = ibis.memtable(
        pa.table({"row": pa.array(range(len(values))), "text": pa.array(values.astype(str).tolist())})
    )
    found = table.select(table.row, number=read_number(table.text, read)).order_by("row").to_pyarrow()
    return pd.Series(found["number"].to_pandas().to_numpy(), index=values.index).dropna()


#: So few amounts in all are rather the prices of a small shop.
_FEW_PRICES = 0


class Sample:
    """Rows of a source, and everything that can be seen in them.

    Attributes:
        frame: the rows, with ids as the cleaning rules read them: 17.0 is 17.
        looks: what each column looks like.
        partial: columns that some of the files lack.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        shapes: Mapping[str, Sequence[Shape]],
        twice: frozenset[str] = frozenset(),
        partial: frozenset[str] = frozenset(),
    ) -> None:
        """Look at every column.

        Args:
            frame: rows, of which there are some.
            shapes: of whole columns, by name, where they were counted.
            twice: names that the source has more than once, as the first of these columns is called.
            partial: names that some of the files lack.
        """
        self.frame = frame.map(lambda item: _DECIMALS.sub("", item.strip()) if isinstance(item, str) else item)
        names = [str(name) for name in frame.columns]
        self._twice, self.partial = twice, partial
        clocks = {name: clock_formats(found) for name, found in shapes.items() if guess_names.is_clock(name)}
        self._clocks = {name: found for name, found in clocks.items() if found}
        self.looks = {name: _look(name, frame[name], shapes.get(name, ()), may_be_time=False) for name in names}
        if all(
            look.kind != "time" for look in self.looks.values()
        ):  # then long numbers may be times, whatever their name
            for name in (name for name, look in self.looks.items() if look.kind == "number" and look.distinct > 0):
                look = _look(name, frame[name], shapes.get(name, ()), may_be_time=True)
                self.looks[name] = look if isinstance(look.form, TimeForm) and _is_long(look.form) else self.looks[name]
        self._unread = self._unread_of(shapes)

    def of_one_name(self, name: str) -> tuple[str, ...]:
        """All columns that the source calls as this one; none where it is the only one."""
        base = next(
            (item for item in self._twice if re.fullmatch(rf"{re.escape(item)}(_\d+)?", name, re.IGNORECASE)), None
        )
        if base is None:
            return ()
        return tuple(item for item in self.looks if re.fullmatch(rf"{re.escape(base)}(_\d+)?", item, re.IGNORECASE))

    @property
    def spellings(self) -> Spellings:
        """How the columns are spelled."""
        forms = {name: look.form for name, look in self.looks.items() if look.form is not None}
        return Spellings(forms=forms, clocks=self._clocks, unread=self._unread)

    def _unread_of(self, shapes: Mapping[str, Sequence[Shape]]) -> dict[str, str]:
        """Columns of text whose names say that they hold times or money, by what they hold."""
        roles = {"text": ("time", "amount", "price"), "number": ("time",)}
        return {
            name: described(shapes[name])
            for name, look in self.looks.items()
            if shapes.get(name) and any(guess_names.score(role, name) > SURE for role in roles.get(look.kind, ()))
        }

    @property
    def keys(self) -> list[str]:
        """Columns whose values may be ids."""
        return [
            name
            for name, look in self.looks.items()
            if (look.kind == "text" or (look.kind == "number" and look.whole)) and look.distinct > 0
        ]

    def same(self, one: str, other: str) -> bool:
        """Whether two columns name the same things, so that either will do."""
        pairs = self.frame[[one, other]].dropna().drop_duplicates()
        return bool(len(pairs)) and pairs[one].is_unique and pairs[other].is_unique

    def share_with_one(self, key: str, other: str) -> float | None:
        """Of the values of ``key`` on several rows, the share that goes with one value of ``other``; None if few."""
        pairs = self.frame[[key, other]].dropna()
        groups = pairs.groupby(key, sort=False)[other].agg(["size", "nunique"])
        several = groups[groups["size"] > 1]
        return float((several["nunique"] == 1).mean()) if len(several) >= 10 else None

    def product_share(self, amount: str, quantity: str, price: str) -> float:
        """Share of the rows whose amount is quantity times price, but for rounding."""
        joined = pd.concat(
            [self._as_numbers(name).rename(str(i)) for i, name in enumerate((amount, quantity, price))], axis=1
        ).dropna()
        if joined.empty:
            return 0.0
        product = joined["1"] * joined["2"]
        return float((np.abs(joined["0"] - product) <= 0.011 + 0.002 * np.abs(product)).mean())

    def repeats_in_orders(self, amount: str, order: str | None) -> bool:
        """Whether the lines of one order have the same amount, and orders have different ones."""
        share = self.share_with_one(order, amount) if order is not None else None
        return share is not None and share > 0.9 and self.frame[amount].nunique() > _FEW_PRICES

    def holds_truth(self, name: str) -> bool:
        """Whether a column holds nothing but true and false."""
        filled = self.frame[name].dropna()
        return bool(len(filled)) and set(filled.astype(str).str.lower().unique()) <= {"true", "false", "t", "f"}

    def _as_numbers(self, name: str) -> pd.Series:
        look = self.looks[name]
        form = look.form if isinstance(look.form, NumberForm | OpenNumber) else None
        return read_numbers(look.values.dropna(), form)


def _is_long(form: TimeForm) -> bool:
    return set(form.read.formats) <= {"epoch_ms", "epoch_us"}
