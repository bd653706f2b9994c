"""Attributes of customers as rules see them: what all rows of one customer agree on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import ibis
import numpy as np
import pyarrow as pa

from clients.data.cleaning.columns import is_so
from clients.data.feeds.lines import OpenFeed
from clients.data.rows.cells.gathered import Part
from clients.data.rows.cells.keys import born_number, folded
from privacy.kernel.feeds import FEEDS
from privacy.kernel.rule_words import OF_BIRTH
from privacy.tags.truth import BoolArray, Column, IntArray

#: Nobody is older.
_OLDEST = 120


def attributes(feed: OpenFeed, names: Iterable[str], as_of: dt.date) -> tuple[Part, dict[str, Column]]:
    """Everybody with attributes, and by fact (``customer.region``) its values, one row a customer of the part.

    Args:
        feed: ``customer``, open.
        names: of facts.
        as_of: the day on which people are so old.
    """
    wanted = sorted(names)
    roles = sorted({"born" if name in OF_BIRTH else name.partition(".")[2] for name in wanted})
    rows = feed.seen
    named = {}
    for role in roles:
        raw = rows[f"raw_{role}"]
        if role == "born":
            named[role] = born_number(raw)
        elif FEEDS["customer"][role].kind == "flag":
            named[role] = ibis.ifelse(raw.isnull(), ibis.null("int64"), is_so(raw).cast("int64"))
        else:
            named[role] = folded(raw).nullif("")
    rows = rows.select("customer", **{f"v_{role}": value for role, value in named.items()})
    query = rows.group_by("customer").agg(
        rows=rows.count(),
        **{f"least_{role}": rows[f"v_{role}"].min() for role in roles},
        **{f"most_{role}": rows[f"v_{role}"].max() for role in roles},
    )
    part = Part.once(feed.of_somebody(query), what="looking at customers")
    return part, {name: _column(name, part.rows, feed.reading.values, as_of) for name in wanted}


def _column(name: str, rows: pa.Table, values: Mapping[str, Mapping[str, str]], as_of: dt.date) -> Column:
    role = "born" if name in OF_BIRTH else name.partition(".")[2]
    least, most = (rows[f"{end}_{role}"].combine_chunks() for end in ("least", "most"))
    if FEEDS["customer"][role].kind == "text":
        one, words = coded(least, values.get(role, {}))
        other, _ = coded(most, values.get(role, {}), words)
        return Column(one, (one >= 0) & (one == other), words)
    one, other = (part.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False) for part in (least, most))
    known = (one >= 0) & (one == other)
    if name == "customer.age":
        return _age(one, known, as_of)
    return _birthday(one, known, as_of) if name == "customer.birthday" else Column(one, known)


def coded(
    text: pa.Array, values: Mapping[str, str], words: tuple[str, ...] | None = None
) -> tuple[IntArray, tuple[str, ...]]:
    """Names as places in a list of words; -1 for none, and for words that are not on a list that is given.

    Args:
        text: names as they are compared.
        values: own spelling to public key, where some are replaced.
        words: the list; those that occur, if not given.
    """
    keys = {own.strip().casefold(): key.strip().casefold() for own, key in values.items()}
    encoded = text.cast(pa.string()).dictionary_encode()
    meant = [keys.get(word.casefold(), word.casefold()) for word in encoded.dictionary.to_pylist()]
    listed = tuple(sorted(set(meant))) if words is None else words
    place = {word: number for number, word in enumerate(listed)}
    places = np.array([place.get(word, -1) for word in meant] + [-1], dtype=np.int64)
    indices = encoded.indices.fill_null(len(meant)).to_numpy(zero_copy_only=False)
    return places[indices], listed


def _age(number: IntArray, known: BoolArray, as_of: dt.date) -> Column:
    """Whole years on a day; of a year alone as if it were its first day, as dimensions of tables have it."""
    then = np.where(number % 10_000 == 0, number + 101, number)
    age = (as_of.year * 10_000 + as_of.month * 100 + as_of.day - then) // 10_000
    return Column(age, known & (age >= 0) & (age <= _OLDEST))


def _birthday(number: IntArray, known: BoolArray, as_of: dt.date) -> Column:
    """Days until the next birthday, 0 today; who is born on 29 February has it on 1 March in other years."""
    month, day = number // 100 % 100, number % 100
    known = known & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    today = np.datetime64(as_of, "D")

    def in_year(year: int) -> IntArray:
        first = np.datetime64(f"{year:04d}-01", "M") + np.where(known, month - 1, 0)
        found: IntArray = (first.astype("M8[D]") + np.where(known, day - 1, 0) - today).astype(np.int64)
        return found

    soon = in_year(as_of.year)
    return Column(np.where(soon >= 0, soon, in_year(as_of.year + 1)), known)
