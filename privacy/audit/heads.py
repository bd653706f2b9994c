"""Heads: a member's signed word on how long its ledger is, and on what it has seen of everybody else's.

Sent to the auditor (or to another member) at least daily, they are what a later, shorter or other ledger is found by.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from privacy.errors import ConfigError, LedgerError, ProtocolError
from privacy.kernel.canonical import Noun, sha256_hex
from privacy.kernel.limits import Time
from privacy.kernel.terms import Slug
from privacy.ledger import EVIDENCE, Head, Ledger
from privacy.member_folder import MemberFolder
from privacy.private_files import write_private
from privacy.protocol.checkpoints import signed_checkpoint
from privacy.protocol.identity import Identity, Roster, Signed, SignedStatements
from privacy.protocol.messages import AnswerRequest, Checkpoint, Contribution, Finished, PlanCore, Ready, ReadyRequest

N = TypeVar("N", bound=Noun)


class Heads(Noun):
    """What one member knows of ledgers.

    Attributes:
        own: its own checkpoint; None for an auditor, which has no ledger.
        seen: the newest checkpoint of each other party that it has seen, as that party signed it.
        time: seconds since 1970, UTC; a claim.
    """

    federation: Slug
    member: Slug
    own: Signed | None
    seen: SignedStatements
    time: Time

    @property
    def all(self) -> tuple[Signed, ...]:
        """Its own and the others'."""
        return (*((self.own,) if self.own is not None else ()), *self.seen)


def signed_heads(ledger: Ledger, identity: Identity, federation: str, *, now: int) -> Signed:
    """The heads that a holder or the coordinator can show, signed by it."""
    own = signed_checkpoint(identity, ledger)
    newest = _newest(_shown(ledger))
    newest.pop(identity.member, None)
    return identity.sign(
        Heads(
            federation=federation,
            member=identity.member,
            own=own,
            seen=tuple(signed for _, (_, signed) in sorted(newest.items())),
            time=now,
        )
    )


def _shown(ledger: Ledger) -> Iterable[Signed]:
    """Checkpoints in the statements that are kept beside a ledger."""
    for statement in ledger.statements():
        if statement.subject == EVIDENCE:  # a liar's plan may show anything as somebody's head
            continue
        signed = Signed.parse(statement.text)
        if signed.kind == Checkpoint.__name__:
            yield signed
        elif signed.kind == ReadyRequest.__name__:
            core: PlanCore = ReadyRequest.parse(signed.body).core
            yield from (participant.checkpoint for participant in core.participants)
            yield core.coordinator
        elif signed.kind == AnswerRequest.__name__:
            readies = (Ready.parse(ready.body) for ready in AnswerRequest.parse(signed.body).readies)
            yield from (ready.checkpoint for ready in readies if ready.checkpoint is not None)
        elif signed.kind == Contribution.__name__:
            yield Contribution.parse(signed.body).checkpoint
        elif signed.kind == Finished.__name__:
            yield Finished.parse(signed.body).checkpoint


def _newest(checkpoints: Iterable[Signed]) -> dict[str, tuple[int, Signed]]:
    newest: dict[str, tuple[int, Signed]] = {}
    for signed in checkpoints:
        point = Checkpoint.parse(signed.body)
        if point.sequence > newest.get(point.member, (0, None))[0]:
            newest[point.member] = (point.sequence, signed)
    return newest


def read_heads(path: Path, rosters: Iterable[Roster]) -> tuple[Heads, dict[str, Head]]:
    """A file of heads, with every signature in it checked.

    Args:
        rosters: versions whose keys count.

    Returns:
        The statement, and each party's head in it.

    Raises:
        ConfigError: if it is no such file.
        ProtocolError: if a signature is not its signer's.
    """
    known = tuple(rosters)
    try:
        signed = Signed.parse(path.read_bytes())
    except ProtocolError:
        raise ConfigError(f"{path} is no file of heads", hint="`cohortium audit heads` writes them") from None
    heads = _opened(signed, Heads, known)
    found: dict[str, Head] = {}
    for one in heads.all:
        point = _opened(one, Checkpoint, known)
        if point.member != one.signer:
            raise ProtocolError(f"{one.signer} signed a head of somebody else's ledger")
        found[point.member] = Head(point.sequence, point.head)
    return heads, found


def _opened(signed: Signed, model: type[N], rosters: tuple[Roster, ...]) -> N:
    for roster in rosters:
        try:
            return signed.open(model, roster)
        except ProtocolError:
            continue
    raise ProtocolError(f"a {model.__name__} of {signed.signer} is not signed with a key of any roster accepted here")


class RememberedHeads:
    """Heads that an auditor was sent, in ``heads/`` of its folder: one file each, none ever replaced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "heads"
        self._member = MemberFolder(folder)

    def take(self, path: Path) -> tuple[Heads, tuple[str, ...]]:
        """Check a file of heads against all that came before it, and keep it.

        Returns:
            The heads, and what contradicts what was seen before: a ledger that got shorter, or is another.

        Raises:
            ConfigError, ProtocolError: see :func:`read_heads`.
        """
        rosters = self._member.rosters()
        heads, found = read_heads(path, rosters)
        problems: list[str] = []
        for member, (sequence, value) in found.items():
            for when, before, earlier in self._seen(member, rosters):
                if earlier.sequence == sequence and earlier.hash != value:
                    problems.append(f"{member} signed two heads at entry {sequence} ({before} has seen the other)")
                later = heads.time >= when  # a file that was sent late is no shorter ledger
                if later and earlier.sequence > sequence and member == heads.member:
                    problems.append(f"the ledger of {member} has {sequence} entries, and had {earlier.sequence}")
        data = path.read_bytes()
        write_private(self._folder / f"{heads.time:012d}-{heads.member}-{sha256_hex(data)[:8]}.json", data)
        return heads, tuple(dict.fromkeys(problems))

    def _seen(self, member: str, rosters: tuple[Roster, ...]) -> Iterable[tuple[int, str, Head]]:
        for path in self.files():
            heads, found = read_heads(path, rosters)
            if member in found:
                yield heads.time, heads.member, found[member]

    def signed(self, identity: Identity, federation: str, *, now: int) -> Signed:
        """The newest of them, signed by the auditor.

        Raises:
            ConfigError: if there are none.
        """
        rosters = self._member.rosters()
        newest = _newest(one for path in self.files() for one in read_heads(path, rosters)[0].all)
        if not newest:
            raise ConfigError(
                "no member has sent heads yet", hint="`cohortium auditor remember FOLDER FILE` keeps them"
            )
        seen = tuple(signed for _, (_, signed) in sorted(newest.items()))
        return identity.sign(Heads(federation=federation, member=identity.member, own=None, seen=seen, time=now))

    def files(self) -> tuple[Path, ...]:
        """What is kept, oldest first."""
        return tuple(sorted(self._folder.glob("*.json")))


def newest_of(member: str, files: Iterable[Path], rosters: tuple[Roster, ...]) -> tuple[Head, dict[str, str]]:
    """The newest head of a member's ledger that others show.

    Returns:
        The head, and who shows a head of it, this or an earlier one, with the role of each.

    Raises:
        LedgerError: if others show two heads at one length, or nobody shows one.
    """
    found: set[Head] = set()
    witnesses: dict[str, str] = {}
    roles = {entry.id: entry.role for roster in rosters for entry in roster.members}
    for path in files:
        heads, shown = read_heads(path, rosters)
        if heads.member != member and member in shown:
            found.add(shown[member])
            witnesses[heads.member] = roles.get(heads.member, "")
    if not found:
        raise LedgerError(
            f"nobody else shows a head of the ledger of {member}",
            hint="ask another holder or the auditor for the file that `cohortium audit heads` writes",
        )
    newest = max(found)
    if any(head.sequence == newest.sequence and head.hash != newest.hash for head in found):
        raise LedgerError(f"others show two different heads of {member} at entry {newest.sequence}")
    return newest, witnesses
