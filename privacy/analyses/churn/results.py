"""What the churn analysis leaves: a model, how good it is out of time, and how it was trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from privacy.figures.estimates import Estimate, Figures
from privacy.figures.ranking import RankingFigures, TrainingRound
from privacy.figures.ranking_areas import TOP
from privacy.kernel.canonical import since
from privacy.kernel.limits import Day, Name
from privacy.models.scorers import ChurnModel


class ChurnResult(Figures):
    """The churn analysis' result.

    Attributes:
        family: which kind of model.
        horizon_days: churned means no purchase in this many days.
        active_days: customers are those with a purchase in this many days before a cutoff.
        training_days, test_day, score_day: cutoffs, ISO format; the test day is later than all training.
        model: what every holder applies to its own customers.
        customers: estimated number of customers on the test day, by outcome together.
        quality: of the model, out of time.
        baselines: of what every model must beat, on the same customers: recency by itself, and the public formula.
        by_holder: of the model at each holder, where the study asks for it.
        rounds: how the training went.
        list_share: length of the study's list, as a share of the customers.
    """

    family: Literal["logistic", "network", "prior", "trees"]
    horizon_days: int = Field(ge=1, le=36_600)
    active_days: int = Field(ge=1, le=36_600)
    training_days: tuple[Day, ...] = Field(max_length=24)
    test_day: Day
    score_day: Day
    model: ChurnModel
    customers: Estimate
    quality: RankingFigures
    baselines: tuple[RankingFigures, ...] = Field(max_length=64)
    by_holder: dict[Name, RankingFigures] = Field(default_factory=dict, max_length=1000)
    rounds: tuple[TrainingRound, ...] = Field(default=(), max_length=1000)
    list_share: float = since("0.2.0", TOP, gt=0, le=1)


#: What a study's result has under this analysis' name.
RESULT = ChurnResult
