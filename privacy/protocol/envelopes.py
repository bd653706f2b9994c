"""What carries statements between the coordinator and the holders, with what need not be signed."""

from __future__ import annotations

from pydantic import Field

from privacy.kernel.canonical import Noun, since
from privacy.kernel.limits import MOST_MEMBERS, MOST_WORDS, vector_text
from privacy.kernel.terms import Slug
from privacy.ledger import HeadPath
from privacy.ledger.entries import Digest, EntryNumber
from privacy.protocol.identity import Signed
from privacy.protocol.messages import Attachment

#: Entries of its own ledger from which a party is asked for paths at once; see ``docs/protocol.md``.
MOST_PATHS = 64


class Request(Noun):
    """What the coordinator sends: one signed statement, and what need not be signed.

    Attributes:
        statement: signed HelloRequest, ReadyRequest, AnswerRequest, FinishRequest or WitnessRequest.
        since: entries of the receiver's ledger that others remember; a hint from where it should show a path.
        paths: how the ledgers that the statement shows go on from what the receiver remembers of them, by owner.
        attachments: texts that the statement names by their SHA-256.
    """

    statement: Signed
    since: tuple[EntryNumber, ...] = Field(default=(), max_length=MOST_PATHS)
    paths: dict[Slug, HeadPath] = Field(default={}, max_length=MOST_MEMBERS)
    attachments: dict[Digest, Attachment] = Field(default={}, max_length=MOST_MEMBERS)


class Reply(Noun):
    """What a holder sends back: one signed statement, and what need not be signed.

    Attributes:
        statement: signed Hello, Ready, Opening, Contribution, Finished, Witnessed or Refusal.
        vector: base64 of little-endian uint64, only with a Contribution.
        paths: how the ledger in the statement's checkpoint goes on from earlier entries.
        since: the newest entry that this holder remembers of each other party's ledger, beside a Hello; a hint.
    """

    statement: Signed
    vector: str = Field(default="", max_length=vector_text(MOST_WORDS))
    paths: tuple[HeadPath, ...] = since("0.2.0", (), max_length=MOST_PATHS)
    since: dict[Slug, EntryNumber] = since("0.2.0", {}, max_length=MOST_MEMBERS)
