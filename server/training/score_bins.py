"""Where an evaluation's bins of scores lie: closest where most customers are expected.

Customers of one bin cannot be told apart, and all bins have the same noise. Bins of equally many customers leave the
fewest pairs of customers inside bins, for a given number of bins and so of noise. Where customers will be on the day of
the test is not released; the moments of the training day are, and the model that is to be tested is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from privacy.kernel.features import UNIT, IntArray, ScaledFeature
from privacy.kernel.row_arithmetic import FloatArray
from privacy.models.priors import Prior
from privacy.models.scorers import PriorModel, Scorer
from privacy.models.trained import LOGIT

#: More bins would add up more noise.
BINS = 20
#: Scores spread wider on another day, and around another middle, than the moments of the training day say. On public
#: data 1.3 had the least bias at the least noise (``benchmarks/churn_ranking.py``), of 1.3, 1.6 and 2.
_WIDER = 1.3
#: Bins are no closer than for scores of this deviation (logits): closer, and a small change would leave them all.
_LEAST = 0.05


#: What a formula's fact is read off where customers' own is not among the features: in most shops an order is a day.
_STAND_INS = {"purchase_days": "orders"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Population:
    """What releases say of customers' features.

    Attributes:
        features: whose scales the figures are on.
        mean: of scaled features, shape ``(features,)``.
        axes: vectors whose outer products add up to their covariance, shape ``(vectors, features)``.
    """

    features: tuple[ScaledFeature, ...]
    mean: FloatArray
    axes: FloatArray

    def scores(self, model: Scorer) -> NormalDist | None:
        """How a model's logits spread over such customers, taken for normal; None where it looks at other features.

        Mean and variance over the spherical cubature's points, ``mean +- sqrt(n) axis`` (Arasaratnam, Haykin 2009,
        "Cubature Kalman filters", IEEE Transactions on Automatic Control 54(6), section III), which are those of the
        covariance for a linear model, but for rounding on integers.
        """
        reach = math.sqrt(len(self.axes)) * self.axes
        points = np.round(UNIT * np.concatenate([self.mean + reach, self.mean - reach])).astype(np.int64)
        found = self._logits(model, points)
        if found is None:
            return None
        logits = found / LOGIT
        return NormalDist(float(logits.mean()), max(float(logits.std()), _LEAST))

    def _logits(self, model: Scorer, points: IntArray) -> IntArray | None:
        if isinstance(model, Prior):
            return self._formula(model, points)
        names = [feature.name for feature in self.features]
        if not {feature.name for feature in model.features} <= set(names):
            return None
        scaled = points[:, [names.index(feature.name) for feature in model.features]]
        if not isinstance(model, PriorModel):
            return model.logits(scaled)
        formula = self._formula(model.prior, points)
        return None if formula is None else formula + model.correction(scaled)

    def _formula(self, formula: Prior, points: IntArray) -> IntArray | None:
        """Of the raw values that the points stand for."""
        places: dict[str, int] = {feature.name: place for place, feature in enumerate(self.features)}
        facts = []
        for name in formula.FACTS:
            place = places.get(name, places.get(_STAND_INS.get(name, name)))
            if place is None:
                return None
            facts.append(np.rint(self.features[place].scale.raw(points[:, place] / UNIT)).astype(np.int64))
        return formula.logits(np.stack(facts, axis=1))


def _wider(expected: NormalDist) -> NormalDist:
    return NormalDist(expected.mean, _WIDER * expected.stdev)


def upper_ends(expected: NormalDist) -> tuple[int, ...]:
    """Inclusive upper ends of all bins but the last, in units of 1 / LOGIT: quantiles of the scores, spread wider."""
    spread = _wider(expected)
    return tuple(round(LOGIT * spread.inv_cdf(number / BINS)) for number in range(1, BINS))


def middles(expected: NormalDist) -> FloatArray:
    """The logit that each bin stands for, its median, shape ``(BINS,)``."""
    spread = _wider(expected)
    return np.array([spread.inv_cdf((number + 0.5) / BINS) for number in range(BINS)])


def predicted(expected: NormalDist) -> FloatArray:
    """The probability that each bin of logits stands for, shape ``(bins,)``."""
    return np.asarray(1 / (1 + np.exp(-middles(expected))))
