"""Reading a sample of rows: what every column looks like, and which of them is what.

A guess rests on names (``guess_names``) and on what the sample shows: types, how often values repeat, whether the lines
of one order share customer and time, whether an amount is quantity times price.
"""

from __future__ import annotations

import json
import math
import os
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clients.data.config import CsvFormat
from clients.data.guess import names as guess_names
from clients.data.guess.nouns import ROLES, SURE, Guess, Guessed
from clients.data.guess.text import TextFile, date_form, number_form
from privacy.errors import DataError

_CLOSE = 0.08  # columns whose scores differ by less than this are alternatives
_OPTIONAL = ("product", "channel", "store")
_DECIMALS = re.compile(r"(?<=\d)\.0+$")


@dataclass(frozen=True)
class _Column:
    """A column of the sample: its kind (number, text, time, none), values, and how they read."""

    name: str
    kind: str
    values: pd.Series
    form: Any = None
    whole: bool = False
    filled: float = 0.0
    distinct: float = 0.0


def _look(name: str, values: pd.Series, *, is_csv: bool) -> _Column:
    if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        values = values.map(lambda item: item.strip() or None if isinstance(item, str) else item)
    filled = values.dropna()
    share = len(filled) / max(len(values), 1)
    distinct = filled.nunique() / max(len(filled), 1)
    if not len(filled):
        return _Column(name, "none", values)
    first = filled.iloc[0]
    if isinstance(first, str):
        texts = [str(item) for item in filled]
        dates = date_form(texts)
        looks_like_day_number = dates is not None and dates.format.startswith("%Y%m%d")
        if dates is not None and (not looks_like_day_number or guess_names.score("time", name) > SURE):
            return _Column(name, "time", values, dates, filled=share, distinct=distinct)
        form = number_form(texts) if is_csv or all(_is_plain(item) for item in texts[:200]) else None
        if form is not None:
            numbers = _numbers(filled, form)
            if len(numbers) and not any(len(item) > 1 and item[0] == "0" and item.isdigit() for item in texts):
                return _Column(name, "number", values, form, bool((numbers % 1 == 0).all()), share, distinct)
        return _Column(name, "text", values, None, False, share, distinct)
    if isinstance(first, bool | np.bool_):
        return _Column(name, "none", values)
    if isinstance(first, int | float | np.number):
        numbers = pd.to_numeric(filled, errors="coerce").dropna()
        whole = bool(((numbers % 1) == 0).all())
        return _Column(name, "number", values, None, whole, share, distinct)
    return _Column(name, "time", values, None, filled=share, distinct=distinct)


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


class Sheet:
    """A sample of rows and everything that can be read out of it."""

    def __init__(self, frame: pd.DataFrame, text: TextFile | None) -> None:
        if frame.empty:
            raise DataError(
                "the source has no rows to guess from", hint="check source.url, or write holder.toml by hand"
            )
        # Ids are compared as the cleaning rules read them: 17.0 is 17.
        self.frame = frame.map(lambda item: _DECIMALS.sub("", item.strip()) if isinstance(item, str) else item)
        self.text = text
        self.looks = {str(name): _look(str(name), frame[name], is_csv=text is not None) for name in frame.columns}

    def guess(self, *, holder: str, url: str, table: str | None, password: dict[str, str]) -> Guess:
        """Guess role after role; a column is used once."""
        found: dict[str, Guessed] = {}

        def keep(role: str, guessed: Guessed | None) -> None:
            if guessed is not None:
                found[role] = guessed

        keep("time", self._time())
        time = found["time"].value if "time" in found else None
        keep("order", self._order(time))
        order = found["order"].value if "order" in found else None
        keep("customer", self._customer(time, order))
        taken = {item.value for item in found.values()}
        notes: list[str] = []
        money, code = self._money(order, taken, notes)
        found |= money
        taken |= {item.value for item in money.values()}
        currency = self._currency_column(taken)
        if currency is not None and code is not None:
            quoted = json.dumps(currency.value, ensure_ascii=False)
            notes.append(f"{quoted} holds currency codes, but {code.reason} says {code.value}: which is right?")
        elif currency is not None:
            found["currency"], code = currency, None
            taken.add(currency.value)
        elif code is None:
            code = self._currency_from_rows()
        for role in _OPTIONAL:
            keep(role, self._by_name(role, taken))
            taken |= {found[role].value} if role in found else set()
        keep("discount", self._discount(taken))
        csv, reasons = self._csv(found, notes)
        return Guess(
            holder=holder,
            url=url,
            table=table,
            password=password,
            names=tuple(self.looks),
            columns={role: found[role] for role in ROLES if role in found},
            currency_code=code,
            currencies=(),
            time_zone=self._zone(time),
            csv=csv,
            csv_reasons=reasons,
            money_choices=tuple(
                name for name, look in self.looks.items() if look.kind == "number" and name not in taken | {order, time}
            ),
            notes=tuple(notes),
        )

    # Keys and times ------------------------------------------------------------------------------------------

    def _best(self, role: str, scores: Mapping[str, float], reasons: Mapping[str, str]) -> Guessed | None:
        ranked = sorted(((score, name) for name, score in scores.items() if score > 0.2), key=lambda pair: -pair[0])
        if not ranked:
            return None
        top, name = ranked[0]
        others = tuple(other for score, other in ranked[1:4])
        close = [other for score, other in ranked[1:] if top - score < _CLOSE and not self._same(name, other)]
        return Guessed(
            value=name,
            confidence=round(min(top, SURE - 0.01) if close and top < 0.9 else min(top, 0.99), 2),
            reason=reasons.get(name, "its name"),
            alternatives=others,
        )

    def _same(self, one: str, other: str) -> bool:
        """Whether two columns name the same things, so that either will do."""
        pairs = self.frame[[one, other]].dropna().drop_duplicates()
        return bool(len(pairs)) and pairs[one].is_unique and pairs[other].is_unique

    def _time(self) -> Guessed | None:
        scores, reasons = {}, {}
        for name, look in self.looks.items():
            if look.kind != "time":
                continue
            named = guess_names.score("time", name)
            against = any(item in guess_names.words(name) for item in guess_names.AGAINST["time"])
            scores[name] = (0.15 if against else 0.55) + 0.4 * named - 0.3 * (1 - look.filled)
            reasons[name] = "holds times" + (", and its name says so" if named > SURE else "")
        return self._best("time", scores, reasons)

    def _share_with_one(self, key: str, other: str) -> float | None:
        """Of the values of ``key`` on several rows, the share that goes with one value of ``other``; None if few."""
        pairs = self.frame[[key, other]].dropna()
        groups = pairs.groupby(key, sort=False)[other].agg(["size", "nunique"])
        several = groups[groups["size"] > 1]
        return float((several["nunique"] == 1).mean()) if len(several) >= 10 else None

    def _keys(self) -> list[str]:
        return [
            name
            for name, look in self.looks.items()
            if (look.kind == "text" or (look.kind == "number" and look.whole)) and look.distinct > 0
        ]

    def _order(self, time: str | None) -> Guessed | None:
        scores, reasons = {}, {}
        for name in self._keys():
            named = guess_names.score("order", name)
            together = self._share_with_one(name, time) if time is not None else None
            look = self.looks[name]
            if look.filled < 0.5:
                continue
            if together is None:  # no value, or hardly one, on several rows
                unique = look.distinct > 0.95
                scores[name] = 0.75 * named if unique else 0.3 * named
                reasons[name] = "its name, and values hardly repeat"
            elif together > 0.9:
                is_key = look.distinct > 0.02 and guess_names.score("customer", name) < SURE
                scores[name] = 0.35 * is_key + 0.6 * named + (0.05 if together > 0.99 else 0)
                reasons[name] = "lines with the same value share their time" + (
                    ", and its name says so" if named > SURE else ""
                )
            else:
                scores[name] = 0.6 * named * together
                reasons[name] = "its name"
        scores = {name: score for name, score in scores.items() if score > 0.3}
        return self._best("order", scores, reasons)

    def _customer(self, time: str | None, order: str | None) -> Guessed | None:
        scores, reasons = {}, {}
        for name in self._keys():
            if name == order:
                continue
            named = guess_names.score("customer", name)
            one = self._share_with_one(order, name) if order is not None else None
            # Customers come back at other times; that is what tells them from orders.
            together = self._share_with_one(name, time) if time is not None else None
            look = self.looks[name]
            several = look.distinct > 0.01 and self.frame[name].nunique() >= 20
            behaves = (one is None or one > 0.9) and (together is None or together < 0.95) and several
            clashes = one is not None and one < 0.7
            scores[name] = (0.6 if not clashes else 0.25) * named + (0.35 if behaves else 0.1 * named)
            says = [] if named < SURE else ["its name says so"]
            says += ["each order has one value"] if one is not None and one > 0.9 else []
            says += ["values come back at other times"] if together is not None and together < 0.95 else []
            reasons[name] = ", and ".join(says) or "its values look like it"
            if not named and (
                one is None or any(guess_names.score(role, name) > SURE for role in ("store", "product", "channel"))
            ):
                scores.pop(name)
        # Without names, the key with the most values among those that orders agree on.
        unnamed = [name for name in scores if guess_names.score("customer", name) == 0]
        for name in unnamed:
            scores[name] *= self.looks[name].distinct / max(self.looks[item].distinct for item in unnamed)
            scores[name] += 0.2 * (self.looks[name].distinct > 0.05)
        return self._best("customer", {name: score for name, score in scores.items() if score > 0.3}, reasons)

    # Money -----------------------------------------------------------------------------------------------------

    def _money(self, order: str | None, taken: set[str], notes: list[str]) -> tuple[dict[str, Guessed], Guessed | None]:
        ranked: dict[str, list[tuple[float, str]]] = {}
        for role in ("amount", "quantity", "price"):
            named = [
                (guess_names.score(role, name), name)
                for name, look in self.looks.items()
                if look.kind == "number" and name not in taken
            ]
            ranked[role] = sorted((pair for pair in named if pair[0] > 0.4), key=lambda pair: -pair[0])

        def others(role: str, value: str) -> tuple[str, ...]:
            return tuple(name for _, name in ranked[role] if name != value)[:3]

        def best(role: str, unlike: tuple[str | None, ...] = ()) -> str | None:
            return next((name for _, name in ranked[role] if name not in unlike), None)

        quantity = best("quantity")
        price = best("price", (quantity,))
        amount = best("amount", (quantity, price))
        if amount is None and quantity is None and price is not None:
            amount, price = price, None
        code = self._code_in_name(amount, price)
        both = quantity is not None and price is not None
        if amount is not None and both:
            equal = self._product_share(amount, str(quantity), str(price))
            repeated = self._repeats_in_orders(amount, order)
            if repeated and equal < 0.9:
                notes.append(
                    f"{json.dumps(amount, ensure_ascii=False)} repeats on every line of an order: an order's total?"
                )
                amount = None
            elif equal >= 0.9:
                reason = f"equals {quantity} x {price}"
                return {
                    "amount": Guessed(
                        value=amount, confidence=0.97, reason=reason, alternatives=(f"{quantity} x {price}",)
                    )
                }, code
            else:
                reason = f"its name; it differs from {quantity} x {price}, as after discounts"
                return {
                    "amount": Guessed(
                        value=amount, confidence=0.7, reason=reason, alternatives=(f"{quantity} x {price}",)
                    )
                }, code
        if both and amount is None:
            return {
                role: Guessed(value=str(name), confidence=0.9, reason="its name", alternatives=others(role, str(name)))
                for role, name in (("quantity", quantity), ("price", price))
            }, code
        if amount is not None:
            repeated = self._repeats_in_orders(amount, order)
            if repeated:
                notes.append(
                    f"{json.dumps(amount, ensure_ascii=False)} repeats on every line of an order: an order's total?"
                )
            reason = "its name" + (", but it repeats on every line of an order" if repeated else "")
            guessed = Guessed(
                value=amount, confidence=0.4 if repeated else 0.9, reason=reason, alternatives=others("amount", amount)
            )
            return {"amount": guessed}, code
        unnamed = [
            name
            for name, look in self.looks.items()
            if look.kind == "number" and not look.whole and look.distinct > 0.01 and name not in taken
        ]
        if len(unnamed) == 1:
            reason = "the only column of numbers with decimals"
            return {"amount": Guessed(value=unnamed[0], confidence=0.4, reason=reason)}, self._code_in_name(*unnamed)
        return {}, code

    def _as_numbers(self, name: str) -> pd.Series:
        look = self.looks[name]
        return _numbers(look.values.dropna(), look.form)

    def _product_share(self, amount: str, quantity: str, price: str) -> float:
        joined = pd.concat(
            [self._as_numbers(name).rename(str(i)) for i, name in enumerate((amount, quantity, price))], axis=1
        ).dropna()
        if joined.empty:
            return 0.0
        product = joined["1"] * joined["2"]
        return float((np.abs(joined["0"] - product) <= 0.011 + 0.002 * np.abs(product)).mean())

    def _repeats_in_orders(self, amount: str, order: str | None) -> bool:
        share = self._share_with_one(order, amount) if order is not None else None
        return share is not None and share > 0.9

    def _code_in_name(self, *names: str | None) -> Guessed | None:
        for name in names:
            if name is None:
                continue
            written = [word.upper() for word in guess_names.words(name) if word.upper() in guess_names.CURRENCIES]
            signs = [code for sign, code in guess_names.SIGNS.items() if sign in name.lower()]
            if written or signs:
                code = (written + signs)[0].replace("RMB", "CNY")
                return Guessed(
                    value=code, confidence=0.9, reason=f"the name of the column {json.dumps(name, ensure_ascii=False)}"
                )
        return None

    def _currency_column(self, taken: set[str]) -> Guessed | None:
        scores, reasons = {}, {}
        for name, look in self.looks.items():
            if look.kind != "text" or name in taken:
                continue
            codes = look.values.dropna().astype(str).str.upper()
            share = float(codes.isin(guess_names.CURRENCIES).mean())
            if share > 0.9:
                scores[name] = 0.6 * share + 0.39 * guess_names.score("currency", name)
                reasons[name] = "it holds currency codes"
        return self._best("currency", scores, reasons)

    def _currency_from_rows(self) -> Guessed | None:
        for name, look in self.looks.items():
            if look.kind == "text" and any(item in guess_names.words(name) for item in guess_names.COUNTRY_NAMES):
                codes = look.values.dropna().astype(str).str.lower().map(guess_names.COUNTRIES).dropna()
                if len(codes) > 0.5 * look.values.notna().sum():
                    reason = f"most rows' {json.dumps(name, ensure_ascii=False)} uses it"
                    return Guessed(value=str(codes.mode().iloc[0]), confidence=0.6, reason=reason)
        joined = "".join(self.looks)
        if len(re.findall("[\u4e00-\u9fff]", joined)) > 4:
            return Guessed(value="CNY", confidence=0.55, reason="the columns' names are Chinese")
        german = sum(bool(set(guess_names.words(name)) & guess_names.GERMAN) for name in self.looks)
        if german >= 2:
            return Guessed(value="EUR", confidence=0.55, reason="the columns' names are German (CHF in Switzerland)")
        return None

    # The rest --------------------------------------------------------------------------------------------------

    def _by_name(self, role: str, taken: set[str]) -> Guessed | None:
        scores = {
            name: guess_names.score(role, name)
            for name, look in self.looks.items()
            if name not in taken and (look.kind == "text" or (look.kind == "number" and look.whole))
        }
        best = max(scores, key=lambda name: scores[name], default=None)
        if best is None or scores[best] < SURE:
            return None
        others = tuple(sorted((n for n in scores if n != best and scores[n] > SURE), key=lambda n: -scores[n]))
        return Guessed(value=best, confidence=round(0.9 * scores[best], 2), reason="its name", alternatives=others[:3])

    def _discount(self, taken: set[str]) -> Guessed | None:
        """By name, among columns of numbers and of truth values; text could as well be the name of a campaign."""
        scores, reasons = {}, {}
        for name, look in self.looks.items():
            if name in taken or not (look.kind == "number" or self._holds_truth(name)):
                continue
            named = guess_names.score("discount", name)
            if named > SURE:
                scores[name] = 0.9 * named
                reasons[name] = "its name; a line with another value than 0 or false counts as reduced"
        return self._best("discount", scores, reasons)

    def _holds_truth(self, name: str) -> bool:
        filled = self.frame[name].dropna()
        return bool(len(filled)) and set(filled.astype(str).str.lower().unique()) <= {"true", "false", "t", "f"}

    def _zone(self, time: str | None) -> Guessed:
        if time is not None:
            values = self.looks[time].values.dropna()
            form = self.looks[time].form
            if form is not None and form.zoned:
                return Guessed(
                    value="UTC", confidence=0.9, reason="times state their offset; only UTC can be read as text"
                )
            if len(values) and getattr(values.iloc[0], "tzinfo", None) is not None:
                return Guessed(value="UTC", confidence=0.99, reason="times carry their zone")
        zone = machine_zone()
        if zone is None:
            return Guessed(value="UTC", confidence=0.3, reason="nothing says; this machine states no zone")
        return Guessed(value=zone, confidence=0.4, reason="this machine's zone; write UTC if the times are in UTC")

    def _csv(self, found: Mapping[str, Guessed], notes: list[str]) -> tuple[CsvFormat | None, dict[str, Guessed]]:
        time = self.looks[found["time"].value] if "time" in found else None
        form = time.form if time is not None else None
        if self.text is None:
            if form is not None and form.format:
                notes.append("times are text that is not ISO 8601: make a view with a timestamp column")
            return None, {}
        reasons = {
            "separator": Guessed(
                value=self.text.separator, confidence=0.95, reason="it gives every line as many values"
            ),
            "encoding": Guessed(value=self.text.encoding, confidence=0.9, reason=self.text.encoding_reason),
        }
        values: dict[str, str] = {name: item.value for name, item in reasons.items()}
        forms = [self.looks[found[role].value].form for role in ("amount", "quantity", "price") if role in found]
        forms = [item for item in forms if item is not None]
        marked = next((item for item in forms if item != (".", "")), None)
        if marked is not None:
            decimal, thousands = marked
            clash = {item for item in forms if item != (".", "")} - {marked}
            thousands = next(
                (item[1] for item in [marked, *sorted(clash)] if item[0] == decimal and item[1]), thousands
            )
            reasons["decimal"] = Guessed(
                value=decimal, confidence=0.8 if clash else 0.95, reason="how amounts are written"
            )
            values |= {"decimal": decimal, "thousands": thousands}
        if form is not None and form.format:
            day_or_month = [
                item
                for item in form.others
                if item.replace("%m", "?").replace("%d", "?") == form.format.replace("%m", "?").replace("%d", "?")
            ]
            reasons["date_format"] = Guessed(
                value=form.format,
                confidence=0.4 if day_or_month else 0.95,
                reason="day or month first cannot be told" if day_or_month else "it reads the times",
                alternatives=form.others,
            )
            values["date_format"] = form.format
        return CsvFormat(**values), reasons


def machine_zone(link: Path = Path("/etc/localtime")) -> str | None:
    """The machine's time zone by name; None where it states none."""
    named = os.path.realpath(link).partition("zoneinfo/")[2].removeprefix("posix/")
    try:
        zone = zoneinfo.ZoneInfo(named).key if named else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
    return "UTC" if zone in ("Etc/UTC", "Etc/GMT", "GMT", "UCT", "Zulu") else zone
