"""A closer look at cut points: vectors that serve the four ranks best, and a distribution that moves as it says."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from privacy.analyses.rfm.cut_sides import RANKS, CutSides, FactCuts
from privacy.kernel.customers import CustomerColumns
from privacy.statistics import GAMMA

DAYS = FactCuts(fact="recency_days", at=(10, 20, 20, 90), permille=1000)


def sum_of_variances(vectors: np.ndarray) -> float:
    """Of the four ranks, for noise of deviation 1 and vectors no longer than 1; from the definition."""
    wanted = np.tri(4, 5) - np.array(RANKS)[:, None]
    read = np.linalg.lstsq(vectors.T, wanted.T, rcond=None)[0].T
    # Unless the vectors tell all that is wanted, nothing unbiased can be read off.
    lost = float(np.abs(read @ vectors - wanted).max()) > 1e-6
    return np.inf if lost else float((read**2).sum()) * float((vectors**2).sum(axis=0).max())


def test_no_small_change_of_the_vectors_serves_the_ranks_better() -> None:
    vectors = DAYS.vectors / GAMMA
    assert np.all(DAYS.vectors.sum(axis=1) == 0)
    best = sum_of_variances(vectors)
    rng = np.random.default_rng(1)
    for size in (0.3, 0.1, 0.03, 0.01):
        for _ in range(200):
            changed = vectors + rng.normal(0, size, vectors.shape)
            changed -= changed.mean(axis=1, keepdims=True)  # the number of all customers drops out
            assert sum_of_variances(changed) > 0.9995 * best
    (found,) = CutSides(facts=(DAYS,)).decode(np.zeros(4, dtype=np.int64), GAMMA)
    assert np.trace(found.covariance) == pytest.approx(best, rel=1e-3)
    # Counts below each value, of which each takes a fourth of the bound and leaves half of it unused.
    assert best < 0.7 * 4


def test_equal_cuts_have_nobody_between_them() -> None:
    days = np.array([5, 10, 11, 20, 20, 21, 90, 400])
    ones = np.ones(len(days), dtype=np.int64)
    people = CustomerColumns(recency_days=days, orders=ones, money=ones, tenure_days=days)
    question = CutSides(facts=(DAYS,))
    (found,) = question.decode(question.encode_sum(people), 0.0)
    np.testing.assert_allclose(found.beyond, np.array([2, 5, 5, 7]) - len(days) * np.array(RANKS), atol=1e-6)


def test_values_that_descend_are_refused() -> None:
    with pytest.raises(ValidationError, match="descend"):
        FactCuts(fact="money", at=(1, 2, 1, 3), permille=10)
