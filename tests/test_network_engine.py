"""The perceptron's gradients, computed in two ways: the contract's own arithmetic, and torch with Opacus.

Asserted: both give the same integers, bit for bit, for one customer and for thousands, whichever others are in the
table and however they are batched; the gradient is that of the logistic loss, by torch's own differentiation of one
customer at a time (no Opacus) and by finite differences, to what the contract's tables of the two curved functions
allow, and not to less; and clipping agrees with slow code that clips one customer at a time in exact fractions.
"""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from row_kits import FEATURE_DAYS, feature_rows, feature_table, plausible_features
from statistic_kit import PLAIN_VIEW, TURNED_VIEW

import clients.answering.engines
from clients.analyses.catalogue import ANALYSES, ENGINES
from privacy.analyses.catalogue import BY_NAME
from privacy.analyses.churn.network_gradient import HIDDEN_SCALE, Layers, Network, NetworkGradient
from privacy.kernel.features import FeatureTable
from privacy.kernel.linear_view import LinearView
from privacy.models.trained import PROBABILITY, WEIGHT
from privacy.statistics import GAMMA, Statistic
from privacy.statistics.bounding import bounded
from privacy.statistics.logistic_gradient import LogisticGradient

#: Tabulated probabilities are this near to the logistic function: half a step of 1/256 at a slope of 1/4, half a unit
#: of rounding, and the step that a logit is moved when it is put on its grid.
TABLE_ERROR = 1 / 512 / 4 + 0.5 / PROBABILITY + 1e-6

LAST = 1 << 40


def network_of(inputs: int, units: int, seed: int, spread: float = 1.0) -> Network:
    """A network of random weights."""
    rng = np.random.default_rng(seed)

    def row(size: int) -> tuple[int, ...]:
        return tuple(int(value) for value in np.round(rng.normal(0, spread, size) * WEIGHT))

    return Network(
        direct=row(inputs), hidden=tuple(row(inputs) for _ in range(units)), bias=row(units), output=row(units)
    )


def gradient_of(
    view: LinearView, *, units: int = 3, seed: int = 1, norm: int = 1000, spread: float = 1.0, days: Any = (0, 1, 2)
) -> NetworkGradient:
    return NetworkGradient(
        view=view, network=network_of(view.dim, units, seed, spread), days=days, norm=norm
    )  # fmt: skip


EXAMPLES: dict[str, NetworkGradient] = {
    "one unit, one day": gradient_of(PLAIN_VIEW, units=1, days=(1,)),
    "all days": gradient_of(PLAIN_VIEW, units=8, seed=2, norm=2474),
    "turned view": gradient_of(TURNED_VIEW, units=5, seed=3),
    "steep": gradient_of(PLAIN_VIEW, units=4, seed=4, spread=50.0),
    "largest weights": NetworkGradient(
        view=TURNED_VIEW,
        network=Network(direct=(LAST, -LAST), hidden=((LAST, LAST), (-LAST, 0)), bias=(-LAST, 1), output=(LAST, -LAST)),
        days=(2, 0),
        norm=1,
    ),
    "all weights zero": NetworkGradient(
        view=PLAIN_VIEW, network=Network(direct=(0,) * 5, hidden=((0,) * 5,), bias=(0,), output=(0,)), days=(0,), norm=5
    ),
}
each_example = pytest.mark.parametrize("statistic", EXAMPLES.values(), ids=EXAMPLES)


@pytest.fixture(scope="module")
def engine() -> Any:
    """The module with torch and Opacus."""
    pytest.importorskip("torch", reason="torch comes with [train]")
    pytest.importorskip("opacus", reason="Opacus comes with [train]")
    from clients.analyses.churn import network

    return network


# --- bit for bit -------------------------------------------------------------------------------------------------


@each_example
@pytest.mark.parametrize("customers", [0, 1, 2, 37, 5000])
def test_opacus_gives_the_same_integers(engine: Any, statistic: NetworkGradient, customers: int) -> None:
    """5,000 are more than one batch; a tenth of the days have no outcome yet, and 15% do not count."""
    table = plausible_features(customers, customers + 1)
    expected = statistic.encode_sum(table)
    assert np.array_equal(engine.encode_sum(statistic, table), expected)
    assert np.array_equal(clients.answering.engines.encode_sum(statistic, table, holder="shop"), expected)
    assert bool(expected.any()) == (customers > 2 or bool(statistic.encode_rows(table).any()))


@each_example
@given(rows=st.lists(feature_rows, max_size=6))
@settings(max_examples=25, deadline=None)
def test_opacus_gives_the_same_integers_for_any_rows(engine: Any, statistic: NetworkGradient, rows: list[Any]) -> None:
    """Missing, huge and negative features; flags that no holder's code makes."""
    table = feature_table(rows)
    assert np.array_equal(engine.encode_sum(statistic, table), statistic.encode_sum(table))


def test_without_opacus_the_statistic_is_computed_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    statistic, table = EXAMPLES["all days"], plausible_features(50, 9)
    missing = dataclasses.replace(ENGINES[NetworkGradient], is_installed=lambda: False)
    monkeypatch.setitem(ENGINES, NetworkGradient, missing)
    monkeypatch.setattr(NetworkGradient, "encode_sum", lambda self, rows: "its own")
    assert clients.answering.engines.encode_sum(statistic, table, holder="shop") == "its own"


def test_an_engine_is_of_a_statistic_that_its_analysis_asks() -> None:
    for analysis in ANALYSES:
        assert set(analysis.engines) <= set(BY_NAME[analysis.name].statistics)


def test_opacus_is_what_computes_where_it_is_installed(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "encode_sum", lambda statistic, rows: "Opacus'")
    found = clients.answering.engines.encode_sum(EXAMPLES["all days"], plausible_features(5, 9), holder="shop")
    assert found == "Opacus'"


# --- a customer's integers are its own -----------------------------------------------------------------------------


@each_example
@given(rows=st.lists(feature_rows, min_size=1, max_size=6), data=st.data())
@settings(max_examples=25, deadline=None)
def test_integers_do_not_depend_on_other_customers(statistic: NetworkGradient, rows: list[Any], data: Any) -> None:
    """Others removed, permuted, or in other batches; and one customer stays within the bound."""
    together = statistic.encode_rows(feature_table(rows))
    order = data.draw(st.permutations(range(len(rows))))
    assert np.array_equal(statistic.encode_rows(feature_table([rows[i] for i in order])), together[order])
    for number, row in enumerate(rows):
        alone = statistic.encode_rows(feature_table([row]))
        assert np.array_equal(alone[0], together[number])
        assert sum(value * value for value in alone[0].tolist()) <= statistic.bound.squared_norm == GAMMA * GAMMA


@pytest.mark.parametrize("batch", [1, 7, 4096])
def test_batches_change_nothing(engine: Any, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    statistic, table = EXAMPLES["all days"], plausible_features(40, 3)
    expected = statistic.encode_rows(table).sum(axis=0)
    monkeypatch.setattr(Statistic, "CHUNK", batch)
    assert np.array_equal(statistic.encode_sum(table), expected)
    assert np.array_equal(engine.encode_sum(statistic, table), expected)


# --- it is the gradient ------------------------------------------------------------------------------------------

#: So large that nothing is clipped, and so fine that rounding is far below the tables' error.
LOOSE = 100_000


def loss_of(parameters: np.ndarray, z: np.ndarray, outcome: int, units: int) -> float:
    """The logistic loss of one customer in exact functions; weights in the statistic's order."""
    n = len(z)
    direct, hidden, bias, output = np.split(parameters, np.cumsum([n, n * units, units]))
    bent = np.tanh(hidden.reshape(units, n) @ z + bias)
    logit = float(direct @ z + HIDDEN_SCALE * output @ bent)
    return math.log1p(math.exp(-abs(logit))) + max(logit, 0.0) - outcome * logit


def flat(layers: Layers) -> np.ndarray:
    return np.concatenate([part.ravel() for part in layers])


def tolerance(layers: Layers, z: np.ndarray, residual: float) -> np.ndarray:
    """How far tables may move each part of a gradient: errors of p by one table, of tanh by twice that.

    The logit moves with tanh, and p with a quarter of the logit; the derivative 1 - tanh^2 moves by twice tanh's error.
    """
    bent = 2 * TABLE_ERROR
    p = TABLE_ERROR + HIDDEN_SCALE * float(np.abs(layers.output).sum()) * bent / 4
    inner = HIDDEN_SCALE * np.abs(layers.output) * (p + 2 * bent * residual + 2 * bent * p)
    size = np.abs(z)
    return np.concatenate(
        [p * size, np.outer(inner, size).ravel(), inner, np.full(len(layers.bias), HIDDEN_SCALE * (p + bent))]
    ) + 2 * LOOSE / 1000 / GAMMA  # fmt: skip


def one_by_one(statistic: NetworkGradient, table: FeatureTable) -> list[tuple[np.ndarray, int, np.ndarray]]:
    """(coordinates, outcome, encoded gradient in natural units) of every customer that counts on the day."""
    (day,) = statistic.days
    z = statistic.view.apply(table, day)
    counts = (table.eligible[:, day] == 1) & (table.outcome[:, day] >= 0)
    encoded = statistic.encode_rows(table) * (statistic.norm / 1000 / GAMMA)
    assert not encoded[~counts].any()
    return [(z[i], int(table.outcome[i, day]), encoded[i]) for i in np.flatnonzero(counts)]


@pytest.mark.parametrize("day", range(FEATURE_DAYS))
@pytest.mark.parametrize("view", [PLAIN_VIEW, TURNED_VIEW], ids=["plain", "turned"])
def test_it_is_the_derivative_of_the_loss(view: LinearView, day: int) -> None:
    """Central differences of the exact loss, one weight at a time."""
    statistic = gradient_of(view, units=4, seed=day, norm=LOOSE, days=(day,))
    layers = Layers.of(statistic.network)
    at, step, worst = flat(layers), 1e-5, 0.0
    for z, outcome, encoded in one_by_one(statistic, plausible_features(40, day)):
        slopes = np.array(
            [
                (loss_of(at + move, z, outcome, 4) - loss_of(at - move, z, outcome, 4)) / (2 * step)
                for move in np.eye(len(at)) * step
            ]
        )
        allowed = tolerance(layers, z, 1.0) + 1e-8
        assert np.all(np.abs(encoded - slopes) <= allowed)
        worst = max(worst, float(np.abs(slopes).max()))
        assert np.abs(encoded - slopes).max() < 0.02
    assert worst > 0.3, "the gradients are far larger than what is allowed between them"


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_torch_differentiates_one_customer_at_a_time(seed: int) -> None:
    """Plain torch: matrix products, its own sigmoid and tanh, one backward pass a customer; no Opacus."""
    torch = pytest.importorskip("torch", reason="torch comes with [train]")
    statistic = gradient_of(PLAIN_VIEW, units=6, seed=seed, norm=LOOSE, days=(1,))
    layers = Layers.of(statistic.network)
    direct, hidden, bias, output = (torch.tensor(part, requires_grad=True) for part in layers)
    for z, outcome, encoded in one_by_one(statistic, plausible_features(60, seed)):
        x = torch.tensor(z)
        logit = direct @ x + HIDDEN_SCALE * (output @ torch.tanh(hidden @ x + bias))
        wanted = torch.tensor(float(outcome), dtype=torch.float64)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, wanted)
        slopes = torch.autograd.grad(loss, (direct, hidden, bias, output))
        found = np.concatenate([slope.numpy().ravel() for slope in slopes])
        assert np.all(np.abs(encoded - found) <= tolerance(layers, z, 1.0))


def test_the_comparison_sees_a_wrong_gradient() -> None:
    """The tester's test: an outcome turned round, a forgotten derivative, a forgotten scale are all beyond it."""
    statistic = gradient_of(PLAIN_VIEW, units=4, seed=1, norm=LOOSE, days=(1,))
    layers = Layers.of(statistic.network)
    z, _, encoded = max(one_by_one(statistic, plausible_features(40, 1)), key=lambda one: float(np.abs(one[2]).max()))
    allowed = tolerance(layers, z, 1.0)
    inputs = len(z)
    turned = -encoded
    no_scale = encoded.copy()
    no_scale[inputs:] /= HIDDEN_SCALE
    bent = np.tanh(layers.hidden @ z + layers.bias)
    no_derivative = encoded.copy()
    no_derivative[inputs : inputs * 5] /= np.repeat(1 - bent**2, inputs)
    for wrong in (turned, no_scale, no_derivative):
        assert np.any(np.abs(wrong - encoded) > 2 * allowed)


def test_days_are_averaged_and_then_clipped_once() -> None:
    """One customer's days are one contribution: the mean of their gradients, over all days that the question names."""
    table = plausible_features(80, 5)
    single = [gradient_of(PLAIN_VIEW, units=2, norm=LOOSE, days=(day,)).encode_rows(table) for day in range(3)]
    together = gradient_of(PLAIN_VIEW, units=2, norm=LOOSE, days=(0, 1, 2)).encode_rows(table)
    assert np.abs(together - sum(single) / 3).max() <= 2
    tight = gradient_of(PLAIN_VIEW, units=2, norm=100, days=(0, 1, 2)).encode_rows(table)
    length = np.sqrt((tight.astype(float) ** 2).sum(axis=1)) / GAMMA
    assert (length > 0.9999).mean() > 0.5
    assert length.max() <= 1


# --- clipping ------------------------------------------------------------------------------------------------------


def slow_integers(vector: list[float], norm: float) -> list[int]:
    """One vector, clipped and cut to integers in exact fractions; a number that is none makes all of it zero."""
    if not all(math.isfinite(value) for value in vector):
        return [0] * len(vector)
    exact = [Fraction(value) for value in vector]
    square = sum(value * value for value in exact)
    limit = Fraction(norm)
    if square > limit * limit:
        # The square root to 200 bits, rounded up: the result is never longer.
        shift = 1 << 200
        root = Fraction(math.isqrt(math.ceil(square * shift * shift)) + 1, shift)
        exact = [value * limit / root for value in exact]
    return [math.trunc(value * GAMMA / limit) for value in exact]


NUMBERS = st.one_of(
    st.floats(-1e3, 1e3), st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, -0.0, 1e-310, 5e-324])
)


@given(vectors=st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=8),
       norm=st.sampled_from([0.001, 0.37, 1.0, 2.474, 1000.0]))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_clipping_is_that_of_slow_code_one_customer_at_a_time(vectors: list[list[float]], norm: float) -> None:
    """To one unit in 2^26, and what floats keep of it: 2^-40 is left as room. Always within the norm, exactly."""
    found = bounded(np.array(vectors), norm)
    for vector, integers in zip(vectors, found.tolist(), strict=True):
        assert sum(value * value for value in integers) <= GAMMA * GAMMA
        if any(abs(value) > 1e90 for value in vector if math.isfinite(value)):
            continue  # beyond what is told apart (privacy.kernel.row_arithmetic): only the norm is promised
        slow = slow_integers(vector, norm)
        assert all(abs(a - b) <= 1 for a, b in zip(integers, slow, strict=True)), (vector, integers, slow)


def test_clipping_keeps_directions_and_leaves_short_vectors_alone() -> None:
    rng = np.random.default_rng(8)
    vectors = rng.normal(0, 1, (500, 20)) * np.exp(rng.normal(0, 2, (500, 1)))
    found = bounded(vectors, 2.0) * (2.0 / GAMMA)
    length = np.linalg.norm(vectors, axis=1)
    clipped = vectors * np.minimum(1, 2.0 / length)[:, None]
    assert (length > 2).mean() > 0.5
    assert np.abs(found - clipped).max() <= 2 * 2.0 / GAMMA
    assert np.all(np.sign(found) * np.sign(clipped) >= 0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_vector_that_is_no_number_adds_nothing_and_spoils_nobody_else(bad: float) -> None:
    vectors = np.array([[0.5, 0.25], [bad, 0.25], [-0.5, 0.0]])
    assert bounded(vectors, 1.0).tolist()[1] == [0, 0]
    assert np.array_equal(np.delete(bounded(vectors, 1.0), 1, axis=0), bounded(np.delete(vectors, 1, axis=0), 1.0))


def test_a_network_without_hidden_weights_has_the_gradient_of_the_regression() -> None:
    """The direct path of a network whose output weights are zero is the logistic regression."""
    table = plausible_features(200, 6)
    weights = (WEIGHT, -WEIGHT // 3, 7, WEIGHT // 2, 0)
    network = Network(direct=weights, hidden=((WEIGHT,) * 5,), bias=(0,), output=(0,))
    alike = NetworkGradient(view=PLAIN_VIEW, network=network, days=(0, 1), norm=LOOSE).encode_rows(table)[:, :5]
    plain = LogisticGradient(view=PLAIN_VIEW, weights=weights, days=(0, 1), norm=LOOSE).encode_rows(table)
    # The regression cuts a logit toward zero on its grid, the network downwards: at most one step of the table apart.
    assert np.abs(alike - plain).max() * (LOOSE / 1000 / GAMMA) <= 2 * TABLE_ERROR * 4
