"""Churn: who will not buy again within a horizon; one model for all holders, tested on a later day than it learnt from.

The questions of the training are in :mod:`server.analyses.churn.learning`; then follows the *evaluation*: scores by
outcome on the day of the test, of the model and of recency by itself.
"""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import NormalDist

import numpy as np

from privacy.analyses.churn import CONTRACT
from privacy.analyses.churn.by_holder import ByHolder
from privacy.analyses.churn.models import LOGIT, FeatureRank, LogisticModel, NetworkModel
from privacy.analyses.churn.results import ChurnResult, RankingFigures
from privacy.analyses.churn.score_histogram import ScoredModel, ScoreHistogram
from privacy.errors import DataError
from privacy.figures.estimates import Z95, Estimate
from privacy.kernel.row_arithmetic import FloatArray
from privacy.protocol.study import Study
from server.analyses.churn.learning import Trained, train_logistic, train_network, training_weights
from server.analyses.churn.ranking import ranking
from server.analyses.churn.score_bins import Population, middles, upper_ends
from server.analysis import Ask, Planned
from server.analysis.expectation import Expectation

NAME = "churn"
EVALUATION = "evaluation"
BY_HOLDER = "evaluation by holder"

#: Scores of no model in particular: those of one with an area of about 0.8.
TYPICAL = NormalDist(0.0, 1.5)
#: Days since the last purchase, scaled, where the model does not look at them and no release tells their spread.
_RECENCY = NormalDist(0.0, 0.4)
#: Shares of the evaluation's squared sensitivity, in thousandths.
_PERMILLE = {"model": 800, "recency_days": 200}
_ROUNDS = {"logistic": 3, "network": 4}


def rounds_of(study: Study) -> int:
    """How many gradient steps the study's training takes."""
    return study.of(CONTRACT).rounds or _ROUNDS[study.of(CONTRACT).model]


def weights(study: Study) -> dict[str, Fraction]:
    """Title of each question to its share of the budget."""
    share = Fraction(study.of(CONTRACT).evaluation_share)
    training = training_weights(rounds_of(study))
    shares = {title: weight * (1 - share) for title, weight in training.items()}
    return shares | {EVALUATION: share} | ({BY_HOLDER: share} if study.of(CONTRACT).figures == "by_holder" else {})


def run(study: Study, ask: Ask, planned: Planned) -> ChurnResult:
    """The analysis.

    Args:
        study: what was agreed.
        ask: asks a question by its title.
        planned: unused; the noise of each release is read from the release.

    Raises:
        DataError: if nearly all customers churned, or nearly none, so that there is nothing to learn.
    """
    options = study.of(CONTRACT)
    days, length = options.days(study.as_of), float(options.list_share)
    learning = tuple(range(options.training_days))
    test = options.training_days
    train = train_network if options.model == "network" else train_logistic
    trained = train(study.scaled(options.features), learning, rounds=rounds_of(study), ask=ask)
    question = evaluation_of(study, trained)
    release = ask(EVALUATION, question)
    (counts, deviation), baseline = question.decode(release.array, release.deviation)
    ends, recency_ends = (np.array(item.upper) / LOGIT for item in question.models)
    quality = ranking("model", counts, deviation, ends, predicted=predicted(trained.expected), list_share=length)
    recency = ranking("recency_days", *baseline, recency_ends, list_share=length)
    if quality is None:
        raise DataError(
            "churned customers and others cannot both be told from the noise on the day of the test",
            hint="use another horizon_days or active_days, a larger epsilon, or invite more holders",
        )
    return ChurnResult(
        family=options.model,
        horizon_days=options.horizon_days,
        active_days=options.active_days,
        training_days=tuple(days[index].isoformat() for index in learning),
        test_day=days[test].isoformat(),
        score_day=days[-1].isoformat(),
        model=trained.model,
        customers=Estimate(value=float(counts.sum()), margin=Z95 * deviation * math.sqrt(counts.size)),
        quality=quality,
        baselines=() if recency is None else (recency,),
        by_holder=_by_holder(question, release.holders, ask, length) if options.figures == "by_holder" else {},
        rounds=trained.steps,
        list_share=length,
    )


def _by_holder(
    evaluation: ScoreHistogram, holders: tuple[str, ...], ask: Ask, length: float
) -> dict[str, RankingFigures]:
    """The model's quality at each holder; a holder whose figures the noise hides is left out."""
    inner = evaluation.model_copy(update={"models": evaluation.models[:1]})
    question = ByHolder(inner=inner, holders=holders)
    release = ask(BY_HOLDER, question)
    found = {}
    for holder in holders:
        (counts, deviation), *_ = inner.decode(question.part_of(holder, release.array), release.deviation)
        figures = ranking(holder, counts, deviation, np.array(inner.models[0].upper) / LOGIT, list_share=length)
        if figures is not None:
            found[holder] = figures
    return found


def evaluation_of(study: Study, trained: Trained) -> ScoreHistogram:
    """The last question about a model that was trained: its bins lie where releases let scores be expected."""
    return evaluation_statistic(study, trained.model, trained.expected, _recency(study, trained.population))


def evaluation_statistic(
    study: Study, model: LogisticModel | NetworkModel, expected: NormalDist, recency: NormalDist
) -> ScoreHistogram:
    """The last question: scores by outcome on the day of the test.

    Args:
        study: what was agreed.
        model: what is tested.
        expected, recency: how its logits, and days since the last purchase by themselves, are expected to spread.
    """
    alone = FeatureRank(features=study.scaled(("recency_days",)))
    return ScoreHistogram(
        day=study.of(CONTRACT).training_days,
        models=(
            ScoredModel(model=model, upper=upper_ends(expected), permille=_PERMILLE["model"]),
            ScoredModel(model=alone, upper=upper_ends(recency), permille=_PERMILLE["recency_days"]),
        ),
    )


def _recency(study: Study, population: Population) -> NormalDist:
    """How scaled days since the last purchase spread."""
    names = study.of(CONTRACT).features
    if "recency_days" not in names:
        return _RECENCY
    alone = FeatureRank(features=study.scaled(("recency_days",)))
    return population.of(names.index("recency_days")).scores(alone)


def predicted(expected: NormalDist) -> FloatArray:
    """The probability that each bin of logits stands for, shape ``(bins,)``."""
    return np.asarray(1 / (1 + np.exp(-middles(expected))))


def probe(study: Study) -> ScoreHistogram:
    """The evaluation with a placeholder for the model; its noise and size do not depend on it."""
    features = study.scaled(study.of(CONTRACT).features)
    model = LogisticModel(features=features, weights=(0,) * (len(features) + 1))
    return evaluation_statistic(study, model, TYPICAL, _RECENCY)


def forecast(study: Study, planned: Planned) -> tuple[Expectation, ...]:
    """Expected margin of the area under the curve, if ``size_class`` customers count on the day of the test.

    For scores like those of a model with an area of 0.8 and as many churned customers as others.
    """
    question = probe(study)
    deviation = planned(EVALUATION, question).released_deviation
    (_, noise), _ = question.decode(np.zeros(question.dim, dtype=np.int64), deviation)
    ends = np.array(question.models[0].upper) / LOGIT
    people = study.budget.size_class * np.diff([0, *map(TYPICAL.cdf, ends), 1])
    odds = predicted(TYPICAL)
    figures = ranking("model", np.stack([people * (1 - odds), people * odds], axis=1), noise, ends)
    margin = 0.5 if figures is None else min(0.5, figures.auc.margin)
    return (
        Expectation(
            analysis=NAME,
            code="auc_margin",
            value=margin,
            text=f"churn model's AUC         off by up to {margin:.3f}",
            warning="The quality of the churn model will hardly be known. Raise epsilon or churn.evaluation_share, or "
            "invite more customers."
            if margin > 0.1
            else "",
        ),
    )
