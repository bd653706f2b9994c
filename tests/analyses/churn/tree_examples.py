"""Examples of trees and of the question that fills their leaves, with slow code that says what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from row_kits import FEATURE_DAYS, FeatureRow
from statistic_kit import SCALED, Reading, ReadingOf, cut, slow_inputs

from privacy.kernel.features import UNIT
from privacy.models.trained import LOGIT, PROBABILITY, WEIGHT
from privacy.models.trees import Tree, TreesModel
from privacy.statistics.leaf_sums import LeafSums

_LARGEST = 1 << 24
_FARTHEST = (1 << 30) - 1

#: Trees of three levels without leaves; the second asks the linear score first.
DRAWN = (
    Tree(inputs=(0, 1, 2), thresholds=(0, -1024, 2000)),
    Tree(inputs=(4, 3, 0), thresholds=(LOGIT // 2, 99, 1000)),
    Tree(inputs=(2, 2, 4), thresholds=(-1, 0, -LOGIT)),
)

#: A linear score and trees that were learnt.
GROWN = TreesModel(
    features=SCALED,
    weights=(2 * WEIGHT, -WEIGHT // 3, -12_345, 7, WEIGHT // 2),
    trees=tuple(
        tree.model_copy(update={"leaves": tuple((7919 * (leaf + place)) % 9_000 - 4_000 for leaf in range(8))})
        for place, tree in enumerate(DRAWN[:2])
    ),
)

_STEEP = TreesModel(features=SCALED, weights=(_LARGEST, _LARGEST, 0, 0, _LARGEST))


def slow_linear(model: TreesModel, inputs: list[int]) -> int:
    """The linear score with Python's integers."""
    return sum(x * w for x, w in zip([*inputs, UNIT], model.weights, strict=True))


def slow_leaf(tree: Tree, inputs: list[int], score: int) -> int:
    """The leaf by its path: left is 0, right is 1."""
    values = [*inputs, score]
    path = [str(int(values[column] > limit)) for column, limit in zip(tree.inputs, tree.thresholds, strict=True)]
    return int("".join(path), 2)


def slow_trees(model: TreesModel, inputs: list[int]) -> int:
    """A model's logit."""
    score = slow_linear(model, inputs)
    return score + sum(UNIT * tree.leaves[slow_leaf(tree, inputs, score)] for tree in model.trees)


def _read(statistic: LeafSums, values: NDArray[np.int64], noise: float) -> Reading:
    sums, curvatures, deviation = statistic.decode(values, noise)
    flat = np.stack([sums, curvatures], axis=2).ravel()
    return Reading(values=flat, deviations=np.full(len(flat), deviation))


def reading_of(slow_probability: Callable[[int], int]) -> ReadingOf:
    """How sums by leaf are read; with the rooms' slow logistic function."""

    def truth(statistic: LeafSums, customers: Sequence[FeatureRow]) -> list[float]:
        total = np.zeros((len(statistic.trees), statistic.leaves, 2))
        for row in customers:
            for number in statistic.days:
                eligible, outcome, _ = day = row[number]
                if eligible != 1 or outcome not in (0, 1):
                    continue
                inputs = slow_inputs(statistic.model.features, day)
                p = slow_probability(slow_trees(statistic.model, inputs)) / PROBABILITY
                pair = np.array(cut([p - outcome, p * (1 - p)], statistic.clip / 1000)) / len(statistic.days)
                score = slow_linear(statistic.model, inputs)
                for place, tree in enumerate(statistic.trees):
                    total[place, slow_leaf(tree, inputs, score)] += pair
        return total.ravel().tolist()

    return ReadingOf(
        read=_read,
        truth=truth,
        # Less than one unit a day.
        tolerance=lambda statistic, customers: np.full(
            statistic.dim, customers * len(statistic.days) * statistic.unit + 1e-9
        ),
        reached=0.999999,
    )


#: The smallest, an ordinary one, and one at the edges of what its fields allow.
LEAF_SUMS = (
    LeafSums(
        model=TreesModel(features=SCALED[:1], weights=(0, 0)), trees=(Tree(inputs=(0,), thresholds=(0,)),),
        days=(0,), clip=1,
    ),
    LeafSums(model=GROWN, trees=DRAWN, days=tuple(range(FEATURE_DAYS)), clip=600),
    LeafSums(
        model=_STEEP, days=(2, 0), clip=1000,
        trees=(
            Tree(inputs=(0, 1, 2, 3, 4, 0), thresholds=(-_FARTHEST, 0, 0, 0, _FARTHEST, 4096)),
            Tree(inputs=(4,) * 6, thresholds=tuple(range(6))),
        ),
    ),
)  # fmt: skip
