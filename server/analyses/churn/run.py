"""Churn: who will not buy again within a horizon; one model for all holders, tested on a later day than it learnt from.

The questions of the training are in :mod:`server.analyses.churn.learning`; then follows the *evaluation*: scores by
outcome on the day of the test, of the model, of recency by itself, and of the public formula.
"""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import NormalDist

import numpy as np

from privacy.analyses.churn import CONTRACT
from privacy.analyses.churn.by_holder import ByHolder
from privacy.analyses.churn.recalibration import recalibration
from privacy.analyses.churn.results import ChurnResult, Spread
from privacy.errors import DataError
from privacy.figures.estimates import Z95, Estimate
from privacy.figures.ranking import RankingFigures
from privacy.models.scorers import ChurnModel, Scorer
from privacy.models.trained import LOGIT, FeatureRank, LogisticModel
from privacy.protocol.study import Study
from privacy.statistics.score_histogram import ScoredModel, ScoreHistogram
from server.analyses.churn.earlier import earlier_test
from server.analyses.churn.learning import train_logistic, train_network, training_weights
from server.analyses.churn.local import LOCAL, train_locally
from server.analyses.churn.trees import train_trees, trees_weights
from server.analysis import Ask, Planned
from server.analysis.expectation import Expectation
from server.training.correction import correction_weights, train_prior
from server.training.foundation import Trained
from server.training.ranking import ranking
from server.training.score_bins import Population, middles, predicted, upper_ends

NAME = "churn"
EVALUATION = "evaluation"
BY_HOLDER = "evaluation by holder"

#: Scores of no model in particular: those of one with an area of about 0.8.
TYPICAL = NormalDist(0.0, 1.5)
#: By the kind of what ranks: a scaled feature, the public formula, and that with a correction.
_TYPICAL_OF = {"feature": NormalDist(0.0, 0.4), "mbg": NormalDist(0.7, 1.6), "prior": NormalDist(0.7, 1.6)}
#: Shares of the evaluation's squared sensitivity, in thousandths; the model first, then what it is compared with.
_PERMILLE = {"model": 800, "recency_days": 100, "prior": 100}
_ROUNDS = {"logistic": 3, "network": 4, "prior": 1, "trees": 1}


def rounds_of(study: Study) -> int:
    """How many gradient steps the study's training takes."""
    options = study.of(CONTRACT)
    return options.rounds or _ROUNDS[str(options.model)]


def weights(study: Study) -> dict[str, Fraction]:
    """Title of each question to its share of the budget."""
    options = study.of(CONTRACT)
    share = Fraction(1) if options.trains_nothing else Fraction(options.evaluation_share)
    training: dict[str, Fraction] = {}
    if options.training == "local":
        training = {LOCAL: Fraction(0)}
    elif not options.trains_nothing:
        of_its_own = {"prior": correction_weights, "trees": trees_weights}.get(str(options.model))
        training = of_its_own() if of_its_own else training_weights(rounds_of(study))
    shares = {title: weight * (1 - share) for title, weight in training.items()}
    return shares | {EVALUATION: share} | ({BY_HOLDER: share} if options.figures == "by_holder" else {})


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
    learning, known = tuple(range(options.test)), options.known
    trained = train(study, learning, ask) if known is None else Trained(known.model, (), None)
    question = evaluation_of(study, trained)
    release = ask(EVALUATION, question)
    (counts, deviation), *others = question.decode(release.array, release.deviation)
    ends, *other_ends = (np.array(item.upper) / LOGIT for item in question.models)
    expected = model_scores(study, trained.model, trained.population)
    quality = ranking("model", counts, deviation, ends, predicted=predicted(expected), list_share=length)
    codes = tuple(_PERMILLE)[1:]
    baselines = [
        ranking(code, *found, upper, list_share=length)
        for code, found, upper in zip(codes, others, other_ends, strict=True)
    ]
    if quality is None:
        raise DataError(
            "churned customers and others cannot both be told from the noise on the day of the test",
            hint="use another horizon_days or active_days, a larger epsilon, or invite more holders",
        )
    return ChurnResult(
        family=trained.model.kind,
        horizon_days=options.horizon_days,
        active_days=options.active_days,
        training_days=tuple(day.isoformat() for day in (known.training_days if known else days[: options.test])),
        test_day=days[options.test].isoformat(),
        score_day=days[-1].isoformat(),
        model=trained.model,
        customers=Estimate(value=float(counts.sum()), margin=Z95 * deviation * math.sqrt(counts.size)),
        quality=quality,
        baselines=tuple(figures for figures in baselines if figures is not None),
        by_holder=_by_holder(question, release.holders, ask, length) if options.figures == "by_holder" else {},
        rounds=trained.steps,
        list_share=length,
        recalibration=recalibration(counts, middles(expected), deviation),
        spread=Spread(mean=expected.mean, deviation=expected.stdev),
        origin="" if known is None else known.origin,
        tests=() if known is None else tuple(map(earlier_test, known.tests)),
    )


def train(study: Study, days: tuple[int, ...], ask: Ask) -> Trained[ChurnModel]:
    """The study's training, at these of its days."""
    options = study.of(CONTRACT)
    features = study.scaled(options.features)
    if options.training == "local":
        return train_locally(options, features, ask)
    if options.model == "prior":
        return train_prior(features, days, options.formula, ask=ask)
    if options.model == "trees":
        return train_trees(features, days, study.digest, ask=ask)
    by_steps = train_network if options.model == "network" else train_logistic
    return by_steps(features, days, rounds=rounds_of(study), ask=ask)


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


def model_scores(study: Study, model: ChurnModel, population: Population | None) -> NormalDist:
    """How the tested model's scores are expected to spread.

    An earlier run's as at its tests before, so that its bins are the same at all of them.
    """
    known = study.of(CONTRACT).known
    if known is None or known.spread is None:
        return expected_scores(model, population)
    return NormalDist(*map(float, known.spread))


def expected_scores(model: Scorer, population: Population | None) -> NormalDist:
    """How scores are expected to spread: as releases say, or as is typical of them.

    Args:
        model: whose.
        population: what was released of the customers' features; None where nothing was.
    """
    found = None if population is None else population.scores(model)
    return found or _TYPICAL_OF.get(model.kind, TYPICAL)


def evaluation_of(study: Study, trained: Trained[ChurnModel]) -> ScoreHistogram:
    """The last question about a model that was trained: its bins lie where releases let scores be expected."""
    return evaluation_statistic(study, trained.model, trained.population)


def evaluation_statistic(study: Study, model: ChurnModel, population: Population | None) -> ScoreHistogram:
    """The last question: scores by outcome on the day of the test, of the model and of what it is compared with.

    Args:
        study: what was agreed.
        model: what is tested.
        population: what was released of the customers' features; None where nothing was.
    """
    options = study.of(CONTRACT)
    recency = FeatureRank(features=study.scaled(("recency_days",)))
    others: dict[str, Scorer] = {"recency_days": recency, "prior": options.formula}
    expected = {code: expected_scores(scorer, population) for code, scorer in others.items()}
    scorers = {"model": model} | others
    expected["model"] = model_scores(study, model, population)
    return ScoreHistogram(
        day=options.test,
        models=tuple(
            ScoredModel(model=scorer, upper=upper_ends(expected[code]), permille=_PERMILLE[code])
            for code, scorer in scorers.items()
        ),
    )


def probe(study: Study) -> ScoreHistogram:
    """The evaluation with a placeholder for the model; its noise and size do not depend on it."""
    features = study.scaled(study.of(CONTRACT).features)
    model = LogisticModel(features=features, weights=(0,) * (len(features) + 1))
    return evaluation_statistic(study, model, None)


def forecast(study: Study, planned: Planned) -> tuple[Expectation, ...]:
    """Expected margins, if ``size_class`` customers count on the day of the test.

    Of the area under the curve, of the churn rate on the list, and of the difference to a list made without the model.
    For scores like those of a model with an area of 0.8 and as many churned customers as others.
    """
    question, length = probe(study), float(study.of(CONTRACT).list_share)
    deviation = planned(EVALUATION, question).released_deviation
    ends = np.array(question.models[0].upper) / LOGIT
    people = study.budget.size_class * np.diff([0, *map(TYPICAL.cdf, ends), 1])
    odds = predicted(TYPICAL)
    counts = np.stack([people * (1 - odds), people * odds], axis=1)
    figures, *others = (
        ranking("model", counts, noise, ends, list_share=length)
        for _, noise in question.decode(np.zeros(question.dim, dtype=np.int64), deviation)
    )
    margin = 0.5 if figures is None else min(0.5, figures.auc.margin)
    listed = 1.0 if figures is None else min(1.0, figures.on_list(length).rate.margin)
    apart = max(1.0 if item is None else math.hypot(listed, item.on_list(length).rate.margin) for item in others)
    return (
        Expectation(
            analysis=NAME, code="list_margin", value=listed,
            text=f"of 100 on the churn list  off by up to {100 * listed:.0f}",
        ),
        Expectation(
            analysis=NAME, code="list_gain_margin", value=min(1.0, apart),
            text=f"less a list without it    off by up to {100 * min(1.0, apart):.0f}; on a holder's page exact",
        ),
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
    )  # fmt: skip
