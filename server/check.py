"""``study check``: cost, expected error and warnings, before any data is touched."""

from __future__ import annotations

from fractions import Fraction

from pydantic import BaseModel, ConfigDict

from privacy.accounting.events import epsilon_spent
from privacy.accounting.gdp import best_guess, mu_of
from privacy.contract.study import Study
from privacy.errors import ConfigError
from privacy.mechanisms import PLACEMENTS, Placement, SumMechanism
from privacy.statistics import Statistic
from server.analyses import CATALOGUE
from server.planning import plan, planned_mechanism


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuestionCheck(_Value):
    """One question: its price as epsilon of its own, and what the study has spent after it.

    Attributes:
        epsilon: of one answered attempt, for one person, at the study's delta.
        epsilon_with_retry: of two answered attempts (None where the study keeps no spare attempt).
        total: epsilon of all questions up to here.
        total_with_retry: the same if this question needs its retry and the others do not.
    """

    analysis: str
    title: str
    epsilon: float
    epsilon_with_retry: float | None
    total: float
    total_with_retry: float | None


class StudyCheck(_Value):
    """What ``study check`` shows.

    Attributes:
        rank_error: half-width of the 95% interval of a quintile cut's rank, share of ``size_class`` records; None
            where known cut points are used.
        records_margin: half-width of the 95% interval of a segment's count, in customer records.
        best_guess: see :class:`privacy.contract.results.Spending`; here for the whole promised budget.
        placements: relative noise of all placements that the study could choose, ``distributed`` being 1.
    """

    study: str
    holders: int
    epsilon: float
    delta: float
    k: int
    questions: tuple[QuestionCheck, ...]
    rank_error: float | None
    records_margin: float
    best_guess: float
    placements: dict[str, float]
    warnings: tuple[str, ...]


def check_study(study: Study, *, holders: int, largest_share: float | None = None) -> StudyCheck:
    """Forecast a study over ``holders`` holders.

    Args:
        holders: how many take part.
        largest_share: the largest holder's share of all customers, where the holders have declared it.

    Raises:
        ConfigError: if the study cannot be run with so few holders.
        BudgetError: if its budget cannot be divided.
    """
    budget = study.budget
    if holders < 2 or holders <= budget.colluding_holders:
        raise ConfigError(
            f"{holders} holder(s) with {budget.colluding_holders} colluding leave nobody to hide behind",
            hint="a study needs at least two holders, and more than colluding_holders",
        )
    k = min(budget.max_holders_per_customer or holders, holders)
    delta = float(budget.effective_delta)
    prices = plan(study)

    def planned(title: str, statistic: Statistic, placement: Placement | None = None) -> SumMechanism:
        price = next(value for (_, name), value in prices.items() if name == title)
        return planned_mechanism(study, price, statistic, holders=holders, placement=placement)

    questions = []
    total = Fraction(0)
    for (analysis, title), price in prices.items():
        total += price
        spare = budget.spare_attempts > 0
        questions.append(
            QuestionCheck(
                analysis=analysis,
                title=title,
                epsilon=epsilon_spent(price, delta),
                epsilon_with_retry=epsilon_spent(2 * price, delta) if spare else None,
                total=epsilon_spent(total, delta),
                total_with_retry=epsilon_spent(total + price, delta) if spare else None,
            )
        )
    forecast = CATALOGUE["rfm"].forecast(study, planned)
    probe = CATALOGUE["rfm"].segments_probe(study)
    title = CATALOGUE["rfm"].SEGMENTS
    noise = {name: planned(title, probe, name).released_deviation for name in PLACEMENTS}
    return StudyCheck(
        study=study.name,
        holders=holders,
        epsilon=float(budget.epsilon),
        delta=delta,
        k=k,
        questions=tuple(questions),
        rank_error=forecast.rank_error,
        records_margin=forecast.records_margin,
        best_guess=best_guess(mu_of(float(budget.epsilon), delta)),
        placements={name: value / noise["distributed"] for name, value in noise.items()},
        warnings=tuple(_warnings(study, holders, k, largest_share, forecast.rank_error, forecast.records_margin)),
    )


def _warnings(
    study: Study,
    holders: int,
    k: int,
    largest_share: float | None,
    rank_error: float | None,
    records_margin: float,
) -> list[str]:
    found = []
    hidden = holders - study.budget.colluding_holders
    if holders == 2:
        found.append(
            "Two holders: each can subtract its own total from the sum and so read the other's, to within the noise "
            "that protects single customers. Holder totals are not secret between two holders."
        )
    elif hidden < 2 and study.placement == "distributed":
        found.append(
            f"Only {hidden} holder is left beyond the {study.budget.colluding_holders} that may collude: its totals "
            "show to them, to within the noise that protects single customers."
        )
    if largest_share is not None and largest_share > 0.5:
        found.append(
            f"One holder has {largest_share:.0%} of the customers: the sums are mostly its own totals, and its "
            "segments decide everybody's cut points."
        )
    if k > 1:
        declared = study.budget.max_holders_per_customer is not None
        found.append(
            f"A person may be a customer of {k} holders ({'declared' if declared else 'no lower number is declared'}),"
            f" so the noise is {k} times as large as for disjoint customers. If the holders know that people shop at"
            " fewer of them, state budget.max_holders_per_customer."
        )
    if k < holders and study.budget.max_holders_per_customer is not None:
        found.append(
            f"max_holders_per_customer = {k} is a declaration: a person at more than {k} holders loses more than"
            " epsilon. The report states epsilon for a person at every holder beside it."
        )
    if study.placement == "central":
        found.append("Placement central: the coordinator sees exact totals and must be trusted with them.")
    if study.placement == "local":
        found.append("Placement local: every holder adds all of the noise, which makes results much noisier.")
    if rank_error is not None and rank_error > 0.05:
        found.append(
            f"Cut points will be off by up to {rank_error:.1%} of the customers: too coarse for quintiles. Raise"
            " epsilon, or invite more customers."
        )
    if records_margin > study.budget.size_class / 20:
        found.append(
            f"Segment counts will be off by up to {records_margin:,.0f} of {study.budget.size_class:,} records."
        )
    return found
