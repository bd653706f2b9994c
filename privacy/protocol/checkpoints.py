"""Signed heads of ledgers: made, read, and compared with what was seen of the same ledger before."""

from __future__ import annotations

from typing import Literal, NamedTuple

from privacy.errors import ProtocolError
from privacy.ledger import Head, HeadPath, Ledger
from privacy.ledger.paths import goes_on
from privacy.protocol.identity import Identity, Roster, Signed
from privacy.protocol.messages import Checkpoint

#: What may be wrong with a head, beside what was seen of the ledger before: it is shorter; it has another entry at that
#: length; it is longer, and does not show that it goes on from there.
Fault = Literal["older", "other", "unproved"]


class Shown(NamedTuple):
    """What a checkpoint says: how long a ledger is, and the root of its entries, empty before protocol 3."""

    head: Head
    root: str


def signed_checkpoint(identity: Identity, ledger: Ledger, head: Head | None = None) -> Signed:
    """The owner's word on its ledger as it is, or as it was at ``head``."""
    sequence, value = head or ledger.head
    return identity.sign(Checkpoint(member=identity.member, sequence=sequence, head=value, root=ledger.root(sequence)))


def read_checkpoint(signed: Signed, roster: Roster, owner: str) -> Shown:
    """What a checkpoint says.

    Raises:
        ProtocolError: if it is not ``owner``'s signed word on its own ledger.
    """
    checkpoint = signed.open(Checkpoint, roster, signer=owner)
    if checkpoint.member != owner:
        raise ProtocolError(f"{owner} shows a head of somebody else's ledger")
    return Shown(Head(checkpoint.sequence, checkpoint.head), checkpoint.root)


def compared(before: Head | None, head: Head) -> Fault | None:
    """What is wrong with a head that comes without a path. Nobody may remember it in the place of ``before``."""
    if before is None or head.sequence > before.sequence or head == before:
        return None
    return "older" if head.sequence < before.sequence else "other"


def taken(before: Head | None, shown: Shown, path: HeadPath | None) -> Fault | None:
    """What stands against remembering a head in the place of ``before``."""
    fault = compared(before, shown.head)
    if fault is not None or before is None or shown.head == before:
        return fault
    return None if path is not None and goes_on(before, shown.head, shown.root, path) else "unproved"
