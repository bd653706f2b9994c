"""What a sample of rows shows: how each column reads, how its values repeat, what goes with what."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clients.data.guess import names as guess_names
from clients.data.guess.nouns import SURE
from clients.data.guess.text import TextFile, date_form, number_form
from privacy.errors import DataError

_DECIMALS = re.compile(r"(?<=\d)\.0+$")


@dataclass(frozen=True)
class Column:
    """A column of the sample: its kind (number, text, time, none), values, and how they read."""

    name: str
    kind: str
    values: pd.Series
    form: Any = None
    whole: bool = False
    filled: float = 0.0
    distinct: float = 0.0


def _look(name: str, values: pd.Series, *, is_csv: bool) -> Column:
    if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        values = values.map(lambda item: item.strip() or None if isinstance(item, str) else item)
    filled = values.dropna()
    share = len(filled) / max(len(values), 1)
    distinct = filled.nunique() / max(len(filled), 1)
    if not len(filled):
        return Column(name, "none", values)
    first = filled.iloc[0]
    if isinstance(first, str):
        texts = [str(item) for item in filled]
        dates = date_form(texts)
        looks_like_day_number = dates is not None and dates.format.startswith("%Y%m%d")
        if dates is not None and (not looks_like_day_number or guess_names.score("time", name) > SURE):
            return Column(name, "time", values, dates, filled=share, distinct=distinct)
        form = number_form(texts) if is_csv or all(_is_plain(item) for item in texts[:200]) else None
        if form is not None:
            numbers = _numbers(filled, form)
            if len(numbers) and not any(len(item) > 1 and item[0] == "0" and item.isdigit() for item in texts):
                return Column(name, "number", values, form, bool((numbers % 1 == 0).all()), share, distinct)
        return Column(name, "text", values, None, False, share, distinct)
    if isinstance(first, bool | np.bool_):
        return Column(name, "none", values)
    if isinstance(first, int | float | np.number):
        numbers = pd.to_numeric(filled, errors="coerce").dropna()
        whole = bool(((numbers % 1) == 0).all())
        return Column(name, "number", values, None, whole, share, distinct)
    return Column(name, "time", values, None, filled=share, distinct=distinct)


def _is_plain(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _numbers(values: pd.Series, form: tuple[str, str] | None) -> pd.Series:
    if form is not None:
        decimal, thousands = form
        text = values.astype(str).str.replace(thousands, "", regex=False) if thousands else values.astype(str)
        values = text.str.replace(decimal, ".", regex=False)
    return pd.to_numeric(values, errors="coerce").dropna().astype(float)


class Sample:
    """Rows of a source, and everything that can be seen in them.

    Attributes:
        frame: the rows, with ids as the cleaning rules read them: 17.0 is 17.
        text: how the file is written, for a text file.
        looks: what each column looks like.
    """

    def __init__(self, frame: pd.DataFrame, text: TextFile | None) -> None:
        """Look at every column.

        Raises:
            DataError: if there is no row.
        """
        if frame.empty:
            raise DataError(
                "the source has no rows to guess from", hint="check source.url, or write holder.toml by hand"
            )
        self.frame = frame.map(lambda item: _DECIMALS.sub("", item.strip()) if isinstance(item, str) else item)
        self.text = text
        self.looks = {str(name): _look(str(name), frame[name], is_csv=text is not None) for name in frame.columns}

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
        """Whether the lines of one order have the same amount."""
        share = self.share_with_one(order, amount) if order is not None else None
        return share is not None and share > 0.9

    def holds_truth(self, name: str) -> bool:
        """Whether a column holds nothing but true and false."""
        filled = self.frame[name].dropna()
        return bool(len(filled)) and set(filled.astype(str).str.lower().unique()) <= {"true", "false", "t", "f"}

    def _as_numbers(self, name: str) -> pd.Series:
        look = self.looks[name]
        return _numbers(look.values.dropna(), look.form)
