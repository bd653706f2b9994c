"""How predicted probabilities have to be corrected to be those of the day of a test: by counts of scores by outcome.

Logistic recalibration (Cox 1958, "Two further applications of a model for binary regression", Biometrika 45(3-4)):
the log odds of churn are ``intercept + slope * logit``. Its two equations, ``sum (churned - customers * p) (1, logit)
= 0``, are linear in the counts, so that noise of mean 0 in them leaves their mean alone: nothing is cut off before.
"""

from __future__ import annotations

import math

import numpy as np

from privacy.analyses.churn.results import MOST_SHIFT, Recalibration
from privacy.figures.estimates import Z95, Estimate
from privacy.kernel.row_arithmetic import FloatArray

#: How much of a level is still there one horizon later, when scores come true, the rest being of the season; and how
#: large levels are, by which one that noise may have made is shrunken. Of two shops at 51 days, without noise
#: (``benchmarks/churn_drift.py``); slopes differ there by a tenth from 1 and are worth nothing, so they are only shown.
_LASTS, _USUAL = 0.7, 0.375
#: Newton's steps; four or five do.
_STEPS = 60
_CLOSE = 1e-9
#: A step moves log odds at their mean, or the slope, by no more than this.
_LONGEST = 1.0


def recalibration(counts: FloatArray, logits: FloatArray, deviation: float = 0.0) -> Recalibration | None:
    """Intercept and slope with their margins; None where the counts tell neither.

    Margins are 95%, of the noise and of chance: the equations' variance, ``sum over cells of weight^2 (deviation^2 +
    count)``, between inverses of their derivative (Huber 1967). A level beyond its margin is used, as far as it can be
    expected to last (:data:`_LASTS`, :data:`_USUAL`).

    Args:
        counts: customers by ascending score, shape ``(scores, 2)``: bought again, churned.
        logits: that each score stands for, shape ``(scores,)``.
        deviation: standard deviation of the noise in each count; 0 for exact ones.
    """
    level = _fitted(counts, logits, deviation, np.ones((len(logits), 1)), logits)
    both = _fitted(counts, logits, deviation, np.stack([np.ones_like(logits), logits], axis=1), 0 * logits)
    if level is None or both is None:
        return None
    (alone,), (intercept, slope) = level, both
    shift = 0.0
    if abs(alone.value) > alone.margin:
        shift = _LASTS * alone.value * _USUAL**2 / (_USUAL**2 + alone.deviation**2)
    shift = float(np.clip(shift, -MOST_SHIFT, MOST_SHIFT))
    return Recalibration(level=alone, intercept=intercept, slope=slope, shift=shift)


def _fitted(
    counts: FloatArray, logits: FloatArray, deviation: float, inputs: FloatArray, offset: FloatArray
) -> tuple[Estimate, ...] | None:
    """Coefficients of the inputs, shape ``(scores, coefficients)``, with ``offset`` added to the log odds."""
    people = counts.sum(axis=1)
    beta = np.zeros(inputs.shape[1])
    beta[1:] = 1.0
    spread = deviation**2 + np.maximum(counts, 0)
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(offset + inputs @ beta, -40, 40)))
        curvature = inputs.T @ (inputs * (people * chance * (1 - chance))[:, None])
        if np.linalg.eigvalsh(curvature)[0] <= _CLOSE * max(people.sum(), 1.0):
            return None
        step = np.linalg.solve(curvature, inputs.T @ (counts[:, 1] - people * chance))
        step *= min(1.0, _LONGEST / max(float(np.abs(step).max()), _CLOSE))
        beta = beta + step
        if np.abs(step).max() < _CLOSE:
            break
    else:
        return None
    each = chance**2 * spread[:, 0] + (1 - chance) ** 2 * spread[:, 1]
    inverse = np.linalg.inv(curvature)
    variance = np.diag(inverse @ (inputs.T @ (inputs * each[:, None])) @ inverse)
    return tuple(
        Estimate(value=float(value), margin=Z95 * math.sqrt(part)) for value, part in zip(beta, variance, strict=True)
    )
