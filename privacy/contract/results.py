"""What a study yields: plain values, all derived from releases, ready for people (report) and scripts (JSON).

Margins are half-widths of 95% intervals that come from the privacy noise alone: the interval covers the total
that the same cut points would give without noise.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from privacy.contract.segments import SchemeName, SegmentRules
from privacy.contract.study import Study


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(_Value):
    """A released number and the half-width of its 95% interval."""

    value: float
    margin: float


class SegmentFigures(_Value):
    """One segment's figures; where the noisy count is under the floor there are none (``suppressed``).

    Counts are of customer *records*: a person who shops at two holders counts twice.
    Money is in major units of the study's currency.
    """

    code: str
    en: str
    zh: str
    suppressed: bool
    customers: Estimate | None = None
    orders: Estimate | None = None
    revenue: Estimate | None = None
    share_of_customers: Estimate | None = None
    share_of_revenue: Estimate | None = None
    orders_per_customer: Estimate | None = None
    revenue_per_customer: Estimate | None = None
    revenue_per_order: Estimate | None = None


class SchemeFigures(_Value):
    """One segmentation's figures, in the scheme's order."""

    scheme: SchemeName
    segments: tuple[SegmentFigures, ...]
    total_customers: Estimate
    total_orders: Estimate
    total_revenue: Estimate


class Distribution(_Value):
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
    upper: tuple[float, ...]
    share: tuple[float, ...]
    cuts: tuple[float, float, float, float]
    high: float
    rank_margin: tuple[float, float, float, float]


class RfmResult(_Value):
    """The RFM analysis' result.

    Attributes:
        rules: what every holder applies to its own customers.
        customers: estimated number of customer records of all holders.
        distributions: R, F and M; empty where the cut points of an earlier run were used.
        schemes: the reported segmentations.
        money_cap, orders_cap: a customer counts with at most this much in the totals (major units, orders).
        revenue_above_cap: estimated share of all revenue that lies above ``money_cap`` and is not counted.
    """

    rules: SegmentRules
    customers: Estimate
    distributions: tuple[Distribution, ...]
    schemes: tuple[SchemeFigures, ...]
    money_cap: float
    orders_cap: int
    revenue_above_cap: float


class QuestionCost(_Value):
    """What one answered attempt of one question cost. ``mu`` is the Gaussian-DP parameter, one person at k holders."""

    question: str
    attempt: int
    outcome: Literal["released", "failed"]
    mu: float
    holders: int


class Spending(_Value):
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
    """

    delta: float
    epsilon_promised: float
    epsilon_person: float
    k: int
    epsilon_all_holders: float
    epsilon_own: float
    best_guess: float
    best_guess_promised: float
    questions: tuple[QuestionCost, ...]
    epsilon_all_runs: float | None = None
    studies: int = 1


class EarlierRun(_Value):
    """An earlier run of the same study, for comparison.

    Attributes:
        as_of: its as-of day, ISO format.
        customers: its estimated number of customer records.
        shares: segmentation to segment code to its share of customer records; suppressed segments are left out.
        revenue_shares: the same for revenue.
        same_cuts: whether it used the same cut points as this run.
    """

    as_of: str
    repeat: int
    customers: Estimate
    shares: dict[str, dict[str, Estimate]]
    revenue_shares: dict[str, dict[str, Estimate]]
    epsilon_person: float
    same_cuts: bool


class Timing(_Value):
    """Seconds by step of a run; of the coordinator's own clock, never of a holder."""

    step: str
    seconds: float


class StudyResult(_Value):
    """Everything that a run leaves with the coordinator.

    Attributes:
        study: the study as it was run.
        run: id of the run.
        finished: day of the run, ISO format.
        version: release of cohortium.
        participants: holders whose records are in the figures.
        missing: holders that dropped out on the way.
        earlier: earlier runs of the study, oldest first.
    """

    study: Study
    study_digest: str
    run: str
    finished: str
    version: str
    participants: tuple[str, ...]
    missing: tuple[str, ...]
    transport: str
    rfm: RfmResult | None
    spending: Spending
    timings: tuple[Timing, ...]
    earlier: tuple[EarlierRun, ...] = ()
