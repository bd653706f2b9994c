"""What a study yields: plain values, all derived from releases, ready for people (report) and scripts (JSON).

Margins are half-widths of 95% intervals that come from the privacy noise alone: the interval covers the total
that the same cut points would give without noise.

A study with ``rfm.totals = "shares"`` carries proportions and averages only: every total is None, and every figure is
on the public grid of :mod:`privacy.contract.coarse`, whose margins also cover the rounding. A result that breaks this
cannot be built, by whoever reads or writes it (``docs/decisions/0012``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from privacy.contract.churn_results import ChurnResult
from privacy.contract.cluster_results import ClusterResult
from privacy.contract.coarse import is_coarse, step_of
from privacy.contract.estimates import Estimate, Figures, Value
from privacy.contract.limits import MOST_MEMBERS, Day, Name, RunId
from privacy.contract.segments import SchemeName, SegmentRules
from privacy.contract.study import Study

#: Most lines of a list that grows with runs or questions.
_LINES = 10_000
#: Segmentation to segment code to its share.
_Shares = Annotated[
    dict[Name, Annotated[dict[Name, Estimate], Field(max_length=64)]],
    Field(max_length=8),
]
#: Holders, once or twice each.
_Holders = Annotated[tuple[Name, ...], Field(max_length=2 * MOST_MEMBERS)]


class SegmentFigures(Value):
    """One segment's figures; where the noisy count is under the floor there are none (``suppressed``).

    Counts are of customer *records*: a person who shops at two holders counts twice.
    Money is in major units of the study's currency.

    Attributes:
        customers, orders, revenue: totals; None as well where the study withholds totals.
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
    orders_per_customer: Estimate | None = None
    revenue_per_customer: Estimate | None = None
    revenue_per_order: Estimate | None = None


class SchemeFigures(Value):
    """One segmentation's figures, in the scheme's order.

    Attributes:
        total_customers, total_orders, total_revenue: of all segments; None where the study withholds totals.
        orders_per_customer, revenue_per_customer, revenue_per_order: averages over all segments, money in major
            units; None where the noise hides the lower total.
        least_share: where the study withholds totals, segments with a smaller share of the records are suppressed.
    """

    scheme: SchemeName
    segments: tuple[SegmentFigures, ...] = Field(max_length=64)
    total_customers: Estimate | None
    total_orders: Estimate | None
    total_revenue: Estimate | None
    orders_per_customer: Estimate | None = None
    revenue_per_customer: Estimate | None = None
    revenue_per_order: Estimate | None = None
    least_share: float | None = None

    def _totals(self) -> Iterator[Estimate | None]:
        yield from (self.total_customers, self.total_orders, self.total_revenue)
        for segment in self.segments:
            if not segment.suppressed:
                yield from (segment.customers, segment.orders, segment.revenue)

    def _proportions(self) -> Iterator[Estimate | None]:
        yield from (self.orders_per_customer, self.revenue_per_customer, self.revenue_per_order)
        for segment in self.segments:
            yield from (segment.share_of_customers, segment.share_of_revenue, segment.orders_per_customer)
            yield from (segment.revenue_per_customer, segment.revenue_per_order)


class Distribution(Value):
    """A noisy distribution and the cut points found on it.

    Attributes:
        feature: which fact.
        upper: inclusive upper end of each display bin, in days, orders, or major currency units; ascending.
        share: estimated share of customer records in each bin, 0 to 1, same length.
        cuts: the four quintile cuts, in the same unit.
        high: the cut between high and low, in the same unit.
        rank_margin: half-width of the 95% interval of each quintile cut's rank, as a share of customer records.
    """

    feature: Literal["recency_days", "orders", "money"]
    upper: tuple[float, ...] = Field(max_length=4096)
    share: tuple[float, ...] = Field(max_length=4096)
    cuts: tuple[float, float, float, float]
    high: float
    rank_margin: tuple[float, float, float, float]

    @property
    def coarse(self) -> bool:
        """Whether the cumulated shares and all rank margins are on the public grid, alike at all cuts."""
        margin = self.rank_margin[0]
        if set(self.rank_margin) != {margin} or not is_coarse(0.0, margin):
            return False
        steps = [share / step_of(margin) for share in self.share]
        return all(math.isclose(step, round(step), abs_tol=1e-6) for step in steps)


class RfmResult(Figures):
    """The RFM analysis' result.

    Attributes:
        rules: what every holder applies to its own customers.
        customers: estimated number of customer records of all holders; None where the study withholds totals.
        distributions: R, F and M; empty where the cut points of an earlier run were used.
        schemes: the reported segmentations.
        money_cap, orders_cap: a customer counts with at most this much in the totals (major units, orders).
        revenue_above_cap: estimated share of all revenue that lies above ``money_cap`` and is not counted.
    """

    rules: SegmentRules
    customers: Estimate | None
    distributions: tuple[Distribution, ...] = Field(max_length=8)
    schemes: tuple[SchemeFigures, ...] = Field(max_length=8)
    money_cap: float
    orders_cap: int = Field(ge=0, le=1 << 53)
    revenue_above_cap: float

    def check_complete(self) -> None:
        """Raise ValueError unless every total is there."""
        if self.customers is None or any(total is None for scheme in self.schemes for total in scheme._totals()):
            raise ValueError("a total is missing, and the study does not withhold totals")

    def check_shares_only(self) -> None:
        """Raise ValueError if a total is there, or a figure tells more than the public grid."""
        if self.customers is not None or any(
            total is not None for scheme in self.schemes for total in scheme._totals()
        ):
            raise ValueError("a total is there, though the study withholds totals")
        figures = [figure for scheme in self.schemes for figure in scheme._proportions() if figure is not None]
        fine = [figure for figure in figures if not is_coarse(figure.value, figure.margin)]
        if fine or not all(facts.coarse for facts in self.distributions):
            raise ValueError("a figure is finer than the public grid, though the study withholds totals")


class QuestionCost(Value):
    """What one answered attempt of one question cost. ``mu`` is the Gaussian-DP parameter, one person at k holders."""

    question: Name
    attempt: int = Field(ge=0, le=1_000_000)
    outcome: Literal["released", "failed"]
    mu: float
    holders: int = Field(ge=0, le=1_000_000)


class Spending(Value):
    """What a run spent, seen from three relations.

    Attributes:
        delta: probability bound of all epsilons here.
        epsilon_promised: what the study states.
        epsilon_person: spent for one person at up to ``k`` holders.
        k: max_holders_per_customer as declared (or the number of holders).
        epsilon_all_holders: the same if the declaration is wrong and a person is at every holder.
        epsilon_own: for one customer id in one holder's table.
        best_guess: highest probability to guess right, from this run, whether one person took part (0.5 to 1).
        best_guess_promised: the same at ``epsilon_promised``.
        questions: one entry an attempt.
        epsilon_all_runs: for one person over all charges in the coordinator's ledger so far, at this delta.
        studies: how many studies those are.
        epsilon_opacus: ``epsilon_person`` by Opacus' PRV accountant, where the study asks for it (``mechanism``).
    """

    delta: float
    epsilon_promised: float
    epsilon_person: float
    k: int = Field(ge=0, le=1_000_000)
    epsilon_all_holders: float
    epsilon_own: float
    best_guess: float
    best_guess_promised: float
    questions: tuple[QuestionCost, ...] = Field(max_length=_LINES)
    epsilon_all_runs: float | None = None
    studies: int = Field(default=1, ge=0, le=1 << 53)
    epsilon_opacus: float | None = None


class EarlierRun(Value):
    """An earlier run of the same study, for comparison.

    Attributes:
        as_of: its as-of day, ISO format.
        customers: its estimated number of customer records; None where this or the earlier study withholds totals.
        shares: segmentation to segment code to its share of customer records; suppressed segments are left out.
        revenue_shares: the same for revenue.
        same_cuts: whether it used the same cut points as this run.
    """

    as_of: Day
    repeat: int = Field(ge=0, le=1000)
    customers: Estimate | None
    shares: _Shares
    revenue_shares: _Shares
    epsilon_person: float
    same_cuts: bool

    def check_shares_only(self) -> None:
        """Raise ValueError if a total is there, or a share tells more than the public grid."""
        shares = [
            share for table in (self.shares, self.revenue_shares) for row in table.values() for share in row.values()
        ]
        if self.customers is not None or not all(is_coarse(share.value, share.margin) for share in shares):
            raise ValueError("an earlier run tells more than its shares, though the study withholds totals")


class Timing(Value):
    """Seconds by step of a run; of the coordinator's own clock, never of a holder."""

    step: Name
    seconds: float


class LedgerDifference(Value):
    """A charge that one side's ledger has and the other's has not. Either way it is spent.

    Attributes:
        holder: whose ledger was compared with the coordinator's.
        core: digest of the plan that was charged.
        question: round, attempt and run, where the coordinator knows them.
        charged: the side that charged it.
        ended: at the coordinator: ``released``, the reason of a failure, or ``cut off``.
    """

    holder: Name
    core: Name
    question: Name
    charged: Literal["holder", "coordinator"]
    ended: Name

    @property
    def text(self) -> str:
        """For people."""
        if self.charged == "holder":
            return f"{self.holder} charged plan {self.core[:16]}, which is not in the coordinator's ledger"
        return f"{self.holder} did not charge question {self.question} ({self.ended}), which the coordinator did"

    @property
    def expected(self) -> bool:
        """Whether an attempt that failed explains it: the holder never got that far."""
        return self.charged == "coordinator" and self.ended != "released"


class StudyResult(Value):
    """What a run comes to, for people and scripts at the coordinator and at every holder.

    Attributes:
        study: the study as it was run.
        run: id of the run.
        finished: day of the run, ISO format.
        version: release of cohortium.
        participants: holders whose records are in the figures.
        missing: holders that dropped out on the way.
        earlier: earlier runs of the study, oldest first.
        handed_out: SHA-256 of this result's text as holders got it; None in that text itself.
        confirmed: holders that compared what they were handed with all others that confirmed it, and found it alike.
        unconfirmed: the other holders that it was handed to.
    """

    study: Study
    study_digest: Name
    run: RunId
    finished: Day
    version: Name
    participants: _Holders
    missing: _Holders
    differences: tuple[LedgerDifference, ...] = Field(default=(), max_length=_LINES)
    uncompared: _Holders = ()
    transport: Name
    rfm: RfmResult | None = None
    churn: ChurnResult | None = None
    clusters: ClusterResult | None = None
    spending: Spending
    timings: tuple[Timing, ...] = Field(max_length=_LINES)
    earlier: tuple[EarlierRun, ...] = Field(default=(), max_length=_LINES)
    handed_out: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    confirmed: _Holders = ()
    unconfirmed: _Holders = ()

    @property
    def totals_withheld(self) -> bool:
        """Whether the study hands out proportions only."""
        return self.study.totals_withheld

    @model_validator(mode="after")
    def _totals_as_agreed(self) -> Self:
        if not self.totals_withheld:
            if self.rfm is not None:
                self.rfm.check_complete()
            return self
        if self.rfm is not None:
            self.rfm.check_shares_only()
        if self.churn is not None or self.clusters is not None:
            raise ValueError("only rfm has a form without totals, and the study withholds totals")
        for run in self.earlier:
            run.check_shares_only()
        return self
