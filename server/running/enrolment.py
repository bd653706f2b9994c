"""The coordinator's side of membership: collect what members signed, and publish the next version of the roster.

Requests, rotations and leaves wait in ``enrolment/`` until they are published together. Publishing changes nothing at
any other member: each of them accepts the file by itself, after its operator has compared the fingerprint.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from privacy.errors import ConfigError, ProtocolError
from privacy.kernel.canonical import Noun, read_toml
from privacy.kernel.terms import Slug
from privacy.member_folder import MemberFolder
from privacy.presentation.numbers import many
from privacy.private_files import write_private
from privacy.protocol.code import kernel_code
from privacy.protocol.identity import Roster, Signed
from privacy.protocol.membership import (
    RULES,
    JoinRequest,
    KeyChange,
    Leave,
    RosterUpdate,
    Rotation,
    check_fresh,
    check_no_return,
    check_possession,
    check_update,
    read_request,
)
from server.flower.certificates import write_certificates
from server.running.on_end import OnEnd
from server.running.renewal import Renewal

NAME = "coordinator.toml"


class CoordinatorConfig(Noun):
    """``coordinator.toml``.

    Attributes:
        federation: its name.
        coordinator: this member's short name.
        address: ``host:port`` that members' nodes connect to; the host is in the server's certificate.
        listen: ``host:port`` that the gateway listens on, where that is another one (behind a router, in a container).
    """

    federation: Slug
    coordinator: Slug
    address: str = Field(pattern=r"^[A-Za-z0-9.:\[\]-]{1,255}:[0-9]{1,5}$")
    listen: str | None = Field(default=None, pattern=r"^[A-Za-z0-9.:\[\]-]{1,255}:[0-9]{1,5}$")
    on_end: OnEnd | None = None

    @property
    def host(self) -> str:
        """The host of ``address``."""
        return self.address.rpartition(":")[0].strip("[]")


class Enrolment:
    """What waits for the next version of the roster, in a coordinator's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.member = MemberFolder(root)

    @classmethod
    def create(cls, root: Path, config: CoordinatorConfig, *, days: int = 825) -> Enrolment:
        """Make a coordinator's folder: configuration, signing key, certificate authority and server certificate.

        Args:
            days: how long the server's certificate is valid.

        Raises:
            ConfigError: if it is one already.
        """
        path = root / NAME
        if path.exists():
            raise ConfigError(f"{path} exists: this folder is a coordinator's already")
        enrolment = cls(root)
        enrolment.member.create(config.federation, config.coordinator, "coordinator")
        write_certificates(root / "keys", host=config.host, days=days)
        listen = f'listen = "{config.listen}"\n' if config.listen else '# listen = "0.0.0.0:9443"  # if another one\n'
        path.write_text(
            f'federation = "{config.federation}"\ncoordinator = "{config.coordinator}"\n'
            f'address = "{config.address}"      # where members\' nodes reach the gateway\n{listen}',
            encoding="utf-8",
        )
        return enrolment

    @property
    def config(self) -> CoordinatorConfig:
        """``coordinator.toml``.

        Raises:
            ConfigError: if it is missing or wrong.
        """
        return read_toml(self.root / NAME, CoordinatorConfig)

    # --- what waits ------------------------------------------------------------------------------------------------

    def take(self, sent: Signed | KeyChange) -> JoinRequest | Rotation | Leave:
        """Check what a member sent, and keep it for the next version; a later one of a member takes its place.

        Raises:
            ProtocolError: if it is not what it says, is an old one, or is for another federation.
        """
        statement = self._read(sent)
        if statement.federation != self.config.federation:
            raise ProtocolError(f"it is for {statement.federation}, and this is {self.config.federation}")
        signer = sent.rotation.signer if isinstance(sent, KeyChange) else sent.signer
        write_private(self._waiting(signer), sent.canonical())
        return statement

    def revoke(self, name: str) -> None:
        """Leave a member out of the next version, at the coordinator's own word.

        Raises:
            ConfigError: if there is no such member, or it is the coordinator.
        """
        roster = self.member.roster()
        member = roster.member(name) if roster else None
        if member is None or member.role == "coordinator":
            raise ConfigError(f"{name} is no member that could be removed")
        write_private(self._waiting(name), b"revoked")

    def waiting(self) -> dict[str, Literal["revoked"] | Signed | KeyChange]:
        """What waits, by member."""
        found: dict[str, Literal["revoked"] | Signed | KeyChange] = {}
        for path in sorted((self.root / "enrolment").glob("*.json")):
            data = path.read_bytes()
            if data == b"revoked":
                found[path.stem] = "revoked"
            else:
                found[path.stem] = KeyChange.parse(data) if data.startswith(b'{"possession":') else Signed.parse(data)
        return found

    def _waiting(self, name: str) -> Path:
        return self.root / "enrolment" / f"{name}.json"

    def _read(self, sent: Signed | KeyChange) -> JoinRequest | Rotation | Leave:
        roster = self.member.roster()
        if isinstance(sent, Signed) and sent.kind == JoinRequest.__name__:
            return self._request(sent, roster)
        if roster is None:
            raise ProtocolError("there is no roster yet that this could be about")
        if isinstance(sent, KeyChange):
            return self._rotation(sent, roster)
        if sent.kind == Leave.__name__:
            leave = sent.open(Leave, roster, signer=sent.signer)
            if (leave.member, leave.roster) != (sent.signer, roster.digest):
                raise ProtocolError("it is about another roster or member")
            return leave
        raise ProtocolError(f"a signed {sent.kind} is nothing that a roster is made of")

    def _request(self, signed: Signed, roster: Roster | None) -> JoinRequest:
        request = read_request(signed)
        if request.member.role == "coordinator" and request.member.id != self.config.coordinator:
            raise ProtocolError("a federation has one coordinator")
        listed = roster.member(request.member.id) if roster else None
        if listed is not None and listed.public_key != request.member.public_key:
            raise ProtocolError(
                f"{listed.id} is a member with another key",
                hint="a changed key comes as a rotation that the old key signed; after a lost key, revoke the "
                "member, publish, and enrol it anew",
            )
        check_no_return((request.member,), roster, self.member.history())
        check_fresh(request, roster)
        return request

    def _rotation(self, change: KeyChange, roster: Roster) -> Rotation:
        name = change.rotation.signer
        rotation = change.rotation.open(Rotation, roster, signer=name)
        listed = roster.member(rotation.member)
        if listed is None or rotation.member != name or listed.public_key != rotation.old_key:
            raise ProtocolError("the rotation is not of the key that the roster lists")
        check_possession(rotation, change.possession)
        keys = {"public_key": rotation.new_key, "node_key": rotation.node_key}
        check_no_return((listed.model_copy(update=keys),), roster, self.member.history())
        return rotation

    # --- publishing --------------------------------------------------------------------------------------------------

    def draft(self) -> RosterUpdate:
        """The next version as it would be published now.

        Raises:
            ConfigError: if nothing would change, or too few holders would be left.
        """
        before, config = self.member.roster(), self.config
        members = {member.id: member for member in before.members} if before else {}
        own = self.member.signed_request()
        if before is None:
            members[config.coordinator] = self.member.request().member
        requests, changes, leaves = ([own] if before is None else []), [], []
        for name, sent in self.waiting().items():
            if sent == "revoked":
                members.pop(name, None)
                continue
            statement = self._read(sent)
            if isinstance(sent, KeyChange) and isinstance(statement, Rotation):
                keys = {"public_key": statement.new_key, "node_key": statement.node_key}
                members[name] = members[name].model_copy(update=keys)
                changes.append(sent)
            elif isinstance(sent, Signed) and isinstance(statement, JoinRequest):
                if sent in requests:
                    continue  # the coordinator's own
                members[name] = statement.member
                requests.append(sent)
            elif isinstance(sent, Signed):
                members.pop(name, None)
                leaves.append(sent)
        roster = Roster(
            federation=config.federation,
            version=before.version + 1 if before else 1,
            members=tuple(members[name] for name in sorted(members)),
            previous=before.digest if before else "",
            releases=_window(before),
        )
        latest = self.member.latest()
        update = RosterUpdate(
            roster=roster,
            requests=tuple(requests),
            rotations=tuple(change.rotation for change in changes),
            possessions=tuple(change.possession for change in changes),
            leaves=tuple(leaves),
            address=config.address,
            certificate=Renewal(self.root).authorities,
            rules=RULES,
        )
        if latest is not None and before is not None:
            same = (before.members, before.releases, latest.address, latest.certificate)
            if (roster.members, roster.releases, update.address, update.certificate) == same:
                raise ConfigError("nothing has changed since the last version", hint="`enrol` what members sent first")
        if len(roster.holders) < 2:
            raise ConfigError(
                f"a roster of {many(len(roster.holders), 'holder')} is no federation",
                hint="enrol at least two requests",
            )
        return update

    def publish(self) -> tuple[Signed, RosterUpdate]:
        """Sign the next version, put it in force here, and forget what waited for it.

        Raises:
            ConfigError: see :meth:`draft`.
        """
        update = self.draft()
        signed = self.member.identity().sign(update)
        check_update(signed, self.member.roster(), earlier=self.member.history())  # what the others will check
        self.member.put_in_force(signed, update)
        for name in self.waiting():
            self._waiting(name).unlink()
        return signed, update


def hook_of(root: Path) -> OnEnd | None:
    """What is told of the end of runs; None where the folder's ``coordinator.toml`` says nothing, or it has none.

    Raises:
        ConfigError: if ``coordinator.toml`` is wrong.
    """
    return Enrolment(root).config.on_end if (root / NAME).exists() else None


def _window(before: Roster | None) -> tuple[str, ...]:
    """This release, and the one before it."""
    current = kernel_code()
    if before is None or not before.releases:
        return (current,)
    older = before.releases[0] if before.releases[0] != current else before.releases[-1]
    return (current,) if older == current else (current, older)
