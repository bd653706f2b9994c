"""From a holder's feeds to the entries of its customers in declared tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clients.data.origin import Origin
from clients.data.rows.cells.crossing import conversions, outcomes
from clients.data.rows.cells.events import strides
from clients.data.rows.cells.facts import Known, has_value, single_places
from clients.data.rows.cells.gather import Found, answered, gather, is_of_outcomes, is_paths
from clients.data.rows.cells.gathered import minor_units, presence, spread, universe_of
from clients.data.rows.entries.tags import tag_places
from privacy.kernel.cells import CellRequest, CellRows
from privacy.kernel.declarations import CellTable
from privacy.kernel.dimensions import WHOLE
from privacy.kernel.features import MISSING, IntArray
from privacy.kernel.feeds import FeedName


def build_entries(origin: Origin, request: CellRequest) -> tuple[NDArray[np.object_], CellRows]:
    """All ids that have an entry, sorted as text, and the entries.

    Raises:
        DataError: if a feed cannot be opened, or its columns cannot be what they are mapped as.
    """
    tables = answered(origin, request)
    found = gather(origin, tables)
    everybody = universe_of(found.parts)
    known = _known(origin, found, everybody)
    known.places |= tag_places(origin, tables.values(), everybody)
    entries = [_entries(origin, number, table, found, known, everybody) for number, table in tables.items()]
    return _assembled(entries, everybody, most=max((len(t.measures) for t in request.tables), default=1))


def _known(origin: Origin, found: Found, everybody: pa.Array) -> Known:
    size = len(everybody)
    known = Known(size=size, as_of=origin.study.as_of)
    if found.orders is not None:
        part, facts = found.orders
        numbers = part.numbers(everybody)
        known.facts = {name: spread(numbers, fact, size, MISSING) for name, fact in facts.items()}
    if found.people is not None:
        numbers = found.people.numbers(everybody)
        for column in found.people.rows.column_names:
            kind, _, name = column.partition("_")
            if kind == "least":
                known.places[name] = spread(numbers, single_places(found.people, name), size, -1)
            elif kind == "has":
                known.has[name] = spread(numbers, has_value(found.people, name).astype(np.int64), size, 0).astype(bool)
    return known


@dataclass(frozen=True, kw_only=True, eq=False)
class _Entries:
    """One table's entries: whose, in which cell, and values of shape ``(entries, measures)``."""

    table: int
    customer: IntArray
    cell: IntArray
    values: IntArray


def _base(table: CellTable, known: Known) -> IntArray:
    """The part of the cell's number that is the customer's; -1 for who has no entry."""
    cell, has = np.zeros(known.size, dtype=np.int64), np.ones(known.size, dtype=bool)
    for use, step in zip(table.by, strides(table), strict=True):
        if use.meaning.grain == "customer":
            key = known.key(use)
            cell, has = cell + key * step, has & (key >= 0)
    for condition in table.where:
        has &= known.meets(condition)
    return np.where(has, cell, -1)


def _entries(
    origin: Origin, number: int, table: CellTable, found: Found, known: Known, everybody: pa.Array
) -> _Entries:
    base = _base(table, known)
    if is_paths(table):
        customer, cell, raw = conversions(table, found, number, everybody, origin.study.currency)
    elif is_of_outcomes(table):
        customer, cell, raw = outcomes(table, found, number, everybody)
    elif table.feed:
        part = found.cells[number]
        customer, cell = part.numbers(everybody), part.column("cell")
        raw = {name: part.column(name) for name in part.rows.column_names if name != "cell"}
    else:
        present = np.zeros(known.size, dtype=bool)
        for feed in _present_feeds(table, origin):
            present |= _presence(feed, found, everybody, known)
        customer = np.flatnonzero(present).astype(np.int64)
        cell = np.zeros(len(customer), dtype=np.int64)
        raw = _customer_sums(table, number, found, known, everybody, customer)
    kept = base[customer] >= 0
    customer, cell = customer[kept], cell[kept] + base[customer[kept]]
    raw = {name: value[kept] for name, value in raw.items()}
    return _Entries(table=number, customer=customer, cell=cell, values=_finished(origin, table, customer, raw))


def _present_feeds(table: CellTable, origin: Origin) -> set[FeedName]:
    """The feeds whose customers a table of customers is about."""
    is_portrait = any(use.dimension == "customer.known" for use in table.by)
    return set(origin.config.declared_feeds) if is_portrait else set(table.feeds)


def _presence(feed: FeedName, found: Found, everybody: pa.Array, known: Known) -> NDArray[np.bool_]:
    """Who is in a feed: has an order that begins, attributes, or an event before the as-of day."""
    size = len(everybody)
    if feed == "order":
        ordered: NDArray[np.bool_] = known.facts["first_day"] != MISSING
        return ordered
    if feed == "customer":
        return presence(found.people.numbers(everybody), size) if found.people is not None else np.zeros(size, bool)
    if feed in found.sums:
        return presence(found.sums[feed].numbers(everybody), size)
    return presence(found.ids[feed].numbers(everybody), size)


def _customer_sums(  # each kind of sum is somewhere else
    table: CellTable, number: int, found: Found, known: Known, everybody: pa.Array, customer: IntArray
) -> dict[str, IntArray]:
    raw: dict[str, IntArray] = {}
    for place, use in enumerate(table.measures):
        feed = use.meaning.feed
        if not feed:
            continue
        if (number, place) in found.daily:
            part = found.daily[number, place]
            numbers, day = part.numbers(everybody), part.column("day")
            since = day - known.facts["first_day"][numbers]
            counts = (known.facts["first_day"][numbers] != MISSING) & (since >= 0) & (since < (use.first_days or 0))
            total = np.zeros(known.size, dtype=np.int64)
            np.add.at(total, numbers[counts], part.column("v_0")[counts])
            raw[f"v_{place}"] = total[customer]
            continue
        part = found.sums[feed]
        numbers = part.numbers(everybody)
        for kind in ("v", "w"):
            if (column := f"{kind}_{number}_{place}") in part.rows.column_names:
                raw[f"{kind}_{place}"] = spread(numbers, part.column(column), known.size, 0)[customer]
    return raw


def _finished(origin: Origin, table: CellTable, customer: IntArray, raw: dict[str, IntArray]) -> IntArray:
    """Values in the units of their measures."""
    values = np.zeros((len(customer), len(table.measures)), dtype=np.int64)
    for place, use in enumerate(table.measures):
        found = use.meaning
        value = raw.get(f"v_{place}")
        if found.kind == "customers":
            values[:, place] = 1
        elif value is None:
            raise TypeError(f"{table.name}: nothing was found of {use.of}")
        elif found.kind == "share" and found.role:
            values[:, place] = value * WHOLE // np.maximum(raw[f"w_{place}"], 1)
        elif found.kind == "share":
            whole = np.zeros(int(customer.max()) + 1 if len(customer) else 0, dtype=np.int64)
            np.add.at(whole, customer, value)
            values[:, place] = value * WHOLE // np.maximum(whole[customer], 1)
        elif found.kind == "sum" and found.unit == "money":
            values[:, place] = minor_units(value, origin.study.currency)
        else:
            values[:, place] = value
    return values


def _assembled(entries: list[_Entries], everybody: pa.Array, *, most: int) -> tuple[NDArray[np.object_], CellRows]:
    count = sum(len(part.customer) for part in entries)
    customer, table, cell = (np.empty(count, dtype=np.int64) for _ in range(3))
    values = np.zeros((count, most), dtype=np.int64)
    at = 0
    for part in entries:
        here = slice(at, at + len(part.customer))
        customer[here], table[here], cell[here] = part.customer, part.table, part.cell
        values[here, : part.values.shape[1]] = part.values
        at = here.stop
    order = np.lexsort((cell, table, customer))
    customer, table, cell, values = customer[order], table[order], cell[order], values[order]
    whose, place = np.unique(customer, return_inverse=True)
    start = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=len(whose)))]).astype(np.int64)
    ids = np.asarray(everybody.take(pa.array(whose)).to_numpy(zero_copy_only=False), dtype=object)
    return ids, CellRows(start=start, table=table, cell=cell, values=values)
