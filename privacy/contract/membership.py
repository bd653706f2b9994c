"""How a roster comes about and changes: what members sign, and what each of them checks before it accepts a version.

The roster does not rest on the coordinator's word. A version comes as a :class:`RosterUpdate` that the coordinator of
the version before signed; every added member's key comes with that member's own signed request, every changed key with
a rotation that the old key signed; and a member accepts it only when its operator has compared the fingerprint with the
other members' over a channel that the coordinator does not control. Who holds the same fingerprint holds the same keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from privacy.contract.canonical import Noun
from privacy.contract.identity import Member, NodeKey, PublicKey, Roster, Signed
from privacy.contract.study import Slug
from privacy.errors import ProtocolError
from privacy.ledger.entries import Digest

#: Decimal digits in a fingerprint: 132 bits, so that two rosters of one fingerprint take about 2^66 tries to find.
_GROUPS, _GROUP = 8, 5


class JoinRequest(Noun):
    """A party's request to be a member, or a member's new declarations; signed with the key that it names.

    Attributes:
        federation: which federation it wants to be in.
        member: the entry of the roster that it asks for.
    """

    federation: Slug
    member: Member


class Rotation(Noun):
    """A member's word that a new key takes the place of an old one; signed with the **old** key.

    Attributes:
        old_key, new_key: signing keys.
        node_key: the node's key from then on; the old one where it stays.
    """

    federation: Slug
    member: Slug
    old_key: PublicKey
    new_key: PublicKey
    node_key: NodeKey = ""


class Leave(Noun):
    """A member's word that it leaves; its keys count for nothing after the next version of the roster.

    Attributes:
        roster: digest of the roster that it leaves.
        checkpoint: its ledger as it stands, signed; None for a member without one.
    """

    federation: Slug
    member: Slug
    roster: Digest
    checkpoint: Signed | None = None


class RosterUpdate(Noun):
    """A version of the roster with everything that shows it to be right; signed by the coordinator of the one before.

    Attributes:
        requests: signed requests of members that were added, or declare something else.
        rotations: signed rotations of members whose keys changed.
        leaves: signed words of members that left by themselves.
        address: ``host:port`` where members' nodes reach the coordinator.
        certificate: PEM text of the authority whose certificate the coordinator's server shows.
    """

    roster: Roster
    requests: tuple[Signed, ...] = ()
    rotations: tuple[Signed, ...] = ()
    leaves: tuple[Signed, ...] = ()
    address: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:\[\]-]{1,255}:[0-9]{1,5}$")]
    certificate: Annotated[str, Field(max_length=10_000)]


class Change(Noun):
    """One difference between two versions of a roster, for people.

    Attributes:
        what: ``added``, ``removed``, ``left`` (removed at its own word), ``key`` (a rotated key), ``declarations``.
        member: whose.
        role: the member's.
    """

    what: Literal["added", "removed", "left", "key", "declarations"]
    member: Slug
    role: str


def fingerprint(digest: str) -> str:
    """Eight groups of five decimal digits for a digest or a public key: read aloud, alike in every language.

    Args:
        digest: 64 hexadecimal digits.
    """
    number = int.from_bytes(hashlib.sha256(b"cohortium/fingerprint/v1\x00" + bytes.fromhex(digest)).digest())
    digits = str(number % 10 ** (_GROUPS * _GROUP)).zfill(_GROUPS * _GROUP)
    return " ".join(digits[start : start + _GROUP] for start in range(0, len(digits), _GROUP))


def same_fingerprint(typed: str, digest: str) -> bool:
    """Whether what somebody typed is the fingerprint of a digest; only the digits count."""
    return "".join(filter(str.isdecimal, typed)) == fingerprint(digest).replace(" ", "")


def read_request(signed: Signed) -> JoinRequest:
    """A request whose sender holds the key that it names.

    Raises:
        ProtocolError: if it does not.
    """
    request = JoinRequest.parse(signed.body)
    if signed.signer != request.member.id:
        raise ProtocolError("the request is signed in another name than it is for")
    return signed.open_with(JoinRequest, request.member.public_key)


def changes(before: Roster | None, update: RosterUpdate) -> tuple[Change, ...]:
    """What a version changes, sorted by member; everybody is new in the first.

    Raises:
        ProtocolError: if a member changes its role.
    """
    left = {statement.signer for statement in update.leaves}
    known = {member.id: member for member in before.members} if before else {}
    found = []
    for member in update.roster.members:
        was = known.pop(member.id, None)
        if was is None:
            found.append(Change(what="added", member=member.id, role=member.role))
            continue
        if was.role != member.role:
            raise ProtocolError(f"{member.id} changes from {was.role} to {member.role}, which no version may do")
        if (was.public_key, was.node_key) != (member.public_key, member.node_key):
            found.append(Change(what="key", member=member.id, role=member.role))
        if was.declarations != member.declarations:
            found.append(Change(what="declarations", member=member.id, role=member.role))
    for name, member in known.items():
        found.append(Change(what="left" if name in left else "removed", member=name, role=member.role))
    return tuple(sorted(found, key=lambda change: change.member))


def check_update(signed: Signed, before: Roster | None) -> RosterUpdate:
    """Read a version of the roster, and check everything that does not need a person.

    Args:
        signed: as it came.
        before: the version that this member accepted last; None where this is its first. A member that joins later
            starts with the version that names it, whichever its number: it has no keys that could have been changed.

    Raises:
        ProtocolError: saying what is wrong with it.
    """
    claimed = RosterUpdate.parse(signed.body)
    roster = claimed.roster
    judge = before or roster  # for the first version, trust rests on the comparison of fingerprints alone
    update = signed.open_with(RosterUpdate, judge.key_of(judge.coordinator))
    if signed.signer != judge.coordinator:
        raise ProtocolError("the roster is not signed by the coordinator")
    if before is not None:
        _check_succession(before, roster)
    requests = _by_signer(update.requests, "requests")
    rotations = _by_signer(update.rotations, "rotations")
    for change in changes(before, update):
        member = roster.member(change.member)
        if member is None:
            _check_leave(change, update, before)
        elif change.what == "added" and before is None and roster.version > 1 and member.id not in requests:
            continue  # it was added in a version before this member's time; the fingerprint is what counts
        elif change.what == "key":
            _check_rotation(member, before, rotations.get(member.id), roster.federation)
        else:
            _check_request(member, requests.get(member.id), roster.federation)
    return update


def _check_succession(before: Roster, roster: Roster) -> None:
    if roster.federation != before.federation:
        raise ProtocolError(f"this is the roster of {roster.federation}, and this member is in {before.federation}")
    if roster.version <= before.version:
        raise ProtocolError(f"this is version {roster.version} of the roster, and version {before.version} is in force")
    if roster.version != before.version + 1:
        raise ProtocolError(
            f"this is version {roster.version} of the roster and version {before.version} is in force here",
            hint=f"accept version {before.version + 1} first; ask the coordinator's operator for it",
        )
    if roster.previous != before.digest:
        raise ProtocolError("this roster does not follow the one that is in force here: another history is being shown")


def _by_signer(statements: Iterable[Signed], what: str) -> dict[str, Signed]:
    found: dict[str, Signed] = {}
    for statement in statements:
        if statement.signer in found:
            raise ProtocolError(f"two {what} of one member come with the roster")
        found[statement.signer] = statement
    return found


def _check_request(member: Member, signed: Signed | None, federation: str) -> None:
    if signed is None:
        raise ProtocolError(f"the roster lists {member.id} without that member's own signed request")
    request = signed.open_with(JoinRequest, member.public_key)
    if request.member != member or request.federation != federation:
        raise ProtocolError(f"the roster lists {member.id} otherwise than that member asked for")


def _check_rotation(member: Member, before: Roster | None, signed: Signed | None, federation: str) -> None:
    was = before.member(member.id) if before else None
    if was is None or signed is None:
        raise ProtocolError(f"the key of {member.id} is another one, and its old key did not sign that")
    rotation = signed.open_with(Rotation, was.public_key)
    wanted = (federation, member.id, was.public_key, member.public_key, member.node_key)
    if (rotation.federation, rotation.member, rotation.old_key, rotation.new_key, rotation.node_key) != wanted:
        raise ProtocolError(f"the new key of {member.id} is not the one that its old key signed")
    if (was.role, was.declarations) != (member.role, member.declarations):
        raise ProtocolError(f"{member.id} changes more than its key at once")


def _check_leave(change: Change, update: RosterUpdate, before: Roster | None) -> None:
    """A member may be removed by the coordinator; but nobody is said to have left by itself who did not say so."""
    if change.what != "left" or before is None:
        return
    signed = next(statement for statement in update.leaves if statement.signer == change.member)
    leave = signed.open(Leave, before, signer=change.member)
    if (leave.member, leave.roster, leave.federation) != (change.member, before.digest, before.federation):
        raise ProtocolError(f"the word of {change.member} that it leaves is about another roster")
