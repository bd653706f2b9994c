"""One question to the holders: the plan that all confirm, the charge, the answers, and their sum.

The order is the protocol's: nothing is charged before everybody confirmed the plan, nothing is asked before the
charge is written, and what was charged stays charged, whatever comes back.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy.errors import NotEnoughHolders, ProtocolError
from privacy.kernel.canonical import sha256_hex
from privacy.kernel.feeds import Declared
from privacy.kernel.version import software_version
from privacy.ledger import EVIDENCE, Caps, Evidence, Failed, Question, Released, Reserved
from privacy.mechanisms import SumMechanism
from privacy.mechanisms.sampler import SAMPLER
from privacy.presentation.numbers import many
from privacy.protocol.charging import Payer, charge_for, records_per_person
from privacy.protocol.code import analysis_code, kernel_code
from privacy.protocol.envelopes import Reply
from privacy.protocol.identity import Signed
from privacy.protocol.kept_statements import kept
from privacy.protocol.messages import (
    PROTOCOL,
    AnswerRequest,
    Contribution,
    Hello,
    Opening,
    OpenRequest,
    Participant,
    PlanCore,
    Ready,
    ReadyRequest,
)
from privacy.protocol.study import Study
from privacy.secure_sum.masks import CHECK_WORDS, MaskMismatch, UintArray, announced, cancel, from_bytes
from privacy.statistics import Statistic
from server.aggregation.adding import released_sum
from server.releases import Release
from server.running.attempts import Answers, Confirmed
from server.running.folder import Books
from server.running.line import Line
from server.running.openings import check_opening, compare
from server.running.planning import planned_mechanism
from server.running.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an analysis asks.

    Attributes:
        analysis: its name.
        title: the question's name, for people.
        statistic: what to sum, with all public parameters.
        squared_mu: price for one *person*, with all their records.
    """

    analysis: str
    title: str
    statistic: Statistic[Any]
    squared_mu: Fraction


class Asking:
    """Asks the questions of one study, an attempt at a time."""

    def __init__(self, study: Study, books: Books, line: Line, *, patience: float, progress: Progress) -> None:
        """Ask over a line.

        Args:
            patience: seconds to wait for replies.
        """
        self.records = records_per_person(study, books.roster)
        self._study = study
        self._books = books
        self._line = line
        self._patience = patience
        self._progress = progress

    def plan(self, asked: Asked, question: Question) -> Confirmed | Mapping[str, str]:
        """Build a core and let everybody confirm it.

        Returns:
            The plan; or, where somebody did not confirm it, those holders and why (nothing is charged).

        Raises:
            MaskMismatch: if two holders' masks would not cancel and nobody can say whose fault it is.
        """
        holders = self._line.participants
        statistic = asked.statistic
        mechanism = self._mechanism(statistic, asked.squared_mu)
        core = PlanCore(
            protocol=PROTOCOL,
            federation=self._books.roster.federation,
            roster=self._books.roster.digest,
            study=self._study.digest,
            question=question,
            analysis=asked.analysis,
            title=asked.title,
            statistic=statistic,
            bound=statistic.bound,
            mechanism=mechanism,
            records=self.records,
            participants=tuple(
                Participant(
                    holder=holder, hello=self._line.hellos[holder].digest, checkpoint=self._line.heads.newest[holder]
                )
                for holder in holders
            ),
            coordinator=self._line.heads.own(),
            code=kernel_code(),
            expires=self._line.expiry(),
            analysis_code=analysis_code(asked.analysis),
            updates_of=self._trained(question) if statistic.training is not None else "",
        )
        self._books.ledger.check(*self._charge(core))  # no holder is asked what the study cannot pay
        request = self._books.identity.sign(
            ReadyRequest(core=core, hellos=tuple(self._line.hellos[holder] for holder in holders))
        )
        self._progress.step(f"{asked.title}: showing the plan", holders)
        replies = self._line.exchange(dict.fromkeys(holders, request), self._patience)
        readies: list[Signed] = []
        words: dict[str, str] = {}
        lost: dict[str, str] = {}
        for holder in holders:
            try:
                signed, ready = self._line.statement(replies.get(holder), Ready, holder)
                if ready.core != core.digest or ready.holder != holder or not ready.check:
                    raise ProtocolError("declined")
                self._line.heads.ready(holder, ready.checkpoint)
                readies.append(signed)
                words[holder] = ready.check
            except ProtocolError as error:
                lost[holder] = error.message
        lost = lost or self._line.heads.behind(holders)
        plan = Confirmed(core=core, shown=request, readies=tuple(readies), words=words)
        if not lost and not cancel(words.values()):
            lost = self._open(plan)
        return lost or plan

    def _open(self, plan: Confirmed) -> dict[str, str]:
        """Find out whose check words are wrong before anybody is charged; who goes no further with the plan, and why.

        Raises:
            MaskMismatch: naming pairs that disagree, where nobody else is the cause.
        """
        core = plan.core
        self._progress.step(f"{core.title}: check words do not add up", core.holders)
        request = self._books.identity.sign(OpenRequest(core=core.digest))
        replies = self._line.exchange(dict.fromkeys(core.holders, request), self._patience)
        opened: dict[str, Opening] = {}
        signed: dict[str, Signed] = {}
        lost: dict[str, str] = {}
        for holder in core.holders:
            try:
                signed[holder], opening = self._line.statement(replies.get(holder), Opening, holder)
                check_opening(opening, holder=holder, core=core.digest, holders=core.holders)
                opened[holder] = opening
            except ProtocolError as error:
                lost[holder] = error.message
        found = compare(plan.words, opened)
        for ready in plan.readies:
            if ready.signer in found.false:
                proof = signed[ready.signer]
                self._books.ledger.append(
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

    def _mechanism(self, statistic: Statistic[Any], squared_mu: Fraction) -> SumMechanism:
        """The noise that a question gets among the holders that are there now.

        Raises:
            NotEnoughHolders: if too few are there.
        """
        holders = len(self._line.participants)
        budget = self._study.budget
        if holders < 2 or holders <= budget.colluding_holders:
            raise NotEnoughHolders(
                f"{many(holders, 'holder')} left, of whom {budget.colluding_holders} might collude: "
                "nobody to hide behind",
                hint="run the study again when more holders are ready",
            )
        if statistic.training is not None:
            return SumMechanism.own(statistic.training.noise_scale, holders=holders, colluding=budget.colluding_holders)
        return planned_mechanism(self._study, squared_mu, statistic, holders=holders, records=self.records)

    def _trained(self, question: Question) -> str:
        """The core of an earlier attempt for which holders have trained; empty where none was charged."""
        earlier = (question.model_copy(update={"attempt": one}) for one in range(1, question.attempt))
        return next(filter(None, map(self._books.ledger.reserved_core, earlier)), "")

    def _charge(self, core: PlanCore) -> tuple[Reserved, Caps]:
        sampler = SAMPLER if core.mechanism.placement == "central" else ""
        payer = Payer(software=software_version(), now=self._line.now(), sampler=sampler)
        return charge_for(core, self._study, payer)

    def attempt(self, plan: Confirmed) -> Release | None:
        """Charge, ask, add up. None if the attempt failed; it stays charged."""
        core = plan.core
        title = core.title
        charge, caps = self._charge(core)
        asked = self._books.identity.sign(AnswerRequest(question=core.question, core=core.digest, readies=plan.readies))
        said = [kept(self._line.invitation, self._line.run)] if self._line.invitation is not None else []
        said += [kept(plan.shown, core.digest), kept(asked, core.digest)]
        grant = self._books.ledger.reserve(charge, caps, said, self._line.heads.confirmed(core.holders))
        self._progress.step(f"{title}: asking", core.holders)
        grant.use(core.digest)
        try:
            replies = self._line.exchange(dict.fromkeys(core.holders, asked), self._patience)
            answers = self._read_answers(plan, replies)
            self._let_go(answers)
            failed = answers.failure(core)
            if failed is None:
                try:
                    values = released_sum(core.mechanism, answers.vectors)
                except MaskMismatch:
                    failed = Failed(question=core.question, core=core.digest, reason="mask_mismatch")
                else:
                    return self._release(core, values)
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
            del self._line.hellos[holder]

    def _read_answers(self, plan: Confirmed, replies: Mapping[str, bytes]) -> Answers:
        core = plan.core
        words = core.statistic.dim + CHECK_WORDS
        vectors: list[UintArray] = []
        false: list[str] = []
        lost: dict[str, str] = {}
        for holder in core.holders:
            try:
                raw = replies.get(holder)
                signed, answer = self._line.statement(raw, Contribution, holder, words=words)
                payload = _vector_bytes(raw)
                stated = (answer.core, answer.holder, answer.payload, answer.check)
                if stated != (core.digest, holder, sha256_hex(payload), announced(payload)):
                    raise ProtocolError("declined")
                vector = from_bytes(payload, words)
                said = kept(signed, core.digest)
                if answer.check != plan.words[holder]:
                    self._books.ledger.keep([said])
                    false.append(holder)
                    continue
                self._line.heads.answered(holder, core.holders)
                self._line.heads.took(holder, answer.checkpoint, said)
                vectors.append(vector)
            except ProtocolError as error:
                lost[holder] = error.message
        return Answers(vectors=tuple(vectors), lost=lost, false=tuple(false))

    def _release(self, core: PlanCore, values: NDArray[np.int64]) -> Release:
        release = Release(
            title=core.title,
            study=core.study,
            statistic=core.statistic.digest,
            question=core.question,
            core=core.digest,
            mechanism=core.mechanism,
            holders=core.holders,
            values=tuple(int(value) for value in values),
            feeds=self._feeds(core),
        )
        self._books.releases.keep(release)
        self._books.ledger.append(Released(question=core.question, core=core.digest, release=release.content_digest))
        return release

    def _feeds(self, core: PlanCore) -> dict[str, Declared]:
        """What the participants' HELLOs, which the plan names, say of their feeds."""
        said = {holder: Hello.parse(self._line.hellos[holder].body).feeds for holder in core.holders}
        return {holder: feeds for holder, feeds in said.items() if feeds}

    def _fail(self, failed: Failed, title: str) -> None:
        self._books.ledger.append(failed)
        self._progress.note(f"{title}: attempt {failed.question.attempt} failed ({failed.reason}); it stays charged")


def _vector_bytes(raw: bytes | None) -> bytes:
    try:
        return base64.b64decode(Reply.parse(raw or b"").vector, validate=True)
    except (binascii.Error, ValueError):
        raise ProtocolError("declined") from None
