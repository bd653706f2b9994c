"""What every training begins with: coordinates in which no direction is much better measured than another.

1. *size and centre*: number of customers and the features' means.
2. *moments*: second moments around the centre, with what of the outcome is not expected.

They also tell, without further cost, whether there is anything to learn. Shares, radii and the outcome's weight are
public constants, found on public data (``benchmarks/churn.py`` shows the outcome); nothing of them looks at the data of
a study.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from privacy.figures.ranking import TrainingRound
from privacy.kernel.features import UNIT, ScaledFeature
from privacy.kernel.linear_view import ENTRY, LinearView
from privacy.kernel.row_arithmetic import FloatArray
from privacy.models.scorers import ChurnModel
from privacy.models.trained import weight
from privacy.statistics import FeatureSums
from privacy.statistics.feature_moments import MomentSums
from server.analysis import Ask
from server.training.score_bins import Population

M = TypeVar("M", bound=ChurnModel, covariant=True)

CENTRE = "size and centre"
MOMENTS = "moments"

#: Radii of the ball that a customer's features are clipped to, around zero and around the released centre, in units
#: of the square root of their number. Scaled features have a root mean square of about 0.4 to 0.6.
_FIRST_RADIUS = 0.55
_RADIUS = 0.75
#: Weight of the products with the outcome, in units of the radius: large enough to be well measured.
_OUTCOME_WEIGHT = 1.2
#: Clipping norm of a gradient, in units of the square root of its length: most customers are below it.
_CLIP = 0.6
#: No study is so small that fewer customers need be reckoned with; a lower estimate is noise.
_LEAST_CUSTOMERS = 100.0
#: A number that is not this many deviations above zero cannot be told from the noise. The evaluation asks for more.
CLEAR = 4.0


class Count(NamedTuple):
    """An estimate of the number of customers, and its deviation."""

    value: float
    deviation: float

    @property
    def clear(self) -> bool:
        """Whether the noise leaves it to be seen."""
        return self.value > CLEAR * self.deviation

    @property
    def customers(self) -> float:
        """The number to reckon with."""
        return max(self.value, _LEAST_CUSTOMERS)

    def with_other(self, other: Count) -> Count:
        """Both, weighted by their precision; they are independent."""
        weights = [self.deviation**-2, other.deviation**-2]
        value = (weights[0] * self.value + weights[1] * other.value) / sum(weights)
        return Count(value, sum(weights) ** -0.5)


@dataclass(frozen=True, kw_only=True)
class Centre:
    """What the first question tells.

    Attributes:
        place: mean scaled features, in units of 1 / UNIT.
        count: of the customers.
    """

    place: tuple[int, ...]
    count: Count


@dataclass(frozen=True, kw_only=True, eq=False)
class Foundation:
    """Whitened coordinates of the features, and what goes with the outcome in them.

    Attributes:
        view: the coordinates.
        matrix: the view's matrix as floats, shape ``(coordinates, features + 1)``.
        lengths: eigenvalue of each coordinate, none smaller than noise can be told from, shape ``(coordinates,)``.
        products: sum over customers of what is not expected times (constant, features), shape ``(features + 1,)``.
        noise: deviation of each product.
        count: of the customers, from both questions.
        population: what the two releases say of the customers' features.
    """

    view: LinearView
    matrix: FloatArray
    lengths: FloatArray
    products: FloatArray
    noise: float
    count: Count
    population: Population


class Trained(NamedTuple, Generic[M]):
    """A model over the features themselves, how long each step was, and what was released of the customers."""

    model: M
    steps: tuple[TrainingRound, ...]
    population: Population | None


def gradient_title(number: int, rounds: int) -> str:
    """Title of a gradient question."""
    return f"training {number} of {rounds}"


def thousandths(value: float) -> int:
    """Rounded up, as norms are stated."""
    return math.ceil(1000 * value)


def gradient_norm(coordinates: int) -> int:
    """Clipping norm of a gradient by so many weights of one path, in thousandths."""
    return thousandths(_CLIP * math.sqrt(coordinates))


def centre_statistic(features: tuple[ScaledFeature, ...], days: tuple[int, ...]) -> FeatureSums:
    """The first question."""
    radius = _FIRST_RADIUS * math.sqrt(len(features))
    view = LinearView(features=features, radius=round(radius * UNIT), constant=round(radius / 2 * UNIT))
    return FeatureSums(view=view, days=days, customers="labelled", norm=thousandths(radius * math.sqrt(1.25)))


def moments_fields(
    features: tuple[ScaledFeature, ...], days: tuple[int, ...], centre: tuple[int, ...]
) -> dict[str, Any]:
    """The second question's fields, around a released centre, whatever is expected of a customer."""
    radius = _RADIUS * math.sqrt(len(features))
    length = radius * math.sqrt(1.25)
    outcome = _OUTCOME_WEIGHT * radius
    return {
        "view": LinearView(
            features=features, centre=centre, radius=round(radius * UNIT), constant=round(radius / 2 * UNIT)
        ),
        "days": days,
        "outcome_weight": round(1000 * outcome),
        "norm": thousandths(math.hypot(length**2, outcome * length / 2)),
    }


def ask_centre(features: tuple[ScaledFeature, ...], days: tuple[int, ...], ask: Ask) -> Centre | None:
    """Ask the first question; None where the noise hides the customers."""
    question = centre_statistic(features, days)
    release = ask(CENTRE, question)
    sums, noise = question.decode(release.array, release.deviation)
    constant = question.view.constant / UNIT
    count = Count(float(sums[0]) / constant, noise / constant)
    if not count.clear:
        return None
    place = np.clip(np.round(sums[1:] / count.customers * UNIT), -UNIT, UNIT)
    return Centre(place=tuple(int(value) for value in place), count=count)


def ask_moments(question: MomentSums, centre: Centre, ask: Ask) -> Foundation | None:
    """Ask the second question; None where the noise hides the customers after all."""
    release = ask(MOMENTS, question)
    matrix, products, noise = question.decode(release.array, release.deviation)
    constant = question.view.constant / UNIT
    count = centre.count.with_other(Count(float(matrix[0, 0]) / constant**2, noise / constant**2))
    if not count.clear:
        return None
    values, axes = np.linalg.eigh(matrix / count.customers)
    # The largest eigenvalue of the noise alone (its matrix has entries of deviation noise / sqrt(2) off the diagonal):
    # directions with less than that cannot be told from noise, and are not blown up beyond it.
    lengths = np.maximum(values, noise * math.sqrt(2 * len(values)) / count.customers)
    entries = np.round((axes / np.sqrt(lengths)).T * ENTRY).astype(np.int64)
    return Foundation(
        view=question.view.model_copy(update={"matrix": tuple(tuple(row) for row in entries.tolist())}),
        matrix=entries / ENTRY,
        lengths=lengths,
        products=products,
        noise=noise / (question.outcome_weight / 1000),
        count=count,
        population=_population(matrix / count.customers, question.view),
    )


def _population(moments: FloatArray, view: LinearView) -> Population:
    """Mean and covariance from released second moments of (constant, features from a centre).

    Scaled features lie in [-1, 1]; what noise makes of their moments is cut to what they then can be.
    """
    constant = view.constant / UNIT
    away = moments[0, 1:] / constant
    mean = np.clip(np.array(view.centre) / UNIT + away, -1, 1)
    values, axes = np.linalg.eigh(moments[1:, 1:] - np.outer(away, away))
    axes = (axes * np.sqrt(np.clip(values, 0, len(values)))).T
    return Population(features=view.features, mean=mean, axes=axes)


def linear_weights(base: Foundation, weights: FloatArray, *, bias: float = 0.0) -> tuple[int, ...]:
    """Weights over a view's coordinates, and a bias, as weights over the features, the intercept last."""
    over = base.matrix.T @ weights
    centre = np.array(base.view.centre, dtype=np.float64) / UNIT
    intercept = bias + over[0] * base.view.constant / UNIT - float(over[1:] @ centre)
    return tuple(weight(float(value)) for value in [*over[1:], intercept])
