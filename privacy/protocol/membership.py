"""How a roster comes about and changes: what members sign, and what each of them checks before it accepts a version.

The roster does not rest on the coordinator's word. A version comes as a :class:`RosterUpdate` that the coordinator of
the version before signed; every added member's key comes with that member's own signed request, every changed key with
a rotation that the old key and the new one signed; no key that a version dropped comes back, and no request counts
twice; and a member accepts it only when its operator has compared the fingerprint with the other members' over a
channel that the coordinator does not control. Who holds the same fingerprint holds the same keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from privacy.errors import ProtocolError
from privacy.kernel.canonical import Noun, since
from privacy.kernel.limits import MOST_MEMBERS, Name
from privacy.kernel.terms import Slug
from privacy.ledger.entries import Digest
from privacy.protocol.identity import Member, NodeKey, PublicKey, Roster, Signed, SignedStatements

#: Decimal digits in a fingerprint: 132 bits, so that two rosters of one fingerprint take about 2^66 tries to find.
_GROUPS, _GROUP = 8, 5

#: By which rules a version is made: 1 are those of release 0.1.0; since 2 rotations come with the new key's word,
#: requests have a number and name the roster that they answer, and keys do not come back.
RULES = 2


class JoinRequest(Noun):
    """A party's request to be a member, or a member's new declarations; signed with the key that it names.

    Attributes:
        federation: which federation it wants to be in.
        member: the entry of the roster that it asks for.
        answers: digest of the roster in force that it wants changed; empty for a newcomer, who has none.
    """

    federation: Slug
    member: Member
    answers: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = since("0.2.0", "")


class Rotation(Noun):
    """A member's word that a new key takes the place of an old one; signed with the **old** key and with the new one.

    Attributes:
        old_key, new_key: signing keys.
        node_key: the node's key from then on; the old one where it stays.
    """

    federation: Slug
    member: Slug
    old_key: PublicKey
    new_key: PublicKey
    node_key: NodeKey = ""


class KeyChange(Noun):
    """What a member sends to change its keys: a :class:`Rotation`, twice.

    Attributes:
        rotation: signed with the old key.
        possession: the same, signed with the new key: who sent it has it.
    """

    rotation: Signed
    possession: Signed


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
        rotations: rotations of members whose keys changed, signed with the old keys.
        possessions: the same rotations, signed with the new keys.
        leaves: signed words of members that left by themselves.
        address: ``host:port`` where members' nodes reach the coordinator.
        certificate: PEM text of the authority whose certificate the coordinator's server shows; of two, while one takes
            the other's place.
        rules: by which rules it is made, see ``RULES``.
    """

    roster: Roster
    requests: SignedStatements = ()
    rotations: SignedStatements = ()
    leaves: SignedStatements = ()
    address: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:\[\]-]{1,255}:[0-9]{1,5}$")]
    certificate: Annotated[str, Field(max_length=10_000)]
    possessions: tuple[Signed, ...] = since("0.2.0", (), max_length=MOST_MEMBERS)
    rules: int = since("0.2.0", 1, ge=1, le=1000)


class Change(Noun):
    """One difference between two versions of a roster, for people.

    Attributes:
        what: ``added``, ``removed``, ``left`` (removed at its own word), ``key`` (a rotated key), ``declarations``.
        member: whose.
        role: the member's.
    """

    what: Literal["added", "removed", "left", "key", "declarations"]
    member: Slug
    role: Name


def fingerprint(digest: str) -> str:
    """Eight groups of five decimal digits for a digest or a public key: read aloud, alike in every language.

    Args:
        digest: 64 hexadecimal digits.
    """
    return _spoken(b"cohortium/fingerprint/v1\x00", digest)


def result_fingerprint(digest: str) -> str:
    """The same for the text of a result; one of a roster never looks like one of a result.

    Who hands out two results picks both texts, so all eight groups are compared: four would be 2^33 tries.

    Args:
        digest: SHA-256 of the text that was handed out, 64 hexadecimal digits.
    """
    return _spoken(b"cohortium/result-fingerprint/v1\x00", digest)


def _spoken(domain: bytes, digest: str) -> str:
    number = int.from_bytes(hashlib.sha256(domain + bytes.fromhex(digest)).digest())
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
        if (was.declarations, was.number) != (member.declarations, member.number):
            found.append(Change(what="declarations", member=member.id, role=member.role))
    for name, member in known.items():
        found.append(Change(what="left" if name in left else "removed", member=name, role=member.role))
    return tuple(sorted(found, key=lambda change: change.member))


def check_update(
    signed: Signed, before: Roster | None, *, earlier: Sequence[Roster] = (), least: int = RULES
) -> RosterUpdate:
    """Read a version of the roster, and check everything that does not need a person.

    Args:
        signed: as it came.
        before: the version that this member accepted last; None where this is its first. A member that joins later
            starts with the version that names it, whichever its number: it has no keys that could have been changed.
        earlier: all versions that this member accepted, in any order: no key in them that is gone comes back.
        least: rules that it must be made by at least; 1 where the history of an earlier release is read.

    Raises:
        ProtocolError: saying what is wrong with it.
    """
    claimed = RosterUpdate.parse(signed.body)
    roster = claimed.roster
    judge = before or roster  # for the first version, trust rests on the comparison of fingerprints alone
    update = signed.open_with(RosterUpdate, judge.key_of(judge.coordinator))
    if signed.signer != judge.coordinator:
        raise ProtocolError("the roster is not signed by the coordinator")
    if not least <= update.rules <= RULES:
        raise ProtocolError(
            "the roster is made by the rules of another release",
            hint="the coordinator and the members upgrade together",
        )
    if before is not None:
        _check_succession(before, roster)
    strict = update.rules >= 2
    if strict:
        check_no_return(roster.members, before, earlier)
    requests = _by_signer(update.requests, "requests")
    rotations = _by_signer(update.rotations, "rotations")
    possessions = _by_signer(update.possessions, "words of a new key")
    for change in changes(before, update):
        member = roster.member(change.member)
        was = before.member(change.member) if before else None
        if member is None:
            _check_leave(change, update, before)
        elif change.what == "added" and before is None and roster.version > 1 and member.id not in requests:
            continue  # it was added in a version before this member's time; the fingerprint is what counts
        elif change.what == "key":
            rotation = _check_rotation(member, was, rotations.get(member.id), roster.federation)
            if strict:
                check_possession(rotation, possessions.get(member.id))
        else:
            request = _check_request(member, requests.get(member.id), roster.federation)
            if strict:
                check_fresh(request, before)
    return update


def check_no_return(members: Iterable[Member], before: Roster | None, earlier: Sequence[Roster]) -> None:
    """No key comes back: one that was listed once is still the same member's, or gone for ever.

    Args:
        members: who are to be listed.
        before: the version in force.
        earlier: versions in force before it, as far as they are known.

    Raises:
        ProtocolError: naming a member whose key was another's, or was dropped.
    """
    known = [member for roster in (*earlier, *([before] if before else [])) for member in roster.members]
    used = {key for member in known for key in (member.public_key, member.node_key) if key}
    for member in members:
        was = before.member(member.id) if before else None
        kept = {was.public_key, was.node_key} if was else set()
        if {member.public_key, member.node_key} & used - kept:
            raise ProtocolError(
                f"a key of {member.id} was listed before and dropped, or is another member's: no key comes back",
                hint="the member makes new keys, in a new folder",
            )


def check_possession(rotation: Rotation, signed: Signed | None) -> None:
    """A rotation is also signed with the new key.

    Raises:
        ProtocolError: if it is not.
    """
    if signed is None or signed.open_with(Rotation, rotation.new_key) != rotation:
        raise ProtocolError(f"the new key of {rotation.member} did not sign that it takes the old one's place")


def check_fresh(request: JoinRequest, before: Roster | None) -> None:
    """A request counts once: its number has grown, and it is about the version in force.

    Raises:
        ProtocolError: if it is an old one.
    """
    name = request.member.id
    was = before.member(name) if before else None
    if was is not None and request.member.number <= was.number:
        raise ProtocolError(f"the request of {name} is an old one: its number has not grown")
    wanted = {before.digest} if before and was is not None else {before.digest, ""} if before else {request.answers}
    if request.answers not in wanted:
        raise ProtocolError(
            f"the request of {name} is about another version of the roster than the one in force",
            hint="the member joins that version first, and asks again (`cohortium holder declare`)",
        )


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


def _check_request(member: Member, signed: Signed | None, federation: str) -> JoinRequest:
    if signed is None:
        raise ProtocolError(f"the roster lists {member.id} without that member's own signed request")
    request = signed.open_with(JoinRequest, member.public_key)
    if request.member != member or request.federation != federation:
        raise ProtocolError(f"the roster lists {member.id} otherwise than that member asked for")
    return request


def _check_rotation(member: Member, was: Member | None, signed: Signed | None, federation: str) -> Rotation:
    if was is None or signed is None:
        raise ProtocolError(f"the key of {member.id} is another one, and its old key did not sign that")
    rotation = signed.open_with(Rotation, was.public_key)
    wanted = (federation, member.id, was.public_key, member.public_key, member.node_key)
    if (rotation.federation, rotation.member, rotation.old_key, rotation.new_key, rotation.node_key) != wanted:
        raise ProtocolError(f"the new key of {member.id} is not the one that its old key signed")
    if (was.role, was.declarations, was.number) != (member.role, member.declarations, member.number):
        raise ProtocolError(f"{member.id} changes more than its key at once")
    return rotation


def _check_leave(change: Change, update: RosterUpdate, before: Roster | None) -> None:
    """A member may be removed by the coordinator; but nobody is said to have left by itself who did not say so."""
    if change.what != "left" or before is None:
        return
    signed = next(statement for statement in update.leaves if statement.signer == change.member)
    leave = signed.open(Leave, before, signer=change.member)
    if (leave.member, leave.roster, leave.federation) != (change.member, before.digest, before.federation):
        raise ProtocolError(f"the word of {change.member} that it leaves is about another roster")
