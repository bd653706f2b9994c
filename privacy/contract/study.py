"""The study: what all holders agree to compute, from which kind of rows, under which budget.

A study is a TOML file. Only ``name``, ``as_of`` and ``budget.epsilon`` are needed; every other field has a public
default that does not depend on anybody's data. Its digest is in every message of a run, so that all holders use
the same cleaning rules, bounds and rates.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from privacy.contract.canonical import ExactDecimal, Noun
from privacy.contract.clusters import Clusters
from privacy.contract.features import FEATURES, FeatureLists, FeatureName, FeatureRequest, ListedValue, ScaledFeature
from privacy.contract.limits import Name
from privacy.contract.segments import RULES_LIMIT, CutPoints, SchemeName, ThresholdRule

#: Names that become file names, labels and ids: short, lower case, safe everywhere.
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
#: What stands in one cell of a holder's source.
_Cell = Annotated[str, Field(max_length=200)]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]

#: Fraction digits of the currencies that do not have two (ISO 4217).
_MINOR_DIGITS = {
    "JPY": 0,
    "KRW": 0,
    "VND": 0,
    "CLP": 0,
    "ISK": 0,
    "BHD": 3,
    "KWD": 3,
    "OMR": 3,
    "TND": 3,
    "JOD": 3,
}
#: How many units buy about what one euro buys, for currencies where that is far from one. It only places the
#: default bounds, which are wide (six powers of ten), so that nobody has to guess a clipping bound.
_UNIT_SCALE = {
    "JPY": 100, "KRW": 1_000, "VND": 10_000, "IDR": 10_000, "CLP": 1_000, "INR": 10, "CNY": 10, "HKD": 10,
    "THB": 10, "TWD": 10, "RUB": 100, "HUF": 100, "ISK": 100, "CZK": 10, "SEK": 10, "NOK": 10, "DKK": 10,
    "MXN": 10, "ZAR": 10, "PHP": 10, "TRY": 10,
}  # fmt: skip

#: No customer's spend is resolved above this many minor units (it must fit the totals' arithmetic).
_MINOR_LIMIT = 1 << 40
_MONEY_LIMIT = Decimal(_MINOR_LIMIT)

DEFAULT_NULL_IDS = ("", "0", "null", "none", "nan", "na", "n/a", "unknown", "guest", "anonymous")


def minor_digits(currency: str) -> int:
    """Fraction digits of a currency: 2 for EUR, 0 for JPY, 3 for KWD."""
    return _MINOR_DIGITS.get(currency, 2)


class Budget(Noun):
    """The privacy promise, for one *person* with all their records at all holders they shop at.

    Attributes:
        epsilon: the privacy loss allowed, 0.01 to 20.
        delta: probability bound; the default is 1 / (10 x size_class).
        max_holders_per_customer: at how many holders one person may be a customer. Not stated means: at all of
            them. State 1 only where the holders declare that they share no customers.
        size_class: public upper figure for the number of customers of all holders together. It sets the default
            delta and the errors that ``study check`` predicts; it is a declaration, never a count.
        colluding_holders: t, how many holders might pool what they know to attack another (at least 1: each
            holder knows its own noise share; count the holder that the coordinator's operator runs, if any).
        spare_attempts: how many repetitions of the dearest question the budget keeps in reserve, for holders
            that fail in the middle of a question.
        split: share of the budget (of mu squared) that each analysis gets, by its name, such as
            ``{rfm = "0.3", churn = "0.7"}``; in proportion, so they need not add up to one. Not stated means alike.
    """

    epsilon: ExactDecimal = Field(ge=Decimal("0.01"), le=20)
    delta: ExactDecimal | None = Field(default=None, ge=Decimal("1e-18"), le=Decimal("0.001"))
    max_holders_per_customer: int | None = Field(default=None, ge=1, le=1000)
    size_class: int = Field(default=100_000, ge=100, le=1_000_000_000)
    colluding_holders: int = Field(default=1, ge=1, le=1000)
    spare_attempts: int = Field(default=1, ge=0, le=5)
    split: dict[Name, Annotated[ExactDecimal, Field(gt=0, le=1000)]] = Field(default_factory=dict, max_length=16)

    @property
    def effective_delta(self) -> Decimal:
        """The delta in force: the stated one, or 1 / (10 x size_class)."""
        return self.delta if self.delta is not None else 1 / (10 * Decimal(self.size_class))

    def records_among(self, holders: int) -> int:
        """k among so many holders of the study: as declared; all of them when not stated."""
        return min(self.max_holders_per_customer or holders, holders)

    @model_validator(mode="after")
    def _delta_small(self) -> Self:
        if self.effective_delta * self.size_class > 1:
            raise ValueError(
                f"delta must be at most 1/size_class = {1 / Decimal(self.size_class):.1e} "
                "(otherwise losing one customer's whole row would count as private)"
            )
        return self


class Cleaning(Noun):
    """Rules that every holder applies in the same way; each is counted on the holder's own screen only.

    Attributes:
        null_ids: spellings (trimmed, lower case) that mean "no customer id".
        duplicates: ``drop`` rows equal in every mapped column, or ``keep`` them.
        cancellation_prefix: an order id that starts with this is a cancellation; empty for none.
        returns: ``drop`` cancelled orders and lines with a zero or negative quantity or a negative amount, or
            ``net`` them against the customer's spend. Either way they are not orders and do not refresh recency.
        non_goods: product codes that are not goods (postage, fees); compared trimmed and in upper case.
    """

    null_ids: tuple[_Cell, ...] = Field(default=DEFAULT_NULL_IDS, max_length=1000)
    duplicates: Literal["drop", "keep"] = "drop"
    cancellation_prefix: str = Field(default="", max_length=16)
    returns: Literal["drop", "net"] = "drop"
    non_goods: tuple[_Cell, ...] = Field(default=(), max_length=10_000)

    @field_validator("null_ids")
    @classmethod
    def _normal_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({item.strip().lower() for item in value} | {""}))

    @field_validator("non_goods")
    @classmethod
    def _normal_codes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({item.strip().upper() for item in value}))


class Bounds(Noun):
    """Public bounds of the histograms; wide by default, so that nobody guesses a clipping bound.

    Attributes:
        recency_max_days: recency is resolved up to this many days (older counts as this old).
        money_min: spend at or below this falls into the lowest bin, in the study's currency.
        money_max: spend above this falls into the highest bin, in the study's currency.
        orders_max: order counts above this count as this many.
    """

    recency_max_days: int = Field(default=3660, ge=30, le=36_600)
    money_min: ExactDecimal | None = Field(default=None, gt=0, le=_MONEY_LIMIT)
    money_max: ExactDecimal | None = Field(default=None, gt=0, le=_MONEY_LIMIT)
    orders_max: int = Field(default=1000, ge=5, le=100_000)


class FixedCuts(Noun):
    """High/low cuts that the operators set themselves, in place of medians.

    Attributes:
        recency_days: high (recent) is at most this many days.
        orders: high is at least this many orders.
        money: high is at least this much, in the study's currency.
    """

    recency_days: int = Field(ge=0, le=1_000_000)
    orders: int = Field(ge=1, le=_MINOR_LIMIT)
    money: ExactDecimal = Field(ge=0)


class KnownCuts(Noun):
    """Cut points that an earlier run released; using them again is free, and movement is customers' movement.

    Attributes:
        cuts: the cut points.
        money_cap, orders_cap: with how much a customer counts in the totals at most (minor units, orders).
        above_cap: the earlier estimate of the share of revenue above ``money_cap``.
        origin: the run they come from, for people.
    """

    cuts: CutPoints
    money_cap: int = Field(ge=1, le=_MINOR_LIMIT)
    orders_cap: int = Field(ge=1, le=1_000_000)
    above_cap: ExactDecimal = Field(ge=0, le=1)
    origin: str = Field(max_length=120)


class RfmOptions(Noun):
    """What the RFM analysis releases.

    Attributes:
        cut_points: ``new`` finds them from the data of all holders; ``previous`` takes those of this study's last
            earlier as-of date, so that the whole budget measures segments (the coordinator writes them out before
            holders see the study).
        report: segmentations whose sizes and revenue are released. Labels of all segmentations are free (every
            holder applies the cut points to its own customers); totals of n segmentations multiply the squared
            cost of that question by n.
        high_low: ``median``, or fixed cuts, for the eight segments.
        rules: the operators' own segments; the first rule that fits wins.
        floor: segments whose noisy count is below this are not shown.
        cut_points_share: share of the budget that finds the cut points; the rest measures the segments.
        totals: ``full``, or ``shares``: results, reports and what holders get carry proportions and averages on a
            coarse public grid, and no total. The coordinator's operator still has the noisy totals in ``releases/``.
    """

    cut_points: Literal["new", "previous"] | KnownCuts = "new"
    report: tuple[SchemeName, ...] = Field(default=("eight",), min_length=1, max_length=8)
    high_low: Literal["median"] | FixedCuts = "median"
    rules: tuple[ThresholdRule, ...] = Field(default=(), max_length=RULES_LIMIT)
    floor: int = Field(default=20, ge=0, le=1_000_000)
    cut_points_share: ExactDecimal = Field(default=Decimal("0.7"), ge=Decimal("0.1"), le=Decimal("0.9"))
    totals: Literal["full", "shares"] = "full"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.report)) != len(self.report):
            raise ValueError("report names a segmentation twice")
        if "rules" in self.report and not self.rules:
            raise ValueError("report asks for 'rules', but no [[rfm.rules]] are given")
        codes = [rule.code for rule in self.rules]
        if len(set(codes)) != len(codes):
            raise ValueError("two rules have the same code")
        return self


#: Sixteen features that separate churners well in ordinary retail data (``docs/churn.md`` shows what each adds).
CHURN_FEATURES: tuple[FeatureName, ...] = (
    "recency_days", "overdue", "on_time", "idle_share", "tenure_days", "tenure_180", "orders", "orders_365",
    "orders_180", "orders_90", "momentum", "interval_variation", "money", "money_365", "order_value", "basket",
)  # fmt: skip


class ChurnOptions(Noun):
    """What the churn analysis predicts, from what, and how it is trained.

    Attributes:
        model: ``logistic`` (logistic regression) or ``network`` (a small perceptron beside a linear path).
        horizon_days: a customer without a purchase in this many days has churned.
        active_days: customers count on a day where their last purchase is at most this many days before it.
        training_days: at how many days training looks. The last is two horizons before the as-of day, so that its
            outcomes are known before the day of the test, one horizon before the as-of day; further ones are a
            horizon apart each. All days of a customer are one contribution.
        features: inputs, by name; their public scales are those of the catalogue.
        rounds: gradient steps after the least-squares start; 0 means as many as do well (3, or 4 for a network).
        evaluation_share: share of the analysis' budget that measures the model's quality.
        figures: ``overall``, or ``by_holder``: also release the quality at each holder, as a question of its own with
            as large a budget as the evaluation over all.
    """

    model: Literal["logistic", "network"] = "logistic"
    horizon_days: int = Field(default=90, ge=7, le=1830)
    active_days: int = Field(default=365, ge=7, le=36_600)
    training_days: int = Field(default=1, ge=1, le=12)
    features: tuple[FeatureName, ...] = Field(default=CHURN_FEATURES, min_length=1, max_length=40)
    rounds: int = Field(default=0, ge=0, le=50)
    evaluation_share: ExactDecimal = Field(default=Decimal("0.2"), ge=Decimal("0.01"), le=Decimal("0.9"))
    figures: Literal["overall", "by_holder"] = "overall"

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.features)) != len(self.features):
            raise ValueError("a feature is named twice")
        listed = [name for name in self.features if FEATURES[name].listed]
        if listed:
            raise ValueError(f"{listed[0]} is a feature of clusters only")
        return self

    def days(self, as_of: dt.date) -> tuple[dt.date, ...]:
        """Training days, the day of the test, and the as-of day; ascending."""
        step = dt.timedelta(days=self.horizon_days)
        return tuple(as_of - step * back for back in range(self.training_days + 1, -1, -1))

    def request(self, as_of: dt.date) -> FeatureRequest:
        """What a holder computes for this analysis."""
        return FeatureRequest(
            names=tuple(dict.fromkeys((*self.features, "recency_days"))),  # what every model is compared with
            days=self.days(as_of),
            horizon_days=self.horizon_days,
            active_days=self.active_days,
        )


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
        features: what customers are compared by, on their public scales. Up to four give the sharpest clusters.
        categories, channels: what the features ``category_share_1`` and so on, ``channel_share_1`` and so on are shares
            of: values of the holders' columns, at most 8 and 6, compared trimmed and without regard to case.
        active_days: customers count where their last purchase is at most this many days before the as-of day.
        centres: ``new``, or ``previous``: keep the ids of this study's last earlier run, and its centres as far as the
            data allow (the coordinator writes them out before holders see the study).
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

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.names and self.centres == "new":
            raise ValueError('names are of the ids of an earlier run: they go with centres = "previous"')
        if len(set(self.features)) != len(self.features):
            raise ValueError("a feature is named twice")
        if self.k == 1:
            raise ValueError("one cluster is everybody; use k of 2 or more, or 0 to have it found")
        self.lists.check(self.features)
        return self

    @property
    def lists(self) -> FeatureLists:
        """What shares of categories and channels are of."""
        return FeatureLists(categories=self.categories, channels=self.channels)

    def request(self, as_of: dt.date) -> FeatureRequest:
        """What a holder computes for this analysis."""
        return FeatureRequest(names=self.features, days=(as_of,), active_days=self.active_days, lists=self.lists)


class RateStep(Noun):
    """From this day on, one unit of the foreign currency is worth ``rate`` units of the study's currency."""

    since: dt.date
    rate: ExactDecimal = Field(ge=Decimal("1e-9"), le=Decimal("1e9"))


class Waits(Noun):
    """How long the coordinator waits for holders, in seconds; after that a holder counts as absent.

    Attributes:
        joining: for everybody's HELLO, in which time a holder builds its customer table, and for the record of results.
        answering: for everything else.
    """

    joining: int = Field(default=600, ge=1, le=24 * 3600)
    answering: int = Field(default=120, ge=1, le=24 * 3600)


class Study(Noun):
    """One study. See the module's text; ``study.toml`` has these fields under these names.

    Attributes:
        name: short name; becomes part of file names.
        as_of: the study sees only rows before the start of this day, and recency is counted from there.
        analyses: what to compute, from the catalogue.
        currency: what money is expressed in.
        time_zone: where the as-of day starts.
        rates: for every other currency, ``"1.17"`` or a table of days and rates in force from that day on.
        holders: who takes part; empty means all holders of the roster.
        repeat: 0 for the first run of a study at an as-of date; each further one is a study of its own, with a
            budget of its own.
        placement: who adds the noise: ``distributed`` shares under masks (default), each holder all of it
            (``local``), or the coordinator (``central``, which trusts it); holders must allow the last two.
        mechanism: ``integer``, or with placement ``central`` ``opacus``: Opacus' per-customer gradients, and its
            accountant's figure beside ours; holders must allow it. The noise is exact with both.
        waits: how long the coordinator waits for holders.
    """

    name: Slug
    as_of: dt.date
    repeat: int = Field(default=0, ge=0, le=1000)
    analyses: tuple[Name, ...] = Field(default=("rfm",), min_length=1, max_length=16)
    currency: CurrencyCode = "EUR"
    time_zone: str = Field(default="UTC", max_length=64)
    holders: tuple[Slug, ...] = Field(default=(), max_length=1000)
    placement: Literal["distributed", "local", "central"] = "distributed"
    mechanism: Literal["integer", "opacus"] = "integer"
    budget: Budget
    cleaning: Cleaning = Cleaning()
    bounds: Bounds = Bounds()
    rates: dict[CurrencyCode, Annotated[tuple[RateStep, ...], Field(max_length=20_000)]] = Field(
        default_factory=dict, max_length=200
    )
    rfm: RfmOptions = RfmOptions()
    churn: ChurnOptions = ChurnOptions()
    clusters: ClusterOptions = ClusterOptions()
    waits: Waits = Waits()

    @field_validator("as_of", mode="before")
    @classmethod
    def _plain_day(cls, value: object) -> object:
        if isinstance(value, dt.datetime):
            raise ValueError("must be a day such as 2025-01-01, without a time")
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"unknown time zone {value!r}; use a name such as Europe/Berlin or UTC") from None
        return value

    @field_validator("analyses")
    @classmethod
    def _known_analyses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in ANALYSES:
                raise ValueError(f"unknown analysis {name!r}; there is: {', '.join(ANALYSES)}")
        if len(set(value)) != len(value):
            raise ValueError("an analysis is named twice")
        return value

    @field_validator("holders")
    @classmethod
    def _distinct_holders(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in value if value.count(name) > 1})
        if twice:
            raise ValueError(f"duplicate holder: {', '.join(twice)}")
        return value

    @field_validator("rates", mode="before")
    @classmethod
    def _rate_tables(cls, value: object) -> object:
        """Accept ``GBP = "1.17"`` and ``GBP = {2024-01-01 = "1.15", ...}`` beside the full form."""
        if not isinstance(value, dict):
            return value
        tables: dict[object, object] = {}
        for code, table in value.items():
            if isinstance(table, dict):
                tables[code] = [{"since": day, "rate": rate} for day, rate in sorted(table.items())]
            elif isinstance(table, str | int | Decimal):
                tables[code] = [{"since": dt.date(1900, 1, 1), "rate": table}]
            else:
                tables[code] = table
        return tables

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for code, steps in self.rates.items():
            if not steps:
                raise ValueError(f"rates.{code} is empty")
            days = [step.since for step in steps]
            if days != sorted(set(days)):
                raise ValueError(f"rates.{code}: days must be in order, each once")
        if self.mechanism == "opacus" and self.placement != "central":
            raise ValueError('mechanism = "opacus" is for the coordinator\'s noise: it goes with placement = "central"')
        if self.budget.split and set(self.budget.split) != set(self.analyses):
            raise ValueError("budget.split must name every analysis of the study, and no other")
        if self.currency in self.rates:
            raise ValueError(f"rates.{self.currency}: that is the study's own currency; leave it out")
        if self.rfm.totals == "shares" and set(self.analyses) != {"rfm"}:
            raise ValueError('rfm.totals = "shares" goes with the analysis rfm alone: the others release counts')
        low, high = self.money_bounds
        if high > _MINOR_LIMIT:
            raise ValueError(f"bounds.money_max is above {_MINOR_LIMIT:,} minor units")
        if high < 10 * low:
            raise ValueError("bounds.money_max must be at least ten times bounds.money_min")
        return self

    @property
    def money_bounds(self) -> tuple[int, int]:
        """Lowest and highest spend that the histograms resolve, in minor units (cents) of the study's currency."""
        unit = 10 ** minor_digits(self.currency)
        scale = _UNIT_SCALE.get(self.currency, 1)
        low = self.bounds.money_min if self.bounds.money_min is not None else Decimal(scale)
        high = self.bounds.money_max if self.bounds.money_max is not None else Decimal(scale) * 1_000_000
        return max(1, int(low * unit)), int(high * unit)

    @property
    def feature_requests(self) -> dict[str, FeatureRequest]:
        """What the study's analyses need to know of customers beside R, F and M, by the analysis' name."""
        found = {"churn": self.churn.request(self.as_of), "clusters": self.clusters.request(self.as_of)}
        return {name: found[name] for name in self.analyses if name in found}

    def scaled(self, names: Iterable[FeatureName]) -> tuple[ScaledFeature, ...]:
        """Features with their public scales, those of money adapted to the study's currency."""
        factor = Fraction(_UNIT_SCALE.get(self.currency, 1) * 10 ** minor_digits(self.currency), 100)
        lists = self.clusters.lists
        return tuple(
            ScaledFeature(name=name, scale=FEATURES[name].scale_in(factor), of=lists.value_of(name)) for name in names
        )

    def rate_of(self, currency: str) -> tuple[RateStep, ...] | None:
        """The rates of a currency into the study's, or None where the study does not know it."""
        if currency == self.currency:
            return (RateStep(since=dt.date(1900, 1, 1), rate=Decimal(1)),)
        return self.rates.get(currency)


#: The analyses that a study may name, in the order of pages. ``server/analyses`` has a room of the same name each.
ANALYSES: tuple[str, ...] = ("rfm", "clusters", "churn")

_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")


def parse_day(text: str) -> dt.date:
    """Read a day written as ``2025-01-31``.

    Raises:
        ValueError: if it is not such a day.
    """
    if not _DAY.match(text):
        raise ValueError("write the day as YYYY-MM-DD")
    return dt.date.fromisoformat(text)
