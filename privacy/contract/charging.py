"""From a plan to a charge: the same rule for the coordinator and for every holder."""

from __future__ import annotations

from decimal import Decimal

from privacy.contract.identity import Roster
from privacy.contract.messages import FLOAT_NOISE_UNTIL, PlanCore
from privacy.contract.study import Study
from privacy.ledger import Caps, PeriodCap, Reserved


def records_per_person(study: Study, roster: Roster) -> int:
    """k: at how many holders one person may be, as declared; all of the study's holders when not stated."""
    holders = len(study.holders or roster.holders)
    return min(study.budget.max_holders_per_customer or holders, holders)


def charge_for(
    core: PlanCore,
    *,
    study: Study,
    policy: str,
    lifetime: tuple[Decimal, Decimal] | None,
    period: PeriodCap | None = None,
    sampler: str,
    software: str,
    now: int,
) -> tuple[Reserved, Caps]:
    """The charge for one attempt of a question, and the caps it must keep; the same facts on both sides.

    Args:
        policy: digest of the holder's policy; empty for the coordinator.
        lifetime: the holder's (epsilon, delta) cap over all studies; None for the coordinator.
        period: the holder's cap of each period, if it has one.
        sampler: who made this party's noise; empty where it adds none.
        software: release of cohortium.
        now: seconds since 1970, UTC.
    """
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
        event=core.mechanism.event(core.statistic.bound, core.statistic.dim),
        records=core.records,
        placement=core.mechanism.placement,
        holders=core.holders,
        colluding=core.mechanism.colluding,
        sampler=sampler,
        assurance="float" if float_noise else "integer",
        roster=core.roster,
        policy=policy,
        software=software,
        time=now,
    )
    return charge, Caps(study=(study.budget.epsilon, study.budget.effective_delta), lifetime=lifetime, period=period)
