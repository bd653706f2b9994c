"""What moves between the coordinator and the holders. Everything is signed; nothing is free-form."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from privacy.accounting.sampled import Event, MaskedAgain
from privacy.analyses.catalogue import AnyStatistic
from privacy.kernel.canonical import Noun, since
from privacy.kernel.feeds import Declared
from privacy.kernel.limits import ATTACHMENTS, MOST_MEMBERS, RunId, Time
from privacy.kernel.terms import Slug
from privacy.ledger.entries import Digest, EntryNumber, Question
from privacy.mechanisms.gaussian import SumMechanism
from privacy.protocol.identity import Signed, SignedStatements
from privacy.protocol.study import Study
from privacy.statistics import ContributionBound

#: Results that a HELLO names, and runs of one study whose answers are in one result.
MAX_UNWITNESSED, MAX_RUNS_OF_A_RESULT = 8, 100

#: Version of the protocol; holders and coordinator must agree.
PROTOCOL = 3

#: Last protocol in which ``mechanism = "opacus"`` drew floating-point noise, from a generator of 2^32 states.
FLOAT_NOISE_UNTIL = 2


#: Reasons that may leave a holder. No row can influence which one it is: everything that is not about files'
#: form, policy, budget, versions or the order of messages is ``declined``.
RefusalCode = Literal[
    "schema",
    "policy",
    "budget",
    "version",
    "busy",
    "stale",
    "unknown_run",
    "equivocation",
    "already_answered",
    "approval",
    "hours",
    "mismatch",
    "declined",
]

#: Form of check words: four words, or nothing in a statement of an earlier protocol.
CHECK = r"^([0-9a-f]{64})?$"

Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

#: A text that is carried beside the statement that names its digest.
Attachment = Annotated[str, Field(max_length=ATTACHMENTS)]


class Checkpoint(Noun):
    """A party's word on how long its ledger is, and the hash of its last entry.

    Attributes:
        root: of the hash tree over all entries' hashes; empty before protocol 3, and then it proves nothing.
    """

    member: Slug
    sequence: EntryNumber
    head: Digest
    root: Digest | Literal[""] = since("0.2.0", "")


# --- statements of a holder ------------------------------------------------------------------------------------


class HandedOut(Noun):
    """What a run handed out, in one party's word.

    Attributes:
        run: under which the questions were asked.
        made_by: the run that made the result: the same one, or a later one of the same study.
        finish: digest of the signed FINISH; one for each (run, made_by), alike for all holders.
        result: SHA-256 of the result's text; None where the run ended without one.
    """

    run: RunId
    made_by: RunId
    finish: Digest
    result: Digest | None

    def contradicts(self, other: HandedOut) -> bool:
        """Whether no honest coordinator can have handed out both: one FINISH a run, and one text for all of them.

        Results that different runs made are different results, also of one study: they contradict nothing.
        """
        if self.made_by != other.made_by:
            return False
        return self.finish != other.finish if self.run == other.run else self.result != other.result


class Hello(Noun):
    """A holder's word that it takes part in a run, once per run and process.

    Attributes:
        mask_key: fresh X25519 public key, whose private half stays in the process's memory.
        nonce: 32 random bytes.
        checkpoint: the holder's ledger as it stands.
        expires: seconds since 1970, UTC.
        time: the holder's clock when it said this; 0 in statements of release 0.1.
        unwitnessed: the newest results that not all holders are known to have been handed alike, newest first.
        feeds: of the feeds and roles that the study's declared tables read, those that the holder has, by its own
            declaration; no row is looked at. Empty where the study declares no tables.
    """

    protocol: int = Field(ge=0, le=1_000_000)
    federation: Slug
    roster: Digest
    study: Digest
    run: RunId
    holder: Slug
    mask_key: Hex32
    nonce: Hex32
    checkpoint: Signed
    expires: Time
    time: Time = since("0.2.0", 0)
    unwitnessed: tuple[HandedOut, ...] = since("0.2.0", (), max_length=MAX_UNWITNESSED)
    feeds: Declared = since("0.2.0", {})


class Ready(Noun):
    """A holder's word that it would answer exactly this core. Costs nothing and depends on no row.

    Attributes:
        check: the check words with which its answer will end; empty before protocol 3, and then not taken.
        checkpoint: its ledger as it stands; None before protocol 3, and then it is not taken.
    """

    holder: Slug
    core: Digest
    check: str = since("0.2.0", "", pattern=CHECK)
    checkpoint: Signed | None = since("0.2.0", None)


class Contribution(Noun):
    """A holder's answer: which core, the digest of the masked vector, and its ledger after the charge.

    Attributes:
        check: the check words with which the vector ends; its READY has announced the same.
    """

    holder: Slug
    core: Digest
    payload: Digest
    checkpoint: Signed
    check: str = since("0.2.0", "", pattern=CHECK)


class Opening(Noun):
    """A holder's check keys for one core, which it then never answers. They mask nothing but zeros.

    Attributes:
        keys: each other participant to the check key shared with it.
    """

    holder: Slug
    core: Digest
    keys: dict[Slug, Hex32] = Field(max_length=MOST_MEMBERS)


class Refusal(Noun):
    """A holder's no.

    Attributes:
        request: SHA-256 of the bytes of the request that it answers; empty in statements of release 0.1.
    """

    holder: Slug
    code: RefusalCode
    request: Digest | Literal[""] = since("0.2.0", "")


class Finished(Noun):
    """A holder's word that it recorded the releases of a run.

    Attributes:
        checkpoint: its ledger after that.
        heads: the heads of all parties that it was shown and keeps: with this it countersigns them.
        charged: cores that its ledger has charged for the run's study, sorted; all of them were asked of it.
        handed: what it was handed; None before release 0.2.
    """

    holder: Slug
    run: RunId
    checkpoint: Signed
    heads: tuple[Checkpoint, ...] = Field(max_length=MOST_MEMBERS)
    charged: tuple[Digest, ...] = Field(max_length=10_000)
    handed: HandedOut | None = since("0.2.0", None)


class Witnessed(Noun):
    """A holder's word that everybody whom it was shown was handed the same as itself.

    Attributes:
        handed: its own word on what a run made: one for each run whose answers it has a part in.
        agreed: whose signed ``Finished`` it saw and found alike, sorted.
    """

    holder: Slug
    handed: tuple[HandedOut, ...] = Field(min_length=1, max_length=MAX_RUNS_OF_A_RESULT)
    agreed: tuple[Slug, ...] = Field(max_length=MOST_MEMBERS)


# --- statements of the coordinator -----------------------------------------------------------------------------


class Participant(Noun):
    """One holder in a plan core.

    Attributes:
        hello: digest of its signed HELLO.
        checkpoint: its last signed checkpoint that the coordinator has seen.
    """

    holder: Slug
    hello: Digest
    checkpoint: Signed


class PlanCore(Noun):
    """What all participants see alike; masks are bound to its digest.

    Attributes:
        question: run, round and attempt.
        title: the question's name, for people.
        statistic: with every public parameter.
        bound: as the coordinator computed it; holders recompute it.
        mechanism: noise, m, t and placement.
        records: k, how many records of one person may be in the sum.
        participants: sorted by holder.
        coordinator: the coordinator's own signed checkpoint. Who confirms a core countersigns all heads in it.
        code: digest of the contract's source code that every study rests on (``privacy.protocol.code``).
        expires: seconds since 1970, UTC.
        analysis_code: digest of the source code of the analysis' room.
        updates_of: digest of the core of an earlier attempt, where holders answer with the trainings that they made for
            it, masked again for those that are left; empty where they train.
    """

    protocol: int = Field(ge=0, le=1_000_000)
    federation: Slug
    roster: Digest
    study: Digest
    question: Question
    analysis: str = Field(max_length=40)
    title: str = Field(max_length=80)
    statistic: AnyStatistic
    bound: ContributionBound
    mechanism: SumMechanism
    records: int = Field(ge=1, le=1000)
    participants: tuple[Participant, ...] = Field(min_length=2, max_length=1000)
    coordinator: Signed
    code: Digest
    expires: Time
    analysis_code: Digest | Literal[""] = since("0.2.0", "")
    updates_of: Digest | Literal[""] = since("0.2.0", "")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        names = [participant.holder for participant in self.participants]
        if names != sorted(set(names)):
            raise ValueError("participants must be sorted, each once")
        return self

    @property
    def event(self) -> Event:
        """What answering it costs, as facts."""
        training = self.statistic.training
        if training is None:
            return self.mechanism.event(self.statistic.bound, self.statistic.dim)
        return MaskedAgain(core=self.updates_of) if self.updates_of else training

    @property
    def holders(self) -> tuple[str, ...]:
        """Who takes part, sorted."""
        return tuple(participant.holder for participant in self.participants)


class HelloRequest(Noun):
    """Asks a holder to take part in a run of a study.

    Attributes:
        code: digest of the contract's source code that every study rests on.
        expires: seconds since 1970, UTC.
        analyses: the same of the room of each analysis that the study names.
    """

    protocol: int = Field(ge=0, le=1_000_000)
    federation: Slug
    roster: Digest
    run: RunId
    study: Study
    code: Digest
    expires: Time
    analyses: dict[Slug, Digest] = since("0.2.0", {}, max_length=16)


class ReadyRequest(Noun):
    """Shows a holder the plan core and the HELLOs that it names."""

    core: PlanCore
    hellos: SignedStatements


class OpenRequest(Noun):
    """Asks for the check keys of a core whose check words do not add up, before anybody was asked to answer it."""

    core: Digest


class AnswerRequest(Noun):
    """Asks for the answer, with everybody's READY."""

    question: Question
    core: Digest
    readies: SignedStatements


class ReleaseText(Noun):
    """A release in full, as it is attached to a FINISH; its digest is what ledgers record.

    Attributes:
        values: decimal text of int64, separated by spaces.
    """

    core: Digest
    values: Attachment


class ReleaseDigest(Noun):
    """Which core led to which release: the digest of a :class:`ReleaseText`."""

    question: Question
    core: Digest
    release: Digest


class FinishRequest(Noun):
    """Ends a run: what was released, and what came out, by their digests; alike for all holders, who keep it.

    The texts are attached to the request: the result as the coordinator reads it (JSON, for the holder's people), and
    each release that the receiver has a part in, unless the study withholds totals.

    Attributes:
        run: under which the questions were asked.
        made_by: the run that made the result: the same one, or a later one of the same study.
        releases: all of the run that the result rests on.
        result: SHA-256 of its text; None where the run ended without one.
        heads: newest signed checkpoints of all participants and of the coordinator.
    """

    run: RunId
    made_by: RunId
    study: Digest
    releases: tuple[ReleaseDigest, ...] = Field(max_length=10_000)
    result: Digest | None
    heads: SignedStatements

    @property
    def says_nothing(self) -> bool:
        """Whether it only ends the run: nothing was released and nothing came out, so there is nothing to keep."""
        return self.result is None and not self.releases


class WitnessRequest(Noun):
    """Shows every holder what all holders confirmed, so that each of them can compare.

    Attributes:
        made_by: the run that made the result.
        finished: signed Finished, one a holder and run.
    """

    made_by: RunId
    finished: SignedStatements


def release_digest(core: str, values: str) -> str:
    """Digest of a release: the core it answers and its values."""
    return ReleaseText(core=core, values=values).digest
