"""Correcting the public formula: bounds as derived, and as much correction as the budget can tell, down to none.

Asserted: no customer's vector is longer before clipping than the derivation says, and a customer of whom the formula is
sure and wrong reaches it; without any spread the formula comes back bit for bit; the correction shrinks as the noise
grows; with exact sums it fits better than the formula, about as well as a regression; the questions say what slow code
says.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from churn_runs import study_of
from formula_checks import check_a_worked_formula, check_the_questions_of_a_correction, longest_of
from hypothesis import given, settings
from hypothesis import strategies as st
from row_kits import FEATURE_DAYS, kind_with, tables_of

from privacy.analyses.churn.options import CHURN_FEATURES
from privacy.kernel.features import UNIT, FeatureName, FeatureTable, ScaledFeature
from privacy.kernel.linear_view import ENTRY, LinearView
from privacy.models.mbg import MbgPrior, public_prior
from privacy.models.scorers import Scorer, logits_of
from privacy.models.trained import LOGIT
from privacy.statistics import Statistic
from privacy.statistics.prior_gradient import PriorGradient
from privacy.statistics.prior_moments import PriorMoments
from server.analyses.churn.learning import train_logistic
from server.training.correction import train_prior
from server.training.foundation import Trained, gradient_norm, moments_fields

TRAIN, TEST = 0, 1
_KIND = kind_with(MbgPrior.FACTS)


def _features() -> tuple[ScaledFeature, ...]:
    return study_of().scaled(CHURN_FEATURES)


def test_the_formula_and_its_questions_are_those_of_slow_code() -> None:
    check_a_worked_formula()
    check_the_questions_of_a_correction()


@st.composite
def _views(draw: st.DrawFn) -> LinearView:
    entry = st.integers(-4 * ENTRY, 4 * ENTRY)
    row = st.tuples(entry, entry, entry)
    return LinearView(
        features=study_of().scaled(("recency_days", "tenure_days")),
        centre=(draw(st.integers(-UNIT, UNIT)), draw(st.integers(-UNIT, UNIT))),
        radius=draw(st.integers(1, 4 * UNIT)),
        constant=draw(st.integers(0, 4 * UNIT)),
        matrix=tuple(draw(st.lists(row, max_size=4))),
        reach=draw(st.integers(1, 8 * UNIT)),
    )


@given(view=_views(), weight=st.integers(1, 100_000), table=tables_of(_KIND), horizon=st.sampled_from([7, 90]))
@settings(max_examples=100, deadline=None)
def test_no_vector_is_longer_than_was_derived(view: LinearView, weight: int, table: Any, horizon: int) -> None:
    """For any customers, any view and any weight, before anything is clipped."""
    shared: dict[str, Any] = {"view": view, "days": (0,), "prior": public_prior(horizon), "norm": 1000}
    questions = (
        PriorMoments(outcome_weight=weight, **shared), PriorGradient(weights=(1 << 18,) * view.dim, **shared)
    )  # fmt: skip
    for question in questions:
        for day in range(FEATURE_DAYS):
            length = np.sqrt(np.square(question.vectors(table, day)).sum(axis=1))
            assert (length <= longest_of(question, table, day) * (1 + 1e-9) + 1e-12).all()


def test_the_bound_of_sixteen_features_is_reached_where_the_formula_is_sure_and_wrong() -> None:
    """sqrt((1.25 R^2)^2 + (.6 R sqrt 1.25 R)^2) for R = .75 sqrt 16, and .6 sqrt 17: those of a regression."""
    features = _features()
    fields = moments_fields(features, (0,), (0,) * 16)
    question = PriorMoments(prior=public_prior(90), **fields)
    assert question.norm == 12_768
    assert gradient_norm(17) == 2_474
    names = (*CHURN_FEATURES, "purchase_days")
    surest = {"purchase_days": 201, "recency_days": 7300, "tenure_days": 7300}
    values = np.array([[[surest.get(name, 1 << 40) for name in names]]], dtype=np.int64)
    one = np.ones((1, 1), dtype=np.int64)
    witness = FeatureTable(names=names, values=values, eligible=one, outcome=0 * one)
    length = float(np.sqrt(np.square(question.vectors(witness, 0)).sum()))
    assert 0.9998 * 12.768 < length <= 12.768
    other = FeatureTable(names=names, values=values, eligible=one, outcome=one)
    assert float(np.sqrt(np.square(question.vectors(other, 0)).sum())) < 0.9 * length, "sure and right"


#: The features of the made-up customers below.
_NAMES: tuple[FeatureName, ...] = ("recency_days", "tenure_days", "orders", "basket", "orders_90")


def _customers(count: int, seed: int) -> FeatureTable:
    """Customers as the formula has them, at two days, but that small baskets leave more often than it knows.

    They buy at rates of their own and are lost after purchases with probabilities of their own.
    """
    rng = np.random.default_rng(seed)
    values = np.zeros((count, 2, len(_NAMES) + 1), dtype=np.int64)
    outcome = np.zeros((count, 2), dtype=np.int64)
    for row in range(count):
        rate, lost, age = rng.gamma(0.5, 1 / 70), rng.beta(0.8, 2.5), int(rng.integers(120, 700))
        small = int(rng.random() < 0.5)
        times = [0.0]
        while rng.random() >= lost and times[-1] < age + 180 and len(times) < 300:
            times.append(times[-1] + rng.exponential(1 / rate))
        days = np.unique(np.floor(times))
        for day, now in enumerate((age, age + 90)):
            past = days[days < now]
            silent = int(now - past[-1])
            values[row, day] = (
                silent, now, len(past), 100 if small else 3000, int((past >= now - 90).sum()), len(past)
            )  # fmt: skip
            left = not ((days >= now) & (days < now + 90)).any()
            outcome[row, day] = int(left or (small and rng.random() < 0.5))
    return FeatureTable(
        names=(*_NAMES, "purchase_days"), values=values, eligible=np.ones((count, 2), dtype=np.int64), outcome=outcome
    )


def _asked(table: FeatureTable, deviation: float) -> Any:
    """Exact sums, said to carry noise of this deviation in natural units."""

    def ask(title: str, statistic: Statistic[Any]) -> Any:
        stated = deviation / statistic.unit  # type: ignore[attr-defined]
        return type("Release", (), {"array": statistic.encode_sum(table), "deviation": stated})

    return ask


def _trained(table: FeatureTable, deviation: float, **options: float) -> Trained:
    features = study_of().scaled(_NAMES)
    return train_prior(features, (TRAIN,), public_prior(90), ask=_asked(table, deviation), **options)


def _loss(model: Scorer, table: FeatureTable) -> float:
    """Mean logistic loss on the day of the test."""
    logits = logits_of(model, table, TEST) / LOGIT
    return float(np.logaddexp(0, np.where(table.outcome[:, TEST] == 1, -logits, logits)).mean())


def test_without_spread_the_formula_comes_back_bit_for_bit() -> None:
    table = _customers(600, 1)
    model = _trained(table, 1.0, spread=0.0).model
    assert model.kind == "prior"
    assert not model.corrected
    assert np.array_equal(logits_of(model, table, TEST), public_prior(90).of(table, TEST))


def test_the_correction_shrinks_as_the_noise_grows() -> None:
    table = _customers(1500, 2)
    sizes = []
    for deviation in (0.01, 10.0, 50.0, 200.0):
        model = _trained(table, deviation).model
        assert model.kind == "prior"
        sizes.append(float(np.linalg.norm(model.weights)))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 4
    hidden = _trained(table, 5000.0)
    assert hidden.model.kind == "prior"
    assert not hidden.model.corrected


@pytest.mark.parametrize("deviation", [0.01, 20.0])
def test_a_correction_fits_better_than_the_formula(deviation: float) -> None:
    """With next to no noise about as well as a regression of the same customers."""
    table, later = _customers(1500, 3), _customers(1500, 4)
    found = _trained(table, deviation)
    assert _loss(found.model, later) < _loss(public_prior(90), later) - 0.01
    if deviation < 1:
        other = train_logistic(study_of().scaled(_NAMES), (TRAIN,), rounds=3, ask=_asked(table, deviation)).model
        assert _loss(found.model, later) < _loss(other, later) + 0.01
