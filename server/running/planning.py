"""Before any data is touched: what each question costs, and what error to expect."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from privacy.accounting.events import squared_cap
from privacy.accounting.sampled import epsilon_with, least_noise
from privacy.errors import BudgetError
from privacy.mechanisms import Placement, SumMechanism, calibrate
from privacy.protocol.charging import study_cap
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.analyses.catalogue import CATALOGUE

#: A question of an analysis: its name, and the question's title.
Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Prices:
    """How a study's budget is divided; all are mu^2 for one person, in the order in which questions are asked.

    Attributes:
        first: of each question's first answer, by the question.
        kept: for second answers that have a share of the budget beside what the reserve may pay.
    """

    first: dict[Key, Fraction]
    kept: dict[Key, Fraction]


def priced(study: Study) -> Prices:
    """Divide a study's budget among its questions, with the reserve for repeating the dearest one.

    Raises:
        BudgetError: if the budget is too small to be divided.
    """
    cap = study_cap(study)
    if cap <= 0:
        raise _no_budget(study)
    stated = study.budget.split
    first: dict[Key, Fraction] = {}
    kept: dict[Key, Fraction] = {}
    for name in study.analyses:
        analysis = CATALOGUE[name]
        part = Fraction(stated[name]) if stated else analysis.part
        first |= {(name, title): weight * part for title, weight in analysis.weights(study).items()}
        kept |= {(name, title): weight * part for title, weight in analysis.second_weights(study).items()}
    total = sum((*first.values(), *kept.values()), Fraction(0)) + study.budget.spare_attempts * max(first.values())
    return Prices(
        first={key: cap * weight / total for key, weight in first.items()},
        kept={key: cap * weight / total for key, weight in kept.items()},
    )


def _no_budget(study: Study) -> BudgetError:
    if not study.fits:
        return BudgetError("the study's epsilon and delta leave no budget")
    epsilon, delta = float(study.budget.epsilon), float(study.budget.effective_delta)
    beside = squared_cap(epsilon, delta) / 5  # what an evaluation is usually given
    needed = least_noise(epsilon, study.slots[0], delta, squared_mu=beside, records=len(study.fits))
    return BudgetError(
        f"the training on samples alone costs a person epsilon {epsilon_with(Fraction(0), study.fits, delta):.3f} of "
        f"the {study.budget.epsilon} that the study promises: nothing is left to measure the model",
        hint=f'slot.noise_multiplier = "{needed}" leaves a fifth; or raise budget.epsilon',
    )


def plan(study: Study) -> dict[Key, Fraction]:
    """Price of every question's first answer, by (analysis, title)."""
    return priced(study).first


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
