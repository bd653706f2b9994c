"""Membership inference: it sees a leak that is planted, sees nothing where nothing is, and knows what is allowed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from cohortium import app
from privacy.accounting.gdp import best_guess
from privacy.audit.inference import Interval, MembershipResult
from privacy.errors import ConfigError
from simulations.attack.membership_inference import PUBLISHED, Exercise, _attacked

RUNS, CUSTOMERS = 8, 2000


def series(leak: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Who was in, and how well something published fits each, if being in helps by ``leak`` deviations."""
    rng = np.random.default_rng(seed)
    member = rng.random((RUNS, CUSTOMERS)) < 0.5
    difficulty = rng.normal(0, 5, CUSTOMERS)  # far more than any leak: what calibration is for
    return member, difficulty + rng.normal(0, 1, member.shape) + leak * member


def test_the_attack_sees_what_is_planted_and_nothing_else() -> None:
    blind = _attacked("churn", *series(0.0), mu=0.3)
    assert blind.auc.low < 0.5 < blind.auc.high
    assert blind.advantage.low < 0 < blind.advantage.high
    assert not blind.refuted
    told = _attacked("churn", *series(1.5), mu=0.3)
    assert told.auc.low > 0.7
    assert told.refuted
    assert (told.published, told.runs) == ("churn model", RUNS)


def test_the_area_is_that_of_the_definition() -> None:
    member, fit = series(1.0)
    found = _attacked("clusters", member, fit, mu=math.inf)
    areas = []
    for run in range(RUNS):
        others = [r for r in range(RUNS) if r != run]
        reference = [[fit[r, c] for r in others if not member[r, c]] for c in range(CUSTOMERS)]
        score = {c: fit[run, c] - np.mean(seen) for c, seen in enumerate(reference) if seen}
        inside = np.array([s for c, s in score.items() if member[run, c]])
        outside = np.array([s for c, s in score.items() if not member[run, c]])
        areas.append(stats.mannwhitneyu(inside, outside).statistic / len(inside) / len(outside))
    assert found.auc.value == pytest.approx(np.mean(areas))
    margin = stats.t.ppf(0.975, RUNS - 1) * np.std(areas, ddof=1) / math.sqrt(RUNS)
    assert found.auc.high - found.auc.value == pytest.approx(margin)
    assert found.mu is None
    assert found.allowed_auc == found.allowed_advantage == 1.0


def test_what_is_allowed_is_reached_by_the_best_test() -> None:
    """Two Gaussians mu apart: area and advantage of the likelihood ratio are what is allowed."""
    mu, trials = 0.8, 200_000
    rng = np.random.default_rng(2)
    outside, inside = rng.normal(0, 1, trials), rng.normal(mu, 1, trials)
    nothing = Interval(value=0.5, low=0.4, high=0.6)
    result = MembershipResult(published="x", mu=mu, runs=2, customers=1, auc=nothing, advantage=nothing)
    assert result.allowed_auc == pytest.approx(np.mean(inside > outside), abs=0.006)
    assert result.allowed_advantage == pytest.approx(np.mean(inside > mu / 2) - np.mean(outside > mu / 2), abs=0.01)
    assert result.allowed_advantage == pytest.approx(2 * best_guess(mu) - 1)


@pytest.mark.slow
def test_studies_over_the_real_protocol_are_attacked() -> None:
    exercise = Exercise(customers=3000, runs=2, epsilon="4")
    found = exercise.run()
    assert [result.published for result in found] == list(PUBLISHED.values())
    for result in found:
        assert result.mu is not None
        assert 0.3 < result.mu < 0.9  # epsilon 4 is mu 0.838 for the study; each analysis has about half of its square
        assert not result.refuted


def test_membership_takes_no_other_options() -> None:
    result = CliRunner().invoke(app, ["audit", "test", "--membership", "--faults"])
    assert isinstance(result.exception, ConfigError)
