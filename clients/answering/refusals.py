"""What a node says instead of an answer: a code from the closed list, and an entry in its ledger."""

from __future__ import annotations

import logging

from clients.answering.admission import Refused
from privacy.errors import BudgetError, ConfigError, LedgerError, LossesError, PolicyError
from privacy.ledger import Declined, Ledger
from privacy.protocol.messages import RefusalCode
from privacy.protocol.study import Study

log = logging.getLogger("cohortium.holder")

#: Refusals that are recorded, and how many of them: a coordinator cannot fill the ledger with more.
RECORDED: tuple[RefusalCode, ...] = ("policy", "budget", "approval", "hours", "version", "schema")
MAX_DECLINED = 1000


def refusal_of(error: Exception) -> tuple[RefusalCode, str]:
    """The code that leaves, and the reason that stays on the holder's own machine."""
    match error:
        case Refused():
            return error.code, error.message
        case LossesError():
            return "approval", f"{error.message}: {error.hint}"
        case PolicyError():
            return "policy", error.message
        case BudgetError():
            return "budget", error.message
        case ConfigError():
            return "schema", error.message
    log.debug("refused", exc_info=error)  # whatever it is, its text must not leave
    return "declined", str(error)


def record_refusal(ledger: Ledger, study: Study | None, code: RefusalCode, now: int) -> None:
    """Write the first refusal of a kind, of a study that the coordinator signed for, into the ledger."""
    if study is None or code not in RECORDED:
        return
    try:
        declined = ledger.state.declined
        if (study.digest, code) not in declined and len(declined) < MAX_DECLINED:
            ledger.append(Declined(study=study.name, study_digest=study.digest, code=code, time=now))
    except LedgerError as error:  # a refusal is a refusal, recorded or not
        log.error("the refusal could not be recorded: %s", error.message)
