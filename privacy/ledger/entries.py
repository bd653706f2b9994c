"""What a ledger records: facts about questions, never counts, durations or anything else about customers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from privacy.accounting.events import GaussianSum
from privacy.contract.canonical import ExactDecimal, Noun

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Question(Noun):
    """Names one attempt of one question of one run. A holder answers at most one plan core under one of these."""

    run: str = Field(min_length=1, max_length=64)
    round: int = Field(ge=1)
    attempt: int = Field(ge=1)


class Opened(Noun):
    """First entry: whose ledger this is and the lifetime cap for one person. A later one changes the cap.

    A coordinator states no cap: its ledger plans by study, and the holders' ledgers are the guarantee.
    """

    kind: Literal["opened"] = "opened"
    owner: str
    role: Literal["holder", "coordinator"]
    epsilon: ExactDecimal | None = None
    delta: ExactDecimal | None = None


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
        assurance: ``integer`` for exact noise, ``float`` for floating-point noise, whose guarantee rests on its
            implementation as well.
        roster: digest of the roster in force.
        policy: digest of the policy that allowed it (the coordinator has none).
        software: release of cohortium.
        time: the writer's clock, seconds since 1970, UTC; a claim.
    """

    kind: Literal["reserved"] = "reserved"
    question: Question
    study: str
    study_digest: Digest
    core: Digest
    analysis: str
    title: str
    statistic: str
    statistic_digest: Digest
    event: GaussianSum
    records: int = Field(ge=1)
    placement: Literal["distributed", "local", "central"]
    holders: tuple[str, ...]
    colluding: int = Field(ge=1)
    sampler: str
    assurance: Literal["integer", "float"] = "integer"
    roster: Digest
    policy: str
    software: str
    time: int


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
    """An attempt ended without a release. Nothing is given back."""

    kind: Literal["failed"] = "failed"
    question: Question
    core: Digest
    reason: Literal["missing_answer", "mask_mismatch", "stopped"]


class Evidence(Noun):
    """Two contradicting statements signed by one party, kept for the auditor.

    Attributes:
        what: which rule they break together: two plans, or a plan and an answer, under one question.
        first, second: the signed statements, as they arrived.
    """

    kind: Literal["evidence"] = "evidence"
    what: Literal["equivocation"]
    first: str
    second: str


Fact = Annotated[Opened | Reserved | Answered | Released | Failed | Evidence, Field(discriminator="kind")]
FACT: TypeAdapter[Fact] = TypeAdapter(Fact)


class Entry(Noun):
    """One link of the chain.

    ``hash = SHA-256("cohortium/ledger/v1" || 0x00 || previous hash as 64 hex digits || 0x00 || body)`` where
    ``body`` is the canonical JSON of ``{"fact": ..., "salt": ..., "sequence": ...}``; the salt keeps a hash from
    being a dictionary of guessable facts. The first entry's previous hash is 64 zeros.
    """

    sequence: int = Field(ge=1)
    previous: Digest
    salt: str = Field(pattern=r"^[0-9a-f]{32}$")
    fact: Fact
