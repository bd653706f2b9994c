"""How well scores rank customers: the figures of both sides, from counts of customers by score and outcome.

Every figure takes counts of shape ``(..., scores, 2)`` and is of shape ``(...)``: margins need it of many at once.

Counts of a release carry noise and may be below zero; a holder's own are exact.
"""

from __future__ import annotations

import numpy as np

from privacy.kernel.row_arithmetic import FloatArray

#: The part of customers, those with the highest scores, that an operator can act on where a study says nothing else.
TOP = 0.1
#: Further lengths of lists that are shown.
LENGTHS = (0.02, 0.05, 0.1, 0.2)


def area_under_curve(counts: FloatArray) -> FloatArray:
    """Probability that a churned customer scores higher than another; ties count half.

    The Mann-Whitney statistic over the product of the two numbers of customers (Hanley, McNeil 1982, "The meaning and
    use of the area under a receiver operating characteristic (ROC) curve", Radiology 143(1)).

    Args:
        counts: customers by ascending score, shape ``(..., scores, 2)``: bought again, churned.
    """
    stayed, churned = counts[..., 0], counts[..., 1]
    above = churned[..., ::-1].cumsum(axis=-1)[..., ::-1] - churned
    pairs = stayed.sum(axis=-1) * churned.sum(axis=-1)
    found: FloatArray = (stayed * (above + churned / 2)).sum(axis=-1) / pairs
    return found


def average_precision(counts: FloatArray) -> FloatArray:
    """Mean precision over recall; customers of one score come in random order (half of them before each).

    Args:
        counts: as in :func:`area_under_curve`.
    """
    stayed, churned = counts[..., ::-1, 0], counts[..., ::-1, 1]
    hits, misses = churned.cumsum(axis=-1) - churned / 2, stayed.cumsum(axis=-1) - stayed / 2
    seen = np.where(hits + misses > 0, hits + misses, np.inf)
    found: FloatArray = (churned * np.clip(hits / seen, 0, 1)).sum(axis=-1) / churned.sum(axis=-1)
    return found


def churn_rate(counts: FloatArray) -> FloatArray:
    """Share of churned customers."""
    found: FloatArray = counts[..., 1].sum(axis=-1) / counts.sum(axis=(-2, -1))
    return found


def top_share(counts: FloatArray, part: float = TOP) -> FloatArray:
    """Share of the churned customers that are among the ``part`` of customers with the highest scores.

    The list ends where the number of customers from the highest score on first reaches its length; counts below zero
    make up for others that noise made too large.
    """
    downwards = counts[..., ::-1, :]
    churned, people = downwards[..., 1], downwards.sum(axis=-1)
    reached = people.cumsum(axis=-1)
    wanted = part * counts.sum(axis=(-2, -1))[..., None]
    enough = reached >= wanted
    last = np.where(enough.any(axis=-1), enough.argmax(axis=-1), counts.shape[-2] - 1)[..., None]
    end, inside = (np.take_along_axis(values, last, axis=-1) for values in (reached, people))
    part_of_last = np.minimum(np.where(inside > 0, (wanted - (end - inside)) / np.where(inside > 0, inside, 1), 1), 1)
    counted = np.where(np.arange(counts.shape[-2]) < last, churned, 0).sum(axis=-1)
    listed = counted + (np.take_along_axis(churned, last, axis=-1) * part_of_last)[..., 0]
    found: FloatArray = listed / churned.sum(axis=-1)
    return found


def list_rate(counts: FloatArray, part: float) -> FloatArray:
    """Share of churned customers among the ``part`` of customers with the highest scores."""
    found: FloatArray = top_share(counts, part) * churn_rate(counts) / part
    return found
