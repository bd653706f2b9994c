"""Whether a holder answers a plan: the rules, without files, clock or network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median_low

from clients.answering.policy import HolderPolicy
from privacy.analyses.catalogue import BY_NAME, STATISTICS_OF
from privacy.errors import CohortiumError, PolicyError
from privacy.kernel.cells import CellRequest
from privacy.kernel.feeds import Declared
from privacy.ledger import Head, HeadPath
from privacy.protocol.charging import below_declarations, is_studys_noise, records_per_person
from privacy.protocol.checkpoints import Fault, Shown, compared, read_checkpoint, taken
from privacy.protocol.code import analysis_codes, kernel_code
from privacy.protocol.identity import Roster, Signed
from privacy.protocol.messages import (
    PROTOCOL,
    Finished,
    Hello,
    HelloRequest,
    PlanCore,
    Ready,
    ReadyRequest,
    RefusalCode,
    WitnessRequest,
)
from privacy.protocol.study import Study
from privacy.secure_sum.masks import cancel

#: Why a holder whose own ledger has lost entries refuses.
OLDER = "this holder's own ledger is older than it was, or another: restore the right one"

#: Seconds by which a holder's clock may be ahead of the median of all participants' when they said HELLO.
MAX_AHEAD = 3600


class Refused(CohortiumError):
    """A request is refused with a code from the closed list; the text stays on the holder's own screen."""

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A plan core that passed every check, and what masking needs of the HELLOs.

    Attributes:
        hellos: holder to (HELLO digest, mask public key).
        checkpoints: every other holder's ledger head as shown in the core.
    """

    core: PlanCore
    digest: str
    hellos: Mapping[str, tuple[str, str]]
    checkpoints: Mapping[str, Head]


def check_hello(request: HelloRequest, *, roster: Roster, holder: str, policy: HolderPolicy, now: int) -> None:
    """Whether to take part in a run.

    Raises:
        Refused: with the reason.
    """
    if request.protocol != PROTOCOL or not roster.accepts(request.code, kernel_code()):
        raise Refused("version", "the coordinator runs a release that does not go with the one installed here")
    if request.federation != roster.federation or request.roster != roster.digest:
        raise Refused("stale", "the request is for another federation or roster")
    if request.expires <= now:
        raise Refused("stale", "the request has expired; compare the clocks of both machines")
    study = request.study
    _check_analyses(dict(request.analyses), study.analyses)
    if holder not in (study.holders or roster.holders):
        raise Refused("policy", "the study does not name this holder")
    unknown = set(study.holders) - set(roster.holders)
    if unknown:
        raise Refused("policy", "the study names a holder that is not in the roster")
    _check_declarations(study, roster)
    try:
        policy.admit_study(study)
    except PolicyError as error:
        raise Refused("policy", error.message) from error


def _check_analyses(stated: Mapping[str, str], names: tuple[str, ...]) -> None:
    """Each analysis that a study names must be the same one at both sides; what else is installed does not matter."""
    installed = analysis_codes(names)
    for name in names:
        if name not in installed or stated.get(name) != installed[name]:
            raise Refused("version", f"the coordinator's release of the analysis {name} is not the one installed here")


def _check_declarations(study: Study, roster: Roster) -> None:
    """A study may not count on a person being at fewer holders than their members declare."""
    k = records_per_person(study, roster)
    for name, declared in below_declarations(study, roster).items():
        raise Refused(
            "policy",
            f"the study counts on a person being at {k} of its holders at most; customers of {name} may be at "
            f"{declared}, as it declares or does not declare",
        )


def check_core(  # noqa: PLR0913  rules without files: each fact that they look at is handed in
    request: ReadyRequest,
    *,
    study: Study,
    roster: Roster,
    policy: HolderPolicy,
    own_hello: Signed,
    now: int,
    seen: Mapping[str, Head],
    own_hash: Callable[[int], str | None],
    shrunk_to: tuple[str, ...] | None,
) -> Accepted:
    """Recompute everything that the coordinator states, from this holder's own catalogue.

    Args:
        study: of the run, as it came with HELLO.
        own_hello: what this holder said in this run.
        now: seconds since 1970.
        seen: the newest ledger heads this holder has seen of others.
        own_hash: hash of this holder's own ledger at a sequence number, None beyond its end.
        shrunk_to: participants of the run's last accepted core; a study's set may only shrink.

    Raises:
        Refused: with the reason.
    """
    core = request.core
    if core.protocol != PROTOCOL or not roster.accepts(core.code, kernel_code()):
        raise Refused("version", "the plan comes from a release that does not go with the one installed here")
    if core.analysis in study.analyses:  # one that is not in it is refused below
        _check_analyses({core.analysis: core.analysis_code}, (core.analysis,))
    if core.federation != roster.federation or core.roster != roster.digest or core.study != study.digest:
        raise Refused("stale", "the plan is for another federation, roster or study")
    if core.expires <= now:
        raise Refused("stale", "the plan has expired")
    invited = set(study.holders or roster.holders)
    if not set(core.holders) <= invited:
        raise Refused("policy", "the plan names a holder that the study does not")
    if shrunk_to is not None and not set(core.holders) <= set(shrunk_to):
        raise Refused("policy", "a study's set of holders may only shrink")
    hellos, feeds = _check_hellos(request, roster=roster, study=study, own_hello=own_hello, now=now)
    checkpoints = _check_checkpoints(core, roster=roster, seen=seen)
    own = checkpoints.pop(own_hello.signer)
    if own_hash(own.sequence) != own.hash:
        raise Refused("stale", "this holder's own ledger is older than it was, or another: restore the right one")
    _check_cost_facts(core, study=study, roster=roster)
    asked = study.row_requests[core.analysis]
    try:
        policy.admit_core(core)
        if isinstance(asked, CellRequest):
            policy.admit_found(asked.tables, tuple(feeds.values()), colluding=core.mechanism.colluding)
    except PolicyError as error:
        raise Refused("policy", error.message) from error
    return Accepted(core=core, digest=core.digest, hellos=hellos, checkpoints=checkpoints)


def _check_hellos(
    request: ReadyRequest, *, roster: Roster, study: Study, own_hello: Signed, now: int
) -> tuple[dict[str, tuple[str, str]], dict[str, Declared]]:
    """By holder: the digest of its HELLO with the mask key, and the feeds that it has declared."""
    core = request.core
    signed = {statement.signer: statement for statement in request.hellos}
    if len(signed) != len(request.hellos) or set(signed) != set(core.holders):
        raise Refused("declined", "the plan does not come with one HELLO of each participant")
    hellos: dict[str, tuple[str, str]] = {}
    times: dict[str, int] = {}
    feeds: dict[str, Declared] = {}
    for participant in core.participants:
        statement = signed[participant.holder]
        if statement.digest != participant.hello:
            raise Refused("declined", "a HELLO is not the one that the plan names")
        hello = statement.open(Hello, roster, signer=participant.holder)
        if (hello.run, hello.study, hello.roster, hello.federation, hello.holder) != (
            core.question.run,
            study.digest,
            roster.digest,
            roster.federation,
            participant.holder,
        ):
            raise Refused("stale", "a HELLO belongs to another run, study or roster")
        if hello.expires <= now or hello.protocol != PROTOCOL:
            raise Refused("stale", "a HELLO has expired")
        times[participant.holder] = hello.time
        hellos[participant.holder] = (participant.hello, hello.mask_key)
        feeds[participant.holder] = hello.feeds
    if len({key for _, key in hellos.values()}) != len(hellos):
        raise Refused("declined", "two participants show the same mask key")
    if signed.get(own_hello.signer) != own_hello:
        raise Refused("stale", "the plan does not hold this process's own HELLO")
    _check_clock(times, own_hello.signer)
    return hellos, feeds


def _check_clock(times: Mapping[str, int], own: str) -> None:
    """A clock that was put forward would open a new period, and with it fill the period's cap again."""
    if not all(times.values()):
        raise Refused("declined", "a HELLO does not say what time it is")
    ahead = times[own] - median_low(times.values())
    if ahead > MAX_AHEAD:
        raise Refused("stale", f"this machine's clock is {ahead} s ahead of the other holders': compare them")


def _check_checkpoints(core: PlanCore, *, roster: Roster, seen: Mapping[str, Head]) -> dict[str, Head]:
    heads: dict[str, Head] = {}
    for participant in core.participants:
        if participant.checkpoint.signer != participant.holder:
            raise Refused("declined", f"the head shown for {participant.holder} is signed by somebody else")
        heads[participant.holder] = _check_head(participant.checkpoint, roster=roster, seen=seen)
    if core.coordinator.signer != roster.coordinator:
        raise Refused("declined", "the plan does not come with the coordinator's own head")
    heads[roster.coordinator] = _check_head(core.coordinator, roster=roster, seen=seen)
    return heads


def check_heads(heads: tuple[Signed, ...], *, roster: Roster, seen: Mapping[str, Head]) -> dict[str, Head]:
    """Signed heads of several ledgers, each its owner's, none older than or other than what was seen.

    Raises:
        Refused: if one is; ``ProtocolError`` where one is not signed by a member.
    """
    found: dict[str, Head] = {}
    for signed in heads:
        found[signed.signer] = _check_head(signed, roster=roster, seen=seen)
    return found


def _check_head(signed: Signed, *, roster: Roster, seen: Mapping[str, Head]) -> Head:
    owner = signed.signer
    head = read_checkpoint(signed, roster, owner).head
    _refuse_head(compared(seen.get(owner), head), owner)
    return head


def _refuse_head(fault: Fault | None, owner: str) -> None:
    match fault:
        case "older":
            raise Refused("stale", f"the ledger of {owner} is shown older than it was")
        case "other":
            raise Refused("equivocation", f"the ledger of {owner} is shown with another head")
        case "unproved":
            raise Refused(
                "stale",
                f"the ledger of {owner} does not show that it goes on from what was seen of it: was it put back?",
            )


def _check_cost_facts(core: PlanCore, *, study: Study, roster: Roster) -> None:
    if core.analysis not in study.analyses or core.statistic.kind not in STATISTICS_OF.get(core.analysis, ()):
        raise Refused("policy", "the question does not belong to the study's analyses")
    names, days = core.statistic.looks_at
    request = study.row_requests[core.analysis]
    if core.statistic.reads is not request.rows:
        raise Refused("policy", "the question reads other rows than its analysis has")
    known_names, known_days = request.offers
    if not names <= known_names or days > known_days:
        raise Refused("policy", "the question looks at features or days that the study does not name")
    analysis = BY_NAME[core.analysis]
    declared = analysis.questions(study.of(analysis), study)
    if declared and core.statistic not in declared:
        raise Refused("policy", "the question is not one that follows from the study")
    if not core.statistic.of_holders <= set(study.holders or roster.holders):
        raise Refused("policy", "the question is about a holder that the study does not name")
    if core.bound != core.statistic.bound:
        raise Refused("declined", "the plan states another bound than this release computes")
    mechanism = core.mechanism
    if not is_studys_noise(core, study):
        raise Refused("declined", "the plan's noise is for another set of holders, placement or training")
    if mechanism.colluding < study.budget.colluding_holders:
        raise Refused("policy", "the plan guards against fewer colluding holders than the study")
    if core.records != records_per_person(study, roster):
        raise Refused("declined", "the plan counts another number of records per person than the study")
    mechanism.check_range(core.bound)


def check_readies(core: Accepted, readies: tuple[Signed, ...], roster: Roster) -> dict[str, Ready]:
    """Whether every participant confirmed this very core, with check words that add up to zero.

    With them the masks of the answers will cancel, or whoever then answers otherwise is named by its own word.

    Returns:
        Their READYs.

    Raises:
        Refused: if one is missing, twice, or for another core; or their check words do not add up.
    """
    signers = [statement.signer for statement in readies]
    if sorted(signers) != list(core.core.holders):
        raise Refused("declined", "not every participant is ready")
    opened: dict[str, Ready] = {}
    for statement in readies:
        ready = opened[statement.signer] = statement.open(Ready, roster, signer=statement.signer)
        if ready.core != core.digest or ready.holder != statement.signer:
            raise Refused("equivocation", f"{statement.signer} is ready for another plan")
    words = [ready.check for ready in opened.values()]
    if not all(words) or not cancel(words):
        raise Refused(
            "mismatch", "the check words of the participants do not add up: somebody's masks would not cancel"
        )
    return opened


def check_grown(
    core: Accepted,
    readies: Mapping[str, Ready],
    *,
    roster: Roster,
    seen: Mapping[str, Head],
    paths: Mapping[str, HeadPath],
) -> dict[str, Head]:
    """Heads that may be remembered: each goes on from what this holder has seen of that ledger.

    Args:
        readies: what all participants said of their ledgers when they were ready.
        seen: the newest heads of others that this holder remembers, now: another run may have moved them.
        paths: by owner; they need no signature, since each is checked against a signed root.

    Returns:
        The heads of all participants, its own among them, and of the coordinator.

    Raises:
        Refused: if one of the ledgers is older than, other than, or not shown to go on from, what was seen of it.
    """
    shown: dict[str, Shown] = {}
    for holder, ready in readies.items():
        if ready.checkpoint is None:
            raise Refused("stale", f"{holder} is ready without a word on its ledger")
        shown[holder] = read_checkpoint(ready.checkpoint, roster, holder)
        _refuse_head(compared(core.checkpoints.get(holder), shown[holder].head), holder)
    shown[roster.coordinator] = read_checkpoint(core.core.coordinator, roster, roster.coordinator)
    for owner, one in shown.items():
        _refuse_head(taken(seen.get(owner), one, paths.get(owner)), owner)
    return {owner: one.head for owner, one in shown.items()}


def newer_heads(
    request: WitnessRequest, *, roster: Roster, holder: str, seen: Mapping[str, Head], paths: Mapping[str, HeadPath]
) -> dict[str, tuple[Head, Signed]]:
    """Heads with which others ended a run, as far as they may be remembered: without a path, what was seen stays.

    Args:
        request: what all confirmed, its signatures checked.
        holder: who asks; its own ledger is not among them.

    Returns:
        Owner to head and signed checkpoint.

    Raises:
        Refused: if a ledger is shown with another head at the length at which it was seen.
    """
    found: dict[str, tuple[Head, Signed]] = {}
    for signed in request.finished:
        checkpoint = Finished.parse(signed.body).checkpoint
        one = read_checkpoint(checkpoint, roster, signed.signer)
        fault = taken(seen.get(signed.signer), one, paths.get(signed.signer))
        if fault == "other":
            _refuse_head(fault, signed.signer)
        if fault is None and signed.signer != holder:
            before = found.get(signed.signer)  # a holder ends several runs with one result
            if before is None or before[0].sequence < one.head.sequence:
                found[signed.signer] = one.head, checkpoint
    return found
