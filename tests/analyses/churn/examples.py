"""Examples of this analysis for the suites that run over all: statistics, and slow code that says what they mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from analyses.churn.tree_examples import GROWN, LEAF_SUMS, reading_of, slow_trees
from numpy.typing import NDArray
from row_kits import FEATURE_DAYS, FeatureDay, FeatureRow
from shared_examples import moment_units, products, read_moments
from statistic_kit import (
    PLAIN_VIEW,
    SCALED,
    TURNED_VIEW,
    Reading,
    ReadingOf,
    cut,
    read_vector,
    slow_inputs,
    slow_view,
    true_vectors,
    vector_tolerance,
)

from privacy.analyses.churn.by_holder import ByHolder
from privacy.analyses.churn.local_training import LocalTraining
from privacy.analyses.churn.network_gradient import HIDDEN_SCALE, Network, NetworkGradient
from privacy.analyses.churn.options import DEFAULT_SLOT
from privacy.kernel.features import MISSING, UNIT, Scale, ScaledFeature
from privacy.kernel.linear_view import ENTRY, LinearView
from privacy.models.linear_prior import LinearPrior
from privacy.models.mbg import MbgPrior, public_prior
from privacy.models.scorers import PriorModel
from privacy.models.trained import LOGIT, PROBABILITY, WEIGHT, FeatureRank, LogisticModel, NetworkModel
from privacy.models.trees import TreesModel
from privacy.statistics import Statistic
from privacy.statistics.logistic_gradient import LogisticGradient, LossGradient
from privacy.statistics.prior_gradient import PriorGradient
from privacy.statistics.prior_moments import PriorMoments
from privacy.statistics.score_histogram import ScoredModel, ScoreHistogram

LOGISTIC = LogisticModel(features=SCALED, weights=(2 * WEIGHT, -WEIGHT // 3, -12_345, 7, WEIGHT // 2))

NETWORK = NetworkModel(
    features=SCALED[1:3],
    hidden=((WEIGHT, -WEIGHT, 100), (-3 * WEIGHT, WEIGHT // 7, -WEIGHT), (5, 0, 0)),
    output=(WEIGHT, -WEIGHT // 5, 3, 0, WEIGHT // 11, -777),
)

#: A correction over the formula's own facts.
CORRECTED = PriorModel(
    prior=public_prior(90),
    features=(
        ScaledFeature(name="tenure_days", scale=Scale(kind="linear", high=730)),
        ScaledFeature(name="recency_days", scale=Scale(kind="log", high=3650)),
    ),
    weights=(WEIGHT // 3, -WEIGHT, 777),
)

#: Other parameters than the public ones: at the ends of what a formula can hold.
FORMULA = MbgPrior(shape=1, exposure_days=3650, dropout=1 << 16, staying=1, horizon_days=7)

#: A public formula of scaled features, over the same facts: sure of who bought often and long ago.
LINEAR = LinearPrior(
    features=(
        ScaledFeature(name="purchase_days", scale=Scale(kind="log", high=200)),
        ScaledFeature(name="recency_days", scale=Scale(kind="linear", high=3650)),
    ),
    weights=(9 * WEIGHT, 9 * WEIGHT, -WEIGHT // 3),
)

_LARGEST = 1 << 24

#: The largest network with the largest weights.
WIDEST_NETWORK = NetworkModel(
    features=tuple(SCALED[i % 4] for i in range(40)),
    hidden=((_LARGEST,) * 41, *((-_LARGEST,) * 41 for _ in range(23))),
    output=(*(_LARGEST if unit else -_LARGEST for unit in range(24)), *(-_LARGEST,) * 41),
)


def logit_bins(half: int, width: float) -> tuple[int, ...]:
    """``2 half - 1`` thresholds around 0, ``width`` apart in logits."""
    return tuple(round(step * width * LOGIT) for step in range(1 - half, half))


def ranked(feature: ScaledFeature) -> FeatureRank:
    """A feature as a model."""
    return FeatureRank(features=(feature,))


def slow_probability(logit: int) -> int:
    """The logistic function of the nearest step of 1/256, between -16 and 16, in units of 1 / PROBABILITY."""
    step = (2 * 256 * logit + LOGIT) // (2 * LOGIT)
    return round(PROBABILITY / (1 + math.exp(-max(-4096, min(step, 4096)) / 256)))


def slow_tangent(value: int) -> int:
    """The hyperbolic tangent by way of the logistic function, in units of 1 / UNIT."""
    return UNIT * (2 * slow_probability(2 * value) - PROBABILITY) // PROBABILITY


def _fine(value: float) -> int:
    return round(value * 2**30)


def slow_formula(formula: MbgPrior, facts: Sequence[int]) -> int:
    """The formula with Python's integers and logarithms, in units of 1 / LOGIT."""
    bought, silent, tenure = (0 if value == MISSING else value for value in facts)
    x = max(0, min(bought - 1, 200))
    whole = max(0, min(tenure, 7300))
    last = max(0, whole - max(0, min(silent, 7300))) if x else 0
    alpha, rate = formula.exposure_days, formula.shape + 1024 * x

    def ln(days: int) -> int:
        return _fine(math.log(days))

    lost = _fine(math.log(formula.dropout / (formula.staying + 1024 * x)))
    lost += rate * (ln(alpha + whole) - ln(alpha + last)) // 1024
    quiet = rate * (ln(alpha + whole + formula.horizon_days) - ln(alpha + whole)) // 1024

    def middle(value: int, bits: int) -> float:
        return (min(value >> (30 - bits), (16 << bits) - 1) + 0.5) / 2**bits

    joined = max(lost, -quiet) + _fine(math.log1p(math.exp(-middle(abs(lost + quiet), 12))))
    apart = _fine(math.log(-math.expm1(-middle(quiet, 20 if quiet < 1 << 27 else 12))))
    return max(-8 * LOGIT, min((joined - apart) >> 2, 8 * LOGIT))


def slow_prior(prior: MbgPrior | LinearPrior, day: FeatureDay) -> int:
    """A prior's logit; tables have the formula's facts."""
    if isinstance(prior, MbgPrior):
        return slow_formula(prior, day[2])
    inputs = slow_inputs(prior.features, day, MbgPrior.FACTS)
    return sum(x * w for x, w in zip([*inputs, UNIT], prior.weights, strict=True))


def slow_logit(model: Any, inputs: list[int]) -> int:
    """A model's logit with Python's integers."""
    if isinstance(model, FeatureRank):
        return inputs[0] * WEIGHT
    if isinstance(model, LogisticModel):
        return sum(x * w for x, w in zip([*inputs, UNIT], model.weights, strict=True))
    if isinstance(model, TreesModel):
        return slow_trees(model, inputs)
    units = [slow_tangent(sum(x * w for x, w in zip([*inputs, UNIT], row, strict=True))) for row in model.hidden]
    return sum(x * w for x, w in zip([*units, *inputs, UNIT], model.output, strict=True))


def _read_histograms(statistic: ScoreHistogram, values: NDArray[np.int64], noise: float) -> Reading:
    found = statistic.decode(values, noise)
    return Reading(
        values=np.concatenate([counts.ravel() for counts, _ in found]),
        deviations=np.concatenate([np.full(counts.size, deviation) for counts, deviation in found]),
    )


def _slow_score(model: Any, day: FeatureDay) -> int:
    # Tables of other features than the suites' have them in the order of their names, which is that of the facts.
    if isinstance(model, MbgPrior | LinearPrior):
        return slow_prior(model, day)
    if isinstance(model, PriorModel):
        inputs = slow_inputs(model.features, day, MbgPrior.FACTS)
        return slow_prior(model.prior, day) + sum(x * w for x, w in zip([*inputs, UNIT], model.weights, strict=True))
    return slow_logit(model, slow_inputs(model.features, day))


def _true_histograms(statistic: ScoreHistogram, customers: Sequence[FeatureRow]) -> list[int]:
    result: list[int] = []
    for item in statistic.models:
        cells = [0] * (2 * item.bins)
        for row in customers:
            eligible, outcome, _ = day = row[statistic.day]
            if eligible == 1 and outcome in (0, 1):
                logit = _slow_score(item.model, day)
                cells[2 * sum(logit > upper for upper in item.upper) + outcome] += 1
        result += cells
    return result


def _true_gradient(statistic: LogisticGradient, customers: Sequence[FeatureRow]) -> list[float]:
    def encode(z: list[float], outcome: int) -> list[float]:
        logit = math.fsum(x * w / WEIGHT for x, w in zip(z, statistic.weights, strict=True))
        return [x * ((1 + math.tanh(logit / 2)) / 2 - outcome) for x in z]

    return true_vectors(statistic, customers, encode, outcome=True)


def _gradient_tolerance(statistic: LossGradient, customers: int) -> NDArray[np.float64]:
    # Tabulated probabilities: half a step of 1/256 at a slope of 1/4, and half a unit of rounding.
    table_error = 1 / 512 / 4 + 1 / 2 / 4096
    return vector_tolerance(statistic, customers) + customers * table_error * statistic.view.reach / UNIT


def _read_layers(statistic: NetworkGradient, values: NDArray[np.int64], noise: float) -> Reading:
    layers, deviation = statistic.decode(values, noise)
    flat = np.concatenate([layer.ravel() for layer in layers])
    return Reading(values=flat, deviations=np.full(len(flat), deviation))


def _true_network_gradient(statistic: NetworkGradient, customers: Sequence[FeatureRow]) -> list[float]:
    """Back-propagation through exact functions, one weight at a time."""
    network = statistic.network

    def dot(z: list[float], weights: Sequence[int]) -> float:
        return math.fsum(x * w / WEIGHT for x, w in zip(z, weights, strict=True))

    def encode(z: list[float], outcome: int) -> list[float]:
        units = [math.tanh(dot(z, row) + bias / WEIGHT) for row, bias in zip(network.hidden, network.bias, strict=True)]
        logit = dot(z, network.direct) + HIDDEN_SCALE * dot(units, network.output)
        residual = (1 + math.tanh(logit / 2)) / 2 - outcome
        inner = [
            residual * HIDDEN_SCALE * output / WEIGHT * (1 - unit * unit)
            for unit, output in zip(units, network.output, strict=True)
        ]
        hidden = [x * value for value in inner for x in z]
        return [*(x * residual for x in z), *hidden, *inner, *(unit * residual * HIDDEN_SCALE for unit in units)]

    return true_vectors(statistic, customers, encode, outcome=True)


def _network_tolerance(statistic: NetworkGradient, customers: int) -> NDArray[np.float64]:
    # To first order: a unit is off by twice the probability's error, and moves the logit, its slope and its product.
    table_error = 1 / 512 / 4 + 1 / 2 / 4096
    network = statistic.network
    outputs = sum(map(abs, network.output)) / WEIGHT * HIDDEN_SCALE
    reach = statistic.view.reach / UNIT
    residual = table_error * (1 + outputs)  # logits move by 2 table_error outputs, at a slope of 1/4, beside its own
    error = reach * residual + 2 * (1 + reach) * outputs * (residual + 4 * table_error) + 4 * table_error
    return vector_tolerance(statistic, customers) + customers * error


def _read_blocks(statistic: ByHolder, values: NDArray[np.int64], noise: float) -> Reading:
    blocks = [_read_histograms(statistic.inner, statistic.part_of(h, values), noise) for h in statistic.holders]
    return Reading(
        values=np.concatenate([block.values for block in blocks]),
        deviations=np.concatenate([block.deviations for block in blocks]),
    )


def _true_blocks(statistic: ByHolder, customers: Sequence[FeatureRow]) -> list[int]:
    # By itself the statistic encodes as the first holder does.
    return _true_histograms(statistic.inner, customers) + [0] * (statistic.inner.dim * (len(statistic.holders) - 1))


def _expected(formula: MbgPrior | LinearPrior, day: FeatureDay, more: float = 0.0) -> float:
    """Probability of churn by the formula and a correction, in real numbers but for the formula's logit."""
    return (1 + math.tanh((slow_prior(formula, day) / LOGIT + more) / 2)) / 2


def _true_of_days(
    statistic: PriorMoments | PriorGradient,
    customers: Sequence[FeatureRow],
    encode: Callable[[list[float], FeatureDay], list[float]],
) -> list[float]:
    """As :func:`statistic_kit.true_vectors`, where more is looked at than the view; tables have the formula's facts."""
    total = np.zeros(statistic.dim)
    for row in customers:
        mean = np.zeros(statistic.dim)
        for number in statistic.days:
            day = row[number]
            if day[0] == 1 and day[1] in (0, 1):
                mean += np.array(encode(slow_view(statistic.view, day, MbgPrior.FACTS), day)) / len(statistic.days)
        total += cut(mean.tolist(), statistic.norm / 1000)
    return total.tolist()


def _true_prior_moments(statistic: PriorMoments, customers: Sequence[FeatureRow]) -> list[float]:
    weight = statistic.outcome_weight / 1000

    def encode(z: list[float], day: FeatureDay) -> list[float]:
        return products(z, (day[1] - _expected(statistic.prior, day)) / 2, weight)

    return (np.array(_true_of_days(statistic, customers, encode)) * moment_units(statistic)).tolist()


def _true_prior_gradient(statistic: PriorGradient, customers: Sequence[FeatureRow]) -> list[float]:
    def encode(z: list[float], day: FeatureDay) -> list[float]:
        own = math.fsum(x * w / WEIGHT for x, w in zip(z, statistic.weights, strict=True))
        return [x * (_expected(statistic.prior, day, own) - day[1]) for x in z]

    return _true_of_days(statistic, customers, encode)


def _moments_tolerance(statistic: PriorMoments, customers: int) -> NDArray[np.float64]:
    # A probability is off by half a step of 1/256 at a slope of 1/4, and half a unit; its product by the weight's half.
    table_error = (1 / 512 / 4 + 1 / 2 / 4096) / 2 * statistic.outcome_weight / 1000
    reached = customers * table_error * statistic.view.reach / UNIT
    return (vector_tolerance(statistic, customers) + reached) * moment_units(statistic)


def _surest(statistic: Statistic[Any]) -> FeatureRow:
    """A customer of whom the formula is sure to have lost it, and who buys again: (purchases, silence, tenure)."""
    return ((1, 0, (201, 7300, 7300)),) * FEATURE_DAYS


#: Views of the formula's own facts.
_FACTS = (
    ScaledFeature(name="recency_days", scale=Scale(kind="log", high=3650)),
    ScaledFeature(name="tenure_days", scale=Scale(kind="linear", high=730)),
)
FACTS_VIEW = LinearView(features=_FACTS, radius=2 * UNIT, reach=2 * UNIT)
_TURNED = LinearView(
    features=_FACTS, centre=(1000, -4096), radius=UNIT, constant=UNIT // 2, reach=2 * UNIT,
    matrix=((ENTRY, ENTRY, 0), (0, ENTRY // 3, ENTRY)),
)  # fmt: skip

#: Kind to examples: the smallest, an ordinary one, and one at the edges of what its fields allow.
STATISTICS: dict[str, tuple[Statistic[Any], ...]] = {
    "score_histogram": (
        ScoreHistogram(day=0, models=(ScoredModel(model=LOGISTIC, upper=(0,), permille=1000),)),
        ScoreHistogram(
            day=1,
            models=(
                ScoredModel(model=LOGISTIC, upper=logit_bins(8, 0.25), permille=600),
                ScoredModel(model=NETWORK, upper=logit_bins(5, 0.5), permille=250),
                ScoredModel(model=ranked(SCALED[3]), upper=(-LOGIT // 2, 0, LOGIT // 2 - 1), permille=150),
            ),
        ),
        ScoreHistogram(
            day=FEATURE_DAYS - 1,
            models=(
                ScoredModel(model=WIDEST_NETWORK, upper=(-(1 << 56), 0, 1 << 56), permille=1),
                ScoredModel(model=GROWN, upper=logit_bins(3, 0.5), permille=300),
                ScoredModel(model=ranked(SCALED[0]), upper=tuple(range(-300, 300)), permille=699),
            ),
        ),
        ScoreHistogram(
            day=0,
            models=(
                ScoredModel(model=public_prior(90), upper=logit_bins(9, 0.5), permille=900),
                ScoredModel(model=CORRECTED, upper=logit_bins(4, 1), permille=90),
                ScoredModel(model=FORMULA, upper=(-8 * LOGIT, 0, 8 * LOGIT), permille=5),
                ScoredModel(model=LINEAR, upper=(-2 * LOGIT, 0, 2 * LOGIT), permille=5),
            ),
        ),
    ),
    "logistic_gradient": (
        LogisticGradient(view=PLAIN_VIEW, weights=(0,) * 5, days=(0,), norm=1),
        LogisticGradient(view=PLAIN_VIEW, weights=(WEIGHT, -WEIGHT, 0, 3, 99), days=(0, 1, 2), norm=900),
        LogisticGradient(view=TURNED_VIEW, weights=(1 << 40, -(1 << 40)), days=(2,), norm=1000),
    ),
    "network_gradient": (
        NetworkGradient(
            view=PLAIN_VIEW,
            network=Network(direct=(0,) * 5, hidden=((0,) * 5,), bias=(0,), output=(0,)),
            days=(1,),
            norm=1,
        ),
        NetworkGradient(
            view=TURNED_VIEW,
            network=Network(
                direct=(WEIGHT, -WEIGHT // 2),
                hidden=((WEIGHT, 3), (-WEIGHT, WEIGHT // 3), (0, -2 * WEIGHT)),
                bias=(0, WEIGHT // 4, -7),
                output=(WEIGHT, -WEIGHT, WEIGHT // 5),
            ),
            days=(0, 1, 2),
            norm=900,
        ),
        NetworkGradient(
            view=PLAIN_VIEW,
            network=Network(
                direct=(1 << 40, -(1 << 40), 1, 0, 1 << 40), hidden=((-(1 << 40),) * 5,) * 2, bias=(1 << 40, -1),
                output=(0, WEIGHT),
            ),
            days=(0, 2),
            norm=2000,
        ),
    ),
    "prior_moments": (
        PriorMoments(view=FACTS_VIEW, prior=public_prior(90), days=(0,), outcome_weight=1, norm=1),
        # The longest: |z|^2 = 3, sqrt(9 + (1.5 sqrt(3) / 2)^2) = 3.269 but for what no logit of 8 is sure of.
        PriorMoments(view=FACTS_VIEW, prior=public_prior(90), days=(0, 1, 2), outcome_weight=1500, norm=3268),
        PriorMoments(view=_TURNED, prior=FORMULA, days=(2,), outcome_weight=1_000_000, norm=1000),
        PriorMoments(view=FACTS_VIEW, prior=LINEAR, days=(1, 0), outcome_weight=1500, norm=3268),
    ),
    "prior_gradient": (
        PriorGradient(view=FACTS_VIEW, prior=public_prior(90), weights=(0,) * 3, days=(0,), norm=1),
        PriorGradient(
            view=FACTS_VIEW, prior=public_prior(30), weights=(WEIGHT, -WEIGHT, 3), days=(0, 1, 2), norm=900
        ),
        PriorGradient(view=_TURNED, prior=FORMULA, weights=(1 << 40, 1 << 40), days=(2,), norm=1000),
        PriorGradient(view=FACTS_VIEW, prior=LINEAR, weights=(WEIGHT, -WEIGHT, 3), days=(2, 0), norm=900),
    ),
    "leaf_sums": LEAF_SUMS,
}  # fmt: skip

STATISTICS["local_training"] = tuple(
    LocalTraining(gradient=gradient, slot=DEFAULT_SLOT, step=4000, size_classes={"alpha": 1000, "beta": 3000})
    for gradient in (*STATISTICS["prior_gradient"][:1], STATISTICS["prior_gradient"][2])
)

STATISTICS["by_holder"] = tuple(
    ByHolder(inner=inner, holders=holders)
    for inner, holders in zip(
        STATISTICS["score_histogram"][:3], (("alpha",), ("alpha", "beta", "gamma"), ("b", "c")), strict=True
    )
)

READINGS: dict[str, ReadingOf] = {
    "score_histogram": ReadingOf(
        read=_read_histograms, truth=_true_histograms, tolerance=lambda statistic, _: np.full(statistic.dim, 1e-6)
    ),
    "logistic_gradient": ReadingOf(
        read=read_vector, truth=_true_gradient, tolerance=_gradient_tolerance, reached=0.999999
    ),
    "network_gradient": ReadingOf(
        read=_read_layers, truth=_true_network_gradient, tolerance=_network_tolerance, reached=0.999999
    ),
    "prior_moments": ReadingOf(
        read=read_moments, truth=_true_prior_moments, tolerance=_moments_tolerance, reached=0.999999, witness=_surest
    ),
    "prior_gradient": ReadingOf(
        read=read_vector, truth=_true_prior_gradient, tolerance=_gradient_tolerance, reached=0.999999, witness=_surest
    ),
    "leaf_sums": reading_of(slow_probability),
    "local_training": ReadingOf(  # of one step: what a customer adds to it
        read=lambda statistic, values, noise: read_vector(statistic.gradient, values, noise),
        truth=lambda statistic, customers: _true_prior_gradient(statistic.gradient, customers),
        tolerance=lambda statistic, customers: _gradient_tolerance(statistic.gradient, customers),
        reached=0.999999,
        witness=lambda statistic: _surest(statistic.gradient),
    ),
    "by_holder": ReadingOf(
        read=_read_blocks, truth=_true_blocks, tolerance=lambda statistic, _: np.full(statistic.dim, 1e-6)
    ),
}
