"""What a holder's ledger is charged for a plan, under the holder's policy."""

from __future__ import annotations

import logging

from clients.answering.admission import Accepted
from clients.answering.ledgers import counted_at
from clients.answering.policy import HolderPolicy
from privacy.accounting.events import squared_cap
from privacy.audit.budget import use_of_caps
from privacy.errors import BudgetError
from privacy.kernel.version import software_version
from privacy.ledger import Caps, Ledger, Reserved
from privacy.mechanisms.sampler import SAMPLER
from privacy.protocol.charging import Payer, charge_for, records_per_person, study_cap
from privacy.protocol.identity import Roster
from privacy.protocol.study import Study

log = logging.getLogger("cohortium.holder")


class Charges:
    """Charges of one holder's ledger."""

    def __init__(self, *, holder: str, roster: Roster, policy: HolderPolicy, ledger: Ledger) -> None:
        self._holder = holder
        self._roster = roster
        self._policy = policy
        self._ledger = ledger

    def of(self, accepted: Accepted, study: Study, now: int) -> tuple[Reserved, Caps]:
        """What a plan costs, and the caps that it must stay within; nothing is written."""
        lifetime, mechanism = self._policy.lifetime, accepted.core.mechanism
        payer = Payer(
            policy=self._policy.digest,
            lifetime=(lifetime.epsilon, lifetime.delta),
            period=self._policy.period,
            counted=self._counted(),
            unreleased=lifetime.max_unreleased,
            sampler=SAMPLER if mechanism.holder_scale else "",
            software=software_version(),
            now=now,
        )
        return charge_for(accepted.core, study, payer)

    def cover(self, study: Study, now: int) -> None:
        """Refuse a study that is not begun and may spend more than the caps have left: it would stop half-way, paid.

        A study that keeps its reserve mostly spends less than it promises, and is let in; its questions are checked.

        Raises:
            BudgetError: if the caps do not cover what the study promises at most.
        """
        state = self._ledger.state
        for slot in () if state.charged_for(study.digest) else study.slots:
            state.check_slot(slot)
        if study.budget.reserve == "kept" or state.charged_for(study.digest):
            return
        k, counted = records_per_person(study, self._roster), self._counted()
        promise = study_cap(study) * counted**2 / k**2
        caps = [("the lifetime cap", self._policy.lifetime.epsilon, self._policy.lifetime.delta, state.total)]
        if (period := self._policy.period) is not None:
            caps.append(("the budget of this period", period.epsilon, period.delta, state.of_period(period, now)))
        for name, epsilon, delta, spent in caps:
            if spent.at(counted).squared_mu + promise > squared_cap(float(epsilon), float(delta)):
                raise BudgetError(
                    f"{name} does not cover the epsilon {study.budget.epsilon} that the study may spend",
                    hint='lower the study\'s epsilon, or let it keep what no retry needs (budget.reserve = "kept"); or '
                    "let the holder's operator decide about the cap",
                )

    def warn_of_caps(self, now: int) -> None:
        """Log the caps of which much is used."""
        for cap in use_of_caps(self._ledger.state, now, counted=self._counted()):
            if cap.warn:
                log.warning(
                    "%.0f%% of the %s cap of epsilon %g are used: see `cohortium budget plan`",
                    100 * cap.used,
                    "lifetime" if cap.until is None else "period's",
                    cap.epsilon,
                )

    def _counted(self) -> int:
        """K: at how many holders the caps count one of this holder's customers."""
        return counted_at(self._ledger.state, self._roster, self._holder)
