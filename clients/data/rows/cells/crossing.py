"""Entries of tables that need two feeds at once: conversions, and what followed on messages."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from clients.data.rows.cells.events import strides
from clients.data.rows.cells.gather import Found
from clients.data.rows.cells.gathered import Part, minor_units
from clients.data.rows.cells.paths import Moments, credited, followed, instants, weighted_sums
from privacy.kernel.declarations import CellTable, EventChoice
from privacy.kernel.dimensions import MODELS
from privacy.kernel.features import IntArray

#: Whose, in which cell, and by name what is added up, one row for each customer and cell.
Crossed = tuple[IntArray, IntArray, dict[str, IntArray]]


def _moments(part: Part, zone: str | None, everybody: pa.Array) -> Moments:
    return Moments(customer=part.numbers(everybody), at=instants(part.column("moment"), zone))


def conversions(table: CellTable, found: Found, number: int, everybody: pa.Array, currency: str) -> Crossed:
    """What orders credit to the channels that led to them."""
    touches, orders, choice = found.touch_rows[number], found.order_rows, table.events
    if orders is None or choice is None:
        raise TypeError("a table of conversions without orders")
    touched = _moments(touches, found.zones["touch"], everybody)
    all_orders = _moments(orders, found.zones["order"], everybody)
    rows = np.arange(len(all_orders.at))
    if choice.window_days is not None:
        rows = np.flatnonzero(orders.column(f"within_{choice.window_days}"))
    begun = Moments(customer=all_orders.customer[rows], at=all_orders.at[rows])
    channel = touches.column("channel", -1)
    credit = credited(begun, touched, channel, choice)
    cell, has = np.zeros(len(credit.weight), dtype=np.int64), np.ones(len(credit.weight), dtype=bool)
    for use, step in zip(table.by, strides(table), strict=True):
        if use.meaning.grain != "customer":
            models = [use.keys.values.index(model) if model in use.keys.values else -1 for model in MODELS]
            key = np.array(models)[credit.model] if use.meaning.grain == "model" else channel[credit.touch]
            cell, has = cell + key * step, has & (key >= 0)
    pair, place = np.unique(credit.customer[has] * table.cells + cell[has], return_inverse=True)
    weight, raw = np.zeros(len(pair), dtype=np.int64), {}
    np.add.at(weight, place, credit.weight[has])
    for number_of, measure in enumerate(table.measures):
        raw[f"v_{number_of}"] = weight
        if measure.meaning.kind == "weighted":
            money = minor_units(orders.column("quanta"), currency)[rows][credit.order[has]]
            raw[f"v_{number_of}"] = weighted_sums(place, len(pair), credit.weight[has], money)
    return pair // table.cells, pair % table.cells, raw


def outcomes(table: CellTable, found: Found, number: int, everybody: pa.Array) -> Crossed:
    """Messages by whether an order followed."""
    part, orders = found.messages[number], found.order_rows
    if orders is None:
        raise TypeError("a table of outcomes without orders")
    choice = table.events or EventChoice(of="sent")
    sent = _moments(part, found.zones["sent"], everybody)
    begun = _moments(orders, found.zones["order"], everybody)
    place = next(place for place, use in enumerate(table.by) if use.dimension == "sent.outcome")
    values = table.by[place].keys.values
    keys = np.array([values.index(value) if value in values else -1 for value in ("bought", "not")])
    key = keys[np.where(followed(sent, begun, choice.outcome_days), 0, 1)]
    kept = key >= 0
    cell = part.column("cell")[kept] + key[kept] * strides(table)[place]
    pair, group = np.unique(sent.customer[kept] * table.cells + cell, return_inverse=True)
    raw = {}
    for name in [name for name in part.rows.column_names if name.startswith("v_")]:
        raw[name] = np.zeros(len(pair), dtype=np.int64)
        np.add.at(raw[name], group, part.column(name)[kept])
    return pair // table.cells, pair % table.cells, raw
