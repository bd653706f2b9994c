"""Membership: keys made where they are used, and rosters that do not rest on the coordinator's word."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.errors import ConfigError, ProtocolError
from privacy.ledger import Ledger, Opened, RosterAccepted
from privacy.member_folder import MemberFolder
from privacy.private_keys import PASSPHRASE, PASSPHRASE_FILE, create_node_key, load_node_key
from privacy.protocol.identity import Declarations, Identity, Member, Roster, Signed
from privacy.protocol.membership import (
    JoinRequest,
    KeyChange,
    RosterUpdate,
    Rotation,
    changes,
    check_update,
    fingerprint,
    read_request,
    same_fingerprint,
)
from server.running.enrolment import CoordinatorConfig, Enrolment

CONFIG = CoordinatorConfig(federation="shops", coordinator="hub", address="hub.example:9443")


def asked(folder: Path, name: str, **fields: object) -> tuple[MemberFolder, Signed]:
    member = MemberFolder(folder / name)
    return member, member.create("shops", name, "holder", **fields)


class Shops:
    """A coordinator and three holders, with version 1 of the roster accepted by all."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hub = Enrolment.create(root / "hub", CONFIG)
        self.members: dict[str, MemberFolder] = {}
        for name in ("alpha", "beta", "gamma"):
            self.members[name], request = asked(root, name)
            self.hub.take(request)
        self.accept(self.hub.publish()[0])

    def accept(self, signed: Signed, *names: str) -> None:
        roster = RosterUpdate.parse(signed.body).roster
        for name in names or [name for name in self.members if roster.member(name)]:
            self.members[name].accept(signed, fingerprint(roster.digest))


@pytest.fixture
def shops(tmp_path: Path) -> Shops:
    return Shops(tmp_path)


# --- fingerprints ------------------------------------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_fingerprints_tell_digests_apart_and_are_read_loosely(one: bytes, other: bytes) -> None:
    text = fingerprint(one.hex())
    assert [len(group) for group in text.split(" ")] == [5] * 8
    assert same_fingerprint(text.replace(" ", "-") + "\n", one.hex())
    assert same_fingerprint(text, other.hex()) == (one == other)
    assert not same_fingerprint(text[:-1], one.hex())
    assert not same_fingerprint("", one.hex())


def test_a_fingerprint_that_stays() -> None:
    assert fingerprint("00" * 32) == fingerprint("00" * 32) != fingerprint("00" * 31 + "01")


# --- keys --------------------------------------------------------------------------------------------------------


def test_private_keys_are_the_owners_and_never_overwritten(shops: Shops) -> None:
    for name in ("signing.pem", "node.pem"):
        path = shops.root / "alpha" / "keys" / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="never overwritten"):
        asked(shops.root, "alpha")


def test_keys_under_a_passphrase_open_with_it_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE, "correct horse")
    member, _ = asked(tmp_path, "alpha")
    assert b"ENCRYPTED" in member.signing_key.read_bytes()
    assert b"ENCRYPTED" in member.node_key.read_bytes()
    assert member.identity().public_key == member.request().member.public_key
    load_node_key(member.node_key)
    monkeypatch.setenv(PASSPHRASE, "another")
    for load in (member.identity, lambda: load_node_key(member.node_key)):
        with pytest.raises(ConfigError, match="does not open") as caught:
            load()
        assert "another" not in caught.value.message
    monkeypatch.delenv(PASSPHRASE)
    with pytest.raises(ConfigError, match="under a passphrase"):
        member.identity()
    secret = tmp_path / "secret"
    secret.write_text("correct horse\nnot this line\n")
    monkeypatch.setenv(PASSPHRASE_FILE, str(secret))
    with pytest.raises(ConfigError, match="others may read the passphrase"):
        member.identity()
    secret.chmod(0o600)
    assert member.identity().member == "alpha"


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    create_node_key(tmp_path / "node.pem")
    Identity.create("alpha", tmp_path / "signing.pem")
    with pytest.raises(ConfigError, match="not an Ed25519 key"):
        Identity.load("alpha", tmp_path / "node.pem")
    with pytest.raises(ConfigError, match="not an elliptic-curve key"):
        load_node_key(tmp_path / "signing.pem")


# --- joining -----------------------------------------------------------------------------------------------------


def test_everybody_has_the_same_roster_and_writes_it_into_the_ledger(shops: Shops, tmp_path: Path) -> None:
    rosters = {name: member.roster() for name, member in shops.members.items()}
    assert len(set(rosters.values()) | {shops.hub.member.roster()}) == 1
    roster = rosters["alpha"]
    assert roster is not None
    assert roster.holders == ("alpha", "beta", "gamma")
    latest = shops.members["alpha"].latest() or pytest.fail("nothing")
    assert [change.what for change in changes(None, latest)] == ["added"] * 4
    ledger = Ledger.create(tmp_path / "ledger.sqlite", Opened(owner="alpha", role="holder"))
    for _ in range(2):
        shops.members["alpha"].record_rosters(ledger, "alpha")
    accepted = [fact for fact in ledger.facts() if isinstance(fact, RosterAccepted)]
    assert [(fact.version, fact.roster, fact.previous) for fact in accepted] == [(1, roster.digest, "")]


def test_a_fingerprint_of_another_file_changes_nothing(tmp_path: Path) -> None:
    hub = Enrolment.create(tmp_path / "hub", CONFIG)
    members = {}
    for name in ("alpha", "beta"):
        members[name], request = asked(tmp_path, name)
        hub.take(request)
    signed, _ = hub.publish()
    with pytest.raises(ProtocolError, match="the fingerprint is not that of this file"):
        members["alpha"].accept(signed, fingerprint("ab" * 32))
    assert members["alpha"].roster() is None
    assert not members["alpha"].updates()


def test_a_request_must_be_signed_by_the_key_it_names(tmp_path: Path) -> None:
    _, request = asked(tmp_path, "alpha")
    other = Identity.create("alpha", tmp_path / "other.pem")
    forged = other.sign(JoinRequest.parse(request.body))
    with pytest.raises(ProtocolError, match="signature"):
        read_request(forged)
    renamed = request.model_copy(update={"signer": "beta"})
    with pytest.raises(ProtocolError, match="another name"):
        read_request(renamed)


def test_a_request_for_another_federation_is_not_taken(shops: Shops, tmp_path: Path) -> None:
    member = MemberFolder(tmp_path / "stray")
    request = member.create("elsewhere", "stray", "holder")
    with pytest.raises(ProtocolError, match="for elsewhere"):
        shops.hub.take(request)


def test_a_member_that_joins_later_starts_with_the_version_that_names_it(shops: Shops) -> None:
    shops.members["delta"], request = asked(shops.root, "delta", declarations=Declarations(max_holders_per_customer=1))
    shops.hub.take(request)
    signed, update = shops.hub.publish()
    before = shops.members["alpha"].roster()
    assert [(change.what, change.member) for change in changes(before, update)] == [("added", "delta")]
    shops.accept(signed)
    assert shops.members["delta"].roster() == shops.members["alpha"].roster()


# --- what a cheating coordinator could put into a roster ------------------------------------------------------------


def _substituted(roster: Roster, stranger: Identity) -> Roster:
    members = tuple(
        member.model_copy(update={"public_key": stranger.public_key}) if member.id == "beta" else member
        for member in roster.members
    )
    return roster.model_copy(update={"members": members})


def _next_version(roster: Roster, **changed: object) -> Roster:
    return roster.model_copy(update={"version": roster.version + 1, "previous": roster.digest, **changed})


def _invented(roster: Roster, stranger: Identity) -> Roster:
    ghost = Member(id="delta", role="holder", public_key=stranger.public_key)
    return roster.model_copy(update={"members": tuple(sorted((*roster.members, ghost), key=lambda m: m.id))})


CHEATS: dict[str, tuple[Callable[[Roster, Identity], Roster], str]] = {
    "a substituted key": (
        lambda r, s: _next_version(_substituted(r, s), previous=r.digest),
        "its old key did not sign",
    ),
    "an invented holder": (
        lambda r, s: _next_version(_invented(r, s), previous=r.digest),
        "without that member's own signed request",
    ),
    "other declarations": (
        lambda r, s: _next_version(
            r,
            members=tuple(
                m.model_copy(update={"declarations": Declarations(max_holders_per_customer=1)}) if m.id == "beta" else m
                for m in r.members
            ),
        ),
        "without that member's own signed request",
    ),
    "a holder turned auditor": (
        lambda r, s: _next_version(
            r, members=tuple(m.model_copy(update={"role": "auditor"}) if m.id == "beta" else m for m in r.members)
        ),
        "changes from holder to auditor",
    ),
    "a version left out": (lambda r, s: _next_version(r, version=r.version + 2), "version 1 is in force here"),
    "an old version": (lambda r, s: r, "version 1 is in force"),
    "another history": (lambda r, s: _next_version(r, previous="ab" * 32), "another history"),
    "another federation": (lambda r, s: _next_version(r, federation="elsewhere"), "is in shops"),
}


@pytest.mark.parametrize("case", CHEATS)
def test_a_roster_that_a_coordinator_made_up_is_refused(shops: Shops, case: str, tmp_path: Path) -> None:
    change, word = CHEATS[case]
    alpha = shops.members["alpha"]
    before, latest = alpha.roster(), alpha.latest()
    assert before is not None
    assert latest is not None
    stranger = Identity.create("beta", tmp_path / "stranger.pem")
    made_up = latest.model_copy(update={"roster": change(before, stranger), "requests": ()})
    signed = shops.hub.member.identity().sign(made_up)
    with pytest.raises(ProtocolError, match=word):
        alpha.accept(signed, fingerprint(made_up.roster.digest))
    assert alpha.roster() == before


def test_a_roster_signed_by_somebody_else_is_refused(shops: Shops) -> None:
    alpha, update = shops.members["alpha"], shops.hub.member.latest()
    assert update is not None
    signed = shops.members["beta"].identity().sign(update.model_copy(update={"roster": _next_version(update.roster)}))
    with pytest.raises(ProtocolError):
        alpha.check(signed)


def test_a_first_roster_with_another_key_of_ones_own_is_refused(tmp_path: Path) -> None:
    """The coordinator can make every signature in a first version but this member's own."""
    hub = Enrolment.create(tmp_path / "hub", CONFIG)
    alpha, _ = asked(tmp_path, "alpha")
    _, fake = asked(tmp_path / "fake", "alpha")
    _, beta = asked(tmp_path, "beta")
    hub.take(fake)
    hub.take(beta)
    signed, update = hub.publish()
    with pytest.raises(ProtocolError, match="otherwise than this folder's keys"):
        alpha.accept(signed, fingerprint(update.roster.digest))


def test_two_first_rosters_differ_in_their_fingerprints(tmp_path: Path) -> None:
    """What the comparison is for: each is shown a roster with its own key, and a fake one of the other."""
    told = []
    for victim, other in (("alpha", "beta"), ("beta", "alpha")):
        hub = Enrolment.create(tmp_path / f"hub-{victim}", CONFIG)
        _, own = asked(tmp_path / "real" / victim, victim)
        _, fake = asked(tmp_path / "fake" / victim, other)
        hub.take(own)
        hub.take(fake)
        told.append(fingerprint(hub.publish()[1].roster.digest))
    assert told[0] != told[1]


# --- rotation, revocation, leaving ----------------------------------------------------------------------------------


def test_a_rotated_key_is_signed_by_the_old_one_and_taken_into_use_by_all(shops: Shops) -> None:
    beta = shops.members["beta"]
    old = beta.identity().public_key
    rotation = beta.rotate()
    assert beta.rotate() == rotation, "asking again makes no further keys"
    assert beta.identity().public_key == old, "until the roster lists the new one"
    shops.hub.take(rotation)
    signed, update = shops.hub.publish()
    assert [(c.what, c.member) for c in changes(beta.roster(), update)] == [("key", "beta")]
    shops.accept(signed)
    new = beta.identity().public_key
    roster = beta.roster()
    assert roster is not None
    assert old != new == (roster.member("beta") or pytest.fail("nothing")).public_key
    assert beta.request().member == roster.member("beta")
    assert not list((beta.root / "keys").glob("next-*"))
    # What the old key signs counts for nothing from here on, and rotating again works.
    shops.hub.take(beta.rotate())
    shops.accept(shops.hub.publish()[0])
    assert beta.identity().public_key not in (old, new)


def test_a_rotation_signed_by_another_key_is_not_taken(shops: Shops, tmp_path: Path) -> None:
    stranger = Identity.create("beta", tmp_path / "stranger.pem")
    roster = shops.hub.member.roster()
    old = (roster.member("beta") if roster else None) or pytest.fail("nothing")
    rotation = Rotation(
        federation="shops", member="beta", old_key=old.public_key, new_key=stranger.public_key, node_key=old.node_key
    )
    with pytest.raises(ProtocolError, match="signature"):
        shops.hub.take(KeyChange(rotation=stranger.sign(rotation), possession=stranger.sign(rotation)))
    _, request = asked(tmp_path / "new", "beta")
    with pytest.raises(ProtocolError, match="a member with another key"):
        shops.hub.take(request)


def test_the_coordinators_own_key_is_rotated_under_the_old_one(shops: Shops) -> None:
    old = shops.hub.member.identity().public_key
    shops.hub.take(shops.hub.member.rotate())
    signed, update = shops.hub.publish()
    shops.accept(signed)
    new = shops.hub.member.identity().public_key
    assert old != new == (update.roster.member("hub") or pytest.fail("nothing")).public_key
    shops.hub.revoke("gamma")
    shops.accept(shops.hub.publish()[0], "alpha", "beta")  # signed with the new key


def test_a_crash_in_a_change_of_keys_is_made_good(shops: Shops, monkeypatch: pytest.MonkeyPatch) -> None:
    beta = shops.members["beta"]
    shops.hub.take(beta.rotate())
    signed, update = shops.hub.publish()

    def killed(self: MemberFolder, name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MemberFolder, "_finish_rotation", killed)
        with pytest.raises(KeyboardInterrupt):
            beta.accept(signed, fingerprint(update.roster.digest))
    assert beta.identity().public_key == (update.roster.member("beta") or pytest.fail("nothing")).public_key


def test_a_removed_member_is_told_and_the_others_go_on(shops: Shops) -> None:
    shops.hub.revoke("gamma")
    signed, update = shops.hub.publish()
    assert [(c.what, c.member) for c in changes(shops.members["alpha"].roster(), update)] == [("removed", "gamma")]
    with pytest.raises(ProtocolError, match="it was removed from shops"):
        shops.members["gamma"].check(signed)
    shops.accept(signed)
    # Enrolled anew with other keys under the same name: an added key, which everybody must accept again.
    shops.members["gamma"], request = asked(shops.root / "again", "gamma")
    shops.hub.take(request)
    shops.accept(shops.hub.publish()[0])


def test_nobody_but_the_member_says_that_it_left(shops: Shops) -> None:
    leave = shops.members["gamma"].leave(None)
    assert shops.members["gamma"].has_left
    assert not shops.members["gamma"].signing_key.exists()
    with pytest.raises(ConfigError, match="has left"):
        shops.members["gamma"].identity()
    shops.hub.take(leave)
    signed, update = shops.hub.publish()
    assert [(c.what, c.member) for c in changes(shops.members["alpha"].roster(), update)] == [("left", "gamma")]
    shops.accept(signed, "alpha", "beta")
    forged = update.model_copy(update={"leaves": (shops.members["alpha"].identity().sign(leave),)})
    assert changes(None, forged)


def test_a_forged_leave_is_refused(shops: Shops) -> None:
    before = shops.hub.member.roster()
    shops.hub.revoke("gamma")
    _, update = shops.hub.publish()
    assert before is not None
    words = shops.members["gamma"].leave(None)
    forged = words.model_copy(update={"signature": "0" * 128})
    again = shops.hub.member.identity().sign(update.model_copy(update={"leaves": (forged,)}))
    with pytest.raises(ProtocolError, match="signature"):
        check_update(again, before)


def test_the_last_two_holders_stay(shops: Shops) -> None:
    shops.hub.revoke("gamma")
    shops.hub.revoke("beta")
    with pytest.raises(ConfigError, match="no federation"):
        shops.hub.publish()
    with pytest.raises(ConfigError, match="no member that could be removed"):
        shops.hub.revoke("hub")


def test_nothing_new_is_not_published(shops: Shops) -> None:
    with pytest.raises(ConfigError, match="nothing has changed"):
        shops.hub.publish()


# --- releases ------------------------------------------------------------------------------------------------------


def test_a_window_of_two_releases(shops: Shops, monkeypatch: pytest.MonkeyPatch) -> None:
    old = (shops.hub.member.roster() or pytest.fail("nothing")).releases
    monkeypatch.setattr("server.running.enrolment.kernel_code", lambda: "ab" * 32)
    signed, update = shops.hub.publish()
    shops.accept(signed)
    assert update.roster.releases == ("ab" * 32, *old)
    assert update.roster.accepts("ab" * 32, old[0])
    assert not update.roster.accepts("cd" * 32, old[0])
    assert update.roster.accepts("cd" * 32, "cd" * 32), "everybody has upgraded before the roster did"
    monkeypatch.setattr("server.running.enrolment.kernel_code", lambda: "ef" * 32)
    assert shops.hub.publish()[1].roster.releases == ("ef" * 32, "ab" * 32)
