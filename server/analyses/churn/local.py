"""One question in place of a training by sums: each holder trains by itself, and the outcomes are averaged.

Holders start at the public formula (or at even odds) and take the slot's steps on samples of their own customers
(:mod:`privacy.analyses.churn.local_training`). Nothing is known of the customers before, so inputs are the scaled
features themselves. Norm and step are public constants, found on public data (``benchmarks/churn_local.py``).
"""

from __future__ import annotations

from collections.abc import Collection

from privacy.analyses.churn.local_training import LocalTraining
from privacy.analyses.churn.options import ChurnOptions
from privacy.kernel.features import UNIT, ScaledFeature
from privacy.kernel.linear_view import LinearView
from privacy.models.scorers import PriorModel
from privacy.models.trained import LogisticModel, weight
from privacy.statistics.base import IntArray
from privacy.statistics.logistic_gradient import LogisticGradient
from privacy.statistics.prior_gradient import PriorGradient
from server.analysis import Ask
from server.training.foundation import Trained

#: Title of the question.
LOCAL = "local training"
#: Clipping norm, in thousandths. A feature is at most 1, so gradients of most customers are clipped.
_NORM = 1000
#: Length of a step, in thousandths: what the mean clipped gradient is multiplied by.
_STEP = 2000


def local_question(options: ChurnOptions, features: tuple[ScaledFeature, ...]) -> LocalTraining:
    """What holders are asked, of a study that trains locally."""
    view = LinearView(features=features, radius=64 * UNIT)
    start = (0,) * view.dim
    return LocalTraining(
        gradient=LogisticGradient(view=view, weights=start, days=(0,), norm=_NORM)
        if options.model == "logistic"
        else PriorGradient(view=view, weights=start, days=(0,), norm=_NORM, prior=options.formula),
        slot=options.slot,
        step=_STEP,
        size_classes=options.size_classes,
    )


def average(
    options: ChurnOptions, question: LocalTraining, total: IntArray, holders: Collection[str]
) -> LogisticModel | PriorModel:
    """The model of the mean weights.

    Args:
        options: of the study.
        question: what was asked.
        total: sum of the holders' answers, shape ``(dim,)``.
        holders: who took part.
    """
    constant, *learnt = question.decode(total, holders).tolist()
    features, weights = question.gradient.view.features, tuple(weight(value) for value in (*learnt, constant))
    if options.model == "logistic":
        return LogisticModel(features=features, weights=weights)
    return PriorModel(prior=options.formula, features=features, weights=weights)


def train_locally(
    options: ChurnOptions, features: tuple[ScaledFeature, ...], ask: Ask
) -> Trained[PriorModel | LogisticModel]:
    """The average of the holders' own trainings, of those who took part, weighed by their declared size classes."""
    question = local_question(options, features)
    release = ask(LOCAL, question)
    return Trained(average(options, question, release.array, release.holders), (), None)
