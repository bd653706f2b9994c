"""What of a study is no analysis' own: who computes, from which kind of rows, in which money, under which budget."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from privacy.kernel.canonical import ExactDecimal, Noun, since
from privacy.kernel.limits import Name

#: Names that become file names, labels and ids: short, lower case, safe everywhere.
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
#: What stands in one cell of a holder's source.
_Cell = Annotated[str, Field(max_length=200)]
#: Ways to bring spellings of one id together; which country's telephone numbers are meant each holder says itself.
IdForm = Literal["exact", "text", "email", "case", "zeros", "phone"]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


def _known_zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, such as Europe
        raise ValueError(f"unknown time zone {value!r}; use a name such as Europe/Berlin or UTC") from None
    return value


#: A time zone of the IANA database.
ZoneName = Annotated[str, Field(max_length=64), AfterValidator(_known_zone)]

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
MINOR_LIMIT = 1 << 40
_MONEY_LIMIT = Decimal(MINOR_LIMIT)

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
        reserve: what becomes of it where no attempt fails: ``again``, second answers to questions as soon as nothing
            later can need it, or ``kept``, which leaves the study cheaper than it promised.
        split: share of the budget (of mu squared) that each analysis gets, by its name, such as
            ``{rfm = "0.3", churn = "0.7"}``; in proportion, so they need not add up to one. Not stated means the usual
            parts, which the coordinator's release knows: prices are facts of plans, and holders charge what plans cost.
    """

    epsilon: ExactDecimal = Field(ge=Decimal("0.01"), le=20)
    delta: ExactDecimal | None = Field(default=None, ge=Decimal("1e-18"), le=Decimal("0.001"))
    max_holders_per_customer: int | None = Field(default=None, ge=1, le=1000)
    size_class: int = Field(default=100_000, ge=100, le=1_000_000_000)
    colluding_holders: int = Field(default=1, ge=1, le=1000)
    spare_attempts: int = Field(default=1, ge=0, le=5)
    split: dict[Name, Annotated[ExactDecimal, Field(gt=0, le=1000)]] = Field(default_factory=dict, max_length=16)
    reserve: Literal["again", "kept"] = since("0.2.0", "again")

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
        ids: how every holder brings spellings of one customer's id together: ``text`` (full-width and invisible signs,
            blanks), ``email`` (lower case where there is an ``@``), ``case``, ``zeros`` (in front of whole numbers),
            ``phone`` (E.164); or ``exact`` alone: by none of them. Empty: each holder as its ``holder.toml`` says.
    """

    null_ids: tuple[_Cell, ...] = Field(default=DEFAULT_NULL_IDS, max_length=1000)
    duplicates: Literal["drop", "keep"] = "drop"
    cancellation_prefix: str = Field(default="", max_length=16)
    returns: Literal["drop", "net"] = "drop"
    non_goods: tuple[_Cell, ...] = Field(default=(), max_length=10_000)
    ids: tuple[IdForm, ...] = since("0.2.0", (), max_length=10)

    @field_validator("ids")
    @classmethod
    def _each_form_once(cls, value: tuple[IdForm, ...]) -> tuple[IdForm, ...]:
        if "exact" in value and len(set(value)) > 1:
            raise ValueError("exact goes with no other form of ids")
        return tuple(sorted(set(value)))

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


class RateStep(Noun):
    """From this day on, one unit of the foreign currency is worth ``rate`` units of the study's currency."""

    since: dt.date
    rate: ExactDecimal = Field(ge=Decimal("1e-9"), le=Decimal("1e9"))


class Terms(Noun):
    """What a study agrees on whatever it computes. ``study.toml`` has these fields under these names.

    Attributes:
        name: short name; becomes part of file names.
        as_of: the study sees only rows before the start of this day, and recency is counted from there.
        repeat: 0 for the first run of a study at an as-of date; each further one is a study of its own, with a
            budget of its own.
        analyses: what to compute, from the catalogue.
        currency: what money is expressed in.
        time_zone: where the as-of day starts.
        holders: who takes part; empty means all holders of the roster.
        placement: who adds the noise: ``distributed`` shares under masks (default), each holder all of it
            (``local``), or the coordinator (``central``, which trusts it); holders must allow the last two.
        mechanism: ``integer``, or with placement ``central`` ``opacus``: Opacus' per-customer gradients, and its
            accountant's figure beside ours; holders must allow it. The noise is exact with both.
        rates: for every other currency, ``"1.17"`` or a table of days and rates in force from that day on.
    """

    name: Slug
    as_of: dt.date
    repeat: int = Field(default=0, ge=0, le=1000)
    analyses: tuple[Name, ...] = Field(default=("rfm",), min_length=1, max_length=16)
    currency: CurrencyCode = "EUR"
    time_zone: ZoneName = "UTC"
    holders: tuple[Slug, ...] = Field(default=(), max_length=1000)
    placement: Literal["distributed", "local", "central"] = "distributed"
    mechanism: Literal["integer", "opacus"] = "integer"
    budget: Budget
    cleaning: Cleaning = Cleaning()
    bounds: Bounds = Bounds()
    rates: dict[CurrencyCode, Annotated[tuple[RateStep, ...], Field(max_length=20_000)]] = Field(
        default_factory=dict, max_length=200
    )

    @field_validator("as_of", mode="before")
    @classmethod
    def _plain_day(cls, value: object) -> object:
        if isinstance(value, dt.datetime):
            raise ValueError("must be a day such as 2025-01-01, without a time")
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
        low, high = self.money_bounds
        if high > MINOR_LIMIT:
            raise ValueError(f"bounds.money_max is above {MINOR_LIMIT:,} minor units")
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
    def money_factor(self) -> Fraction:
        """How many hundreds of minor units of the study's currency a euro is worth, in powers of ten."""
        return Fraction(_UNIT_SCALE.get(self.currency, 1) * 10 ** minor_digits(self.currency), 100)

    def rate_of(self, currency: str) -> tuple[RateStep, ...] | None:
        """The rates of a currency into the study's, or None where the study does not know it."""
        if currency == self.currency:
            return (RateStep(since=dt.date(1900, 1, 1), rate=Decimal(1)),)
        return self.rates.get(currency)
