"""``study check``: cost, expected error and warnings, before any data is touched."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from pydantic import BaseModel, ConfigDict

from privacy.accounting.sampled import Slot, epsilon_with
from privacy.errors import ConfigError
from privacy.mechanisms import PLACEMENTS, Placement, calibrate
from privacy.presentation.numbers import many
from privacy.protocol.charging import below_declarations, holders_of_a_person
from privacy.protocol.identity import Roster
from privacy.protocol.study import Study
from privacy.statistics import GAMMA, ContributionBound
from server.analyses.catalogue import CATALOGUE
from server.analysis.expectation import Expectation
from server.running.reserve import Reserve, planned_by
from server.running.spending import promised_guess


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuestionCheck(_Value):
    """One question: its price as epsilon of its own, and what the study has spent after it.

    Attributes:
        epsilon: of one answered attempt, for one person, at the study's delta.
        epsilon_with_retry: of two answered attempts (None where the study keeps no spare attempt).
        again: of the second answer that it gets where no attempt fails (None where it gets none).
        total: epsilon of all questions up to here, with their second answers, where no attempt fails.
        total_with_retry: the same if an attempt of this question fails and none before it.
        slot: of a training on samples, which takes a slot of each holder's policy; None for a sum.
    """

    analysis: str
    title: str
    epsilon: float
    epsilon_with_retry: float | None
    again: float | None
    total: float
    total_with_retry: float | None
    slot: Slot | None = None


class StudyCheck(_Value):
    """What ``study check`` shows.

    Attributes:
        parts: each analysis' part of the budget, of 1.
        expectations: expected errors of every analysis, if the holders have ``size_class`` customers together and no
            attempt fails.
        at_worst: the same of first answers alone, where second ones fall away; empty where there are none.
        best_guess: see :class:`privacy.results.Spending`; here for the whole promised budget.
        placements: relative noise of all placements that the study could choose, ``distributed`` being 1.
    """

    study: str
    holders: int
    epsilon: float
    delta: float
    k: int
    questions: tuple[QuestionCheck, ...]
    parts: dict[str, float]
    expectations: tuple[Expectation, ...]
    at_worst: tuple[Expectation, ...]
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
        ConfigError: if the study cannot be run with so few holders, or an analysis would say nothing.
        BudgetError: if its budget cannot be divided.
    """
    budget = study.budget
    if holders < 2 or holders <= budget.colluding_holders:
        raise ConfigError(
            f"{many(holders, 'holder')}, of whom {budget.colluding_holders} might collude: nobody to hide behind",
            hint="a study needs at least two holders, and more than colluding_holders",
        )
    k = budget.records_among(holders)
    delta = float(budget.effective_delta)
    reserve = Reserve.of(study)
    for name in study.analyses:
        CATALOGUE[name].refuse(study, planned_by(reserve, name, holders=holders))
    expectations = _expectations(reserve, holders, first_only=False)
    second_answers = any(reserve.undisturbed().values())
    noise = {name: _relative_noise(study, holders, name) for name in PLACEMENTS}
    return StudyCheck(
        study=study.name,
        holders=holders,
        epsilon=float(budget.epsilon),
        delta=delta,
        k=k,
        questions=tuple(_questions(reserve, delta)),
        parts=_parts(reserve),
        expectations=tuple(expectations),
        at_worst=tuple(_expectations(reserve, holders, first_only=True)) if second_answers else (),
        best_guess=promised_guess(study),
        placements={name: value / noise["distributed"] for name, value in noise.items()},
        warnings=(
            *_warnings(study, holders, k, largest_share),
            *(_of_the_federation(study, roster, k) if roster is not None else ()),
            *(item.warning for item in expectations if item.warning),
        ),
    )


def _questions(reserve: Reserve, delta: float) -> Iterator[QuestionCheck]:
    """Each question's price, and the sum up to it, in the order in which they are asked."""
    spare = reserve.study.budget.spare_attempts > 0
    total = Fraction(0)
    fits: tuple[Slot, ...] = ()
    for key, second in reserve.undisturbed().items():
        price = reserve.prices[key]
        own = () if price else reserve.study.fits  # only a training on samples has no mu^2
        fits += own
        retried = total + 2 * price
        total += price + second
        yield QuestionCheck(
            analysis=key[0],
            title=key[1],
            epsilon=epsilon_with(price, own, delta),
            epsilon_with_retry=epsilon_with(2 * price, own, delta) if spare else None,
            again=epsilon_with(second, (), delta) if second else None,
            total=epsilon_with(total, fits, delta),
            total_with_retry=epsilon_with(retried + reserve.free(key, retried), fits, delta) if spare else None,
            slot=own[0] if own else None,
        )


def _parts(reserve: Reserve) -> dict[str, float]:
    """What each analysis is given before the reserve, as a part of what all are."""
    given = [*reserve.prices.items(), *reserve.kept.items()]
    whole = sum((price for _, price in given), Fraction(0))
    return {
        name: round(float(sum(price for (asks, _), price in given if asks == name) / whole), 6)
        for name in reserve.study.analyses
    }


def _expectations(reserve: Reserve, holders: int, *, first_only: bool) -> list[Expectation]:
    """What each analysis expects of its errors, in the study's order."""
    found: list[Expectation] = []
    for analysis in reserve.study.analyses:
        planned = planned_by(reserve, analysis, holders=holders, first_only=first_only)
        found += CATALOGUE[analysis].forecast(reserve.study, planned)
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
            f"This study counts one person at {many(k, 'holder')}; the caps of {', '.join(names)} count one at "
            f"{counted} of the federation's {len(roster.holders)} (K). So it takes {(counted / k) ** 2:.4g} times as "
            "much of their life as of its own promise. A study over all holders does not; nor one after they have "
            "declared at how many holders their customers are "
            "(`cohortium holder declare --max-holders-per-customer K`)."
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
    for slot in study.slots:
        found.append(
            f"Each holder trains by itself and needs a free slot in its policy.toml: rate {slot.rate}, noise "
            f"multiplier {slot.noise_multiplier}, {slot.steps} steps. The slot is used up, and cohortium[train] "
            "must be installed there. "
            "Where holders' outcomes differ much (nobody can see that), averages are worse than sums."
        )
    if study.mechanism == "opacus":
        found.append(
            "Mechanism opacus: the noise is the exact one of every study; Opacus adds its own accountant's figure for"
            " epsilon, and computes the gradients of networks where holders have it."
        )
    if study.placement == "local":
        found.append("Placement local: every holder adds all of the noise, which makes results much noisier.")
    return found
