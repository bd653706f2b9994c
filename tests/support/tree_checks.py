"""Checks of sums by leaf that mutants must fail too."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from analyses.churn.tree_examples import LEAF_SUMS
from contract_examples import READINGS, kind_of
from row_kits import FEATURE_DAYS, FEATURE_NAMES, feature_table
from statistic_kit import SCALED

from privacy.kernel.features import FeatureTable
from privacy.models.trained import WEIGHT
from privacy.models.trees import Tree, TreesModel
from privacy.statistics import GAMMA
from privacy.statistics.leaf_sums import LeafSums


def check_pairs_of_one_day(question: LeafSums, table: FeatureTable, day: int) -> None:
    """One cell a tree, the same pair in each, and together at most GAMMA / D long."""
    one = question.model_copy(update={"days": (day,)})
    rows = one.encode_rows(table).reshape(len(table), len(one.trees), one.leaves, 2)
    assert (rows.any(axis=3).sum(axis=2) <= 1).all()
    pairs = rows.sum(axis=2)
    assert (pairs == pairs[:, :1]).all()
    whole = question.model_copy(update={"days": (day,) * len(question.days)})
    squares = (whole.encode_rows(table).astype(object) ** 2).sum(axis=1)
    assert all(square <= GAMMA**2 for square in squares)


def check_a_worked_table_of_leaves() -> None:
    """By hand: p is 1/2, so (g, h) is (-1/2, 1/4) of who churned; and what slow code says of the examples."""
    even = TreesModel(features=SCALED[:2], weights=(0, 0, 0))
    trees = (Tree(inputs=(0, 2), thresholds=(0, -1)), Tree(inputs=(1, 1), thresholds=(0, 1)))
    question = LeafSums(model=even, trees=trees, days=(0, 1), clip=1000)
    # Recency at the end of its scale, no orders: right of both levels of the first tree, left of those of the second.
    away = (1, 1, (10_000, 0, 0, 0))
    table = feature_table([(away, away, away), (away, (0, 1, away[2]), away)])
    sums, curvatures, _ = question.decode(question.encode_sum(table), 0.0)
    assert np.allclose(sums, [[0, 0, 0, -0.75], [-0.75, 0, 0, 0]], atol=1e-6)
    assert np.allclose(curvatures, [[0, 0, 0, 0.375], [0.375, 0, 0, 0]], atol=1e-6)
    assert question.looks_at == (frozenset(FEATURE_NAMES[:2]), 2)
    # The witness: sure of a churn that did not come, on all days.
    sure = even.model_copy(update={"weights": (0, 0, 20 * WEIGHT)})
    stays = (1, 0, away[2])
    for days in ((0,), (0, 1), tuple(range(FEATURE_DAYS))):
        asked = question.model_copy(update={"model": sure, "days": days, "clip": 600})
        rows = asked.encode_rows(feature_table([(stays,) * FEATURE_DAYS]))
        length = int((rows.astype(object) ** 2).sum())
        assert Fraction(999_999, 1_000_000) * GAMMA**2 < length <= GAMMA**2
    reading = READINGS["leaf_sums"]
    for statistic in LEAF_SUMS:
        of = kind_of(statistic)
        crowd = of.table([*of.rows_of(of.plausible(40, 3)), of.busy])
        found = reading.read(statistic, statistic.encode_sum(crowd), 0.0).values
        truth = np.array(reading.truth(statistic, of.rows_of(crowd)))
        assert (np.abs(found - truth) <= reading.tolerance(statistic, len(crowd))).all()
