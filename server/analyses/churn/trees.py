"""Public random trees on a linear start: what thresholds and several features at once add to a regression.

The start is a regression in three questions (:mod:`server.analyses.churn.learning`): size and centre, moments, one
gradient. Then come two questions of sixteen trees each (:mod:`privacy.statistics.leaf_sums`).

**No budget is spent on choosing splits.** A tree is oblivious: one input and one threshold a level. Inputs, and which
of five thresholds, are drawn by SHA-256 of a public text with the study's digest; thresholds are -1.2, -.6, 0, .6 and
1.2 deviations around the mean, both from what the start has released. The first level of every second tree asks the
linear score, at one of five logits. All trees of a question see the same residuals, so they are as one question.

**A leaf's value** from the noisy sums G and H of a leaf, with noise of deviation s in each: with K = max(H, s), the
Newton step -G / K has the variance (s^2 + K) / K^2, of the noise and of chance. With values of N(0, tau^2) beforehand
the posterior mean is -G K / (K^2 + (s^2 + K) / tau^2). The B trees of a question share it: a little more than 1 / B
of it is added for each.

Where all sums of a question are no larger than noise is, its trees are left out, and no further ones are asked for:
what was not asked is not spent. Constants are public, and were found on public data (``benchmarks/churn_sessions.py``
and ``benchmarks/churn_shops.py`` show the outcome).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from privacy.kernel.features import UNIT, ScaledFeature
from privacy.kernel.row_arithmetic import FloatArray
from privacy.models.trained import LOGIT, weight
from privacy.models.trees import Tree, TreesModel
from privacy.statistics.leaf_sums import LeafSums
from server.analyses.churn.learning import foundation, regression_steps
from server.analysis import Ask
from server.training.foundation import CENTRE, MOMENTS, Trained, gradient_title, linear_weights
from server.training.score_bins import Population

#: Questions of trees, trees of each, and levels of a tree.
QUESTIONS, TREES, LEVELS = 2, 16, 3
#: Share of the training budget that the start has, and of that size and centre, moments, and the gradient.
_START = Fraction(60, 100)
_START_SHARES = (Fraction(6, 100), Fraction(54, 100), Fraction(40, 100))
#: Length that a customer's pair is cut to, in thousandths.
_CLIP = 600
#: Variance of a leaf's value before anything is known, and what the trees of a question count together.
_SPREAD = 0.15
_GAIN = 2.0
#: Thresholds of features in deviations from the mean, and of the linear score in logits.
_DEVIATIONS = (-1.2, -0.6, 0.0, 0.6, 1.2)
_SCORES = (-1.5, -0.75, 0.0, 0.75, 1.5)
#: No feature is taken to vary less, in scaled units; no threshold is nearer to the ends of the scale.
_LEAST, _END = 0.1, 0.98
#: Sums of squares of all G this many deviations above that of noise alone are told from it.
_CLEAR = 2.0


def trees_title(number: int) -> str:
    """Title of a question of trees."""
    return f"trees {number} of {QUESTIONS}"


def trees_weights() -> dict[str, Fraction]:
    """Shares of the training budget, by title."""
    start = zip((CENTRE, MOMENTS, gradient_title(1, 1)), _START_SHARES, strict=True)
    each = (1 - _START) / QUESTIONS
    return {title: _START * share for title, share in start} | {
        trees_title(number): each for number in range(1, QUESTIONS + 1)
    }


def train_trees(
    features: tuple[ScaledFeature, ...], days: tuple[int, ...], identity: str, *, ask: Ask
) -> Trained[TreesModel]:
    """A regression and its trees, in up to five questions.

    Args:
        features: the inputs.
        days: indices of the training days.
        identity: what the trees are drawn by beside their places: the study's digest.
        ask: asks a question by its title.

    Raises:
        DataError: if the noise hides the customers, those who churned, or those who did not.
    """
    base = foundation(features, days, ask)
    weights, steps = regression_steps(base, days, rounds=1, ask=ask)
    model = TreesModel(features=features, weights=linear_weights(base, weights))
    drawn = public_trees(QUESTIONS * TREES, thresholds(base.population), identity)
    for number in range(QUESTIONS):
        part = drawn[number * TREES : (number + 1) * TREES]
        question = LeafSums(model=model, trees=part, days=days, clip=_CLIP)
        release = ask(trees_title(number + 1), question)
        sums, curvatures, noise = question.decode(release.array, release.deviation)
        if not _is_clear(sums, noise):
            break
        grown = tuple(
            tree.model_copy(update={"leaves": tuple(weight(value) for value in row)})
            for tree, row in zip(part, leaf_values(sums, curvatures, noise).tolist(), strict=True)
        )
        model = model.model_copy(update={"trees": model.trees + grown})
    return Trained(model, steps, base.population)


def leaf_values(sums: FloatArray, curvatures: FloatArray, noise: float) -> FloatArray:
    """What each leaf adds to the logit; see the module.

    Args:
        sums, curvatures: G and H, shape ``(trees, leaves)``.
        noise: deviation of the noise in each.
    """
    kept = np.maximum(curvatures, noise)
    newton = -sums * kept / (kept**2 + (noise**2 + kept) / _SPREAD)
    return np.asarray(newton * _GAIN / len(sums))


def _is_clear(sums: FloatArray, noise: float) -> bool:
    """Whether G can be told from noise alone, whose squares add up to their number times its variance."""
    return float((sums**2).sum()) > noise**2 * (sums.size + _CLEAR * math.sqrt(2 * sums.size))


def thresholds(population: Population) -> list[list[int]]:
    """Five of every feature, where releases say that customers are, and of the linear score."""
    spread = np.maximum(np.sqrt(np.square(population.axes).sum(axis=0)), _LEAST)
    cuts = np.clip(population.mean[:, None] + spread[:, None] * np.array(_DEVIATIONS), -_END, _END)
    return [*np.round(cuts * UNIT).astype(np.int64).tolist(), [round(value * LOGIT) for value in _SCORES]]


def public_trees(count: int, cuts: Sequence[Sequence[int]], identity: str) -> tuple[Tree, ...]:
    """Trees without leaves.

    Args:
        count: how many.
        cuts: thresholds to choose from, of every feature and, last, of the linear score.
        identity: drawn with.
    """

    def drawn(place: str, choices: int) -> int:
        digest = hashlib.sha256(f"cohortium/trees/v1/{identity}/{place}".encode()).digest()
        return int.from_bytes(digest[:8]) % choices

    trees = []
    for number in range(count):
        left = list(range(len(cuts) - 1))
        inputs = []
        for level in range(LEVELS):
            if level == 0 and number % 2 == 0:
                inputs.append(len(cuts) - 1)
                continue
            left = left or list(range(len(cuts) - 1))  # fewer features than levels
            inputs.append(left.pop(drawn(f"{number}/{level}/input", len(left))))
        chosen = [drawn(f"{number}/{level}/threshold", len(cuts[column])) for level, column in enumerate(inputs)]
        trees.append(
            Tree(
                inputs=tuple(inputs),
                thresholds=tuple(cuts[column][place] for column, place in zip(inputs, chosen, strict=True)),
            )
        )
    return tuple(trees)
