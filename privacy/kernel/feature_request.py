"""What an analysis asks a holder to work out about its customers: features, days, and an outcome."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from privacy.kernel.canonical import Noun, since
from privacy.kernel.columns import Column
from privacy.kernel.features import FEATURES, AnyFeatureName, FeatureTable, ListedValue, listed_place


class FeatureLists(Noun):
    """The categories and channels that shares are of: named by the study, in public, never the values that rows have.

    ``category_share_2`` is of the second category. What rows have beside the listed values counts in no share.

    Attributes:
        categories, channels: values of the source's column, compared trimmed and without regard to case.
    """

    categories: tuple[ListedValue, ...] = Field(default=(), max_length=8)
    channels: tuple[ListedValue, ...] = Field(default=(), max_length=6)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for values in (self.categories, self.channels):
            if len({value.casefold() for value in values}) != len(values):
                raise ValueError("a category or channel is listed twice")
        return self

    def value_of(self, name: str) -> str:
        """What the feature is the share of; empty for features that are of no list, and beyond a list's end."""
        listed = listed_place(name)
        if listed is None:
            return ""
        values = self.categories if listed[0] == "categories" else self.channels
        return values[listed[1] - 1] if listed[1] <= len(values) else ""

    def check(self, names: tuple[str, ...]) -> None:
        """Whether the features are of listed values, and every listed value is used.

        Raises:
            ValueError: naming the feature or the value.
        """
        for name in names:
            listed = listed_place(name)
            if listed is not None and not self.value_of(name):
                raise ValueError(f"{name} needs {listed[1]} {listed[0]}, and fewer are listed")
        for feature in FEATURES.values():
            if (value := self.value_of(feature.name)) and feature.name not in names:
                raise ValueError(f"{value!r} is listed and not used: add the feature {feature.name}, or take it out")


class SpendKind(Noun):
    """Customers who spend so much in a horizon, all their orders that began in it together, less returns.

    Attributes:
        at_least: minor units.
    """

    kind: Literal["spend"] = "spend"
    at_least: int = Field(ge=1, le=1 << 40)

    @property
    def column(self) -> Column:
        """What it is told by."""
        return "money"


class CategoryKind(Noun):
    """Customers with a purchase in a category in a horizon.

    Attributes:
        category: a value of the source's column, compared trimmed and without regard to case.
    """

    kind: Literal["category"] = "category"
    category: ListedValue

    @property
    def column(self) -> Column:
        """What it is told by."""
        return "category"


#: Kinds of customers that a study can define in public, by what they do in a horizon.
Becoming = Annotated[SpendKind | CategoryKind, Field(discriminator="kind")]


class FeatureRequest(Noun):
    """What a study needs to know of customers, and as of which days.

    Attributes:
        names: the features; any of :data:`FEATURES`, and the analysis' own.
        days: the days, ascending; what a feature says of a day comes from before the start of that day alone.
        horizon_days: a customer without a purchase in this many days from the start of a day has churned after it;
            0 where no outcome is needed.
        becoming: what is asked in place of who churned: who becomes a customer of a kind. Customers count on a day
            where they are not of that kind, in the horizon before it; their outcome is 1 where they are, in the one
            after it.
        active_days: a customer counts on a day where its last purchase is at most this many days before it.
        lists: what shares of categories and channels are of.
    """

    #: What encoders read of it.
    rows: ClassVar[type[FeatureTable]] = FeatureTable
    names: tuple[AnyFeatureName, ...] = Field(min_length=1, max_length=64)
    days: tuple[dt.date, ...] = Field(min_length=1, max_length=24)
    horizon_days: int = Field(default=0, ge=0, le=3660)
    active_days: int = Field(default=36_600, ge=1, le=36_600)
    lists: FeatureLists = FeatureLists()
    becoming: Becoming | None = since("0.2.0", None)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if any(first >= second for first, second in pairwise(self.days)):
            raise ValueError("days must ascend")
        if len(set(self.names)) != len(self.names):
            raise ValueError("a feature is named twice")
        self.lists.check(self.names)
        if self.becoming is not None:
            step = dt.timedelta(days=self.horizon_days)
            if not step or any(day + step not in self.days for day in self.days[:-1]):
                raise ValueError("who becomes a customer of a kind is told on days that are a horizon apart")
        return self

    @property
    def columns(self) -> frozenset[Column]:
        """What its rows say beside what is asked for: what the kind of customers is told by."""
        return frozenset() if self.becoming is None else frozenset({self.becoming.column})

    @property
    def offers(self) -> tuple[frozenset[str], int]:
        """Names and number of days that its rows have: what a question's ``looks_at`` must be within."""
        return frozenset(self.names), len(self.days)
