"""A holder's node: answers the coordinator's requests, and nothing that its own rules do not allow.

Bytes in, bytes out; which carrier brings them does not matter here. ``handle`` never raises and never sends a
text: a refusal is a code from the closed list, and what happened is logged on the holder's own machine.
"""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from clients.answering.admission import (
    Accepted,
    Refused,
    check_core,
    check_grown,
    check_heads,
    check_hello,
    check_readies,
    newer_heads,
)
from clients.answering.answers import Sampler, check_words, masked_answer, noise_share
from clients.answering.approvals import Approvals
from clients.answering.asked import read_request
from clients.answering.clock import Clock, doubling_delay, on_grid, steady_delay
from clients.answering.engines import encode_sum
from clients.answering.evidence import keep_evidence
from clients.answering.ledgers import counted_at
from clients.answering.policy import HolderPolicy
from clients.answering.results import Results
from clients.answering.runs import RunFolder
from clients.answering.under_way import Moment, jumped, longest_idle
from privacy.audit.budget import use_of_caps
from privacy.errors import BudgetError, ConfigError, DataError, LedgerError, LossesError, PolicyError, ProtocolError
from privacy.fresh_keys import fresh_key
from privacy.kernel.canonical import sha256_hex
from privacy.kernel.limits import MOST_WORDS
from privacy.kernel.version import software_version
from privacy.ledger import Answered, Caps, Declined, Head, HeadPath, Ledger, Question, Reserved
from privacy.mechanisms.sampler import SAMPLER, discrete_gaussian
from privacy.protocol.charging import charge_for
from privacy.protocol.checkpoints import signed_checkpoint
from privacy.protocol.envelopes import Reply, Request
from privacy.protocol.identity import Identity, Roster, Signed
from privacy.protocol.kept_statements import kept
from privacy.protocol.messages import (
    PROTOCOL,
    AnswerRequest,
    Checkpoint,
    Contribution,
    Finished,
    FinishRequest,
    HandedOut,
    Hello,
    HelloRequest,
    Opening,
    OpenRequest,
    PlanCore,
    Ready,
    ReadyRequest,
    Refusal,
    RefusalCode,
    Witnessed,
    WitnessRequest,
)
from privacy.protocol.study import Study
from privacy.secure_sum.masks import MaskKey, announced, check_keys
from privacy.statistics import Rows, Statistic

log = logging.getLogger("cohortium.holder")

#: Seconds for which a HELLO is good.
HELLO_LIFETIME = 6 * 3600

#: Plans that a process keeps of one run, with the noise drawn for them.
MAX_PLANS = 200

#: Refusals that are recorded, and how many of them: a coordinator cannot fill the ledger with more.
RECORDED: tuple[RefusalCode, ...] = ("policy", "budget", "approval", "hours", "version", "schema")
MAX_DECLINED = 1000

_OLDER = "this holder's own ledger is older than it was, or another: restore the right one"
_TWO_PLANS = "two plans under one run, round and attempt"

#: Runs that a process takes part in at once; each keeps a customer table in memory.
MAX_RUNS = 4


class HolderData(Protocol):
    """The holder's own data, as the node needs it."""

    def tables(self, study: Study) -> Mapping[str, Rows]:
        """What each analysis of the study reads, by the analysis' name; computed once per study and as-of date."""
        ...

    def write_labels(
        self, study: Study, answered: Sequence[Statistic[Any]], stated: str | None = None
    ) -> Sequence[Path]:
        """Label the holder's own customers in its own files.

        Args:
            study: the run's.
            answered: what the run's released questions were about.
            stated: the coordinator's result as it came; None where there is none.
        """
        ...


@dataclass(kw_only=True)
class _Run:
    """What a process remembers of a run; gone when it ends, and with it the mask key.

    Attributes:
        opened: cores whose check keys were shown. They are never answered: not by this process, which remembers them
            as long as its mask key, and not by another, which has no key for them.
    """

    study: Study
    invitation: Signed
    hello: Signed
    mask_key: MaskKey
    tables: Mapping[str, Rows]
    expires: int
    began: Moment
    used: float
    plans: dict[Question, tuple[Accepted, Signed]] = field(default_factory=dict)
    noise: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)

    asked: bool = False

    def make_room(self, core: PlanCore, signed: Signed) -> None:
        """Whether the noise and the text of one more plan fit into what a run may keep; answered ones are let go.

        Raises:
            Refused: if they do not.
        """
        if core.question in self.plans:
            return
        kept_words = sum(len(noise) for noise in self.noise.values())
        kept_bytes = sum(len(text.body) for _, text in self.plans.values())
        if kept_words + core.statistic.dim + (kept_bytes + len(signed.body)) // 8 > MOST_WORDS:
            raise Refused("busy", f"plans and their noise take more than {MOST_WORDS} words of one run")


def _rows(run: _Run, core: PlanCore) -> Any:
    """What a question's statistic reads.

    Raises:
        Refused: if the analysis has no table of that kind (which admission has ruled out).
    """
    rows = run.tables[core.analysis]
    if not isinstance(rows, core.statistic.reads):
        raise Refused("declined", "the question reads another table than its analysis has")
    return rows


class HolderNode:
    """One holder's side of the protocol."""

    def __init__(
        self,
        *,
        identity: Identity,
        roster: Roster,
        policy: HolderPolicy,
        ledger: Ledger,
        data: HolderData,
        runs: RunFolder,
        clock: Clock | None = None,
        sampler: Sampler = discrete_gaussian,
    ) -> None:
        self._identity = identity
        self._roster = roster
        self._policy = policy
        self._ledger = ledger
        self._data = data
        self._folder = runs
        self._approvals = Approvals(runs.root.parent / "studies", ledger)
        self._clock = clock or Clock()
        self._sampler = sampler
        self._runs: dict[str, _Run] = {}
        self._lock = threading.Lock()
        self._asked: Study | None = None
        self._request = ""
        self._results = Results(
            holder=self.holder, roster=roster, ledger=ledger, folder=runs, evidence=self._keep_evidence
        )

    def adopt(self, other: HolderNode) -> None:
        """Go on with the runs of the node that this one takes the place of, under this one's policy and roster."""
        with other._lock:
            self._runs, other._runs = other._runs, {}

    @property
    def holder(self) -> str:
        """This holder's id."""
        return self._identity.member

    def handle(self, request: bytes) -> bytes:
        """Answer one request. Never raises; leaves on the time grid."""
        started = self._clock.monotonic()
        # The wait for the grid is inside the lock: a request that had to wait for another one tells no more about
        # how long that took than its reply did.
        with self._lock:
            reply, delay = self._reply_to(request)
            on_grid(self._clock, started, delay)
        return reply

    def decline(self, request: bytes, reason: str) -> bytes:
        """Refuse a request without looking at it; leaves on the time grid."""
        started = self._clock.monotonic()
        with self._lock:
            self._request = sha256_hex(request)
            reply = self._refuse("declined", reason)
            on_grid(self._clock, started, steady_delay)
        return reply

    def _reply_to(self, request: bytes) -> tuple[bytes, Callable[[float], float]]:
        """The reply, and the grid on which it leaves."""
        delay = steady_delay
        self._asked = None
        self._request = sha256_hex(request)
        self._end_runs_of_another_time()
        try:
            asked = read_request(request, len(self._roster.holders))
            if asked.statement.kind in (HelloRequest.__name__, FinishRequest.__name__):
                delay = doubling_delay  # these two work through the data
            return self._dispatch(asked), delay
        except Refused as error:
            return self._refuse(error.code, error.message), delay
        except LossesError as error:
            return self._refuse("approval", f"{error.message}: {error.hint}"), delay
        except PolicyError as error:
            return self._refuse("policy", error.message), delay
        except BudgetError as error:
            return self._refuse("budget", error.message), delay
        except ConfigError as error:
            return self._refuse("schema", error.message), delay
        except Exception as error:  # whatever it is, its text must not leave
            log.debug("refused", exc_info=error)
            return self._refuse("declined", str(error)), delay

    def _refuse(self, code: RefusalCode, reason: str) -> bytes:
        log.warning("refused (%s): %s", code, reason)
        self._record_refusal(code)
        return self._reply(Refusal(holder=self.holder, code=code, request=self._request))

    def _record_refusal(self, code: RefusalCode) -> None:
        """Write the first refusal of a kind, of a study that the coordinator signed for, into the ledger."""
        study = self._asked
        if study is None or code not in RECORDED:
            return
        try:
            declined = self._ledger.state.declined
            if (study.digest, code) not in declined and len(declined) < MAX_DECLINED:
                now = self._clock.now()
                self._ledger.append(Declined(study=study.name, study_digest=study.digest, code=code, time=now))
        except LedgerError as error:  # a refusal is a refusal, recorded or not
            log.error("the refusal could not be recorded: %s", error.message)

    def _reply(
        self, statement: Ready | Opening | Finished | Witnessed | Refusal, paths: tuple[HeadPath, ...] = ()
    ) -> bytes:
        return Reply(statement=self._identity.sign(statement), paths=paths).canonical()

    def _dispatch(self, request: Request) -> bytes:
        coordinator, signed = self._roster.coordinator, request.statement
        match signed.kind:
            case "HelloRequest":
                return self._hello(signed.open(HelloRequest, self._roster, signer=coordinator), signed)
            case "ReadyRequest":
                return self._ready(signed.open(ReadyRequest, self._roster, signer=coordinator), request)
            case "OpenRequest":
                return self._open(signed.open(OpenRequest, self._roster, signer=coordinator))
            case "AnswerRequest":
                return self._answer(signed.open(AnswerRequest, self._roster, signer=coordinator), request)
            case "FinishRequest":
                finish = signed.open(FinishRequest, self._roster, signer=coordinator)
                return self._finish(finish, request)
            case "WitnessRequest":
                return self._witness(signed.open(WitnessRequest, self._roster, signer=coordinator), request.paths)
        raise ProtocolError("unknown kind of request")

    def _checkpoint(self, head: Head | None = None) -> Signed:
        return signed_checkpoint(self._identity, self._ledger, head)

    # --- the requests ------------------------------------------------------------------------------------------

    def _hello(self, request: HelloRequest, signed: Signed) -> bytes:
        now = self._clock.now()
        self._asked = request.study
        check_hello(request, roster=self._roster, holder=self.holder, policy=self._policy, now=now)
        self._check_consent(request.study, now)
        run = self._runs.get(request.run)
        if run is None:
            # A new run of a study replaces the one that was cut off.
            self._runs = {
                name: old for name, old in self._runs.items() if old.expires > now and old.study != request.study
            }
            if len(self._runs) >= MAX_RUNS:
                self._make_room_for_a_run()
            if self._ledger.restored:
                raise Refused("stale", "the ledger was restored from a backup: `cohortium holder recover` comes first")
            log.info("run %s: preparing the customer table for study %s", request.run, request.study.name)
            key = MaskKey()
            hello = Hello(
                protocol=PROTOCOL,
                federation=self._roster.federation,
                roster=self._roster.digest,
                study=request.study.digest,
                run=request.run,
                holder=self.holder,
                mask_key=key.public,
                nonce=fresh_key("nonce").hex(),
                checkpoint=self._checkpoint(),
                expires=now + HELLO_LIFETIME,
                time=now,
                unwitnessed=self._results.unwitnessed(),
            )
            run = _Run(
                began=Moment(now, self._clock.monotonic()),
                used=self._clock.monotonic(),
                study=request.study,
                invitation=signed,
                hello=self._identity.sign(hello),
                mask_key=key,
                tables=self._data.tables(request.study),
                expires=hello.expires,
            )
            self._runs[request.run] = run
            self._folder.keep_study(request.run, request.study)
        elif run.study != request.study:
            raise Refused("equivocation", "one run, two studies")
        run.used = self._clock.monotonic()
        known = {member: head.sequence for member, head in self._ledger.peers().items() if self._roster.member(member)}
        return Reply(statement=run.hello, since=known).canonical()

    def _check_consent(self, study: Study, now: int) -> None:
        """Refuse out of hours, and what the operator denied, or has not approved where that is needed."""
        if self._policy.hours is not None and not self._policy.hours.open_at(now):
            raise Refused("hours", "outside the hours of the policy")
        decision = self._approvals.decision(study.digest)
        if decision == "denied":
            raise Refused("policy", "the operator denied this study")
        if decision is None and self._policy.allow.approval == "by_hand":
            self._approvals.propose(study)
            raise Refused("approval", f"study {study.name} waits for approval: `cohortium holder studies`")

    def _ready(self, request: ReadyRequest, asked: Request) -> bytes:
        core, signed = request.core, asked.statement
        run = self._run(core.question.run)
        run.asked = True
        self._asked = run.study
        self._check_consent(run.study, self._clock.now())
        charged = self._ledger.reserved_core(core.question)
        if charged == core.digest:
            raise Refused("already_answered", "this plan was answered before")
        earlier = run.plans.get(core.question)
        if earlier is None and len(run.plans) >= MAX_PLANS:
            raise Refused("busy", f"{MAX_PLANS} plans of one run were shown")
        if charged is not None or (earlier is not None and earlier[0].digest != core.digest):
            first = earlier[1].canonical().decode() if earlier else self._folder.plan_text(core.question)
            self._keep_evidence("equivocation", first, signed, _TWO_PLANS)
        if core.digest in run.opened:
            raise Refused("mismatch", "the check keys of this plan were shown")
        accepted = check_core(
            request,
            study=run.study,
            roster=self._roster,
            policy=self._policy,
            own_hello=run.hello,
            now=self._clock.now(),
            seen=self._ledger.peers(),
            own_hash=self._ledger.hash_at,
            shrunk_to=self._ledger.answered_set(core.study),
        )
        self._results.compare_hellos(request.hellos)
        head = self._ledger.head
        if any(sequence > head.sequence for sequence in asked.since):
            raise Refused("stale", "others remember entries that this ledger does not have: restore the right one")
        self._ledger.check(*self._charge(accepted, run.study))
        run.make_room(core, signed)
        # An unusable mask key of somebody's is found out here, before any charge.
        check = check_words(holder=self.holder, key=run.mask_key, hellos=accepted.hellos, core=accepted.digest)
        if accepted.digest not in run.noise:  # drawn now, so that the answer's timing does not show the noise
            run.noise[accepted.digest] = noise_share(core.mechanism, core.statistic.dim, self._sampler)
        run.plans[core.question] = (accepted, signed)
        ready = Ready(holder=self.holder, core=accepted.digest, check=check, checkpoint=self._checkpoint(head))
        return self._reply(ready, self._ledger.paths(asked.since, head.sequence))

    def _open(self, request: OpenRequest) -> bytes:
        """Show the check keys of a core that was not answered, and never answer it."""
        if self._ledger.state.question_of(request.core) is not None:
            raise Refused("already_answered", "the check keys of a plan that was answered are not shown")
        for run in self._runs.values():
            for accepted, _ in run.plans.values():
                if accepted.digest == request.core:
                    return self._opening(run, accepted)
        raise Refused("stale", "this plan was not shown before")

    def _opening(self, run: _Run, accepted: Accepted) -> bytes:
        core = accepted.digest
        run.opened.add(core)
        run.noise.pop(core, None)
        log.warning("run %s: the check words of a plan do not add up; it is not answered", accepted.core.question.run)
        keys = check_keys(holder=self.holder, key=run.mask_key, hellos=accepted.hellos, core=core)
        return self._reply(Opening(holder=self.holder, core=core, keys=keys))

    def _answer(self, request: AnswerRequest, asked: Request) -> bytes:
        signed = asked.statement
        stored = self._ledger.stored_answer(request.core)
        if stored is not None:
            return stored  # redelivered: the same bytes, never a second computation
        charged = self._ledger.reserved_core(request.question)
        if charged == request.core:
            raise Refused("already_answered", "charged before, but the answer was lost: it stays spent")
        if charged is not None:
            self._keep_evidence("equivocation", self._folder.plan_text(request.question), signed, _TWO_PLANS)
        run = self._run(request.question.run)
        plan = run.plans.get(request.question)
        if plan is None or plan[0].digest != request.core:
            raise Refused("stale", "this plan was not shown before")
        accepted, text = plan
        if accepted.digest in run.opened:
            raise Refused("mismatch", "the check keys of this plan were shown: it is never answered")
        self._asked = run.study
        self._check_consent(run.study, self._clock.now())
        readies = check_readies(accepted, request.readies, self._roster)
        heads = check_grown(accepted, readies, roster=self._roster, seen=self._ledger.peers(), paths=asked.paths)
        own = heads.pop(self.holder)
        if self._ledger.hash_at(own.sequence) != own.hash:
            raise Refused("stale", _OLDER)
        if accepted.core.expires <= self._clock.now():
            raise Refused("stale", "the plan has expired")

        self._folder.keep_plan(request.question, text)
        said = [
            kept(run.invitation, request.question.run),
            kept(text, accepted.digest),
            kept(signed, accepted.digest),
        ]
        grant = self._ledger.reserve(*self._charge(accepted, run.study), said, heads)
        charged_head = self._ledger.head
        grant.use(accepted.digest)
        self._warn_of_caps()
        exact = encode_sum(accepted.core.statistic, _rows(run, accepted.core), holder=self.holder)
        masked = masked_answer(
            exact,
            run.noise.pop(accepted.digest),
            holder=self.holder,
            key=run.mask_key,
            hellos=accepted.hellos,
            core=accepted.digest,
        )
        payload = sha256_hex(masked)
        contribution = self._identity.sign(
            Contribution(
                holder=self.holder,
                core=accepted.digest,
                payload=payload,
                checkpoint=self._checkpoint(charged_head),
                check=announced(masked),
            )
        )
        reply = Reply(
            statement=contribution,
            vector=base64.b64encode(masked).decode(),
            paths=self._ledger.paths([own.sequence], charged_head.sequence),
        ).canonical()
        self._ledger.record_answer(
            Answered(question=request.question, core=accepted.digest, payload=payload),
            reply,
            [kept(contribution, accepted.digest)],
        )
        del run.plans[request.question]  # it stands on the disk; asked again, the stored answer is sent
        log.info("run %s: answered question %d", request.question.run, request.question.round)
        return reply

    def _finish(self, request: FinishRequest, asked: Request) -> bytes:
        study = self._folder.study(request.run)
        if study.digest != request.study:
            raise Refused("stale", "the results are of another study")
        self._runs.pop(request.run, None)  # over, whatever it hands out: the table and the mask key go
        if request.says_nothing:
            log.info("run %s ended without a result", request.run)
            return self._finished(request, asked, {}, None)
        shown = self._results.check(request, asked.statement, asked.attachments, study)
        heads = check_heads(request.heads, roster=self._roster, seen=self._ledger.peers())
        own = heads.pop(self.holder, None)
        if own is not None and self._ledger.hash_at(own.sequence) != own.hash:
            raise Refused("stale", _OLDER)
        self._ledger.keep([kept(head, request.run) for head in request.heads])
        self._results.record(request, asked.statement, shown, now=self._clock.now())
        try:
            if shown.result is not None:
                self.label(request.run)
        except (ConfigError, DataError) as error:  # the releases are recorded; labels can be written again any time
            log.error("the labels were not all written: %s %s", error.message, error.hint)
        return self._finished(request, asked, heads, shown.word)

    def _finished(
        self, request: FinishRequest, asked: Request, heads: Mapping[str, Head], handed: HandedOut | None
    ) -> bytes:
        own = self._ledger.head
        finished = Finished(
            holder=self.holder,
            run=request.run,
            checkpoint=self._checkpoint(own),
            heads=tuple(
                Checkpoint(member=member, sequence=head.sequence, head=head.hash)
                for member, head in sorted(heads.items())
            ),
            charged=tuple(sorted(self._ledger.state.charged_for(request.study))),
            handed=handed,
        )
        return self._reply(finished, self._ledger.paths(asked.since, own.sequence))

    def _witness(self, request: WitnessRequest, paths: Mapping[str, HeadPath]) -> bytes:
        own, agreed = self._results.compare(request)
        said = self._identity.sign(Witnessed(holder=self.holder, handed=own, agreed=agreed))
        shown = newer_heads(request, roster=self._roster, holder=self.holder, seen=self._ledger.peers(), paths=paths)
        words = (said, *(word for _, word in shown.values()))
        heads = {owner: head for owner, (head, _) in shown.items()}
        self._ledger.remember(heads, [kept(word, request.made_by) for word in words])
        return Reply(statement=said).canonical()

    def label(self, run: str) -> Sequence[Path]:
        """Label the holder's own customers by what a run released: segment rules, models, centres."""
        statistics = tuple(plan.core.statistic for plan in self._folder.released_plans(run))
        return self._data.write_labels(self._folder.study(run), statistics, self._folder.result(run))

    # --- helpers -----------------------------------------------------------------------------------------------

    def _run(self, run: str) -> _Run:
        if run not in self._runs:
            raise Refused("unknown_run", "this process said no HELLO in that run")
        self._runs[run].used = self._clock.monotonic()
        return self._runs[run]

    def _counted(self) -> int:
        """K: at how many holders the caps count one of this holder's customers."""
        return counted_at(self._ledger.state, self._roster, self.holder)

    def _make_room_for_a_run(self) -> None:
        """Let the run go that the coordinator has not come back to for longer than it waits for anybody."""
        idle = longest_idle(self._runs, self._clock.monotonic())
        if idle is None:
            raise Refused("busy", f"{MAX_RUNS} runs are under way")
        log.warning("run %s makes room for another: nothing was asked in it for longer than its study waits", idle)
        del self._runs[idle]

    def _end_runs_of_another_time(self) -> None:
        now = Moment(self._clock.now(), self._clock.monotonic())
        for name in [name for name, run in self._runs.items() if jumped(run, now)]:
            log.warning("run %s ends here: this machine's clock was set, or it slept", name)
            del self._runs[name]

    def _charge(self, accepted: Accepted, study: Study) -> tuple[Reserved, Caps]:
        return charge_for(
            accepted.core,
            study=study,
            policy=self._policy.digest,
            lifetime=(self._policy.lifetime.epsilon, self._policy.lifetime.delta),
            period=self._policy.period,
            counted=self._counted(),
            unreleased=self._policy.lifetime.max_unreleased,
            sampler=SAMPLER if accepted.core.mechanism.holder_scale else "",
            software=software_version(),
            now=self._clock.now(),
        )

    def _warn_of_caps(self) -> None:
        for cap in use_of_caps(self._ledger.state, self._clock.now(), counted=self._counted()):
            if cap.warn:
                log.warning(
                    "%.0f%% of the %s cap of epsilon %g are used: see `cohortium budget plan`",
                    100 * cap.used,
                    "lifetime" if cap.until is None else "period's",
                    cap.epsilon,
                )

    def _keep_evidence(
        self, what: Literal["equivocation", "result"], first: str, second: Signed, reason: str
    ) -> NoReturn:
        keep_evidence(self._ledger, what, first, second)
        raise Refused("equivocation", f"{reason}: both are kept as evidence")
