"""Where an evaluation's bins lie: where releases let scores be expected, and so that few pairs are left inside."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.kernel.features import UNIT, Scale, ScaledFeature
from privacy.models.mbg import public_prior
from privacy.models.trained import LOGIT, WEIGHT, FeatureRank, LogisticModel, NetworkModel
from server.analyses.churn.run import expected_scores
from server.training.score_bins import BINS, Population, middles, upper_ends

_FEATURES = tuple(ScaledFeature(name=name, scale=Scale(kind="log", high=3650)) for name in ("recency_days", "orders"))
_MEAN, _COVARIANCE = np.array([0.2, -0.4]), np.array([[0.09, 0.05], [0.05, 0.16]])


def _population() -> Population:
    values, axes = np.linalg.eigh(_COVARIANCE)
    return Population(features=_FEATURES, mean=_MEAN, axes=(axes * np.sqrt(values)).T)


def test_moments_of_a_linear_models_scores_are_those_of_the_features() -> None:
    weights = np.array([1.5, -2.0])
    model = LogisticModel(features=_FEATURES, weights=(*(WEIGHT * weights).astype(int).tolist(), WEIGHT // 2))
    found = _population().scores(model)
    assert found is not None
    assert found.mean == pytest.approx(0.5 + weights @ _MEAN, abs=1e-3)
    assert found.stdev == pytest.approx(np.sqrt(weights @ _COVARIANCE @ weights), abs=2e-3)
    alone = _population().scores(FeatureRank(features=_FEATURES[1:]))
    assert alone is not None
    assert (alone.mean, alone.stdev) == pytest.approx((-0.4, 0.4), abs=1e-3)


def test_moments_of_a_networks_scores_are_nearly_those_of_normal_customers() -> None:
    rng = np.random.default_rng(1)
    hidden = tuple(tuple(rng.integers(-WEIGHT, WEIGHT, 3).tolist()) for _ in range(4))
    model = NetworkModel(features=_FEATURES, hidden=hidden, output=tuple(rng.integers(-WEIGHT, WEIGHT, 7).tolist()))
    customers = rng.multivariate_normal(_MEAN, _COVARIANCE, 100_000)
    logits = model.logits(np.round(UNIT * customers).astype(np.int64)) / LOGIT
    found = _population().scores(model)
    assert found is not None
    assert found.mean == pytest.approx(logits.mean(), abs=0.02)
    assert found.stdev == pytest.approx(logits.std(), rel=0.05)


@given(mean=st.floats(-60, 60), stdev=st.floats(0.05, 1000))
@settings(max_examples=50, deadline=None)
def test_bins_ascend_and_each_stands_for_a_score_of_its_own(mean: float, stdev: float) -> None:
    expected = NormalDist(mean, stdev)
    ends = upper_ends(expected)
    assert len(ends) == BINS - 1
    assert list(ends) == sorted(set(ends))
    inside = np.searchsorted(np.array(ends), LOGIT * middles(expected))
    assert inside.tolist() == list(range(BINS))


def test_where_scores_are_as_expected_no_bin_has_more_than_a_fifteenth_of_the_customers() -> None:
    ends = np.array(upper_ends(NormalDist(1.0, 0.8))) / LOGIT
    scores = np.random.default_rng(2).normal(1.0, 0.8, 100_000)
    shares = np.bincount(np.searchsorted(ends, scores), minlength=BINS) / len(scores)
    assert shares.max() < 1 / 15
    assert (shares**2).sum() < 1.15 / BINS


def test_where_a_formulas_scores_lie_is_read_off_released_features_or_not_at_all() -> None:
    """Nearly those of normal customers; days of purchase are read off the orders, where nothing else says them."""
    rng = np.random.default_rng(3)
    features = (*_FEATURES, ScaledFeature(name="tenure_days", scale=Scale(kind="linear", high=730)))
    covariance = np.diag([0.04, 0.02, 0.05])
    mean, formula = np.array([0.1, -0.6, 0.3]), public_prior(90)
    population = Population(features=features, mean=mean, axes=np.sqrt(covariance))
    found = population.scores(formula)
    assert found is not None
    customers = np.clip(rng.multivariate_normal(mean, covariance, 20_000), -1, 1)
    recency, orders, tenure = (
        np.rint(feature.scale.raw(customers[:, place])) for place, feature in enumerate(features)
    )
    logits = formula.logits(np.stack([orders, recency, tenure], axis=1).astype(np.int64)) / LOGIT
    assert found.mean == pytest.approx(logits.mean(), abs=0.3)
    assert found.stdev == pytest.approx(logits.std(), rel=0.3)
    assert _population().scores(formula) is None
    assert expected_scores(formula, None).mean > 0
