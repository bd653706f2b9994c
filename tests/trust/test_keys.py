"""Keys that prove something, requests that count once, and keys that do not come back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError

import privacy.protocol.membership
import server.running.enrolment
from privacy.audit.roster_claims import History
from privacy.errors import CohortiumError, ConfigError, ProtocolError
from privacy.kernel.canonical import canonical_json
from privacy.kernel.signing_points import check_signing_key
from privacy.member_folder import MemberFolder
from privacy.protocol.identity import Declarations, Identity, Member, Roster, Signed
from privacy.protocol.membership import (
    JoinRequest,
    KeyChange,
    RosterUpdate,
    Rotation,
    check_update,
    fingerprint,
)
from server.running.enrolment import CoordinatorConfig, Enrolment

Patch = pytest.MonkeyPatch

CONFIG = CoordinatorConfig(federation="shops", coordinator="hub", address="hub.example:9443")
NAMES = ("alpha", "beta", "gamma")


class Shops:
    """A coordinator and three holders in version 1 of the roster, and what its coordinator may make up."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hub = Enrolment.create(root / "hub", CONFIG)
        self.members = {name: MemberFolder(root / name) for name in NAMES}
        for name, member in self.members.items():
            self.hub.take(member.create("shops", name, "holder"))
        self.publish()

    def publish(self) -> RosterUpdate:
        """The next version, in force everywhere."""
        signed, update = self.hub.publish()
        for name, member in self.members.items():
            if update.roster.member(name):
                member.accept(signed, fingerprint(update.roster.digest))
        return update

    def made_up(self, *members: Member, **changes: object) -> Signed:
        """A next version with these entries, signed by the coordinator with its real key and whatever it likes."""
        latest = self.hub.member.latest()
        listed = {member.id: member for member in latest.roster.members} | {member.id: member for member in members}
        roster = Roster(
            federation="shops",
            version=latest.roster.version + 1,
            previous=latest.roster.digest,
            members=tuple(listed[name] for name in sorted(listed)),
            releases=latest.roster.releases,
        )
        update = latest.model_copy(
            update={"roster": roster, "requests": (), "rotations": (), "possessions": ()} | changes
        )
        return self.hub.member.identity().sign(update)

    def refuses(self, signed: Signed, word: str, *, name: str = "alpha") -> None:
        """A member takes a version for what it is."""
        before = self.members[name].roster()
        with pytest.raises(ProtocolError, match=word):
            self.members[name].check(signed)
        assert self.members[name].roster() == before

    def entry(self, name: str) -> Member:
        return self.members[name].roster().member(name)


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Shops(tmp_path_factory.mktemp("shops")).root


@pytest.fixture
def shops(founded: Path, tmp_path: Path) -> Shops:
    """A copy, to go on from."""
    copy = object.__new__(Shops)
    copy.root = Path(shutil.copytree(founded, tmp_path / "shops"))
    copy.hub = Enrolment(copy.root / "hub")
    copy.members = {name: MemberFolder(copy.root / name) for name in NAMES}
    return copy


# --- weak keys ---------------------------------------------------------------------------------------------------

P = 2**255 - 19


def _roots(square: int) -> tuple[int, ...]:
    """Square roots modulo p, none or two."""
    root = pow(square, (P + 3) // 8, P)
    for candidate in (root, root * pow(2, (P - 1) // 4, P) % P):
        if (candidate * candidate - square) % P == 0:
            return candidate, P - candidate
    return ()


def _order(y: int) -> int | None:
    """Order of a point with this y-coordinate by adding it up, if it is at most 8; None for any other."""
    roots = _roots((y * y - 1) * pow(D * y * y + 1, -1, P) % P)
    if not roots:
        return None
    x, point = roots[0], (0, 1)
    for order in range(1, 9):
        (x1, y1), t = point, D * point[0] * x * point[1] * y
        point = (x1 * y + y1 * x) * pow(1 + t, -1, P) % P, (y1 * y + x1 * x) * pow(1 - t, -1, P) % P
        if point == (0, 1):
            return order
    return None


D = -121665 * pow(121666, -1, P) % P
#: Twice a point of order 8 has y = 0, so that x^2 = -y^2, and the curve's equation becomes d y^4 + 2 y^2 = 1.
_SQUARES = [(root - 1) * pow(D, -1, P) % P for root in _roots(1 + D)]
_EIGHT = sorted(root for square in _SQUARES for root in _roots(square))
SMALL = (0, 1, P - 1, *_EIGHT)
WEAK = tuple((y | sign << 255).to_bytes(32, "little").hex() for y in (*SMALL, P, P + 1) for sign in (0, 1))


def test_the_five_coordinates_are_those_of_small_order() -> None:
    assert [_order(y) for y in SMALL] == [4, 1, 2, 8, 8]
    assert [_order(y) for y in range(2, 12)] == [None] * 10
    assert len(set(WEAK)) == 14


@pytest.mark.parametrize("key", WEAK)
def test_a_key_under_which_anybody_signs_is_taken_nowhere(key: str, shops: Shops) -> None:
    good = shops.entry("beta")
    with pytest.raises(ValidationError, match=r"anybody can sign|not the canonical one"):
        Member(id="mallory", role="auditor", public_key=key)
    rotation = Rotation(federation="shops", member="beta", old_key=good.public_key, new_key=good.public_key)
    for noun, body in (
        (JoinRequest, {"federation": "shops", "member": {"id": "mallory", "role": "holder", "public_key": key}}),
        (Rotation, json.loads(rotation.canonical()) | {"new_key": key}),
        (Rotation, json.loads(rotation.canonical()) | {"old_key": key}),
    ):
        with pytest.raises(ProtocolError):
            noun.parse(canonical_json(body))


def test_spellings_of_p_and_more_are_refused_and_real_keys_are_not() -> None:
    for y in (P, P + 5, P + 18):
        with pytest.raises(ValueError, match="canonical"):
            check_signing_key(y.to_bytes(32, "little").hex())
    for _ in range(50):
        key = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
        assert check_signing_key(key) == key


def test_the_library_itself_takes_such_a_key() -> None:
    """Why the rule is ours: under the neutral element one signature is good for every message."""
    neutral = (1).to_bytes(32, "little")
    forged = neutral + bytes(32)
    taken = 0
    for message in (b"one", b"another"):
        try:
            Ed25519PublicKey.from_public_bytes(neutral).verify(forged, message)
            taken += 1
        except InvalidSignature:
            pass
    assert taken == 2


# --- rotations ---------------------------------------------------------------------------------------------------


def test_a_rotation_comes_with_the_new_keys_word(shops: Shops) -> None:
    beta = shops.members["beta"]
    change = beta.rotate()
    shops.hub.take(change)
    update = shops.publish()
    assert update.rotations == (change.rotation,)
    assert update.possessions == (change.possession,)
    assert beta.identity().public_key == shops.entry("beta").public_key


def test_a_rotation_to_a_key_that_its_sender_does_not_have_is_refused(shops: Shops, tmp_path: Path) -> None:
    somebody = Identity.create("beta", tmp_path / "somebody.pem")
    beta, was = shops.members["beta"].identity(), shops.entry("beta")
    rotation = Rotation(
        federation="shops", member="beta", old_key=was.public_key, new_key=somebody.public_key, node_key=was.node_key
    )
    old_word = beta.sign(rotation)
    with pytest.raises(ProtocolError, match="signature"):
        shops.hub.take(KeyChange(rotation=old_word, possession=old_word))
    listed = was.model_copy(update={"public_key": somebody.public_key})
    shops.refuses(shops.made_up(listed, rotations=(old_word,)), "new key of beta did not sign")
    other = somebody.sign(rotation.model_copy(update={"member": "alpha"}))
    shops.refuses(shops.made_up(listed, rotations=(old_word,), possessions=(other,)), "new key of beta did not sign")
    with pytest.raises(ProtocolError, match="nothing that a roster is made of"):
        shops.hub.take(old_word)  # as releases before sent it
    good = shops.made_up(listed, rotations=(old_word,), possessions=(somebody.sign(rotation),))
    shops.members["alpha"].check(good)


# --- keys that come back --------------------------------------------------------------------------------------------


def _a_revoked_key_returns(shops: Shops) -> None:
    gone, request = shops.entry("gamma"), shops.members["gamma"].signed_request()
    shops.hub.revoke("gamma")
    shops.publish()
    with pytest.raises(ProtocolError, match="no key comes back"):
        shops.hub.take(request)
    shops.refuses(shops.made_up(gone, requests=(request,)), "no key comes back")


def test_a_revoked_key_does_not_come_back_with_its_old_request(shops: Shops) -> None:
    _a_revoked_key_returns(shops)


def test_a_rotated_key_does_not_come_back_to_its_owner_or_to_anybody(shops: Shops) -> None:
    beta, old = shops.members["beta"], shops.entry("beta")
    old_identity = beta.identity()
    shops.hub.take(beta.rotate())
    shops.publish()
    now = shops.entry("beta")
    back = Rotation(
        federation="shops", member="beta", old_key=now.public_key, new_key=old.public_key, node_key=now.node_key
    )
    change = KeyChange(rotation=beta.identity().sign(back), possession=old_identity.sign(back))
    with pytest.raises(ProtocolError, match="no key comes back"):
        shops.hub.take(change)
    listed = now.model_copy(update={"public_key": old.public_key})
    update = {"rotations": (change.rotation,), "possessions": (change.possession,)}
    shops.refuses(shops.made_up(listed, **update), "no key comes back")
    # Nor the old node key under a new signing key, nor any of them under another name.
    fresh = Identity.create("delta", shops.root / "delta.pem")
    for entry in (
        Member(id="delta", role="holder", public_key=old.public_key),
        Member(id="delta", role="holder", public_key=fresh.public_key, node_key=old.node_key),
        Member(id="delta", role="auditor", public_key=shops.entry("alpha").public_key),
    ):
        if entry.public_key == shops.entry("alpha").public_key:
            with pytest.raises(ValidationError, match="two members have the same key"):
                shops.made_up(entry)
            continue
        identity = fresh if entry.public_key == fresh.public_key else Identity("delta", old_identity._key)
        request = identity.sign(JoinRequest(federation="shops", member=entry))
        shops.refuses(shops.made_up(entry, requests=(request,)), "no key comes back")


def test_a_key_does_not_pass_from_one_member_to_another_in_one_version(shops: Shops) -> None:
    gamma = shops.members["gamma"].identity()
    stolen = shops.entry("gamma")
    latest = shops.hub.member.latest().roster
    heir = Member(id="heir", role="holder", public_key=stolen.public_key, node_key=stolen.node_key)
    members = tuple(member for member in latest.members if member.id != "gamma")
    roster = latest.model_copy(
        update={
            "version": 2,
            "previous": latest.digest,
            "members": tuple(sorted((*members, heir), key=lambda member: member.id)),
        }
    )
    request = Identity("heir", gamma._key).sign(JoinRequest(federation="shops", member=heir))
    shops.refuses(shops.made_up(roster=roster, requests=(request,)), "no key comes back")


def test_members_keep_all_versions_and_accept_nothing_without_them(shops: Shops) -> None:
    alpha = shops.members["alpha"]
    shops.hub.revoke("gamma")
    shops.publish()
    assert [roster.version for roster in alpha.history()] == [2, 1]
    shops.hub.take(shops.members["beta"].rotate())
    signed, update = shops.hub.publish()
    path = alpha.root / "rosters" / "roster-v2.json"
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(ConfigError, match="version 2 of the roster is not in"):
        alpha.accept(signed, fingerprint(update.roster.digest))
    path.write_bytes(kept)
    alpha.accept(signed, fingerprint(update.roster.digest))
    (alpha.root / "rosters" / "roster-v2.json").unlink()
    with pytest.raises(ConfigError, match="version 2 of the roster is not in"):
        alpha.history()


# --- requests that count once -------------------------------------------------------------------------------------


def _declared(shops: Shops, k: int | None) -> Signed:
    return shops.members["beta"].declare(Declarations(max_holders_per_customer=k))


def test_a_declaration_counts_once_and_only_for_the_version_that_it_answers(shops: Shops) -> None:
    before = shops.hub.member.roster()
    first = _declared(shops, 1)
    assert JoinRequest.parse(first.body).answers == before.digest
    never_sent = _declared(shops, 3)
    shops.hub.take(first)
    shops.members["beta"].declare(Declarations(max_holders_per_customer=2))
    last = shops.members["beta"].signed_request()
    shops.hub.take(last)
    shops.publish()
    assert (shops.entry("beta").number, shops.entry("beta").declarations.max_holders_per_customer) == (3, 2)
    for old, number in ((first, 1), (never_sent, 2)):
        member = JoinRequest.parse(old.body).member
        assert member.number == number
        with pytest.raises(ProtocolError, match="number has not grown"):
            shops.hub.take(old)
        shops.refuses(shops.made_up(member, requests=(old,)), "number has not grown")


def test_a_declaration_made_for_an_earlier_version_is_stale(shops: Shops) -> None:
    waiting = _declared(shops, 1)
    shops.hub.revoke("gamma")
    shops.publish()  # beta's request had not arrived, and beta joins all the same
    with pytest.raises(ProtocolError, match="about another version"):
        shops.hub.take(waiting)
    shops.refuses(shops.made_up(JoinRequest.parse(waiting.body).member, requests=(waiting,)), "about another version")
    shops.hub.take(_declared(shops, 1))
    assert shops.publish().roster.member("beta").declarations == Declarations(max_holders_per_customer=1)


def test_a_version_cannot_change_a_number_alone(shops: Shops) -> None:
    listed = shops.entry("beta").model_copy(update={"number": 5})
    shops.refuses(shops.made_up(listed), "without that member's own signed request")


# --- earlier releases -----------------------------------------------------------------------------------------------


def test_versions_by_the_rules_of_before_are_read_by_auditors_and_accepted_by_nobody(shops: Shops) -> None:
    """What 0.1.0 published stays readable; a coordinator cannot go back to its rules."""
    first = shops.hub.member.latest()
    old_first = shops.hub.member.identity().sign(first.model_copy(update={"rules": 1}))
    assert "rules" not in json.loads(old_first.body)
    beta, was = shops.members["beta"], shops.entry("beta")
    change = beta.rotate()
    rotation = Rotation.parse(change.rotation.body)
    listed = was.model_copy(update={"public_key": rotation.new_key, "node_key": rotation.node_key})
    old_second = shops.made_up(listed, rotations=(change.rotation,), rules=1)
    history = History()
    for signed in (old_first, old_second):
        history.take(signed.model_dump(mode="json"))
    assert history.wrong == []
    shops.refuses(old_second, "rules of another release")
    with pytest.raises(ProtocolError, match="rules of another release"):
        check_update(shops.made_up(rules=3), first.roster)

    forward = History()
    for signed in (shops.hub.member.updates()[0], old_second):
        forward.take(signed.model_dump(mode="json"))
    (wrong,) = forward.wrong
    assert "rules of another release" in wrong


# --- tests of the tester --------------------------------------------------------------------------------------------


def key_comes_back(monkeypatch: Patch) -> None:
    """Only the version in force is looked at: a key that an earlier one dropped is like a new one."""
    for module in (privacy.protocol.membership, server.running.enrolment):
        monkeypatch.setattr(module, "check_no_return", lambda *_: None)


def possession_not_asked_for(monkeypatch: Patch) -> None:
    """A rotation is the old key's affair alone."""
    for module in (privacy.protocol.membership, server.running.enrolment):
        monkeypatch.setattr(module, "check_possession", lambda *_: None)


def _an_unpossessed_key_is_refused(shops: Shops) -> None:
    test_a_rotation_to_a_key_that_its_sender_does_not_have_is_refused(shops, shops.root)


def old_requests_count_again(monkeypatch: Patch) -> None:
    """A request is good for ever."""
    for module in (privacy.protocol.membership, server.running.enrolment):
        monkeypatch.setattr(module, "check_fresh", lambda *_: None)


MUTANTS: dict[Callable[[Patch], None], Callable[[Shops], None]] = {
    key_comes_back: _a_revoked_key_returns,
    possession_not_asked_for: _an_unpossessed_key_is_refused,
    old_requests_count_again: test_a_declaration_counts_once_and_only_for_the_version_that_it_answers,
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_mutant_is_caught(mutant: Callable[[Patch], None], shops: Shops, monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, CohortiumError, pytest.fail.Exception)):
        MUTANTS[mutant](shops)
