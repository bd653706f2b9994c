"""What a study says of its churn analysis."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from privacy.accounting.sampled import Slot
from privacy.analyses.churn.known import KnownModel
from privacy.kernel.canonical import ExactDecimal, Noun, since
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import FEATURES, FeatureName
from privacy.kernel.terms import Slug, Terms
from privacy.models.mbg import MbgPrior, public_prior

#: Sixteen features that separate churners well in ordinary retail data (``docs/churn.md`` shows what each adds).
CHURN_FEATURES: tuple[FeatureName, ...] = (
    "recency_days", "overdue", "on_time", "idle_share", "tenure_days", "tenure_180", "orders", "orders_365",
    "orders_180", "orders_90", "momentum", "interval_variation", "money", "money_365", "order_value", "basket",
)  # fmt: skip


#: What the rankings look at that every model is compared with: recency by itself, and the public formula.
YARDSTICKS: tuple[FeatureName, ...] = ("recency_days", *MbgPrior.FACTS)


#: Of a local training: with an evaluation beside it, epsilon 1 at delta 1e-6.
DEFAULT_SLOT = Slot(rate=Decimal("0.1"), noise_multiplier=Decimal("3.93"), steps=60)
#: Beyond so many holders, noise of their own costs more than it buys.
MOST_LOCAL = 4


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
        training: ``sums`` (the coordinator asks for sums over all customers, step by step), or ``local``: each holder
            trains by itself with Opacus, once, and the coordinator averages. It takes a slot of each holder's policy.
        slot: of a local training: with which probability a step takes each customer, noise, and how many steps.
        size_classes: of a local training: each of the study's holders to the size class that it has declared.
        local_where: ``measured``: refuse a local training where it was measured to be worse than sums; or ``anywhere``.
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
    training: Literal["sums", "local"] = since("0.2.0", "sums")
    slot: Slot = since("0.2.0", DEFAULT_SLOT)
    size_classes: dict[Slug, Annotated[int, Field(ge=1, le=1_000_000_000)]] = since("0.2.0", {}, max_length=1000)
    local_where: Literal["measured", "anywhere"] = since("0.2.0", "measured")

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

    @model_validator(mode="after")
    def _trains_one_way(self) -> Self:
        if self.training == "sums":
            if self.size_classes or self.local_where != "measured" or self.slot != DEFAULT_SLOT:
                raise ValueError('slot, size_classes and local_where go with training = "local"')
            return self
        if self.model not in ("prior", "logistic"):
            raise ValueError('training = "local" goes with model = "prior" or "logistic"')
        if self.training_days > 1 or self.rounds:
            raise ValueError('training = "local" takes one day and no rounds: leave training_days and rounds out')
        if not self.size_classes:
            raise ValueError(
                'training = "local" weighs holders by the size classes that they declare: name them in [churn], as in '
                "size_classes = {north = 2000, south = 5000}"
            )
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


def local_suits(options: ChurnOptions, terms: Terms) -> str:
    """Why a study's options do not go with its terms; empty where they do.

    Only a local training rests on terms: it needs the holders by name, and is refused where it was measured to be worse
    (``docs/churn.md``), unless the study says ``local_where``.
    """
    if options.training != "local":
        return ""
    if set(terms.holders) != set(options.size_classes):
        return 'training = "local": holders must name the study\'s holders, and churn.size_classes the same ones'
    if terms.budget.max_holders_per_customer is None:
        return 'training = "local": state budget.max_holders_per_customer; 1 where holders declare no common customers'
    if options.local_where == "anywhere":
        return ""
    instead = '; use training = "sums", or say local_where = "anywhere"'
    if len(terms.holders) > MOST_LOCAL:
        return (
            f'training = "local" with {len(terms.holders)} holders: each adds noise of its own, and with 20 holders '
            f"the area under the curve was .823 where sums reach .828{instead}"
        )
    if terms.budget.max_holders_per_customer > 1:
        return (
            f'training = "local" with a person at {terms.budget.max_holders_per_customer} holders: each trains by '
            f"itself, so that person loses epsilon 1.6 for 1 at two holders{instead}"
        )
    if len(terms.analyses) > 1:
        return (
            'training = "local" beside other analyses: a slot takes most of the study\'s budget, and what is left '
            f"was meant for the evaluation alone; make it a study of its own{instead}"
        )
    return ""
