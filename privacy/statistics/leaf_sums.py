"""What a model leaves of the outcome, by leaf of several public trees, with the curvature that goes with it.

**The bound, exact.** A customer with the outcome y and the predicted probability p adds the pair g = p - y and
h = p (1 - p) to one leaf of each of B trees, the same pair in each. With q = |p - y|, h = q (1 - q) and

    g^2 + h^2 = q^2 (1 + (1 - q)^2),    derivative 2 q (2 - 3 q + 2 q^2) > 0 for q > 0 (discriminant 9 - 16 < 0),

so its supremum is 1, at q = 1, and it is 5/16 at q = 1/2. The pair is cut to a length of C, once, for all trees: a
customer's vector over all leaves is then at most C sqrt B long, .6 sqrt 16 = 2.4 in a study. That says how little is
lost by the cut. That no customer is longer is proved on the integers themselves:

p is tabulated, so there are few pairs (:func:`pair`). With D days each of them is, in exact arithmetic,
``|a| = floor(sqrt(g^2 GAMMA^2 / (max(C^2, g^2 + h^2) B D^2)))`` with the sign of g, and b likewise from h. Hence
``a^2 + b^2 <= GAMMA^2 / (B D^2)``. On one day the vector has B such pairs in different places: it is at most GAMMA / D
long, whichever leaves they fall into. The sum over D days is at most GAMMA long, by the triangle inequality, whether
the days fall into the same leaves or not.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from privacy.kernel.features import FeatureTable
from privacy.kernel.row_arithmetic import FloatArray
from privacy.models.trained import PROBABILITY, probability
from privacy.models.trees import Tree, TreesModel, check_trees
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic
from privacy.statistics.bounding import UNIT_BALL
from privacy.statistics.vector import Days, counted_days

#: Rows whose leaves are found at a time.
_ROWS = 1 << 16


def pair(outcome: int, expected: int, clip: int, parts: int) -> tuple[int, int]:
    """The integers (a, b) of the module's text.

    Args:
        outcome: y.
        expected: p, in units of 1 / PROBABILITY.
        clip: C in thousandths.
        parts: B D^2, what the squared norm is shared by.
    """
    # Both in units of 1 / PROBABILITY^2; the length is squared, in thousandths of that.
    g, h = (expected - outcome * PROBABILITY) * PROBABILITY, expected * (PROBABILITY - expected)
    length = max(clip**2 * PROBABILITY**4, 1_000_000 * (g * g + h * h))
    a, b = (math.isqrt(part * part * 1_000_000 * GAMMA * GAMMA // (length * parts)) for part in (g, h))
    return -a if g < 0 else a, b


@lru_cache(maxsize=16)  # bounded: the parameters come from plans
def pair_table(clip: int, trees: int, days: int) -> IntArray:
    """Every :func:`pair`, shape ``(2, PROBABILITY + 1, 2)``, by outcome and probability.

    Args:
        clip: C in thousandths.
        trees: B.
        days: D.
    """
    parts = trees * days * days
    rows = [[pair(outcome, expected, clip, parts) for expected in range(PROBABILITY + 1)] for outcome in (0, 1)]
    found = np.array(rows, dtype=np.int64)
    found.flags.writeable = False
    return found


class LeafSums(Statistic[FeatureTable]):
    """Sums over customers of (g, h) by leaf of each tree: see the module's text, and there for the bound.

    A customer's days are averaged. Customers who do not count, or whose outcome is not known, add nothing.

    Attributes:
        model: what is there already; g and h are of its probabilities.
        trees: whose leaves are filled; they have none yet.
        days: which days count, where their outcome is known.
        clip: C, in thousandths.
    """

    reads = FeatureTable
    kind: Literal["leaf_sums"] = "leaf_sums"
    model: TreesModel
    trees: tuple[Tree, ...] = Field(min_length=1, max_length=64)
    days: Days
    clip: int = Field(ge=1, le=1000)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_trees(self.trees, len(self.model.features))
        if any(tree.leaves for tree in self.trees):
            raise ValueError("trees whose leaves are asked for have none")
        return self

    @property
    def leaves(self) -> int:
        """Of one tree."""
        return self.trees[0].size

    @property
    def dim(self) -> int:
        """Two numbers a leaf."""
        return 2 * len(self.trees) * self.leaves

    @property
    def bound(self) -> ContributionBound:
        """See the module's text."""
        return UNIT_BALL

    @property
    def looks_at(self) -> tuple[frozenset[str], int]:
        """The model's features, and the last of the days."""
        return frozenset(feature.name for feature in self.model.features), max(self.days) + 1

    @property
    def unit(self) -> float:
        """One integer step in natural units."""
        return self.clip / 1000 * math.sqrt(len(self.trees)) / GAMMA

    def _pairs(self, table: FeatureTable, day: int) -> tuple[IntArray, tuple[IntArray, ...]]:
        """Integers of one day, shape ``(customers, 2)``, and the leaf in each tree, shape ``(customers,)`` each."""
        scaled = table.scaled(self.model.features, day)
        score = self.model.score(scaled)
        counts = counted_days(table, day, outcome=True).astype(np.int64)
        outcome = table.outcome[:, day] * counts
        pairs = pair_table(self.clip, len(self.trees), len(self.days))
        found: IntArray = pairs[outcome, probability(self.model.grown(scaled, score))] * counts[:, None]
        return found, tuple(tree.places(scaled, score) for tree in self.trees)

    def encode_rows(self, table: FeatureTable) -> IntArray:
        """The pairs of every customer: tree by tree, leaf by leaf, g before h."""
        rows = np.zeros((len(table), len(self.trees), self.leaves, 2), dtype=np.int64)
        customers = np.arange(len(table))
        for day in self.days:
            pairs, places = self._pairs(table, day)
            for number, place in enumerate(places):
                rows[customers, number, place] += pairs
        return rows.reshape(len(table), self.dim)

    def encode_sum(self, table: FeatureTable) -> IntArray:
        """The same sum without a long row for each customer."""
        total = np.zeros((len(self.trees), self.leaves, 2), dtype=np.int64)
        for start in range(0, len(table), _ROWS):
            part = table.take(slice(start, start + _ROWS))
            for day in self.days:
                pairs, places = self._pairs(part, day)
                for number, place in enumerate(places):
                    np.add.at(total[number], place, pairs)
        return total.reshape(self.dim)

    def decode(self, values: IntArray, noise_deviation: float) -> tuple[FloatArray, FloatArray, float]:
        """Sums of g and of h, shape ``(trees, leaves)`` each, and the standard deviation of the noise in each."""
        sums = values.astype(np.float64).reshape(len(self.trees), self.leaves, 2) * self.unit
        return sums[..., 0], sums[..., 1], noise_deviation * self.unit
