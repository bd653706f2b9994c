"""Customers, orders and money by segment, for one or several segmentations, in one question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from privacy.analyses.rfm.segments import SchemeName, SegmentRules
from privacy.kernel.customers import CustomerColumns
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic
from privacy.statistics.bins import amplitude_of

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SegmentEstimate:
    """Released totals of one segmentation; arrays of shape ``(segments,)``.

    Attributes:
        customers, orders, money: estimated totals (records, orders, minor currency units), unbiased for totals in
            which each customer counts with at most ``orders_cap`` orders and ``money_cap`` money.
        customers_deviation, orders_deviation, money_deviation: standard deviation of each, from the noise.
    """

    scheme: SchemeName
    customers: FloatArray
    orders: FloatArray
    money: FloatArray
    customers_deviation: float
    orders_deviation: float
    money_deviation: float


#: Shares of the squared sensitivity of customers, orders and money, in thousandths. Money is what people steer by
#: and is spread widest, so it gets the largest.
PERMILLE = (300, 150, 550)

#: Integer units of one customer, of ``orders_cap`` orders, of ``money_cap`` money: sqrt(permille/1000) GAMMA each.
AMPLITUDES = tuple(amplitude_of(permille) for permille in PERMILLE)


def _scaled(values: IntArray, cap: int, amplitude: int) -> IntArray:
    """``round(amplitude * clip(values, -cap, cap) / cap)`` on integers, half up; within [-amplitude, amplitude]."""
    clipped = np.clip(values, -cap, cap)
    shift = max(0, cap.bit_length() - 34)  # the product below must fit 64 bits; shifting is public and per customer
    cap >>= shift
    clipped = np.clip(clipped >> shift, -cap, cap)
    rounded: IntArray = (2 * amplitude * clipped + cap) // (2 * cap)
    return rounded


class SegmentTotals(Statistic[CustomerColumns]):
    """Totals by segment. Each segmentation puts a customer into exactly one cell.

    Sensitivity: a cell receives (a, b orders/orders_cap, c money/money_cap) with the amplitudes (a, b, c), the
    fractions clipped to [-1, 1] on the integers, so one customer, touching one cell per segmentation, moves the
    vector by at most ``sqrt((a^2 + b^2 + c^2) x segmentations)``.
    """

    reads = CustomerColumns
    kind: Literal["segment_totals"] = "segment_totals"
    rules: SegmentRules
    schemes: tuple[SchemeName, ...] = Field(min_length=1, max_length=8)
    orders_cap: int = Field(ge=1, le=1_000_000)
    money_cap: int = Field(ge=1, le=1 << 40)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.schemes)) != len(self.schemes):
            raise ValueError("a segmentation is named twice")
        if "rules" in self.schemes and not self.rules.thresholds:
            raise ValueError("totals by 'rules' need thresholds")
        return self

    @property
    def dim(self) -> int:
        """Three coordinates a cell."""
        return 3 * sum(len(self.rules.segments(scheme)) for scheme in self.schemes)

    @property
    def bound(self) -> ContributionBound:
        """See the class."""
        return ContributionBound(
            gamma=GAMMA,
            squared_norm=len(self.schemes) * sum(a * a for a in AMPLITUDES),
            max_abs=max(AMPLITUDES),
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
        facts = (
            np.full(len(columns), AMPLITUDES[0], dtype=np.int64),
            _scaled(columns.orders, self.orders_cap, AMPLITUDES[1]),
            _scaled(columns.money, self.money_cap, AMPLITUDES[2]),
        )
        parts = []
        offset = 0
        for scheme in self.schemes:
            parts.append((offset, self.rules.assign(scheme, columns), facts))
            offset += 3 * len(self.rules.segments(scheme))
        return parts

    def decode(self, values: IntArray, noise_deviation: float) -> tuple[SegmentEstimate, ...]:
        """Totals from the released vector; ``noise_deviation`` in integer units (0 for an exact sum)."""
        units = np.array([1, self.orders_cap, self.money_cap]) / np.array(AMPLITUDES)
        estimates = []
        offset = 0
        for scheme in self.schemes:
            cells = len(self.rules.segments(scheme))
            part = values[offset : offset + 3 * cells].astype(np.float64).reshape(cells, 3) * units
            offset += 3 * cells
            deviations = [float(noise_deviation * unit) for unit in units]
            estimates.append(
                SegmentEstimate(
                    scheme=scheme,
                    customers=part[:, 0],
                    orders=part[:, 1],
                    money=part[:, 2],
                    customers_deviation=deviations[0],
                    orders_deviation=deviations[1],
                    money_deviation=deviations[2],
                )
            )
        return tuple(estimates)
