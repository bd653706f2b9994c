"""Training on noisy sums: what turns releases into a model in few questions.

After the two questions of :mod:`server.training.foundation`, which give coordinates and the least-squares start,
a few clipped gradient steps of the logistic loss in those coordinates. Where the first two tell that there is nothing
to learn, nothing more is asked, and so nothing more is spent.

Shares and steps are public constants, found on public data (``benchmarks/churn.py`` shows the outcome); nothing of them
looks at the data of a study.
"""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction
from statistics import NormalDist
from typing import Any

import numpy as np

from privacy.analyses.churn.network_gradient import HIDDEN_SCALE, Layers, Network, NetworkGradient
from privacy.errors import DataError
from privacy.figures.ranking import TrainingRound
from privacy.kernel.features import UNIT, ScaledFeature
from privacy.kernel.row_arithmetic import FloatArray
from privacy.models.trained import WEIGHT, LogisticModel, NetworkModel, weight
from privacy.statistics import FeatureMoments
from privacy.statistics.logistic_gradient import LogisticGradient
from server.analysis import Ask
from server.training.foundation import (
    CENTRE,
    CLEAR,
    MOMENTS,
    Foundation,
    Trained,
    ask_centre,
    ask_moments,
    gradient_norm,
    gradient_title,
    linear_weights,
    moments_fields,
)

#: Shares of the training budget of the first two questions; the gradients share the rest alike.
_CENTRE_SHARE = Fraction(4, 100)
_MOMENTS_SHARE = Fraction(40, 100)
#: Length of a step. The logistic loss curves at most by 1/4 in whitened coordinates; 0.8 of the inverse of that.
STEP = 3.2
#: Hidden units, and the spread of their first biases and output weights.
_UNITS = 8
_BIAS = 0.5
_OUTPUT = 0.5

_HINT = (
    'use model = "prior", which needs fewer customers, another horizon_days or active_days, a larger epsilon, or '
    "invite more holders"
)


def training_weights(rounds: int) -> dict[str, Fraction]:
    """Shares of the training budget, by title."""
    rest = (1 - _CENTRE_SHARE - _MOMENTS_SHARE) / rounds
    return {
        CENTRE: _CENTRE_SHARE,
        MOMENTS: _MOMENTS_SHARE,
        **{gradient_title(number, rounds): rest for number in range(1, rounds + 1)},
    }


def foundation(features: tuple[ScaledFeature, ...], days: tuple[int, ...], ask: Ask) -> Foundation:
    """Ask the first two questions.

    Args:
        features: the inputs.
        days: indices of the training days.
        ask: asks a question by its title.

    Raises:
        DataError: if the noise hides the customers, those who churned, or those who did not.
    """
    centre = ask_centre(features, days, ask)
    base = None
    if centre is not None:
        base = ask_moments(FeatureMoments(**moments_fields(features, days, centre.place)), centre, ask)
    if base is None:
        raise DataError("the customers of the training days cannot be told from the noise", hint=_HINT)
    constant = base.view.constant / UNIT
    clear = CLEAR * math.hypot(base.count.deviation / 2, base.noise / constant)
    # The products with the constant: churned minus others, halved.
    if abs(base.products[0] / constant) > base.count.value / 2 - clear:
        raise DataError(
            "churned customers and others of the training days cannot both be told from the noise", hint=_HINT
        )
    return base


def _least_squares(base: Foundation) -> FloatArray:
    """Weights of the least-squares fit on the scale of logits, shape ``(coordinates,)``."""
    # 1/4 is the logistic curve's slope at even odds.
    return np.asarray(4 * base.matrix @ (base.products / base.count.customers))


def train_logistic(
    features: tuple[ScaledFeature, ...], days: tuple[int, ...], *, rounds: int, ask: Ask
) -> Trained[LogisticModel]:
    """A logistic regression in ``rounds + 2`` questions."""
    base = foundation(features, days, ask)
    weights, steps = regression_steps(base, days, rounds=rounds, ask=ask)
    model = LogisticModel(features=features, weights=linear_weights(base, weights))
    return Trained(model, steps, base.population)


def regression_steps(
    base: Foundation, days: tuple[int, ...], *, rounds: int, ask: Ask
) -> tuple[FloatArray, tuple[TrainingRound, ...]]:
    """Weights over the coordinates after so many steps from least squares, and how long each step was."""
    weights = _least_squares(base)
    steps = []
    for number in range(1, rounds + 1):
        title = gradient_title(number, rounds)
        question = LogisticGradient(
            view=base.view,
            weights=tuple(round(value * WEIGHT) for value in weights.tolist()),
            days=days,
            norm=gradient_norm(len(weights)),
        )
        release = ask(title, question)
        gradient, _ = question.decode(release.array, release.deviation)
        change = STEP * gradient / base.count.customers
        weights = weights - change
        steps.append(TrainingRound(title=title, step=float(np.linalg.norm(change))))
    return weights, tuple(steps)


def train_network(
    features: tuple[ScaledFeature, ...], days: tuple[int, ...], *, rounds: int, ask: Ask
) -> Trained[NetworkModel]:
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
            norm=gradient_norm(base.view.dim),
        )
        release = ask(title, question)
        gradient, _ = question.decode(release.array, release.deviation)
        change = Layers(*(STEP * part / base.count.customers for part in gradient))
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
        direct=_least_squares(base),
        hidden=normal("hidden", _UNITS * inputs, 1 / math.sqrt(inputs)).reshape(_UNITS, inputs),
        bias=normal("bias", _UNITS, _BIAS),
        output=normal("output", _UNITS, _OUTPUT / math.sqrt(_UNITS)),
    )
