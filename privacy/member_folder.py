"""A member's keys and rosters on its own disk: the same for holders, the coordinator and auditors.

::

    keys/signing.pem, keys/node.pem     private keys, owner-only; next-*.pem while a rotation is under way
    request.json                        what this member asked to be listed as, signed
    rosters/roster-vN.json              every version that was accepted, as the coordinator signed it
    roster.json, ca.pem                 the newest of them, and the authority of the coordinator's server
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from privacy.errors import ConfigError, ProtocolError
from privacy.ledger import Ledger, RosterAccepted
from privacy.private_files import write_private
from privacy.private_keys import create_node_key, load_node_key, public_node_key
from privacy.protocol.identity import Declarations, Identity, Member, Role, Roster, Signed
from privacy.protocol.membership import (
    JoinRequest,
    KeyChange,
    Leave,
    RosterUpdate,
    Rotation,
    check_update,
    read_request,
    same_fingerprint,
)


def known_holders(rosters: Iterable[Roster]) -> int:
    """How many holders a federation has had in these versions of its roster, those that left included."""
    return len({holder for roster in rosters for holder in roster.holders})


class MemberFolder:
    """What a member of a federation has, whatever its role."""

    def __init__(self, root: Path) -> None:
        self.root = root

    # --- keys ------------------------------------------------------------------------------------------------------

    @property
    def signing_key(self) -> Path:
        """The private signing key."""
        return self.root / "keys" / "signing.pem"

    @property
    def node_key(self) -> Path:
        """The private key that the carrier knows a holder's node by."""
        return self.root / "keys" / "node.pem"

    def create(self, federation: str, name: str, role: Role, declarations: Declarations | None = None) -> Signed:
        """Make this member's keys, a holder's node's too, and its request to join.

        Raises:
            ConfigError: if there are keys already.
        """
        identity = Identity.create(name, self.signing_key)
        node_key = create_node_key(self.node_key) if role == "holder" else ""
        entry = Member(id=name, role=role, public_key=identity.public_key, node_key=node_key, declarations=declarations)
        return self._ask(federation, entry, identity)

    def declare(self, declarations: Declarations) -> Signed:
        """A new request with other declarations; keys and role stay. It is about the version in force here.

        Raises:
            ConfigError: if this folder has no request.
        """
        request, roster = self.request(), self.roster()
        news = {"declarations": declarations, "number": request.member.number + 1}
        entry = request.member.model_copy(update=news)
        return self._ask(request.federation, entry, self.identity(), answers=roster.digest if roster else "")

    def _ask(self, federation: str, member: Member, identity: Identity, *, answers: str = "") -> Signed:
        signed = identity.sign(JoinRequest(federation=federation, member=member, answers=answers))
        write_private(self.root / "request.json", signed.canonical())
        return signed

    def request(self) -> JoinRequest:
        """What this member asked to be listed as.

        Raises:
            ConfigError: if it never asked.
        """
        return read_request(self.signed_request())

    def signed_request(self) -> Signed:
        """The same, as it was signed.

        Raises:
            ConfigError: if it never asked.
        """
        path = self.root / "request.json"
        if not path.exists():
            raise ConfigError(f"{self.root} is no member's folder", hint="make keys and a request with `init` first")
        return Signed.parse(path.read_bytes())

    def identity(self) -> Identity:
        """This member's signing key.

        Raises:
            ConfigError: if there is none, or it cannot be opened.
        """
        name = self.request().member.id
        if self.has_left:
            raise ConfigError(f"{name} has left this federation, and its keys are gone")
        self._finish_rotation(name)
        return Identity.load(name, self.signing_key)

    def _finish_rotation(self, name: str) -> None:
        """Take new keys into use when the roster in force lists them, also after a crash half way."""
        following = _next(self.signing_key)
        roster = self.roster() if following.exists() else None
        listed = roster.member(name) if roster else None
        if listed is None or Identity.load(name, following).public_key != listed.public_key:
            return
        if _next(self.node_key).exists():
            _next(self.node_key).replace(self.node_key)
        following.replace(self.signing_key)  # the last: until then a rotation is under way

    # --- rosters -----------------------------------------------------------------------------------------------------

    def roster(self) -> Roster | None:
        """The roster in force here; None before the first."""
        path = self.root / "roster.json"
        return Roster.parse(path.read_bytes()) if path.exists() else None

    def joined(self, hint: str) -> Roster:
        """The roster in force here.

        Args:
            hint: what to do where there is none.

        Raises:
            ConfigError: if there is none.
        """
        roster = self.roster()
        if roster is None:
            raise ConfigError(f"there is no roster in {self.root}", hint=hint)
        return roster

    def updates(self) -> tuple[Signed, ...]:
        """Every version that was accepted here, as it was signed, oldest first."""
        paths = sorted((self.root / "rosters").glob("roster-v*.json"), key=_version)
        return tuple(Signed.parse(path.read_bytes()) for path in paths)

    def published(self) -> tuple[RosterUpdate, ...]:
        """What was signed in them, oldest first."""
        return tuple(RosterUpdate.parse(signed.body) for signed in self.updates())

    def rosters(self) -> tuple[Roster, ...]:
        """The rosters in them, newest first."""
        return tuple(update.roster for update in reversed(self.published()))

    def history(self) -> tuple[Roster, ...]:
        """All versions that were accepted here, newest first.

        Raises:
            ConfigError: if one is missing: without it nobody knows which keys were dropped.
        """
        rosters = self.rosters()
        missing = [str(newer.version - 1) for newer, older in pairwise(rosters) if newer.previous != older.digest]
        newest = self.roster()
        if newest is not None and (not rosters or rosters[0] != newest):
            missing.append(str(newest.version))
        if missing:
            raise ConfigError(
                f"version {', '.join(missing)} of the roster is not in {self.root / 'rosters'} as it was accepted",
                hint="put it back from a backup, or from another member's rosters/: they are the same",
            )
        return rosters

    def latest(self) -> RosterUpdate | None:
        """The newest accepted version; None before the first."""
        updates = self.updates()
        return RosterUpdate.parse(updates[-1].body) if updates else None

    def check(self, signed: Signed) -> RosterUpdate:
        """Everything about a new version that does not need a person.

        Raises:
            ProtocolError: if it is wrong, or does not list this member with the keys that are here.
        """
        update = check_update(signed, self.roster(), earlier=self.history())
        self._own_keys(update.roster)
        return update

    def accept(self, signed: Signed, typed: str) -> RosterUpdate:
        """Put a version in force.

        Args:
            signed: as it came from the coordinator.
            typed: the fingerprint that this member's operator was told by the other members.

        Raises:
            ProtocolError: if it is wrong, or the fingerprint is another one; nothing is changed.
        """
        update = self.check(signed)
        roster = update.roster
        if not same_fingerprint(typed, roster.digest):
            raise ProtocolError(
                "the fingerprint is not that of this file: somebody else was shown other keys, or it was misread",
                hint="read it to each other again, digit by digit; if it still differs, do not accept this roster",
            )
        self.put_in_force(signed, update)
        return update

    def put_in_force(self, signed: Signed, update: RosterUpdate) -> None:
        """Write a version that was accepted, or that this member published itself, and use the keys that it lists."""
        roster = update.roster
        write_private(self.root / "rosters" / f"roster-v{roster.version}.json", signed.canonical())
        write_private(self.root / "ca.pem", update.certificate.encode())
        write_private(self.root / "roster.json", roster.canonical())
        identity = self.identity()
        listed = roster.member(identity.member)
        if listed is not None and listed != self.request().member:
            self._ask(roster.federation, listed, identity)

    def _own_keys(self, roster: Roster) -> None:
        """Refuse a roster that lists this member with other keys than are here, today's or those that follow.

        What it declares is what it asked for last, or what the version in force says: a request may not have arrived.
        """
        own, before = self.request().member, self.roster()
        listed = roster.member(own.id)
        if listed is None:
            raise ProtocolError(f"this roster does not list {own.id}: it was removed from {roster.federation}")
        was = before.member(own.id) if before else None
        stated = {_stated(own), _stated(was) if was else _stated(own)}
        for rotated in (False, True):
            if _stated(listed) in stated and self._keys(own, rotated=rotated) == (listed.public_key, listed.node_key):
                return
        raise ProtocolError(
            f"this roster lists {own.id} otherwise than this folder's keys and request say",
            hint="somebody put something else in their place: do not accept it, and call the other members",
        )

    def _keys(self, own: Member, *, rotated: bool) -> tuple[str, str] | None:
        """Public keys of the private ones that are here; None where there are none."""
        signing = _next(self.signing_key) if rotated else self.signing_key
        node = _next(self.node_key) if rotated else self.node_key
        if not signing.exists():
            return None
        public = Identity.load(own.id, signing).public_key
        return public, public_node_key(load_node_key(node)) if own.node_key else ""

    def record_rosters(self, ledger: Ledger, me: str) -> None:
        """Write accepted versions that the ledger does not know into it."""
        for signed in self.updates():
            roster = RosterUpdate.parse(signed.body).roster
            own = roster.member(me)
            if own is not None and roster.digest not in ledger.state.rosters:
                ledger.append(
                    RosterAccepted(
                        version=roster.version, roster=roster.digest, previous=roster.previous, key=own.public_key
                    )
                )

    # --- change of keys, and leaving -----------------------------------------------------------------------------

    def rotate(self) -> KeyChange:
        """Make keys that will take the place of today's, and the word of the old key and of the new one for it.

        Today's stay in use until a version of the roster that lists the new ones is accepted. Asking again gives the
        same new keys.

        Raises:
            ConfigError: if this member is in no federation yet.
        """
        roster, request = self.roster(), self.request()
        own = roster.member(request.member.id) if roster else None
        if roster is None or own is None:
            raise ConfigError("there is no roster yet", hint="send request.json again instead, with new keys")
        new, node = _next(self.signing_key), _next(self.node_key)
        if own.node_key and not node.exists():
            create_node_key(node)
        if not new.exists():  # the last to be made: with it a rotation is under way
            Identity.create(own.id, new)
        following = Identity.load(own.id, new)
        rotation = Rotation(
            federation=roster.federation,
            member=own.id,
            old_key=own.public_key,
            new_key=following.public_key,
            node_key=public_node_key(load_node_key(node)) if own.node_key else "",
        )
        return KeyChange(rotation=self.identity().sign(rotation), possession=following.sign(rotation))

    def leave(self, checkpoint: Signed | None) -> Signed:
        """This member's word that it leaves; then its private keys are gone.

        Raises:
            ConfigError: if it is in no federation.
        """
        roster, identity = self.roster(), self.identity()
        if roster is None or roster.member(identity.member) is None:
            raise ConfigError(f"{self.root} is in no federation that could be left")
        signed = identity.sign(
            Leave(federation=roster.federation, member=identity.member, roster=roster.digest, checkpoint=checkpoint)
        )
        write_private(self.root / "leave.json", signed.canonical())
        for path in (self.signing_key, self.node_key):
            for key in (path, _next(path)):
                key.unlink(missing_ok=True)
        return signed

    @property
    def has_left(self) -> bool:
        """Whether this member left its federation."""
        return (self.root / "leave.json").exists()


def _stated(member: Member) -> tuple[str, Declarations | None, int]:
    """What a member is listed as, apart from its keys."""
    return member.role, member.declarations, member.number


def _next(path: Path) -> Path:
    return path.with_name(f"next-{path.name}")


def _version(path: Path) -> int:
    return int(path.stem.removeprefix("roster-v"))
