"""How well scores rank customers by an outcome, and how a training went, as results have it.

The outcome is the one that scores foretell: in churn, not buying again.
"""

from __future__ import annotations

import math

from pydantic import Field

from privacy.figures.estimates import Estimate, Value
from privacy.figures.ranking_areas import TOP
from privacy.kernel.canonical import since
from privacy.kernel.limits import Name


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
