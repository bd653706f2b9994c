"""From a plan to a charge: the same rule for the coordinator and for every holder."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from privacy.accounting.events import squared_cap
from privacy.accounting.sampled import squared_rest
from privacy.ledger import Caps, PeriodCap, Reserved
from privacy.mechanisms import SumMechanism
from privacy.protocol.identity import Declarations, Roster
from privacy.protocol.messages import FLOAT_NOISE_UNTIL, PlanCore
from privacy.protocol.study import Study


def records_per_person(study: Study, roster: Roster) -> int:
    """k of a study: at how many of its holders one person may be, as it states; all of them when not stated."""
    return study.budget.records_among(len(study.holders or roster.holders))


def below_declarations(study: Study, roster: Roster) -> dict[str, int]:
    """Holders of a study on whose customers it may not count: these may be at more of its holders than its k.

    A holder that declares nothing may share its customers with all of them.

    Returns:
        Holder to the number of the study's holders that one of its customers may be at.
    """
    names = study.holders or roster.holders
    k = records_per_person(study, roster)
    declared = {name: _declared(roster, name).records_among(len(names)) for name in names}
    return {name: most for name, most in declared.items() if most > k}


def holders_of_a_person(roster: Roster, holder: str, *, known: int = 0) -> int:
    """K: at how many holders one customer of a holder may be: as it declared, all where it declared nothing.

    This is about the holders of the federation, not of a study: a person who is at holders that are never asked
    together is behind the noise of all their studies.

    Args:
        known: how many holders the federation has had up to now, those that left included.
    """
    return _declared(roster, holder).records_among(max(known, len(roster.holders)))


def _declared(roster: Roster, holder: str) -> Declarations:
    member = roster.member(holder)
    return Declarations() if member is None or member.declarations is None else member.declarations


class Payer(NamedTuple):
    """Whose ledger is charged, and within what. A coordinator's has no policy and no caps.

    Attributes:
        software: release of cohortium.
        now: seconds since 1970, UTC.
        sampler: who made this party's noise; empty where it adds none.
        policy: digest of the holder's policy; empty for the coordinator.
        lifetime: the holder's (epsilon, delta) cap over all studies; None for the coordinator.
        period: the holder's cap of each period, if it has one.
        counted: K of both, at how many holders one person may be; None for the coordinator.
        unreleased: part of the lifetime cap that its charges without a release may take; None for the coordinator.
    """

    software: str
    now: int
    sampler: str = ""
    policy: str = ""
    lifetime: tuple[Decimal, Decimal] | None = None
    period: PeriodCap | None = None
    counted: int | None = None
    unreleased: Decimal | None = None


def study_cap(study: Study) -> Fraction:
    """mu^2 that a study's questions may cost one person together, beside its trainings on samples; 0 for none."""
    epsilon, delta = float(study.budget.epsilon), float(study.budget.effective_delta)
    return squared_rest(epsilon, study.fits, delta) if study.fits else squared_cap(epsilon, delta)


def is_studys_noise(core: PlanCore, study: Study) -> bool:
    """Whether a plan's noise is what its study names, for all who take part; of a training, its steps' own noise."""
    mechanism, training = core.mechanism, core.statistic.training
    if training is None:
        stated = (len(core.participants), study.placement, study.mechanism)
        return (mechanism.holders, mechanism.placement, mechanism.noise) == stated and not core.updates_of
    own = SumMechanism.own(training.noise_scale, holders=len(core.participants), colluding=mechanism.colluding)
    return mechanism == own and training.slot.key in {slot.key for slot in study.slots}


def charge_for(core: PlanCore, study: Study, payer: Payer) -> tuple[Reserved, Caps]:
    """The charge for one attempt of a question, and the caps it must keep; the same facts on both sides."""
    float_noise = core.mechanism.noise == "opacus" and core.protocol <= FLOAT_NOISE_UNTIL
    charge = Reserved(
        question=core.question,
        study=study.name,
        study_digest=core.study,
        core=core.digest,
        analysis=core.analysis,
        title=core.title,
        statistic=core.statistic.kind,
        statistic_digest=core.statistic.digest,
        event=core.event,
        records=core.records,
        placement=core.mechanism.placement,
        holders=core.holders,
        colluding=core.mechanism.colluding,
        sampler=payer.sampler,
        assurance="float" if float_noise else "integer",
        roster=core.roster,
        policy=payer.policy,
        software=payer.software,
        time=payer.now,
    )
    promise = (study.budget.epsilon, study.budget.effective_delta)
    caps = Caps(
        study=promise,
        lifetime=payer.lifetime,
        period=payer.period,
        records=payer.counted,
        unreleased=payer.unreleased,
    )
    return charge, caps
