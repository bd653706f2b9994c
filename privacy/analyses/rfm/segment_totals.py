"""Customers, orders and money by segment, for one or several segmentations, in one question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from privacy.analyses.rfm.ranges import Ranges, ranges_of
from privacy.analyses.rfm.segments import MeasuredName, SegmentRules
from privacy.kernel.canonical import since
from privacy.kernel.customers import CustomerColumns
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic
from privacy.statistics.bins import amplitude_of

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SegmentEstimate:
    """Released totals of one segmentation; arrays of shape ``(segments,)``.

    A segment's three totals may share the noise of its count of customers: where orders or money are measured from the
    middle of a range, that middle is taken once for each customer that was counted.

    Attributes:
        customers, orders, money: estimated totals (records, orders, minor currency units), unbiased for totals in
            which each customer counts with what lies within the statistic's ranges.
        customers_deviation: standard deviation of each count, from the noise.
        orders_deviation, money_deviation: those of each segment's orders and money.
        orders_middle, money_middle: with how much each customer of a segment is counted beforehand.
    """

    scheme: MeasuredName
    customers: FloatArray
    orders: FloatArray
    money: FloatArray
    customers_deviation: float
    orders_deviation: FloatArray
    money_deviation: FloatArray
    orders_middle: FloatArray
    money_middle: FloatArray


#: Shares of the squared sensitivity of customers, orders and money, in thousandths, where customers are placed in the
#: ranges of their segment. Orders and money are sums of a middle for each customer and of what is beside it, so that
#: the count's noise is in both; money is spread widest.
CENTRED_PERMILLE = (425, 150, 425)

#: The same where one cap holds for all segments, and sums are measured from zero.
PERMILLE = (300, 150, 550)

#: Integer units of one customer, of the most orders and the most money: sqrt(permille/1000) GAMMA each.
CENTRED_AMPLITUDES = tuple(amplitude_of(permille) for permille in CENTRED_PERMILLE)
AMPLITUDES = tuple(amplitude_of(permille) for permille in PERMILLE)

#: How sums are formed: one cap for all segments, or the range of each.
Form = Literal["capped", "centred"]


def _scaled(values: IntArray, cap: int, amplitude: int) -> IntArray:
    """``round(amplitude * clip(values, -cap, cap) / cap)`` on integers, half up; within [-amplitude, amplitude]."""
    clipped = np.clip(values, -cap, cap)
    shift = max(0, cap.bit_length() - 34)  # the product below must fit 64 bits; shifting is public and per customer
    cap >>= shift
    clipped = np.clip(clipped >> shift, -cap, cap)
    rounded: IntArray = (2 * amplitude * clipped + cap) // (2 * cap)
    return rounded


def _placed(values: IntArray, low: IntArray, high: IntArray, amplitude: int) -> IntArray:
    """``round(amplitude * (2 clip(values, low, high) - low - high) / (high - low))`` on integers, half up.

    0 where the range is one value; within [-amplitude, amplitude], since a clipped value is at most half a width from
    the middle. ``low`` and ``high`` are each customer's own; shifting is public and per range.
    """
    width = high - low
    shift = np.maximum(np.frexp(width)[1] - 34, 0)  # the width's bits beyond 34
    away = np.clip(2 * np.clip(values, low, high) - low - high, -width, width) >> shift
    narrow = np.maximum(width >> shift, 1)
    away = np.clip(away, -narrow, narrow)
    placed: IntArray = np.where(width > 0, (2 * amplitude * away + narrow) // (2 * narrow), 0)
    return placed


class SegmentTotals(Statistic[CustomerColumns]):
    """Totals by segment. Each segmentation puts a customer into exactly one cell.

    Sensitivity: a cell receives (a, b x, c y) with the amplitudes (a, b, c) and x and y in [-1, 1] on the integers, so
    one customer, touching one cell per segmentation, moves the vector by at most
    ``sqrt((a^2 + b^2 + c^2) x segmentations)``. In the form ``capped`` x and y are orders and money over their caps; in
    ``centred`` where they lie in the ranges of the customer's segment, from -1 at the least to 1 at the most. Ranges
    are public and the segment's own, so that they change nothing of this.

    Attributes:
        rules: what puts customers into segments.
        schemes: the segmentations.
        orders_cap, money_cap: most that is counted of one customer (orders, minor units).
        form: how orders and money are measured.
        returns: ``net`` where money is net of returns, so that a customer may have less than none.
    """

    reads = CustomerColumns
    kind: Literal["segment_totals"] = "segment_totals"
    rules: SegmentRules
    schemes: tuple[MeasuredName, ...] = Field(min_length=1, max_length=8)
    orders_cap: int = Field(ge=1, le=1_000_000)
    money_cap: int = Field(ge=1, le=1 << 40)
    form: Form = since("0.2.0", "capped")
    returns: Literal["drop", "net"] = since("0.2.0", "drop")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.schemes)) != len(self.schemes):
            raise ValueError("a segmentation is named twice")
        if "rules" in self.schemes and not self.rules.thresholds:
            raise ValueError("totals by 'rules' need thresholds")
        return self

    @property
    def amplitudes(self) -> tuple[int, ...]:
        """Integer units of one customer, of the most orders, of the most money."""
        return AMPLITUDES if self.form == "capped" else CENTRED_AMPLITUDES

    def ranges(self, scheme: str) -> Ranges:
        """What is counted of one customer, by segment of a segmentation."""
        if self.form == "centred":
            caps = {"orders_cap": self.orders_cap, "money_cap": self.money_cap}
            return ranges_of(self.rules, scheme, **caps, net=self.returns == "net")
        most = np.tile(
            np.array([self.orders_cap, self.money_cap], dtype=np.int64), (len(self.rules.segments(scheme)), 1)
        )
        return Ranges(low=-most, high=most, open=np.ones(most.shape, dtype=bool))

    @property
    def dim(self) -> int:
        """Three coordinates a cell."""
        return 3 * sum(len(self.rules.segments(scheme)) for scheme in self.schemes)

    @property
    def bound(self) -> ContributionBound:
        """See the class."""
        return ContributionBound(
            gamma=GAMMA,
            squared_norm=len(self.schemes) * sum(a * a for a in self.amplitudes),
            max_abs=max(self.amplitudes),
        )

    def encode_rows(self, columns: CustomerColumns) -> IntArray:
        """Three numbers in one cell per segmentation, zeros elsewhere."""
        rows = np.zeros((len(columns), self.dim), dtype=np.int64)
        index = np.arange(len(columns))
        for offset, cells, facts in self._parts(columns):
            for position, fact in enumerate(facts):
                rows[index, offset + 3 * cells + position] = fact
        return rows

    def encode_sum(self, columns: CustomerColumns) -> IntArray:
        """The same, added up cell by cell on integers."""
        total = np.zeros(self.dim, dtype=np.int64)
        for offset, cells, facts in self._parts(columns):
            for position, fact in enumerate(facts):
                np.add.at(total, offset + 3 * cells + position, fact)
        return total

    def _parts(self, columns: CustomerColumns) -> list[tuple[int, IntArray, tuple[IntArray, IntArray, IntArray]]]:
        parts = []
        offset = 0
        for scheme in self.schemes:
            cells = self.rules.assign(scheme, columns)
            parts.append((offset, cells, self._facts(columns, scheme, cells)))
            offset += 3 * len(self.rules.segments(scheme))
        return parts

    def _facts(self, columns: CustomerColumns, scheme: str, cells: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        one, often, much = self.amplitudes
        present = np.full(len(columns), one, dtype=np.int64)
        if self.form == "capped":
            orders = _scaled(columns.orders, self.orders_cap, often)
            return present, orders, _scaled(columns.money, self.money_cap, much)
        ranges = self.ranges(scheme)
        low, high = ranges.low[cells], ranges.high[cells]
        orders = _placed(columns.orders, low[:, 0], high[:, 0], often)
        return present, orders, _placed(columns.money, low[:, 1], high[:, 1], much)

    def decode(self, values: IntArray, noise_deviation: float) -> tuple[SegmentEstimate, ...]:
        """Totals from the released vector; ``noise_deviation`` in integer units (0 for an exact sum).

        With the middle and the half width of a range, a segment's sum is ``half x / amplitude + middle customers``, and
        the variances of its two parts add up.
        """
        amplitudes = np.array(self.amplitudes, dtype=np.float64)
        estimates = []
        offset = 0
        for scheme in self.schemes:
            ranges = self.ranges(scheme)
            middle, half = ranges.middle, ranges.half
            cells = len(middle)
            part = values[offset : offset + 3 * cells].astype(np.float64).reshape(cells, 3) / amplitudes
            offset += 3 * cells
            unit = noise_deviation / amplitudes
            sums = half * part[:, 1:] + middle * part[:, :1]
            deviations = np.hypot(half * unit[1:], middle * unit[0])
            estimates.append(
                SegmentEstimate(
                    scheme=scheme,
                    customers=part[:, 0],
                    orders=sums[:, 0],
                    money=sums[:, 1],
                    customers_deviation=float(unit[0]),
                    orders_deviation=deviations[:, 0],
                    money_deviation=deviations[:, 1],
                    orders_middle=middle[:, 0],
                    money_middle=middle[:, 1],
                )
            )
        return tuple(estimates)
