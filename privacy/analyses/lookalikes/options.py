"""What a study says of its look-alikes: which kind of customers, and from what the others are ranked."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from privacy.kernel.canonical import ExactDecimal, Noun
from privacy.kernel.feature_request import Becoming, CategoryKind, FeatureLists, FeatureRequest, SpendKind
from privacy.kernel.features import FeatureName, ListedValue
from privacy.kernel.terms import MINOR_LIMIT, Terms, minor_digits

_Category = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")]

#: Fifteen features of how lately, how often and for how much customers bought.
LOOKALIKE_FEATURES: tuple[FeatureName, ...] = (
    "recency_days", "on_time", "idle_share", "tenure_days", "orders", "orders_365", "orders_180", "orders_90",
    "momentum", "money", "money_365", "money_180", "money_90", "order_value", "basket",
)  # fmt: skip
#: What the public formula looks at.
_FACTS: tuple[FeatureName, ...] = ("money_365", "recency_days")


class LookalikesOptions(Noun):
    """Whom the analysis looks for, and how it is trained.

    A customer is of the kind on a day where, in the ``horizon_days`` before it, it spent ``spend`` or more; with a
    ``category``, where it bought there, whatever it spent. Those who are not are looked at: who of them is, one horizon
    later?

    Attributes:
        spend: whole units of the study's currency.
        category: a value of the source's column, compared trimmed and without regard to case; empty: spend tells.
        horizon_days: in how many days customers spend so much, or buy there.
        active_days: customers count on a day where their last purchase is at most this many days before it.
        training_days: at how many days training looks, a horizon apart; the last is two horizons before the as-of day,
            and the test is on the day one horizon before that. All days of a customer are one contribution.
        features: inputs, by name; their public scales are those of the catalogue.
        categories, channels: values that ``category_share_1`` and so on, ``channel_share_1`` and so on are the shares
            of; every one listed is used by a feature.
        evaluation_share: share of the analysis' budget that measures the model's quality.
        list_share: length of the list that people will act on, as a share of the customers who count.
    """

    spend: int = Field(default=500, ge=1, le=MINOR_LIMIT // 1000)
    category: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")
    ] = ""
    horizon_days: int = Field(default=90, ge=7, le=1830)
    active_days: int = Field(default=365, ge=7, le=36_600)
    training_days: int = Field(default=1, ge=1, le=12)
    features: tuple[FeatureName, ...] = Field(default=LOOKALIKE_FEATURES, min_length=1, max_length=40)
    categories: tuple[ListedValue, ...] = Field(default=(), max_length=8)
    channels: tuple[ListedValue, ...] = Field(default=(), max_length=6)
    evaluation_share: ExactDecimal = Field(default=Decimal("0.3"), ge=Decimal("0.01"), le=Decimal("0.9"))
    list_share: ExactDecimal = Field(default=Decimal("0.1"), ge=Decimal("0.01"), le=Decimal("0.5"))

    @model_validator(mode="after")
    def _told(self) -> Self:
        if len(set(self.features)) != len(self.features):
            raise ValueError("a feature is named twice")
        self.lists.check(self.features)
        return self

    @property
    def lists(self) -> FeatureLists:
        """What the features of listed values are of."""
        return FeatureLists(categories=self.categories, channels=self.channels)

    def kind(self, terms: Terms) -> Becoming:
        """The kind of customers."""
        if self.category:
            return CategoryKind(category=self.category)
        return SpendKind(at_least=self.spend * 10 ** minor_digits(terms.currency))

    def days(self, as_of: dt.date) -> tuple[dt.date, ...]:
        """Training days, the day of the test, and the as-of day; ascending."""
        step = dt.timedelta(days=self.horizon_days)
        return tuple(as_of - step * back for back in range(self.training_days + 1, -1, -1))

    def request(self, terms: Terms) -> FeatureRequest:
        """What a holder computes for this analysis: the model's features, and what it is compared with."""
        return FeatureRequest(
            names=tuple(dict.fromkeys((*self.features, *_FACTS))),
            days=self.days(terms.as_of),
            horizon_days=self.horizon_days,
            active_days=self.active_days,
            lists=self.lists,
            becoming=self.kind(terms),
        )
