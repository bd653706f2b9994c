"""Look-alikes: who becomes a customer of a kind; one model for all holders, tested on a later day than it learnt from.

Three questions of the training (:mod:`server.training.correction`), then the *evaluation*: scores by outcome on the day
of the test, of the model, and of the public formula that it corrects.
"""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import NormalDist

import numpy as np

from privacy.analyses.lookalikes import CONTRACT
from privacy.analyses.lookalikes.results import LookalikesResult
from privacy.figures.estimates import Z95, Estimate
from privacy.models.linear_prior import LinearPrior, becoming_prior
from privacy.models.scorers import PriorModel, Scorer
from privacy.models.trained import LOGIT
from privacy.protocol.study import Study
from privacy.statistics.score_histogram import ScoredModel, ScoreHistogram
from server.analysis import Ask, Planned
from server.analysis.expectation import Expectation
from server.training.correction import correction_weights, train_prior
from server.training.foundation import Trained
from server.training.ranking import ranking
from server.training.score_bins import Population, predicted, upper_ends

NAME = "lookalikes"
EVALUATION = "evaluation"

#: Scores as they spread where one in twelve has the outcome.
_TYPICAL = NormalDist(-2.4, 1.2)
#: Shares of the evaluation's squared sensitivity, in thousandths.
_PERMILLE = {"model": 850, "prior": 150}
#: Variance of a correction's weight before anything is known.
SPREAD = 0.02
#: A list whose share of such customers is off by more is warned of.
_TOO_WIDE = 0.1


def weights(study: Study) -> dict[str, Fraction]:
    """Title of each question to its share of the budget."""
    share = Fraction(study.of(CONTRACT).evaluation_share)
    return {title: weight * (1 - share) for title, weight in correction_weights().items()} | {EVALUATION: share}


def run(study: Study, ask: Ask, planned: Planned) -> LookalikesResult:
    """The analysis.

    Args:
        study: what was agreed.
        ask: asks a question by its title.
        planned: unused; the noise of each release is read from the release.

    A formula is there whatever the noise hides, so this never fails; what cannot be said of its quality is left out.
    """
    options = study.of(CONTRACT)
    days, length = options.days(study.as_of), float(options.list_share)
    trained = train(study, ask)
    question = evaluation_of(study, trained.model, trained.population)
    release = ask(EVALUATION, question)
    (counts, deviation), (others, noise) = question.decode(release.array, release.deviation)
    ends, other_ends = (np.array(item.upper) / LOGIT for item in question.models)
    likely = predicted(_expected(trained.model, trained.population))
    quality = ranking("model", counts, deviation, ends, predicted=likely, list_share=length)
    beside = ranking("prior", others, noise, other_ends, list_share=length)
    return LookalikesResult(
        spend=options.spend,
        category=options.category,
        horizon_days=options.horizon_days,
        active_days=options.active_days,
        training_days=tuple(day.isoformat() for day in days[: options.training_days]),
        test_day=days[options.training_days].isoformat(),
        score_day=days[-1].isoformat(),
        model=trained.model,
        customers=Estimate(value=float(counts.sum()), margin=Z95 * deviation * math.sqrt(counts.size)),
        quality=quality,
        baselines=() if beside is None or quality is None else (beside,),
        rounds=trained.steps,
        list_share=length,
    )


def train(study: Study, ask: Ask, days: tuple[int, ...] | None = None) -> Trained[PriorModel]:
    """The study's training, at its training days or others."""
    options = study.of(CONTRACT)
    learning = tuple(range(options.training_days)) if days is None else days
    return train_prior(study.scaled(options.features), learning, formula_of(study), ask=ask, spread=SPREAD, rare=True)


def formula_of(study: Study) -> LinearPrior:
    """The public formula."""
    options = study.of(CONTRACT)
    return becoming_prior(options.kind(study), options.horizon_days, *study.scaled(("money_365",)))


def _expected(model: Scorer, population: Population | None) -> NormalDist:
    found = None if population is None else population.scores(model)
    return found or _TYPICAL


def evaluation_of(study: Study, model: PriorModel, population: Population | None) -> ScoreHistogram:
    """The last question: scores by outcome on the day of the test.

    Args:
        study: what was agreed.
        model: what is tested.
        population: what was released of the customers' features; None where nothing was.
    """
    scorers: dict[str, Scorer] = {"model": model, "prior": model.prior}
    return ScoreHistogram(
        day=study.of(CONTRACT).training_days,
        models=tuple(
            ScoredModel(model=scorer, upper=upper_ends(_expected(scorer, population)), permille=_PERMILLE[code])
            for code, scorer in scorers.items()
        ),
    )


def forecast(study: Study, planned: Planned) -> tuple[Expectation, ...]:
    """Expected margin of the share of such customers on the list, if ``size_class`` customers count on the test day.

    As if one in twelve became one, with a model of an area of about 0.8.
    """
    features = study.scaled(study.of(CONTRACT).features)
    model = PriorModel(prior=formula_of(study), features=features, weights=(0,) * (len(features) + 1))
    question, length = evaluation_of(study, model, None), float(study.of(CONTRACT).list_share)
    deviation = planned(EVALUATION, question).released_deviation
    (_, noise), _ = question.decode(np.zeros(question.dim, dtype=np.int64), deviation)
    ends = np.array(question.models[0].upper) / LOGIT
    people = study.budget.size_class * np.diff([0, *map(_TYPICAL.cdf, ends), 1])
    odds = predicted(_TYPICAL)
    figures = ranking("model", np.stack([people * (1 - odds), people * odds], axis=1), noise, ends, list_share=length)
    off = 1.0 if figures is None else min(1.0, figures.on_list(length).rate.margin)
    return (
        Expectation(
            analysis=NAME,
            code="lookalikes_list_margin",
            value=off,
            text=f"of 100 on that list        off by up to {100 * off:.0f}",
            warning="Whether look-alikes can be found will hardly be known. Raise epsilon or "
            "lookalikes.evaluation_share, or invite more customers."
            if off > _TOO_WIDE
            else "",
        ),
    )
