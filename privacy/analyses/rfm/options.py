"""What a study says of its RFM analysis."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from privacy.analyses.rfm.segments import OUTSIDE, RULES_LIMIT, CutPoints, MeasuredName, ThresholdRule
from privacy.kernel.canonical import ExactDecimal, Noun, since
from privacy.kernel.customers import WINDOW_LIMIT
from privacy.kernel.terms import MINOR_LIMIT


class FixedCuts(Noun):
    """High/low cuts that the operators set themselves, in place of medians.

    Attributes:
        recency_days: high (recent) is at most this many days.
        orders: high is at least this many orders.
        money: high is at least this much, in the study's currency.
    """

    recency_days: int = Field(ge=0, le=1_000_000)
    orders: int = Field(ge=1, le=MINOR_LIMIT)
    money: ExactDecimal = Field(ge=0)


#: Most that may lie above a cap, as a part of what was counted: far more than any result can say something of.
TAIL_LIMIT = 1_000_000


class KnownTail(Noun):
    """What lay above a cap, as a part of what was counted: the estimate, and the most that intervals allow for."""

    likely: ExactDecimal = Field(ge=0, le=TAIL_LIMIT)
    most: ExactDecimal = Field(ge=0, le=TAIL_LIMIT)

    @classmethod
    def of(cls, likely: float, most: float) -> Self:
        """From what was estimated, to six decimals; as much as the limit where noise leaves nothing to compare with."""
        first, last = (Decimal(str(round(min(part, TAIL_LIMIT), 6))) for part in (likely, most))
        return cls(likely=first, most=last)


class KnownCuts(Noun):
    """Cut points that an earlier run released; using them again is free, and movement is customers' movement.

    Attributes:
        cuts: the cut points.
        money_cap, orders_cap: with how much a customer counts in the totals at most (minor units, orders).
        above_cap: the earlier estimate of the share of revenue above ``money_cap``.
        origin: the run they come from, for people.
        found: as-of day of that run; None where an earlier release wrote them out.
        orders_tail, money_tail: what lay above the caps; where an earlier release did not say, ``above_cap`` does.
    """

    cuts: CutPoints
    money_cap: int = Field(ge=1, le=MINOR_LIMIT)
    orders_cap: int = Field(ge=1, le=1_000_000)
    above_cap: ExactDecimal = Field(ge=0, le=1)
    origin: str = Field(max_length=120)
    orders_tail: KnownTail | None = since("0.2.0", None)
    money_tail: KnownTail | None = since("0.2.0", None)
    found: dt.date | None = since("0.2.0", None)


class RfmOptions(Noun):
    """What the RFM analysis releases.

    Attributes:
        cut_points: ``new`` finds them from the data of all holders; ``previous`` takes those of the same month a year
            earlier, or else of this study's last earlier as-of date, so that the whole budget measures segments (the
            coordinator writes them out before holders see the study).
        report: segmentations whose sizes and revenue are released. Labels of all segmentations are free (every
            holder applies the cut points to its own customers); totals of n segmentations multiply the squared
            cost of that question by n.
        high_low: ``median``, or fixed cuts, for the eight segments.
        rules: the operators' own segments; the first rule that fits wins.
        floor: segments whose noisy count is below this are not shown.
        cut_points_share: share of the budget that finds the cut points; the rest measures the segments.
        totals: ``full``, or ``shares``: results, reports and what holders get carry proportions and averages on a
            coarse public grid, and no total. The coordinator's operator still has the noisy totals in ``releases/``.
        above_cap: an assumption that no release can test: customers above the cap of money spend at most so many caps
            more than it on average. Intervals of revenue reach as far. 2.5 held for shops where wholesalers buy, 1 does
            where only consumers do.
        window_days: R, F and M of purchases in the last so many days, so that a customer's whole life does not add up
            and cut points keep their meaning from month to month. Who bought nothing in them is in no figure, and is
            labelled ``outside_window``. None counts everything before the as-of day.
    """

    cut_points: Literal["new", "previous"] | KnownCuts = "new"
    report: tuple[MeasuredName, ...] = Field(default=("eight",), min_length=1, max_length=8)
    high_low: Literal["median"] | FixedCuts = "median"
    rules: tuple[ThresholdRule, ...] = Field(default=(), max_length=RULES_LIMIT)
    floor: int = Field(default=20, ge=0, le=1_000_000)
    cut_points_share: ExactDecimal = Field(default=Decimal("0.7"), ge=Decimal("0.1"), le=Decimal("0.9"))
    totals: Literal["full", "shares"] = "full"
    above_cap: ExactDecimal = since("0.2.0", Decimal("2.5"), ge=0, le=100)
    window_days: int | None = since("0.2.0", None, ge=1, le=WINDOW_LIMIT)

    @field_validator("report", mode="before")
    @classmethod
    def _nothing_for_free(cls, value: Any) -> Any:
        if isinstance(value, list | tuple) and "value_activity" in value:
            raise ValueError("value_activity costs nothing and comes with 'eight': leave it out")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.report)) != len(self.report):
            raise ValueError("report names a segmentation twice")
        if "rules" in self.report and not self.rules:
            raise ValueError("report asks for 'rules', but no [[rfm.rules]] are given")
        codes = [rule.code for rule in self.rules]
        if len(set(codes)) != len(codes):
            raise ValueError("two rules have the same code")
        if self.window_days is not None and OUTSIDE in codes:
            raise ValueError(f"with window_days {OUTSIDE!r} stands for customers without a purchase in the window")
        return self
