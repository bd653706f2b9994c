"""What the churn analysis leaves: a model, how good it is out of time, and how it was trained."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from privacy.analyses.churn.results_ranking import TOP
from privacy.analyses.churn.scorers import ChurnModel
from privacy.figures.estimates import Estimate, Figures, Value
from privacy.kernel.canonical import since
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


class ListFigures(Value):
    """What a list of the customers with the highest scores holds.

    Attributes:
        part: its length, as a share of all customers.
        rate: share of those on it that churned (bought again, where the list is of the lowest scores).
        share: share of all such customers that are on it.
    """

    part: float = Field(gt=0, le=1)
    rate: Estimate
    share: Estimate

    @property
    def lift(self) -> Estimate:
        """Churn rate on the list, relative to that of all customers."""
        found = Estimate(value=self.share.value / self.part, margin=self.share.margin / self.part)
        if self.share.low is None and self.share.high is None:
            return found
        low, high = self.share.interval
        return Estimate.between(low / self.part, found.value, high / self.part)


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
        lists: of several lengths, ascending; that of the study's list is among them. Empty in results of release 0.1.
        stayed: the other end, as long as the study's list: of the customers with the lowest scores, how many bought
            again. None for released baselines, and in results of release 0.1.
    """

    code: Name
    auc: Estimate
    average_precision: Estimate
    churn_rate: Estimate
    top_lift: Estimate
    top_share: Estimate
    calibration: tuple[CalibrationPoint, ...] = Field(default=(), max_length=256)
    lists: tuple[ListFigures, ...] = since("0.2.0", (), max_length=16)
    stayed: ListFigures | None = since("0.2.0", None)

    def on_list(self, part: float) -> ListFigures:
        """The list of this length; where there is none, that of the tenth.

        Its rate is lift times churn rate then; the margin takes both as independent, though part of their errors
        cancels out.
        """
        found = next((item for item in self.lists if math.isclose(item.part, part)), None)
        if found is not None:
            return found
        lift, everyone = self.top_lift, self.churn_rate
        margin = math.hypot(lift.margin * everyone.value, everyone.margin * lift.value)
        rate = Estimate(value=min(lift.value * everyone.value, 1.0), margin=margin)
        return ListFigures(part=TOP, rate=rate, share=self.top_share)


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
        baselines: of what every model must beat, on the same customers: recency by itself, and the public formula.
        by_holder: of the model at each holder, where the study asks for it.
        rounds: how the training went.
        list_share: length of the study's list, as a share of the customers.
    """

    family: Literal["logistic", "network", "prior"]
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
