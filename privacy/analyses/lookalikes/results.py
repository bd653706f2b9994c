"""What the look-alikes analysis leaves: a model, how good it is out of time, and how it was trained."""

from __future__ import annotations

from pydantic import Field

from privacy.figures.estimates import Estimate, Figures
from privacy.figures.ranking import RankingFigures, TrainingRound
from privacy.kernel.limits import Day
from privacy.models.scorers import PriorModel


class LookalikesResult(Figures):
    """The analysis' result. In its rankings the outcome is to become a customer of the kind.

    Attributes:
        spend, category: the kind, as the study says it; spend does not matter where there is a category.
        horizon_days: in how many days.
        active_days: customers are those with a purchase in this many days before a cutoff.
        training_days, test_day, score_day: cutoffs, ISO format; the test day is later than all training.
        model: what every holder applies to its own customers.
        customers: estimated number of customers on the test day who were not of the kind.
        quality: of the model, out of time; None where the noise hides it.
        baselines: of the public formula that it corrects, on the same customers.
        rounds: how the training went.
        list_share: length of the study's list, as a share of the customers.
    """

    spend: int = Field(ge=1, le=1 << 40)
    category: str = Field(max_length=40)
    horizon_days: int = Field(ge=1, le=36_600)
    active_days: int = Field(ge=1, le=36_600)
    training_days: tuple[Day, ...] = Field(max_length=24)
    test_day: Day
    score_day: Day
    model: PriorModel
    customers: Estimate
    quality: RankingFigures | None
    baselines: tuple[RankingFigures, ...] = Field(max_length=8)
    rounds: tuple[TrainingRound, ...] = Field(max_length=16)
    list_share: float = Field(gt=0, le=1)


#: What a study's result has under this analysis' name.
RESULT = LookalikesResult
