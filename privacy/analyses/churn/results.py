"""What the churn analysis leaves: a model, how good it is out of time, and how it was trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from privacy.analyses.churn.models import LogisticModel, NetworkModel
from privacy.figures.estimates import Estimate, Figures, Value
from privacy.kernel.limits import Day, Name


class CalibrationPoint(Value):
    """A range of predicted probabilities and what came of it.

    Attributes:
        predicted: mean predicted probability of the range's customers, estimated.
        observed: share of them that churned.
        share: their share of all customers.
    """

    predicted: float
    observed: Estimate
    share: float


class RankingFigures(Value):
    """How well scores rank customers by whether they churn. Margins: 95%, from the noise and from chance together.

    Attributes:
        code: ``model``, or the name of the baseline.
        auc: probability that a churned customer has a higher score than one who bought again.
        average_precision: mean precision over recall.
        churn_rate: share of churned customers.
        top_lift: churn rate among the tenth of customers with the highest scores, relative to that of all.
        top_share: share of all churned customers that are in that tenth.
        calibration: empty for baselines, whose scores are not probabilities.
    """

    code: Name
    auc: Estimate
    average_precision: Estimate
    churn_rate: Estimate
    top_lift: Estimate
    top_share: Estimate
    calibration: tuple[CalibrationPoint, ...] = Field(default=(), max_length=256)


class TrainingRound(Value):
    """One question of the training: its title and the length of the step that it led to."""

    title: Name
    step: float


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
        baselines: of single features, on the same customers.
        by_holder: of the model at each holder, where the study asks for it.
        rounds: how the training went.
    """

    family: Literal["logistic", "network"]
    horizon_days: int = Field(ge=1, le=36_600)
    active_days: int = Field(ge=1, le=36_600)
    training_days: tuple[Day, ...] = Field(max_length=24)
    test_day: Day
    score_day: Day
    model: LogisticModel | NetworkModel
    customers: Estimate
    quality: RankingFigures
    baselines: tuple[RankingFigures, ...] = Field(max_length=64)
    by_holder: dict[Name, RankingFigures] = Field(default_factory=dict, max_length=1000)
    rounds: tuple[TrainingRound, ...] = Field(default=(), max_length=1000)


#: What a study's result has under this analysis' name.
RESULT = ChurnResult
