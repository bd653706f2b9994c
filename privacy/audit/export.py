"""``audit export``: a member's folder becomes a bundle."""

from __future__ import annotations

import time
from pathlib import Path

from privacy.audit.bundle import FORMAT, BundleHeader, write_bundle
from privacy.audit.heads import RememberedHeads, signed_heads
from privacy.errors import ConfigError
from privacy.kernel.version import software_version
from privacy.ledger import Head, Ledger
from privacy.member_folder import MemberFolder
from privacy.private_files import write_private


def ledger_path(path: Path) -> Path:
    """The ledger at a path: the file itself, or that of a holder's or coordinator's folder.

    Raises:
        ConfigError: if there is none.
    """
    if path.is_file():
        return path
    for candidate in (path / "ledger.sqlite", path / "state" / "ledger.sqlite"):
        if candidate.exists():
            return candidate
    raise ConfigError(f"there is no ledger in {path}", hint="give the folder of a holder or of the coordinator")


def write_heads(folder: Path, output: Path, *, now: int | None = None) -> None:
    """Write the signed heads that a member can show; an auditor's are those that members sent it.

    Args:
        folder: the member's.
        output: the file; it is replaced if it exists.
        now: seconds since 1970, UTC; the clock's if not given.

    Raises:
        ConfigError: if the folder is no member's, or an auditor was sent no heads yet.
        LedgerError: if the ledger is damaged.
    """
    member = MemberFolder(folder)
    own, identity = member.request(), member.identity()
    when = int(time.time()) if now is None else now
    if own.member.role == "auditor":
        signed = RememberedHeads(folder).signed(identity, own.federation, now=when)
    else:
        signed = signed_heads(Ledger(ledger_path(folder)), identity, own.federation, now=when)
    write_private(output, signed.canonical())


def export(folder: Path, output: Path, *, now: int | None = None) -> tuple[BundleHeader, Head]:
    """Write the bundle of a holder or the coordinator.

    Args:
        folder: the member's.
        output: the bundle; it is replaced if it exists.
        now: seconds since 1970, UTC; the clock's if not given.

    Returns:
        Whose it is, and the head of the ledger in it.

    Raises:
        ConfigError: if the folder is no member's.
        LedgerError: if the ledger is damaged.
    """
    member = MemberFolder(folder)
    own, identity = member.request(), member.identity()
    header = BundleHeader(
        format=FORMAT,
        owner=own.member.id,
        role=own.member.role,
        federation=own.federation,
        software=software_version(),
    )
    policies = sorted((folder / "state" / "policies").glob("*.json"))
    head = write_bundle(
        output,
        ledger=Ledger(ledger_path(folder)),
        header=header,
        rosters=member.updates(),
        policies=[path.read_text(encoding="utf-8") for path in policies],
        identity=identity,
        now=int(time.time()) if now is None else now,
    )
    return header, head
