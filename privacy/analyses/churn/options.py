"""What a study says of its churn analysis."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from privacy.analyses.churn.known import KnownModel
from privacy.kernel.canonical import ExactDecimal, Noun, since
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import FEATURES, FeatureName
from privacy.models.mbg import MbgPrior, public_prior

#: Sixteen features that separate churners well in ordinary retail data (``docs/churn.md`` shows what each adds).
CHURN_FEATURES: tuple[FeatureName, ...] = (
    "recency_days", "overdue", "on_time", "idle_share", "tenure_days", "tenure_180", "orders", "orders_365",
    "orders_180", "orders_90", "momentum", "interval_variation", "money", "money_365", "order_value", "basket",
)  # fmt: skip


#: What the rankings look at that every model is compared with: recency by itself, and the public formula.
YARDSTICKS: tuple[FeatureName, ...] = ("recency_days", *MbgPrior.FACTS)


class ChurnOptions(Noun):
    """What the churn analysis predicts, from what, and how it is trained.

    Attributes:
        model: ``logistic`` (logistic regression), ``network`` (a small perceptron beside a linear path), ``prior``
            (a public formula with a correction that is the smaller the less the budget can tell), or ``trees`` (a
            regression, and public random trees whose leaves are learnt). New studies are written with ``prior``; the
            default stays, because it is what studies mean that name none. Or ``previous``: none is trained, the model
            of an earlier run of this study is tested on a new day, by one question with the whole budget of the
            analysis (the coordinator writes the model out before holders see the study).
        model_of: with ``previous``, the as-of day of the run whose model it is, as ``YYYY-MM-DD``; empty for the last
            run.
        horizon_days: a customer without a purchase in this many days has churned.
        active_days: customers count on a day where their last purchase is at most this many days before it.
        training_days: at how many days training looks. The last is two horizons before the as-of day, so that its
            outcomes are known before the day of the test, one horizon before the as-of day; further ones are a
            horizon apart each. All days of a customer are one contribution.
        features: inputs, by name; their public scales are those of the catalogue.
        rounds: gradient steps after the least-squares start; 0 means as many as do well (3, or 4 for a network). A
            correction and the start of trees take one, and no other number.
        evaluation_share: share of the analysis' budget that measures the model's quality.
        figures: ``overall``, or ``by_holder``: also release the quality at each holder, as a question of its own with
            as large a budget as the evaluation over all.
        list_share: length of the list that people will act on, as a share of the customers who count: the model is
            judged by those with the highest scores. It changes no question and costs nothing.
        exposure_days: the public formula's alpha, the larger the longer one purchase counts as a sign of life; 0 means
            7/9 of the horizon.
    """

    model: Literal["logistic", "network", "prior", "trees", "previous"] | KnownModel = "logistic"
    horizon_days: int = Field(default=90, ge=7, le=1830)
    active_days: int = Field(default=365, ge=7, le=36_600)
    training_days: int = Field(default=1, ge=1, le=12)
    features: tuple[FeatureName, ...] = Field(default=CHURN_FEATURES, min_length=1, max_length=40)
    rounds: int = Field(default=0, ge=0, le=50)
    evaluation_share: ExactDecimal = Field(default=Decimal("0.2"), ge=Decimal("0.01"), le=Decimal("0.9"))
    figures: Literal["overall", "by_holder"] = "overall"
    list_share: ExactDecimal = since("0.2.0", Decimal("0.1"), ge=Decimal("0.01"), le=Decimal("0.5"))
    exposure_days: int = since("0.2.0", 0, ge=0, le=3650)
    model_of: str = since("0.2.0", "", pattern=r"^(\d{4}-\d{2}-\d{2})?$")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.features)) != len(self.features):
            raise ValueError("a feature is named twice")
        listed = [name for name in self.features if FEATURES[name].listed]
        if listed:
            raise ValueError(f"{listed[0]} is a feature of clusters only")
        if self.model in ("prior", "trees") and self.rounds > 1:
            raise ValueError(f'model = "{self.model}" takes one step: leave rounds out')
        if self.model_of and not self.trains_nothing:
            raise ValueError('model_of says whose model is tested: write model = "previous" with it')
        if self.known is not None and not {item.name for item in self.known.model.features} <= set(self.features):
            raise ValueError("the earlier model looks at features that are not named")
        return self

    @property
    def known(self) -> KnownModel | None:
        """The earlier run's model that is tested; None where one is trained, and before it is written out."""
        return self.model if isinstance(self.model, KnownModel) else None

    @property
    def trains_nothing(self) -> bool:
        """Whether the model is that of an earlier run."""
        return self.model == "previous" or self.known is not None

    @property
    def test(self) -> int:
        """Index of the day of the test: all days before it are for training."""
        return 0 if self.trains_nothing else self.training_days

    def days(self, as_of: dt.date) -> tuple[dt.date, ...]:
        """Training days where there are any, the day of the test, and the as-of day; ascending."""
        step = dt.timedelta(days=self.horizon_days)
        return tuple(as_of - step * back for back in range(self.test + 1, -1, -1))

    @property
    def formula(self) -> MbgPrior:
        """The public formula that every model is compared with, and that a correction starts at."""
        return public_prior(self.horizon_days, self.exposure_days)

    def request(self, as_of: dt.date) -> FeatureRequest:
        """What a holder computes for this analysis: the model's features, and those of what it is compared with."""
        return FeatureRequest(
            names=tuple(dict.fromkeys((*self.features, *YARDSTICKS))),
            days=self.days(as_of),
            horizon_days=self.horizon_days,
            active_days=self.active_days,
        )
