"""How well scores rank customers: the figures of both sides, from counts of customers by score and outcome.

Counts of a release carry noise and may be below zero; a holder's own are exact.
"""

from __future__ import annotations

import numpy as np

from privacy.kernel.row_arithmetic import FloatArray

#: The part of customers, those with the highest scores, that an operator can act on where a study says nothing else.
TOP = 0.1
#: Further lengths of lists that are shown.
LENGTHS = (0.02, 0.05, 0.1, 0.2)


def area_under_curve(counts: FloatArray) -> float:
    """Probability that a churned customer scores higher than another; ties count half.

    The Mann-Whitney statistic over the product of the two numbers of customers (Hanley, McNeil 1982, "The meaning and
    use of the area under a receiver operating characteristic (ROC) curve", Radiology 143(1)).

    Args:
        counts: customers by ascending score, shape ``(scores, 2)``: bought again, churned.
    """
    stayed, churned = counts.T
    above = churned[::-1].cumsum()[::-1] - churned
    return float((stayed * (above + churned / 2)).sum() / (stayed.sum() * churned.sum()))


def average_precision(counts: FloatArray) -> float:
    """Mean precision over recall; customers of one score come in random order (half of them before each).

    Args:
        counts: as in :func:`area_under_curve`.
    """
    stayed, churned = counts[::-1].T
    hits, misses = churned.cumsum() - churned / 2, stayed.cumsum() - stayed / 2
    seen = np.where(hits + misses > 0, hits + misses, np.inf)
    return float((churned * np.clip(hits / seen, 0, 1)).sum() / churned.sum())


def churn_rate(counts: FloatArray) -> float:
    """Share of churned customers."""
    return float(counts[:, 1].sum() / counts.sum())


def top_share(counts: FloatArray, part: float = TOP) -> float:
    """Share of the churned customers that are among the ``part`` of customers with the highest scores.

    The list ends where the number of customers from the highest score on first reaches its length; counts below zero
    make up for others that noise made too large.
    """
    churned = counts[::-1, 1]
    reached = counts.sum(axis=1)[::-1].cumsum()
    wanted = part * counts.sum()
    last = int(np.argmax(reached >= wanted)) if reached.max() >= wanted else len(reached) - 1
    before = reached[last - 1] if last else 0.0
    inside = (wanted - before) / (reached[last] - before) if reached[last] > before else 1.0
    return float((churned[:last].sum() + churned[last] * min(inside, 1.0)) / churned.sum())


def list_rate(counts: FloatArray, part: float) -> float:
    """Share of churned customers among the ``part`` of customers with the highest scores."""
    return top_share(counts, part) * churn_rate(counts) / part
