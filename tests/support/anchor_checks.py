"""Checks of anchor sums and of the grid that a mutant must fail too."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from row_kits import FEATURE_DAYS, FeatureRow, feature_table

from privacy.analyses.clusters.anchor_sums import AnchorSums, CappedFact
from privacy.analyses.clusters.grid_counts import GridCounts
from privacy.kernel.features import MISSING, UNIT, Scale, ScaledFeature
from privacy.kernel.linear_view import ENTRY, LinearView
from privacy.statistics import GAMMA, Statistic

DAY = 1


#: Days since the last purchase and orders, 0 to 8 each, as places from -1 to 1 in quarters; exact in every number.
QUARTERS = Scale(kind="linear", high=8, steps=9)


SQUARE = LinearView(
    features=(ScaledFeature(name="recency_days", scale=QUARTERS), ScaledFeature(name="orders_90", scale=QUARTERS)),
    radius=2 * UNIT,
    matrix=((0, ENTRY, 0), (0, 0, ENTRY)),
)


#: The same, twice as wide: the outer places are outside of a grid.
TWICE = SQUARE.model_copy(update={"matrix": ((0, 2 * ENTRY, 0), (0, 0, 2 * ENTRY))})


def customer(recency: int, orders: int, money: int = 0, interval: int = 0, *, eligible: int = 1) -> FeatureRow:
    """A customer on the day that is asked for; on the others it is somebody else."""
    other = (1 - eligible, 1, (8 - recency, 8 - orders, 77, 99))
    days = [other] * FEATURE_DAYS
    days[DAY] = (eligible, -1, (recency, orders, money, interval))
    return tuple(days)


def both_ways(statistic: Statistic, rows: list[FeatureRow]) -> list[np.ndarray]:
    """The sum of all, in one go and one customer at a time, which must be the same integers."""
    whole = feature_table(rows)
    alone = sum(statistic.encode_rows(feature_table([row]))[0] for row in rows)
    return [statistic.encode_sum(whole), alone]


ANCHORS = AnchorSums(
    view=SQUARE,
    day=DAY,
    anchors=((-UNIT // 2, 0), (UNIT // 2, 0)),
    radii=(UNIT // 4, 2 * UNIT),
    count_amplitude=400,
    offset_amplitude=800,
    facts=(
        CappedFact(name="money", caps=(100, 1000), amplitude=300),
        CappedFact(name="interval_days", caps=(10, 20), amplitude=150),
    ),
)


ROWS = [
    customer(2, 4, 50, 5),  # (-1/2, 0): on the first anchor
    customer(4, 4, 500, MISSING),  # (0, 0): between both, so at the first; two radii away, cut to one
    customer(0, 0, 0, 3),  # (-1, -1): at the first, (-2, -4) radii away
    customer(8, 8, -5000, 7),  # (1, 1): at the second, (1/4, 1/2) radii away; more debt than the cap
    customer(6, 0, -300, 50),  # (1/2, -1): at the second, (0, -1/2) radii away; more days than the cap
    customer(2, 4, 10, 10, eligible=0),
    customer(8, 8, 10, 10, eligible=2),
]


def check_a_worked_table_of_anchors(root_folder: Path) -> None:
    """Counts, offsets and facts of seven customers, worked out by hand."""
    root = math.sqrt(5)
    for total in both_ways(ANCHORS, ROWS):
        found = ANCHORS.decode(total, 0.0)
        near = {"rtol": 0, "atol": 1e-6}
        np.testing.assert_allclose(found.counts, [3, 2], **near)
        np.testing.assert_allclose(found.offsets, [[1 - 1 / root, -2 / root], [0.25, 0.0]], **near)
        np.testing.assert_allclose(found.facts[0], [50 + 100 + 0, -1000 - 300], rtol=0, atol=1e-3)
        np.testing.assert_allclose(found.facts[1], [5 + 0 + 3, 7 + 20], rtol=0, atol=1e-3)


def check_a_worked_grid(root_folder: Path) -> None:
    """Four by four cells of customers on borders, inside, outside in all directions, and not eligible."""
    grid = GridCounts(view=TWICE, day=DAY, cells=4)
    places = {  # recency and orders to row and column
        (4, 4): (2, 2), (3, 5): (1, 3), (2, 6): (0, 3), (6, 2): (3, 0), (5, 3): (3, 1), (5, 4): (3, 2), (4, 3): (2, 1),
        (0, 0): (0, 0), (0, 8): (0, 3), (8, 0): (3, 0), (8, 8): (3, 3), (1, 4): (0, 2), (3, 3): (1, 1),
    }  # fmt: skip
    expected = np.zeros((4, 4))
    for row, column in places.values():
        expected[row, column] += 1
    rows = [customer(*place) for place in places]
    rows += [customer(4, 4, eligible=0), customer(1, 1, eligible=-1)]
    for total in both_ways(grid, rows):
        assert total.tolist() == (expected * GAMMA).ravel().astype(int).tolist()
        counts, deviation = grid.decode(total, 3.0 * GAMMA)
        assert counts.reshape(4, 4).tolist() == expected.tolist()
        assert deviation == 3.0
