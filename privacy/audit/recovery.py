"""Backups of ledgers: made while in use, put back with care, and recovered with what others remember.

A restored backup lacks entries that others may have seen. Until its owner shows heads from another holder or the
auditor, and where entries were lost also what they charged, nothing is charged to it: its budget counts as spent.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from privacy.audit.bundle import BundleHeader, read_bundle
from privacy.audit.export import ledger_path
from privacy.audit.heads import newest_of
from privacy.audit.verify import verify
from privacy.errors import ConfigError, LedgerError
from privacy.kernel.canonical import sha256_hex
from privacy.ledger import Head, Ledger, Recovered, Reserved
from privacy.member_folder import MemberFolder
from privacy.private_files import private_file
from privacy.protocol.identity import Signed
from privacy.protocol.kept_statements import kept


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """What a recovery did.

    Attributes:
        lost: how many entries are lost.
        charges: how many charges of the lost part were found at others.
        witnesses: who showed the head.
        all_spent: whether the whole lifetime budget counts as spent.
        head: of the ledger now.
    """

    lost: int
    charges: int
    witnesses: tuple[str, ...]
    all_spent: bool
    head: Head


def restore(folder: Path, backup: Path) -> Head:
    """Put a backup in the place of a member's ledger, and mark it as one.

    What is there now, whole or not, is moved aside and never deleted.

    Returns:
        The head of the backup.

    Raises:
        ConfigError: if the folder is no member's.
        LedgerError: if the backup is damaged or somebody else's, or the ledger here is whole and longer.
    """
    own = MemberFolder(folder).request().member
    copy = Ledger(backup)
    if copy.state.owner != (own.id, own.role):
        raise LedgerError(f"{backup.name} is not a ledger of {own.role} {own.id}")
    target = folder / ("ledger.sqlite" if own.role == "coordinator" else "state/ledger.sqlite")
    if target.exists():
        _refuse_longer(target, copy.head)
        aside = f"{target.name}.before-{int(time.time())}"
        for name in (target.name, f"{target.name}-journal"):  # a journal left behind would be played into the backup
            if (target.parent / name).exists():
                (target.parent / name).rename(target.parent / name.replace(target.name, aside))
    with private_file(target) as temporary:
        copy.back_up(temporary)
        Ledger(temporary).mark_restored()
    return copy.head


def _refuse_longer(target: Path, backup: Head) -> None:
    try:
        head = Ledger(target).head
    except LedgerError:
        return  # it is damaged: that is what backups are for
    if head.sequence >= backup.sequence:
        raise LedgerError(
            f"the ledger in place is whole and has {head.sequence} entries, the backup {backup.sequence}",
            hint="there is nothing to restore; move the ledger away yourself if it is not the right one",
        )


def recover(
    folder: Path,
    heads: Sequence[Path],
    bundles: Sequence[Path] = (),
    *,
    all_spent: bool = False,
    now: int | None = None,
) -> Recovery:
    """Go on with a restored ledger.

    Args:
        folder: the holder's or the coordinator's.
        heads: files of ``audit heads`` from other members.
        bundles: of others, from which charges of the lost part are taken.
        all_spent: count the whole lifetime budget as spent in place of looking for the charges.
        now: seconds since 1970, UTC; the clock's if not given.

    Raises:
        ConfigError: if heads or bundles are missing, or are not what they should be.
        LedgerError: if the ledger is damaged, or others show another story of it than it tells.
    """
    member = MemberFolder(folder)
    own, rosters = member.request().member, member.rosters()
    ledger = Ledger(ledger_path(folder))
    newest, witnesses = newest_of(own.id, heads, rosters)
    if own.role == "holder" and not set(witnesses.values()) & {"holder", "auditor"}:
        raise ConfigError(
            "only the coordinator shows a head of this ledger",
            hint="ask another holder or the auditor for theirs: the coordinator's word alone does not protect you",
        )
    here = ledger.head
    if newest.sequence <= here.sequence:
        if ledger.hash_at(newest.sequence) != newest.hash and not _recovered_before(ledger, newest.sequence):
            raise LedgerError(
                f"others have seen another entry {newest.sequence}: this is not the right ledger",
                hint="if it was recovered before without these heads, restore the backup again and recover with all",
            )
        if not ledger.restored:
            raise LedgerError("this ledger is not behind what others have seen, and needs no recovery")
    lost = max(0, newest.sequence - here.sequence)
    charges: dict[str, Reserved] = {}
    if lost and not all_spent:
        charges = _charges_at_others(own.id, own.role, bundles)
    missing = {core: charge for core, charge in charges.items() if ledger.state.core_of(charge.question) is None}
    fact = Recovered(
        lost_from=here.sequence + 1,
        lost_to=here.sequence + lost,
        head=newest.hash if lost else here.hash,
        witnesses=tuple(sorted(witnesses)),
        bundles=tuple(sorted(sha256_hex(path.read_bytes()) for path in bundles)) if lost and not all_spent else (),
        spent="all" if lost and all_spent else "found",
        time=int(time.time()) if now is None else now,
    )
    said = [kept(Signed.parse(path.read_bytes()), "recovery") for path in heads]
    head = ledger.recover(fact, missing.values(), said)
    return Recovery(lost=lost, charges=len(missing), witnesses=fact.witnesses, all_spent=fact.spent == "all", head=head)


def _recovered_before(ledger: Ledger, sequence: int) -> bool:
    """Whether an earlier recovery says that this entry is lost."""
    return any(isinstance(f, Recovered) and f.lost_from <= sequence <= f.lost_to for f in ledger.facts())


def _charges_at_others(owner: str, role: str, bundles: Iterable[Path]) -> dict[str, Reserved]:
    """Charges that others recorded with this member in them, by core.

    Raises:
        ConfigError: if no bundle of another holder is there.
        LedgerError: if a bundle does not pass.
    """
    paths = list(bundles)
    found: dict[str, Reserved] = {}
    roles = set()
    for path in paths:
        header = BundleHeader.model_validate(next(read_bundle(path)).value)
        if header.owner == owner:
            raise ConfigError(f"{path.name} is this member's own bundle", hint="give the bundles of others")
        roles.add(header.role)
        for kind, value in read_bundle(path):
            fact = json.loads(value[1])["fact"] if kind == "entry" else {}
            if fact.get("kind") == "reserved" and (role == "coordinator" or owner in fact["holders"]):
                charge = Reserved.model_validate_json(json.dumps(fact))
                found.setdefault(charge.core, charge)
    if "holder" not in roles:
        raise ConfigError(
            "entries are lost, and no bundle of another holder shows what they charged",
            hint="give --bundle of every other holder and of the coordinator (`cohortium audit export`), or "
            "--all-spent to count the whole lifetime budget as spent",
        )
    failed = [claim for claim in verify(paths, third=False).claims if claim.verdict == "FAIL"]
    if failed:
        raise LedgerError(
            f"the bundles do not pass: {failed[0].about}, {failed[0].claim}: {failed[0].why}",
            hint="see `cohortium audit verify` on them; --all-spent goes on without them",
        )
    return found
