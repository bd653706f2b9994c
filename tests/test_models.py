"""Models on integers: the same score on every machine, near the real numbers that they stand for, and no overflow.

Asserted: integer logits equal those of Python's unbounded integers, also at the limits of every field; they are within
a derived distance of the real-valued model; probabilities are monotone, symmetric and near the logistic function.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from analyses.churn.examples import LOGISTIC, NETWORK, WIDEST_NETWORK, ranked, slow_logit, slow_tangent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from row_kits import FEATURE_NAMES, feature_rows_of, plausible_features
from statistic_kit import SCALED, slow_inputs

from privacy.kernel.features import UNIT, Scale, ScaledFeature
from privacy.models.scorers import Model, logits_of
from privacy.models.trained import (
    LOGIT,
    PROBABILITY,
    WEIGHT,
    FeatureRank,
    LogisticModel,
    NetworkModel,
    probability,
    tangent,
    weight,
)

LARGEST = 1 << 24
MODELS: list[Any] = [LOGISTIC, NETWORK, WIDEST_NETWORK, ranked(SCALED[0])]
each_model = pytest.mark.parametrize("model", MODELS, ids=["logistic", "network", "widest", "feature"])

weights = st.one_of(st.integers(-LARGEST, LARGEST), st.sampled_from([-LARGEST, 0, 1, LARGEST]))


@st.composite
def models(draw: st.DrawFn) -> Any:
    """Any model that can be built."""
    features = tuple(draw(st.lists(st.sampled_from(SCALED), min_size=1, max_size=6)))
    n = len(features)
    kind = draw(st.sampled_from(["logistic", "network"]))

    def row(size: int) -> tuple[int, ...]:
        return tuple(draw(st.lists(weights, min_size=size, max_size=size)))

    if kind == "logistic":
        return LogisticModel(features=features, weights=row(n + 1))
    units = draw(st.integers(1, 5))
    return NetworkModel(features=features, hidden=tuple(row(n + 1) for _ in range(units)), output=row(units + n + 1))


@given(model=models(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_logits_are_those_of_unbounded_integers(model: Any, data: st.DataObject) -> None:
    count = len(model.features)
    inputs = data.draw(st.lists(st.lists(st.integers(-UNIT, UNIT), min_size=count, max_size=count), max_size=6))
    found = model.logits(np.array(inputs, dtype=np.int64).reshape(-1, count))
    assert found.dtype == np.int64
    assert found.tolist() == [slow_logit(model, row) for row in inputs]
    assert np.abs(found).max(initial=0) < 1 << 56  # what the bins of a histogram of scores can name


@each_model
def test_nothing_overflows_at_the_limits(model: Any) -> None:
    count = len(model.features)
    rng = np.random.default_rng(1)
    corners = [[UNIT] * count, [-UNIT] * count, *np.where(rng.random((50, count)) < 0.5, UNIT, -UNIT).tolist()]
    assert model.logits(np.array(corners)).tolist() == [slow_logit(model, row) for row in corners]


def test_the_largest_logits_of_all_fit() -> None:
    features = tuple(SCALED[i % 4] for i in range(64))
    largest = LogisticModel(features=features, weights=(LARGEST,) * 65)
    assert largest.logits(np.full((1, 64), UNIT)).tolist() == [65 * UNIT * LARGEST]
    network = NetworkModel(features=features[:40], hidden=((LARGEST,) * 41,) * 24, output=(LARGEST,) * 65)
    found = network.logits(np.full((1, 40), UNIT))
    assert found.tolist() == [65 * UNIT * LARGEST]
    assert found[0] < 1 << 56


@each_model
def test_logits_do_not_depend_on_other_customers(model: Any) -> None:
    table = plausible_features(1003, 8)
    for day in (0, 2):
        together = logits_of(model, table, day)
        rows = feature_rows_of(table)
        for number in (0, 1, 500, 1001, 1002):
            alone = logits_of(model, table.take(slice(number, number + 1)), day)
            assert alone.tolist() == [together[number]]
            assert together[number] == slow_logit(model, slow_inputs(model.features, rows[number][day]))
        assert logits_of(model, table.take(slice(0, 0)), day).shape == (0,)


def real_logit(model: Any, inputs: np.ndarray, hidden: Any, output: Any) -> np.ndarray:
    """The model in real numbers, inputs from -1 to 1; shape ``(customers,)``."""
    ones = np.ones((len(inputs), 1))
    if hidden is None:
        return np.hstack([inputs, ones]) @ output
    return np.hstack([np.tanh(np.hstack([inputs, ones]) @ hidden.T), inputs, ones]) @ output


@pytest.mark.parametrize("seed", range(5))
def test_integers_are_near_the_real_numbers_they_stand_for(seed: int) -> None:
    """Tolerances are derived: half a unit of each weight; a hidden unit is tabulated as well, as twice a probability of
    twice its argument: half a step of 1/256 at a slope of 1/4, and half of 1/4096."""
    rng = np.random.default_rng(seed)
    features, units, n = SCALED, 5, 4
    inputs = rng.integers(-UNIT, UNIT + 1, (500, n))
    real = inputs / UNIT
    output, hidden = rng.normal(0, 2, units + n + 1), rng.normal(0, 1, (units, n + 1))
    half = 0.5 / WEIGHT

    logistic = LogisticModel(features=features, weights=tuple(weight(w) for w in output[: n + 1]))
    error = np.abs(logistic.logits(inputs) / LOGIT - real_logit(logistic, real, None, output[: n + 1]))
    assert error.max() <= half * (n + 1) * 1.0001

    network = NetworkModel(
        features=features,
        hidden=tuple(tuple(weight(w) for w in row) for row in hidden),
        output=tuple(weight(w) for w in output),
    )
    unit_error = half * (n + 1) + 2 * (1 / 512 / 4 + 0.5 / PROBABILITY)
    allowed = unit_error * np.abs(output[:units]).sum() + half * (units + n + 1)
    error = np.abs(network.logits(inputs) / LOGIT - real_logit(network, real, hidden, output))
    assert error.max() <= allowed * 1.0001
    assert allowed < 0.03


def test_a_feature_by_itself_keeps_its_order_and_range() -> None:
    inputs = np.arange(-UNIT, UNIT + 1)[:, None]
    logits = ranked(SCALED[0]).logits(inputs)
    assert np.all(np.diff(logits) > 0)
    assert (logits[0], logits[-1]) == (-LOGIT, LOGIT)


# --- probabilities -----------------------------------------------------------------------------------------------


def test_probabilities_are_near_the_logistic_function() -> None:
    """Nearest of steps of 1/256 (half a step at a slope of 1/4), rounded to 1/4096; and no bias of half a step."""
    logits = np.random.default_rng(3).integers(-20 * LOGIT, 20 * LOGIT, 200_000)
    exact = 1 / (1 + np.exp(-logits / LOGIT))
    error = probability(logits) / PROBABILITY - exact
    assert np.abs(error).max() <= 1 / 512 / 4 + 0.5 / PROBABILITY + 1e-7
    near = np.abs(logits) < 2 * LOGIT
    # 20,000 errors of at most 6e-4: their mean has a deviation below 4e-6, and flooring would make it 3e-4.
    assert abs(error[near].mean()) < 3e-5


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50))
@settings(max_examples=100, deadline=None)
def test_probabilities_are_monotone_bounded_and_whole(values: list[int]) -> None:
    ordered = np.array(sorted(values), dtype=np.int64)
    found = probability(ordered)
    assert found.dtype == np.int64
    assert np.all(np.diff(found) >= 0)
    assert found.min() >= 0
    assert found.max() <= PROBABILITY
    assert [int(probability(np.array([value]))[0]) for value in ordered.tolist()] == found.tolist()


def test_tangents_are_near_the_hyperbolic_tangent_and_odd() -> None:
    values = np.random.default_rng(6).integers(-20 * LOGIT, 20 * LOGIT, 50_000)
    found = tangent(values)
    assert np.abs(found / UNIT - np.tanh(values / LOGIT)).max() <= 2 * (1 / 512 / 4 + 0.5 / PROBABILITY) + 1e-7
    assert found.tolist() == [slow_tangent(value) for value in values.tolist()]
    assert np.all(np.diff(tangent(np.sort(values))) >= 0)
    assert tangent(np.array([-(2**63), 0, 2**63 - 1])).tolist() == [-UNIT, 0, UNIT]


def test_probabilities_are_symmetric() -> None:
    """p(-x) = 1 - p(x); exactly half-way between two tabulated logits both go up, so these are left out."""
    step = LOGIT // 256
    logits = np.random.default_rng(4).integers(0, 18 * LOGIT, 100_000)
    logits = np.concatenate([logits[logits % step != step // 2], np.arange(0, 17 * 256) * step])
    assert np.array_equal(probability(-logits), PROBABILITY - probability(logits))
    assert probability(np.array([0])).tolist() == [PROBABILITY // 2]
    assert probability(np.array([-(2**63), -LOGIT * 16, LOGIT * 16, 2**63 - 1])).tolist() == [0, 0, 4096, 4096]


def test_no_machine_rounds_a_probability_otherwise() -> None:
    """An exponential may differ in its last bit between machines' libraries; nothing is that near to a tie."""
    steps = np.arange(-16 * 256, 16 * 256 + 1)
    exact = [PROBABILITY / (1 + math.exp(-step / 256)) for step in steps.tolist()]
    assert min(abs(value % 1 - 0.5) for value in exact) > 1e-6
    assert probability(steps * (LOGIT // 256)).tolist() == [round(value) for value in exact]


def test_the_table_cannot_be_changed_through_a_result() -> None:
    logits = np.arange(-5, 6) * LOGIT
    before = probability(logits)
    changed = probability(logits)
    changed += 1
    assert np.array_equal(probability(logits), before)


# --- weights and building ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "integer"),
    [(0.0, 0), (1.0, WEIGHT), (-1.5, -3 * WEIGHT // 2), (256.0, LARGEST), (300.0, LARGEST), (-1e300, -LARGEST),
     (math.inf, LARGEST), (-math.inf, -LARGEST), (1e-9, 0)],
)  # fmt: skip
def test_a_weight_is_rounded_and_kept_in_range(value: float, integer: int) -> None:
    found = weight(value)
    assert found == integer
    assert isinstance(found, int)
    if abs(value) < 256:
        assert abs(Fraction(found, WEIGHT) - Fraction(value)) <= Fraction(1, 2 * WEIGHT)


def test_a_weight_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        weight(math.nan)


@each_model
def test_a_model_travels_whole(model: Any) -> None:
    again = TypeAdapter(Model).validate_json(model.canonical())
    assert again == model
    assert type(again) is type(model)
    assert again.digest == model.digest


@pytest.mark.parametrize(
    ("model", "fields", "says"),
    [
        (LOGISTIC, {"weights": LOGISTIC.weights[1:]}, "one weight per feature"),
        (LOGISTIC, {"weights": (*LOGISTIC.weights[1:], LARGEST + 1)}, "less than or equal"),
        (LOGISTIC, {"weights": (*LOGISTIC.weights[1:], 0.5)}, "integer"),
        (LOGISTIC, {"features": SCALED * 17, "weights": (1,) * 69}, "at most"),
        (NETWORK, {"hidden": ((1, 2),)}, "one weight per feature and a bias"),
        (NETWORK, {"hidden": ()}, "at least 1"),
        (NETWORK, {"hidden": NETWORK.hidden[:2]}, "output has one weight"),
        (NETWORK, {"output": NETWORK.output[1:]}, "output has one weight"),
        (WIDEST_NETWORK, {"hidden": (*WIDEST_NETWORK.hidden, WIDEST_NETWORK.hidden[0])}, "at most 24"),
        (ranked(SCALED[0]), {"features": SCALED[:2]}, "at most 1"),
        (ranked(SCALED[0]), {"features": ()}, "at least 1"),
        (ranked(SCALED[0]), {"weights": (1,)}, "extra"),
    ],
)
def test_a_model_that_does_not_fit_together_cannot_be_built(model: Any, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=f"(?i){says}"):
        type(model).model_validate(model.model_dump() | fields)


def test_a_model_that_asks_for_a_feature_the_table_lacks_fails_alike_for_all_rows() -> None:
    absent = FeatureRank(features=(ScaledFeature(name="trend", scale=Scale(kind="linear", high=3)),))
    assert "trend" not in FEATURE_NAMES
    for customers in (0, 5):
        with pytest.raises(ValueError, match="not in tuple"):
            logits_of(absent, plausible_features(customers, 1), 0)
