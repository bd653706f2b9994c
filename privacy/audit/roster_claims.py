"""The rosters of a bundle: a history that is whole and signed, and alike with everybody."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, TypeVar

from privacy.audit.entry_claims import Walk
from privacy.audit.findings import Claim, judged
from privacy.errors import ProtocolError
from privacy.kernel.canonical import Noun
from privacy.protocol.identity import Member, Roster, Signed
from privacy.protocol.membership import RosterUpdate, check_update

N = TypeVar("N", bound=Noun)


class History:
    """The rosters of a bundle, oldest first, each checked to follow the one before it.

    Attributes:
        rosters: digest to roster.
        versions: number to digest.
    """

    def __init__(self) -> None:
        self.rosters: dict[str, Roster] = {}
        self.versions: dict[int, str] = {}
        self.wrong: list[str] = []
        self._newest: Roster | None = None
        self._rules = 1  # those of the last version: an earlier release's history is read, and never gone back to
        self._keys: dict[str, set[str]] = {}
        self._coordinators: set[str] = set()

    def take(self, value: Any) -> None:
        """Go on by one version."""
        try:
            update: RosterUpdate | None = check_update(
                Signed.model_validate(value), self._newest, earlier=tuple(self.rosters.values()), least=self._rules
            )
        except (ProtocolError, ValueError) as error:
            text = error.message if isinstance(error, ProtocolError) else "it is malformed"
            self.wrong.append(f"after version {self._newest.version if self._newest else 0}: {text}")
            update = _claimed(value)
        if update is None:
            return
        self._newest, self._rules = update.roster, max(self._rules, update.rules)
        self.rosters[update.roster.digest] = update.roster
        self.versions[update.roster.version] = update.roster.digest
        self._coordinators.add(update.roster.coordinator)
        for member in update.roster.members:
            self._keys.setdefault(member.id, set()).add(member.public_key)

    def open(self, signed: Signed, model: type[N], *, by: str | None = None) -> N:
        """A statement, signed with a key that its signer had.

        Args:
            by: who must have signed it; ``coordinator`` for the coordinator of any version.

        Raises:
            ProtocolError: if it is not.
        """
        allowed = self._coordinators if by == "coordinator" else {by}
        if by is not None and signed.signer not in allowed:
            raise ProtocolError(f"a {model.__name__} of {signed.signer} stands where one of {by} should")
        error = ProtocolError(f"{signed.signer} is in no roster here")
        for key in sorted(self._keys.get(signed.signer, ())):
            try:
                return signed.open_with(model, key)
            except ProtocolError as problem:
                error = ProtocolError(f"{problem.message} (signer: {signed.signer})")
        raise error

    @property
    def holders(self) -> set[str]:
        """All holders that any version lists."""
        return {holder for roster in self.rosters.values() for holder in roster.holders}

    def member(self, name: str) -> Member | None:
        """A member as the newest version lists it."""
        return self._newest.member(name) if self._newest else None


def _claimed(value: Any) -> RosterUpdate | None:
    try:
        return RosterUpdate.parse(Signed.model_validate(value).body)
    except (ProtocolError, ValueError):
        return None


def rosters_fit(walk: Walk, history: History, header: tuple[str, str]) -> Iterator[Claim]:
    """The roster history is whole, and is the one that the ledger recorded."""
    wrong = list(history.wrong)
    if not history.rosters:
        wrong.append("there is no roster in the bundle")
    for digest, fact in walk.rosters.items():
        if digest not in history.rosters:
            wrong.append(f"the ledger accepted version {fact.version}, which is not in the bundle")
    for digest in sorted(walk.used_rosters - set(history.rosters)):
        wrong.append(f"charges name the roster {digest[:12]}, which is not in the bundle")
    text = f"versions {min(history.versions, default=0)} to {max(history.versions, default=0)}"
    yield judged(walk.party, "the roster history is whole and signed", wrong, text)
    owner, role = header
    member = history.member(owner)
    known = [] if walk.owner == (owner, role) else [f"the bundle is {role} {owner}'s, the ledger is not"]
    if member is not None and member.role != role:
        known.append(f"the roster lists {owner} as {member.role}")
    yield judged(walk.party, "the ledger is its owner's", known, f"{role} {owner}")


def same_rosters(histories: list[tuple[str, History]]) -> Iterator[Claim]:
    """All parties accepted the same history."""
    wrong = []
    for (first, ours), (second, theirs) in combinations(histories, 2):
        for version in sorted(set(ours.versions) & set(theirs.versions)):
            if ours.versions[version] != theirs.versions[version]:
                wrong.append(f"{first} and {second} accepted different versions {version}")
    if len(histories) > 1:
        yield judged("all bundles", "everybody accepted the same rosters", wrong, f"{len(histories)} bundles")
