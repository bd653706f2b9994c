"""What RFM yields: segments, their totals and averages, and the distributions that cut points were found on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from privacy.analyses.rfm.segment_totals import Form
from privacy.analyses.rfm.segments import SchemeName, SegmentRules
from privacy.figures.estimates import Estimate, Figures, Value
from privacy.figures.public_grid import is_coarse, step_of, tells_no_more
from privacy.kernel.canonical import since
from privacy.kernel.limits import Name


class SegmentFigures(Value):
    """One segment's figures; where the noisy count is under the floor there are none (``suppressed``).

    Counts are of customer *records*: a person who shops at two holders counts twice.
    Money is in major units of the study's currency.

    Attributes:
        customers, orders, revenue: totals; None as well where the study withholds totals.
        share_of_revenue: of everything, what lies above the cap included.
        share_of_counted: of revenue as it is counted of each customer; None as well where the study withholds totals.
    """

    code: Name
    en: Name
    zh: Name
    suppressed: bool
    customers: Estimate | None = None
    orders: Estimate | None = None
    revenue: Estimate | None = None
    share_of_customers: Estimate | None = None
    share_of_revenue: Estimate | None = None
    share_of_counted: Estimate | None = since("0.2.0", None)
    orders_per_customer: Estimate | None = None
    revenue_per_customer: Estimate | None = None
    revenue_per_order: Estimate | None = None


class SchemeFigures(Value):
    """One segmentation's figures, in the scheme's order.

    Attributes:
        total_customers, total_orders, total_revenue: of all segments; None where the study withholds totals.
        counted_orders, counted_revenue: the totals without what lies above the caps.
        orders_per_customer, revenue_per_customer, revenue_per_order: averages of what is counted over all segments,
            money in major units; None where the noise hides the lower total.
        least_share: where the study withholds totals, segments with a smaller share of the records are suppressed.
    """

    scheme: SchemeName
    segments: tuple[SegmentFigures, ...] = Field(max_length=64)
    total_customers: Estimate | None
    total_orders: Estimate | None
    total_revenue: Estimate | None
    counted_orders: Estimate | None = since("0.2.0", None)
    counted_revenue: Estimate | None = since("0.2.0", None)
    orders_per_customer: Estimate | None = None
    revenue_per_customer: Estimate | None = None
    revenue_per_order: Estimate | None = None
    least_share: float | None = None

    def _totals(self) -> Iterator[Estimate | None]:
        yield from (self.total_customers, self.total_orders, self.total_revenue)
        for segment in self.segments:
            if not segment.suppressed:
                yield from (segment.customers, segment.orders, segment.revenue)

    def _counted(self) -> Iterator[Estimate | None]:
        yield from (self.counted_orders, self.counted_revenue)
        yield from (segment.share_of_counted for segment in self.segments)

    def _proportions(self) -> Iterator[Estimate | None]:
        yield from (self.orders_per_customer, self.revenue_per_customer, self.revenue_per_order)
        for segment in self.segments:
            yield from (segment.share_of_customers, segment.share_of_revenue, segment.orders_per_customer)
            yield from (segment.revenue_per_customer, segment.revenue_per_order)


_Part = Annotated[float, Field(ge=0, le=1)]


class Concentration(Value):
    """How much of what is spent the customers who spend most bring.

    Attributes:
        top: shares of customer records, those who spend most first; ascending.
        share_of_spend: of what is spent, what they bring; same length. Who got back more than it spent counts as
            nothing.
    """

    top: tuple[_Part, ...] = Field(max_length=100)
    share_of_spend: tuple[Estimate, ...] = Field(max_length=100)

    def of_top(self, share: float) -> Estimate:
        """What the top so much of the customers brings; a share that is listed."""
        return self.share_of_spend[self.top.index(share)]


class Distribution(Value):
    """A noisy distribution and the cut points found on it.

    Attributes:
        feature: which fact.
        upper: inclusive upper end of each display bin, in days, orders, or major currency units; ascending.
        share: estimated share of customer records in each bin, 0 to 1, same length.
        cuts: the four quintile cuts, in the same unit.
        high: the cut between high and low, in the same unit.
        rank_margin: half-width of the 95% interval of each quintile cut's rank, as a share of customer records.
        concentration: of money; None where the noise leaves none, or the study withholds totals.
    """

    feature: Literal["recency_days", "orders", "money"]
    upper: tuple[float, ...] = Field(max_length=4096)
    share: tuple[float, ...] = Field(max_length=4096)
    cuts: tuple[float, float, float, float]
    high: float
    rank_margin: tuple[float, float, float, float]
    concentration: Concentration | None = since("0.2.0", None)

    @property
    def coarse(self) -> bool:
        """Whether the cumulated shares and all rank margins are on the public grid, alike at all cuts."""
        margin = self.rank_margin[0]
        if self.concentration is not None or set(self.rank_margin) != {margin} or not is_coarse(0.0, margin):
            return False
        steps = [share / step_of(margin) for share in self.share]
        return all(math.isclose(step, round(step), abs_tol=1e-6) for step in steps)


class TailFigures(Value):
    """What lies above a cap, as a part of what is counted.

    Attributes:
        likely: estimated from the distribution.
        most: what intervals allow for.
    """

    likely: float = Field(ge=0)
    most: float = Field(ge=0)


class RfmResult(Figures):
    """The RFM analysis' result.

    Attributes:
        rules: what every holder applies to its own customers.
        customers: estimated number of customer records of all holders; None where the study withholds totals.
        distributions: R, F and M; empty where the cut points of an earlier run were used.
        schemes: the reported segmentations.
        value_activity: value by activity, from the eight segments before any of them is hidden; None where totals by
            these were not asked.
        money_cap, orders_cap: a customer counts with at most this much in the totals (major units, orders).
        revenue_above_cap: estimated share of all revenue that lies above ``money_cap`` and is not counted.
        form, returns: how customers were counted (:class:`privacy.analyses.rfm.segment_totals.SegmentTotals`).
        orders_tail, money_tail: what was added for orders and money above the caps; None where nothing was.
    """

    rules: SegmentRules
    customers: Estimate | None
    distributions: tuple[Distribution, ...] = Field(max_length=8)
    schemes: tuple[SchemeFigures, ...] = Field(max_length=8)
    money_cap: float
    orders_cap: int = Field(ge=0, le=1 << 53)
    revenue_above_cap: float
    form: Form = since("0.2.0", "capped")
    returns: Literal["drop", "net"] = since("0.2.0", "drop")
    orders_tail: TailFigures | None = since("0.2.0", None)
    money_tail: TailFigures | None = since("0.2.0", None)
    value_activity: SchemeFigures | None = since("0.2.0", None)

    @property
    def segmentations(self) -> tuple[SchemeFigures, ...]:
        """All of them, value by activity last."""
        return self.schemes if self.value_activity is None else (*self.schemes, self.value_activity)

    def cuts(self) -> Mapping[str, tuple[int, ...]]:
        """The cut points as upper ends of bins, ``NAME_high`` of the two halves, and the caps."""
        found, unit = self.rules.cuts, self.rules.money_unit
        return {
            "recency_days": found.recency_days,
            "orders": tuple(cut - 1 for cut in found.orders),  # a score is reached at a cut, a bin ends below it
            "money": found.money,
            "recency_days_high": (found.recency_high,),
            "orders_high": (found.orders_high - 1,),
            "money_high": (found.money_high,),
            "money_cap": (round(self.money_cap * unit),),
            "orders_cap": (self.orders_cap,),
        }

    def check_complete(self) -> None:
        """Raise ValueError unless every total is there."""
        if self.customers is None or any(total is None for scheme in self.segmentations for total in scheme._totals()):
            raise ValueError("a total is missing, and the study does not withhold totals")

    def check_shares_only(self) -> None:
        """Raise ValueError if a total is there, or a figure tells more than the public grid."""
        if self.customers is not None or any(
            total is not None for scheme in self.segmentations for total in (*scheme._totals(), *scheme._counted())
        ):
            raise ValueError("a total is there, though the study withholds totals")
        figures = [figure for scheme in self.segmentations for figure in scheme._proportions() if figure is not None]
        fine = [figure for figure in figures if not tells_no_more(figure)]
        if fine or not all(facts.coarse for facts in self.distributions):
            raise ValueError("a figure is finer than the public grid, though the study withholds totals")


#: What a study's result has under this analysis' name.
RESULT = RfmResult
