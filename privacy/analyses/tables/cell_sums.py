"""Sums by cell of all declared tables at once; whatever is declared and whatever rows say, one customer is in the ball.

A customer has entries (table, cell, values). Table t owns the ball ``B_t``, a part of GAMMA^2; its measure q owns the
part ``p_q`` of that; L_t is the *usual* number of cells of one customer. A value v becomes the integer ``a_q v / cap``
with v cut to ``[-cap, cap]`` and ``a_q = floor(sqrt(B_t p_q / L_t))``. If the squares of a customer's integers in t add
up to more than B_t, all of them are scaled down to it, truncated towards zero, and their squares are added up once more
on the integers; where those are still above B_t, which cannot be, they become zero. So for every customer

    sum over t of |block t|^2  <=  sum over t of B_t  <=  GAMMA^2.

Usual cells, caps and parts say how much of the ball is used, and how much is cut off: accuracy, never privacy. The
noise of a cell is ``s cap_q sqrt(L_t / (part_t p_q))``, s the standard deviation of the noise of a sum over the ball.

**What scaling takes off.** Who fills n cells of n > L is scaled down to ``sqrt(n L)`` of them, so at most
``A - sqrt(A L)`` are lost, A the most that one customer can fill (n - sqrt(n L) ascends from n = L / 4 on). Where a
table asks for it, one more coordinate carries that loss of the first measure, cut to this most; the square of its
amplitude is taken off the table's ball before the cells get theirs, so the sum above stays what it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from privacy.kernel.canonical import Noun
from privacy.kernel.cells import MOST_TABLES, CellRows
from privacy.kernel.declarations import MOST_CELLS, MOST_MEASURES, Named
from privacy.kernel.row_arithmetic import FloatArray
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic
from privacy.statistics.bounding import UNIT_BALL

#: Parts of a whole are stated in millionths.
MILLION = 1_000_000

#: Highest cap in smallest units: twice a cap times an amplitude must fit 63 bits.
MOST_UNITS = 1 << 35

#: Leaves room for the rounding of floats where a customer is scaled down; 2^-40 of the length.
_ROOM = 1 - 2.0**-40

#: Customers, and entries, that are encoded at a time: sums of an entry's integers over them stay exact in floats.
_CUSTOMERS = 1 << 18

_Part = Annotated[int, Field(ge=1, le=MILLION)]


class CellMeasure(Noun):
    """What is added up in each cell.

    Attributes:
        cap: the most that a customer counts there, in smallest units.
        part: millionths of the table's ball.
    """

    cap: int = Field(ge=1, le=MOST_UNITS)
    part: _Part


class CellBlock(Noun):
    """One table's part of the question.

    Attributes:
        name: the table's.
        cells: how many there are.
        asked: those that are asked about, ascending; empty for all.
        usual_cells: L; who is in more of them is scaled down.
        most_cells: A, the most that one customer can fill; for ``lost`` only.
        part: millionths of the question's ball.
        lost: millionths of the table's ball, for the coordinate of what scaling took off the first measure.
        measures: in order.
    """

    name: Named
    cells: int = Field(ge=1, le=MOST_CELLS)
    asked: tuple[Annotated[int, Field(ge=0, lt=MOST_CELLS)], ...] = Field(default=(), max_length=MOST_CELLS)
    usual_cells: int = Field(default=1, ge=1, le=MOST_CELLS)
    most_cells: int = Field(default=0, ge=0, le=MOST_CELLS)
    part: _Part
    lost: int = Field(default=0, ge=0, le=MILLION // 5)
    measures: tuple[CellMeasure, ...] = Field(min_length=1, max_length=MOST_MEASURES)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if sum(measure.part for measure in self.measures) > MILLION:
            raise ValueError("the measures' parts exceed the whole")
        if self.lost and self.most_cells <= self.usual_cells:
            raise ValueError("nothing can be lost: most_cells must be above usual_cells")
        if any(low >= high for low, high in pairwise(self.asked)) or any(cell >= self.cells for cell in self.asked):
            raise ValueError("the cells that are asked about must ascend, and be there")
        if min(self.amplitudes) < 1:
            raise ValueError("a measure's part is too small to be seen at all")
        return self

    @property
    def wanted(self) -> tuple[int, ...]:
        """The cells of the block, in order."""
        return self.asked or tuple(range(self.cells))

    @property
    def dim(self) -> int:
        """Coordinates: measures by cell, and what is lost."""
        return len(self.wanted) * len(self.measures) + (self.lost > 0)

    @property
    def ball(self) -> int:
        """Squared norm that a customer's block may have."""
        return GAMMA * GAMMA * self.part // MILLION

    @property
    def lost_amplitude(self) -> int:
        """Integer of the largest loss."""
        return math.isqrt(self.ball * self.lost // MILLION)

    @property
    def cells_ball(self) -> int:
        """Squared norm without the coordinate of what is lost."""
        return self.ball - self.lost_amplitude**2

    @property
    def amplitudes(self) -> tuple[int, ...]:
        """Integer of one full cap, by measure."""
        return tuple(math.isqrt(self.cells_ball * one.part // (MILLION * self.usual_cells)) for one in self.measures)

    @property
    def lost_limit(self) -> int:
        """``a (A - sqrt(A L))``: the largest loss, in integers of the first measure."""
        first = self.amplitudes[0]
        return max(1, first * self.most_cells - math.isqrt(first * first * self.most_cells * self.usual_cells))


@dataclass(frozen=True, kw_only=True, eq=False)
class CellTotals:
    """What a release says of one table.

    Attributes:
        block: the table's part of the question.
        totals: shape ``(cells asked about, measures)``, in smallest units.
        deviations: standard deviation of the noise in each measure's totals.
        lost, lost_deviation: what scaling took off the first measure in all cells together, in its unit; 0 where that
            was not asked.
    """

    block: CellBlock
    totals: FloatArray
    deviations: FloatArray
    lost: float
    lost_deviation: float


class CellSums(Statistic[CellRows]):
    """All tables of a study in one vector. Sensitivity: see the module's text.

    Attributes:
        tables: a block each; an entry's table is its place here. They may own the whole ball, or less of it.
    """

    reads = CellRows
    kind: Literal["cell_sums"] = "cell_sums"
    tables: tuple[CellBlock, ...] = Field(min_length=1, max_length=MOST_TABLES)

    @model_validator(mode="after")
    def _one_ball(self) -> Self:
        if sum(table.part for table in self.tables) > MILLION:
            raise ValueError("the tables' parts exceed the whole")
        return self

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where each table's block begins, and where the last one ends."""
        return tuple(accumulate((table.dim for table in self.tables), initial=0))

    @property
    def dim(self) -> int:
        """All blocks."""
        return self.offsets[-1]

    @property
    def bound(self) -> ContributionBound:
        """Whatever is declared."""
        return UNIT_BALL

    def encode_rows(self, rows: CellRows) -> IntArray:
        """One vector a customer."""
        dense = np.zeros((len(rows), self.dim), dtype=np.int64)
        for customers, places, integers in self.entries(rows):
            dense[customers, places] = integers
        return dense

    def encode_sum(self, rows: CellRows) -> IntArray:
        """The same, added up entry by entry."""
        total = np.zeros(self.dim, dtype=np.int64)
        for start in range(0, len(rows), _CUSTOMERS):
            for _, places, integers in self.entries(rows.take(slice(start, start + _CUSTOMERS))):
                np.add.at(total, places, integers)
        return total

    def decode(self, values: IntArray, noise_deviation: float) -> tuple[CellTotals, ...]:
        """Totals of every table from the released vector; ``noise_deviation`` in integer units (0 for exact sums)."""
        found = []
        for start, block in zip(self.offsets, self.tables, strict=False):
            cells, width = len(block.wanted), len(block.measures)
            units = np.array([one.cap / a for one, a in zip(block.measures, block.amplitudes, strict=True)])
            totals = values[start : start + cells * width].astype(np.float64).reshape(cells, width)
            lost = block.lost_limit * units[0] / block.lost_amplitude if block.lost else 0.0
            found.append(
                CellTotals(
                    block=block,
                    totals=totals * units,
                    deviations=noise_deviation * units,
                    lost=float(values[start + cells * width]) * lost if block.lost else 0.0,
                    lost_deviation=noise_deviation * lost,
                )
            )
        return tuple(found)

    def entries(self, rows: CellRows) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
        """(customers, coordinates, integers) of all that counts; no coordinate twice for one customer."""
        sound = ~_spoiled(rows)[rows.customer]
        for number, (start, block) in enumerate(zip(self.offsets, self.tables, strict=False)):
            mine = np.flatnonzero(sound & (rows.table == number))
            place = np.searchsorted(np.array(block.wanted, dtype=np.int64), rows.cell[mine])
            place = np.minimum(place, len(block.wanted) - 1)
            there = np.array(block.wanted, dtype=np.int64)[place] == rows.cell[mine]
            mine, place = mine[there], place[there]
            customers, width = rows.customer[mine], len(block.measures)
            given = min(width, rows.values.shape[1])
            whole = np.zeros((len(mine), width), dtype=np.int64)
            for q, (measure, amplitude) in enumerate(zip(block.measures[:given], block.amplitudes, strict=False)):
                whole[:, q] = _scaled(rows.values[mine, q], measure.cap, amplitude)
            kept = _into_ball(whole, customers, block.cells_ball)
            for q in range(width):
                yield customers, start + place * width + q, kept[:, q]
            if block.lost:
                loss = np.abs(whole[:, 0]) - np.abs(kept[:, 0])
                begins = _begins(customers)
                lost = np.add.reduceat(loss, begins) if len(loss) else loss
                integers = _scaled(lost, block.lost_limit, block.lost_amplitude)
                yield customers[begins], np.full(len(begins), start + block.dim - 1), integers


def _spoiled(rows: CellRows) -> NDArray[np.bool_]:
    """By customer: whether its entries do not ascend strictly, so that a cell might count twice."""
    same = rows.customer[1:] == rows.customer[:-1]
    ascends = (rows.table[1:] > rows.table[:-1]) | (
        (rows.table[1:] == rows.table[:-1]) & (rows.cell[1:] > rows.cell[:-1])
    )
    spoiled = np.zeros(len(rows), dtype=np.bool_)
    spoiled[rows.customer[1:][same & ~ascends]] = True
    return spoiled


def _scaled(values: IntArray, cap: int, amplitude: int) -> IntArray:
    """``amplitude * values / cap``, cut to the amplitude on both sides; the nearest integer, half away from zero."""
    cut = np.clip(values, -cap, cap)
    shift = max(0, cap.bit_length() + amplitude.bit_length() - 61)  # of ``lost`` alone: a cap has at most 36 bits
    cut, cap = cut >> shift, cap >> shift
    size = np.minimum((2 * amplitude * np.abs(cut) + cap) // (2 * cap), amplitude)
    return np.asarray(np.sign(cut) * size, dtype=np.int64)


def _begins(customers: IntArray) -> IntArray:
    """Where each customer's entries begin, of entries one customer after the other."""
    return np.flatnonzero(np.concatenate([np.ones(min(1, len(customers)), bool), customers[1:] != customers[:-1]]))


def _into_ball(integers: IntArray, customers: IntArray, ball: int) -> IntArray:
    """Every customer's integers scaled down to the ball where they are longer, and looked at once more.

    Squares of one customer fit 63 bits: an entry's are at most the ball, below 2^52, and there are at most 2,000.
    """
    if not len(integers):
        return integers
    begins = _begins(customers)
    counts = np.diff(np.append(begins, len(customers)))

    def squares(vectors: IntArray) -> IntArray:
        return np.asarray(np.add.reduceat((vectors * vectors).sum(axis=1), begins))  # integers: exact in any order

    length = squares(integers)
    long = length > ball
    if not long.any():
        return integers
    factor = np.where(long, math.sqrt(ball) * _ROOM / np.sqrt(np.maximum(length, 1).astype(np.float64)), 1.0)
    shorter = np.trunc(integers * np.repeat(factor, counts)[:, np.newaxis]).astype(np.int64)
    kept = np.where(np.repeat(long, counts)[:, np.newaxis], shorter, integers)
    kept[np.repeat(squares(kept) > ball, counts)] = 0  # cannot happen; if it did, nothing would leave
    return np.asarray(kept)
