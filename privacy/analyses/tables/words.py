"""How tables, figures and keys are called, alike on every page."""

from __future__ import annotations

import datetime as dt

from privacy.analyses.tables.declared import Figure, Table
from privacy.kernel.declarations import DimensionUse, MeasureUse
from privacy.kernel.keys import OTHER
from privacy.kernel.public_tags import YES_NO
from privacy.presentation.texts import Language, of_its_own, read_texts, say

#: What pages of both sides say of keys.
TEXTS = read_texts("privacy.analyses.tables")


def title_of(named: Table | Figure, language: Language) -> str:
    """The title of a table or figure; its name where it has none."""
    return of_its_own(named, language) if named.en or named.zh else named.name.replace("_", " ")


def dimension_name(use: DimensionUse, language: Language) -> str:
    """What a dimension is called."""
    return of_its_own(use.meaning, language)


def measure_name(measure: MeasureUse, language: Language) -> str:
    """What a measure adds up, in words; with the days that it is limited to."""
    meaning = measure.meaning
    if meaning.kind in ("customers", "weight", "weighted"):
        found = say(TEXTS, f"measure_{meaning.kind}", language)
    elif meaning.kind == "share" and not meaning.role:
        found = say(TEXTS, "measure_share", language, what=say(TEXTS, f"measure_count_{meaning.feed}", language))
    else:
        key = "_".join(filter(None, ("measure", meaning.kind, meaning.feed, meaning.role)))
        found = say(TEXTS, key, language)
    for name in ("first_days", "last_days"):
        if days := getattr(measure, name):
            found = say(TEXTS, f"measure_{name}", language, what=found, days=days)
    return found


def key_name(use: DimensionUse, key: str, language: Language) -> str:
    """What a key of a dimension, written out, is called.

    Args:
        use: the dimension, with keys that stand for themselves.
        key: as :attr:`privacy.kernel.keys.Keys.spelled` has it.
        language: of the words.
    """
    keys = use.keys
    if keys.days:
        return _period(keys.days, keys.place(key), language)
    if keys.upper:
        return _bin(keys.upper, keys.place(key), language)
    own = use.meaning.keys == "closed" or key.casefold() == OTHER
    said = say(TEXTS, key.casefold(), language) if own else key
    if key in YES_NO and own:
        return say(TEXTS, "answer", language, what=dimension_name(use, language), said=said)
    return said


def _period(days: tuple[dt.date, ...], place: int, language: Language) -> str:
    """A calendar month, a quarter, or else the first day of whatever it is."""
    first, after = days[place], days[place + 1]
    months = (after.year - first.year) * 12 + after.month - first.month
    whole = first.day == after.day == 1
    if whole and months == 1:
        return say(TEXTS, "month", language, year=first.year, month=f"{first.month:02}")
    if whole and months == 3 and first.month % 3 == 1:
        return say(TEXTS, "quarter", language, year=first.year, quarter=(first.month + 2) // 3)
    return first.isoformat()


def _bin(upper: tuple[int, ...], place: int, language: Language) -> str:
    if place == len(upper):
        return say(TEXTS, "bin_beyond", language, last=f"{upper[-1]:,}")
    last = f"{upper[place]:,}"
    if place == 0:
        return say(TEXTS, "bin_one" if upper[0] == 0 else "bin_first", language, last=last)
    first = upper[place - 1] + 1
    if first == upper[place]:
        return say(TEXTS, "bin_one", language, last=last)
    return say(TEXTS, "bin_between", language, first=f"{first:,}", last=last)
