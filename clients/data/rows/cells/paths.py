"""What needs two feeds at once: touches before an order, and orders after a message. Arrays of one holder's rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from privacy.kernel.declarations import EventChoice
from privacy.kernel.dimensions import WHOLE
from privacy.kernel.features import IntArray

_DAY = 86_400
#: Room for seconds since 1900 beside a customer's number in one integer.
_SECONDS, _SHIFT = 1 << 38, 2_300_000_000
#: Money of one order is kept inside this, so that a weight times it fits 64 bits.
_MOST_MONEY = 1 << 42


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Events in time, one row each, in any order.

    Attributes:
        customer: number of the customer, shape ``(rows,)``.
        at: seconds since 1970 UTC, same shape.
    """

    customer: IntArray
    at: IntArray

    @property
    def keys(self) -> IntArray:
        """One integer by which rows sort by customer, then time."""
        return self.key(self.at)

    def key(self, at: IntArray) -> IntArray:
        """The same at other times."""
        return self.customer * _SECONDS + np.clip(at + _SHIFT, 0, _SECONDS - 1)


def instants(moment: IntArray, zone: str | None) -> IntArray:
    """Seconds since 1970 UTC of times on a zone's clocks; None for UTC. Of an hour that comes twice, the earlier."""
    if zone in (None, "UTC"):
        return moment
    times = pa.array(moment).cast(pa.timestamp("s"))
    found: IntArray = (
        pc.assume_timezone(times, zone, ambiguous="earliest", nonexistent="earliest").cast(pa.int64()).to_numpy()
    )
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Credit:
    """What conversions credit, one row for each conversion, model and touch; arrays of shape ``(rows,)``.

    Attributes:
        customer: whose.
        model: place among ``first``, ``last``, ``linear``.
        touch: row of the touch.
        order: row of the order.
        weight: parts of :data:`privacy.kernel.dimensions.WHOLE`.
    """

    customer: IntArray
    model: IntArray
    touch: IntArray
    order: IntArray
    weight: IntArray


def credited(orders: Moments, touches: Moments, channel: IntArray, choice: EventChoice) -> Credit:
    """Which touches led to which orders, by each model.

    The touches of an order are those of the ``look_back_days`` times 24 hours up to its beginning, that moment
    included, of them the last ``most_touches``, by time and then by the channel's place.
    """
    rank = np.lexsort((channel, touches.keys))
    keys = touches.keys[rank]
    end = np.searchsorted(keys, orders.keys, side="right")
    start = np.searchsorted(keys, orders.key(orders.at - choice.look_back_days * _DAY), side="right")
    start = np.maximum(start, np.searchsorted(keys, orders.customer * _SECONDS, side="left"))
    count = np.minimum(end - start, choice.most_touches)
    taken = np.flatnonzero(count > 0)
    if choice.which in ("earliest", "latest"):
        sign = 1 if choice.which == "earliest" else -1
        by_time = taken[np.lexsort((taken, sign * orders.at[taken], orders.customer[taken]))]
        whose = orders.customer[by_time]
        taken = by_time[np.concatenate([[True], whose[1:] != whose[:-1]])] if len(by_time) else by_time
    count, end = count[taken], end[taken]
    each = np.repeat(np.arange(len(taken)), count)
    place = np.arange(len(each)) - np.repeat(np.cumsum(count) - count, count)
    rows = ((end - count)[each] + place).astype(np.int64)
    parts = (
        (np.arange(len(taken)), end - count, np.full(len(taken), WHOLE)),
        (np.arange(len(taken)), end - 1, np.full(len(taken), WHOLE)),
        (each, rows, (WHOLE // np.maximum(count, 1))[each]),
    )
    which = np.concatenate([part[0] for part in parts])
    return Credit(
        customer=orders.customer[taken][which],
        model=np.repeat(np.arange(3), [len(part[0]) for part in parts]),
        touch=rank[np.concatenate([part[1] for part in parts])],
        order=taken[which],
        weight=np.concatenate([part[2] for part in parts]).astype(np.int64),
    )


def weighted_sums(place: IntArray, groups: int, weight: IntArray, money: IntArray) -> IntArray:
    """Weight times money by group, in parts of :data:`WHOLE`, rounded to the nearest, half away from zero.

    Args:
        place: the group of every row.
        groups: how many there are.
        weight, money: of every row; money beyond 2^42 counts as that.
    """
    product = weight * np.clip(money, -_MOST_MONEY, _MOST_MONEY)
    whole, rest = np.zeros(groups, dtype=np.int64), np.zeros(groups, dtype=np.int64)
    np.add.at(whole, place, product // WHOLE)
    np.add.at(rest, place, product % WHOLE)
    whole, rest = whole + rest // WHOLE, rest % WHOLE
    up = np.where(whole < 0, 2 * rest > WHOLE, 2 * rest >= WHOLE)
    found: IntArray = whole + up
    return found


def followed(messages: Moments, orders: Moments, days: int) -> NDArray[np.bool_]:
    """Whether an order began within so many times 24 hours after each message, its own moment included."""
    keys = np.sort(orders.keys)
    found: NDArray[np.bool_] = np.searchsorted(keys, messages.key(messages.at + days * _DAY)) > np.searchsorted(
        keys, messages.keys
    )
    return found
