"""``study check``: cost, expected error and warnings, before any data is touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from pydantic import BaseModel, ConfigDict

from privacy.accounting.events import epsilon_spent
from privacy.accounting.gdp import best_guess, mu_of
from privacy.errors import ConfigError
from privacy.mechanisms import PLACEMENTS, Placement, SumMechanism, calibrate
from privacy.protocol.charging import below_declarations, holders_of_a_person
from privacy.protocol.identity import Roster
from privacy.protocol.study import Study
from privacy.statistics import GAMMA, ContributionBound, Statistic
from server.analyses.catalogue import CATALOGUE
from server.analysis.expectation import Expectation
from server.running.planning import plan, planned_mechanism


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
        expectations: expected errors of every analysis, if the holders have ``size_class`` customers together.
        best_guess: see :class:`privacy.results.Spending`; here for the whole promised budget.
        placements: relative noise of all placements that the study could choose, ``distributed`` being 1.
    """

    study: str
    holders: int
    epsilon: float
    delta: float
    k: int
    questions: tuple[QuestionCheck, ...]
    expectations: tuple[Expectation, ...]
    best_guess: float
    placements: dict[str, float]
    warnings: tuple[str, ...]


def check_study(
    study: Study, *, holders: int, largest_share: float | None = None, roster: Roster | None = None
) -> StudyCheck:
    """Forecast a study over ``holders`` holders.

    Args:
        holders: how many take part.
        largest_share: the largest holder's share of all customers, where the holders have declared it.
        roster: of the federation, where it is known: what members declare decides what the study takes of their caps.

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
    k = budget.records_among(holders)
    delta = float(budget.effective_delta)
    prices = plan(study)
    expectations = _expectations(study, prices, holders)
    noise = {name: _relative_noise(study, holders, name) for name in PLACEMENTS}
    return StudyCheck(
        study=study.name,
        holders=holders,
        epsilon=float(budget.epsilon),
        delta=delta,
        k=k,
        questions=tuple(_questions(prices, delta, spare=budget.spare_attempts > 0)),
        expectations=tuple(expectations),
        best_guess=best_guess(mu_of(float(budget.epsilon), delta)),
        placements={name: value / noise["distributed"] for name, value in noise.items()},
        warnings=(
            *_warnings(study, holders, k, largest_share),
            *(_of_the_federation(study, roster, k) if roster is not None else ()),
            *(item.warning for item in expectations if item.warning),
        ),
    )


def _questions(prices: Mapping[tuple[str, str], Fraction], delta: float, *, spare: bool) -> Iterator[QuestionCheck]:
    """Each question's price, and the sum up to it.

    Args:
        prices: mu^2 of each question, by analysis and title, in the order in which they are asked.
        delta: probability bound.
        spare: whether a question may be answered twice.
    """
    total = Fraction(0)
    for (analysis, title), price in prices.items():
        total += price
        yield QuestionCheck(
            analysis=analysis,
            title=title,
            epsilon=epsilon_spent(price, delta),
            epsilon_with_retry=epsilon_spent(2 * price, delta) if spare else None,
            total=epsilon_spent(total, delta),
            total_with_retry=epsilon_spent(total + price, delta) if spare else None,
        )


def _expectations(study: Study, prices: Mapping[tuple[str, str], Fraction], holders: int) -> list[Expectation]:
    """What each analysis expects of its errors, in the study's order."""
    found: list[Expectation] = []
    for analysis in study.analyses:

        def planned(title: str, statistic: Statistic[Any], analysis: str = analysis) -> SumMechanism:
            return planned_mechanism(study, prices[analysis, title], statistic, holders=holders)

        found += CATALOGUE[analysis].forecast(study, planned)
    return found


def _relative_noise(study: Study, holders: int, placement: Placement) -> float:
    """Deviation of a question's released noise under a placement, up to a factor common to all placements."""
    mechanism = calibrate(
        Fraction(1),
        ContributionBound(gamma=GAMMA, squared_norm=GAMMA**2, max_abs=GAMMA),
        placement=placement,
        holders=holders,
        colluding=study.budget.colluding_holders,
    )
    return mechanism.released_deviation


def _of_the_federation(study: Study, roster: Roster, k: int) -> list[str]:
    """What members' declarations make of a study: who refuses it, and what it takes of lifetime caps beside its own."""
    found = []
    refusing = below_declarations(study, roster)
    if refusing:
        found.append(
            f"{', '.join(refusing)} will refuse this study: it counts one person at {k} of its holders, and they "
            f"declare more, or nothing, which counts as all {max(refusing.values())}. They declare what they know with "
            "`cohortium holder declare`; or raise budget.max_holders_per_customer."
        )
    dearer: dict[int, list[str]] = {}
    for holder in study.holders or roster.holders:
        counted = holders_of_a_person(roster, holder)
        if counted > k and holder not in refusing:
            dearer.setdefault(counted, []).append(holder)
    for counted, names in sorted(dearer.items()):
        found.append(
            f"This study counts one person at {k} holder(s); the caps of {', '.join(names)} count one at {counted} "
            f"of the federation's {len(roster.holders)} (K). So it takes {(counted / k) ** 2:.4g} times as much of "
            "their life as of its own promise. A study over all holders does not; nor one after they have declared at "
            "how many holders their customers are (`cohortium holder declare --max-holders-per-customer K`)."
        )
    return found


def _warnings(study: Study, holders: int, k: int, largest_share: float | None) -> list[str]:
    found = []
    hidden = holders - study.budget.colluding_holders
    if holders == 2 and not study.totals_withheld:
        found.append(
            "Two holders: each can subtract its own total from the sum and so read the other's, to within the noise "
            "that protects single customers. Holder totals are not secret between two holders."
        )
    elif hidden < 2 and study.placement == "distributed" and not study.totals_withheld:
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
    if study.mechanism == "opacus":
        found.append(
            "Mechanism opacus: the noise is the exact one of every study; Opacus adds its own accountant's figure for"
            " epsilon, and computes the gradients of networks where holders have it."
        )
    if study.placement == "local":
        found.append("Placement local: every holder adds all of the noise, which makes results much noisier.")
    return found
