"""Examples of this analysis' nouns; what it asks, any corrected formula asks (``analyses.churn.examples``)."""

from __future__ import annotations

import datetime as dt
from statistics import NormalDist
from typing import Any

import numpy as np
from statistic_kit import ReadingOf

from privacy.analyses.lookalikes.options import LookalikesOptions
from privacy.analyses.lookalikes.results import LookalikesResult
from privacy.figures.estimates import Estimate
from privacy.figures.ranking import TrainingRound
from privacy.kernel.feature_request import CategoryKind, SpendKind
from privacy.kernel.features import Scale, ScaledFeature
from privacy.models.linear_prior import becoming_prior
from privacy.models.scorers import PriorModel
from privacy.models.trained import LOGIT, WEIGHT
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.analyses.lookalikes.run import formula_of
from server.training.ranking import ranking
from server.training.score_bins import predicted, upper_ends

_SPEND = ScaledFeature(name="money_365", scale=Scale(kind="log", high=2_000_000, offset=100))

NOUNS = (
    LookalikesOptions(spend=250, horizon_days=60),
    LookalikesOptions(category="Toys"),
    SpendKind(at_least=25_000),
    CategoryKind(category="Toys"),
    becoming_prior(CategoryKind(category="Toys"), 60, _SPEND),
)
STATISTICS: dict[str, tuple[Statistic[Any], ...]] = {}
READINGS: dict[str, ReadingOf] = {}


def study_of(**options: Any) -> Study:
    """A study of this analysis alone."""
    return Study.model_validate(
        {"name": "alike", "as_of": dt.date(2025, 1, 1), "analyses": ("lookalikes",), "budget": {"epsilon": "1"},
         "lookalikes": options}
    )  # fmt: skip


def result_of(*, corrected: bool = True, deviation: float = 8.0) -> tuple[Study, LookalikesResult]:
    """What the analysis leaves, from made-up counts through the real figures."""
    study = study_of()
    options: LookalikesOptions = study.lookalikes  # type: ignore[attr-defined]
    spread = NormalDist(-2.4, 1.2)
    ends = np.array(upper_ends(spread)) / LOGIT
    people, odds = 9_000 * np.diff([0, *map(spread.cdf, ends), 1]), predicted(spread)
    features = study.scaled(options.features)
    weights = tuple(int(WEIGHT * (0.4 - 0.05 * place)) if corrected else 0 for place in range(len(features) + 1))
    figures = {
        code: ranking(code, np.stack([people * (1 - rate), people * rate], axis=1), noise, ends, predicted=likely)
        for code, rate, noise, likely in (
            ("model", odds, deviation, odds),
            ("prior", odds**0.8 / 2, 2 * deviation, None),
        )
    }
    quality, formula = figures["model"], figures["prior"]
    assert quality is not None
    assert formula is not None
    days = [day.isoformat() for day in options.days(study.as_of)]
    return study, LookalikesResult(
        spend=options.spend,
        category="",
        horizon_days=90,
        active_days=365,
        training_days=(days[0],),
        test_day=days[1],
        score_day=days[2],
        model=PriorModel(prior=formula_of(study), features=features, weights=weights),
        customers=Estimate(value=9_012.3, margin=77.0),
        quality=quality,
        baselines=(formula,),
        rounds=(TrainingRound(title="training 1 of 1", step=0.2),),
        list_share=0.1,
    )
