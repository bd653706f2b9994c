"""Asking the federation: one question in, one release out, charged before anything is sent.

An analysis sees only :meth:`Federation.ask`. Here are the order of a round, the attempts, and the coordinator's
ledger; how bytes travel is the transport's business.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from privacy.errors import ConfigError, NotEnoughHolders, ProtocolError
from privacy.kernel.canonical import Noun, sha256_hex
from privacy.kernel.limits import reply_bytes
from privacy.kernel.version import software_version
from privacy.ledger import EVIDENCE, Caps, Evidence, Failed, Ledger, Question, Released, Reserved
from privacy.ledger.losses import SILENCES
from privacy.mechanisms import SumMechanism
from privacy.mechanisms.sampler import SAMPLER
from privacy.protocol.charging import below_declarations, charge_for, records_per_person
from privacy.protocol.code import analysis_code, analysis_codes, kernel_code
from privacy.protocol.identity import Identity, Roster, Signed
from privacy.protocol.kept_statements import kept
from privacy.protocol.messages import (
    PROTOCOL,
    AnswerRequest,
    Contribution,
    FinishRequest,
    Hello,
    HelloRequest,
    Opening,
    OpenRequest,
    Participant,
    PlanCore,
    Ready,
    ReadyRequest,
    Refusal,
    Reply,
    Request,
)
from privacy.protocol.study import Study
from privacy.protocol.transport import Transport
from privacy.results import LedgerDifference
from privacy.secure_sum.masks import CHECK_WORDS, MaskMismatch, UintArray, announced, cancel, from_bytes
from privacy.statistics import Statistic
from server.aggregation.adding import released_sum
from server.releases import Release, ReleaseStore
from server.running.attempts import Answers, Confirmed
from server.running.handing_out import HandingOut
from server.running.heads import PeerHeads
from server.running.openings import check_opening, compare
from server.running.planning import planned_mechanism
from server.running.progress import Progress, silent

#: Seconds for which requests and plans are good.
LIFETIME = 6 * 3600

#: Plans shown for one question at most. Plans cost nothing until they are answered; this only ends a loop.
MAX_PLANS = 20

#: Seconds that the end of a run without a result waits for holders' replies.
ENDING = 5.0

R = TypeVar("R", bound=Noun)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait for holders, in seconds.

    Attributes:
        hello: for joining a run; a holder builds its customer table in this time.
        answer: for everything else, also for joining again in the middle of a run, when tables are built already.
    """

    hello: float
    answer: float

    @classmethod
    def of(cls, study: Study) -> Patience:
        """What the study says."""
        return cls(hello=float(study.waits.joining), answer=float(study.waits.answering))


#: What is said of a member that is not asked to take part, and why.
_SUSPENDED = {
    "false": "was proved false",
    "silent": f"was ready and then silent {SILENCES} times in this study",
}


class Federation:
    """The holders of one study, as its analyses see them."""

    def __init__(
        self,
        *,
        study: Study,
        roster: Roster,
        identity: Identity,
        ledger: Ledger,
        releases: ReleaseStore,
        transport: Transport,
        patience: Patience | None = None,
        progress: Progress = silent,
        now: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        self.study = study
        self.roster = roster
        self.records = records_per_person(study, roster)
        everyone = tuple(sorted(study.holders or roster.holders))
        # A study's set of holders may only shrink, over all its runs: holders refuse anything else.
        answered = ledger.answered_set(study.digest)
        self._ledger = ledger
        self.invited = tuple(
            holder for holder in everyone if (answered is None or holder in answered) and holder not in self._suspended
        )
        self.run = f"{study.name[:40]}-{secrets.token_hex(8)}".replace("_", "-")
        self.missing = [holder for holder in everyone if holder not in self.invited]
        self.differences: list[LedgerDifference] = []
        self.witnesses: tuple[str, ...] = ()
        self.unconfirmed: tuple[str, ...] = ()
        self._identity = identity
        self._releases = releases
        self._transport = transport
        self._patience = patience or Patience.of(study)
        self._progress = progress
        self._now = now
        self._round = 0
        self._spare = study.budget.spare_attempts
        self._invitation: Signed | None = None
        self._busy: set[str] = set()  # holders that may keep a table in memory for this run
        self._hellos: dict[str, Signed] = {}
        self._sent: dict[str, str] = {}  # by holder, the digest of the request that it was sent last
        self._heads = PeerHeads(ledger=ledger, identity=identity, roster=roster)
        self._shared: list[Release] = []

    @property
    def participants(self) -> tuple[str, ...]:
        """Holders that said HELLO and are still there, sorted."""
        return tuple(sorted(self._hellos))

    @property
    def _suspended(self) -> Mapping[str, str]:
        """Who is not asked to take part in this study, as the ledger says, until the operator readmits it."""
        return self._ledger.state.losses.suspended(self.study.digest)

    # --- joining -----------------------------------------------------------------------------------------------

    def join(self) -> None:
        """Invite all holders of the study; all must be ready, else nothing is asked or charged.

        Raises:
            NotEnoughHolders: naming who is not ready, and with which code where one came.
        """
        for holder, why in self._suspended.items():
            if holder in self.missing:
                self._progress.note(f"{holder} is not asked: it {_SUSPENDED[why]} (`cohortium coordinator readmit`)")
        unknown = sorted(set(self.invited) - set(self.roster.holders))
        if unknown:
            raise ConfigError(
                f"the study names {', '.join(unknown)}, not in the roster",
                hint=f"holders of this federation: {', '.join(self.roster.holders)}",
            )
        undeclared = below_declarations(self.study, self.roster)
        if undeclared:
            raise ConfigError(
                f"the study counts one person at {self.records} of its holders, and customers of "
                f"{', '.join(undeclared)} may be at more: they declare more, or nothing, which counts as all",
                hint="raise budget.max_holders_per_customer, or ask them to declare (`cohortium holder declare`)",
            )
        refused = self._greet(self.invited, self._patience.hello)
        if refused:
            listing = "; ".join(f"{holder}: {code}" for holder, code in sorted(refused.items()))
            raise NotEnoughHolders(
                f"not ready: {listing}. Nothing was asked and nothing was charged",
                hint="ask their operators what their node's log and `cohortium holder check` say, then run again",
            )

    def _greet(self, holders: tuple[str, ...], patience: float) -> dict[str, str]:
        """Say HELLO to these holders; returns those that do not join in time, with a code or ``no answer``."""
        request = self._identity.sign(
            HelloRequest(
                protocol=PROTOCOL,
                federation=self.roster.federation,
                roster=self.roster.digest,
                run=self.run,
                study=self.study,
                code=kernel_code(),
                expires=self._now() + LIFETIME,
                analyses=analysis_codes(self.study.analyses),
            )
        )
        self._invitation = self._invitation or request
        self._progress.step("joining", holders)
        replies = self._exchange(dict.fromkeys(holders, request), patience)
        self._busy.update(holder for holder in holders if holder not in replies)  # it may still prepare its table
        failed: dict[str, str] = {}
        for holder in holders:
            try:
                signed, hello = self._statement(replies.get(holder), Hello, holder)
                self._busy.add(holder)
                if (hello.run, hello.study, hello.roster, hello.holder) != (
                    self.run,
                    self.study.digest,
                    self.roster.digest,
                    holder,
                ):
                    raise ProtocolError("declined")
                self._heads.joined(holder, signed, hello.checkpoint)
                self._hellos[holder] = signed
            except ProtocolError as error:
                failed[holder] = error.message
        return failed

    # --- asking ------------------------------------------------------------------------------------------------

    def ask(self, analysis: str, title: str, statistic: Statistic, squared_mu: Fraction) -> Release:
        """Ask one question.

        Args:
            analysis: name of the analysis.
            title: the question's name, for people.
            statistic: what to sum, with all public parameters.
            squared_mu: price for one *person*, with all their records.

        Returns:
            The release: the sum over the participants plus noise. A release of the same question of the same
            study that is recorded already is returned again and costs nothing.

        Raises:
            BudgetError: if the study's budget does not suffice.
            NotEnoughHolders: if too few holders remain, or the attempts are used up.
        """
        self._round += 1
        recorded = self._releases.find(self.study.digest, title, statistic.digest)
        if recorded is not None:
            self._progress.note(f"{title}: recorded earlier, nothing is spent")
            self._shared.append(recorded)
            return recorded
        for attempt in range(1, MAX_PLANS + 1):
            plan = self._plan(analysis, title, statistic, squared_mu, attempt)
            if plan is None:
                continue
            release = self._attempt(plan, title=title, statistic=statistic)
            if release is not None:
                return release
            if self._spare == 0:
                raise NotEnoughHolders(
                    f"{title}: an attempt failed and the study has no spare attempt left",
                    hint="see who is missing above; run the study again when they are back "
                    "(questions already released are not asked again)",
                )
            self._spare -= 1
            suspended = self._suspended
            away = sorted(set(self.invited) - set(self.participants) - set(self.missing))
            gone = tuple(holder for holder in away if holder not in suspended)
            self.missing += [holder for holder in away if holder in suspended]
            if gone:  # a node that was restarted may come back with a new HELLO
                refused = self._greet(gone, self._patience.answer)
                self.missing += [holder for holder in gone if holder in refused]
        raise NotEnoughHolders(
            f"{title}: holders kept dropping out between the plan and the answer",
            hint="see which nodes restart, and run the study again when they are stable",
        )

    def _plan(
        self, analysis: str, title: str, statistic: Statistic, squared_mu: Fraction, attempt: int
    ) -> Confirmed | None:
        """Build a core and let everybody confirm it; None if somebody did not (nothing is charged).

        Raises:
            MaskMismatch: if two holders' masks would not cancel and nobody can say whose fault it is.
        """
        holders = self.participants
        mechanism = self._mechanism(statistic, squared_mu)
        core = PlanCore(
            protocol=PROTOCOL,
            federation=self.roster.federation,
            roster=self.roster.digest,
            study=self.study.digest,
            question=Question(run=self.run, round=self._round, attempt=attempt),
            analysis=analysis,
            title=title,
            statistic=statistic,
            bound=statistic.bound,
            mechanism=mechanism,
            records=self.records,
            participants=tuple(
                Participant(holder=holder, hello=self._hellos[holder].digest, checkpoint=self._heads.newest[holder])
                for holder in holders
            ),
            coordinator=self._heads.own(),
            code=kernel_code(),
            expires=self._now() + LIFETIME,
            analysis_code=analysis_code(analysis),
        )
        self._ledger.check(*self._charge(core))  # no holder is asked what the study cannot pay
        request = self._identity.sign(ReadyRequest(core=core, hellos=tuple(self._hellos[holder] for holder in holders)))
        self._progress.step(f"{title}: showing the plan", holders)
        replies = self._exchange(dict.fromkeys(holders, request), self._patience.answer)
        readies: list[Signed] = []
        words: dict[str, str] = {}
        lost: dict[str, str] = {}
        for holder in holders:
            try:
                signed, ready = self._statement(replies.get(holder), Ready, holder)
                if ready.core != core.digest or ready.holder != holder or not ready.check:
                    raise ProtocolError("declined")
                self._heads.ready(holder, ready.checkpoint)
                readies.append(signed)
                words[holder] = ready.check
            except ProtocolError as error:
                lost[holder] = error.message
        lost = lost or self._heads.behind(holders)
        plan = Confirmed(core=core, shown=request, readies=tuple(readies), words=words)
        if not lost and not cancel(words.values()):
            lost = self._open(plan)
        if not lost:
            return plan
        self._without(lost)
        return None

    def _open(self, plan: Confirmed) -> dict[str, str]:
        """Find out whose check words are wrong before anybody is charged; who goes no further with the plan, and why.

        Raises:
            MaskMismatch: naming pairs that disagree, where nobody else is the cause.
        """
        core = plan.core
        self._progress.step(f"{core.title}: check words do not add up", core.holders)
        request = self._identity.sign(OpenRequest(core=core.digest))
        replies = self._exchange(dict.fromkeys(core.holders, request), self._patience.answer)
        opened: dict[str, Opening] = {}
        signed: dict[str, Signed] = {}
        lost: dict[str, str] = {}
        for holder in core.holders:
            try:
                signed[holder], opening = self._statement(replies.get(holder), Opening, holder)
                check_opening(opening, holder=holder, core=core.digest, holders=core.holders)
                opened[holder] = opening
            except ProtocolError as error:
                lost[holder] = error.message
        found = compare(plan.words, opened)
        for ready in plan.readies:
            if ready.signer in found.false:
                proof = signed[ready.signer]
                self._ledger.append(
                    Evidence(what="check", first=ready.digest, second=proof.digest, blamed=ready.signer),
                    [kept(ready, EVIDENCE), kept(proof, EVIDENCE)],
                )
                lost[ready.signer] = "its check words do not follow from its own keys"
        if found.apart and not lost:
            pairs = "; ".join(f"{low} and {high}" for low, high in found.apart)
            raise MaskMismatch(
                f"{core.title}: the masks of {pairs} would not cancel, and nobody can say whose fault it is. "
                "Nothing was charged",
                hint="let their operators restart their nodes and compare versions; a study can name its holders",
            )
        return lost

    def _mechanism(self, statistic: Statistic, squared_mu: Fraction) -> SumMechanism:
        """The noise that a question gets among the holders that are there now.

        Raises:
            NotEnoughHolders: if too few are there.
        """
        holders = len(self.participants)
        budget = self.study.budget
        if holders < 2 or holders <= budget.colluding_holders:
            raise NotEnoughHolders(
                f"{holders} holder(s) left, of whom {budget.colluding_holders} might collude: nobody to hide behind",
                hint="run the study again when more holders are ready",
            )
        return planned_mechanism(self.study, squared_mu, statistic, holders=holders, records=self.records)

    def _charge(self, core: PlanCore) -> tuple[Reserved, Caps]:
        return charge_for(
            core,
            study=self.study,
            policy="",
            lifetime=None,
            sampler=SAMPLER if core.mechanism.placement == "central" else "",
            software=software_version(),
            now=self._now(),
        )

    def _without(self, lost: Mapping[str, str]) -> None:
        """Go on without these holders; one that only forgot the run may say HELLO again."""
        for holder, code in lost.items():
            self._progress.note(f"{holder} does not take part: {code}")
            if code == "stale" and (others := self._heads.ahead(holder)):
                self._progress.note(f"a later entry of the ledger of {holder} is remembered by {', '.join(others)}")
            del self._hellos[holder]
        restarted = tuple(holder for holder, code in lost.items() if code == "unknown_run")
        back = set(restarted) - set(self._greet(restarted, self._patience.answer)) if restarted else set()
        self.missing += [holder for holder in lost if holder not in back]

    def _attempt(self, plan: Confirmed, *, title: str, statistic: Statistic) -> Release | None:
        """Charge, ask, add up. None if the attempt failed; it stays charged."""
        core = plan.core
        charge, caps = self._charge(core)
        asked = self._identity.sign(AnswerRequest(question=core.question, core=core.digest, readies=plan.readies))
        said = [kept(self._invitation, self.run)] if self._invitation is not None else []
        said += [kept(plan.shown, core.digest), kept(asked, core.digest)]
        grant = self._ledger.reserve(charge, caps, said, self._heads.confirmed(core.holders))
        self._progress.step(f"{title}: asking", core.holders)
        grant.use(core.digest)
        try:
            replies = self._exchange(dict.fromkeys(core.holders, asked), self._patience.answer)
            answers = self._read_answers(plan, statistic, replies)
            self._let_go(answers)
            failed = answers.failure(core)
            if failed is None:
                try:
                    values = released_sum(core.mechanism, answers.vectors)
                except MaskMismatch:
                    failed = Failed(question=core.question, core=core.digest, reason="mask_mismatch")
                else:
                    return self._release(core, statistic, values, title)
        except BaseException:
            self._fail(Failed(question=core.question, core=core.digest, reason="stopped"), title)
            raise
        self._fail(failed, title)
        return None

    def _let_go(self, answers: Answers) -> None:
        """Go on without who spoiled an attempt."""
        for holder, code in answers.lost.items():
            self._progress.note(f"{holder} did not answer: {code}")
        for holder in answers.false:
            self._progress.note(
                f"{holder} answered with other check words than it had announced: it is not asked again"
            )
        for holder in (*answers.lost, *answers.false):
            del self._hellos[holder]

    def _read_answers(self, plan: Confirmed, statistic: Statistic, replies: Mapping[str, bytes]) -> Answers:
        core = plan.core
        vectors: list[UintArray] = []
        false: list[str] = []
        lost: dict[str, str] = {}
        for holder in core.holders:
            try:
                raw = replies.get(holder)
                signed, answer = self._statement(raw, Contribution, holder, words=statistic.dim + CHECK_WORDS)
                payload = _vector_bytes(raw)
                stated = (answer.core, answer.holder, answer.payload, answer.check)
                if stated != (core.digest, holder, sha256_hex(payload), announced(payload)):
                    raise ProtocolError("declined")
                vector = from_bytes(payload, statistic.dim + CHECK_WORDS)
                said = kept(signed, core.digest)
                if answer.check != plan.words[holder]:
                    self._ledger.keep([said])
                    false.append(holder)
                    continue
                self._heads.answered(holder, core.holders)
                self._heads.took(holder, answer.checkpoint, said)
                vectors.append(vector)
            except ProtocolError as error:
                lost[holder] = error.message
        return Answers(vectors=tuple(vectors), lost=lost, false=tuple(false))

    def _release(
        self,
        core: PlanCore,
        statistic: Statistic,
        values: NDArray[np.int64],
        title: str,
    ) -> Release:
        release = Release(
            title=title,
            study=core.study,
            statistic=statistic.digest,
            question=core.question,
            core=core.digest,
            mechanism=core.mechanism,
            holders=core.holders,
            values=tuple(int(value) for value in values),
        )
        self._releases.keep(release)
        self._ledger.append(Released(question=core.question, core=core.digest, release=release.content_digest))
        self._shared.append(release)
        return release

    def _fail(self, failed: Failed, title: str) -> None:
        self._ledger.append(failed)
        self._progress.note(f"{title}: attempt {failed.question.attempt} failed ({failed.reason}); it stays charged")

    # --- ending ------------------------------------------------------------------------------------------------

    def finish(self, result: str) -> tuple[str, ...]:
        """Show the releases and the result to the holders, who record them and label their customers.

        All holders get the same signed FINISH, and compare; where the study withholds totals, they get the releases'
        digests without their values. Holders that dropped out after they had answered get those that they are in.

        Returns:
            Holders that did not confirm (they can catch up when the study is run again; it costs nothing). Where the
            ledgers of the others differ from the coordinator's is in ``differences`` afterwards, and who compared the
            result with the others, and who did not, in ``witnesses`` and ``unconfirmed``.

        Raises:
            LedgerError: if this run handed out another result before.
        """
        ending = HandingOut(
            study=self.study,
            run=self.run,
            identity=self._identity,
            ledger=self._ledger,
            progress=self._progress,
            exchange=self._send,
            read=self._statement,
            note=self._heads.took,
            now=self._now,
        )
        heads = (*(self._heads.newest[holder] for holder in self.participants), self._heads.own())
        own = ending.sign(self.run, self._shared, result, heads)
        self._progress.step("handing out the results", self.participants)
        ending.hand_out(own, self.participants, self._shared, result, self._patience.hello)
        for run, holders in self._left_out().items():
            theirs = [release for release in self._shared if run in (self.run, release.question.run)]
            signed = own if run == self.run else ending.sign(run, theirs, result, heads)
            ending.hand_out(signed, holders, theirs, result, self._patience.answer)
        self._busy -= {*self.participants, *self._left_out().get(self.run, ())}
        self.end()
        ending.witness(self._patience.answer)
        self.differences = ending.differences
        self.witnesses = ending.witnesses
        self.unconfirmed = tuple(sorted(ending.holders - set(ending.witnesses)))
        return tuple(ending.silent)

    def end(self) -> None:
        """Tell holders that got no result of this run that it is over, so that they let go of what they keep for it.

        To be called however a run ends, also by an interrupt; no run fails of this, and it takes seconds at most.
        """
        left, self._busy = tuple(sorted(self._busy)), set()
        if not left:
            return
        over = self._identity.sign(
            FinishRequest(run=self.run, made_by=self.run, study=self.study.digest, releases=(), result=None, heads=())
        )
        try:
            self._exchange(dict.fromkeys(left, over), min(self._patience.answer, ENDING))
        except Exception as error:  # whatever ended the run is what its caller is told
            self._progress.note(f"the holders were not told that the run is over: {error}")

    def _left_out(self) -> dict[str, tuple[str, ...]]:
        """Holders that dropped out after they had answered, by the run in which they did, sorted."""
        found: dict[str, set[str]] = {}
        for release in self._shared:
            gone = set(release.holders) - self._hellos.keys()
            found.setdefault(release.question.run, set()).update(gone)
        return {run: tuple(sorted(holders)) for run, holders in found.items() if holders}

    # --- helpers -----------------------------------------------------------------------------------------------

    def _exchange(self, statements: Mapping[str, Signed], timeout: float) -> dict[str, bytes]:
        return self._send({holder: Request(statement=signed) for holder, signed in statements.items()}, timeout)

    def _send(self, requests: Mapping[str, Request], timeout: float) -> dict[str, bytes]:
        carried = self._heads.carried(requests, self.participants)
        sent = {holder: request.canonical() for holder, request in carried.items()}
        self._sent |= {holder: sha256_hex(request) for holder, request in sent.items()}
        return self._transport.exchange(sent, timeout=timeout, on_reply=self._progress.reply)

    def _statement(self, raw: bytes | None, model: type[R], holder: str, *, words: int = 0) -> tuple[Signed, R]:
        """Read a holder's signed statement.

        Args:
            words: of the masked vector that comes with it.

        Raises:
            ProtocolError: whose message is a refusal's code, or ``no answer``.
        """
        if raw is None:
            raise ProtocolError("no answer")
        if len(raw) > reply_bytes(model.__name__, len(self.roster.holders), words):
            raise ProtocolError("an answer that is too large")
        reply = Reply.parse(raw)
        statement = reply.statement
        if statement.kind == Refusal.__name__:
            raise ProtocolError(self._refusal(statement, holder))
        self._heads.replied(holder, reply)
        return statement, statement.open(model, self.roster, signer=holder)

    def _refusal(self, signed: Signed, holder: str) -> str:
        """The code of a refusal, which is kept; one of another request says nothing about this one.

        Raises:
            ProtocolError: if it is not the holder's word on what it was asked last.
        """
        refusal = signed.open(Refusal, self.roster, signer=holder)
        if (refusal.holder, refusal.request) != (holder, self._sent.get(holder)):
            raise ProtocolError("a refusal of another request")
        self._ledger.keep([kept(signed, self.run)])
        return refusal.code


def _vector_bytes(raw: bytes | None) -> bytes:
    try:
        return base64.b64decode(Reply.parse(raw or b"").vector, validate=True)
    except (binascii.Error, ValueError):
        raise ProtocolError("declined") from None
