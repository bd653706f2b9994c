"""What ``holder check`` sees in ids, days and states beyond the cleaning rules: each with a count, none a value."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import ibis
from ibis.expr import types as ir
from pydantic import BaseModel, ConfigDict

from clients.data.cleaning.columns import typed
from clients.data.cleaning.id_forms import FORMS, PHONE
from clients.data.cleaning.ids import customer_of
from clients.data.cleaning.status import unnamed
from clients.data.cleaning.times import FIRST_DAY, PLACEHOLDERS, day_of
from clients.data.config import HolderConfig
from clients.data.guess.shapes import Shape, shapes
from clients.data.guess.times import described
from clients.data.place import Reading
from clients.data.read_once import UNREAD
from clients.data.sources import fetch
from clients.data.sources.opened import Opened

#: Ids as spreadsheets leave long numbers, and long numbers whose last digits they have made zeros.
_DESTROYED = "^[0-9](([.,][0-9]+)?[eE][+]|[.,][0-9]+[eE])[0-9]{1,3}$"
_ROUNDED = "^[0-9]{15}0+$"
_NINES = "^9{4,18}$"
#: Ids without a digit are odd where this share of all has one, and they are no more than the rest.
_WITH_DIGITS = 0.9
_ODD = 0.01
#: What stands in ids on purpose. Other signs, such as a quote, are odd where nearly no id has one.
_ODD_SIGNS = "[^-A-Za-z0-9_./#:@+ ]"
#: Ids are telephone numbers if this share of them may be some.
_PHONES = 0.8
#: A day is far off if it is so many days behind, or before, all rows but a few: a share, in small tables these.
#: Shops begin slowly (a public data set has its first sale three years before the next ones), but do not end so.
_FAR, _FAR_BEFORE = 400, 1826
_FEW_SHARE, _FEW_ROWS, _FEW_OF = 0.001, 3, 50
_FEW_DAYS = 20
#: The country whose telephone numbers are tried, by currency.
_COUNTRY = {
    "CNY": "CN", "USD": "US", "GBP": "GB", "JPY": "JP", "CHF": "CH", "PLN": "PL", "CZK": "CZ", "SEK": "SE",
    "NOK": "NO", "DKK": "DK", "HUF": "HU", "INR": "IN", "KRW": "KR", "TRY": "TR", "AUD": "AU", "BRL": "BR",
}  # fmt: skip


class Ids(BaseModel):
    """What ids of customers, and of orders, look like.

    Attributes:
        ids: how many there are.
        under: how many there would be under further forms, by the form.
        destroyed: rows whose id a spreadsheet has rounded (``1.38E+11``).
        rounded: rows whose id has 16 digits and more, all zeros from the 16th on.
        odd_ids, odd_rows: ids without a digit, where nearly all have one, and their rows.
        nines: rows whose id is made of nines, as placeholders are, where no other id is one less.
        destroyed_orders: rows whose order id a spreadsheet has rounded.
        orders, orders_alike: how many order ids there are, and how many but for case, leading zeros and signs.
        odd_signs: rows whose customer id has a sign that nearly no other has, such as a quote.
        odd_order_signs: the same of order ids.
        nobody: spellings that mean no customer, and how many rows have each, the commonest first; not the empty one.
        words: customer ids that have neither a digit nor an ``@``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ids: int = 0
    under: dict[str, int] = {}
    destroyed: int = 0
    rounded: int = 0
    odd_ids: int = 0
    odd_rows: int = 0
    nines: int = 0
    destroyed_orders: int = 0
    orders: int = 0
    orders_alike: int = 0
    odd_signs: int = 0
    odd_order_signs: int = 0
    nobody: dict[str, int] = {}
    words: int = 0


class Days(BaseModel):
    """When rows are.

    Attributes:
        last: the last day that is not far from all others.
        early, late: rows far before and after all others.
        first_off, last_off: the earliest and the latest of those days.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    last: dt.date | None = None
    early: int = 0
    late: int = 0
    first_off: dt.date | None = None
    last_off: dt.date | None = None


class Looks(BaseModel):
    """All of it.

    Attributes:
        ids, days: see there.
        unnamed_states: by column, rows whose state ``[source.status]`` does not name.
        unread: by role, rows that hold something which their form does not read, in shapes.
        unread_rows: by role, how many.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ids: Ids = Ids()
    days: Days = Days()
    unnamed_states: dict[str, int] = {}
    unread: dict[str, str] = {}
    unread_rows: dict[str, int] = {}


def look(opened: Opened, config: HolderConfig, null_ids: tuple[str, ...], *, today: dt.date) -> Looks:
    """Look at all rows of a source.

    Args:
        opened: the source, from ``read_once``; no mapped column is missing.
        config: what its columns are.
        null_ids: the study's spellings of nobody.
        today: days after tomorrow are far off.
    """
    source = typed(opened.table, config)
    unknown = {status.column: unnamed(source, status).sum() for status in config.source.status}
    states: dict[str, int] = {}
    if unknown:
        [found] = fetch(source.aggregate(**unknown), what="looking at states").to_pylist()
        states = {name: count for name, count in found.items() if count}
    unread = _unread(opened.table)
    return Looks(
        ids=_ids(source, config, null_ids),
        days=_days(source, config, today),
        unnamed_states=states,
        unread={role: described(found) for role, found in unread.items()},
        unread_rows={role: sum(shape.rows for shape in found) for role, found in unread.items()},
    )


def _ids(source: ir.Table, config: HolderConfig, null_ids: tuple[str, ...]) -> Ids:
    spelled = source.select(id=source[config.columns.customer]).group_by("id").agg(rows=ibis._.count())
    customer = customer_of(spelled.id, config, null_ids)
    rows = spelled.select("rows", text=customer.text, missing=customer.missing)
    # Whether an id is one is asked of what is grouped: databases move a filter on keys to before that, to every row.
    groups = rows.group_by("text").agg(rows=ibis._.rows.sum(), missing=ibis._.missing.any())
    found = groups.filter(~groups.missing)
    text = found.text
    country = _COUNTRY.get(config.source.currency_code or "", "DE")
    phone = f"phone:{country}"
    further = {name: FORMS[name](text) for name in ("text", "email", "case", "zeros", "signs")}
    has_digit = text.re_search("[0-9０-９]")
    query = found.aggregate(
        ids=found.count(),
        destroyed=found.rows.sum(where=text.re_search(_DESTROYED)),
        rounded=found.rows.sum(where=text.re_search(_ROUNDED)),
        digits=has_digit.sum(),
        words=(~has_digit & ~text.contains("@")).sum(),
        odd_rows=found.rows.sum(where=~has_digit),
        all_rows=found.rows.sum(),
        nines=found.rows.sum(where=text.re_search(_NINES)),
        signs=found.rows.sum(where=text.re_search(_ODD_SIGNS)),
        phones=(text.re_search(PHONE) & text.re_replace("[^0-9]", "").length().between(8, 15)).sum(),
        **{f"under_{name}": value.nunique() for name, value in further.items()},
    )
    [seen] = [
        {name: int(value or 0) for name, value in row.items()}
        for row in fetch(query, what="looking at ids").to_pylist()
    ]
    odd = seen["ids"] - seen["digits"]
    is_odd = 0 < odd <= max(_FEW_ROWS, _ODD * seen["ids"]) and seen["digits"] >= _WITH_DIGITS * seen["ids"]
    under = {name: seen[f"under_{name}"] for name in further}
    if seen["ids"] and seen["phones"] >= _PHONES * seen["ids"]:
        query = found.aggregate(ids=FORMS[phone](text).nunique())
        under[phone] = fetch(query, what="looking at telephone numbers")["ids"].to_pylist()[0]
    return Ids(
        ids=seen["ids"], under=under, destroyed=seen["destroyed"], rounded=seen["rounded"],
        odd_ids=odd if is_odd else 0, odd_rows=seen["odd_rows"] if is_odd else 0,
        nobody=_nobody(groups), words=seen["words"],
        odd_signs=_if_few(seen["signs"], seen["all_rows"]), nines=_placeholders(found) if seen["nines"] else 0,
        **_orders(source, config),
    )  # fmt: skip


def _nobody(groups: ir.Table) -> dict[str, int]:
    """How many rows have each of the spellings that mean no customer; these are of public lists, and no values."""
    counted: Counter[str] = Counter()
    for row in fetch(groups.filter(groups.missing), what="looking at rows of nobody").to_pylist():
        counted[(row["text"] or "").lower()] += row["rows"]
    del counted[""]
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def _placeholders(found: ir.Table) -> int:
    """Rows of ids such as 99999 that do not belong to a running number: nobody is 99998."""
    nines = found.filter(found.text.re_search(_NINES)).select("text", "rows")
    known = fetch(nines, what="looking at placeholders").to_pylist()
    before = [str(int(row["text"]) - 1) for row in known]
    near = fetch(found.filter(found.text.isin(before)).select("text"), what="looking at placeholders")[
        "text"
    ].to_pylist()
    return sum(row["rows"] for row, one in zip(known, before, strict=True) if one not in near)


def _if_few(odd: int, rows: int) -> int:
    """The odd ones, if they are few: what many ids have is how they are written here."""
    return odd if odd <= max(_ODD * rows, min(_FEW_ROWS, rows / _FEW_OF)) else 0


def _orders(source: ir.Table, config: HolderConfig) -> dict[str, int]:
    """What is odd in order ids: signs that nearly no other has, roundings, and ids that differ by spelling only."""
    if config.columns.order is None or not source[config.columns.order].type().is_string():
        return {}
    spelled = source.select(id=source[config.columns.order].strip()).group_by("id").agg(rows=ibis._.count())
    spelled = spelled.filter(spelled.id != "")
    lower, upper = (FORMS["zeros"](FORMS["signs"](fold)) for fold in (spelled.id.lower(), spelled.id.upper()))
    # Few ids can be what a spreadsheet leaves, and a pattern takes longer than looking for one sign.
    may_be = spelled.id.contains("E") | spelled.id.contains("e") | spelled.id.endswith("00")
    lost = ibis.ifelse(may_be, spelled.id.re_search(f"{_DESTROYED}|{_ROUNDED}"), ibis.literal(False))
    query = spelled.aggregate(
        rows=spelled.rows.sum(),
        odd_order_signs=spelled.rows.sum(where=spelled.id.re_search(_ODD_SIGNS)),
        destroyed_orders=spelled.rows.sum(where=lost),
        orders=spelled.count(),
        lower=(lower != spelled.id).sum(),
        upper=(upper != spelled.id).sum(),
    )
    [found] = fetch(query, what="looking at order ids").to_pylist()
    seen = {name: int(count or 0) for name, count in found.items()}
    alike = seen["orders"]
    if seen["lower"] and seen["upper"]:  # else all of them are written in one way
        query = spelled.aggregate(orders=lower.nunique())
        alike = fetch(query, what="comparing order ids").to_pylist()[0]["orders"]
    names = ("destroyed_orders", "orders")
    few = _if_few(seen["odd_order_signs"], seen["rows"])
    return {name: seen[name] for name in names} | {"odd_order_signs": few, "orders_alike": int(alike or 0)}


def _days(source: ir.Table, config: Reading, today: dt.date) -> Days:
    time = source[config.columns.mapped()["time"]]
    rows = source.select(day=day_of(time, config))
    counted = rows.filter(rows.day >= FIRST_DAY.date()).group_by("day").agg(rows=ibis._.count()).order_by("day")
    found = [(row["day"], row["rows"]) for row in fetch(counted, what="looking at days").to_pylist()]
    placeholders = [(day, count) for day, count in found if dt.datetime.combine(day, dt.time()) in PLACEHOLDERS]
    found = [item for item in found if item not in placeholders]
    total = sum(count for _, count in found)
    few = max(_FEW_SHARE * total, min(_FEW_DAYS, total / _FEW_DAYS))
    far = dt.timedelta(days=_FAR)

    def usual(days: list[tuple[dt.date, int]]) -> dt.date | None:
        passed = 0
        for day, count in days:
            passed += count
            if passed > few:
                return day
        return None

    first, last = usual(found), usual(found[::-1])
    tomorrow = today + dt.timedelta(days=1)
    late = [(day, count) for day, count in found if day > tomorrow or (last is not None and day - far > last)]
    early = placeholders + [
        (day, count) for day, count in found if first is not None and day < first - dt.timedelta(days=_FAR_BEFORE)
    ]
    rest = [day for day, count in found if (day, count) not in late]
    off = [day for day, _ in (*early, *late)]
    return Days(
        last=rest[-1] if rest else None,
        early=sum(count for _, count in early),
        late=sum(count for _, count in late),
        first_off=min(off, default=None),
        last_off=max(off, default=None),
    )


def _unread(rows: ir.Table) -> dict[str, list[Shape]]:
    """By role, shapes of values that its form does not read."""
    lost = [name for name in rows.columns if name.startswith(UNREAD)]
    some = rows.filter(ibis.or_(*(rows[name].notnull() for name in lost))) if lost else rows
    return {name.removeprefix(UNREAD): list(items) for name, items in shapes(some, lost).items() if items}
