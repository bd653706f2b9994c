"""A holder's node: answers the coordinator's requests, and nothing that its own rules do not allow.

Bytes in, bytes out; which carrier brings them does not matter here. ``handle`` never raises and never sends a
text: a refusal is a code from the closed list, and what happened is logged on the holder's own machine.
"""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NoReturn

from clients.answering.admission import (
    OLDER,
    Accepted,
    Refused,
    check_core,
    check_grown,
    check_hello,
    check_readies,
)
from clients.answering.answers import Sampler, check_words, masked_answer, noise_share
from clients.answering.approvals import Approvals
from clients.answering.asked import read_request
from clients.answering.charges import Charges
from clients.answering.clock import ANSWERED, FIRST, Clock, leave
from clients.answering.ending import Ending
from clients.answering.engines import check_engines
from clients.answering.evidence import keep_evidence
from clients.answering.holder_data import HolderData
from clients.answering.policy import HolderPolicy
from clients.answering.refusals import record_refusal, refusal_of
from clients.answering.results import Results
from clients.answering.run_state import Run, Runs
from clients.answering.runs import RunFolder
from clients.answering.under_way import Moment
from privacy.errors import ProtocolError
from privacy.fresh_keys import fresh_key
from privacy.kernel.canonical import sha256_hex
from privacy.ledger import Answered, Head, HeadPath, Ledger
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.protocol.checkpoints import signed_checkpoint
from privacy.protocol.envelopes import Reply, Request
from privacy.protocol.identity import Identity, Roster, Signed
from privacy.protocol.kept_statements import kept
from privacy.protocol.messages import (
    PROTOCOL,
    AnswerRequest,
    Contribution,
    Finished,
    FinishRequest,
    Hello,
    HelloRequest,
    Opening,
    OpenRequest,
    Ready,
    ReadyRequest,
    Refusal,
    RefusalCode,
    Witnessed,
    WitnessRequest,
)
from privacy.protocol.study import Study
from privacy.secure_sum.masks import MaskKey, announced, check_keys

log = logging.getLogger("cohortium.holder")

#: Seconds for which a HELLO is good.
HELLO_LIFETIME = 6 * 3600

#: Plans that a process keeps of one run, with the noise drawn for them.
MAX_PLANS = 200

_TWO_PLANS = "two plans under one run, round and attempt"


class HolderNode:
    """One holder's side of the protocol."""

    def __init__(  # noqa: PLR0913  everything that a holder has is put together here
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
        self._runs = Runs()
        self._lock = threading.Lock()
        self._asked: Study | None = None
        self._request = ""
        self._results = Results(
            holder=self.holder, roster=roster, ledger=ledger, folder=runs, evidence=self._keep_evidence
        )
        self._ending = Ending(
            identity=identity, roster=roster, ledger=ledger, data=data, folder=runs, results=self._results
        )
        self._charges = Charges(holder=self.holder, roster=roster, policy=policy, ledger=ledger)

    def adopt(self, other: HolderNode) -> None:
        """Go on with the runs of the node that this one takes the place of, under this one's policy and roster."""
        with other._lock:
            self._runs, other._runs = other._runs, Runs()

    @property
    def holder(self) -> str:
        """This holder's id."""
        return self._identity.member

    def handle(self, request: bytes) -> bytes:
        """Answer one request. Never raises; leaves at a public moment."""
        started = self._clock.monotonic()
        # The wait is inside the lock: a request that had to wait for another one tells no more about
        # how long that took than its reply did.
        with self._lock:
            reply, first = self._reply_to(request)
            leave(self._clock, started, first)
        return reply

    def decline(self, request: bytes, reason: str) -> bytes:
        """Refuse a request without looking at it."""
        started = self._clock.monotonic()
        with self._lock:
            self._request = sha256_hex(request)
            reply = self._refuse("declined", reason)
            leave(self._clock, started, ANSWERED)
        return reply

    def _reply_to(self, request: bytes) -> tuple[bytes, float]:
        """The reply, and the first moment at which it may leave."""
        first = ANSWERED
        self._asked = None
        self._request = sha256_hex(request)
        self._runs.end_those_of_another_time(self._moment())
        try:
            asked = read_request(request, len(self._roster.holders))
            first = FIRST.get(asked.statement.kind, ANSWERED)
            return self._dispatch(asked), first
        except Exception as error:  # a node never raises, and no error's text leaves
            return self._refuse(*refusal_of(error)), first

    def _refuse(self, code: RefusalCode, reason: str) -> bytes:
        log.warning("refused (%s): %s", code, reason)
        record_refusal(self._ledger, self._asked, code, self._clock.now())
        return self._reply(Refusal(holder=self.holder, code=code, request=self._request))

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
                witness = signed.open(WitnessRequest, self._roster, signer=coordinator)
                return Reply(statement=self._ending.witness(witness, request.paths)).canonical()
        raise ProtocolError("unknown kind of request")

    def _moment(self) -> Moment:
        return Moment(self._clock.now(), self._clock.monotonic())

    def _checkpoint(self, head: Head | None = None) -> Signed:
        return signed_checkpoint(self._identity, self._ledger, head)

    # --- the requests ------------------------------------------------------------------------------------------

    def _hello(self, request: HelloRequest, signed: Signed) -> bytes:
        now = self._clock.now()
        self._asked = request.study
        check_hello(request, roster=self._roster, holder=self.holder, policy=self._policy, now=now)
        self._approvals.check(request.study, self._policy, now)
        run = self._runs.get(request.run)
        if run is None:
            self._runs.make_room(request.study, self._moment())
            if self._ledger.restored:
                raise Refused("stale", "the ledger was restored from a backup: `cohortium holder recover` comes first")
            check_engines(request.study)
            self._charges.cover(request.study, now)
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
                feeds=self._data.feeds(declared) if (declared := request.study.declared_tables) else {},
            )
            run = Run(
                began=self._moment(),
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

    def _ready(self, request: ReadyRequest, asked: Request) -> bytes:
        core, signed = request.core, asked.statement
        run = self._runs.of(core.question.run, self._clock.monotonic())
        run.asked = True
        self._asked = run.study
        self._approvals.check(run.study, self._policy, self._clock.now())
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
        run.check_updates(core)
        head = self._ledger.head
        if any(sequence > head.sequence for sequence in asked.since):
            raise Refused("stale", "others remember entries that this ledger does not have: restore the right one")
        self._ledger.check(*self._charges.of(accepted, run.study, self._clock.now()))
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
        return self._opening(*self._runs.plan_of(request.core))

    def _opening(self, run: Run, accepted: Accepted) -> bytes:
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
        run = self._runs.of(request.question.run, self._clock.monotonic())
        plan = run.plans.get(request.question)
        if plan is None or plan[0].digest != request.core:
            raise Refused("stale", "this plan was not shown before")
        accepted, text = plan
        if accepted.digest in run.opened:
            raise Refused("mismatch", "the check keys of this plan were shown: it is never answered")
        self._asked = run.study
        self._approvals.check(run.study, self._policy, self._clock.now())
        readies = check_readies(accepted, request.readies, self._roster)
        heads = check_grown(accepted, readies, roster=self._roster, seen=self._ledger.peers(), paths=asked.paths)
        own = heads.pop(self.holder)
        if self._ledger.hash_at(own.sequence) != own.hash:
            raise Refused("stale", OLDER)
        if accepted.core.expires <= self._clock.now():
            raise Refused("stale", "the plan has expired")

        self._folder.keep_plan(request.question, text)
        said = [
            kept(run.invitation, request.question.run),
            kept(text, accepted.digest),
            kept(signed, accepted.digest),
        ]
        grant = self._ledger.reserve(*self._charges.of(accepted, run.study, self._clock.now()), said, heads)
        charged_head = self._ledger.head
        grant.use(accepted.digest)
        self._charges.warn_of_caps(self._clock.now())
        reply = self._contribute(run, accepted, own.sequence, charged_head)
        del run.plans[request.question]  # it stands on the disk; asked again, the stored answer is sent
        log.info("run %s: answered question %d", request.question.run, request.question.round)
        return reply

    def _contribute(self, run: Run, accepted: Accepted, shown: int, charged: Head) -> bytes:
        """The masked sum of a plan that was charged, recorded before it leaves.

        Args:
            run: the plan's.
            accepted: the plan.
            shown: sequence of the ledger's entry that the plan's READY showed.
            charged: the ledger's head with the charge.
        """
        core, digest = accepted.core, accepted.digest
        masked = masked_answer(
            run.exact(core, digest, self.holder),
            run.noise.pop(digest),
            holder=self.holder,
            key=run.mask_key,
            hellos=accepted.hellos,
            core=digest,
        )
        payload = sha256_hex(masked)
        contribution = self._identity.sign(
            Contribution(
                holder=self.holder,
                core=digest,
                payload=payload,
                checkpoint=self._checkpoint(charged),
                check=announced(masked),
            )
        )
        reply = Reply(
            statement=contribution,
            vector=base64.b64encode(masked).decode(),
            paths=self._ledger.paths([shown], charged.sequence),
        ).canonical()
        self._ledger.record_answer(
            Answered(question=core.question, core=digest, payload=payload), reply, [kept(contribution, digest)]
        )
        return reply

    def _finish(self, request: FinishRequest, asked: Request) -> bytes:
        study = self._ending.study_of(request)
        self._runs.pop(request.run, None)  # over, whatever it hands out: the table and the mask key go
        return self._reply(*self._ending.finish(request, asked, study, self._clock.now()))

    def label(self, run: str) -> Sequence[Path]:
        """Label the holder's own customers by what a run released."""
        return self._ending.label(run)

    # --- helpers -----------------------------------------------------------------------------------------------

    def _keep_evidence(
        self, what: Literal["equivocation", "result"], first: str, second: Signed, reason: str
    ) -> NoReturn:
        keep_evidence(self._ledger, what, first, second)
        raise Refused("equivocation", f"{reason}: both are kept as evidence")
