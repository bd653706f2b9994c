"""What the churn analysis leaves: a model, how good it is out of time, and how it was trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from privacy.figures.estimates import Estimate, Figures, Value
from privacy.figures.ranking import RankingFigures, TrainingRound
from privacy.figures.ranking_areas import TOP
from privacy.kernel.canonical import since
from privacy.kernel.limits import Day, Name
from privacy.models.scorers import ChurnModel

#: No correction of probabilities is larger, in log odds.
MOST_SHIFT = 4.0


class Spread(Value):
    """How a model's logits were expected to spread on the day of its test: the bins of its tests follow from it."""

    mean: float
    deviation: float = Field(gt=0)


class Recalibration(Value):
    """How a model's log odds would have to be corrected to be those of the day of the test.

    Attributes:
        level: to be added, where nothing else is changed; negative where the model predicts too much.
        intercept, slope: ``intercept + slope * logit``, both together.
        shift: what holders add to log odds before they show probabilities; 0 where the level is not clear of noise and
            chance. Ranks stay.
    """

    level: Estimate
    intercept: Estimate
    slope: Estimate
    shift: float = Field(ge=-MOST_SHIFT, le=MOST_SHIFT)


class EarlierTest(Value):
    """How a model did on one day.

    Attributes:
        test_day: the day, ISO format.
        auc, churn_rate: as in :class:`RankingFigures`.
        listed: share of those on the study's list that churned.
        level: as in :class:`Recalibration`; None where it was not known.
    """

    test_day: Day
    auc: Estimate
    listed: Estimate
    churn_rate: Estimate
    level: Estimate | None


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
        recalibration: what the test says of the probabilities; None where it does not tell, and in results of before.
        spread: of the scores, as the bins of the test took it; None in results of before.
        origin: the run that trained the model; empty where it was this one.
        tests: earlier tests of the same model, ascending; the first is that of the run that trained it.
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
    recalibration: Recalibration | None = since("0.2.0", None)
    spread: Spread | None = since("0.2.0", None)
    origin: str = since("0.2.0", "", max_length=120)
    tests: tuple[EarlierTest, ...] = since("0.2.0", (), max_length=60)

    @property
    def test(self) -> EarlierTest:
        """This run's test, as later ones are compared with it."""
        return EarlierTest(
            test_day=self.test_day,
            auc=self.quality.auc,
            listed=self.quality.on_list(self.list_share).rate,
            churn_rate=self.quality.churn_rate,
            level=None if self.recalibration is None else self.recalibration.level,
        )


#: What a study's result has under this analysis' name.
RESULT = ChurnResult
