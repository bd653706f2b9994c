"""What a study says of its cluster analysis."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from privacy.analyses.clusters.nouns import Clusters
from privacy.kernel.canonical import ExactDecimal, Noun, since
from privacy.kernel.feature_request import FeatureLists, FeatureRequest
from privacy.kernel.features import FeatureName, ListedValue


class KnownClusters(Noun):
    """Clusters that an earlier run released, so that this run's keep their ids.

    Attributes:
        clusters: its centres.
        shares: id to its share of customers then and the margin of that.
        origin: the run they come from, for people.
    """

    clusters: Clusters
    shares: dict[Annotated[int, Field(ge=1, le=1_000_000)], tuple[ExactDecimal, ExactDecimal]] = Field(
        default_factory=dict, max_length=64
    )
    origin: str = Field(max_length=120)


class ClusterName(Noun):
    """A name that the operators give a cluster; at least one language, which then stands for the other too."""

    en: str = Field(default="", max_length=60)
    zh: str = Field(default="", max_length=60)

    @model_validator(mode="before")
    @classmethod
    def _one_for_both(cls, value: object) -> object:
        return {"en": value, "zh": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not (self.en.strip() or self.zh.strip()):
            raise ValueError("give a name, in en or zh")
        return self


class ClusterOptions(Noun):
    """What the cluster analysis looks for.

    Attributes:
        k: number of clusters; 0 finds it at no cost (or keeps the earlier run's).
        most: the most clusters that are tried where the number is to be found.
        features: what customers are compared by. Up to four give the sharpest clusters.
        categories, channels: what the features ``category_share_1`` and so on, ``channel_share_1`` and so on are shares
            of: values of the holders' columns, at most 8 and 6, compared trimmed and without regard to case.
        active_days: customers count where their last purchase is at most this many days before the as-of day.
        centres: ``new``, or ``previous``: keep the ids of this study's last earlier run, and its centres as far as the
            data allow (the coordinator writes them out before holders see the study).
        ranges: of scales. ``public``: fixed, so that any shop's customers fit in; or ``released``: a first question
            finds where most of the customers are, and a scale goes from there to there, so that features count by how
            much they vary. With an earlier run's centres its scales are kept, whatever they were.
        names: id to the operators' own name, in place of the automatic description in reports, on the holders' pages
            and in their labels. Ids of an earlier run, so with ``centres = "previous"`` only.
    """

    k: int = Field(default=0, ge=0, le=24)
    most: int = Field(default=10, ge=3, le=24)
    features: tuple[FeatureName, ...] = Field(default=("recency_days", "orders", "money"), min_length=1, max_length=30)
    categories: tuple[ListedValue, ...] = Field(default=(), max_length=8)
    channels: tuple[ListedValue, ...] = Field(default=(), max_length=6)
    active_days: int = Field(default=36_600, ge=1, le=36_600)
    centres: Literal["new", "previous"] | KnownClusters = "new"
    names: dict[Annotated[int, Field(ge=1, le=1_000_000)], ClusterName] = Field(default_factory=dict, max_length=64)
    ranges: Literal["public", "released"] = since("0.2.0", "public")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.names and self.centres == "new":
            raise ValueError('names are of the ids of an earlier run: they go with centres = "previous"')
        if len(set(self.features)) != len(self.features):
            raise ValueError("a feature is named twice")
        if self.k == 1:
            raise ValueError("one cluster is everybody; use k of 2 or more, or 0 to have it found")
        self.lists.check(self.features)
        if self.ranges == "released" and not self._follows():
            raise ValueError("the earlier run compared customers by other features")
        return self

    def _follows(self) -> bool:
        """Whether an earlier run, if there is one, looked at the same features."""
        if not isinstance(self.centres, KnownClusters):
            return True
        return tuple(feature.name for feature in self.centres.clusters.features) == self.features

    @property
    def asks_for_scales(self) -> bool:
        """Whether a question finds the scales: an earlier run's centres bring theirs along."""
        return self.ranges == "released" and self.centres == "new"

    @property
    def lists(self) -> FeatureLists:
        """What shares of categories and channels are of."""
        return FeatureLists(categories=self.categories, channels=self.channels)

    def request(self, as_of: dt.date) -> FeatureRequest:
        """What a holder computes for this analysis."""
        return FeatureRequest(names=self.features, days=(as_of,), active_days=self.active_days, lists=self.lists)
