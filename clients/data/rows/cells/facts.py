"""Facts of every customer as arrays over all ids: keys of dimensions of customers, and conditions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc
from ibis.expr import types as ir
from numpy.typing import NDArray

from clients.data.cleaning.money import QUANTA_PER_UNIT
from clients.data.cleaning.times import wall_time
from clients.data.origin import Origin
from clients.data.recipes.facts import Facts
from clients.data.rows.cells.feed_events import FeedRows
from clients.data.rows.cells.gathered import Part
from clients.data.rows.sums import customer_sums
from privacy.kernel.declarations import CellTable, Condition, DimensionUse
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import MISSING, IntArray
from privacy.kernel.keys import OTHER, Keys
from privacy.kernel.terms import minor_digits

#: Features behind dimensions of customers.
_FEATURES: dict[str, str] = {
    "tenure_band": "tenure_days", "recency_band": "recency_days", "orders_365_band": "orders_365",
    "discount_band": "discount_share", "loyalty_band": "loyalty",
    "orders_band": "orders", "money_band": "money",
}  # fmt: skip
_WALLS = frozenset({"first_wall", "second_wall"})


def order_facts(lines: ir.Table, origin: Origin, tables: Iterable[CellTable]) -> tuple[Part, dict[str, IntArray]]:
    """Everybody who has an order, and by name: the features that tables use, ``first_day`` and ``second_day``.

    Days are since 1970, on the wall's clock; MISSING where there is no second order.
    """
    names = {_FEATURES[use.dimension] for table in tables for use in table.by if use.dimension in _FEATURES}
    names |= {condition.fact for table in tables for condition in table.where}
    names |= {"orders"}
    study = origin.study
    request = FeatureRequest(names=tuple(sorted(names)), days=(study.as_of,))
    query = customer_sums(lines, origin, request, more=_WALLS).rename(customer="customer_id")
    part = Part.of(query.filter(query.orders_0 > 0), what="adding up orders")
    zone = "UTC" if part.rows["last_0"].type.tz is not None else origin.config.source.time_zone
    facts = Facts(
        part.rows,
        0,
        start=int(np.datetime64(wall_time(study.as_of, study.time_zone, zone), "us").astype(np.int64)),
        day=int(np.datetime64(study.as_of, "D").astype(np.int64)),
        per_minor=QUANTA_PER_UNIT // 10 ** minor_digits(study.currency),
    )
    found = {name: origin.recipes[name].compute(facts) for name in request.names}
    if "money" in found:  # bins are of whole units; up to 50.00 is in the bin of up to 50
        found["money"] = -(-found["money"] // 10 ** minor_digits(study.currency))
    days = {"first_day": facts.calendar_day("first_wall"), "second_day": facts.calendar_day("second_wall")}
    return part, found | days


def attributes(feed: FeedRows, uses: Mapping[str, DimensionUse], roles: Iterable[str]) -> ir.Table:
    """One row for each customer with attributes: ``least_<name>`` and ``most_<name>`` of each use, ``has_<role>``."""
    rows, known = feed.rows, feed.known(roles)
    places = {name: feed.place(rows, use, fill=False) for name, use in uses.items()}
    named = {f"p_{name}": place for name, place in places.items()}
    rows = rows.mutate(**named, **{f"k_{role}": has for role, has in known.items()})
    return rows.group_by("customer").agg(
        **{f"least_{name}": rows[f"p_{name}"].min() for name in uses},
        **{f"most_{name}": rows[f"p_{name}"].max() for name in uses},
        **{f"has_{role}": rows[f"k_{role}"].cast("int64").max() for role in known},
        rows=rows.count(),
    )


def use_name(use: DimensionUse) -> str:
    """A name for a use of a dimension: the same keys have the same name."""
    return f"{use.dimension.replace('.', '_')}_{use.digest[:12]}"


@dataclass(kw_only=True, eq=False)
class Known:
    """What is known of all ids; arrays of shape ``(ids,)``.

    Attributes:
        size: how many ids there are.
        as_of: the study's day.
        facts: of orders, by name; MISSING for who has none.
        places: of attributes, by the name of the use; -1 where there is no single one.
        has: by role of the feed ``customer``, whether there is a value.
    """

    size: int
    as_of: dt.date
    facts: dict[str, IntArray] = field(default_factory=dict)
    places: dict[str, IntArray] = field(default_factory=dict)
    has: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def key(self, use: DimensionUse) -> IntArray:
        """Place of everybody's key of a dimension of customers; -1 where there is none."""
        name, keys = use.dimension, use.keys
        if name == "customer.known":
            complete = np.all([self.has.get(role, np.zeros(self.size, bool)) for role in use.roles], axis=0)
            return _listed(np.where(complete, 0, 1), ("yes", "no"), keys)
        if use_name(use) in self.places:
            place = self.places[use_name(use)]
            last = len(keys.values) - 1
            return np.where(place < 0, last, place) if last >= 0 and keys.values[last].casefold() == OTHER else place
        first, second = self.facts["first_day"], self.facts["second_day"]
        if name == "first_order.month":
            return _period(first, keys)
        if name == "second_order.outcome":
            again = np.where(second == MISSING, 1, 0)
            return np.where(first == MISSING, -1, _listed(again, ("again", "not_yet"), keys))
        if name == "second_order.days":
            day = (self.as_of - dt.date(1970, 1, 1)).days
            days = np.where(second == MISSING, day, second) - first
            return np.where(first == MISSING, -1, _number(days, keys))
        return np.where(first == MISSING, -1, _number(self.facts[_FEATURES[name]], keys))

    def meets(self, condition: Condition) -> NDArray[np.bool_]:
        """Who meets a condition."""
        fact = self.facts[condition.fact]
        found: NDArray[np.bool_] = fact != MISSING
        if condition.least is not None:
            found &= fact >= condition.least
        if condition.below is not None:
            found &= fact < condition.below
        return found


def _listed(index: IntArray, all_values: tuple[str, ...], keys: Keys) -> IntArray:
    places = np.array([keys.values.index(value) if value in keys.values else -1 for value in all_values])
    found: IntArray = places[index].astype(np.int64)
    return found


def _number(value: IntArray, keys: Keys) -> IntArray:
    if keys.first is not None and keys.last is not None:
        return np.where((value >= keys.first) & (value <= keys.last), value - keys.first, -1)
    return np.searchsorted(np.array(keys.upper), value, side="left").astype(np.int64)


def _period(day: IntArray, keys: Keys) -> IntArray:
    ends = np.array([(one - dt.date(1970, 1, 1)).days for one in keys.days])
    place = np.searchsorted(ends, day, side="right").astype(np.int64) - 1
    return np.where((day == MISSING) | (place < 0) | (place >= len(ends) - 1), -1, place)


def single_places(part: Part, name: str) -> IntArray:
    """The place that all rows of a customer agree on; -1 where there is none or they do not agree."""
    least, most = part.column(f"least_{name}", -1), part.column(f"most_{name}", -2)
    return np.where(least == most, least, -1)


def has_value(part: Part, role: str) -> NDArray[np.bool_]:
    """Whether any row of a customer has a value of a role."""
    found: NDArray[np.bool_] = pc.equal(part.rows[f"has_{role}"], 1).to_numpy().astype(bool)
    return found
