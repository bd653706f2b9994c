"""Oblivious trees on a linear start, as holders apply them: integers only (:mod:`privacy.models.trained`).

A tree asks one question a level, the same for everybody: is this input above this threshold? With three levels it has
eight leaves. In a study inputs and thresholds are public and drawn before any customer is looked at; only the leaves'
values are learnt.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from privacy.kernel.canonical import Noun
from privacy.kernel.features import UNIT, ScaledFeature
from privacy.models.trained import IntArray, Weight, Weights, linear_logits

#: Thresholds fit 32 bits, as a model file has them: 3.99 logits.
_LIMIT = (1 << 30) - 1
_Threshold = Annotated[int, Field(ge=-_LIMIT, le=_LIMIT)]
_LEVELS = 6


class Tree(Noun):
    """One oblivious tree.

    Attributes:
        inputs: per level the feature's place, or the number of features for the linear score.
        thresholds: per level; a customer goes right where its input is above. Scaled features in units of 1 / UNIT, the
            linear score in units of 1 / LOGIT.
        leaves: values in units of 1 / WEIGHT, from always left to always right; empty while they are learnt.
    """

    inputs: tuple[Annotated[int, Field(ge=0, le=64)], ...] = Field(min_length=1, max_length=_LEVELS)
    thresholds: tuple[_Threshold, ...] = Field(min_length=1, max_length=_LEVELS)
    leaves: tuple[Weight, ...] = Field(default=(), max_length=1 << _LEVELS)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.inputs) != len(self.thresholds):
            raise ValueError("a tree has one threshold a level")
        if len(self.leaves) not in (0, self.size):
            raise ValueError("a tree has two leaves to the power of its levels")
        return self

    @property
    def size(self) -> int:
        """Number of its leaves."""
        return 1 << len(self.inputs)

    def places(self, scaled: IntArray, score: IntArray) -> IntArray:
        """The leaf of every customer, shape ``(customers,)``.

        Args:
            scaled: scaled features, shape ``(customers, features)``.
            score: the linear score, in units of 1 / LOGIT, shape ``(customers,)``.
        """
        place = np.zeros(len(score), dtype=np.int64)
        for column, threshold in zip(self.inputs, self.thresholds, strict=True):
            value = score if column == scaled.shape[1] else scaled[:, column]
            place = 2 * place + (value > threshold)
        return place


def check_trees(trees: tuple[Tree, ...], features: int) -> None:
    """Refuse trees of several depths, and inputs that there are not.

    Raises:
        ValueError: if a model of so many features cannot have these trees.
    """
    if len({tree.size for tree in trees}) > 1:
        raise ValueError("all trees have as many levels")
    if any(column > features for tree in trees for column in tree.inputs):
        raise ValueError("a tree's input is one of the features, or the linear score")


class TreesModel(Noun):
    """A logistic regression, and trees whose leaves are added to its score.

    Attributes:
        features: its inputs.
        weights: of the linear score; one per feature, then the intercept.
        trees: none where the noise left nothing to be learnt beyond the linear score.
    """

    kind: Literal["trees"] = "trees"
    features: tuple[ScaledFeature, ...] = Field(min_length=1, max_length=64)
    weights: Weights
    trees: tuple[Tree, ...] = Field(default=(), max_length=64)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.weights) != len(self.features) + 1:
            raise ValueError("the linear score has one weight per feature and an intercept")
        check_trees(self.trees, len(self.features))
        if not all(tree.leaves for tree in self.trees):
            raise ValueError("a model's trees have their leaves")
        return self

    def score(self, scaled: IntArray) -> IntArray:
        """The linear score, in units of 1 / LOGIT; as :meth:`logits`."""
        return linear_logits(scaled, self.weights)

    def logits(self, scaled: IntArray) -> IntArray:
        """Logits in units of 1 / LOGIT, shape ``(customers,)``, of inputs of shape ``(customers, features)``."""
        return self.grown(scaled, self.score(scaled))

    def grown(self, scaled: IntArray, score: IntArray) -> IntArray:
        """The same, where the linear score is known."""
        total = score.copy()
        for tree in self.trees:
            total += np.array(tree.leaves, dtype=np.int64)[tree.places(scaled, score)] * UNIT
        return total
