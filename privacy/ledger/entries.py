"""What a ledger records: facts about questions, never counts, durations or anything else about customers."""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from privacy.accounting.events import GaussianSum
from privacy.accounting.sampled import MaskedAgain, SampledGaussian, Slot
from privacy.kernel.canonical import ExactDecimal, Noun, sha256_hex, since
from privacy.kernel.limits import MOST_MEMBERS, Name, RunId, Sequence, Time

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

#: Number of a ledger entry.
EntryNumber = Annotated[int, Field(ge=1, le=1 << 53)]
_DIGEST = re.compile(r"[0-9a-f]{64}")

#: Longest entry that is read, in bytes. Entries of this release stay far below; release 0.1 wrote evidence of any
#: length.
ENTRY_LIMIT = 256 << 20


class Question(Noun):
    """Names one attempt of one question of one run. A holder answers at most one plan core under one of these."""

    run: RunId
    round: int = Field(ge=1, le=1_000_000)
    attempt: int = Field(ge=1, le=1_000_000)


class PeriodCap(Noun):
    """A cap on what one person may lose in each period of so many days; the cap is full again when a period begins.

    P periods that are used to the end add up to sqrt(P) times a period's mu, and the lifetime cap holds over all.

    Attributes:
        epsilon, delta: the cap, for one person.
        days: length of a period.
        start: a day on which a period began, ISO format; periods are counted from the start of it, UTC.
    """

    epsilon: ExactDecimal = Field(ge=Decimal("0.01"), le=50)
    delta: ExactDecimal = Field(ge=Decimal("1e-18"), le=Decimal("0.001"))
    days: int = Field(ge=1, le=3660)
    start: dt.date

    def index(self, time: int) -> int:
        """Which period a time (seconds since 1970, UTC) falls into; 0 is the one that begins at ``start``."""
        begin = dt.datetime.combine(self.start, dt.time(), dt.UTC).timestamp()
        return math.floor((time - begin) / (86_400 * self.days))


class Slots(Slot):
    """Trainings on samples that a holder allows, fixed beforehand: so many, each no worse than these parameters."""

    count: int = Field(ge=1, le=1000)

    @property
    def one(self) -> Slot:
        """One of them."""
        return Slot(rate=self.rate, noise_multiplier=self.noise_multiplier, steps=self.steps)


class Opened(Noun):
    """First entry: whose ledger this is and the lifetime cap for one person. A later one changes the caps, or K.

    A coordinator states no cap: its ledger plans by study, and the holders' ledgers are the guarantee.

    Attributes:
        owner, role: whose.
        epsilon, delta: lifetime cap for one person.
        period: cap of each period.
        records: K, at how many holders of the federation the caps count one person; None where it is not stated (a
            coordinator, or a ledger of before there was K), which counts as all of them.
        slots: trainings on samples that the holder allows beside the cap, which all count as spent from the start.
    """

    kind: Literal["opened"] = "opened"
    owner: Name
    role: Literal["holder", "coordinator"]
    epsilon: ExactDecimal | None = None
    delta: ExactDecimal | None = None
    period: PeriodCap | None = None
    records: int | None = since("0.2.0", None, ge=1, le=1000)
    slots: tuple[Slots, ...] = since("0.2.0", (), max_length=20)

    def carrying(self, before: Opened | None) -> Opened:
        """The same with the K that was stated before, where this one states none: silence takes nothing back."""
        if self.records is not None or before is None:
            return self
        return self.model_copy(update={"records": before.records})

    def no_lower(self, before: Opened | None) -> Opened:
        """The same, but that K does not fall below what was stated before."""
        stated = None if before is None else before.records
        if stated is None or (self.records is not None and self.records >= stated):
            return self
        return self.model_copy(update={"records": stated})


class Reserved(Noun):
    """A charge, written before anything is sent. It counts as spent for ever.

    Attributes:
        question: which attempt.
        study, study_digest: the study's name and digest.
        core: digest of the plan core that is answered.
        analysis, title, statistic: names; statistic_digest covers all public parameters.
        event: facts that fix the price.
        records: k, how many records of one person may be in the sum.
        placement: who adds the noise.
        holders: who takes part, sorted.
        colluding: t.
        sampler: name and version of the noise source (empty where this party adds none).
        assurance: ``integer`` for exact noise. ``float`` stands in charges of protocol 2 and before: noise of 2^32
            states, which whoever got the values can take out.
        roster: digest of the roster in force.
        policy: digest of the policy that allowed it (the coordinator has none).
        software: release of cohortium.
        time: the writer's clock, seconds since 1970, UTC; a claim.
    """

    kind: Literal["reserved"] = "reserved"
    question: Question
    study: Name
    study_digest: Digest
    core: Digest
    analysis: Name
    title: Name
    statistic: Name
    statistic_digest: Digest
    event: Annotated[GaussianSum | SampledGaussian | MaskedAgain, Field(discriminator="kind")]
    records: int = Field(ge=1, le=1_000_000)
    placement: Literal["distributed", "local", "central"]
    holders: tuple[Name, ...] = Field(max_length=MOST_MEMBERS)
    colluding: int = Field(ge=1, le=1_000_000)
    sampler: Name
    assurance: Literal["integer", "float"] = "integer"
    roster: Digest
    policy: Name
    software: Name
    time: Time


class Answered(Noun):
    """The holder's answer to a core exists and may have left; ``payload`` is its digest."""

    kind: Literal["answered"] = "answered"
    question: Question
    core: Digest
    payload: Digest


class Released(Noun):
    """A sum was completed; ``release`` is the digest of its values."""

    kind: Literal["released"] = "released"
    question: Question
    core: Digest
    release: Digest


class Failed(Noun):
    """An attempt ended without a release. Nothing is given back.

    Attributes:
        blamed: whose answer has other check words than its READY announced, which both statements prove.
        silent: who was ready and then gave no answer that counts, by the coordinator's word alone; empty where nobody
            answered, which is the network's fault or the coordinator's own.
    """

    kind: Literal["failed"] = "failed"
    question: Question
    core: Digest
    reason: Literal["missing_answer", "check_words", "mask_mismatch", "stopped"]
    blamed: tuple[Name, ...] = since("0.2.0", (), max_length=MOST_MEMBERS)
    silent: tuple[Name, ...] = since("0.2.0", (), max_length=MOST_MEMBERS)


class Evidence(Noun):
    """Two contradicting statements signed by one party, kept for the auditor.

    Attributes:
        what: which rule they break together. ``equivocation``: two plans, or a plan and an answer, under one question;
            ``result``: two results that one run made, or two releases of one plan, here or at two holders;
            ``check``: a READY whose check words do not follow from the keys that its signer then opened.
        first, second: digests of the signed statements, whose texts are kept beside the ledger; ``first`` is empty
            where it was lost. Release 0.1 wrote the texts themselves here, of whatever length they arrived.
        blamed: the holder that signed both, where it is one.
    """

    kind: Literal["evidence"] = "evidence"
    what: Literal["equivocation", "result", "check"]
    first: str = Field(max_length=ENTRY_LIMIT)
    second: str = Field(max_length=ENTRY_LIMIT)
    blamed: Name = since("0.2.0", "")

    @property
    def holds_texts(self) -> bool:
        """Whether the statements stand in the entry itself, as release 0.1 wrote them."""
        return not (_DIGEST.fullmatch(self.first) or self.first == "") or not _DIGEST.fullmatch(self.second)

    @property
    def about(self) -> str:
        """Digest of the first statement, which stands for the question or the result; empty where it was lost."""
        return sha256_hex(self.first.encode()) if self.holds_texts else self.first


class ResultAccepted(Noun):
    """A result was handed out: at a holder, the one that it was shown; at the coordinator, the one that it signed.

    One run makes one result for each run whose answers are in it. The signed FINISH is kept beside the ledger.

    Attributes:
        run: under which the questions were asked.
        made_by: the run that made the result: the same one, or a later one of the same study.
        study_digest: the study.
        result: SHA-256 of the result's text; None where the run ended without one.
        finish: digest of the signed FINISH.
        time: the writer's clock; a claim.
    """

    kind: Literal["result"] = "result"
    run: RunId
    made_by: RunId
    study_digest: Digest
    result: Digest | None
    finish: Digest
    time: Time


class RosterAccepted(Noun):
    """The ledger's owner accepted a roster: from here on these members count, with these keys.

    Attributes:
        version, roster: its number and digest.
        previous: digest of the roster before it; empty for the first.
        key: the owner's own public key in it.
    """

    kind: Literal["roster"] = "roster"
    version: int = Field(ge=1, le=1 << 31)
    roster: Digest
    previous: Digest | Literal[""]
    key: Digest


class Decided(Noun):
    """The holder's operator decided by hand whether a study may be answered; the latest decision counts."""

    kind: Literal["decided"] = "decided"
    study: Name
    study_digest: Digest
    decision: Literal["approved", "denied"]
    time: Time


class Declined(Noun):
    """The holder refused to take part in a study, or to answer a question of it; the first of a kind is recorded.

    Attributes:
        study: name of the study.
        study_digest: its digest.
        code: what the coordinator was told.
        time: the writer's clock; a claim.
    """

    kind: Literal["declined"] = "declined"
    study: Name
    study_digest: Digest
    code: str = Field(pattern=r"^[a-z_]{1,20}$")
    time: Time


class Readmitted(Noun):
    """The coordinator's operator lets a member take part again that was proved false, or fell silent twice."""

    kind: Literal["readmitted"] = "readmitted"
    member: Name
    time: Time


class LossesAccepted(Noun):
    """The holder's operator has seen charges without a release and lets studies go on: these count no longer.

    Attributes:
        charges: how many there were.
        time: the writer's clock; a claim.
    """

    kind: Literal["losses_accepted"] = "losses_accepted"
    charges: int = Field(ge=0, le=1 << 53)
    time: Time


class Departed(Noun):
    """The ledger's owner left the federation; ``statement`` is the digest of what it signed about that."""

    kind: Literal["departed"] = "departed"
    roster: Digest
    statement: Digest
    time: Time


class Lost(Noun):
    """Stands where an entry stood that is lost: a backup was restored that did not have it."""

    kind: Literal["lost"] = "lost"


class Recovered(Noun):
    """The ledger goes on after a backup was restored; the entries between stand above as ``lost``.

    Attributes:
        lost_from, lost_to: numbers of the lost entries; ``lost_from`` is ``lost_to + 1`` where none was lost.
        head: the newest head of the lost ledger that its owner signed and others have.
        witnesses: who showed that head.
        bundles: SHA-256 of the bundles that lost charges were taken from; they follow as ``reserved``.
        spent: what counts as spent: the charges found at others, or ``all`` of the lifetime budget for want of them.
        time: the writer's clock; a claim.
    """

    kind: Literal["recovered"] = "recovered"
    lost_from: int = Field(ge=1, le=1 << 53)
    lost_to: Sequence
    head: Digest
    witnesses: tuple[Name, ...] = Field(min_length=1, max_length=MOST_MEMBERS)
    bundles: tuple[Digest, ...] = Field(max_length=MOST_MEMBERS)
    spent: Literal["found", "all"]
    time: Time


Fact = Annotated[
    Opened
    | Reserved
    | Answered
    | Released
    | Failed
    | Evidence
    | ResultAccepted
    | RosterAccepted
    | Decided
    | Declined
    | Readmitted
    | LossesAccepted
    | Departed
    | Lost
    | Recovered,
    Field(discriminator="kind"),
]


class Entry(Noun):
    """One link of the chain.

    ``hash = SHA-256("cohortium/ledger/v1" || 0x00 || previous hash as 64 hex digits || 0x00 || body)`` where
    ``body`` is the canonical JSON of ``{"fact": ..., "salt": ..., "sequence": ...}``; the salt keeps a hash from
    being a dictionary of guessable facts. The first entry's previous hash is 64 zeros.
    """

    sequence: int = Field(ge=1, le=1 << 53)
    salt: str = Field(pattern=r"^[0-9a-f]{32}$")
    fact: Fact
