"""Sensitivity: how far one customer, or one person at several holders, can move a sum; exactly, on integers.

Neighbouring tables differ in one customer record (add/remove), with all its days. The squared norm of the difference of
their encoded sums must not exceed the bound's; replacing a customer moves it at most twice as far, and a person with
one record at each of k holders at most k times as far. The check itself is tested on statistics that forget to clip,
that forget a part of the bound, or that look at other customers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from analyses.rfm.examples import RULES
from contract_examples import STATISTIC_IDS, STATISTIC_VALUES, STATISTICS, kind_of
from hypothesis import given, settings
from hypothesis import strategies as st
from row_kits import FEATURE_DAYS, tables_of

from privacy.analyses.clusters.anchor_sums import AnchorSums
from privacy.analyses.clusters.grid_counts import GridCounts
from privacy.analyses.history.day_values import DayValues
from privacy.analyses.history.history_cells import HistoryCells
from privacy.analyses.rfm.prefix_sums import FactGrid, PrefixSums
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.kernel.customers import CustomerColumns
from privacy.kernel.features import UNIT, FeatureTable
from privacy.statistics import ContributionBound, Statistic
from privacy.statistics.base import IntArray
from privacy.statistics.score_histogram import ScoreHistogram

each_statistic = pytest.mark.parametrize("statistic", STATISTIC_VALUES, ids=STATISTIC_IDS)
short = settings(max_examples=25, deadline=None)


def squared_distance(one: Sequence[IntArray], other: Sequence[IntArray]) -> int:
    """Squared norm of the difference of two sums over holders, in Python integers."""
    totals = [[sum(column) for column in zip(*(v.tolist() for v in vectors), strict=True)] for vectors in (one, other)]
    return sum((a - b) ** 2 for a, b in zip(*totals, strict=True))


def moved_by(statistic: Statistic, columns: Any, row: Any) -> int:
    """Squared distance that adding one customer moves the sum."""
    kind = kind_of(statistic)
    with_row = kind.table([*kind.rows_of(columns), row])
    return squared_distance([statistic.encode_sum(with_row)], [statistic.encode_sum(columns)])


@each_statistic
@given(data=st.data())
@short
def test_adding_or_removing_one_customer(statistic: Statistic, data: st.DataObject) -> None:
    kind = kind_of(statistic)
    columns, row = data.draw(tables_of(kind)), data.draw(kind.rows)
    assert moved_by(statistic, columns, row) <= statistic.bound.squared_norm


@each_statistic
@given(data=st.data())
@short
def test_replacing_one_customer(statistic: Statistic, data: st.DataObject) -> None:
    kind = kind_of(statistic)
    others = kind.rows_of(data.draw(tables_of(kind)))
    before, after = data.draw(kind.rows), data.draw(kind.rows)
    distance = squared_distance(
        [statistic.encode_sum(kind.table([*others, before]))], [statistic.encode_sum(kind.table([*others, after]))]
    )
    assert distance <= 4 * statistic.bound.squared_norm


@each_statistic
@given(data=st.data())
@short
def test_a_person_with_a_record_at_each_of_k_holders(statistic: Statistic, data: st.DataObject) -> None:
    kind = kind_of(statistic)
    holders = data.draw(st.lists(st.tuples(tables_of(kind, max_size=4), kind.rows), min_size=1, max_size=4))
    k = len(holders)
    distance = squared_distance(
        [statistic.encode_sum(kind.table([*kind.rows_of(columns), row])) for columns, row in holders],
        [statistic.encode_sum(columns) for columns, _ in holders],
    )
    assert distance <= k * k * statistic.bound.squared_norm


@each_statistic
def test_k_equal_records_move_the_sum_k_times_as_far(statistic: Statistic) -> None:
    """With the customer of the longest vector, which reaches the bound (see the contract suite)."""
    kind = kind_of(statistic)
    empty = kind.table([])
    longest = max(kind.extremes, key=lambda row: moved_by(statistic, empty, row))
    k = 3
    distance = squared_distance([statistic.encode_sum(kind.table([longest]))] * k, [statistic.encode_sum(empty)] * k)
    assert distance == k * k * moved_by(statistic, empty, longest) > 0


@each_statistic
def test_one_customer_with_very_many_orders_counts_once(statistic: Statistic) -> None:
    kind = kind_of(statistic)
    assert 0 < moved_by(statistic, kind.plausible(200, 5), kind.busy) <= statistic.bound.squared_norm


# --- tests of the tester -----------------------------------------------------------------------------------------


class ClipSkipped(SegmentTotals):
    """Money enters unclipped."""

    def encode_sum(self, columns: CustomerColumns) -> IntArray:
        return super().encode_sum(columns) + columns.money.sum()


class ClipAfterSum(SegmentTotals):
    """The total is clipped instead of each customer."""

    def encode_sum(self, columns: CustomerColumns) -> IntArray:
        limit = 50 * self.bound.max_abs
        return np.full(self.dim, np.clip(columns.orders.sum() * self.bound.max_abs, -limit, limit))


class ForgottenScheme(SegmentTotals):
    """The bound forgets that a customer stands in one cell of each segmentation."""

    @property
    def bound(self) -> ContributionBound:
        bound = super().bound
        return bound.model_copy(update={"squared_norm": bound.squared_norm // len(self.schemes)})


class DependsOnTheOthers(PrefixSums):
    """Every customer's vector is scaled by the number of customers."""

    CHUNK: ClassVar[int] = 1

    def encode_sum(self, columns: CustomerColumns) -> IntArray:
        return super().encode_sum(columns) * len(columns)


class DaysEachCounted(ScoreHistogram):
    """Every day of a customer is one more contribution; the bound is that of one day."""

    def encode_rows(self, table: FeatureTable) -> IntArray:
        days = [self.model_copy(update={"day": day}) for day in range(FEATURE_DAYS)]
        return sum(ScoreHistogram.encode_rows(day, table) for day in days)


class ForgottenModel(ScoreHistogram):
    """The bound is that of the first model."""

    @property
    def bound(self) -> ContributionBound:
        return ContributionBound(
            gamma=super().bound.gamma, squared_norm=self.models[0].amplitude ** 2, max_abs=self.models[0].amplitude
        )


class ScaledByTheTable(ScoreHistogram):
    """Scores are compared with those of the other customers."""

    def encode_rows(self, table: FeatureTable) -> IntArray:
        spread = np.maximum(table.values.max(axis=(0, 1), initial=1), 1)
        relative = FeatureTable(
            names=table.names, values=table.values * 1000 // spread, eligible=table.eligible, outcome=table.outcome
        )
        return super().encode_rows(relative)


class CountedNextDoorToo(GridCounts):
    """A customer is smoothed over two cells, at full weight in each."""

    def encode_sum(self, table: FeatureTable) -> IntArray:
        counts = super().encode_sum(table)
        return counts + np.roll(counts, 1)


class InTwoQuarters(HistoryCells):
    """A customer also stands where it stood a quarter of the window ago."""

    def encode_sum(self, table: FeatureTable) -> IntArray:
        counts = super().encode_sum(table)
        return counts + np.roll(counts, -self.dim // 4)


class SpendBeyondTheCap(DayValues):
    """Spend enters beyond the cap, as a larger cap's would."""

    def encode_sum(self, table: FeatureTable) -> IntArray:
        wider = DayValues(day=self.day, cap=4 * self.cap).encode_sum(table)
        return wider * np.array([1, 4, 1, 4, 16, 16, 1])


class AtEveryAnchor(AnchorSums):
    """A customer's block stands at all anchors."""

    def encode_sum(self, table: FeatureTable) -> IntArray:
        blocks = super().encode_sum(table).reshape(len(self.anchors), self.block)
        return np.tile(blocks.sum(axis=0), len(self.anchors))


class AnchorsFollowTheTable(AnchorSums):
    """Anchors are moved to where the customers are: adding one moves what all the others add."""

    def encode_sum(self, table: FeatureTable) -> IntArray:
        centre = self.view.apply(table, self.day).sum(axis=0) / max(len(table), 1) * UNIT
        anchors = tuple(
            tuple(int(place + shift) for place, shift in zip(anchor, centre, strict=True)) for anchor in self.anchors
        )
        return AnchorSums.encode_sum(self.model_copy(update={"anchors": anchors}), table)


_TOTALS = {"rules": RULES, "schemes": ("eight", "ten"), "orders_cap": 10, "money_cap": 1000}


@pytest.mark.parametrize(
    "mutant",
    [
        ClipSkipped(**_TOTALS),
        ClipAfterSum(**_TOTALS),
        ForgottenScheme(**_TOTALS),
        DependsOnTheOthers(grids=(FactGrid(fact="orders", upper=(1, 5), permille=1000),)),
        *(
            mutant.model_validate(STATISTICS["score_histogram"][1].model_dump())
            for mutant in (DaysEachCounted, ForgottenModel, ScaledByTheTable)
        ),
        InTwoQuarters.model_validate(STATISTICS["history_cells"][1].model_dump()),
        SpendBeyondTheCap.model_validate(STATISTICS["day_values"][1].model_dump()),
        CountedNextDoorToo.model_validate(STATISTICS["grid_counts"][1].model_dump()),
        *(
            mutant.model_validate(STATISTICS["anchor_sums"][1].model_dump())
            for mutant in (AtEveryAnchor, AnchorsFollowTheTable)
        ),
    ],
    ids=lambda mutant: type(mutant).__name__,
)
def test_the_check_sees_a_statistic_that_breaks_its_bound(mutant: Statistic) -> None:
    kind = kind_of(mutant)
    columns = kind.plausible(5, 9)
    worst = max(moved_by(mutant, columns, row) for row in (kind.busy, *kind.extremes))
    assert worst > mutant.bound.squared_norm
