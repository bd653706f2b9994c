"""Before any data is touched: what each question costs, and what error to expect."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from privacy.accounting.events import squared_cap
from privacy.errors import BudgetError
from privacy.mechanisms import Placement, SumMechanism, calibrate
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.analyses.catalogue import CATALOGUE


@dataclass(frozen=True, kw_only=True)
class Price:
    """One planned question.

    Attributes:
        analysis: which analysis asks.
        title: the question's name.
        squared_mu: price of one answered attempt, for one person with all their records.
    """

    analysis: str
    title: str
    squared_mu: Fraction


def share_out(study: Study, weights: dict[tuple[str, str], Fraction]) -> tuple[Price, ...]:
    """Divide a study's budget among its questions, with the reserve for repeating the dearest one.

    Args:
        weights: (analysis, title) to its share; shares need not add up to one.

    Raises:
        BudgetError: if the budget is too small to be divided.
    """
    cap = squared_cap(float(study.budget.epsilon), float(study.budget.effective_delta))
    total = sum(weights.values(), Fraction(0)) + study.budget.spare_attempts * max(weights.values())
    if cap <= 0:
        raise BudgetError("the study's epsilon and delta leave no budget")
    return tuple(
        Price(analysis=analysis, title=title, squared_mu=cap * weight / total)
        for (analysis, title), weight in weights.items()
    )


def plan(study: Study) -> dict[tuple[str, str], Fraction]:
    """Price of every question of a study, by (analysis, title)."""
    stated = study.budget.split
    weights = {
        (name, title): weight * (Fraction(stated[name]) if stated else CATALOGUE[name].part)
        for name in study.analyses
        for title, weight in CATALOGUE[name].weights(study).items()
    }
    return {(price.analysis, price.title): price.squared_mu for price in share_out(study, weights)}


def planned_mechanism(
    study: Study,
    squared_mu: Fraction,
    statistic: Statistic[Any],
    *,
    holders: int,
    records: int | None = None,
    placement: Placement | None = None,
) -> SumMechanism:
    """The noise of a question among so many holders.

    Args:
        squared_mu: price for one person.
        holders: how many take part.
        records: k; as the study declares it, at most ``holders``, if not given.
        placement: the study's if not given.

    Raises:
        ConfigError: if so few holders leave nobody to hide behind.
    """
    k = records or study.budget.records_among(holders)
    mechanism = calibrate(
        squared_mu / k**2,
        statistic.bound,
        placement=placement or study.placement,
        holders=holders,
        colluding=study.budget.colluding_holders,
        noise=study.mechanism,
    )
    mechanism.check_range(statistic.bound)
    return mechanism
