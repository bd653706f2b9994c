"""Sensitivity: how far one customer, or one person at several holders, can move a sum; exactly, on integers.

Neighbouring tables differ in one customer record (add/remove). The squared norm of the difference of their encoded
sums must not exceed the bound's; replacing a customer moves it at most twice as far, and a person with one record at
each of k holders at most k times as far. The check itself is tested on statistics that forget to clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest
from contract_examples import (
    INT64_MAX,
    RULES,
    STATISTIC_IDS,
    STATISTIC_VALUES,
    Row,
    customer_table,
    rows,
    rows_of,
    table,
    tables,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.contract.customers import CustomerColumns
from privacy.statistics import ContributionBound, PrefixSums, SegmentTotals, Statistic
from privacy.statistics.base import IntArray
from privacy.statistics.prefix_sums import FactGrid

each_statistic = pytest.mark.parametrize("statistic", STATISTIC_VALUES, ids=STATISTIC_IDS)
short = settings(max_examples=60, deadline=None)


def squared_distance(one: Sequence[IntArray], other: Sequence[IntArray]) -> int:
    """Squared norm of the difference of two sums over holders, in Python integers."""
    totals = [[sum(column) for column in zip(*(v.tolist() for v in vectors), strict=True)] for vectors in (one, other)]
    return sum((a - b) ** 2 for a, b in zip(*totals, strict=True))


def moved_by(statistic: Statistic, columns: CustomerColumns, row: Row) -> int:
    """Squared distance that adding one customer moves the sum."""
    with_row = table([*rows_of(columns), row])
    return squared_distance([statistic.encode_sum(with_row)], [statistic.encode_sum(columns)])


@each_statistic
@given(columns=tables(), row=rows)
@short
def test_adding_or_removing_one_customer(statistic: Statistic, columns: CustomerColumns, row: Row) -> None:
    assert moved_by(statistic, columns, row) <= statistic.bound.squared_norm


@each_statistic
@given(columns=tables(), before=rows, after=rows)
@short
def test_replacing_one_customer(statistic: Statistic, columns: CustomerColumns, before: Row, after: Row) -> None:
    others = rows_of(columns)
    distance = squared_distance(
        [statistic.encode_sum(table([*others, before]))], [statistic.encode_sum(table([*others, after]))]
    )
    assert distance <= 4 * statistic.bound.squared_norm


@each_statistic
@given(holders=st.lists(st.tuples(tables(max_size=4), rows), min_size=1, max_size=4))
@short
def test_a_person_with_a_record_at_each_of_k_holders(
    statistic: Statistic, holders: list[tuple[CustomerColumns, Row]]
) -> None:
    k = len(holders)
    distance = squared_distance(
        [statistic.encode_sum(table([*rows_of(columns), row])) for columns, row in holders],
        [statistic.encode_sum(columns) for columns, _ in holders],
    )
    assert distance <= k * k * statistic.bound.squared_norm


@each_statistic
def test_k_equal_records_reach_k_times_the_bound(statistic: Statistic) -> None:
    row = (-(2**63), INT64_MAX, INT64_MAX if isinstance(statistic, SegmentTotals) else -(2**63), -(2**63))
    if isinstance(statistic, PrefixSums) and any(grid.fact == "orders" for grid in statistic.grids):
        row = (-(2**63),) * 4
    k = 3
    distance = squared_distance([statistic.encode_sum(table([row]))] * k, [statistic.encode_sum(table([]))] * k)
    assert distance == k * k * statistic.bound.squared_norm


@each_statistic
def test_one_customer_with_very_many_orders_counts_once(statistic: Statistic) -> None:
    columns = customer_table(200, seed=5)
    assert moved_by(statistic, columns, (0, 1_000_000, 10**15, 5_000)) <= statistic.bound.squared_norm


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


_TOTALS = {"rules": RULES, "schemes": ("eight", "ten"), "orders_cap": 10, "money_cap": 1000}


@pytest.mark.parametrize(
    "mutant",
    [
        ClipSkipped(**_TOTALS),
        ClipAfterSum(**_TOTALS),
        ForgottenScheme(**_TOTALS),
        DependsOnTheOthers(grids=(FactGrid(fact="orders", upper=(1, 5), permille=1000),)),
    ],
    ids=lambda mutant: type(mutant).__name__,
)
def test_the_check_sees_a_statistic_that_breaks_its_bound(mutant: Statistic) -> None:
    columns = customer_table(5, seed=9)
    worst = max(moved_by(mutant, columns, row) for row in [(0, 10, 1000, 0), (0, 1, 10**9, 0), (0, 40, 1, 0)])
    assert worst > mutant.bound.squared_norm
