"""Between what one customer of a segment lies: the segment's own rules bound orders and money, the caps the rest.

Public, and the same on both sides: holders place their customers in these ranges, the coordinator reads sums by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.rfm.segments import SegmentRules, orders_of_grid
from privacy.kernel.customers import CustomerColumns

IntArray = NDArray[np.int64]

#: Nothing is further from 0, so that twice a sum of two fits 64 bits with room to spare.
_FAR = 1 << 41


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranges:
    """Least and most of one customer as it is counted, by segment; arrays of shape ``(segments, 2)``.

    The second axis is orders, and money in minor units.

    Attributes:
        low, high: both inclusive, int64; ``low <= high``.
        open: where the cap is the most, so that customers may have more than is counted.
    """

    low: IntArray
    high: IntArray
    open: NDArray[np.bool_]

    @property
    def middle(self) -> NDArray[np.float64]:
        """Middles of the ranges."""
        return (self.low + self.high) / 2

    @property
    def half(self) -> NDArray[np.float64]:
        """Half widths of the ranges."""
        return (self.high - self.low) / 2

    def counted(self, columns: CustomerColumns, segment: IntArray) -> IntArray:
        """Orders and money of customers as they are counted, shape ``(customers, 2)``; ``segment`` is theirs."""
        facts = np.stack([columns.orders, columns.money], axis=1)
        return np.asarray(np.clip(facts, self.low[segment], self.high[segment]))


def ranges_of(rules: SegmentRules, scheme: str, *, orders_cap: int, money_cap: int, net: bool) -> Ranges:
    """The ranges of a segmentation's segments.

    Args:
        rules: cut points and thresholds.
        scheme: the segmentation.
        orders_cap, money_cap: most that is counted of one customer where no rule sets a lower bound; money's is raised
            where it would be at the cut between high and low.
        net: money is net of returns, and counts down to as much below zero as the cut between high and low is above.
    """
    cut = min(max(rules.cuts.money_high, 0), _FAR - 1)
    whole = _Range((1, max(orders_cap, 1)), (-cut if net else 0, max(money_cap, cut + 1)))
    if scheme == "eight":
        often, seldom = max(rules.cuts.orders_high, 1), rules.cuts.orders_high - 1
        found = [
            whole.narrowed(orders=orders, money=money)
            for money in ((cut, None), (None, max(cut, 1)))
            for _ in range(2)
            for orders in ((often, None), (None, seldom))
        ]
    elif scheme == "rules":
        found = [whole.narrowed(**_bounds(rules, position)) for position in range(len(rules.thresholds))]
        found.append(whole)
    else:
        found = [whole.narrowed(orders=orders) for orders in orders_of_grid(rules.cuts, scheme)]
    return Ranges(
        low=np.array([(item.orders[0], item.money[0]) for item in found], dtype=np.int64),
        high=np.array([(item.orders[1], item.money[1]) for item in found], dtype=np.int64),
        open=np.array([(item.orders[1] >= whole.orders[1], item.money[1] >= whole.money[1]) for item in found]),
    )


#: A lower and an upper bound, both inclusive; None where there is none.
Bounds = tuple[int | None, int | None]


@dataclass(frozen=True)
class _Range:
    orders: tuple[int, int]
    money: tuple[int, int]

    def narrowed(self, *, orders: Bounds = (None, None), money: Bounds = (None, None)) -> _Range:
        return _Range(_inside(self.orders, orders), _inside(self.money, money))


def _inside(whole: tuple[int, int], bounds: Bounds) -> tuple[int, int]:
    """What of a range is between bounds; where that is nothing, the end that is nearest."""
    least, most = whole
    low, high = bounds
    first = least if low is None else min(max(low, least), most)
    return first, max(first, most if high is None else min(max(high, least), most))


def _bounds(rules: SegmentRules, position: int) -> dict[str, Bounds]:
    """What a threshold rule says of orders and money, in whole orders and minor units."""
    found: dict[str, Bounds] = {}
    for name, letter, unit in (("orders", "F", 1), ("money", "M", rules.money_unit)):
        low, high = rules.thresholds[position].between(letter)
        found[name] = (_whole(low, unit, ROUND_CEILING), _whole(high, unit, ROUND_FLOOR))
    return found


def _whole(bound: Decimal | None, unit: int, rounding: str) -> int | None:
    return None if bound is None else int((bound * unit).to_integral_value(rounding=rounding))
