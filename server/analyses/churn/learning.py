"""Training on noisy sums: what turns releases into a linear model in few questions.

1. *size and centre*: number of customers and the features' means.
2. *moments*: second moments around the centre, with the outcome. They give coordinates in which no direction is much
   better measured than another, and the least-squares start.
3. *gradients*: a few clipped gradient steps of the logistic loss in those coordinates.

The first two also tell, without further cost, whether there is anything to learn: where they do not, nothing more is
asked, and so nothing more is spent.

Shares, radii and steps are public constants, found on public data (``benchmarks/churn.py`` shows the outcome); nothing
of them looks at the data of a study.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from privacy.analyses.churn.logistic_gradient import LogisticGradient
from privacy.analyses.churn.models import WEIGHT, LogisticModel, NetworkModel, weight
from privacy.analyses.churn.network_gradient import HIDDEN_SCALE, Layers, Network, NetworkGradient
from privacy.analyses.churn.results import TrainingRound
from privacy.errors import DataError
from privacy.kernel.features import UNIT, ScaledFeature
from privacy.kernel.linear_view import ENTRY, LinearView
from privacy.kernel.row_arithmetic import FloatArray
from privacy.statistics import FeatureMoments, FeatureSums
from server.analyses.churn.score_bins import Population
from server.analysis import Ask

CENTRE = "size and centre"
MOMENTS = "moments"

#: Shares of the training budget of the first two questions; the gradients share the rest alike.
_CENTRE_SHARE = Fraction(4, 100)
_MOMENTS_SHARE = Fraction(40, 100)
#: Radii of the ball that a customer's features are clipped to, around zero and around the released centre, in units
#: of the square root of their number. Scaled features have a root mean square of about 0.4 to 0.6.
_FIRST_RADIUS = 0.55
_RADIUS = 0.75
#: Weight of the products with the outcome, in units of the radius: large enough to be well measured.
_OUTCOME_WEIGHT = 1.2
#: Clipping norm of a gradient, in units of the square root of its length: most customers are below it.
CLIP = 0.6
#: Length of a step. The logistic loss curves at most by 1/4 in whitened coordinates; 0.8 of the inverse of that.
STEP = 3.2
#: Hidden units, and the spread of their first biases and output weights.
_UNITS = 8
_BIAS = 0.5
_OUTPUT = 0.5
#: No study is so small that fewer customers need be reckoned with; a lower estimate is noise.
_LEAST_CUSTOMERS = 100.0
#: A number that is not this many deviations above zero cannot be told from the noise. The evaluation asks for more.
_CLEAR = 4.0

_HINT = "use another horizon_days or active_days, a larger epsilon, or invite more holders"


def gradient_title(number: int, rounds: int) -> str:
    """Title of a gradient question."""
    return f"training {number} of {rounds}"


def training_weights(rounds: int) -> dict[str, Fraction]:
    """Shares of the training budget, by title."""
    rest = (1 - _CENTRE_SHARE - _MOMENTS_SHARE) / rounds
    return {
        CENTRE: _CENTRE_SHARE,
        MOMENTS: _MOMENTS_SHARE,
        **{gradient_title(number, rounds): rest for number in range(1, rounds + 1)},
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class Foundation:
    """Whitened coordinates of the features, and a linear start in them.

    Attributes:
        view: the coordinates.
        matrix: the view's matrix as floats, shape ``(coordinates, features + 1)``.
        start: weights of the least-squares fit on the scale of logits, shape ``(coordinates,)``.
        customers: estimated number of customers.
        population: what the two releases say of the customers' features.
    """

    view: LinearView
    matrix: FloatArray
    start: FloatArray
    customers: float
    population: Population


class Trained(NamedTuple):
    """A model over the features themselves, how long each step was, and what was released of the customers."""

    model: LogisticModel | NetworkModel
    steps: tuple[TrainingRound, ...]
    population: Population


def _thousandths(value: float) -> int:
    return math.ceil(1000 * value)


def centre_statistic(features: tuple[ScaledFeature, ...], days: tuple[int, ...]) -> FeatureSums:
    """The first question."""
    radius = _FIRST_RADIUS * math.sqrt(len(features))
    view = LinearView(features=features, radius=round(radius * UNIT), constant=round(radius / 2 * UNIT))
    return FeatureSums(view=view, days=days, customers="labelled", norm=_thousandths(radius * math.sqrt(1.25)))


def moments_statistic(
    features: tuple[ScaledFeature, ...], days: tuple[int, ...], centre: tuple[int, ...]
) -> FeatureMoments:
    """The second question, around a released centre."""
    radius = _RADIUS * math.sqrt(len(features))
    length = radius * math.sqrt(1.25)
    outcome = _OUTCOME_WEIGHT * radius
    return FeatureMoments(
        view=LinearView(
            features=features, centre=centre, radius=round(radius * UNIT), constant=round(radius / 2 * UNIT)
        ),
        days=days,
        outcome_weight=round(1000 * outcome),
        norm=_thousandths(math.hypot(length**2, outcome * length / 2)),
    )


def _combined(estimates: list[tuple[float, float]]) -> tuple[float, float]:
    """Independent estimates (value, deviation) of one number, weighted by their precision."""
    weights = [deviation**-2 for _, deviation in estimates]
    value = sum(weight * value for weight, (value, _) in zip(weights, estimates, strict=True)) / sum(weights)
    return value, sum(weights) ** -0.5


def _clear_count(estimates: list[tuple[float, float]]) -> float:
    """The number of customers, from estimates of it.

    Raises:
        DataError: if the noise hides it.
    """
    found, deviation = _combined(estimates)
    if found <= _CLEAR * deviation:
        raise DataError("the customers of the training days cannot be told from the noise", hint=_HINT)
    return max(found, _LEAST_CUSTOMERS)


def foundation(features: tuple[ScaledFeature, ...], days: tuple[int, ...], ask: Ask) -> Foundation:
    """Ask the first two questions.

    Args:
        features: the inputs.
        days: indices of the training days.
        ask: asks a question by its title.

    Raises:
        DataError: if the noise hides the customers, those who churned, or those who did not.
    """
    first = centre_statistic(features, days)
    release = ask(CENTRE, first)
    sums, noise = first.decode(release.array, release.deviation)
    constant = first.view.constant / UNIT
    counted = [(float(sums[0]) / constant, noise / constant)]
    customers = _clear_count(counted)
    centre = tuple(int(value) for value in np.clip(np.round(sums[1:] / customers * UNIT), -UNIT, UNIT))

    second = moments_statistic(features, days, centre)
    release = ask(MOMENTS, second)
    matrix, products, noise = second.decode(release.array, release.deviation)
    constant = second.view.constant / UNIT
    counted.append((float(matrix[0, 0]) / constant**2, noise / constant**2))
    customers = _clear_count(counted)
    found, deviation = _combined(counted)
    clear = _CLEAR * math.hypot(deviation / 2, noise / (second.outcome_weight / 1000) / constant)
    if abs(products[0] / constant) > found / 2 - clear:  # the products with the constant: churned minus others, halved
        raise DataError(
            "churned customers and others of the training days cannot both be told from the noise", hint=_HINT
        )
    values, axes = np.linalg.eigh(matrix / customers)
    # The largest eigenvalue of the noise alone (its matrix has entries of deviation noise / sqrt(2) off the diagonal):
    # directions with less than that cannot be told from noise, and are not blown up beyond it.
    edge = noise * math.sqrt(2 * len(values)) / customers
    whitening = (axes / np.sqrt(np.maximum(values, edge))).T
    entries = np.round(whitening * ENTRY).astype(np.int64)
    view = second.view.model_copy(update={"matrix": tuple(tuple(row) for row in entries.tolist())})
    # 1/4 is the logistic curve's slope at even odds.
    start = 4 * (entries / ENTRY) @ (products / customers)
    population = _population(matrix / customers, second.view)
    return Foundation(view=view, matrix=entries / ENTRY, start=start, customers=customers, population=population)


def _population(moments: FloatArray, view: LinearView) -> Population:
    """Mean and covariance from released second moments of (constant, features from a centre).

    Scaled features lie in [-1, 1]; what noise makes of their moments is cut to what they then can be.
    """
    constant = view.constant / UNIT
    away = moments[0, 1:] / constant
    mean = np.clip(np.array(view.centre) / UNIT + away, -1, 1)
    values, axes = np.linalg.eigh(moments[1:, 1:] - np.outer(away, away))
    return Population(features=view.features, mean=mean, axes=(axes * np.sqrt(np.clip(values, 0, len(values)))).T)


def train_logistic(features: tuple[ScaledFeature, ...], days: tuple[int, ...], *, rounds: int, ask: Ask) -> Trained:
    """A logistic regression in ``rounds + 2`` questions."""
    base = foundation(features, days, ask)
    weights = base.start
    steps = []
    for number in range(1, rounds + 1):
        title = gradient_title(number, rounds)
        question = LogisticGradient(
            view=base.view,
            weights=tuple(round(value * WEIGHT) for value in weights.tolist()),
            days=days,
            norm=_thousandths(CLIP * math.sqrt(len(weights))),
        )
        release = ask(title, question)
        gradient, _ = question.decode(release.array, release.deviation)
        change = STEP * gradient / base.customers
        weights = weights - change
        steps.append(TrainingRound(title=title, step=float(np.linalg.norm(change))))
    model = LogisticModel(features=features, weights=linear_weights(base, weights))
    return Trained(model, tuple(steps), base.population)


def train_network(features: tuple[ScaledFeature, ...], days: tuple[int, ...], *, rounds: int, ask: Ask) -> Trained:
    """A perceptron beside a direct path, in ``rounds + 2`` questions.

    The direct path starts at least squares, the hidden layer at public random weights; a step is as long as in
    :func:`train_logistic`.
    """
    base = foundation(features, days, ask)
    layers = _first_layers(base)
    steps = []
    for number in range(1, rounds + 1):
        title = gradient_title(number, rounds)
        question = NetworkGradient(
            view=base.view,
            network=Network(**{name: _integers(part) for name, part in layers._asdict().items()}),
            days=days,
            norm=_thousandths(CLIP * math.sqrt(base.view.dim)),
        )
        release = ask(title, question)
        gradient, _ = question.decode(release.array, release.deviation)
        change = Layers(*(STEP * part / base.customers for part in gradient))
        layers = Layers(*(part - moved for part, moved in zip(layers, change, strict=True)))
        length = math.sqrt(sum(float((part**2).sum()) for part in change))
        steps.append(TrainingRound(title=title, step=length))
    hidden = tuple(
        linear_weights(base, row, bias=bias) for row, bias in zip(layers.hidden, layers.bias.tolist(), strict=True)
    )
    output = tuple(weight(HIDDEN_SCALE * value) for value in layers.output.tolist())
    model = NetworkModel(features=features, hidden=hidden, output=(*output, *linear_weights(base, layers.direct)))
    return Trained(model, tuple(steps), base.population)


def _integers(part: FloatArray) -> Any:
    """Weights in units of 1 / WEIGHT, as nested tuples."""
    rounded = np.round(part * WEIGHT).astype(np.int64).tolist()
    return tuple(tuple(row) if isinstance(row, list) else row for row in rounded)


def _first_layers(base: Foundation) -> Layers:
    """The direct path at least squares, the hidden layer at public random weights.

    Those come from SHA-256 of each weight's position, so that they are the same everywhere and for ever.
    """
    inputs = base.view.dim

    def normal(name: str, count: int, deviation: float) -> FloatArray:
        draws = []
        for position in range(count):
            digest = hashlib.sha256(f"cohortium/network/v1/{name}/{position}".encode()).digest()
            uniform = (int.from_bytes(digest[:7]) + 0.5) / 2**56
            draws.append(deviation * NormalDist().inv_cdf(uniform))
        return np.array(draws)

    return Layers(
        direct=base.start,
        hidden=normal("hidden", _UNITS * inputs, 1 / math.sqrt(inputs)).reshape(_UNITS, inputs),
        bias=normal("bias", _UNITS, _BIAS),
        output=normal("output", _UNITS, _OUTPUT / math.sqrt(_UNITS)),
    )


def linear_weights(base: Foundation, weights: FloatArray, *, bias: float = 0.0) -> tuple[int, ...]:
    """Weights over a view's coordinates, and a bias, as weights over the features, the intercept last."""
    over = base.matrix.T @ weights
    centre = np.array(base.view.centre, dtype=np.float64) / UNIT
    intercept = bias + over[0] * base.view.constant / UNIT - float(over[1:] @ centre)
    return tuple(weight(float(value)) for value in [*over[1:], intercept])
